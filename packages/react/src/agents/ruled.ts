import type { ConnectedAccount } from '@latchkey/core'
import type {
  Agent,
  AgentRules,
  AgentTool,
  Decision,
  PersonRules,
  Rule,
  RuledCall,
  StopTarget,
  Verdict,
} from '@latchkey/core/agents'
import { presetFor } from '@latchkey/core/agents'
import * as standing from '@latchkey/core/internal'

export const findAgent = (agents: readonly Agent[], id: string | undefined) => agents.find((agent) => agent.id === id)

/** An agent, its parent, the parent's parent and so on. */
export function lineOf(agents: readonly Agent[], agent: Agent): readonly [Agent, ...Agent[]] {
  const [, ...above] = standing.lineOf(agents, agent.id)
  return [agent, ...above.flatMap((id) => findAgent(agents, id) ?? [])]
}

/** What the person lets one agent do. */
export const rulesOf = (person: PersonRules, { id }: Agent): AgentRules => standing.rulesOf(person, id)

/** When a target was stopped by itself, in milliseconds since the epoch. */
export function stoppedAt({ stopped }: PersonRules, target: StopTarget): number | undefined {
  if ('everything' in target) return stopped.everything
  const [marks, id] = 'agent' in target ? [stopped.agents, target.agent] : [stopped.accounts, target.account]
  return Object.hasOwn(marks, id) ? marks[id] : undefined
}

/** What keeps a target from working: its own stop, else that of the nearest agent above it, else that of everything. */
export function stopOf(person: PersonRules, agents: readonly Agent[], target: StopTarget): StopTarget | undefined {
  const [, ...above] = 'agent' in target ? standing.lineOf(agents, target.agent) : []
  const all: readonly StopTarget[] = [target, ...above.map((agent) => ({ agent })), { everything: true }]
  return all.find((one) => stoppedAt(person, one) !== undefined)
}

/** The agents that stop with a target: those that the agent started, those that they started, and so on. */
export const stoppingWith = (agents: readonly Agent[], target: StopTarget): readonly Agent[] =>
  'agent' in target
    ? agents.filter(({ id }) => id !== target.agent && standing.lineOf(agents, id).includes(target.agent))
    : []

/** The exceptions of an agent that an account has, and that are not over. */
export const exceptionsOf = (
  { rules }: AgentRules,
  account: Pick<ConnectedAccount, 'id' | 'provider'>,
  now: number,
): readonly Rule[] =>
  rules.filter((rule) => standing.isAbout(rule, account) && (rule.until === undefined || rule.until > now))

/** The exceptions that an account has by some rules, and no more by others. */
export function endedBetween(
  before: PersonRules,
  after: PersonRules,
  agent: Agent,
  account: Pick<ConnectedAccount, 'id' | 'provider'>,
  now: number,
): readonly Rule[] {
  const kept = exceptionsOf(rulesOf(after, agent), account, now).map(({ id }) => id)
  return exceptionsOf(rulesOf(before, agent), account, now).filter(({ id }) => !kept.includes(id))
}

/** Whether the app lets an agent have accounts of a provider at all. */
export const isGiven = (line: readonly Agent[], provider: string) =>
  line.every(({ providers }) => !providers || providers.includes(provider))

/** What becomes of any call of a tool: by the agent's own rules, and by its parents' too. And what the person chose. */
export function verdictsOf(
  person: PersonRules,
  line: readonly [Agent, ...Agent[]],
  account: ConnectedAccount,
  tool: AgentTool,
  now: number,
): { own: Verdict; all: Verdict; chosen: Decision | undefined } {
  const call: RuledCall = {
    account: { id: account.id, provider: account.provider, paused: account.status === 'paused' },
    tool,
  }
  const ids = line.map(({ id }) => id)
  // A condition is about the arguments of one call: it stands among the exceptions.
  const withoutWhen = ({ rules }: AgentRules) => ({ rules: rules.filter(({ when }) => !when) })
  const general = ids.reduce((said, id) => standing.withAgent(said, id, withoutWhen), person)
  const [own, ...above] = ids as [string, ...string[]]
  const verdict = standing.verdictFor(general, [own], call, now)
  return {
    own: verdict,
    all: standing.verdictFor(general, [own, ...above], call, now),
    chosen: isWaiting(verdict) ? chosenFor(general, own, call, now) : verdict.decision,
  }
}

/** Whether what the person chose waits behind what keeps everything from being used. */
const isWaiting = ({ because }: Verdict) =>
  because.by === 'paused' || because.by === 'stopped' || (because.by === 'preset' && because.preset === 'off')

/** What the person chose for a call, as if nothing was stopped, paused or off. Undefined if they chose nothing but that. */
function chosenFor(person: PersonRules, agent: string, call: RuledCall, now: number): Decision | undefined {
  const { id, provider } = call.account
  const isOff = presetFor(standing.rulesOf(person, agent), { id, provider }) === 'off'
  const started = { ...person, stopped: { agents: {}, accounts: {} } }
  const on = standing.withAgent(started, agent, ({ accounts }) =>
    isOff ? { accounts: { ...accounts, [id]: 'ask-before-changes' } } : {},
  )
  const { decision, because } = standing.verdictFor(on, [agent], { ...call, account: { id, provider } }, now)
  return isOff && because.by !== 'rule' ? undefined : decision
}
