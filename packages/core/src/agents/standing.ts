import type { Agent, AgentTool, PersonRules } from './oversight.ts'
import {
  type AgentRules,
  type Because,
  type Conditions,
  type Decision,
  decide,
  ownOf,
  type Rule,
  type RuledCall,
  STRICTNESS,
  type Verdict,
} from './rules.ts'

/** Ids of agents: the agent itself, then its parent, and so on. */
export type AgentLine = readonly [string, ...string[]]

const NO_RULES: AgentRules = { accounts: {}, providers: {}, rules: [] }

/** An agent and those above it, each once, as far as they are declared. */
export function lineOf(agents: readonly Pick<Agent, 'id' | 'parent'>[], id: string): AgentLine {
  const line: [string, ...string[]] = [id]
  const parentOf = (child: string | undefined) => agents.find((one) => one.id === child)?.parent
  for (let at = parentOf(id); at !== undefined && !line.includes(at); at = parentOf(at)) line.push(at)
  return line
}

/** What a person lets one agent do, with its stop mark. */
export function rulesOf({ agents, stopped }: PersonRules, agent: string): AgentRules {
  const rules = ownOf(agents, agent) ?? NO_RULES
  return ownOf(stopped.agents, agent) === undefined ? rules : { ...rules, stopped: true }
}

/** The rules with those of one agent changed. */
export function withAgent(
  rules: PersonRules,
  agent: string,
  change: (rules: AgentRules) => Partial<AgentRules>,
): PersonRules {
  const old = ownOf(rules.agents, agent) ?? NO_RULES
  // Assigned to an object without a prototype, so that no id is anything but a member.
  const agents = Object.assign(Object.create(null), rules.agents, { [agent]: { ...old, ...change(old) } })
  return { ...rules, agents }
}

/** What a person's rules and stop marks say of a call of an agent. The page and the server judge with this alone. */
export function verdictFor(
  rules: PersonRules,
  [agent, ...above]: AgentLine,
  call: Omit<RuledCall, 'stopped'>,
  now: number,
): Verdict {
  const { everything, accounts } = rules.stopped
  const isStopped = ownOf(accounts, call.account.id) !== undefined
  const stopped = everything !== undefined ? 'everything' : isStopped ? 'account' : undefined
  const line = [rulesOf(rules, agent), ...above.map((one) => rulesOf(rules, one))] as const
  return decide({ ...call, ...(stopped && { stopped }) }, line, now)
}

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
  const line = lineOf(agents, agent)
  const isGiven = (one: string) => agents.find((known) => known.id === one)?.providers?.includes(provider) ?? true
  if (!line.every(isGiven)) return { decision: 'never' }

  const call = { account: { id, provider, paused }, tool, chat, args: MET_ARGS }
  const plain = line.reduce((said, one) => withAgent(said, one, withoutConditions), rules)
  const { decision, because } = verdictFor(plain, line, call, now)

  // What each agent of the line says by itself: without its rules about arguments, and with each as if they were so.
  const says = line.map((one): Decision[] => {
    const met = rulesOf(rules, one).rules.flatMap((rule) => (rule.when ? [{ ...rule, when: MET }] : []))
    const beside = (rule: Rule) => withAgent(plain, one, (own) => ({ rules: [...own.rules, rule] }))
    return [plain, ...met.map(beside)].map((said) => verdictFor(said, [one], call, now).decision)
  })
  // The strictest of the line decides, whatever each of them says.
  const least = Math.max(...says.map((own) => Math.min(...own.map((one) => STRICTNESS[one]))))
  const most = Math.max(...says.flat().map((one) => STRICTNESS[one]))
  return { decision, because, ...(least !== most && { depends: true }) }
}

/** A condition, and arguments that meet it. */
const MET: Conditions = { met: { equals: true } }
const MET_ARGS = { met: true }

/** Without its rules about arguments. The versions of tools that they are for stay seen. */
const withoutConditions = ({ rules, seen }: AgentRules): Partial<AgentRules> => ({
  rules: rules.filter(({ when }) => !when),
  seen: seenWith(
    seen,
    rules.filter(({ when }) => when),
  ),
})

/** The versions of tools that a person has seen, with those that they made these rules for. */
export function seenWith(seen: AgentRules['seen'], rules: readonly Rule[]): Record<string, readonly string[]> {
  const versions = new Map(Object.entries(seen ?? {}))
  for (const { subject, decision } of rules) {
    if (subject === '*' || !('tool' in subject) || decision === 'never') continue
    const { tool, version } = subject
    versions.set(tool, [...new Set([...(versions.get(tool) ?? []), version])])
  }
  return Object.fromEntries(versions)
}

/** The scopes that a tool needs and that were not granted. */
export const missingScopes = ({ scopes = [] }: AgentTool, granted: readonly string[]): string[] =>
  scopes.filter((scope) => !granted.includes(scope))
