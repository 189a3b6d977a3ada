'use client'
import type { ConnectedAccount } from '@latchkey/core'
import { type Agent, type PersonRules, presetFor } from '@latchkey/core/agents'
import { useAgentAccounts } from '../hooks.ts'
import { useFirstMessages } from '../use-first-messages.ts'
import { useFacts } from './facts.ts'
import { useAgentMessages } from './oversight.tsx'
import { visibleLine } from './plain.ts'
import { findAgent, lineOf, rulesOf, stoppedAt } from './ruled.ts'

/** How it is with an agent and an account, in words. */
export interface AccessWords {
  /** What keeps the agent from using it, whatever was chosen: it is stopped or paused, or its switch is off. Absent: nothing. */
  off: string | undefined
  /** The preset that the person chose. */
  preset: string
}

interface Known {
  person: PersonRules
  /** The agent, its parent and so on. */
  line: readonly [Agent, ...Agent[]]
}

type At = Pick<ConnectedAccount, 'id' | 'provider'> & Partial<Pick<ConnectedAccount, 'status'>>

/** Says it by rules that are at hand. */
export function useStanding(agentId: string): (known: Known, at: At) => AccessWords {
  const words = useAgentMessages()
  const { status } = useFirstMessages()
  const { accounts } = useAgentAccounts(agentId)
  return ({ person, line }, at) => {
    const [agent] = line
    const own = [{ everything: true as const }, { account: at.id }, { agent: agent.id }]
    const isStopped = own.some((target) => stoppedAt(person, target) !== undefined)
    const stopper = line.find(({ id }) => stoppedAt(person, { agent: id }) !== undefined)
    const isLeftOut = accounts.some(({ id, included }) => id === at.id && !included)
    const off = isStopped
      ? words.stopped
      : stopper
        ? words.stoppedWith(visibleLine(stopper.name))
        : at.status === 'paused'
          ? status.paused
          : isLeftOut
            ? words.notInChat
            : undefined
    return { off, preset: words.presets[presetFor(rulesOf(person, agent), at)] }
  }
}

/**
 * Says of each account what {@link AgentAccess} says of it, for a list of your own: the same state has the same word.
 * Undefined until it is known, and for an agent that the app does not have.
 *
 * @param agentId id of the agent
 * @throws Error outside of an OversightProvider.
 */
export function useAccessWords(agentId: string): ((account: ConnectedAccount) => AccessWords) | undefined {
  const wordsOf = useStanding(agentId)
  const { agents, person } = useFacts()
  const agent = findAgent(agents, agentId)
  if (!person || !agent) return undefined
  const line = lineOf(agents, agent)
  return (account) => wordsOf({ person, line }, account)
}
