'use client'
import { later } from '../later.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import type { AccessPreviewProps } from './access-preview.lazy.tsx'
import { BoneCard } from './parts.tsx'

const useCard = /* @__PURE__ */ later(() => import('./access-preview.lazy.tsx'), 'PreviewCard')

/**
 * What an agent can do with an account, before it does anything: what it reads, what it changes, and what it cannot do. By
 * its tools, the scopes and the person's rules. Renders nothing for an agent, account or provider that is not there.
 */
export function AccessPreview(props: AccessPreviewProps) {
  const [Card] = useCard(true)
  return <LiveRegion>{Card ? <Card {...props} /> : <BoneCard />}</LiveRegion>
}
