import { LatchkeyError } from '@latchkey/core'
import type { AgentRequest, Answer, Lease } from '@latchkey/core/agents'
import { isObject, parseObject, type Rule, rulesOf, type Verdict, withAgent } from '@latchkey/core/server'
import type { AccountRow } from '../stores/store.ts'
import type { AuditEvent } from '../vault/audit.ts'
import { canonicalJson } from '../vault/tenant-digest.ts'
import { randomId } from './ledger.ts'
import {
  type HeldFacts,
  heldRow,
  type Question,
  refuse,
  type StoredRequest,
  type Turn,
  verdictOf,
  withRule,
  wordOf,
} from './turn.ts'

const MINUTES = 60_000
const HOURS = 60 * MINUTES
/** Milliseconds that a request waits, and as long again its answer is remembered. */
const WAITS = 24 * HOURS
/** Milliseconds that a yes holds. */
const HOLDS = 10 * MINUTES
/** Milliseconds ahead of now that a lease may end. */
export const LONGEST_LEASE = 24 * HOURS
/** Requests of a person that are kept. A store has room for twice as many. */
const MOST = 500
const MAX_REASON = 500
/** Of an id that a runtime or a model made up. */
const MAX_ID = 256

/** Another one after a reconnect, and of another person. */
export function generationOf({ facts }: AccountRow): string {
  const { generation, connectedAt, issuer, subject } = parseObject(facts) ?? {}
  return JSON.stringify([generation ?? null, connectedAt, issuer, subject ?? null])
}

/** Why a call is denied that nobody answered. */
export const NO_ANSWER = 'no answer in time'
/** Why a call is denied that the rules forbid since its person was asked. */
export const NOT_ALLOWED_NOW = 'not allowed any more'

const isOver = ({ shown }: StoredRequest, now: number) => shown.state === 'waiting' && now >= shown.expiresAt

/** The arguments that its person changed, of all that they said yes to. Undefined if they changed none. */
function changesOf({ shown, edited }: Pick<StoredRequest, 'shown' | 'edited'>): Record<string, unknown> | undefined {
  if (!edited) return undefined
  const asked = isObject(shown.args) ? shown.args : {}
  const differs = (name: string) =>
    !Object.hasOwn(asked, name) || canonicalJson(edited[name]) !== canonicalJson(asked[name])
  return Object.fromEntries(Object.entries(edited).filter(([name]) => differs(name)))
}

/** Which arguments its person changed, as the log says it: their names, which the app declares. */
export function editedOf(stored: Pick<StoredRequest, 'shown' | 'edited'>): Pick<AuditEvent, 'edited'> {
  const changed = changesOf(stored)
  return changed ? { edited: Object.keys(changed).join(', ') } : {}
}

/** A request as its person sees it now. */
export function shownAt(stored: StoredRequest, now: number): AgentRequest {
  const { reason } = stored
  const changed = changesOf(stored)
  const shown = { ...stored.shown, ...(changed && { edited: changed }) }
  if (isOver(stored, now)) return { ...shown, state: 'denied', reason: NO_ANSWER }
  return shown.state === 'denied' && reason !== undefined ? { ...shown, reason } : shown
}

/** What a request is worth to its call now. */
export function stateOf(stored: StoredRequest, now: number): 'waiting' | 'denied' | 'approved' | 'over' | 'void' {
  const { shown, answeredAt = 0, used } = stored
  if (isOver(stored, now)) return 'over'
  if (shown.state !== 'approved') return shown.state
  return used || now >= answeredAt + HOLDS ? 'void' : 'approved'
}

/** A call that is asked about. */
export interface Asked extends Question {
  tool?: AgentRequest['tool']
  /** Key in the ledger. */
  id: string
  row: AccountRow
  facts?: HeldFacts | undefined
  verdict: Verdict
  mayHaveHappened: boolean
  toolCallId?: string | undefined
}

const UNDECLARED: AgentRequest['tool'] = { name: '', title: 'Unknown tool', effect: 'write', version: '' }

/** Writes a new request down. */
export async function ask(turn: Turn, asked: Asked): Promise<AgentRequest> {
  const { documents, now } = turn
  if ((await documents.count('request')) >= MOST) await makeRoom(turn)
  const { id: call, row, facts, verdict, agents, tool = UNDECLARED, args, chat, mayHaveHappened, toolCallId } = asked
  const { name, title, effect, version, edit } = tool
  const shown: AgentRequest = {
    id: randomId(),
    agent: agents[0],
    account: row.account,
    provider: row.provider,
    tool: { name, title, effect, version, ...(edit && { edit }) },
    args,
    createdAt: now,
    expiresAt: now + WAITS,
    state: 'waiting',
    because: verdict.because,
    leases: leasesFor(turn, asked),
    ...(mayHaveHappened && { mayHaveHappened }),
    ...(toolCallId !== undefined && toolCallId.length <= MAX_ID && { toolCallId }),
  }
  const about = { ...(facts && { facts }), ...(chat !== undefined && { chat }) }
  await write(turn, { shown, agents, generation: generationOf(row), call, ...about })
  await turn.record({ ...eventOf(shown), action: 'ask', outcome: 'denied', decision: 'ask', rule: wordOf(verdict) })
  turn.asked.push(shown)
  return shown
}

const eventOf = ({ id, agent, account, provider, tool }: AgentRequest) => ({
  ...{ request: id, agent, account, provider, tool: tool.name, effect: tool.effect },
})

/** Takes a yes back that was not used, or a request that waits. */
export const annul = (turn: Turn, stored: StoredRequest, reason: string): Promise<void> =>
  write(turn, { ...stored, shown: { ...stored.shown, state: 'denied' }, said: reason, reason })

/** Writes a request over what is stored of it. */
export const write = ({ documents }: Turn, stored: StoredRequest): Promise<void> =>
  documents.write('request', stored.shown.id, stored, stored.shown.createdAt + 2 * WAITS)

/** Forgets requests that are of no use any more. @throws LatchkeyError if all of them wait. */
async function makeRoom({ documents, now }: Turn): Promise<void> {
  const all = await documents.all('request')
  const useless = all.filter((stored) => !['waiting', 'approved'].includes(stateOf(stored, now)))
  for (const { shown } of useless) await documents.remove('request', shown.id)
  if (useless.length > 0) return
  const message = 'Too many calls wait for this person. Answer some of them first.'
  throw new LatchkeyError('temporarily_unavailable', message, { next: 'wait' })
}

const leaseRule = (id: string, row: { account: string }, tool: Omit<AgentRequest['tool'], 'title'>): Rule => ({
  ...{ id, of: { account: row.account }, subject: { tool: tool.name, version: tool.version } },
  ...{ decision: 'allow', effect: tool.effect },
})

/** Leases that would let the same call through: none against a parent's rule, or a rule that is more specific. */
function leasesFor(turn: Turn, { row, tool, ...question }: Asked): AgentRequest['leases'] {
  if (!tool || question.verdict.decision === 'allow') return ['once']
  const [agent] = question.agents
  const letsThrough = (limits: Partial<Rule>) => {
    const rule = { ...leaseRule('new', row, tool), ...limits }
    const rules = withAgent(turn.rules, agent, (old) => ({ rules: withRule(old.rules, rule) }))
    return verdictOf({ rules, now: turn.now }, row, { ...question, tool }).decision === 'allow'
  }
  return [
    'once',
    ...(question.chat !== undefined && letsThrough({ chat: question.chat }) ? (['chat'] as const) : []),
    ...(letsThrough({ until: turn.now + HOURS }) ? (['hour'] as const) : []),
    ...(letsThrough({}) ? (['always'] as const) : []),
  ]
}

/** Which of the offered leases this is. @throws LatchkeyError `invalid_request` for one that is not offered. */
function leaseWord(lease: unknown, offered: AgentRequest['leases'], now: number): AgentRequest['leases'][number] {
  const until = isObject(lease) ? lease.until : undefined
  const isTimely = typeof until === 'number' && until > now && until <= now + LONGEST_LEASE
  const word = isTimely ? 'hour' : offered.find((one) => one === lease && one !== 'hour')
  if (word === undefined || !offered.includes(word)) throw refuse('This answer cannot be kept for that long.')
  return word
}

/** The arguments with those that the person changed; undefined if that changes nothing. */
function edited({ args, tool }: AgentRequest, changed: unknown): Record<string, unknown> | undefined {
  if (changed === undefined) return undefined
  if (!isObject(changed) || !isObject(args) || Object.keys(changed).some((name) => !tool.edit?.includes(name))) {
    throw refuse('These arguments cannot be changed.')
  }
  const all = canonicalJson({ ...args, ...changed })
  return all === undefined || all === canonicalJson(args) ? undefined : parseObject(all)
}

/** Words of a person as one line of text. */
const lineOf = (text: string) =>
  text
    .replace(/[\s\p{C}]+/gu, ' ')
    .slice(0, MAX_REASON)
    .toWellFormed()
    .trim()

/** An answer that may have come from anywhere, with what it says: two with the same words are the same answer. */
function readAnswer({ answer, lease = 'once', args, reason }: Answer) {
  const isAnswer = (answer === 'yes' || answer === 'no') && ['string', 'undefined'].includes(typeof reason)
  if (!isAnswer) throw refuse('An answer is yes or no.')
  // Every click has an end of its own.
  const kind = isObject(lease) ? 'hour' : lease
  const said = answer === 'no' ? answer : JSON.stringify([answer, kind, canonicalJson(args) ?? null])
  return { answer, lease, args, said, ...(reason && { reason: lineOf(reason) }) }
}

/** Of the account that a request is about. Undefined if it was connected again since, or is gone. */
async function rowOf(turn: Turn, { shown, generation, facts }: StoredRequest): Promise<AccountRow | undefined> {
  const row = facts ? heldRow(turn.owner, shown.account, facts) : await turn.account(shown.account)
  return row && generationOf(row) === generation ? row : undefined
}

function ruledBy(turn: Pick<Turn, 'rules' | 'now'>, row: AccountRow, stored: StoredRequest, args: unknown): Verdict {
  const { shown, agents, chat } = stored
  const tool = shown.tool.name === UNDECLARED.name ? undefined : shown.tool
  return verdictOf(turn, row, { agents, args, ...(tool && { tool }), ...(chat !== undefined && { chat }) })
}

/** Whether the person's own rules forbid what a request asks for. A pause or a stop may be over before its answer. */
export async function forbids(turn: Turn, stored: StoredRequest): Promise<boolean> {
  const row = await rowOf(turn, stored)
  const verdict = row && ruledBy(turn, row, stored, stored.shown.args)
  return verdict?.decision === 'never' && ['preset', 'rule'].includes(verdict.because.by)
}

/** Why a yes is of no use now, by the rules for what would be done. */
async function checkYes(turn: Turn, stored: StoredRequest, args: unknown): Promise<void> {
  const row = await rowOf(turn, stored)
  if (!row) throw refuse('The account was connected again since. If the call is still wanted, it is asked again.')
  if (ruledBy(turn, row, stored, args).decision === 'never') {
    throw refuse('Your rules forbid this. Change them first.')
  }
}

/** A yes, and what it would let through. */
export interface Yes {
  lease: Lease
  /** Changed arguments, all of them. */
  changed: Record<string, unknown> | undefined
  /** The arguments as they will be sent. */
  args: unknown
}

/** Whether a request can be answered now. @throws LatchkeyError `invalid_request` if not. */
function checkOpen({ now, rules }: Turn, stored: StoredRequest): void {
  if (rules.stopped.everything !== undefined) throw refuse('Everything is stopped. Start it again first.')
  if (stored.shown.state !== 'waiting') throw refuse('This was answered already.')
  if (isOver(stored, now))
    throw refuse('This was not answered in time. If the call is still wanted, it is asked again.')
}

/** Reads a yes, with all that can be said against it. @throws LatchkeyError `invalid_request` if it cannot be given now. */
export async function yesOf(turn: Turn, stored: StoredRequest, given: Answer): Promise<Yes> {
  const { answer, lease, args } = readAnswer(given)
  const { shown } = stored
  checkOpen(turn, stored)
  if (answer !== 'yes') throw refuse('Only a yes needs proof.')
  const changed = edited(shown, args)
  const word = leaseWord(lease, shown.leases, turn.now)
  if (changed && word !== 'once') throw refuse('A changed call is allowed once.')
  await checkYes(turn, stored, changed ?? shown.args)
  return { lease, changed, args: changed ?? shown.args }
}

/**
 * Takes a person's answer to a request of theirs. Undefined for a yes that is not confirmed: the request goes on waiting.
 *
 * @throws LatchkeyError `invalid_request` if it cannot be given now.
 */
export async function answer(
  turn: Turn,
  stored: StoredRequest,
  given: Answer,
  isConfirmed: (yes: Yes) => boolean,
): Promise<StoredRequest | undefined> {
  const { shown } = stored
  const { answer, said, reason } = readAnswer(given)
  if (shown.state !== 'waiting' && said === stored.said && turn.rules.stopped.everything === undefined) return stored
  checkOpen(turn, stored)
  const yes = answer === 'yes' ? await yesOf(turn, stored, given) : undefined
  if (yes && !isConfirmed(yes)) {
    await turn.record({ ...eventOf(shown), action: 'answer', outcome: 'failed', reason: 'not_confirmed' })
    return undefined
  }
  const about = { answeredAt: turn.now, said }
  const next: StoredRequest = yes
    ? { ...(await approved(turn, stored, yes)), ...about }
    : { ...stored, ...about, shown: { ...shown, state: 'denied' }, ...(reason && { reason }) }
  await write(turn, next)
  const outcome = yes ? 'allowed' : 'denied'
  const rule = next.rule === undefined ? undefined : `rule:${next.rule}`
  const holds = yes && (rule ? holdsFor(limitsOf(yes.lease, stored.chat)) : { lease: 'once' as const })
  await turn.record({
    ...eventOf(shown),
    action: 'answer',
    outcome,
    ...editedOf(next),
    ...(rule && { rule }),
    ...holds,
  })
  return next
}

/** A request with a yes, whose lease is written. */
async function approved(turn: Turn, stored: StoredRequest, { lease, changed }: Yes) {
  const { shown, chat } = stored
  const rule = lease === 'once' ? undefined : { ...leaseRule(randomId(), shown, shown.tool), ...limitsOf(lease, chat) }
  await learn(turn, stored, rule)
  return {
    ...stored,
    shown: { ...shown, state: 'approved' as const },
    ...(changed && { edited: changed }),
    ...(rule && { rule: rule.id }),
  }
}

/** How long a yes or a no holds, as the log says it. */
export function holdsFor({ chat, until }: Pick<Rule, 'chat' | 'until'>): Pick<AuditEvent, 'lease' | 'until'> {
  if (until !== undefined) return { until: new Date(until).toISOString() }
  return { lease: chat === undefined ? 'always' : 'chat' }
}

/** What a rule is about, as the log says it. */
export const aboutRule = ({ of, subject, decision }: Rule): Partial<AuditEvent> => ({
  ...of,
  ...(typeof subject === 'object' && ('tool' in subject ? { tool: subject.tool } : { effect: subject.effect })),
  decision,
})

function limitsOf(lease: Lease, chat: string | undefined): Pick<Rule, 'chat' | 'until'> {
  if (typeof lease === 'object') return { until: lease.until }
  return lease === 'chat' && chat !== undefined ? { chat } : {}
}

/** Writes what a yes teaches: its lease, and that the person has seen this version of the tool. */
async function learn(turn: Turn, { shown, agents }: StoredRequest, rule: Rule | undefined): Promise<void> {
  const { name, version } = shown.tool
  let { rules } = turn
  if (rule) rules = withAgent(rules, agents[0], (old) => ({ rules: withRule(old.rules, rule) }))
  if (name !== UNDECLARED.name) for (const agent of agents) rules = withSeen(rules, agent, name, version)
  if (rules !== turn.rules) await turn.write(rules)
}

/** The rules, with a version seen. */
export function withSeen(rules: Turn['rules'], agent: string, tool: string, version: string): Turn['rules'] {
  const { seen = {} } = rulesOf(rules, agent)
  const versions = (Object.hasOwn(seen, tool) && seen[tool]) || []
  if (versions.includes(version)) return rules
  return withAgent(rules, agent, () => ({ seen: { ...seen, [tool]: [...versions, version] } }))
}
