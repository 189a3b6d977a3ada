// @vitest-environment jsdom
// Everything ends: servers that do not answer, tabs that do not finish, answers that come late, rows that nobody needs.

import { CANARY, GRACE, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { forceCloseDatabase } from 'fake-indexeddb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { acme, connect, failure } from '../../fixtures/acme.ts'
import { eventually, freshPage, locks, openPopups, visitCallback } from '../../fixtures/page.ts'
import { createLatchkey, type LatchkeyClient, type LatchkeyOptions, oidc } from '../index.ts'
import { openDatabase } from './database.ts'

let server: TinyServer
const leave: (() => void)[] = []

beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
beforeEach(() => server.reset())
afterEach(async () => {
  for (const end of leave.splice(0)) end()
  await freshPage()
})

const tab = (options: Partial<LatchkeyOptions> = {}) =>
  createLatchkey({ providers: [acme(server)], redirectUri: '/callback', ...options })
const accounts = (client: LatchkeyClient) => Object.values(client.getSnapshot().accounts)
const BOTH = ['refresh_token', 'access_token']
const sent = (path: string, name: string) => server.to(path).map(({ body }) => new URLSearchParams(body).get(name))

/** The next request to this route is never answered. */
const hang = (path: string) => server.instead.push((asked) => asked === path)
/** The next answer of the token endpoint comes when `answer` is called. */
function holdBack(): () => void {
  const { promise: after, resolve } = Promise.withResolvers<void>()
  server.fault('/token', { after })
  return resolve
}
/** Time limits run out when a test says so. */
function stopClocks() {
  const limits: { ms: number; end: AbortController }[] = []
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const end = new AbortController()
    limits.push({ ms, end })
    return end.signal
  })
  return {
    /** Ends every limit of this length. */
    pass: (ms: number) => {
      for (const limit of limits) if (limit.ms === ms) limit.end.abort(new DOMException('Too late.', 'TimeoutError'))
    },
    lengths: () => limits.map(({ ms }) => ms),
  }
}
/** A client whose account is due for a refresh, and whose next tokens live for an hour. */
async function withDueAccount(options: Partial<LatchkeyOptions> = {}) {
  server.settings.expiresIn = 0
  const client = tab(options)
  const { id } = await connect(client, server)
  server.settings.expiresIn = 3600
  return { client, id }
}
const asked = (count = 1) => eventually(() => expect(server.refreshes()).toHaveLength(count))

describe('a token endpoint that never answers', () => {
  it('case 232: getToken rejects in time in all tabs, after one request', async () => {
    const { client } = await withDueAccount()
    const other = tab()
    const { pass } = stopClocks()
    hang('/token')
    const tokens = [client, other, client].map((one) => failure(one.getToken('acme')))
    await asked()
    pass(10_000)
    for (const error of await Promise.all(tokens)) expect(error).toMatchObject({ code: 'network', provider: 'acme' })
    expect(server.refreshes()).toHaveLength(1)
    expect(accounts(client)).toMatchObject([{ status: 'connected' }])
  })

  it('case 232: pause, connect and disconnect do not wait behind a refresh', async () => {
    const { client, id } = await withDueAccount()
    const { pass } = stopClocks()
    hang('/token')
    const late = failure(client.getToken('acme'))
    await asked()
    await client.pause(id)
    await client.unpause(id)
    await connect(client, server)
    expect(server.isLive(await client.getToken({ accountId: id }))).toBe(true)
    const receipt = client.disconnect(id)
    expect(accounts(client)).toEqual([])
    // A refresh that is about to answer has a second.
    await eventually(() => {
      pass(1000)
      expect(server.to('/revoke')).toHaveLength(2)
    })
    expect(await receipt).toEqual({ status: 'revoked', tokens: BOTH })
    pass(10_000)
    expect(await late).toMatchObject({ code: 'cancelled' })
    expect(accounts(tab())).toEqual([])
  })

  it('case 232: connect can be cancelled while the code is redeemed, and a late token is no account', async () => {
    const popups = openPopups()
    const client = tab()
    const answer = holdBack()
    const outcome = client.connect('acme')
    visitCallback(server.approve(await popups[0]!.at()))
    await eventually(() => expect(server.to('/token')).toHaveLength(1))
    client.cancel('acme')
    expect(await outcome).toEqual({ status: 'cancelled', next: 'connect' })
    expect(client.getSnapshot()).toMatchObject({ providers: {}, accounts: {} })
    answer()
    await eventually(() => expect(server.to('/userinfo')).toHaveLength(1))
    await connect(client, server, { person: GRACE })
    expect(accounts(client)).toMatchObject([{ label: 'grace' }])
    expect(accounts(tab())).toHaveLength(1)
  })
})

describe('other endpoints that never answer', () => {
  it('case 232: a disconnect ends in time, and connect does not wait behind its revocation', async () => {
    const client = tab()
    const { id } = await connect(client, server)
    const { pass } = stopClocks()
    hang('/revoke')
    const receipt = client.disconnect(id)
    await eventually(() => expect(server.to('/revoke')).toHaveLength(1))
    await connect(client, server)
    pass(10_000)
    expect(await receipt).toMatchObject({ status: 'removed', error: { code: 'network' } })
    expect(accounts(client)).toMatchObject([{ id, status: 'connected' }])
    expect(server.isLive(await tab().getToken('acme'))).toBe(true)
  })

  it('case 232: a rotated token is kept though its profile is never read', async () => {
    const { client } = await withDueAccount()
    const { pass } = stopClocks()
    hang('/userinfo')
    const token = client.getToken('acme')
    await eventually(() => expect(server.to('/userinfo')).toHaveLength(2))
    pass(5000)
    expect(server.isLive(await token)).toBe(true)
    expect(await tab().getToken('acme')).toBe(await token)
    expect(accounts(client)).toMatchObject([{ label: 'ada', status: 'connected' }])
  })

  it.each([
    ['/userinfo', {}],
    ['/.well-known/openid-configuration', { discovered: true }],
    ['/broker/providers', { broker: true }],
    ['/broker/token', { broker: true }],
  ])('case 232: connect can be cancelled while %s is asked, and the next connect asks again', async (path, kind) => {
    const { discovered, broker }: { discovered?: boolean; broker?: boolean } = kind
    const popups = openPopups()
    const discovers = oidc({ id: 'acme', name: 'Acme', issuer: server.origin, baseUrl: server.origin, clientId: 'app' })
    const named = { ...(discovered ? discovers : acme(server)), ...(broker && { id: 'github' }) }
    const client = tab({ providers: [named], ...(broker && { broker: server.broker }) })
    const { pass } = stopClocks()
    hang(path)
    const outcome = client.connect(named.id)
    if (path === '/userinfo' || path === '/broker/token') visitCallback(server.approve(await popups[0]!.at()))
    await eventually(() => expect(server.to(path)).toHaveLength(1))
    client.cancel(named.id)
    expect(await outcome).toEqual({ status: 'cancelled', next: 'connect' })
    // Metadata is shared by all who wait for it.
    if (discovered) pass(10_000)
    const again = client.connect(named.id)
    visitCallback(server.approve(await popups[1]!.at(), GRACE))
    expect(await again).toMatchObject({ status: 'connected', account: { label: 'grace' } })
    expect(accounts(client)).toHaveLength(1)
  })

  it('case 310: a tab that never ends its turn is not waited for longer than any request', async () => {
    const { client, id } = await withDueAccount()
    const { pass } = stopClocks()
    const never = new Promise<void>(() => {})
    locks.request(`latchkey:${id}`, () => never)
    const token = failure(client.getToken('acme'))
    await eventually(() => {
      pass(60_000)
      return expect(Promise.race([token, Promise.reject(new Error('It waits.'))])).resolves.toBeDefined()
    })
    expect(await token).toMatchObject({ code: 'timeout', next: 'retry' })
    expect(server.refreshes()).toEqual([])
    expect(accounts(client)).toMatchObject([{ status: 'connected' }])
  })
})

describe('a late answer', () => {
  it('case 244: after the person connected again it is dropped, and not revoked', async () => {
    const { client, id } = await withDueAccount()
    const answer = holdBack()
    const token = client.getToken('acme')
    await asked()
    await connect(client, server)
    const newest = await client.getToken('acme')
    answer()
    expect(await token).toBe(newest)
    expect(server.to('/revoke')).toEqual([])
    expect(accounts(client)).toMatchObject([{ id, status: 'connected' }])
    expect(await tab().getToken('acme')).toBe(newest)
    // Its refresh token is the new one, too.
    expect(server.isLive(await tab().getToken('acme', { minValidity: 7200 }))).toBe(true)
    expect(server.reused).toBe(0)
  })

  it('case 244: after a disconnect and a new connect it is dropped, and not revoked', async () => {
    const { client, id } = await withDueAccount()
    const { pass } = stopClocks()
    const answer = holdBack()
    const token = failure(client.getToken('acme'))
    await asked()
    const receipt = client.disconnect(id)
    await eventually(() => {
      pass(1000)
      expect(server.to('/revoke')).toHaveLength(2)
    })
    await receipt
    const ended = sent('/revoke', 'token')
    await connect(client, server)
    answer()
    await token.catch(() => {})
    expect(sent('/revoke', 'token')).toEqual(ended)
    expect(server.isLive(await tab().getToken('acme'))).toBe(true)
  })

  it('case 244: a connect that is faster than the disconnect before it stays', async () => {
    const { client, id } = await withDueAccount()
    const { pass } = stopClocks()
    hang('/token')
    const late = client.getToken('acme').catch(() => {})
    await asked()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1 })
    const receipt = client.disconnect(id)
    await connect(client, server)
    pass(1000)
    await receipt
    pass(10_000)
    await late
    expect(server.to('/revoke')).toEqual([])
    expect(server.isLive(await tab().getToken('acme'))).toBe(true)
  })

  it('case 311: a refresh token that was exchanged meanwhile is replaced in the new secret that goes on with it', async () => {
    const { client } = await withDueAccount()
    const answer = holdBack()
    const token = client.getToken('acme')
    await asked()
    // Google gives a refresh token at the first connect only.
    server.fault('/token', { change: ({ refresh_token: _, ...first }) => first })
    const again = connect(client, server)
    await again
    answer()
    await token
    expect(server.isLive(await tab().getToken('acme', { minValidity: 7200 }))).toBe(true)
    expect(server.reused).toBe(0)
  })
})

describe('tokens that live for a short time', () => {
  it.each([60, 30, 10, 1])('case 279: a token of %d s is used, and refreshed once for 50 uses', async (seconds) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = seconds
    const client = tab()
    await connect(client, server)
    const use = async (one: LatchkeyClient) => {
      for (let turn = 0; turn < 25; turn += 1) {
        await one.getToken('acme')
        await one.getIdentities()
      }
    }
    await use(client)
    expect(server.refreshes()).toEqual([])
    vi.setSystemTime(Date.now() + seconds * 700)
    await use(client)
    await use(tab())
    expect(server.refreshes()).toHaveLength(1)
  })
})

describe('a database that the browser closes', () => {
  it.each([
    ['with an event', (database: IDBDatabase) => forceCloseDatabase(database as never)],
    ['without one', (database: IDBDatabase) => database.close()],
  ])('case 237: %s, is opened again, and a rotated token is alive after a reload', async (_how, close) => {
    const opened = vi.spyOn(indexedDB, 'open')
    const { client } = await withDueAccount()
    for (const { value } of opened.mock.results) close((value as IDBOpenDBRequest).result)
    const token = await client.getToken('acme')
    expect(client.getSnapshot().persistence).toBe('available')
    expect(await tab().getToken('acme')).toBe(token)
    expect(server.refreshes()).toHaveLength(1)
    expect(server.isLive(await tab().getToken('acme', { minValidity: 7200 }))).toBe(true)
    expect(server.reused).toBe(0)
  })

  it('case 237: in the middle of the write of a rotated token, which is written again', async () => {
    const opened = vi.spyOn(indexedDB, 'open')
    const { client } = await withDueAccount()
    const { put } = IDBObjectStore.prototype
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore, value, key) {
      for (const { value: request } of opened.mock.results)
        forceCloseDatabase((request as IDBOpenDBRequest).result as never)
      return put.call(this, value, key)
    })
    const token = await client.getToken('acme')
    expect(client.getSnapshot().persistence).toBe('available')
    expect(await tab().getToken('acme')).toBe(token)
  })
})

describe('accounts that ever were in a browser', () => {
  const fake = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  const watched = (client: LatchkeyClient) => leave.push(client.mount())
  const rows = async () => [
    ...(await openDatabase('latchkey').keys('secrets')),
    ...(await openDatabase('latchkey').keys('leases')),
  ]

  it('case 288: leave no row in a page that stays open', async () => {
    const client = tab()
    watched(client)
    const { id } = await connect(client, server)
    const other = await connect(client, server, { person: GRACE })
    fake()
    await client.disconnect(other.id)
    expect((await rows()).sort()).toEqual([id, other.id].sort())
    await vi.advanceTimersByTimeAsync(61_000)
    await eventually(async () => {
      await vi.advanceTimersByTimeAsync(61_000)
      expect(await rows()).toEqual([id])
    })
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('case 288: 1,000 leave no row after two minutes of a page without accounts, whose next start loads nothing', async () => {
    const client = tab()
    const { id } = await connect(client, server)
    await client.disconnect(id)
    const database = openDatabase('latchkey')
    for (let at = 0; at < 1000; at += 1) await database.add('secrets', `acme.${at}`, { rev: 2, sealed: null })
    await database.add('leases', 'latchkey:acme.x', { owner: 'gone', until: Date.now() })
    await database.add('leases', 'latchkey:acme.y', { owner: 'gone', until: 9e15 })
    fake()
    watched(tab())
    await eventually(async () => {
      await vi.advanceTimersByTimeAsync(61_000)
      expect(await rows()).toEqual([])
    })
    await eventually(() => expect(localStorage.getItem('latchkey:v')).toBeNull())
    expect(vi.getTimerCount()).toBe(0)
  }, 60_000)

  it('case 288: a clock that is set back does not keep them', async () => {
    const client = tab()
    await connect(client, server)
    const database = openDatabase('latchkey')
    await database.add('secrets', 'acme.x', { rev: 2, sealed: null, orphan: Date.now() + 9e9 })
    fake()
    watched(client)
    await eventually(async () => {
      await vi.advanceTimersByTimeAsync(61_000)
      expect(await rows()).toHaveLength(1)
    })
  })
})
