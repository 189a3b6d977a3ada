'use client'
import { createContext, useContext } from 'react'

/** Filled by an `OversightProvider`, which knows what the app lets each of its agents have at all. */
export const AgentLimitContext = /* @__PURE__ */ createContext<(agent: string, provider: string) => boolean>(() => true)

/** Whether an agent may be given accounts of a provider at all, whatever its person chooses. */
export function useMayHave(agent: string): (provider: string) => boolean {
  const mayHave = useContext(AgentLimitContext)
  return (provider) => mayHave(agent, provider)
}
