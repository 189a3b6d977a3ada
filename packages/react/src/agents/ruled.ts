import type { ConnectedAccount } from '@latchkey/core'
import {
  type Agent,
  type AgentRules,
  type AgentTool,
  decide,
  type PersonRules,
  type Rule,
  type RuledCall,
  type StopTarget,
  type Verdict,
} from '@latchkey/core/agents'

const NO_RULES: AgentRules = { accounts: {}, providers: {}, rules: [] }

/** A member that a record has itself: an id may be the name of something that every object inherits. */
function ownOf<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

export const findAgent = (agents: readonly Agent[], id: string | undefined) => agents.find((agent) => agent.id === id)

/** An agent, its parent, the parent's parent and so on. */
export function lineOf(agents: readonly Agent[], agent: Agent): readonly [Agent, ...Agent[]] {
  const line: [Agent, ...Agent[]] = [agent]
  for (let next = findAgent(agents, agent.parent); next && !line.includes(next); ) {
    line.push(next)
    next = findAgent(agents, next.parent)
  }
  return line
}

/** What the person lets one agent do. */
export function rulesOf(person: PersonRules, { id }: Agent): AgentRules {
  const rules = ownOf(person.agents, id) ?? NO_RULES
  return ownOf(person.stopped.agents, id) === undefined ? rules : { ...rules, stopped: true }
}

/** When a target was stopped by itself, in milliseconds since the epoch. */
export function stoppedAt({ stopped }: PersonRules, target: StopTarget): number | undefined {
  if ('agent' in target) return ownOf(stopped.agents, target.agent)
  return 'account' in target ? ownOf(stopped.accounts, target.account) : stopped.everything
}

/** The exceptions of an agent that an account has, and that are not over. */
export function exceptionsOf({ rules }: AgentRules, account: ConnectedAccount, now: number): readonly Rule[] {
  return rules.filter(
    ({ of, until }) =>
      ('account' in of ? of.account === account.id : of.provider === account.provider) &&
      (until === undefined || until > now),
  )
}

/** Whether the app lets an agent have accounts of a provider at all. */
export const isGiven = (line: readonly Agent[], provider: string) =>
  line.every(({ providers }) => !providers || providers.includes(provider))

/** What becomes of any call of a tool: by the agent's own rules, and by its parents' too. */
export function verdictsOf(
  person: PersonRules,
  line: readonly [Agent, ...Agent[]],
  account: ConnectedAccount,
  tool: AgentTool,
  now: number,
): { own: Verdict; all: Verdict } {
  const isAccountStopped = stoppedAt(person, { account: account.id }) !== undefined
  const call: RuledCall = {
    account: { id: account.id, provider: account.provider, paused: account.status === 'paused' },
    tool,
    ...(isAccountStopped && { stopped: 'account' }),
    ...(person.stopped.everything !== undefined && { stopped: 'everything' }),
  }
  // A condition is about the arguments of one call: it stands among the exceptions.
  const general = (agent: Agent): AgentRules => {
    const rules = rulesOf(person, agent)
    return { ...rules, rules: rules.rules.filter(({ when }) => !when) }
  }
  const [first, ...others] = line
  const own = general(first)
  return { own: decide(call, [own], now), all: decide(call, [own, ...others.map(general)], now) }
}
