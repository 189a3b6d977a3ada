// Security cases W, 179-185, 191, 197, 199, 202-204: What a yes is worth. A release waits for 179-185, 191, 197, 199, 202-204.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { ConnectedAccount } from '@latchkey/core'
import type { AgentRequest, Answer, Lease, Preset, Rule } from '@latchkey/core/agents'
import { type PostgresServer, startPostgres } from '@latchkey/sandbox/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openVault } from '../../fixtures/open-vault.ts'
import { memoryStore } from '../stores/memory.ts'
import { postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { VaultStore } from '../stores/store.ts'
import { createAudit } from '../vault/audit.ts'
import { localKeys } from '../vault/keys.ts'
import { createUnderWay, type UnderWay } from './ledger.ts'
import { createOverseer, type JudgedCall, type Overseer, type Ruling } from './overseer.ts'
import type { JudgedTool } from './tools.ts'

const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const keys = localKeys(KEY)
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const START = Date.UTC(2026, 0, 1)

let postgres: PostgresServer
let folder: string
beforeAll(async () => {
  postgres = await startPostgres()
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-overseer-'))
}, 120_000)
afterAll(async () => {
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Milliseconds pass. */
const pass = (time: number) => vi.setSystemTime(Date.now() + time)

const SEND: JudgedTool = { name: 'acme/send', title: 'Send a mail', effect: 'write', version: 'v1', edit: ['subject'] }
const ARGS = { to: 'grace@acme.example', subject: 'Hello' }

let people = 0

/** A person with two accounts, and two servers that share the store. */
async function person(stores: readonly [VaultStore, VaultStore], tenant = 'one') {
  people += 1
  const owner = { tenant, user: `ada${people}` }
  const [store] = stores
  const revs = new Map<string, number>()
  /** Writes an account as a connect or a refresh does. */
  const put = async (account: string, facts: Record<string, unknown> = {}) => {
    const rev = (revs.get(account) ?? 0) + 1
    const row = { ...owner, provider: 'acme', account, sealed: new Uint8Array(1), kid: 'k1', rev }
    const told = { status: 'connected', subject: '1815', generation: 1, connectedAt: START, ...facts }
    expect(await store.put({ ...row, facts: JSON.stringify(told) }, revs.get(account))).toBe(true)
    revs.set(account, rev)
  }
  await put('acme.1')
  await put('acme.2')
  const [one, two] = stores.map((each) => createOverseer({ store: each, keys })) as [Overseer, Overseer]
  const call = (change: Partial<JudgedCall> = {}): JudgedCall => ({
    ...{ owner, agents: ['scout'], account: 'acme.1', tool: SEND, args: ARGS, run: 'r1', ...change },
  })
  const prefer = (preset: Preset, agent = 'scout') => one.change(owner, { agent, of: { provider: 'acme' }, preset })
  const log = async () => (await store.readAudit(owner.tenant, { user: owner.user, limit: 1000 })).map(eventOf)
  return { owner, store, put, one, two, call, prefer, log }
}

const eventOf = ({ event }: { event: string }): Record<string, string> => JSON.parse(event)

/** The request of a ruling that asks. */
function asked(ruling: Ruling): AgentRequest {
  if (ruling.word !== 'asking') throw new Error(`It is ${ruling.word}.`)
  return ruling.request
}

/** The ticket of a ruling that allows. */
function allowed(ruling: Ruling): string {
  if (ruling.word !== 'allowed') throw new Error(`It is ${ruling.word}.`)
  return ruling.ticket
}

let files = 0
const OPEN: [string, () => readonly [VaultStore, VaultStore]][] = [
  [
    'memory',
    () => {
      const store = memoryStore()
      return [store, store]
    },
  ],
  [
    'sqlite',
    () => {
      files += 1
      const file = path.join(folder, `${files}.db`)
      return [sqliteStore(file), sqliteStore(file)]
    },
  ],
  ['postgres', () => [postgresStore({ url: postgres.url }), postgresStore({ url: postgres.url })]],
]

describe.each(OPEN)('over %s', (_name, open) => {
  let stores: readonly [VaultStore, VaultStore]
  beforeAll(() => {
    stores = open()
  })
  afterAll(async () => {
    for (const store of new Set(stores)) await store.close()
  })

  /** A call with a yes. */
  async function agreed(tenant?: string) {
    const ada = await person(stores, tenant)
    const request = asked(await ada.one.judge(ada.call()))
    expect(await ada.one.answer(ada.owner, request.id, { answer: 'yes' })).toMatchObject({ state: 'approved' })
    return { ...ada, request }
  }

  it('a yes lets its call through, once', async () => {
    const { one, two, call, owner, request, log } = await agreed()
    expect(request).toMatchObject({ agent: 'scout', account: 'acme.1', provider: 'acme', args: ARGS, state: 'waiting' })
    const ruling = await two.judge(call())
    expect(ruling).toMatchObject({ word: 'allowed', args: ARGS, because: { by: 'preset' } })
    await two.done(owner, allowed(ruling), { sent: 1 })
    await two.done(owner, allowed(ruling), { sent: 2 })
    expect(await one.judge(call())).toEqual({ word: 'done', result: { sent: 1 } })
    expect(await one.judge(call({ nth: 2 }))).toMatchObject({ word: 'asking' })
    expect(await log()).toMatchObject([
      { action: 'ask', outcome: 'denied', decision: 'ask', rule: 'preset:ask-before-changes', tool: 'acme/send' },
      { action: 'answer', outcome: 'allowed', request: request.id },
      { action: 'use', outcome: 'allowed', request: request.id, effect: 'write', decision: 'ask' },
      { action: 'ask' },
    ])
    expect(await createAudit(stores[0]).verify(owner.tenant)).toMatchObject({ ok: true })
  })

  it('case 179: a yes is worth nothing for other arguments', async () => {
    const { one, call } = await agreed()
    const others = [{ ...ARGS, to: 'mallory@evil.example' }, { ...ARGS, cc: 'm@evil.example' }, [ARGS], undefined, 1]
    for (const args of others) expect(await one.judge(call({ args }))).toMatchObject({ word: 'asking' })
    // The same arguments in another order are the same.
    const { to, subject } = ARGS
    expect(await one.judge(call({ args: { subject, to } }))).toMatchObject({ word: 'allowed' })
  })

  it('case 180: a yes is worth nothing for another agent', async () => {
    const { one, call } = await agreed()
    for (const agents of [['other'], ['other', 'scout'], ['scout', 'other']] as const) {
      expect(await one.judge(call({ agents }))).toMatchObject({ word: 'asking' })
    }
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
  })

  it('case 181: a yes is worth nothing for another account of the same provider', async () => {
    const { one, call } = await agreed()
    expect(await one.judge(call({ account: 'acme.2' }))).toMatchObject({ word: 'asking' })
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
  })

  it.each<[string, Record<string, unknown>]>([
    ['as another person', { subject: '1906' }],
    ['as the same person', { generation: 2 }],
  ])('case 182: a yes is worth nothing after a reconnect %s', async (_how, facts) => {
    const { one, call, put, request, owner } = await agreed()
    await put('acme.1', facts)
    const next = asked(await one.judge(call()))
    expect(next.id).not.toBe(request.id)
    // Nor is one that comes after it.
    await put('acme.1', { ...facts, generation: 3 })
    await expect(one.answer(owner, next.id, { answer: 'yes' })).rejects.toMatchObject({ code: 'invalid_request' })
    expect(await one.judge(call())).toMatchObject({ word: 'asking' })
  })

  it('a yes outlives a refresh of the token', async () => {
    const { one, call, put } = await agreed()
    await put('acme.1', { issuedAt: START + 1, expiresAt: START + DAY })
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
  })

  it("case 183: a yes is worth nothing after the tool's schema changed", async () => {
    const { one, call } = await agreed()
    expect(await one.judge(call({ tool: { ...SEND, version: 'v2' } }))).toMatchObject({ word: 'asking' })
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
  })

  it('case 184: a yes holds for ten minutes', async () => {
    const { one, two, call, owner, request } = await agreed()
    pass(10 * MINUTE)
    const next = asked(await one.judge(call()))
    expect(next.id).not.toBe(request.id)
    await one.answer(owner, next.id, { answer: 'yes' })
    pass(10 * MINUTE - 1)
    expect(await two.judge(call())).toMatchObject({ word: 'allowed' })
  })

  it('a call is asked about before it is made: nothing begins, and no yes is used', async () => {
    const { one, two, call, owner, log, prefer } = await person(stores)
    const request = asked((await one.askAhead(call({ toolCallId: 'c1' }))) as Ruling)
    expect(request).toMatchObject({ state: 'waiting', toolCallId: 'c1', args: ARGS })
    for (const each of [one, two]) expect(await each.askAhead(call())).toEqual({ word: 'asking', request })
    expect(await one.judge(call())).toEqual({ word: 'asking', request })
    await one.answer(owner, request.id, { answer: 'yes' })
    for (const each of [one, two, one]) expect(await each.askAhead(call())).toEqual({ word: 'allow' })
    expect((await log()).map(({ action }) => action)).toEqual(['ask', 'answer'])
    const ticket = allowed(await two.judge(call()))
    // It was begun, so it would be asked about anew.
    expect(await one.askAhead(call())).toMatchObject({ word: 'asking', request: { mayHaveHappened: true } })
    await two.done(owner, ticket, { sent: 1 })
    expect(await one.askAhead(call())).toEqual({ word: 'done' })
    expect(await one.requests(owner)).toEqual([])

    const no = asked((await one.askAhead(call({ nth: 2 }))) as Ruling)
    await one.answer(owner, no.id, { answer: 'no', reason: 'Not now' })
    expect(await two.askAhead(call({ nth: 2 }))).toEqual({ word: 'denied', request: no.id, reason: 'Not now' })
    expect(await one.request(owner, no.id)).toMatchObject({ state: 'denied', reason: 'Not now' })
    await prefer('off')
    expect(await one.askAhead(call({ nth: 3 }))).toMatchObject({ word: 'never' })
    expect(await one.askAhead(call({ account: 'acme.none' }))).toBeUndefined()
    const uses = (await log()).filter(({ action }) => action === 'use' || action === 'deny')
    expect(uses.map(({ action }) => action)).toEqual(['use', 'deny', 'deny'])
  })

  it('case 185: of a yes that is used twice at once by two servers, one call comes through', async () => {
    const { one, two, call, owner } = await agreed()
    const rulings = await Promise.all([one, two, one, two].map((each) => each.judge(call())))
    expect(rulings.map(({ word }) => word).sort()).toEqual(['allowed', 'asking', 'asking', 'asking'])
    // The others do not know how that one ends, and ask the same.
    const ids = rulings.flatMap((ruling) => (ruling.word === 'asking' ? [ruling.request.id] : []))
    expect(new Set(ids).size).toBe(1)
    expect(await one.request(owner, ids[0] ?? '')).toMatchObject({ mayHaveHappened: true })
  })

  it('case 191: a clock that is moved back brings nothing back', async () => {
    const { one, call, owner } = await agreed()
    pass(10 * MINUTE)
    const [request] = await one.requests(owner)
    expect(request).toBeUndefined()
    pass(-9 * MINUTE)
    const next = asked(await one.judge(call()))
    expect(next.createdAt).toBe(START + 10 * MINUTE)
    await one.answer(owner, next.id, { answer: 'yes', lease: { until: START + 20 * MINUTE } })
    expect(await one.judge(call({ run: 'r2' }))).toMatchObject({ word: 'allowed' })
    vi.setSystemTime(START + 20 * MINUTE)
    expect(await one.judge(call({ run: 'r3' }))).toMatchObject({ word: 'asking' })
    vi.setSystemTime(START)
    expect(await one.judge(call({ run: 'r4' }))).toMatchObject({ word: 'asking' })
  })

  it('case 197: nobody else sees or answers a request: no user of another tenant, no other of this one', async () => {
    const { one, call, owner } = await person(stores)
    const request = asked(await one.judge(call()))
    for (const other of [
      { tenant: 'two', user: owner.user },
      { tenant: owner.tenant, user: 'grace' },
    ]) {
      expect(await one.request(other, request.id)).toBeUndefined()
      expect(await one.answer(other, request.id, { answer: 'yes' })).toBeUndefined()
      expect(await one.requests(other)).toEqual([])
      await expect(one.judge(call({ owner: other }))).rejects.toMatchObject({ code: 'login_required' })
    }
    expect(await one.judge(call())).toEqual({ word: 'asking', request })
  })

  it('case 199: after everything was stopped, no answer counts', async () => {
    const { one, two, call, owner, request, prefer } = await agreed()
    const waiting = asked(await one.judge(call({ run: 'r2' })))
    expect(await two.stop(owner, { everything: true })).toEqual({ denied: 1, ended: 0 })
    for (const { id } of [request, waiting]) {
      await expect(one.answer(owner, id, { answer: 'yes' })).rejects.toMatchObject({ code: 'invalid_request' })
    }
    await prefer('trusted')
    const during = await one.judge(call({ run: 'r0' }))
    expect(during).toMatchObject({ word: 'never', because: { by: 'stopped', what: 'everything' } })
    await one.resume(owner, { everything: true })
    // What was answered, and what waited, has ended.
    for (const run of ['r1', 'r2']) expect(await one.judge(call({ run }))).toMatchObject({ word: 'denied' })
    await expect(one.answer(owner, waiting.id, { answer: 'yes' })).rejects.toThrow('answered already')
    expect(await one.judge(call({ run: 'r3' }))).toMatchObject({ word: 'allowed' })
  })

  it('case 202: a write that was begun before a crash is not made again without a new yes that knows of it', async () => {
    const { one, two, call, owner, prefer } = await agreed()
    allowed(await one.judge(call()))
    await prefer('trusted')
    const request = asked(await two.judge(call()))
    expect(request).toMatchObject({ mayHaveHappened: true, leases: ['once'] })
    expect(asked(await two.judge(call())).id).toBe(request.id)
    await two.answer(owner, request.id, { answer: 'yes' })
    const ticket = allowed(await two.judge(call()))
    // What was not sent this time may have been sent before.
    await two.unsent(owner, ticket)
    const again = asked(await two.judge(call()))
    await two.answer(owner, again.id, { answer: 'no', reason: 'I see\u202e it\nthere.' })
    expect(await two.judge(call())).toEqual({ word: 'denied', request: again.id, reason: 'I see it there.' })
  })

  it('case 202: the late end of an earlier try says nothing of the one that is under way', async () => {
    const { one, two, call, owner, prefer } = await person(stores)
    await prefer('trusted')
    const first = allowed(await one.judge(call()))
    const mayHaveHappened = { mayHaveHappened: true }
    await two.answer(owner, asked(await two.judge(call())).id, { answer: 'yes' })
    const second = allowed(await two.judge(call()))
    await one.done(owner, first, 'of the first')
    expect(asked(await two.judge(call()))).toMatchObject(mayHaveHappened)
    await two.done(owner, second, 'of the second')
    expect(await one.judge(call())).toEqual({ word: 'done', result: 'of the second' })

    const other = call({ nth: 2 })
    const unsent = allowed(await one.judge(other))
    await one.unsent(owner, unsent)
    allowed(await two.judge(other))
    await one.unsent(owner, unsent)
    expect(asked(await one.judge(other))).toMatchObject(mayHaveHappened)
  })

  it.each<[string, Answer, object]>([
    ['was changed', { answer: 'yes', args: { subject: 'Changed' } }, { word: 'allowed', args: { subject: 'Changed' } }],
    ['was forbidden', { answer: 'no', reason: 'No more.' }, { word: 'denied', reason: 'No more.' }],
  ])(
    'case 202: a call that %s while its first try was under way is as its person said, when that was not sent',
    async (...given) => {
      const [, answer, ruling] = given
      const { one, two, call, owner, prefer } = await person(stores)
      await prefer('trusted')
      const ticket = allowed(await one.judge(call()))
      const request = asked(await two.judge(call()))
      await two.answer(owner, request.id, answer)
      await one.unsent(owner, ticket)
      expect(await two.judge(call())).toMatchObject(ruling)
    },
  )

  it('a read is made again, and a write that was not sent', async () => {
    const { one, call, owner, prefer } = await person(stores)
    const read = call({ tool: { ...SEND, effect: 'read' } })
    allowed(await one.judge(read))
    allowed(await one.judge(read))
    await prefer('trusted')
    await one.unsent(owner, allowed(await one.judge(call())))
    await one.done(owner, allowed(await one.judge(call())), 'x'.repeat(64 * 1024))
    expect(await one.judge(call())).toEqual({ word: 'done' })
  })

  it('case 203: a double click is one answer, and makes one rule', async () => {
    const { one, two, call, owner } = await person(stores)
    const request = asked(await one.judge(call()))
    const click = (each: Overseer, ahead: number) =>
      each.answer(owner, request.id, { answer: 'yes', lease: { until: Date.now() + ahead } })
    const answers = await Promise.all([click(one, 3_600_000), click(two, 3_599_999), click(one, 3_599_998)])
    for (const answer of answers) expect(answer).toMatchObject({ id: request.id, state: 'approved' })
    expect((await one.rules(owner)).agents.scout?.rules).toHaveLength(1)
    allowed(await one.judge(call()))
    // A late click does not bring the yes back.
    expect(await click(two, 3_600_000)).toMatchObject({ state: 'approved' })
    expect(asked(await one.judge(call()))).toMatchObject({ mayHaveHappened: true })
  })

  it('case 204: of two tabs that answer differently, the first counts, and the other is told', async () => {
    const { one, two, call, owner } = await person(stores)
    const request = asked(await one.judge(call()))
    const given = [
      one.answer(owner, request.id, { answer: 'no', reason: 'Not now' }),
      two.answer(owner, request.id, { answer: 'yes' }),
      two.answer(owner, request.id, { answer: 'yes', args: { subject: 'Hi' } }),
    ]
    const ends = await Promise.allSettled(given)
    const first = ends.filter(({ status }) => status === 'fulfilled')
    expect(first).toHaveLength(1)
    for (const end of ends) {
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ message: 'This was answered already.' })
    }
    const { word } = await one.judge(call())
    expect(word).toBe(ends[0]?.status === 'fulfilled' ? 'denied' : 'allowed')
  })
})

describe('a person and their agents', () => {
  const opened: VaultStore[] = []
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })
  const alone = (store = memoryStore()) => {
    opened.push(store)
    return person([store, store])
  }
  const answer = async ({ one, owner }: Awaited<ReturnType<typeof person>>, ruling: Ruling, lease?: Lease) =>
    one.answer(owner, asked(ruling).id, { answer: 'yes', ...(lease && { lease }) })

  it('a try that the store has undone is not under way, and an equal call finds no gap before the next one is', async () => {
    const store = memoryStore()
    let tries = 2
    const undone = new Error('undone')
    /** Undoes the work, and runs it again. What was stored is there before this process hears of it. */
    const asPerson: VaultStore['asPerson'] = async (owner, now, work) => {
      for (let left = tries; left > 1; left--) {
        const trying = store.asPerson(owner, now, (rows) => work(rows).then(() => Promise.reject(undone)))
        await trying.catch(() => {})
      }
      const last = store.asPerson(owner, now, (rows) =>
        work(rows).then((done) => (tries ? done : Promise.reject(undone))),
      )
      return last.finally(() => setImmediate())
    }
    const { one, owner, call, prefer } = await alone({ ...store, asPerson })
    await prefer('trusted')
    const calls = createUnderWay()
    const left = new Set<string>()
    const underWay: UnderWay = {
      ...calls,
      begin(ticket) {
        left.add(ticket)
        calls.begin(ticket)
      },
      end(ticket) {
        left.delete(ticket)
        calls.end(ticket)
      },
    }
    const both = [one.judge(call(), underWay), one.judge(call(), underWay)]
    const ticket = allowed(await Promise.race(both))
    expect([...left]).toEqual([ticket])
    await one.done(owner, ticket, 'sent')
    underWay.end(ticket)
    expect((await Promise.all(both)).map(({ word }) => word).sort()).toEqual(['allowed', 'done'])
    tries = 0
    await expect(one.judge(call({ nth: 2 }), underWay)).rejects.toBe(undone)
    expect([...left]).toEqual([])
  })

  it('a lease lets later calls through, as long as it says', async () => {
    const ada = await alone()
    const { one, owner, call } = ada
    const chat = call({ chat: 'c1' })
    const request = asked(await one.judge(chat))
    expect(request.leases).toEqual(['once', 'chat', 'hour', 'always'])
    await answer(ada, await one.judge(chat), 'chat')
    expect(await one.judge(call({ chat: 'c1', run: 'r2' }))).toMatchObject({ word: 'allowed' })
    expect(await one.judge(call({ chat: 'c2', run: 'r3' }))).toMatchObject({ word: 'asking' })
    await answer(ada, await one.judge(call({ run: 'r3' })), { until: START + 60 * MINUTE })
    expect(await one.judge(call({ run: 'r4' }))).toMatchObject({ word: 'allowed', because: { by: 'rule' } })
    pass(60 * MINUTE)
    await answer(ada, await one.judge(call({ run: 'r5' })), 'always')
    pass(DAY)
    expect(await one.judge(call({ run: 'r6', chat: 'c9' }))).toMatchObject({ word: 'allowed' })
    // The hour is over, and not kept.
    expect((await one.rules(owner)).agents.scout?.rules).toMatchObject([{ chat: 'c1' }, { decision: 'allow' }])
    // Another version is another tool.
    const next = call({ run: 'r7', tool: { ...SEND, version: 'v2' } })
    expect(await one.judge(next)).toMatchObject({ word: 'asking', request: { because: { by: 'unknown' } } })
  })

  it('a lease is offered only where it would help, and no other is taken', async () => {
    const { one, owner, call } = await alone()
    const leases = async (change: Partial<JudgedCall>) => asked(await one.judge(call(change))).leases
    expect(await leases({})).toEqual(['once', 'hour', 'always'])
    expect(await leases({ chat: 'c1', run: 'r2', tool: { ...SEND, effect: 'destructive' } })).toEqual(['once', 'chat'])
    // Its parent asks, too.
    expect(await leases({ chat: 'c1', run: 'r3', agents: ['scout', 'chief'] })).toEqual(['once'])
    const { tool: _none, ...unknown } = call({ run: 'r4' })
    const { leases: known, tool, id } = asked(await one.judge(unknown))
    expect({ known, tool }).toMatchObject({ known: ['once'], tool: { name: '', effect: 'write' } })
    for (const lease of ['always', 'chat', { until: Date.now() + 1 }, 'ever'] as Lease[]) {
      await expect(one.answer(owner, id, { answer: 'yes', lease })).rejects.toMatchObject({ code: 'invalid_request' })
    }
    const request = asked(await one.judge(call()))
    for (const until of [Date.now(), Date.now() + DAY + 1, Number.NaN]) {
      const given = { answer: 'yes', lease: { until } } as const
      await expect(one.answer(owner, request.id, given)).rejects.toMatchObject({ code: 'invalid_request' })
    }
    expect((await one.requests(owner)).length).toBe(4)
    expect((await one.rules(owner)).agents).toEqual({})
  })

  it('a changed call is made once as it was changed, and is known by both', async () => {
    const { one, owner, call } = await alone()
    const { id } = asked(await one.judge(call()))
    const edit = { answer: 'yes', args: { subject: 'Hi' } } as const
    for (const wrong of [
      { ...edit, args: { to: 'm' } },
      { ...edit, lease: 'always' as const },
      { ...edit, args: null },
    ]) {
      await expect(one.answer(owner, id, wrong as typeof edit)).rejects.toMatchObject({ code: 'invalid_request' })
    }
    await one.answer(owner, id, edit)
    const ruling = await one.judge(call())
    expect(ruling).toMatchObject({ word: 'allowed', args: { ...ARGS, subject: 'Hi' } })
    const changed = call({ args: { ...ARGS, subject: 'Hi' } })
    expect(await one.judge(changed)).toMatchObject({ word: 'asking', request: { mayHaveHappened: true } })
    await one.done(owner, allowed(ruling), 'sent')
    for (const each of [call(), changed]) expect(await one.judge(each)).toEqual({ word: 'done', result: 'sent' })
    expect((await one.rules(owner)).agents.scout?.rules).toEqual([])
  })

  it('a call that is changed into one that was sent asks again', async () => {
    const { one, owner, call, prefer } = await alone()
    const sent = call({ args: { ...ARGS, subject: 'Hi' } })
    await answer({ one, owner } as never, await one.judge(sent))
    await one.done(owner, allowed(await one.judge(sent)), 'sent')
    const first = asked(await one.judge(call()))
    await one.answer(owner, first.id, { answer: 'yes', args: { subject: 'Hi' } })
    const again = asked(await one.judge(call()))
    expect(again).toMatchObject({ mayHaveHappened: true })
    expect(again.id).not.toBe(first.id)
    await one.answer(owner, again.id, { answer: 'yes', args: { subject: 'Hi' } })
    expect(await one.judge(call())).toMatchObject({ word: 'allowed', args: { subject: 'Hi' } })
    await prefer('off')
    expect(await one.judge(call())).toMatchObject({ word: 'never' })
  })

  it('a call that a person changes is held to their rules, too', async () => {
    const { one, owner, call } = await alone()
    const { id } = asked(await one.judge(call()))
    const rule = { agent: 'scout', of: { account: 'acme.1' }, tool: SEND.name, decision: 'never' } as const
    const edit = { answer: 'yes', args: { subject: 'Prize' } } as const
    await one.change(owner, { ...rule, when: { subject: { startsWith: 'Prize' } } })
    await expect(one.answer(owner, id, edit)).rejects.toThrow('Your rules forbid this')
    await one.answer(owner, id, { answer: 'yes', args: { subject: 'Free' } })
    await one.change(owner, { ...rule, when: { subject: { equals: 'Free' } } })
    expect(await one.judge(call())).toMatchObject({ word: 'never', because: { by: 'rule' } })
  })

  it('a request that nobody answers in a day is denied', async () => {
    const { one, owner, call, prefer } = await alone()
    const { id } = asked(await one.judge(call()))
    pass(DAY)
    expect(await one.requests(owner)).toEqual([])
    expect(await one.request(owner, id)).toMatchObject({ state: 'denied' })
    await expect(one.answer(owner, id, { answer: 'yes' })).rejects.toThrow('not answered in time')
    expect(await one.judge(call())).toEqual({ word: 'denied', request: id, reason: 'no answer in time' })
    await prefer('trusted')
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
  })

  it('stop ends leases and yeses for good, and resume brings presets and rules without an end back', async () => {
    const ada = await alone()
    const { one, owner, call, prefer } = ada
    await answer(ada, await one.judge(call()), 'always')
    const child = (run: string) => call({ agents: ['helper', 'scout'], run, chat: 'c1' })
    await answer(ada, await one.judge(child('r2')), 'chat')
    const other = call({ agents: ['other'], run: 'r3' })
    await answer(ada, await one.judge(other), { until: START + MINUTE })
    await prefer('trusted', 'solo')
    asked(await one.judge(call({ account: 'acme.2' })))
    expect(await one.stop(owner, { agent: 'scout' })).toEqual({ denied: 1, ended: 1 })
    expect(await one.judge(call({ run: 'r4' }))).toMatchObject({ word: 'never', because: { what: 'agent' } })
    expect(await one.judge(child('r5'))).toMatchObject({ word: 'never' })
    expect(await one.stop(owner, { account: 'acme.1' })).toEqual({ denied: 0, ended: 1 })
    expect(await one.judge(other)).toMatchObject({ word: 'never', because: { what: 'account' } })
    await one.resume(owner, { agent: 'scout' })
    await one.resume(owner, { account: 'acme.1' })
    expect(await one.judge(call({ run: 'r6' }))).toMatchObject({ word: 'allowed' })
    expect(await one.judge(child('r7'))).toMatchObject({ word: 'asking' })
    expect(await one.judge(other)).toMatchObject({ word: 'denied', reason: 'stopped' })
    expect(await one.judge(call({ agents: ['solo'], run: 'r8' }))).toMatchObject({ word: 'allowed' })
    for (const target of [{}, { agent: 'a', account: 'b' }, { agent: '' }, { everything: false }, { page: 'x' }]) {
      await expect(one.stop(owner, target as never)).rejects.toMatchObject({ code: 'invalid_request' })
    }
  })

  it('a yes does not come back when its account was paused, or its rules were changed to never', async () => {
    const ada = await alone()
    const { one, call, put, prefer } = ada
    await answer(ada, await one.judge(call()))
    await put('acme.1', { status: 'paused' })
    expect(await one.judge(call())).toMatchObject({ word: 'never', because: { by: 'paused' } })
    await put('acme.1')
    expect(await one.judge(call())).toMatchObject({ word: 'denied', reason: 'not allowed any more' })
    await answer(ada, await one.judge(call({ nth: 2 })))
    await prefer('read-only')
    expect(await one.judge(call({ nth: 2 }))).toMatchObject({ word: 'never' })
  })

  it('what waits is denied by the change that forbids it, and nothing else is', async () => {
    const { one, two, owner, call, prefer } = await alone()
    const mine = asked(await one.judge(call()))
    const childs = asked(await one.judge(call({ agents: ['helper', 'scout'] })))
    const others = asked(await one.judge(call({ agents: ['solo'] })))
    await one.change(owner, { agent: 'scout', of: { account: 'acme.2' }, preset: 'read-only' })
    expect(await two.requests(owner)).toHaveLength(3)
    await prefer('read-only')
    expect((await two.requests(owner)).map(({ id }) => id)).toEqual([others.id])
    const withdrawn = { state: 'denied', withdrawn: true, reason: 'not allowed any more' }
    for (const { id } of [mine, childs]) expect(await two.request(owner, id)).toMatchObject(withdrawn)
    await expect(one.answer(owner, mine.id, { answer: 'yes' })).rejects.toThrow('This was answered already.')
    const rule = { agent: 'solo', of: { account: 'acme.1' }, tool: SEND.name, decision: 'never' } as const
    await one.change(owner, rule)
    expect(await two.request(owner, others.id)).toMatchObject(withdrawn)
    expect(await one.judge(call())).toMatchObject({ word: 'never' })
  })

  it('what waits for an account that is paused goes on waiting when rules change', async () => {
    const { one, owner, call, put, prefer } = await alone()
    const { id } = asked(await one.judge(call()))
    await put('acme.1', { status: 'paused' })
    await prefer('ask-before-changes')
    expect(await one.request(owner, id)).toMatchObject({ state: 'waiting' })
  })

  it('a person makes rules of tools they were asked about, and ends them', async () => {
    const { one, owner, call, log } = await alone()
    const rule = { agent: 'scout', of: { account: 'acme.1' }, tool: SEND.name } as const
    await expect(one.change(owner, { ...rule, decision: 'allow' })).rejects.toMatchObject({ code: 'invalid_request' })
    await one.change(owner, { ...rule, decision: 'never' })
    expect(await one.judge(call())).toMatchObject({ word: 'never' })
    asked(await one.judge(call({ account: 'acme.2' })))
    const { agents } = await one.change(owner, { ...rule, decision: 'allow' })
    expect(agents.scout?.rules).toMatchObject([{ decision: 'allow', subject: { tool: SEND.name, version: 'v1' } }])
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
    await one.change(owner, { ...rule, version: 'v2', decision: 'allow' })
    expect(await one.judge(call({ run: 'r2' }))).toMatchObject({ word: 'asking' })
    const [left] = (await one.rules(owner)).agents.scout?.rules ?? []
    await one.change(owner, { agent: 'scout', end: left?.id ?? '' })
    expect((await one.rules(owner)).agents.scout?.rules).toEqual([])
    const wrong = [
      { ...rule, agent: 'constructor', decision: 'never' },
      { ...rule, decision: 'perhaps' },
      { agent: 'scout', of: { account: 'acme.1' }, preset: 'all' },
      { agent: 'scout', of: 'acme', preset: 'off' },
    ]
    for (const one_ of wrong) {
      await expect(one.change(owner, one_ as never)).rejects.toMatchObject({ code: 'invalid_request' })
    }
    expect((await log()).filter(({ action }) => action === 'rule')).toHaveLength(4)
  })

  it('a stricter preset ends the exceptions that reach further, leases too, and what is more brings none back', async () => {
    const ada = await alone()
    const { one, owner, call } = ada
    const prefer = (preset: Preset, of: Rule['of'] = { account: 'acme.1' }) =>
      one.change(owner, { agent: 'scout', of, preset })
    const rules = async () => (await one.rules(owner)).agents.scout?.rules
    await answer(ada, await one.judge(call({ chat: 'c1' })), 'chat')
    await answer(ada, await one.judge(call({ run: 'r2' })), { until: START + 60 * MINUTE })
    await answer(ada, await one.judge(call({ account: 'acme.2' })), 'always')
    expect(await rules()).toMatchObject([{ chat: 'c1', effect: 'write' }, { until: START + 60 * MINUTE }, {}])
    await prefer('read-only')
    expect(await rules()).toMatchObject([{ of: { account: 'acme.2' } }])
    expect(await one.judge(call({ chat: 'c1', run: 'r3' }))).toMatchObject({ word: 'never', because: { by: 'preset' } })
    expect(await one.judge(call({ account: 'acme.2', run: 'r3' }))).toMatchObject({ word: 'allowed' })
    await prefer('ask-before-changes')
    expect(await one.judge(call({ chat: 'c1', run: 'r4' }))).toMatchObject({ word: 'asking' })
    // Off is a pause.
    await prefer('off', { account: 'acme.2' })
    expect(await one.judge(call({ account: 'acme.2', run: 'r5' }))).toMatchObject({ word: 'never' })
    await prefer('ask-before-changes', { account: 'acme.2' })
    expect(await one.judge(call({ account: 'acme.2', run: 'r6' }))).toMatchObject({ word: 'allowed' })
    await prefer('off', { account: 'acme.2' })
    await prefer('read-only', { account: 'acme.2' })
    expect(await rules()).toEqual([])
  })

  it('a preset for an account ends what its provider allows for this account alone, also for one that a page sent', async () => {
    const { one, owner, call } = await alone()
    const of = { provider: 'acme' }
    const rule = { agent: 'scout', of, tool: SEND.name, version: 'v1', decision: 'allow' } as const
    await one.change(owner, { ...rule, effect: 'write' })
    const facts = { provider: 'acme', generation: 'g1' }
    const sent = (run: string) => call({ account: 'acme.sent', facts, run })
    expect(await one.judge(sent('r1'))).toMatchObject({ word: 'allowed' })
    await one.change(owner, { agent: 'scout', of: { account: 'acme.1' }, preset: 'read-only' })
    expect((await one.rules(owner)).agents.scout?.rules).toMatchObject([{ of, reach: { except: ['acme.1'] } }])
    expect(await one.judge(call())).toMatchObject({ word: 'never' })
    expect(await one.judge(sent('r2'))).toMatchObject({ word: 'allowed' })
    await one.change(owner, { agent: 'scout', of: { account: 'acme.sent' }, preset: 'read-only' })
    expect(await one.judge(sent('r3'))).toMatchObject({ word: 'never' })
    expect(await one.judge(call({ account: 'acme.2' }))).toMatchObject({ word: 'allowed' })
  })

  it('a person allows a tool for some time, at most for a day', async () => {
    const { one, owner, call } = await alone()
    const rule = {
      agent: 'scout',
      of: { account: 'acme.1' },
      tool: SEND.name,
      version: 'v1',
      decision: 'allow',
    } as const
    for (const until of [Date.now(), Date.now() + DAY + MINUTE, Number.NaN]) {
      await expect(one.change(owner, { ...rule, until })).rejects.toMatchObject({ code: 'invalid_request' })
    }
    const until = Date.now() + DAY - MINUTE
    const { agents } = await one.change(owner, { ...rule, until })
    expect(agents.scout?.rules).toMatchObject([{ decision: 'allow', until }])
    expect(await one.judge(call())).toMatchObject({ word: 'allowed' })
    // As every permission for some time it ends with a stop.
    expect(await one.stop(owner, { agent: 'scout' })).toMatchObject({ ended: 1 })
    expect((await one.rules(owner)).agents.scout?.rules).toEqual([])
  })

  it('case 187: a tool that a server offers asks until its person has seen it, even if the agent is trusted', async () => {
    const ada = await alone()
    const { one, owner, call } = ada
    await one.change(owner, { agent: 'scout', of: { provider: 'acme' }, preset: 'trusted' })
    const tool = { ...SEND, found: true as const }
    const unknown = await one.judge(call({ tool }))
    expect(unknown).toMatchObject({ word: 'asking', request: { because: { by: 'unknown', what: 'tool' } } })
    await answer(ada, unknown)
    expect((await one.rules(owner)).agents.scout?.seen).toEqual({ [SEND.name]: ['v1'] })
    expect(await one.judge(call({ tool, run: 'r2' }))).toMatchObject({
      word: 'allowed',
      because: { preset: 'trusted' },
    })
    const changed = await one.judge(call({ tool: { ...tool, version: 'v2' }, run: 'r3' }))
    expect(changed).toMatchObject({ word: 'asking', request: { because: { by: 'unknown', what: 'version' } } })
  })

  it('without a turn of the person, a yes lets the same call through once, and the next one asks again', async () => {
    const ada = await alone()
    const { one, owner, call } = ada
    const ask = () => one.judge({ ...call(), run: undefined })
    const first = asked(await ask())
    expect(asked(await ask()).id).toBe(first.id)
    await answer(ada, await ask())
    const ruling = await ask()
    await one.done(owner, allowed(ruling), 'sent')
    expect(asked(await ask()).id).not.toBe(first.id)
  })

  it('an account that a page sent is judged by the same rules, and a yes is for that person alone', async () => {
    const ada = await alone()
    const { one, call } = ada
    const held = (generation: string) => call({ account: 'held.1', facts: { provider: 'held', generation } })
    await answer(ada, await one.judge(held('octocat')))
    expect(await one.judge(held('mona'))).toMatchObject({ word: 'asking' })
    await answer(ada, await one.judge(held('mona')))
    expect(await one.judge(held('mona'))).toMatchObject({ word: 'allowed' })
  })

  it.each(['{', '[]', '{"agents":{"scout":{"rules":[{"decision":"maybe"}]}}}'])(
    'rules that are %s stop everything',
    async (text) => {
      const { one, owner, store, call, log } = await alone()
      const request = asked(await one.judge(call()))
      await store.asPerson(owner, Date.now(), (rows) => rows.putRules(text))
      for (const effect of ['read', 'write'] as const) {
        expect(await one.judge(call({ tool: { ...SEND, effect } }))).toMatchObject({ word: 'never' })
      }
      expect((await log()).at(-1)).toMatchObject({ action: 'deny', reason: 'rules_unreadable' })
      await expect(one.answer(owner, request.id, { answer: 'yes' })).rejects.toMatchObject({ code: 'invalid_request' })
      expect(await one.stop(owner, { everything: true })).toMatchObject({ denied: 1 })
      await expect(one.resume(owner, { everything: true })).rejects.toMatchObject({ code: 'storage_unavailable' })
      expect(await store.asPerson(owner, Date.now(), async ({ rules }) => rules)).toBe(text)
    },
  )

  it('arguments that are no JSON are refused, and values that JSON changes reach the tool as they are', async () => {
    const { one, call, prefer } = await alone()
    await prefer('trusted')
    const loop: Record<string, unknown> = {}
    loop.loop = loop
    for (const args of [loop, { n: Number.NaN }, { n: 1n }, { text: '\ud800' }]) {
      await expect(one.judge(call({ args }))).rejects.toMatchObject({ code: 'invalid_request' })
    }
    const args = { at: new Date(0) }
    expect(((await one.judge(call({ args }))) as { args: unknown }).args).toBe(args)
  })

  it('a person is not asked more than they can answer', async () => {
    const { one, owner, call } = await alone()
    for (let at = 0; at < 500; at += 1) asked(await one.judge(call({ run: `r${at}` })))
    await expect(one.judge(call({ run: 'new' }))).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    const [first] = await one.requests(owner)
    await one.answer(owner, first?.id ?? '', { answer: 'no' })
    expect(await one.judge(call({ run: 'new' }))).toMatchObject({ word: 'asking' })
  }, 60_000)

  it('what is stored tells nothing of the arguments, and opens after its key is rotated', async () => {
    const file = path.join(folder, 'dump.db')
    const store = sqliteStore(file)
    opened.push(store)
    const [old, fresh] = [KEY, Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')]
    const before = await person([store, store])
    const { owner, call, one } = before
    await answer(before, await one.judge(call({ args: { to: 'CANARY_ARGS' } })))
    await one.done(owner, allowed(await one.judge(call({ args: { to: 'CANARY_ARGS' } }))), 'CANARY_RESULT')
    const after = createOverseer({ store, keys: localKeys(fresh, old) })
    const result = { word: 'done', result: 'CANARY_RESULT' }
    expect(await after.judge(call({ args: { to: 'CANARY_ARGS' } }))).toEqual(result)
    const ticket = async (overseer: Overseer) => overseer.judge(call({ run: 'r2' }))
    await answer({ one: after, owner } as never, await ticket(after))
    // The old key is gone: what it sealed is, too, and the digests of the tenant are not.
    const later = createOverseer({ store, keys: localKeys(fresh) })
    expect(await ticket(later)).toMatchObject({ word: 'allowed' })
    const all = await store.asPerson(owner, Date.now(), async (rows) => [
      ...(await rows.documents('call')),
      ...(await rows.documents('request')),
    ])
    expect(all.length).toBeGreaterThan(3)
    for (const { sealed, id } of all) expect(`${id}${Buffer.from(sealed)}`).not.toContain('CANARY')
    expect(JSON.stringify(await store.readAudit(owner.tenant, { limit: 1000 }))).not.toContain('CANARY')
  })

  it('an account of the vault has another generation after a reconnect, and the same after a change', async () => {
    const vault = openVault({ store: memoryStore(), keys })
    const owner = { tenant: 'one', user: 'ada' }
    const facts = { id: 'acme.1', provider: 'acme', issuer: 'https://acme.example', label: 'ada', subject: '1815' }
    const account: ConnectedAccount = {
      ...{ ...facts, scopes: [], missingScopes: [], status: 'connected', renewable: true, connectedAt: 1, rev: 0 },
    }
    const connect = () => vault.save(owner, 'acme.1', () => ({ account, secret: { fields: { key: 'k' } } }))
    const { generation } = await connect()
    expect(generation).toBeGreaterThan(0)
    await vault.mark(owner, 'acme.1', 'needs-reconnect', 'expired')
    expect(await vault.mark(owner, 'acme.1', 'connected', undefined)).toMatchObject({ generation })
    const again = await connect()
    expect(again.generation).toBeGreaterThan(generation ?? 0)
    // Also one that was disconnected meanwhile, within a millisecond.
    await vault.remove(owner, 'acme.1')
    expect((await connect()).generation).toBeGreaterThan(again.generation ?? 0)
    await vault.close()
  })
})
