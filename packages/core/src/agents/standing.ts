import type { Agent, AgentTool, PersonRules } from './oversight.ts'
import { type AgentRules, type Because, type Decision, decide, type RuledCall } from './rules.ts'

/** What an agent may do, asked before it does anything. */
export interface Standing {
  /** All agents of the app: what the parents of an agent may not do, it may not do either. */
  agents: readonly Agent[]
  /** Agent id. */
  agent: string
  rules: PersonRules
  /** The chat that is asked about. Absent: yeses for one chat do not count. */
  chat?: string
  /** Milliseconds since the epoch. */
  now: number
}

/** What becomes of a call whose arguments are not known yet. */
export interface Outlook {
  decision: Decision
  /** Absent: the app gives this agent no accounts of this provider. */
  because?: Because
  /** A rule about arguments may decide otherwise. */
  depends?: true
}

const NO_RULES: AgentRules = { accounts: {}, providers: {}, rules: [] }

/** A member that a record has itself. Ids may be names of what every object inherits. */
const ownOf = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

/** Ids of an agent, its parent, and so on. */
function lineOf(agents: readonly Agent[], id: string): [string, ...string[]] {
  const line: [string, ...string[]] = [id]
  const parentOf = (child: string | undefined) => agents.find((one) => one.id === child)?.parent
  for (let at = parentOf(id); at !== undefined && !line.includes(at); at = parentOf(at)) line.push(at)
  return line
}

/** The rules for one agent, with its stop mark in them. */
const rulesOf = ({ agents, stopped }: PersonRules, id: string): AgentRules => ({
  ...(ownOf(agents, id) ?? NO_RULES),
  ...(ownOf(stopped.agents, id) !== undefined && { stopped: true }),
})

/**
 * What a person's rules say of a tool of an agent, before there is a call.
 *
 * @param account without an id: one that is not connected yet
 * @param tool absent: a call that belongs to no declared tool
 */
export function outlookOf(
  { agents, agent, rules, chat, now }: Standing,
  { id = '', provider, paused }: { id?: string; provider: string; paused?: boolean },
  tool?: AgentTool,
): Outlook {
  const [own, ...above] = lineOf(agents, agent)
  const isGiven = (one: string) => agents.find((known) => known.id === one)?.providers?.includes(provider) ?? true
  if (![own, ...above].every(isGiven)) return { decision: 'never' }

  const { everything, accounts } = rules.stopped
  const what = everything === undefined ? ownOf(accounts, id) !== undefined && 'account' : 'everything'
  const call: RuledCall = { account: { id, provider, paused }, tool, chat, ...(what && { stopped: what }) }
  const line: readonly [AgentRules, ...AgentRules[]] = [rulesOf(rules, own), ...above.map((one) => rulesOf(rules, one))]
  const [first, ...rest] = line.map((each) => ({ ...each, rules: each.rules.filter(({ when }) => !when) }))
  const plain = [first as AgentRules, ...rest] as const
  const { decision, because } = decide(call, plain, now)

  // Each rule about arguments, as if they were so, beside what nothing can overrule.
  const depends = line.some((each, at) =>
    each.rules.some(({ when, ...met }) => {
      if (!when) return false
      const never = plain[at]?.rules.filter((rule) => rule.decision === 'never') ?? []
      const [head, ...tail] = plain.map((one, other) => (other === at ? { ...one, rules: [...never, met] } : one))
      return decide(call, [head as AgentRules, ...tail], now).decision !== decision
    }),
  )
  return { decision, because, ...(depends && { depends }) }
}

/** The scopes that a tool needs and that were not granted. */
export const missingScopes = ({ scopes = [] }: AgentTool, granted: readonly string[]): string[] =>
  scopes.filter((scope) => !granted.includes(scope))
