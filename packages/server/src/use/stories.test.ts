// Any story of a person and their agents, told against a model of what the person allowed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AgentRules, Decision, Lease, PersonRules, Preset, StopTarget } from '@latchkey/core/agents'
import { decide, presetFor } from '@latchkey/core/server'
import { startPostgres } from '@latchkey/sandbox/postgres'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { memoryStore } from '../stores/memory.ts'
import { postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { VaultStore } from '../stores/store.ts'
import { localKeys } from '../vault/keys.ts'
import { createOverseer, type JudgedCall, type Overseer, type Ruling } from './overseer.ts'
import type { JudgedTool } from './tools.ts'

const keys = localKeys(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64'))
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const START = Date.UTC(2026, 0, 1)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Two processes over one store. */
type Stores = readonly [VaultStore, VaultStore]

const AGENTS = [['scout'], ['chief'], ['scout', 'chief']] as const
const TOOLS = ['read', 'write', 'destructive', 'found', 'unknown'] as const
const call = fc.record({
  agents: fc.constantFrom(...AGENTS),
  account: fc.constantFrom('acme.1', 'acme.1', 'acme.2'),
  tool: fc.constantFrom<(typeof TOOLS)[number]>(...TOOLS, 'write', 'write', 'write'),
  version: fc.constantFrom('v1', 'v1', 'v2'),
  subject: fc.constantFrom('a', 'b'),
  run: fc.constantFrom('r1', 'r2'),
  chat: fc.constantFrom('c1', 'c2', undefined),
  nth: fc.constantFrom(undefined, undefined, undefined, 2),
})
const act = <Name extends string>(...names: Name[]) => fc.constantFrom(...names)
/** `later`: it is under way until a later step ends it, if one does. */
const end = fc.constantFrom('done', 'unsent', 'later', 'later')
const edits = ['edit a', 'edit b', 'edit c'] as const
const how = fc.constantFrom<Lease | 'no' | (typeof edits)[number]>(
  ...(['once', 'once', 'once', 'chat', 'always', { until: MINUTE }, 'no'] as const),
  ...edits,
)
const agent = fc.constantFrom('scout', 'chief')
const of = fc.constantFrom({ provider: 'acme' }, { account: 'acme.1' }, { account: 'acme.2' })
const preset = fc.constantFrom<Preset>('trusted', 'trusted', 'ask-before-changes', 'read-only', 'off')
const target = fc.constantFrom<StopTarget>(
  ...[{ agent: 'scout' }, { agent: 'chief' }, { account: 'acme.1' }, { everything: true as const }],
)
const account = fc.constantFrom('acme.1', 'acme.2')
const steps = fc.oneof(
  { arbitrary: fc.record({ act: act('call'), call, end }), weight: 4 },
  // The same again, by one process or by both at once.
  { arbitrary: fc.record({ act: act('again', 'again', 'twice'), ago: fc.nat(2), end }), weight: 8 },
  { arbitrary: fc.record({ act: act('ahead'), ago: fc.nat(2) }), weight: 6 },
  { arbitrary: fc.record({ act: act('end'), at: fc.nat(2), how: act('done', 'unsent') }), weight: 2 },
  { arbitrary: fc.record({ act: act('answer'), at: fc.nat(3), how }), weight: 7 },
  fc.record({ act: act('preset'), agent, of, preset }),
  fc.record({
    ...{ act: act('rule'), agent, of, tool: act('write', 'destructive', 'read'), version: act('v1', 'v2') },
    decision: fc.constantFrom<Decision>('allow', 'ask', 'never'),
    equals: act('a', 'b', ''),
  }),
  fc.record({ act: act('end of a rule'), agent, at: fc.nat(3) }),
  fc.record({ act: act('stop', 'resume', 'resume'), target }),
  fc.record({ act: act('reconnect', 'other person', 'refresh', 'pause', 'disconnect'), account }),
  fc.record({ act: act('time'), by: fc.constantFrom(1, MINUTE, 9 * MINUTE, 11 * MINUTE, -5 * MINUTE, DAY) }),
)
/** Each step is one transaction, of either process: so these are all ways in which two of them interleave. */
const story = fc.array(fc.record({ step: steps, by: fc.nat(1) }), { minLength: 20, maxLength: 40, size: 'max' })
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never

/** What the rules say now, by the same rules as everywhere, of what the overseer tells of them. */
function said(rules: PersonRules, { agents, account, tool, args, chat }: JudgedCall, paused: boolean, now: number) {
  const ofAgent = (agent: string): AgentRules => ({
    ...{ accounts: {}, providers: {}, rules: [], ...rules.agents[agent] },
    ...(rules.stopped.agents[agent] !== undefined && { stopped: true }),
  })
  const { everything, accounts } = rules.stopped
  const what = accounts[account] === undefined ? undefined : ('account' as const)
  const stopped = everything === undefined ? what : ('everything' as const)
  const ruled = { account: { id: account, provider: 'acme', paused }, args, ...(tool && { tool }) }
  const [first, ...more] = agents
  const given = { ...ruled, ...(chat !== undefined && { chat }), ...(stopped && { stopped }) } as const
  return decide(given, [ofAgent(first), ...more.map(ofAgent)], now)
}

function toolOf(name: (typeof TOOLS)[number], version: string): JudgedTool | undefined {
  if (name === 'unknown') return undefined
  const effect = name === 'found' ? 'write' : name
  const found = name === 'found' && { found: true as const }
  return { name: `acme/${name}`, title: name, effect, version, edit: ['subject'], ...found }
}

const nameOf = ({ agents, account, tool, args, run, nth = 1 }: JudgedCall, values = args) =>
  JSON.stringify([agents, account, tool?.name, tool?.version, values, run, nth])

/** A write that may have been made: not to be made again without a yes that knows of it. */
interface Begun {
  ticket: string
  at: number
}

const NO_RULES: AgentRules = { accounts: {}, providers: {}, rules: [] }
const STRICTNESS: Decision[] = ['allow', 'ask', 'never']
const BY_FREEDOM: Preset[] = ['off', 'read-only', 'ask-before-changes', 'trusted']

let people = 0

/** Tells a story of one person, and holds every ruling against what they said. */
function teller(stores: Stores, counted: Set<string>) {
  people += 1
  const owner = { tenant: 'one', user: `ada${people}` }
  const processes = stores.map((store) => createOverseer({ store, keys })) as [Overseer, Overseer]
  const [first] = processes
  const revs = new Map<string, number>()
  const facts = new Map<string, { generation: number; status: string; subject: string }>()
  /** Of accounts that are disconnected. */
  const generations = new Map<string, number>()
  const calls: JudgedCall[] = []
  /** What requests are about. */
  const requests = new Map<string, JudgedCall>()
  /** Yeses that were given, by the call that they are for, until they are used or end. */
  const yeses = new Map<string, { at: number; isAware: boolean; call: JudgedCall; args: unknown }>()
  const begun = new Map<string, Begun>()
  const underWay: { ticket: string; names: string[]; isFirst: boolean }[] = []
  /** The clock of the store: it never goes back. */
  let now = START

  /** Writes an account as a connect or a refresh does. */
  async function put(account: string, change: Partial<{ generation: number; status: string; subject: string }>) {
    const told = { generation: 1, status: 'connected', subject: '1815', ...facts.get(account), ...change }
    const rev = (revs.get(account) ?? 0) + 1
    const row = { ...owner, provider: 'acme', account, sealed: new Uint8Array(1), kid: 'k1', rev }
    const isThere = facts.has(account)
    const stored = JSON.stringify({ ...told, connectedAt: START, issuedAt: now })
    expect(await stores[0].put({ ...row, facts: stored }, isThere ? rev - 1 : undefined)).toBe(true)
    revs.set(account, rev)
    facts.set(account, told)
  }

  async function endOf({ ticket, names, isFirst }: (typeof underWay)[number], how: string, by: Overseer) {
    if (how === 'done') return by.done(owner, ticket, 'result')
    await by.unsent(owner, ticket)
    // Of a call that was made again, the first try may have been sent.
    if (isFirst) for (const name of names) if (begun.get(name)?.ticket === ticket) begun.delete(name)
  }

  /** Judges a call, by all of these processes at once. */
  async function judged(given: JudgedCall, end: string, by: readonly Overseer[]) {
    now = Math.max(now, Date.now())
    const rules = await first.rules(owner)
    const asked = Promise.all(by.map((one) => one.judge(given)))
    if (!facts.has(given.account)) {
      await expect(asked).rejects.toMatchObject({ code: 'login_required' })
      counted.add('not connected')
      return
    }
    const rulings = await asked
    // One of them was first: the one that is let through, if any is.
    rulings.sort((one, other) => Number(other.word === 'allowed') - Number(one.word === 'allowed'))
    for (const ruling of rulings) {
      const underWayNow = check(given, ruling, rules)
      if (underWayNow && (end === 'later' || by.length > 1)) underWay.unshift(underWayNow)
      else if (underWayNow) await endOf(underWayNow, end, first)
    }
  }

  function check(given: JudgedCall, ruling: Ruling, rules: PersonRules) {
    const isPaused = facts.get(given.account)?.status === 'paused'
    const verdict = said(rules, given, isPaused, now)
    const name = nameOf(given)
    counted.add(ruling.word)
    if (verdict.decision === 'never') {
      expect(ruling.word).toBe('never')
      yeses.delete(name)
    }
    if (ruling.word === 'asking') {
      expect(verdict.decision === 'ask' || ruling.request.mayHaveHappened).toBe(true)
      requests.set(ruling.request.id, given)
      yeses.delete(name)
    }
    if (ruling.word !== 'allowed') return
    expect(said(rules, { ...given, args: ruling.args }, isPaused, now).decision).not.toBe('never')
    const yes = yeses.get(name)
    const isGood = yes !== undefined && now < yes.at + 10 * MINUTE
    if (verdict.decision === 'ask') expect({ name, isGood }).toEqual({ name, isGood: true })
    expect(ruling.args).toEqual(isGood ? yes.args : given.args)
    yeses.delete(name)
    if (verdict.decision === 'ask') counted.add('allowed by a yes')
    if (yes?.isAware) counted.add('allowed again')
    if (given.tool?.effect === 'read') return
    // The ledger promises a day.
    for (const [each, { at }] of begun) if (now >= at + DAY) begun.delete(each)
    const names = [...new Set([name, nameOf(given, ruling.args)])]
    const before = names.filter((each) => begun.has(each))
    if (before.length > 0) expect({ before, isAware: isGood && yes.isAware }).toEqual({ before, isAware: true })
    if (names.length > 1) counted.add('allowed as it was changed')
    const { ticket } = ruling
    for (const each of names) begun.set(each, { ticket, at: now })
    return { ticket, names, isFirst: before.length === 0 }
  }

  /** What is said ahead is what the rules say, and changes nothing of what a later ruling may be. */
  async function foreseen(given: JudgedCall, by: Overseer) {
    now = Math.max(now, Date.now())
    const forecast = await by.askAhead(given)
    expect(forecast === undefined).toBe(!facts.has(given.account))
    if (!forecast) return
    const { decision } = said(await first.rules(owner), given, facts.get(given.account)?.status === 'paused', now)
    const name = nameOf(given)
    counted.add(`ahead: ${forecast.word}`)
    expect(forecast.word === 'never').toBe(decision === 'never')
    if (forecast.word === 'never' || forecast.word === 'asking') yeses.delete(name)
    if (forecast.word === 'asking') requests.set(forecast.request.id, given)
    const yes = yeses.get(name)
    if (forecast.word === 'allow') expect(decision === 'allow' || (yes && now < yes.at + 10 * MINUTE)).toBe(true)
  }

  async function answered({ at, how }: Extract<Step, { act: 'answer' }>, by: Overseer) {
    const waiting = await by.requests(owner)
    const { id = '', mayHaveHappened = false } = waiting[at % Math.max(1, waiting.length)] ?? {}
    const mine = requests.get(id)
    if (!mine) return
    now = Math.max(now, Date.now())
    const edit = edits.find((one) => one === how)?.at(-1)
    const lease: Lease =
      edit || how === 'no' ? 'once' : typeof how === 'object' ? { until: now + MINUTE } : (how as Lease)
    const changed = edit === undefined ? {} : { args: { subject: edit } }
    const given = { answer: how === 'no' ? 'no' : 'yes', lease, ...changed } as const
    const request = await by.answer(owner, id, given).catch(() => undefined)
    if (request?.state !== 'approved') return
    counted.add(typeof how === 'object' ? 'yes for a time' : `yes ${how}`)
    const args = { ...(mine.args as object), ...changed.args }
    yeses.set(nameOf(mine), { at: now, isAware: mayHaveHappened, call: mine, args })
  }

  /** A stricter preset is what it says: no exception from before it allows more, and nothing is looser than it was. */
  async function preferred({ agent, of, preset }: Extract<Step, { act: 'preset' }>, by: Overseer) {
    now = Math.max(now, Date.now())
    const [before, after] = [await by.rules(owner), await by.change(owner, { agent, of, preset })]
    const rules = after.agents[agent] ?? NO_RULES
    for (const account of facts.keys()) {
      const at = { id: account, provider: 'acme' }
      const old = before.agents[agent] ?? NO_RULES
      const isReached = 'account' in of ? of.account === account : !Object.hasOwn(old.accounts, account)
      const stood = isReached ? presetFor(old, at) : 'off'
      if (stood === 'off' || BY_FREEDOM.indexOf(preset) >= BY_FREEDOM.indexOf(stood)) continue
      for (const name of TOOLS) {
        const args = { subject: 'a', to: 'x' }
        const given = { owner, agents: [agent], account, tool: toolOf(name, 'v1'), args, chat: 'c1' } as const
        const [was, is] = [said(before, given, false, now), said(after, given, false, now)]
        const { rules: _, ...bare } = rules
        const alone = said({ ...after, agents: { [agent]: { ...bare, rules: [] } } }, given, false, now)
        const least = Math.max(STRICTNESS.indexOf(was.decision), STRICTNESS.indexOf(alone.decision))
        expect(STRICTNESS.indexOf(is.decision)).toBeGreaterThanOrEqual(least)
        if (was.because.by === 'rule' && is.because.by === 'preset') counted.add('an exception ended with its preset')
      }
    }
  }

  /** The yeses to some calls end. */
  const finish = (isOver: (call: JudgedCall) => boolean) => {
    for (const [name, yes] of yeses) if (isOver(yes.call)) yeses.delete(name)
  }

  async function connect({ act, account }: Extract<Step, { account: string }>) {
    const old = facts.get(account)
    if (act === 'disconnect') {
      await stores[1].remove(owner, account)
      if (old) generations.set(account, old.generation)
      facts.delete(account)
      return
    }
    if (old && act === 'refresh') return put(account, {})
    if (old && act === 'pause') return put(account, { status: old.status === 'paused' ? 'connected' : 'paused' })
    finish((call) => call.account === account)
    const generation = (old?.generation ?? generations.get(account) ?? 0) + 1
    // Each says enough: another generation, and another person.
    if (old && act === 'other person')
      return put(account, { status: 'connected', subject: `${generation}${old.subject}` })
    return put(account, { status: 'connected', generation })
  }
  return async (taken: Step, at: number) => {
    const by = processes[at] ?? first
    switch (taken.act) {
      case 'call': {
        const { subject, tool: name, version, agents, account, run, chat, nth } = taken.call
        const tool = toolOf(name, version)
        const made = { owner, agents, account, run, chat, nth, tool, args: { subject, to: 'x' } }
        calls.push(made)
        return judged(made, taken.end, [by])
      }
      case 'again':
      case 'twice': {
        const made = calls.at(-1 - taken.ago)
        return made && judged(made, taken.end, taken.act === 'twice' ? processes : [by])
      }
      case 'ahead': {
        const made = calls.at(-1 - taken.ago)
        return made && foreseen(made, by)
      }
      case 'end': {
        const [ended] = underWay.splice(taken.at, 1)
        return ended && endOf(ended, taken.how, by)
      }
      case 'answer':
        return answered(taken, by)
      case 'preset':
        return preferred(taken, by)
      case 'rule': {
        const { agent, of, tool, version, decision, equals } = taken
        const when = equals && { when: { subject: { equals } } }
        return by.change(owner, { agent, of, tool: `acme/${tool}`, version, decision, ...when })
      }
      case 'end of a rule': {
        const rules = (await by.rules(owner)).agents[taken.agent]?.rules ?? []
        const { id = '' } = rules[taken.at] ?? {}
        return by.change(owner, { agent: taken.agent, end: id })
      }
      case 'stop':
        finish((each) => isStopped(taken.target, each))
        return by.stop(owner, taken.target)
      case 'resume':
        return by.resume(owner, taken.target)
      case 'time':
        return vi.setSystemTime(Date.now() + taken.by)
      default:
        return connect(taken)
    }
  }
}

const isStopped = (target: StopTarget, { agents, account }: JudgedCall) =>
  'everything' in target ||
  ('agent' in target ? agents.some((one) => one === target.agent) : target.account === account)

async function tell(steps: readonly { step: Step; by: number }[], stores: Stores, counted: Set<string>) {
  vi.setSystemTime(START)
  const take = teller(stores, counted)
  for (const account of ['acme.1', 'acme.2'] as const) await take({ act: 'reconnect', account }, 0)
  for (const { step, by } of steps) await take(step, by)
}

const BASE = { agents: AGENTS[0], account: 'acme.1', version: 'v1', subject: 'a', run: 'r1' } as const
const WRITE = { ...BASE, tool: 'write', chat: undefined, nth: undefined } as const
const ACCOUNT = { account: 'acme.1' } as const
/**
 * Chance seldom tells of these: a write that is begun, asked about, and made again; one that is changed, into another one
 * or into what a new rule forbids; and a yes that was forbidden meanwhile.
 */
const TOLD: Step[][] = [
  [
    { act: 'preset', agent: 'scout', of: { provider: 'acme' }, preset: 'trusted' },
    { act: 'call', call: WRITE, end: 'later' },
    { act: 'again', ago: 0, end: 'done' },
    { act: 'answer', at: 0, how: 'once' },
    { act: 'twice', ago: 0, end: 'done' },
    { act: 'end', at: 1, how: 'unsent' },
    { act: 'end', at: 0, how: 'done' },
    { act: 'again', ago: 0, end: 'done' },
  ],
  [
    { act: 'call', call: WRITE, end: 'done' },
    { act: 'answer', at: 0, how: 'edit c' },
    { act: 'twice', ago: 0, end: 'done' },
    { act: 'time', by: DAY },
    { act: 'call', call: { ...WRITE, chat: 'c1' }, end: 'done' },
    { act: 'answer', at: 0, how: 'chat' },
    { act: 'disconnect', account: 'acme.1' },
    { act: 'again', ago: 0, end: 'done' },
  ],
  [
    { act: 'call', call: WRITE, end: 'done' },
    { act: 'answer', at: 0, how: 'edit b' },
    { act: 'again', ago: 0, end: 'later' },
    { act: 'call', call: { ...WRITE, subject: 'b' }, end: 'done' },
    { act: 'answer', at: 0, how: 'once' },
    { act: 'again', ago: 0, end: 'done' },
  ],
  [
    { act: 'call', call: { ...WRITE, subject: 'b' }, end: 'done' },
    { act: 'answer', at: 0, how: 'edit a' },
    { act: 'rule', agent: 'scout', of: ACCOUNT, tool: 'write', version: 'v1', decision: 'never', equals: 'a' },
    { act: 'again', ago: 0, end: 'done' },
  ],
  [
    { act: 'call', call: WRITE, end: 'done' },
    { act: 'answer', at: 0, how: 'once' },
    { act: 'preset', agent: 'scout', of: { provider: 'acme' }, preset: 'read-only' },
    { act: 'again', ago: 0, end: 'done' },
    { act: 'preset', agent: 'scout', of: { provider: 'acme' }, preset: 'ask-before-changes' },
    { act: 'again', ago: 0, end: 'done' },
  ],
  [
    { act: 'call', call: { ...WRITE, chat: 'c1' }, end: 'done' },
    { act: 'answer', at: 0, how: 'chat' },
    { act: 'preset', agent: 'scout', of: ACCOUNT, preset: 'read-only' },
    { act: 'call', call: { ...WRITE, chat: 'c1', run: 'r2' }, end: 'done' },
  ],
  [
    { act: 'preset', agent: 'scout', of: { provider: 'acme' }, preset: 'trusted' },
    { act: 'call', call: WRITE, end: 'later' },
    { act: 'time', by: 1 },
    { act: 'again', ago: 0, end: 'done' },
    { act: 'answer', at: 0, how: 'edit c' },
    { act: 'end', at: 0, how: 'unsent' },
    { act: 'again', ago: 0, end: 'done' },
  ],
]

const WORDS = [
  ...['ahead: allow', 'ahead: asking', 'ahead: denied', 'ahead: done', 'ahead: never'],
  ...[
    'allowed',
    'allowed again',
    'allowed as it was changed',
    'allowed by a yes',
    'an exception ended with its preset',
  ],
  ...['asking', 'denied', 'done', 'never'],
  ...[
    'not connected',
    'yes always',
    'yes chat',
    'yes edit a',
    'yes edit b',
    'yes edit c',
    'yes for a time',
    'yes once',
  ],
]

/** Tells this many stories. Many of them are about everything that there is. */
async function tellAll(stores: Stores, numRuns: number) {
  const counted = new Set<string>()
  await fc.assert(
    fc.asyncProperty(story, (steps) => tell(steps, stores, counted)),
    { numRuns, examples: TOLD.map((told) => [told.map((step, at) => ({ step, by: at % 2 }))]) },
  )
  for (const store of new Set(stores)) await store.close()
  return [...counted].sort()
}

const title = 'no interleaving of two processes lets a call through that its person did not allow, or a write twice'

it(`${title}: 600 stories in memory`, async () => {
  const store = memoryStore()
  expect(await tellAll([store, store], 600)).toEqual(WORDS)
}, 120_000)

it(`${title}: 40 stories in SQLite`, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-stories-'))
  const file = path.join(folder, 'vault.db')
  expect(await tellAll([sqliteStore(file), sqliteStore(file)], 40)).toContain('allowed again')
  rmSync(folder, { recursive: true, force: true })
}, 120_000)

it(`${title}: 12 stories in PostgreSQL`, async () => {
  const postgres = await startPostgres()
  const { url } = postgres
  expect(await tellAll([postgresStore({ url }), postgresStore({ url })], 12)).toContain('allowed again')
  await postgres.close()
}, 120_000)
