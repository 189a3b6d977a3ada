import { isObject } from '../json.ts'
import type { AgentRules, Because, Conditions, Decision, Effect, Preset } from './rules.ts'

/** A tool that an agent may call, as the app declares it. */
export interface AgentTool {
  /** `{provider}/{name}`, unique. */
  name: string
  title: string
  provider: string
  effect: Effect
  /** Digest of title, description, effect, scopes and input schema. */
  version: string
  scopes?: readonly string[]
  /** Arguments that the person may change before saying yes. */
  edit?: readonly string[]
}

/** An agent, as the app declares it. */
export interface Agent {
  id: string
  name: string
  /** The agent that started it. It never has more than its parent. */
  parent?: string
  /** Ids of the providers whose accounts it may be given at all. Absent: all. */
  providers?: readonly string[]
  tools: readonly AgentTool[]
}

/** How long a yes holds. `{ until }` is in milliseconds since the epoch. */
export type Lease = 'once' | 'chat' | { until: number } | 'always'

/** A call that waits for its person. */
export interface AgentRequest {
  id: string
  /** Agent id. */
  agent: string
  account: string
  provider: string
  tool: { name: string; title: string; effect: Effect; version: string; edit?: readonly string[] }
  args: unknown
  /** Milliseconds since the epoch. */
  createdAt: number
  expiresAt: number
  /** `waiting`, or how it was answered. */
  state: 'waiting' | 'approved' | 'denied'
  because: Because
  /** The leases that the person may choose. `hour` stands for an `{ until }`. */
  leases: readonly ('once' | 'chat' | 'hour' | 'always')[]
  /** An earlier try was begun and its end is unknown: the call may have happened already. */
  mayHaveHappened?: true
  /** The runtime's id of the call, if it has one. A model made it up, so it says where the card belongs and nothing else. */
  toolCallId?: string
  /** Why it was denied, for the model: in the person's words, or that there was no answer in time. */
  reason?: string
  /** It was denied without an answer: the person's rules forbid it since they were asked. */
  withdrawn?: true
  /** Arguments that the person changed, as they said yes to them. `args` are those that were asked for. */
  edited?: Readonly<Record<string, unknown>>
  /** Whether a yes needs proof that the person is there: always, or maybe if they change arguments. Absent: it does not. */
  presence?: 'needed' | 'if-changed'
}

/** A person's answer to a request. */
export interface Answer {
  answer: 'yes' | 'no'
  /** @default 'once' */
  lease?: Lease
  /** Changed arguments, of those that `edit` names. */
  args?: Readonly<Record<string, unknown>>
  /** Why not, for the model. */
  reason?: string
  /** What the person's passkey answered to {@link Oversight.challenge}: an `AuthenticationResponseJSON` of WebAuthn. */
  proof?: object
}

/** What a person is asked before a yes counts. */
export type PresenceChallenge =
  /** To use a passkey: a `PublicKeyCredentialRequestOptionsJSON` of WebAuthn. */
  | { presence: 'asked'; options: object }
  /** They have none in this app yet. */
  | { presence: 'not-enrolled' }
  | { presence: 'not-needed' }

/** The rules of one person. */
export interface PersonRules {
  /** By agent id. An agent without an entry asks before changes. */
  agents: Readonly<Record<string, AgentRules>>
  stopped: StopMarks
}

/** What the person has stopped, each with when, in milliseconds since the epoch. */
export interface StopMarks {
  everything?: number
  agents: Readonly<Record<string, number>>
  accounts: Readonly<Record<string, number>>
}

/** What to stop or to start again. */
export type StopTarget = { agent: string } | { account: string } | { everything: true }

/** What a stop did. */
export interface StopReceipt {
  /** Requests that were waiting, and are denied now. */
  denied: number
  /** Leases that were ended. */
  ended: number
  /** Calls that were under way, and are aborted. A write among them may have happened. */
  aborted: readonly { agent: string; account: string; tool: string; effect: Effect }[]
}

/** One use of an account, or what the person said of agents, as the audit log has it. */
export interface Activity {
  seq: number
  /** ISO 8601, UTC. */
  at: string
  agent?: string
  tool?: string
  provider?: string
  account?: string
  /** What the tool calls, as the app declares it: `/repos/{owner}/{repo}/issues`. */
  route?: string
  /** Where the secret was sent to: an origin. */
  host?: string
  effect?: Effect
  decision?: Decision
  /**
   * What decided: `preset:trusted`, `rule:` and the id of a rule, `stopped:agent`, `unknown:tool`, … Rules are those of the
   * agent, or of one above it. A rule may be over since.
   */
  rule?: string
  /** Id of the request that this is about: what its person was asked, or what they said yes to. It is kept for two days. */
  request?: string
  /** Names of the arguments that the person changed before they said yes: `title, body`. The log has no values. */
  edited?: string
  /** What the person chose for an agent and an account. */
  preset?: Preset
  /** How long what the person said holds. `ended`: from then on it did not. */
  lease?: 'once' | 'chat' | 'always' | 'ended'
  /** When that ends by itself. ISO 8601, UTC. */
  until?: string
  /** `allowed`: it was made. `denied`: it was not. `failed`: it was tried. */
  outcome: 'allowed' | 'denied' | 'failed'
  /**
   * A code: why it was denied or failed. `http_404` and its like: what the API answered. `cancelled`: the person stopped it.
   * `cut`: they stopped it while it was under way. After `cut` and `unknown` it may have happened.
   */
  reason?: string
  /** `end`: how the `use` of the same id ended, where that was not well. {@link withEndings} makes one of both. */
  action: string
  /** Id of a use. */
  use?: string
}

/** Whether the log is as it was written: that of everybody, since each entry holds the digest of the one before. */
export interface LogVerdict {
  /** Whether nothing in it was changed, put in or taken out. */
  ok: boolean
  /** Entries of this person that are as they were written. If the log was changed: those before that. */
  entries: number
  /** When the first of them was written. ISO 8601, UTC. */
  since?: string
  /** When the last of them was written. ISO 8601, UTC. */
  until?: string
}

/** When an agent last called a tool with an account. */
export interface LastUse {
  account: string
  agent: string
  /** Absent for calls of no known tool. */
  tool?: string
  /** Milliseconds since the epoch. */
  at: number
}

/** What was last used when. */
export interface LastUses {
  /** The latest first. */
  uses: readonly LastUse[]
  /**
   * From when on every use is known, in milliseconds since the epoch. Absent: nothing was used, or more than the list has.
   */
  since?: number
}

/** What a person hears while they follow what agents do. */
export type ActivityNews =
  /** Something was done, or was not. */
  | { type: 'use'; use: Activity }
  /** What waits for their answer is not what it was. */
  | { type: 'requests' }
  /** From here on everything is heard. Unless `resumed`, what was before has to be asked for. */
  | { type: 'following'; resumed: boolean }
  /** The connection ended. It is tried again, and nothing is heard until it is `following`. */
  | { type: 'lost' }

/** A change of what an agent may do with an account or with all accounts of a provider. */
export type RuleChange =
  /**
   * A stricter preset ends the exceptions that reach further than it says. `off` ends none: it is a pause, and a preset after it is
   * stricter or not by what stood before it.
   */
  | { agent: string; of: { account: string } | { provider: string }; preset: Preset }
  | { agent: string; end: string }
  | {
      agent: string
      of: { account: string } | { provider: string }
      tool: string
      /** The version that the person sees. @default the newest that they were asked about or have seen */
      version?: string
      /** What that version does. @default as they were asked about it */
      effect?: Effect
      decision: Decision
      when?: Conditions
      /** When it ends, in milliseconds since the epoch: at most 24 hours from now. @default when the person ends it */
      until?: number
    }

/** What a person sees and says of agents. Errors are LatchkeyErrors. */
export interface Oversight {
  agents(): Promise<readonly Agent[]>
  rules(): Promise<PersonRules>
  change(change: RuleChange): Promise<PersonRules>
  /** What waits, the oldest first. */
  requests(): Promise<readonly AgentRequest[]>
  /** @throws LatchkeyError `access_denied` if it is not this person's. */
  request(id: string): Promise<AgentRequest>
  answer(id: string, answer: Answer): Promise<AgentRequest>
  /** Asks how to prove that the person is there, for this answer alone. It goes out once, within two minutes. */
  challenge(id: string, answer: Answer): Promise<PresenceChallenge>
  stop(target: StopTarget): Promise<StopReceipt>
  resume(target: StopTarget): Promise<PersonRules>
  /** Newest first. `next` is the cursor of the next page. */
  activity(options?: { before?: number; limit?: number; agent?: string; account?: string }): Promise<{
    uses: readonly Activity[]
    next?: number
  }>
  /**
   * Checks the log from its first entry to its last. It may take some seconds. Absent: there is no log that can be checked.
   *
   * @throws LatchkeyError `temporarily_unavailable` while another check of this person runs.
   */
  verify?(options?: { signal?: AbortSignal }): Promise<LogVerdict>
  /** Absent: it is not known. */
  lastUses?(): Promise<LastUses>
  /**
   * Follows what agents do until the signal is aborted. A connection that ends is made again, and misses nothing. Absent:
   * the only way is to ask again and again.
   */
  follow?(listener: (news: ActivityNews) => void, signal: AbortSignal): void
}

/**
 * What a tool answers whose person is asked first: enough to say so, and nothing that answers it. A page finds the request by
 * its id, which opens for its person alone.
 */
export interface ApprovalNotice {
  type: 'approval_required'
  /** Id of the {@link AgentRequest}. */
  request: string
  agent: string
  provider: string
  accountId: string
  toolName: string
  message: string
  toolCallId?: string
}

/** Reads a notice out of what a tool or a model wrote. Null for anything else. */
export function readApprovalNotice(value: unknown): ApprovalNotice | null {
  if (!isObject(value) || value.type !== 'approval_required') return null
  const { request, agent, provider, accountId, toolName, message, toolCallId } = value
  const texts = [request, agent, provider, accountId, toolName, message].map((one) => (isText(one) ? one : undefined))
  const [id, ...rest] = texts
  if (id === undefined || !/^[\w-]{22}$/.test(id) || rest.includes(undefined)) return null
  return {
    type: 'approval_required',
    request: id,
    ...({ agent, provider, accountId, toolName, message } as Omit<ApprovalNotice, 'type' | 'request'>),
    ...(isText(toolCallId) && { toolCallId }),
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 1024
