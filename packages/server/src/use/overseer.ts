import type {
  AgentRequest,
  Answer,
  Because,
  PersonRules,
  RuleChange,
  StopReceipt,
  StopTarget,
} from '@latchkey/core/agents'
import type { Owner } from '../stores/store.ts'

/** A tool as rules see it, and as the card shows it. */
export interface JudgedTool {
  /** `{provider}/{name}` */
  name: string
  title: string
  effect: 'read' | 'write' | 'destructive'
  version: string
  edit?: readonly string[]
}

/** One call of a tool, before it is made. */
export interface JudgedCall {
  owner: Owner
  /** Agent ids: the agent itself, then its parent, and so on. */
  agents: readonly [string, ...string[]]
  /** Account id. */
  account: string
  /** Absent: the tool is not declared. */
  tool?: JudgedTool
  args?: unknown
  /** The person's turn: the id of their message, kept when the answer is regenerated. Without it each call is a run of its own. */
  run?: string
  chat?: string
  /** Which of equal calls of this run it is. @default 1 */
  nth?: number
  /** Host that the secret will be sent to, for the audit log. */
  host?: string
}

/** What becomes of a call. */
export type Ruling =
  /** It may be made now, once: it is written down as begun. */
  | { word: 'allowed'; ticket: string; because: Because; args: unknown }
  /** Its person is asked. */
  | { word: 'asking'; request: AgentRequest }
  /** Its person said no, or said nothing in time. */
  | { word: 'denied'; request: string; reason?: string }
  /** The rules forbid it. */
  | { word: 'never'; because: Because }
  /** It was made before, in this run. `result` is absent if it was too large to keep. */
  | { word: 'done'; result?: unknown }

/** Judges calls by a person's rules, asks the person, and remembers what was begun. */
export interface Overseer {
  /** Reads, decides and writes in one transaction of the store. */
  judge(call: JudgedCall): Promise<Ruling>
  /** Ends an allowed call. The result of a read is not kept. */
  done(owner: Owner, ticket: string, result?: unknown): Promise<void>
  /** An allowed call was not sent, so it may be made again. */
  unsent(owner: Owner, ticket: string): Promise<void>
  requests(owner: Owner): Promise<AgentRequest[]>
  request(owner: Owner, id: string): Promise<AgentRequest | undefined>
  /** @throws LatchkeyError `invalid_request` for an answer that the request does not allow. */
  answer(owner: Owner, id: string, answer: Answer): Promise<AgentRequest | undefined>
  rules(owner: Owner): Promise<PersonRules>
  change(owner: Owner, change: RuleChange): Promise<PersonRules>
  stop(owner: Owner, target: StopTarget): Promise<Omit<StopReceipt, 'aborted'>>
  resume(owner: Owner, target: StopTarget): Promise<PersonRules>
}
