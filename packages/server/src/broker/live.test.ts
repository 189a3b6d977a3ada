// Security cases L, 207: What a person is told as it happens. A release waits for 207.
import { AsyncLocalStorage } from 'node:async_hooks'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Activity } from '@latchkey/core/agents'
import { BROKER_HEADER } from '@latchkey/core/token'
import { type PostgresServer, startPostgres } from '@latchkey/sandbox/postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createBroker } from '../index.ts'
import { memoryStore } from '../stores/memory.ts'
import { postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { Owner, VaultStore } from '../stores/store.ts'
import { type AuditEvent, createAudit } from '../vault/audit.ts'
import { localKeys } from '../vault/keys.ts'
import { createPersonLog } from '../vault/person-log.ts'
import { createFeed, type Feed } from './live.ts'

const APP = 'https://app.example'
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')

let postgres: PostgresServer
let folder: string
const ends: (() => unknown)[] = []
beforeAll(async () => {
  postgres = await startPostgres()
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-live-'))
}, 120_000)
afterEach(async () => {
  vi.useRealTimers()
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(async () => {
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
})

const USE: AuditEvent = { action: 'use', outcome: 'allowed', provider: 'acme', account: 'acme.1', agent: 'chief' }

interface Told {
  event: string
  id?: number
  data: { user?: string; tool?: string; seq?: number; resumed?: boolean }
}

/** Reads a stream event by event. */
function reader(stream: ReadableStream<Uint8Array>) {
  const reader = stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let waiting = ''
  return {
    all: '',
    /** The next event, or undefined at the end. */
    async next(): Promise<Told | undefined> {
      for (;;) {
        const end = waiting.indexOf('\n\n')
        if (end >= 0) {
          const block = waiting.slice(0, end)
          waiting = waiting.slice(end + 2)
          if (block === ':') continue
          const field = (name: string) => block.split('\n').find((line) => line.startsWith(`${name}: `))
          const id = field('id')?.slice(4)
          const data = JSON.parse(field('data')?.slice(6) ?? 'null')
          return { event: field('event')?.slice(7) ?? '', ...(id && { id: Number(id) }), data }
        }
        const { value, done } = await reader.read()
        if (done) return undefined
        this.all += value
        waiting += value
      }
    },
    async take(count: number): Promise<(Told | undefined)[]> {
      const told = []
      while (told.length < count) told.push(await this.next())
      return told
    },
    leave: () => reader.cancel(),
  }
}

const signal = () => new AbortController().signal
const isStill = async () => true

async function follow(feed: Feed, owner: Owner, after?: number) {
  const stream = await feed.open(owner, { after, isStill, signal: signal() })
  return reader(stream as ReadableStream<Uint8Array>)
}

describe.each<[string, () => VaultStore]>([
  ['memory', memoryStore],
  ['sqlite', () => sqliteStore(path.join(folder, 'live.db'))],
  ['postgres', () => postgresStore({ url: postgres.url })],
])('a log in %s', (name, open) => {
  let store: VaultStore
  let tenants = 0
  beforeAll(() => {
    store = open()
  })
  afterAll(() => store.close())

  const setUp = () => {
    const log = createPersonLog(store)
    const feed = createFeed(log)
    ends.push(() => feed.close())
    const tenant = `${name}${++tenants}`
    return { log, feed, audit: createAudit(store), tenant, ada: { tenant, user: 'ada' }, eve: { tenant, user: 'eve' } }
  }

  it('case 207: many who follow at once are told what is theirs, whatever they were called in', async () => {
    const { feed, audit, tenant } = setUp()
    const context = new AsyncLocalStorage<Owner>()
    const people = ['', 'b', 'c'].flatMap((end) =>
      ['ada', 'bob', 'eve', 'mallory'].map((user) => ({ tenant: `${tenant}${end}`, user })),
    )
    // Each stream is opened in the run of somebody else, and each entry is written in another one's.
    const of = (at: number) => people[at % people.length] as Owner
    const streams = await Promise.all(people.map((owner, at) => context.run(of(at + 5), () => follow(feed, owner))))
    const written = Array.from({ length: 10 }, (_, round) =>
      people.map((owner, at) => {
        const tool = `${owner.tenant}/${owner.user}/${round}`
        return context.run(of(at + round), () => audit.record(owner, { ...USE, tool }))
      }),
    )
    await Promise.all(written.flat())
    for (const [at, stream] of streams.entries()) {
      const [first, ...told] = await stream.take(11)
      expect(first).toMatchObject({ event: 'following', data: { resumed: false } })
      const { tenant, user } = of(at)
      expect(told.map((one) => one?.data.tool)).toEqual(Array.from({ length: 10 }, (_, n) => `${tenant}/${user}/${n}`))
    }
    feed.close()
    for (const [at, stream] of streams.entries()) {
      expect(await stream.next()).toBeUndefined()
      for (const { tenant, user } of people.filter((one) => one !== of(at))) {
        expect(stream.all).not.toContain(`${tenant}/${user}/`)
      }
    }
  })

  it('goes on after the last entry that a page knows, or says that it is too far behind', async () => {
    const { feed, audit, ada, eve } = setUp()
    const seqOf = async () => (await audit.activity(ada)).uses[0]?.seq ?? 0
    await audit.record(ada, USE)
    const known = await seqOf()
    await audit.record(eve, USE)
    await audit.record(ada, { ...USE, tool: 'acme/list' })
    await audit.record(ada, { action: 'refresh', outcome: 'allowed' })
    const stream = await follow(feed, ada, known)
    expect(await stream.take(2)).toMatchObject([
      { event: 'use', id: known + 2, data: { tool: 'acme/list' } },
      { event: 'following', id: known + 3, data: { resumed: true } },
    ])
    await stream.leave()
    await Promise.all(Array.from({ length: 200 }, () => audit.record(ada, USE)))
    for (const after of [known, undefined, 1e9]) {
      const late = await follow(feed, ada, after)
      expect(await late.next()).toMatchObject({ event: 'following', id: known + 203, data: { resumed: false } })
      await late.leave()
    }
  })

  it('says when what waits has changed, and tells no secret and no digest', async () => {
    const { feed, audit, ada } = setUp()
    const stream = await follow(feed, ada)
    await stream.next()
    await audit.record(ada, { ...USE, action: 'ask', outcome: 'denied', request: 'r'.repeat(22) })
    const [use, requests] = await stream.take(2)
    expect(use).toMatchObject({ event: 'use', data: { action: 'ask', agent: 'chief' } })
    expect(use?.data).not.toHaveProperty('hash')
    expect(use?.data).not.toHaveProperty('user')
    expect(requests).toEqual({ event: 'requests', data: {} })
  })

  it('case 208: is checked as a whole, and says of it what is the own', async () => {
    const { log, audit, ada, eve } = setUp()
    expect(await log.check(ada)).toEqual({ ok: true, entries: 0 })
    for (const owner of [ada, eve, eve, ada, eve]) await audit.record(owner, USE)
    await audit.record(ada, { action: 'refresh', outcome: 'allowed' })
    const { uses } = await audit.activity(ada)
    const [last, first] = uses as [Activity, Activity]
    expect(await log.check(ada)).toEqual({ ok: true, entries: 2, since: first.at, until: last.at })
    expect(await log.check({ ...ada, user: 'nobody' })).toEqual({ ok: true, entries: 0 })
    // Somebody else's entry before the own second one.
    const changed = createPersonLog({
      ...store,
      readAudit: async (...asked) =>
        (await store.readAudit(...asked)).map((row) => (row.seq === 3 ? { ...row, at: row.at - 1 } : row)),
    })
    expect(await changed.check(ada)).toEqual({ ok: false, entries: 1, since: first.at, until: first.at })
  })

  it('is checked in batches: other work goes on, it can be ended, and it runs once for each person', async () => {
    const { log, ada, tenant } = setUp()
    const entries = Array.from({ length: 2500 }, () => ({ at: 1, user: 'ada', event: JSON.stringify(USE) }))
    const { auditHash } = await import('../vault/audit.ts')
    await store.appendAudit(tenant, entries, auditHash)
    let turns = 0
    const count = () => {
      turns += 1
      going = setImmediate(count)
    }
    let going = setImmediate(count)
    const [verdict, again] = await Promise.allSettled([log.check(ada), log.check(ada)])
    clearImmediate(going)
    expect(turns).toBeGreaterThanOrEqual(2)
    expect(verdict).toMatchObject({ status: 'fulfilled', value: { ok: true, entries: 2500 } })
    expect(again).toMatchObject({ status: 'rejected', reason: { code: 'temporarily_unavailable', retryAfter: 5 } })

    const end = new AbortController()
    const read = vi.fn(store.readAudit)
    const ended = createPersonLog({ ...store, readAudit: read }).check(ada, end.signal)
    end.abort()
    await expect(ended).rejects.toMatchObject({ code: 'cancelled' })
    expect(read).toHaveBeenCalledOnce()
    expect(await log.check(ada)).toMatchObject({ ok: true })
  })

  it('knows when what was last used, and from when on that is known', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1000 })
    const { log, audit, ada, eve } = setUp()
    expect(await log.lastUses(ada)).toEqual({ uses: [] })
    await audit.record(ada, { ...USE, tool: 'acme/list' })
    vi.setSystemTime(2000)
    await audit.record(ada, USE)
    await audit.record(ada, { ...USE, action: 'deny', outcome: 'denied', tool: 'acme/send' })
    await audit.record(eve, { ...USE, tool: 'acme/send' })
    const of = { account: 'acme.1', agent: 'chief' }
    expect(await log.lastUses(ada)).toEqual({
      uses: [
        { ...of, at: 2000 },
        { ...of, tool: 'acme/list', at: 1000 },
      ],
      since: 1000,
    })
  })
})

describe('the routes of a person', () => {
  /** An app, and the session of its only person. */
  function open(store: VaultStore) {
    const state = { session: 'ada' as string | null }
    const broker = createBroker<string>({
      providers: [],
      authenticate: () => state.session,
      allowedOrigins: [APP],
      oversight: { store, keys: localKeys(KEY) },
    })
    ends.push(() => broker.close())
    const call = (route: string, init: RequestInit = {}) => {
      const headers = { origin: APP, [BROKER_HEADER]: '1', ...(init.headers as Record<string, string>) }
      return broker(new Request(`${APP}/api/latchkey/${route}`, { ...init, headers }))
    }
    const post = (route: string) =>
      call(route, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    return { state, call, post }
  }
  const ADA = { tenant: 'default', user: 'ada' }
  const opened = (store = memoryStore()) => {
    ends.push(() => store.close())
    return store
  }

  it('tell what another process of the same store has written', async () => {
    const file = path.join(folder, 'two.db')
    const here = open(opened(sqliteStore(file)))
    const there = opened(sqliteStore(file))
    const response = await here.call('activity/live')
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const stream = reader(response.body as ReadableStream<Uint8Array>)
    await stream.next()
    await createAudit(there).record(ADA, { ...USE, tool: 'acme/list' })
    expect(await stream.next()).toMatchObject({ event: 'use', id: 1, data: { tool: 'acme/list' } })
    await stream.leave()
    const again = await here.call('activity/live', { headers: { 'last-event-id': '1' } })
    const resumed = reader(again.body as ReadableStream<Uint8Array>)
    expect(await resumed.next()).toMatchObject({ event: 'following', data: { resumed: true } })
    await resumed.leave()
  })

  it('end with the session, or when another person signs in', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const { state, call } = open(opened())
    for (const next of [null, 'eve']) {
      state.session = 'ada'
      const stream = reader((await call('activity/live')).body as ReadableStream<Uint8Array>)
      await stream.next()
      await vi.advanceTimersByTimeAsync(16_000)
      state.session = next
      const ended = stream.next()
      await vi.advanceTimersByTimeAsync(16_000)
      expect(await ended).toBeUndefined()
      // Until then there was a sign of life.
      expect(stream.all).toMatch(/\n\n:\n\n$/)
    }
  })

  it('are for the own pages, and for so many at once', async () => {
    const { call, post, state } = open(opened())
    for (const route of ['activity/live', 'activity/last']) {
      expect((await call(route, { headers: { origin: 'https://evil.example' } })).status).toBe(403)
    }
    expect((await call('activity/verify')).status).toBe(404)
    expect((await call('activity/live', { headers: { 'last-event-id': 'x' } })).status).toBe(400)
    for (let at = 0; at < 20; at++) expect((await call('activity/live', { method: 'HEAD' })).body).toBeNull()
    const streams = await Promise.all(Array.from({ length: 9 }, () => call('activity/live')))
    expect(streams.map(({ status }) => status)).toEqual([...Array(8).fill(200), 429])
    await streams[0]?.body?.cancel()
    expect((await call('activity/live')).status).toBe(200)
    expect(await (await post('activity/verify')).json()).toEqual({ ok: true, entries: 0 })
    expect(await (await call('activity/last')).json()).toEqual({ uses: [] })
    state.session = null
    expect((await post('activity/verify')).status).toBe(401)
  })
})
