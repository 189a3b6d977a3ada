import type {
  AgentRequest,
  Answer,
  Because,
  PersonRules,
  RuleChange,
  StopReceipt,
  StopTarget,
} from '@latchkey/core/agents'
import type { Verdict } from '@latchkey/core/server'
import type { Owner, VaultStore } from '../stores/store.ts'
import { absent } from '../vault/accounts.ts'
import type { AuditEvent } from '../vault/audit.ts'
import type { Opened } from '../vault/documents.ts'
import type { KeyProvider } from '../vault/keys.ts'
import { canonicalJson, createTenantDigests, type TenantDigest } from '../vault/tenant-digest.ts'
import { change, resume, stop } from './changes.ts'
import { begin, finish, forget, keyOf, randomId } from './ledger.ts'
import { type Asked, annul, answer, ask, generationOf, shownAt, stateOf, write } from './requests.ts'
import type { JudgedTool } from './tools.ts'
import {
  type Entry,
  type HeldFacts,
  heldRow,
  type StoredRequest,
  type Turn,
  turnOf,
  verdictOf,
  wordOf,
} from './turn.ts'

/** One call of a tool, before it is made. */
export interface JudgedCall {
  owner: Owner
  /** Agent ids: the agent itself, then its parent, and so on. */
  agents: readonly [string, ...string[]]
  /** Account id. */
  account: string
  /** Of an account that is not in the vault. A reconnect as somebody else makes another generation. */
  facts?: HeldFacts | undefined
  /** Absent: the tool is not declared. */
  tool?: JudgedTool | undefined
  args?: unknown
  /** The person's turn: the id of their message, kept when the answer is regenerated. Without it each call is a run of its own. */
  run?: string | undefined
  chat?: string | undefined
  /** Which of equal calls of this run it is. @default 1 */
  nth?: number | undefined
  /** Host that the secret will be sent to, for the audit log. */
  host?: string | undefined
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

/** What {@link createOverseer} is made with. */
export interface OverseerOptions {
  store: Pick<VaultStore, 'asPerson'>
  /** Seals requests and the ledger, as it seals secrets. */
  keys: KeyProvider
}

export function createOverseer({ store, keys }: OverseerOptions): Overseer {
  const digests = createTenantDigests(store, keys)
  const asPerson = <T>(owner: Owner, work: (turn: Turn) => Promise<T>) =>
    store.asPerson(owner, Date.now(), (rows) => work(turnOf(rows, owner, keys)))

  return {
    async judge(given) {
      // What is digested is what is judged: the tool may get the same values in other clothes, such as dates.
      const text = canonicalJson(given.args)
      const args: unknown = text === undefined ? undefined : JSON.parse(text)
      const call = { ...given, args, run: given.run ?? NO_RUN }
      const digest = await digests(given.owner.tenant)
      const ruling = await asPerson(given.owner, (turn) => judge(turn, call, digest))
      if (!ruling) throw absent(given.account)
      return ruling.word === 'allowed' && ruling.args === args ? { ...ruling, args: given.args } : ruling
    },
    done: (owner, ticket, result) => asPerson(owner, (turn) => finish(turn, ticket, result)),
    unsent: (owner, ticket) => asPerson(owner, (turn) => forget(turn, ticket)),
    requests: (owner) =>
      asPerson(owner, async ({ documents, now }) =>
        (await documents.all('request'))
          .map((stored) => shownAt(stored, now))
          .filter(({ state }) => state === 'waiting')
          .sort((a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id)),
      ),
    request: (owner, id) =>
      asPerson(owner, async ({ documents, now }) => {
        const stored = await documents.read('request', id)
        return stored && shownAt(stored.content, now)
      }),
    answer: (owner, id, given) =>
      asPerson(owner, async (turn) => {
        const stored = await turn.documents.read('request', id)
        return stored && shownAt(await answer(turn, stored.content, given), turn.now)
      }),
    rules: (owner) => asPerson(owner, async ({ rules }) => rules),
    change: (owner, given) => asPerson(owner, (turn) => change(turn, given)),
    stop: (owner, target) => asPerson(owner, (turn) => stop(turn, target)),
    resume: (owner, target) => asPerson(owner, (turn) => resume(turn, target)),
  }
}

/** The run of calls that belong to no turn. */
const NO_RUN = ''

/** A call under way through {@link judge}, with what is stored of it. */
interface Case extends Omit<Asked, 'mayHaveHappened'> {
  call: JudgedCall & { run: string }
  digest: TenantDigest
  entry: Opened<Entry> | undefined
  /** A try was begun, and its end is unknown. It may be one under other rules, when the call could be made unasked. */
  hasBegun: boolean
}

/** Undefined if there is no such account. */
async function judge(turn: Turn, call: Case['call'], digest: TenantDigest): Promise<Ruling | undefined> {
  const { account, facts, host, tool, args, agents } = call
  const row = facts ? heldRow(call.owner, account, facts) : await turn.account(account)
  if (!row) {
    const event = { account, host, tool: tool?.name, agent: agents[0], outcome: 'denied' } as const
    await turn.record({ ...event, action: 'deny', reason: 'login_required' })
    return undefined
  }
  const verdict = verdictOf(turn, row, call)
  const id = keyOf(call, digest(canonicalJson(args) ?? ''))
  const entry = await entryOf(turn, id, call)
  const hasBegun = entry?.content.state === 'begun'
  const it: Case = { ...call, call, digest, row, verdict, id, entry, hasBegun }
  if (verdict.decision === 'never') {
    // It would come to life again with the next change of the rules.
    const left = await requestOf(turn, it)
    if (left && stateOf(left, turn.now) === 'approved') await annul(turn, left, 'not allowed any more')
    return forbid(turn, it, verdict)
  }
  if (entry?.content.state === 'done') return doneBefore(entry.content)
  const stored = await requestOf(turn, it)
  const state = stored && stateOf(stored, turn.now)
  if (stored && state === 'approved') return take(turn, it, stored)
  if (stored && state === 'denied') return deny(turn, it, stored, 'denied')
  if (verdict.decision === 'allow' && !hasBegun) return allow(turn, it, stored)
  if (stored && state === 'over') return deny(turn, it, { ...stored, reason: 'no answer in time' }, 'timeout')
  return stored && state === 'waiting' ? { word: 'asking', request: stored.shown } : askAnew(turn, it, hasBegun)
}

/** Without a turn of the person each call is a new one: all that is known of it is that they were asked. */
async function entryOf({ documents }: Turn, id: string, { run }: Case['call']): Promise<Opened<Entry> | undefined> {
  const entry = await documents.read('call', id)
  if (!entry || run !== NO_RUN) return entry
  const { request } = entry.content
  return { ...entry, content: { state: 'asking', ...(request !== undefined && { request }) } }
}

const doneBefore = ({ result }: Entry): Ruling => ({ word: 'done', ...(result !== undefined && { result }) })

const eventOf = ({ call, row, verdict }: Case) => ({
  ...{ account: row.account, provider: row.provider, agent: call.agents[0], host: call.host },
  ...{ tool: call.tool?.name, effect: call.tool?.effect ?? 'write', decision: verdict.decision, rule: wordOf(verdict) },
})

async function forbid(turn: Turn, it: Case, verdict: Verdict): Promise<Ruling> {
  const reason = turn.isUnreadable ? 'rules_unreadable' : 'access_denied'
  await turn.record({ ...eventOf({ ...it, verdict }), action: 'deny', outcome: 'denied', reason })
  return { word: 'never', because: verdict.because }
}

async function deny(turn: Turn, it: Case, { shown, reason }: StoredRequest, code: string): Promise<Ruling> {
  const event: AuditEvent = { ...eventOf(it), action: 'deny', outcome: 'denied', reason: code, request: shown.id }
  await turn.record(event)
  return { word: 'denied', request: shown.id, ...(reason !== undefined && { reason }) }
}

/** The request about this call. One about the account before a reconnect is forgotten: nobody may answer it any more. */
async function requestOf({ documents }: Turn, { entry, row }: Case): Promise<StoredRequest | undefined> {
  const id = entry?.content.request
  const stored = id === undefined ? undefined : (await documents.read('request', id))?.content
  if (!stored || stored.generation === generationOf(row)) return stored
  await documents.remove('request', stored.shown.id)
  return undefined
}

async function askAnew(turn: Turn, it: Case, mayHaveHappened: boolean): Promise<Ruling> {
  const request = await ask(turn, { ...it, mayHaveHappened })
  const { state, ...known } = it.entry?.content ?? { state: 'asking' }
  // As long as the request itself is remembered.
  const end = request.expiresAt + (request.expiresAt - request.createdAt)
  await turn.documents.write('call', it.id, { ...known, state, request: request.id }, end)
  return { word: 'asking', request }
}

/** Allows a call that the rules allow. If its person was asked before that, they need not answer any more. */
async function allow(turn: Turn, it: Case, stored: StoredRequest | undefined): Promise<Ruling> {
  if (stored && stateOf(stored, turn.now) === 'waiting')
    await write(turn, { ...stored, shown: { ...stored.shown, state: 'approved' }, used: true })
  return start(turn, it, [it.id], false, it.args)
}

/** Uses a yes up. */
async function take(turn: Turn, it: Case, stored: StoredRequest): Promise<Ruling> {
  const { shown, edited } = stored
  const isAgain = shown.mayHaveHappened === true
  if (!edited) {
    await write(turn, { ...stored, used: true })
    return start(turn, it, [it.id], isAgain, it.args, shown.id)
  }
  // The rules may say something else of what the person wrote.
  const verdict = verdictOf(turn, it.row, { ...it.call, args: edited })
  if (verdict.decision === 'never') return forbid(turn, it, verdict)
  await write(turn, { ...stored, used: true })
  const twin = keyOf(it.call, it.digest(canonicalJson(edited) ?? ''))
  const before = (await turn.documents.read('call', twin))?.content.state ?? 'asking'
  // What they made of it was sent already, as another call.
  if (before !== 'asking' && !isAgain) return askAnew(turn, it, true)
  return start(turn, it, [it.id, twin], isAgain, edited, shown.id)
}

/** Writes a call down as begun. A read is not: it may be made again, each time as the rules say. */
async function start(
  turn: Turn,
  it: Case,
  ids: readonly [string, string?],
  isAgain: boolean,
  args: unknown,
  request?: string,
): Promise<Ruling> {
  const isRead = it.call.tool?.effect === 'read' && !it.hasBegun
  const ticket = isRead ? randomId() : await begin(turn, ids, isAgain)
  await turn.record({ ...eventOf(it), action: 'use', outcome: 'allowed', ...(request !== undefined && { request }) })
  return { word: 'allowed', ticket, because: it.verdict.because, args }
}
