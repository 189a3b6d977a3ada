'use client'
import { type ReactNode, useCallback } from 'react'
import { ConsentMoreContext, type ConsentMoreProps } from '../dialogs/consent-more.ts'
import { later } from '../later.tsx'
import { AgentLimitContext } from '../parts/agent-limit.ts'
import { Overseeing, type OversightProviderProps, useAgents } from './oversight.tsx'
import { findAgent, isGiven, lineOf } from './ruled.ts'

const useConsentPreview = /* @__PURE__ */ later(() => import('./access-preview.lazy.tsx'), 'ConsentPreview', true)

/** In a question for consent: what agents would do with it. Its code comes with the question. */
function Consented(props: ConsentMoreProps) {
  const [Shown] = useConsentPreview(true)
  return Shown && <Shown {...props} />
}

const say = (props: ConsentMoreProps) => <Consented {...props} />

/** In everything that is about one agent: what the app gives that agent at all. All, until it is known. */
function Limited({ children }: { children: ReactNode }) {
  const agents = useAgents()
  const mayHave = useCallback(
    (id: string, provider: string) => {
      const agent = findAgent(agents, id)
      return !agent || isGiven(lineOf(agents, agent), provider)
    },
    [agents],
  )
  return <AgentLimitContext.Provider value={mayHave}>{children}</AgentLimitContext.Provider>
}

/** Gives the tree below it what agents may do. It has to be inside of a `LatchkeyProvider`. */
export function OversightProvider(props: OversightProviderProps) {
  return (
    <ConsentMoreContext.Provider value={say}>
      <Overseeing {...props}>
        <Limited>{props.children}</Limited>
      </Overseeing>
    </ConsentMoreContext.Provider>
  )
}
