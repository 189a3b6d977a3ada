'use client'
import { useAgentsQuery, useHasWords, useRulesQuery } from './oversight.tsx'

/** Agents and rules, and how it is with loading them. */
export function useFacts() {
  const agents = useAgentsQuery()
  const rules = useRulesQuery()
  const hasWords = useHasWords()
  const failed = (agents.isError && !agents.data) || (rules.isError && !rules.data)
  return {
    agents: agents.data ?? [],
    person: agents.data && hasWords ? rules.data : undefined,
    status: failed
      ? ('failed' as const)
      : agents.data && rules.data && hasWords
        ? ('ready' as const)
        : ('loading' as const),
    retry: () => {
      agents.refetch()
      rules.refetch()
    },
  }
}
