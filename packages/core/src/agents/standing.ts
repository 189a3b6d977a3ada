import type { Agent, AgentTool, PersonRules } from './oversight.ts'
import {
  type AgentRules,
  type Because,
  type Conditions,
  type Decision,
  decide,
  type Effect,
  isAbout,
  ownOf,
  PRESETS,
  type Preset,
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
function seenWith(seen: AgentRules['seen'], rules: readonly Rule[]): Record<string, readonly string[]> {
  const versions = new Map(Object.entries(seen ?? {}))
  for (const { subject, decision } of rules) {
    if (subject === '*' || !('tool' in subject) || decision === 'never') continue
    const { tool, version } = subject
    versions.set(tool, [...new Set([...(versions.get(tool) ?? []), version])])
  }
  return Object.fromEntries(versions)
}

/** Each allows more than those before it. */
export const BY_FREEDOM: readonly Preset[] = ['off', 'read-only', 'ask-before-changes', 'trusted']

const laxest = (presets: readonly Preset[]) => BY_FREEDOM.findLast((preset) => presets.includes(preset)) ?? 'off'

/** A preset that a person chooses: for an account, or for all accounts of a provider that have none of their own. */
export interface PresetChoice {
  of: Rule['of']
  preset: Preset
  /** The provider of an account. Undefined if nobody knows: it may be any. */
  providerOf: (account: string) => string | undefined
}

/**
 * The rules with a preset chosen. A stricter one ends the exceptions that reach further than it says, for the accounts that
 * it is for: else its word would be none. One that allows more leaves them all, and so does `off`, which is a pause: what
 * comes after it is stricter or not by what stood before it. A `never` always stays.
 */
export const withPreset = (rules: PersonRules, agent: string, choice: PresetChoice): PersonRules =>
  withAgent(rules, agent, (old) => {
    const { of, preset } = choice
    const [kind, id] = 'account' in of ? (['accounts', of.account] as const) : (['providers', of.provider] as const)
    const stood = stoodBefore(old, choice)
    const left = stricter(preset, stood) ? old.rules.flatMap((rule) => leftOf(rule, old, choice)) : old.rules
    const ended = old.rules.filter((rule) => !left.includes(rule))
    const paused = Object.entries({ ...old.before?.[kind], [id]: stood }).filter(
      ([one]) => one !== id || preset === 'off',
    )
    const before = { accounts: {}, providers: {}, ...old.before, [kind]: Object.fromEntries(paused) }
    return {
      [kind]: { ...old[kind], [id]: preset },
      ...(ended.length > 0 && { rules: left, seen: seenWith(old.seen, ended) }),
      ...((old.before || preset === 'off') && { before }),
    }
  })

const stricter = (preset: Preset, stood: Preset) =>
  preset !== 'off' && BY_FREEDOM.indexOf(preset) < BY_FREEDOM.indexOf(stood)

/** What stood where a preset is chosen now. If that is not known: the most that it may have been. */
function stoodBefore({ before, ...rules }: AgentRules, { of, providerOf }: PresetChoice): Preset {
  const chosen = (kind: 'accounts' | 'providers', id: string) => {
    const preset = ownOf(rules[kind], id)
    return preset === 'off' ? (ownOf(before?.[kind], id) ?? 'trusted') : preset
  }
  const ofProvider = (id: string) => chosen('providers', id) ?? 'ask-before-changes'
  if ('provider' in of) return ofProvider(of.provider)
  const provider = providerOf(of.account)
  const any = () => laxest(['ask-before-changes', ...Object.keys(rules.providers).map(ofProvider)])
  return chosen('accounts', of.account) ?? (provider === undefined ? any() : ofProvider(provider))
}

/** What a stricter preset leaves of a rule. */
function leftOf(rule: Rule, rules: AgentRules, choice: PresetChoice): readonly Rule[] {
  if (within(rule, choice.preset) === rule) return [rule]
  const [others, reached] = split(rule, rules, choice)
  return [others, reached && within(reached, choice.preset)].filter((left) => left !== undefined)
}

const EFFECTS: readonly Effect[] = ['read', 'write', 'destructive']

/** A rule as far as it is no laxer than a preset: all of it, what it says of reading, or nothing. */
function within(rule: Rule, preset: Preset): Rule | undefined {
  const { subject, decision, effect = subject !== '*' && 'effect' in subject ? subject.effect : undefined } = rule
  const isStrict = (one: Effect) => STRICTNESS[decision] >= STRICTNESS[PRESETS[preset][one]]
  if ((effect === undefined ? EFFECTS : [effect]).every(isStrict)) return rule
  // A yes that may be to more than reading ends. To ask before reading is as strict as any preset but `off`.
  return decision === 'ask' && effect === undefined ? { ...rule, effect: 'read' } : undefined
}

/** A rule for the accounts that a preset is not for, and for those that it is for. */
function split(
  rule: Rule,
  { accounts }: AgentRules,
  { of, providerOf }: PresetChoice,
): [others: Rule | undefined, reached?: Rule] {
  const { of: about, reach, ...said } = rule
  if ('account' in of) {
    const { account: id } = of
    if ('account' in about) return about.account === id ? [undefined, rule] : [rule]
    const isReached = isAbout(rule, { id, provider: providerOf(id) ?? about.provider })
    return isReached ? [limited(rule, outside(reach, [id])), { ...said, id: `${rule.id}.${id}`, of }] : [rule]
  }
  const { provider } = of
  const isOf = (account: string, unknown: boolean) => (providerOf(account) ?? (unknown ? provider : '')) === provider
  // Accounts with a preset of their own do not have that of their provider.
  const own = Object.keys(accounts).filter((id) => isOf(id, true))
  if ('account' in about) {
    // Of an account that nobody knows a yes ends, and what asks stays: neither allows more.
    const isReached = !own.includes(about.account) && isOf(about.account, rule.decision === 'allow')
    return isReached ? [undefined, rule] : [rule]
  }
  if (about.provider !== provider) return [rule]
  const others = limited(rule, { only: own.filter((id) => isAbout(rule, { id, provider })) })
  return [others, limited({ ...rule, id: others ? `${rule.id}.${provider}` : rule.id }, outside(reach, own))]
}

function outside(reach: Rule['reach'], ids: readonly string[]): Rule['reach'] {
  if (reach && 'only' in reach) return { only: reach.only.filter((id) => !ids.includes(id)) }
  const except = [...new Set([...(reach?.except ?? []), ...ids])]
  return except.length > 0 ? { except } : undefined
}

/** A rule for some accounts of its provider. Undefined for none. */
function limited({ reach: _, ...rule }: Rule, reach: Rule['reach']): Rule | undefined {
  if (!reach) return rule
  return 'only' in reach && reach.only.length === 0 ? undefined : { ...rule, reach }
}

/** The scopes that a tool needs and that were not granted. */
export const missingScopes = ({ scopes = [] }: AgentTool, granted: readonly string[]): string[] =>
  scopes.filter((scope) => !granted.includes(scope))
