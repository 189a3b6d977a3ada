// Security cases D, 66-78, 232, 237, 241-248, 279, 283, 288, 310-312, 330: Refresh. A release waits for 66-68, 72, 232, 237, 241-248, 279, 283, 312, 330.
// @vitest-environment jsdom

import { CANARY, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { acme, connect, failure } from '../../fixtures/acme.ts'
import { eventually, freshPage, locks } from '../../fixtures/page.ts'
import { createLatchkey, type LatchkeyClient, type LatchkeyOptions } from '../index.ts'
import { openDatabase } from './database.ts'

let server: TinyServer
let leave: (() => void)[] = []

beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
beforeEach(() => {
  server.reset()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
})
afterEach(async () => {
  for (const end of leave) end()
  leave = []
  show('visible')
  await freshPage()
})

const tab = (options: Partial<LatchkeyOptions> = {}) =>
  createLatchkey({ providers: [acme(server)], redirectUri: '/callback', ...options })
const watched = (client: LatchkeyClient) => {
  leave.push(client.mount())
  return client
}
const refreshes = () => server.to('/token').filter(({ body }) => body.includes('grant_type=refresh_token'))
const accounts = (client: LatchkeyClient) => Object.values(client.getSnapshot().accounts)
const only = (client: LatchkeyClient) => accounts(client)[0]!
const show = (state: 'visible' | 'hidden') =>
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
const fake = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
const online = (on: boolean) => Object.defineProperty(navigator, 'onLine', { value: on, configurable: true })
/** Without a refresh token nothing can be refreshed. */
const without = { change: ({ refresh_token: _, ...answer }: Record<string, unknown>) => answer }
/** Connects with the real clock, then switches to fake timers, so that the flow does not wait for them. */
async function connectedAndWatched(client = tab()) {
  await connect(client, server)
  fake()
  watched(client)
  // The first subscription starts the timer.
  await eventually(() => expect(vi.getTimerCount()).toBe(1))
  return client
}

describe('background refresh', () => {
  it("refreshes at 80 % of a token's life, once, and then again for the next token", async () => {
    const client = await connectedAndWatched()
    await vi.advanceTimersByTimeAsync(2_850_000)
    expect(refreshes()).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(30_000)
    await eventually(() => expect(refreshes()).toHaveLength(1))
    await eventually(() => expect(only(client)).toMatchObject({ status: 'connected', rev: 2 }))
    await vi.advanceTimersByTimeAsync(2_900_000)
    await eventually(() => expect(only(client)).toMatchObject({ rev: 3 }))
    expect(refreshes()).toHaveLength(2)
  })

  it('refreshes a short-lived token a minute before it expires, and never in a loop', async () => {
    server.settings.expiresIn = 120
    const client = await connectedAndWatched()
    await vi.advanceTimersByTimeAsync(57_000)
    expect(refreshes()).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(4_000)
    await eventually(() => expect(only(client)).toMatchObject({ rev: 2 }))
    // A token that is due at once is refreshed at most every half minute.
    server.settings.expiresIn = 1
    await vi.advanceTimersByTimeAsync(60_000)
    await eventually(() => expect(only(client)).toMatchObject({ rev: 3 }))
    const before = refreshes().length
    await vi.advanceTimersByTimeAsync(29_000)
    expect(refreshes()).toHaveLength(before)
  })

  it('waits while the page is hidden, and refreshes when it is shown', async () => {
    const client = await connectedAndWatched()
    show('hidden')
    await vi.advanceTimersByTimeAsync(3_500_000)
    expect(refreshes()).toHaveLength(0)
    show('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    await eventually(() => expect(only(client)).toMatchObject({ rev: 2 }))
    expect(refreshes()).toHaveLength(1)
  })

  it('ends with the last subscriber, and leaves no timer and no listener', async () => {
    await connectedAndWatched()
    for (const end of leave.splice(0)) end()
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(3_600_000)
    window.dispatchEvent(new Event('focus'))
    window.dispatchEvent(new Event('online'))
    expect(refreshes()).toHaveLength(0)
  })

  it('leaves paused accounts alone', async () => {
    const client = await connectedAndWatched()
    await client.pause(only(client).id)
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(refreshes()).toHaveLength(0)
    await client.unpause(only(client).id)
    await eventually(() => expect(only(client)).toMatchObject({ status: 'connected', rev: 2 }))
    expect(refreshes()).toHaveLength(1)
  })
})

describe('offline', () => {
  const unplug = () => {
    online(false)
    const { fetch } = globalThis
    const cut = vi
      .spyOn(globalThis, 'fetch')
      .mockImplementation((input, init) =>
        navigator.onLine ? fetch(input, init) : Promise.reject(new TypeError('Failed to fetch')),
      )
    return () => {
      online(true)
      window.dispatchEvent(new Event('online'))
      return cut
    }
  }
  afterEach(() => online(true))

  it('offline is not an error: the token is used until it expires, and refreshed when online again', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = 30
    const client = tab()
    await connect(client, server)
    // The last third of its life.
    vi.setSystemTime(Date.now() + 25_000)
    const plug = unplug()
    expect(await client.getToken('acme')).toMatch(CANARY)
    expect(only(client)).toMatchObject({ status: 'connected', reason: 'offline' })
    server.settings.expiresIn = 3600
    const listening = vi.spyOn(window, 'addEventListener')
    watched(client)
    await eventually(() => expect(listening.mock.calls.map(([name]) => name)).toContain('online'))
    vi.setSystemTime(Date.now() + 1)
    plug()
    await eventually(() => expect(only(client)).toMatchObject({ status: 'connected', reason: undefined, rev: 2 }))
    expect(refreshes()).toHaveLength(1)
  })
})

describe('statuses that change with time', () => {
  it('an account that cannot be refreshed becomes expiring, then needs-reconnect', async () => {
    server.fault('/token', without)
    const client = await connectedAndWatched()
    expect(only(client)).toMatchObject({ status: 'connected', renewable: false })
    await vi.advanceTimersByTimeAsync(3_300_000 - 2_000)
    expect(only(client).status).toBe('connected')
    await vi.advanceTimersByTimeAsync(4_000)
    expect(only(client).status).toBe('expiring')
    expect(await client.getToken('acme')).toMatch(CANARY)
    const reloaded = tab()
    expect(only(reloaded).status).toBe('expiring')
    await vi.advanceTimersByTimeAsync(300_000)
    expect(only(client)).toMatchObject({ status: 'needs-reconnect', reason: 'expired' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('a short-lived token is expiring in the last tenth of its life', async () => {
    server.settings.expiresIn = 600
    server.fault('/token', without)
    const client = await connectedAndWatched()
    await vi.advanceTimersByTimeAsync(538_000)
    expect(only(client).status).toBe('connected')
    await vi.advanceTimersByTimeAsync(3_000)
    expect(only(client).status).toBe('expiring')
  })
})

describe('an outage', () => {
  it('case 73: Retry-After is obeyed by all callers, waits grow, and the refresh token is kept', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = 30
    const client = tab()
    await connect(client, server)
    vi.setSystemTime(Date.now() + 60_000)
    server.fault('/token', { status: 429, body: 'slow down', headers: { 'retry-after': '120' } })
    const first = await failure(client.getToken('acme'))
    expect(first).toMatchObject({ code: 'temporarily_unavailable', next: 'wait', retryAfter: 120 })
    const others = await Promise.all([1, 2, 3].map(() => failure(client.getToken('acme'))))
    others.push(await failure(tab().getToken('acme')))
    for (const error of others) expect(error).toMatchObject({ next: 'wait', retryAfter: 120 })
    expect(refreshes()).toHaveLength(1)
    vi.setSystemTime(Date.now() + 119_000)
    expect(await failure(client.getToken('acme'))).toMatchObject({ retryAfter: 1 })
    expect(refreshes()).toHaveLength(1)
    // Without Retry-After it waits 1, 2, 4 seconds and so on, up to five minutes.
    vi.setSystemTime(Date.now() + 1_001)
    const waits: number[] = []
    for (let turn = 0; turn < 9; turn += 1) {
      server.fault('/token', { status: 503, body: 'no' })
      await failure(client.getToken('acme'))
      const { retryAfter = 0 } = await failure(client.getToken('acme'))
      waits.push(retryAfter)
      vi.setSystemTime(Date.now() + retryAfter * 1000 + 1)
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300])
    expect(refreshes()).toHaveLength(10)
    expect(only(client)).toMatchObject({ status: 'connected', renewable: true })
    server.settings.expiresIn = 3600
    expect(await client.getToken('acme')).toMatch(CANARY)
  })

  it('Retry-After can be a date, and a broker passes it on', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = 30
    const client = tab({ broker: server.broker })
    const account = await connect(client, server, {})
    expect(account.renewable).toBe(true)
    vi.setSystemTime(Date.now() + 60_000)
    const date = new Date(Date.now() + 90_000).toUTCString()
    server.fault('/broker/token', {
      status: 503,
      body: { error: 'temporarily_unavailable' },
      headers: { 'retry-after': date },
    })
    const { retryAfter = 0, next } = await failure(client.getToken('acme'))
    expect(next).toBe('wait')
    expect(Math.abs(retryAfter - 90)).toBeLessThanOrEqual(1)
  })

  it('a clock that is set back does not turn a wait of a second into an hour', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = 30
    const client = tab()
    await connect(client, server)
    vi.setSystemTime(Date.now() + 60_000)
    server.fault('/token', { status: 503, body: 'no' })
    await failure(client.getToken('acme'))
    vi.setSystemTime(Date.now() - 3_600_000)
    server.settings.expiresIn = 3600
    expect(await client.getToken('acme', { minValidity: 7200 })).toMatch(CANARY)
    expect(refreshes()).toHaveLength(2)
  })
})

// What servers call it: packages/server/src/broker/answers.test.ts.
describe('a grant that is over', () => {
  it('case 241: a refusal that repeats ends the account, its secret stays sealed, and a new grant counts anew', async () => {
    const fault = { status: 400, body: { error: 'token_gone_fishing' } }
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = 30
    const client = tab()
    await connect(client, server)
    vi.setSystemTime(Date.now() + 60_000)
    server.fault('/token', ...Array(10).fill(fault))
    for (let turn = 0; turn < 10; turn++) {
      await failure(client.getToken('acme'))
      vi.setSystemTime(Date.now() + 60_000)
    }
    expect(refreshes()).toHaveLength(3)
    expect(only(client)).toMatchObject({ status: 'needs-reconnect', reason: 'invalid_token' })
    expect(await openDatabase('latchkey').get('secrets', only(client).id)).toHaveProperty(
      'sealed',
      expect.stringMatching(/./),
    )
    // Connected again, it counts anew.
    server.reset()
    server.settings.expiresIn = 30
    expect(await connect(client, server)).toMatchObject({ status: 'connected' })
    vi.setSystemTime(Date.now() + 60_000)
    server.fault('/token', fault)
    await failure(client.getToken('acme'))
    expect(only(client)).toMatchObject({ status: 'connected' })
  })
})

describe('a page that is killed', () => {
  it('case 70: between answer and save: the next start tries once, then the account needs to be reconnected', async () => {
    server.settings.expiresIn = 0
    const client = tab()
    await connect(client, server)
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new Error('The page is gone.')
    })
    await client.getToken('acme')
    expect(put).toHaveBeenCalled()
    put.mockRestore()
    // The stored token was used already: the server ends the grant when it sees it again.
    const next = tab()
    localStorage.setItem(`latchkey:${only(next).id}`, localStorage.getItem(`latchkey:${only(next).id}`)!)
    expect(await failure(next.getToken('acme'))).toMatchObject({ code: 'invalid_grant' })
    expect(only(next)).toMatchObject({ status: 'needs-reconnect', reason: 'revoked', label: 'ada' })
    expect(await failure(next.getToken('acme'))).toMatchObject({ code: 'invalid_token', next: 'reconnect' })
    expect(refreshes()).toHaveLength(2)
  })

  it('one retry recovers if the server tolerates a reused refresh token once', async () => {
    server.settings.expiresIn = 0
    server.settings.rotate = false
    const client = tab()
    await connect(client, server)
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new Error('The page is gone.')
    })
    await client.getToken('acme')
    put.mockRestore()
    server.settings.expiresIn = 3600
    const next = tab()
    expect(await next.getToken('acme')).toMatch(CANARY)
    expect(only(next)).toMatchObject({ status: 'connected' })
    expect(refreshes()).toHaveLength(2)
  })
})

describe('without Web Locks', () => {
  beforeEach(() => Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true }))
  afterEach(() => Object.defineProperty(navigator, 'locks', { value: locks, configurable: true }))

  it('case 69: two tabs still make one refresh, and both get the new token', async () => {
    server.settings.expiresIn = 0
    const one = tab()
    await connect(one, server)
    const two = tab()
    server.settings.expiresIn = 3600
    const tokens = await Promise.all([one, two, one, two].map((client) => client.getToken('acme')))
    expect(new Set(tokens).size).toBe(1)
    expect(refreshes()).toHaveLength(1)
    expect(await openDatabase('latchkey').keys('leases')).toEqual([])
  })

  it('the lease of a closed tab is taken over when it expires', async () => {
    server.settings.expiresIn = 0
    const client = tab()
    const { id } = await connect(client, server)
    const database = openDatabase('latchkey')
    const until = Date.now() + 9_000
    await database.change('leases', `latchkey:${id}`, () => ({ owner: 'gone', until }))
    vi.useFakeTimers({ toFake: ['Date'] })
    const token = client.getToken('acme')
    await eventually(async () => expect(await database.keys('leases')).toHaveLength(1))
    expect(refreshes()).toHaveLength(0)
    vi.setSystemTime(until + 1)
    expect(await token).toMatch(CANARY)
    expect(refreshes()).toHaveLength(1)
  })

  it('a lease that expires absurdly late is ignored, because another clock wrote it', async () => {
    server.settings.expiresIn = 0
    const client = tab()
    const { id } = await connect(client, server)
    const late = { owner: 'gone', until: Date.now() + 3_600_000 }
    await openDatabase('latchkey').change('leases', `latchkey:${id}`, () => late)
    expect(await client.getToken('acme')).toMatch(CANARY)
  })
})

describe('rows without an owner', () => {
  it('are deleted at a later start, not at the first that sees them', async () => {
    const client = tab()
    const ada = await connect(client, server)
    const gone = await connect(client, server, { person: { sub: 'x', preferred_username: 'x' } })
    await client.disconnect(gone.id)
    const database = openDatabase('latchkey')
    vi.useFakeTimers({ toFake: ['Date'] })
    watched(tab())
    await eventually(async () => expect(await database.get('secrets', gone.id)).toHaveProperty('orphan'))
    expect((await database.keys('secrets')).sort()).toEqual([ada.id, gone.id].sort())
    vi.setSystemTime(Date.now() + 61_000)
    watched(tab())
    await eventually(async () => expect(await database.keys('secrets')).toEqual([ada.id]))
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })
})
