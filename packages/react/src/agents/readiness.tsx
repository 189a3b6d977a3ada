'use client'
import { later } from '../later.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { BoneCard } from './parts.tsx'
import type { ReadinessProps } from './readiness-facts.ts'

const useCard = /* @__PURE__ */ later(() => import('./readiness.lazy.tsx'), 'ReadinessCard')

/**
 * Whether a run can do its work without its person, said in one sentence: what is missing, too narrow, ends too early, will
 * ask or is never allowed, each with a button that mends it. Renders nothing for an agent that the app does not have.
 */
export function Readiness(props: ReadinessProps) {
  const [Card] = useCard(true)
  return <LiveRegion>{Card ? <Card {...props} /> : <BoneCard />}</LiveRegion>
}
