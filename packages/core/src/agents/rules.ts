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

/** A comparison of one argument. All of its members must hold. */
export interface Comparison {
  equals?: string | number | boolean
  in?: readonly (string | number)[]
  startsWith?: string
  endsWith?: string
  min?: number
  max?: number
}

/** Comparisons by argument name. All must hold. */
export type Conditions = Readonly<Record<string, Comparison>>

/** An exception to a preset, which a person made. */
export interface Rule {
  id: string
  of: { account: string } | { provider: string }
  /** A rule about a tool holds for the version that the person saw. A `never` holds for every version. */
  subject: { tool: string; version: string } | { effect: Effect } | '*'
  decision: Decision
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
  rules: readonly Rule[]
  /** Versions of tools that the person has seen, by tool name. Without it every declared version counts as seen. */
  seen?: Readonly<Record<string, readonly string[]>>
  /** The person stopped this agent. */
  stopped?: true
}

/** A call as rules see it. */
export interface RuledCall {
  account: { id: string; provider: string; paused?: boolean }
  /** Absent: the tool is not declared, so it counts as a `write` that nobody has seen. */
  tool?: { name: string; version: string; effect: Effect }
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
