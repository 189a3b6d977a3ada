import { type Conditions, holds } from './conditions.ts'

export type { Comparison, Conditions } from './conditions.ts'

/** What a call of a tool does: it reads, it changes something, or it destroys something that cannot be had back. */
export type Effect = 'read' | 'write' | 'destructive'

/** What becomes of a call. */
export type Decision = 'allow' | 'ask' | 'never'

/**
 * A person's choice for one agent and one account, in a word. `read-only`: reads are allowed, all else never.
 * `ask-before-changes`: reads are allowed, all else asks. `trusted`: destructive calls ask, all else is allowed. `off`:
 * never.
 */
export type Preset = 'read-only' | 'ask-before-changes' | 'trusted' | 'off'

/** An exception to a preset, which a person made. */
export interface Rule {
  id: string
  of: { account: string } | { provider: string }
  /** A rule about a tool holds for the version that the person saw. A `never` holds for every version. */
  subject: { tool: string; version: string } | { effect: Effect } | '*'
  decision: Decision
  /** What the calls do that it is about. It is a part of what a version is. Absent: whatever they do. */
  effect?: Effect
  /**
   * The accounts of its provider that it is about, after a stricter preset ended it for others. Absent: all of them.
   */
  reach?: { only: readonly string[] } | { except: readonly string[] }
  /** When it ends, in milliseconds since the epoch. Absent: when the person ends it. */
  until?: number
  /** The chat that it holds in. Absent: every chat. */
  chat?: string
  /** What the arguments must be. */
  when?: Conditions
}

/** What one person lets one agent do. */
export interface AgentRules {
  /** Presets by account id. They come before those of providers. */
  accounts: Readonly<Record<string, Preset>>
  /** Presets by provider id. @default 'ask-before-changes' */
  providers: Readonly<Record<string, Preset>>
  /** Presets from before `off`, which is a pause: a later preset is stricter or not by these. */
  before?: { accounts: Readonly<Record<string, Preset>>; providers: Readonly<Record<string, Preset>> }
  rules: readonly Rule[]
  /**
   * Versions of tools that the person has seen, by tool name. A tool that the app declares counts as seen until its person has
   * seen another version of it.
   */
  seen?: Readonly<Record<string, readonly string[]>>
  /** The person stopped this agent. */
  stopped?: true
}

/** A call as rules see it. */
export interface RuledCall {
  account: { id: string; provider: string; paused?: boolean }
  /**
   * Absent: nobody knows the tool, so it counts as a `write` that its person has not seen. `found`: a server offers it, and
   * the app does not declare it.
   */
  tool?: { name: string; version: string; effect: Effect; found?: true }
  /** As the tool will get them: parsed by its schema, defaults filled in. */
  args?: unknown
  chat?: string
  /** The person stopped this account, or everything. */
  stopped?: 'account' | 'everything'
}

/** What decided. It is what the card and the activity show. */
export type Because =
  | { by: 'paused' }
  | { by: 'stopped'; what: 'account' | 'agent' | 'everything' }
  | { by: 'rule'; rule: Rule }
  | { by: 'unknown'; what: 'tool' | 'version' }
  | { by: 'preset'; preset: Preset }

/** A decision, with what decided. */
export interface Verdict {
  decision: Decision
  because: Because
  /** Which of the agents decided: 0 is the agent itself, 1 its parent, and so on. */
  agent: number
}

/** What a preset says of each effect. */
export const PRESETS: Readonly<Record<Preset, Readonly<Record<Effect, Decision>>>> = {
  'read-only': { read: 'allow', write: 'never', destructive: 'never' },
  'ask-before-changes': { read: 'allow', write: 'ask', destructive: 'ask' },
  trusted: { read: 'allow', write: 'allow', destructive: 'ask' },
  off: { read: 'never', write: 'never', destructive: 'never' },
}

/** Each allows more than those before it. */
export const BY_FREEDOM: readonly Preset[] = ['off', 'read-only', 'ask-before-changes', 'trusted']

/** Decisions in order: each allows less than those before it. */
export const STRICTNESS: Readonly<Record<Decision, number>> = { allow: 0, ask: 1, never: 2 }

/** The preset of an account: its own, else that of its provider, else `ask-before-changes`. */
export function presetFor(rules: AgentRules, { id, provider }: { id: string; provider: string }): Preset {
  return ownOf(rules.accounts, id) ?? ownOf(rules.providers, provider) ?? 'ask-before-changes'
}

/**
 * What becomes of a call. Pure: the same in every browser and on every server.
 *
 * @param agents the rules of the agent itself, then those of its parent, and so on. The strictest of them decides, and the
 *   agent itself when they agree, so a child never gets more than its parent.
 * @param now milliseconds since the epoch
 */
export function decide(call: RuledCall, agents: readonly [AgentRules, ...AgentRules[]], now: number): Verdict {
  return agents
    .map((rules, agent): Verdict => ({ ...judge(call, rules, now), agent }))
    .reduce((strictest, next) => (STRICTNESS[next.decision] > STRICTNESS[strictest.decision] ? next : strictest))
}

type Judgement = Omit<Verdict, 'agent'>

const byRule = (rule: Rule): Judgement => ({ decision: rule.decision, because: { by: 'rule', rule } })

/** What the rules of one agent say of a call. The order of the steps is the meaning of the rules. */
function judge(call: RuledCall, rules: AgentRules, now: number): Judgement {
  if (call.account.paused) return { decision: 'never', because: { by: 'paused' } }
  const what = call.stopped ?? (rules.stopped && 'agent')
  if (what) return { decision: 'never', because: { by: 'stopped', what } }
  const preset = presetFor(rules, call.account)
  const byPreset: Judgement = { decision: PRESETS[preset][effectOf(call)], because: { by: 'preset', preset } }
  if (preset === 'off') return byPreset

  const matching = rules.rules
    .filter((rule) => matches(rule, call, now))
    .sort((one, other) => weightOf(other) - weightOf(one))
  const never = matching.find(({ decision }) => decision === 'never')
  if (never) return byRule(never)

  const unknown = unknownOf(call, rules)
  if (unknown && byPreset.decision !== 'never') return { decision: 'ask', because: { by: 'unknown', what: unknown } }
  const [rule] = matching
  return rule && !unknown ? byRule(rule) : byPreset
}

/** An undeclared tool may change something. */
const effectOf = ({ tool }: RuledCall): Effect => tool?.effect ?? 'write'

/** A member that a record has itself: an id may be the name of something that every object inherits. */
export function ownOf<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record && Object.hasOwn(record, key) ? record[key] : undefined
}

/** Whether a rule is not over and is about this call. */
function matches(rule: Rule, call: RuledCall, now: number): boolean {
  const { subject, decision, effect, until, chat, when } = rule
  if (until !== undefined && now >= until) return false
  if (chat !== undefined && chat !== call.chat) return false
  if (!isAbout(rule, call.account)) return false
  if (effect !== undefined && effect !== effectOf(call)) return false
  // No yes to something destructive is remembered beyond its chat.
  if (decision === 'allow' && chat === undefined && effectOf(call) === 'destructive') return false
  if (subject !== '*' && 'effect' in subject && subject.effect !== effectOf(call)) return false
  if (subject !== '*' && 'tool' in subject) {
    if (subject.tool !== call.tool?.name) return false
    if (decision !== 'never' && subject.version !== call.tool.version) return false
  }
  // What cannot be compared is no yes, but may be what the person wanted to be asked about or to forbid.
  return when === undefined || (holds(when, call.args) ?? decision !== 'allow')
}

/** Whether a rule is about an account, whatever is done with it. */
export function isAbout({ of, reach }: Rule, { id, provider }: { id: string; provider: string }): boolean {
  if ('account' in of) return of.account === id
  if (of.provider !== provider || !reach) return of.provider === provider
  return 'only' in reach ? reach.only.includes(id) : !reach.except.includes(id)
}

/** How specific a rule is, and among equals how strict. */
function weightOf({ subject, of, when, decision }: Rule): number {
  const kind = subject === '*' ? 0 : 'effect' in subject ? 1 : 2
  const account = 'account' in of ? 1 : 0
  return ((kind * 2 + account) * 2 + (when ? 1 : 0)) * 3 + STRICTNESS[decision]
}

/**
 * What the person has not seen of a tool. They have seen the versions that they made a rule for, save a `never`, which
 * holds for every version and so says nothing of one. A rule for other versions alone means that they have not seen this.
 */
function unknownOf({ tool }: RuledCall, { rules, seen }: AgentRules): 'tool' | 'version' | undefined {
  if (!tool) return 'tool'
  const ruled = rules.flatMap(({ subject, decision }) =>
    subject !== '*' && 'tool' in subject && subject.tool === tool.name && decision !== 'never' ? [subject.version] : [],
  )
  const versions = [...(ownOf(seen, tool.name) ?? []), ...ruled]
  if (versions.includes(tool.version)) return undefined
  if (versions.length > 0) return 'version'
  return tool.found && 'tool'
}
