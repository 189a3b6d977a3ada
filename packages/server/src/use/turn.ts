import { LatchkeyError } from '@latchkey/core'
import type { AgentRequest, PersonRules } from '@latchkey/core/agents'
import {
  type AgentLine,
  parseObject,
  type Rule,
  type RuledCall,
  readPersonRules,
  type Verdict,
  verdictFor,
} from '@latchkey/core/server'
import type { AccountRow, Owner, PersonRows } from '../stores/store.ts'
import { type AuditEvent, auditEntry, auditHash } from '../vault/audit.ts'
import { type Documents, documentsOf } from '../vault/documents.ts'
import type { KeyProvider } from '../vault/keys.ts'

/** A request as it is stored: what the card shows, and what the yes is bound to. */
export interface StoredRequest {
  shown: AgentRequest
  agents: readonly [string, ...string[]]
  /** The account's generation and person. */
  generation: string
  /** Of an account that is not in the vault. */
  facts?: HeldFacts
  /** Key of the call in the ledger. */
  call: string
  chat?: string
  answeredAt?: number
  /** What was answered, to know the same answer again. */
  said?: string
  /** Why not, in the person's words or in ours. */
  reason?: string
  /** Changed arguments, all of them. */
  edited?: Record<string, unknown>
  /** Id of the lease that was made with it. */
  rule?: string
  /** The yes was taken. */
  used?: true
}

/** What is known of an account that a page sent. */
export interface HeldFacts {
  provider: string
  generation: string
}

/** An account that a page sent, in the form of a row. */
export const heldRow = (owner: Owner, account: string, { provider, generation }: HeldFacts): AccountRow => ({
  ...owner,
  ...{ provider, account, facts: JSON.stringify({ generation }), sealed: new Uint8Array(), kid: '', rev: 0 },
})

/** What is known of one call, by its key. */
export interface Entry {
  /** `asking`: it was never begun. */
  state: 'asking' | 'begun' | 'done'
  /** The request about it, if its person was asked. */
  request?: string
  /** Names the try that was begun. */
  ticket?: string
  /** It was begun before, with an unknown end: not to be sent this time says nothing of that. */
  again?: true
  /** The same call under its other digest, if its person edited it. */
  twin?: string
  result?: unknown
}

/** What a person was asked, to prove that they are there. Its id is that of the request. */
export interface Challenge {
  /** In base64url. */
  nonce: string
  challenge: string
}

/** What is kept of a person beside their rules. */
export interface Kinds {
  request: StoredRequest
  call: Entry
  challenge: Challenge
}

/** One transaction of a person, with what they said so far. */
export interface Turn {
  readonly now: number
  readonly owner: Owner
  readonly rules: PersonRules
  /** Their rules could not be read, so everything counts as stopped. */
  readonly isUnreadable: boolean
  readonly documents: Documents<Kinds>
  /** What the person was asked in it. */
  readonly asked: AgentRequest[]
  /** Tickets of the calls that it wrote down as begun. */
  readonly begun: string[]
  account(id: string): Promise<AccountRow | undefined>
  record(event: AuditEvent): Promise<void>
  /**
   * Writes the rules, without the leases that are over.
   *
   * @throws LatchkeyError `invalid_request` for rules that could not be read again, and `storage_unavailable` if those that
   *   are stored cannot be: a `never` among them would be lost.
   */
  write(rules: PersonRules): Promise<PersonRules>
}

/** @throws LatchkeyError `invalid_request`, for what a person asks for. */
export const refuse = (message: string, next: 'none' | 'wait' = 'none') =>
  new LatchkeyError('invalid_request', message, { next })

const NOTHING: PersonRules = { agents: {}, stopped: { agents: {}, accounts: {} } }

export function turnOf(rows: PersonRows, owner: Owner, keys: KeyProvider): Turn {
  const { now } = rows
  const stored = rows.rules === undefined ? NOTHING : readPersonRules(parseObject(rows.rules))
  return {
    now,
    owner,
    rules: stored ?? { ...NOTHING, stopped: { ...NOTHING.stopped, everything: now } },
    isUnreadable: stored === undefined,
    documents: documentsOf(rows, owner, keys),
    asked: [],
    begun: [],
    account: (id) => rows.account(id),
    record: (event) => rows.appendAudit([auditEntry(owner.user, now, event)], auditHash),
    async write(rules) {
      if (!stored) {
        const message = 'The rules of this person cannot be read, so nothing is allowed. Restore them from a backup.'
        throw new LatchkeyError('storage_unavailable', message, { next: 'configure' })
      }
      const agents = Object.entries(rules.agents).map(([id, agent]) => [
        id,
        { ...agent, rules: agent.rules.filter(({ until }) => until === undefined || until > now) },
      ])
      const text = JSON.stringify({ ...rules, agents: Object.fromEntries(agents) })
      const written = readPersonRules(parseObject(text))
      if (!written) throw refuse('This is no rule that can be kept, or there are too many.')
      await rows.putRules(text)
      return written
    },
  }
}

/** What a decision is about. */
export interface Question {
  agents: AgentLine
  tool?: NonNullable<RuledCall['tool']>
  args?: unknown
  chat?: string
}

/** What a person's rules say at this moment. */
export function verdictOf(
  { rules, now }: Pick<Turn, 'rules' | 'now'>,
  { provider, account: id, facts }: AccountRow,
  { agents, tool, args, chat }: Question,
): Verdict {
  const account = { id, provider, paused: parseObject(facts)?.status === 'paused' }
  return verdictFor(rules, agents, { account, tool, args, chat }, now)
}

/** What decided, in a word of the audit log. */
export function wordOf({ because }: Verdict): string {
  if (because.by === 'rule') return `rule:${because.rule.id}`
  if (because.by === 'preset') return `preset:${because.preset}`
  return because.by === 'paused' ? because.by : `${because.by}:${because.what}`
}

/** Whether a rule is a yes for some time. */
export const isLease = ({ until, chat }: Rule): boolean => until !== undefined || chat !== undefined

/** Leases for chats that an agent keeps. They have no end, so the oldest are given up. */
const CHATS = 100

/** What a rule is about, whatever it says, and for which version. */
const matterOf = ({ of, subject, when }: Rule) =>
  JSON.stringify([of, typeof subject === 'object' && 'tool' in subject ? subject.tool : subject, when])

/** The rules with one more. It replaces those about the very same calls: the stricter of two would win. */
export function withRule(rules: readonly Rule[], rule: Rule): Rule[] {
  const kept = rules.filter((old) => isLease(rule) || isLease(old) || matterOf(old) !== matterOf(rule))
  const chats = kept.filter(({ chat }) => chat !== undefined)
  const oldest = chats.length >= CHATS ? chats[0] : undefined
  return [...kept.filter((old) => old !== oldest), rule]
}
