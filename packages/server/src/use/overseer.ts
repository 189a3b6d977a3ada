import type { LatchkeyError } from '@latchkey/core'
import type {
  AgentRequest,
  Answer,
  Because,
  PersonRules,
  PresenceChallenge,
  RuleChange,
  StopReceipt,
  StopTarget,
} from '@latchkey/core/agents'
import type { Verdict } from '@latchkey/core/server'
import type { AccountRow, FirstReads, Owner, PersonRows, VaultStore } from '../stores/store.ts'
import { absent } from '../vault/accounts.ts'
import type { AuditEvent } from '../vault/audit.ts'
import type { Opened } from '../vault/documents.ts'
import type { KeyProvider } from '../vault/keys.ts'
import { canonicalJson, createTenantDigests, type TenantDigest } from '../vault/tenant-digest.ts'
import { change, resume, stop } from './changes.ts'
import { begin, finish, forget, keyOf, randomId, type UnderWay } from './ledger.ts'
import { challenge, isConfirmed, type PresenceHooks, take as takeChallenge, withPresence } from './presence.ts'
import {
  type Asked,
  annul,
  answer,
  ask,
  editedOf,
  generationOf,
  NO_ANSWER,
  NOT_ALLOWED_NOW,
  shownAt,
  stateOf,
  write,
} from './requests.ts'
import type { JudgedTool } from './tools.ts'
import {
  type Entry,
  type HeldFacts,
  heldRow,
  refuse,
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
  nth?: number | string | undefined
  /** The runtime's id of the call, for the page to find the request by. It gives no right. */
  toolCallId?: string | undefined
  /** Host that the secret will be sent to, for the audit log. */
  host?: string | undefined
  /** What stands before the rules, whatever they say: why an account of the vault is not used for this call. */
  refuse?: ((row: AccountRow) => LatchkeyError | undefined) | undefined
}

/** What becomes of a call. */
export type Ruling =
  /** It may be made now, once: it is written down as begun. `use` names it in the log. */
  | { word: 'allowed'; ticket: string; use: string; because: Because; args: unknown }
  /** Its person is asked. */
  | { word: 'asking'; request: AgentRequest }
  /** Its person said no, or said nothing in time. */
  | { word: 'denied'; request: string; reason?: string }
  /** The rules forbid it. */
  | { word: 'never'; because: Because }
  /** It was made before, in this run. `result` is absent if it was too large to keep. */
  | { word: 'done'; result?: unknown }

/** What would become of a call. */
export type Forecast = { word: 'allow' } | { word: 'done' } | Extract<Ruling, { word: 'asking' | 'denied' | 'never' }>

/** Judges calls by a person's rules, asks the person, and remembers what was begun. */
export interface Overseer {
  /**
   * Reads, decides and writes in one transaction of the store.
   *
   * @param underWay calls of this process. One that is among them is waited for, where its person would only be told that it
   *   may have happened.
   * @throws LatchkeyError what `call.refuse` says, and `login_required` if there is no such account.
   */
  judge(call: JudgedCall, underWay?: UnderWay): Promise<Ruling>
  /**
   * What {@link Overseer.judge} would answer now, without the call: nothing begins, and no yes is used. It asks the person as
   * `judge` does, and writes a refusal down, since the call ends with it. Undefined if there is no such account, or it is not
   * used for this call.
   */
  askAhead(call: JudgedCall, underWay?: UnderWay): Promise<Forecast | undefined>
  /** Ends an allowed call. The result of a read is not kept. */
  done(owner: Owner, ticket: string, result?: unknown): Promise<void>
  /** An allowed call was not sent, so it may be made again. */
  unsent(owner: Owner, ticket: string): Promise<void>
  requests(owner: Owner): Promise<AgentRequest[]>
  request(owner: Owner, id: string): Promise<AgentRequest | undefined>
  /** @throws LatchkeyError `invalid_request` for an answer that the request does not allow, and for one without its proof. */
  answer(owner: Owner, id: string, answer: Answer): Promise<AgentRequest | undefined>
  /** @throws LatchkeyError `invalid_request` for an answer that could not be given now. */
  challenge(owner: Owner, id: string, answer: Answer): Promise<PresenceChallenge | undefined>
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
  /** How a person proves that they are there. */
  confirm?: PresenceHooks | undefined
  /** Hears of each new request, once it is stored. */
  onAsked?: (owner: Owner, request: AgentRequest) => void
}

export function createOverseer({ store, keys, confirm, onAsked }: OverseerOptions): Overseer {
  const digests = createTenantDigests(store, keys)
  const asPerson = async <T>(
    owner: Owner,
    work: (turn: Turn) => Promise<T>,
    { underWay, reads }: { underWay?: UnderWay | undefined; reads?: FirstReads } = {},
  ) => {
    // A store may run the work again: what counts is what it wrote in the end.
    let turn: Turn | undefined
    const undone = () => {
      for (const ticket of turn?.begun ?? []) underWay?.end(ticket)
    }
    const act = (rows: PersonRows) => {
      undone()
      turn = turnOf(rows, owner, keys)
      return work(turn)
    }
    const result = await store.asPerson(owner, Date.now(), act, reads).catch((error) => {
      undone()
      throw error
    })
    for (const request of turn?.asked ?? []) onAsked?.(owner, request)
    return result
  }
  /** Works with a request of this person. Undefined if there is no such one. */
  const withRequest = <T>(owner: Owner, id: string, work: (turn: Turn, stored: StoredRequest) => Promise<T>) =>
    asPerson(owner, async (turn) => {
      const stored = await turn.documents.read('request', id)
      return stored && { did: await work(turn, stored.content) }
    })
  const seen = (stored: StoredRequest, now: number) => withPresence(shownAt(stored, now), confirm)

  /** The challenge of an answer, if its proof holds. No transaction waits for the app. */
  async function proven(owner: Owner, id: string, given: Answer) {
    if (!confirm || !given.proof) return undefined
    const taken = (await withRequest(owner, id, (turn, stored) => takeChallenge(turn, stored, given)))?.did
    return taken && (await confirm.verify(taken.call, given.proof)) ? taken : undefined
  }

  /** What is digested is what is judged: the tool may get the same values in other clothes, such as dates. */
  async function judged(given: JudgedCall, underWay: UnderWay | undefined): Promise<Judged> {
    const text = canonicalJson(given.args)
    const args = text === undefined ? undefined : JSON.parse(text)
    const call = { ...given, args, run: given.run ?? NO_RUN }
    const digest = await digests(given.owner.tenant)
    return { call, digest, id: keyOf(call, digest(text ?? '')), underWay }
  }
  /** Works with what is stored of a call, until it is not under way here. */
  const settled = <T extends { word: string } | undefined>(it: Judged, work: (turn: Turn) => Promise<T | Busy>) => {
    const { call, id, underWay } = it
    const reads = { ...(!call.facts && { account: call.account }), document: { kind: 'call', id } }
    return whenOver(() => asPerson(call.owner, work, { underWay, reads }))
  }

  return {
    async judge(given, underWay) {
      const it = await judged(given, underWay)
      const ruling = await settled(it, (turn) => judge(turn, it))
      if (ruling.word === 'refused') throw ruling.refused
      return ruling.word === 'allowed' && ruling.args === it.call.args ? { ...ruling, args: given.args } : ruling
    },
    async askAhead(given, underWay) {
      const it = await judged(given, underWay)
      return settled(it, async (turn) => {
        const found = await caseOf(turn, it)
        return 'refused' in found ? undefined : (await foresee(turn, found)).forecast
      })
    },
    async done(owner, ticket, result) {
      if (ticket === OF_READ) return
      await asPerson(owner, async (turn) => {
        for (const id of await finish(turn, ticket, result)) {
          await settle(turn, (await turn.documents.read('request', id))?.content)
        }
      })
    },
    async unsent(owner, ticket) {
      if (ticket !== OF_READ) await asPerson(owner, (turn) => forget(turn, ticket))
    },
    requests: (owner) =>
      asPerson(owner, async ({ documents, now }) =>
        (await documents.all('request'))
          .map((stored) => seen(stored, now))
          .filter(({ state }) => state === 'waiting')
          .sort((a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id)),
      ),
    request: async (owner, id) => (await withRequest(owner, id, async ({ now }, stored) => seen(stored, now)))?.did,
    async answer(owner, id, given) {
      const proof = await proven(owner, id, given)
      const answered = await withRequest(owner, id, async (turn, stored) => {
        const next = await answer(turn, stored, given, (yes) => isConfirmed(turn, stored, yes, confirm, proof))
        return next && seen(next, turn.now)
      })
      if (answered && !answered.did) throw refuse('This was not confirmed by you, so nothing was allowed. Try again.')
      return answered?.did
    },
    async challenge(owner, id, given) {
      const asked = await withRequest(owner, id, (turn, stored) => challenge(turn, stored, given, confirm))
      if (!asked?.did || !confirm) return asked && { presence: 'not-needed' }
      const options = await confirm.challenge(asked.did)
      return options ? { presence: 'asked', options } : { presence: 'not-enrolled' }
    },
    rules: (owner) => asPerson(owner, async ({ rules }) => rules),
    change: (owner, given) => asPerson(owner, (turn) => change(turn, given)),
    stop: (owner, target) => asPerson(owner, (turn) => stop(turn, target)),
    resume: (owner, target) => asPerson(owner, (turn) => resume(turn, target)),
  }
}

/** Ticket of a read, which is not written down. */
const OF_READ = ''

/** The run of calls that belong to no turn. */
const NO_RUN = ''

/** A call, before anything is read of it. */
interface Judged {
  call: JudgedCall & { run: string }
  digest: TenantDigest
  /** Its key in the ledger. */
  id: string
  underWay: UnderWay | undefined
}

/** A call under way through {@link judge}, with what is stored of it. */
interface Case extends Omit<Asked, 'mayHaveHappened'>, Judged {
  entry: Opened<Entry> | undefined
  /** A try was begun, and its end is unknown. It may be one under other rules, when the call could be made unasked. */
  hasBegun: boolean
}

/** The same call is under way here. */
interface Busy {
  word: 'busy'
  ended: Promise<void>
}

/** Waits while the same call is under way here: its person would be told that it may have happened, and so it does. */
async function whenOver<T extends { word: string } | undefined>(act: () => Promise<T | Busy>): Promise<T> {
  for (;;) {
    const found = await act()
    if (!found || !('ended' in found)) return found as T
    await found.ended
  }
}

/** An error if the account is not used at all. */
async function caseOf(
  turn: Turn,
  given: Judged,
): Promise<Case | { refused: LatchkeyError; provider?: string | undefined }> {
  const { call, id } = given
  const { account, facts } = call
  const reading = facts ? heldRow(call.owner, account, facts) : turn.account(account)
  const [row, entry] = await Promise.all([reading, entryOf(turn, id, call)])
  if (!row) return { refused: absent(account) }
  const refused = call.refuse?.(row)
  if (refused) return { refused, provider: row.provider }
  const verdict = verdictOf(turn, row, call)
  const hasBegun = entry?.content.state === 'begun'
  return { ...call, ...given, row, verdict, entry, hasBegun }
}

/** An error if the account is not used at all. */
async function judge(turn: Turn, given: Judged): Promise<Ruling | Busy | { word: 'refused'; refused: LatchkeyError }> {
  const it = await caseOf(turn, given)
  if ('refused' in it) {
    const { account, host, tool, agents } = given.call
    const { refused, provider } = it
    const about = { tool: tool?.name, effect: tool?.effect, route: tool?.route }
    const event = { account, provider, host, ...about, agent: agents[0] }
    await turn.record({ ...event, action: 'deny', outcome: 'denied', reason: refused.code })
    return { word: 'refused', refused }
  }
  const { forecast, stored } = await foresee(turn, it)
  if (forecast.word === 'done') return doneBefore(it.entry?.content)
  if (forecast.word !== 'allow') return forecast
  return stored && stateOf(stored, turn.now) === 'approved' ? take(turn, it, stored) : allow(turn, it, stored)
}

/** Decides, and asks the person where they must be asked. Neither begins the call nor uses a yes up. */
async function foresee(
  turn: Turn,
  it: Case,
): Promise<{ forecast: Forecast | Busy; stored?: StoredRequest | undefined }> {
  const { verdict, entry, hasBegun, underWay } = it
  const stored = await requestOf(turn, it)
  const state = stored && stateOf(stored, turn.now)
  if (verdict.decision === 'never') {
    // It would come to life again with the next change of the rules.
    if (stored && state === 'approved') await annul(turn, stored, NOT_ALLOWED_NOW)
    return { forecast: await forbid(turn, it, verdict) }
  }
  if (entry?.content.state === 'done') return { forecast: { word: 'done' } }
  if (state === 'approved') return { forecast: { word: 'allow' }, stored }
  if (stored && state === 'denied') return { forecast: await deny(turn, it, stored, 'denied') }
  if (verdict.decision === 'allow' && !hasBegun) return { forecast: { word: 'allow' }, stored }
  if (stored && state === 'over') {
    return { forecast: await deny(turn, it, { ...stored, reason: NO_ANSWER }, 'timeout') }
  }
  const ended = state === 'waiting' ? undefined : underWay?.endOf(entry?.content)
  if (ended) return { forecast: { word: 'busy', ended } }
  const request = stored && state === 'waiting' ? stored.shown : await askAnew(turn, it, hasBegun)
  return { forecast: { word: 'asking', request } }
}

/** Without a turn of the person each call is a new one: all that is known of it is that they were asked. */
async function entryOf({ documents }: Turn, id: string, { run }: Case['call']): Promise<Opened<Entry> | undefined> {
  const entry = await documents.read('call', id)
  if (!entry || run !== NO_RUN) return entry
  const { request } = entry.content
  return { ...entry, content: { state: 'asking', ...(request !== undefined && { request }) } }
}

const doneBefore = ({ result }: Partial<Entry> = {}): Ruling => ({
  word: 'done',
  ...(result !== undefined && { result }),
})

const eventOf = ({ call, row, verdict }: Case) => ({
  ...{ account: row.account, provider: row.provider, agent: call.agents[0], host: call.host },
  ...{ tool: call.tool?.name, effect: call.tool?.effect ?? 'write', route: call.tool?.route },
  ...{ decision: verdict.decision, rule: wordOf(verdict) },
})

async function forbid(turn: Turn, it: Case, verdict: Verdict): Promise<Extract<Forecast, { word: 'never' }>> {
  const reason = turn.isUnreadable ? 'rules_unreadable' : 'access_denied'
  await turn.record({ ...eventOf({ ...it, verdict }), action: 'deny', outcome: 'denied', reason })
  return { word: 'never', because: verdict.because }
}

async function deny(
  turn: Turn,
  it: Case,
  { shown, reason }: StoredRequest,
  code: string,
): Promise<Extract<Forecast, { word: 'denied' }>> {
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

async function askAnew(turn: Turn, it: Case, mayHaveHappened: boolean): Promise<AgentRequest> {
  const request = await ask(turn, { ...it, mayHaveHappened })
  const { state, ...known } = it.entry?.content ?? { state: 'asking' }
  // As long as the request itself is remembered.
  const end = request.expiresAt + (request.expiresAt - request.createdAt)
  await turn.documents.write('call', it.id, { ...known, state, request: request.id }, end)
  return request
}

/** A request that nobody needs to answer any more: its call is made. */
async function settle(turn: Turn, stored: StoredRequest | undefined): Promise<void> {
  if (stored && stateOf(stored, turn.now) === 'waiting')
    await write(turn, { ...stored, shown: { ...stored.shown, state: 'approved' }, used: true })
}

/** Allows a call that the rules allow. */
async function allow(turn: Turn, it: Case, stored: StoredRequest | undefined): Promise<Ruling> {
  await settle(turn, stored)
  return start(turn, it, [it.id], false, it.args)
}

/** Uses a yes up. */
async function take(turn: Turn, it: Case, stored: StoredRequest): Promise<Ruling> {
  const { shown, edited } = stored
  const isAgain = shown.mayHaveHappened === true
  if (!edited) {
    await write(turn, { ...stored, used: true })
    return start(turn, it, [it.id], isAgain, it.args, { request: shown.id })
  }
  // The rules may say something else of what the person wrote.
  const verdict = verdictOf(turn, it.row, { ...it.call, args: edited })
  if (verdict.decision === 'never') return forbid(turn, it, verdict)
  await write(turn, { ...stored, used: true })
  const twin = keyOf(it.call, it.digest(canonicalJson(edited) ?? ''))
  const before = (await turn.documents.read('call', twin))?.content.state ?? 'asking'
  // What they made of it was sent already, as another call.
  if (before !== 'asking' && !isAgain) return { word: 'asking', request: await askAnew(turn, it, true) }
  return start(turn, it, [it.id, twin], isAgain, edited, { request: shown.id, ...editedOf(stored) })
}

/** Writes a call down as begun. A read is not: it may be made again, each time as the rules say. */
async function start(
  turn: Turn,
  it: Case,
  ids: readonly [string, string?],
  isAgain: boolean,
  args: unknown,
  yes: Pick<AuditEvent, 'request' | 'edited'> = {},
): Promise<Ruling> {
  const isRead = it.call.tool?.effect === 'read' && !it.hasBegun
  const ticket = isRead ? OF_READ : await begin(turn, ids, isAgain)
  if (!isRead) {
    // Before anybody can find it begun. If the transaction is undone, so is this.
    turn.begun.push(ticket)
    it.underWay?.begin(ticket)
  }
  const use = randomId()
  const event: AuditEvent = { ...eventOf(it), action: 'use', outcome: 'allowed', use }
  await turn.record({ ...event, ...yes })
  return { word: 'allowed', ticket, use, because: it.verdict.because, args }
}
