// @vitest-environment jsdom
import { inspect } from 'node:util'
import { ADA, CANARY, GRACE, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { acme, connect, failure } from '../fixtures/acme.ts'
import { eventually, freshPage, locks, readableStorage, storageEvent } from '../fixtures/page.ts'
import { openDatabase } from './accounts/database.ts'
import { createLatchkey, type LatchkeyOptions, memoryStore, sessionStorageStore } from './index.ts'
import { kaggle } from './providers/kaggle.ts'
import { identitiesBody } from './runtimes/ai-sdk.ts'

let server: TinyServer
const BOTH = ['refresh_token', 'access_token']

beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
beforeEach(() => server.reset())
afterEach(freshPage)

const tab = (options: Partial<LatchkeyOptions> = {}) =>
  createLatchkey({ providers: [acme(server)], redirectUri: '/callback', ...options })
const keys = (options: Partial<LatchkeyOptions> = {}) =>
  tab({ providers: [kaggle()], broker: server.broker, ...options })

const refreshes = () => server.to('/token').filter(({ body }) => body.includes('grant_type=refresh_token'))
const accounts = (client: ReturnType<typeof tab>) => Object.values(client.getSnapshot().accounts)
const recordKey = () => Object.keys(localStorage).find((key) => /^latchkey:\w+\./.test(key)) ?? ''
/** Ends every lease that a tab without Web Locks has taken. */
async function endLeases() {
  const database = openDatabase('latchkey')
  for (const name of await database.keys('leases')) await database.change('leases', name, () => undefined)
}
/** Makes tokens that are due for a refresh as soon as they arrive. */
const dueAtOnce = () => {
  server.settings.expiresIn = 0
}

describe('tokens', () => {
  it('returns a valid token without a request', async () => {
    const client = tab()
    await connect(client, server)
    const before = server.requests.length
    const [one, two] = await Promise.all([client.getToken('acme'), client.getToken('acme')])
    expect(one).toBe(two)
    expect(server.requests).toHaveLength(before)
  })

  it('says what is missing: the account, a scope or the provider', async () => {
    const client = tab()
    expect(await failure(client.getToken('acme'))).toMatchObject({
      code: 'login_required',
      provider: 'acme',
      next: 'connect',
    })
    expect(await failure(client.getToken('nobody'))).toMatchObject({ code: 'misuse' })
    expect(await failure(client.getToken({ accountId: 'acme.x' }))).toMatchObject({ code: 'login_required' })
    const account = await connect(client, server)
    expect(await failure(client.getToken('acme', { scopes: ['read', 'write'] }))).toMatchObject({
      code: 'insufficient_scope',
      account: account.id,
      next: 'reconnect',
    })
    expect(await client.getToken({ accountId: account.id }, { scopes: ['read'] })).toMatch(`${CANARY}AT`)
  })

  it('case 66: twenty calls with an expiring token make one refresh', async () => {
    dueAtOnce()
    const client = tab()
    await connect(client, server)
    server.settings.expiresIn = 3600
    const tokens = await Promise.all(Array.from({ length: 20 }, () => client.getToken('acme')))
    expect(new Set(tokens).size).toBe(1)
    expect(refreshes()).toHaveLength(1)
  })

  it('two tabs refresh a rotating token once, and both get the new one', async () => {
    dueAtOnce()
    const one = tab()
    await connect(one, server)
    const two = tab()
    server.settings.expiresIn = 3600
    const [first, second] = await Promise.all([one.getToken('acme'), two.getToken('acme')])
    expect(first).toBe(second)
    expect(refreshes()).toHaveLength(1)
    // The server ends the grant if a used refresh token is sent again. This one still works.
    expect(await two.getToken('acme', { minValidity: 7200 })).toMatch(CANARY)
    expect(accounts(two)).toMatchObject([{ status: 'connected' }])
  })

  it('a tab that missed a rotation uses the newest token, even if its own facts are old', async () => {
    dueAtOnce()
    const one = tab()
    await connect(one, server)
    const slept = tab()
    for (let turn = 0; turn < 3; turn += 1) await one.getToken('acme')
    server.settings.expiresIn = 3600
    // No storage event has arrived in this tab.
    expect(await slept.getToken('acme')).toMatch(CANARY)
    expect(refreshes()).toHaveLength(4)
    expect(accounts(slept)).toMatchObject([{ status: 'connected' }])
  })

  it('stores a rotated token before it returns it, so it survives if the page closes', async () => {
    dueAtOnce()
    const client = tab()
    await connect(client, server)
    server.settings.expiresIn = 3600
    const token = await client.getToken('acme')
    // A page that starts now has only what was stored.
    expect(await tab().getToken('acme')).toBe(token)
    expect(refreshes()).toHaveLength(1)
  })

  it('case 71: an answer without a refresh token keeps the old one, one with it replaces it', async () => {
    dueAtOnce()
    const client = tab()
    await connect(client, server)
    const sent = () => new URLSearchParams(refreshes().at(-1)!.body).get('refresh_token')
    server.settings.rotate = false
    await client.getToken('acme')
    const first = sent()
    await client.getToken('acme')
    expect(sent()).toBe(first)
    server.settings.rotate = true
    await client.getToken('acme')
    expect(sent()).toBe(first)
    await tab().getToken('acme')
    expect(sent()).not.toBe(first)
    expect(accounts(client)).toMatchObject([{ status: 'connected', renewable: true }])
  })

  it('case 72: when a grant has ended, its secret is deleted, its account is kept, and no further refresh is tried', async () => {
    dueAtOnce()
    const client = tab()
    const account = await connect(client, server)
    server.endGrants()
    expect(await failure(client.getToken('acme'))).toMatchObject({
      code: 'invalid_grant',
      provider: 'acme',
    })
    const kept = { id: account.id, label: 'ada', status: 'needs-reconnect', reason: 'revoked' }
    expect(accounts(client)).toMatchObject([kept])
    expect(await failure(client.getToken('acme'))).toMatchObject({ code: 'invalid_token', next: 'reconnect' })
    expect(refreshes()).toHaveLength(1)
    expect(JSON.parse(localStorage.getItem(recordKey())!)).toMatchObject({ account: kept, sealed: '' })
    const reloaded = tab()
    expect(accounts(reloaded)).toMatchObject([kept])
    await connect(reloaded, server)
    expect(await reloaded.getToken('acme')).toMatch(CANARY)
  })

  it('reads storage again before it gives up: without locks, another tab may have refreshed first', async () => {
    dueAtOnce()
    const one = tab()
    await connect(one, server)
    const two = tab()
    Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true })
    try {
      let open = () => {}
      // The slower tab's request waits until the faster one has rotated the token.
      server.fault('/token', { after: new Promise<void>((resolve) => (open = resolve)) })
      const slow = two.getToken('acme')
      await eventually(() => expect(refreshes()).toHaveLength(1))
      server.settings.expiresIn = 3600
      // The slower tab was suspended for longer than its lease, so the lease has expired.
      await endLeases()
      const fast = await one.getToken('acme')
      open()
      expect(await slow).toBe(fast)
      expect(accounts(two)).toMatchObject([{ status: 'connected' }])
    } finally {
      Object.defineProperty(navigator, 'locks', { value: locks, configurable: true })
    }
  })

  it.each([
    ['status 503', { status: 503, body: 'no' }],
    ['status 429', { status: 429, body: 'slow down' }],
    ['HTML', { status: 502, body: '<h1>Bad gateway' }],
    ['temporarily_unavailable', { status: 503, body: { error: 'temporarily_unavailable' } }],
  ])('during an outage (%s) a valid token is used, and an expired one fails for now', async (_what, fault) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    server.settings.expiresIn = 30
    const client = tab()
    await connect(client, server)
    vi.setSystemTime(Date.now() + 25_000)
    server.fault('/token', fault)
    const living = await client.getToken('acme')
    expect(living).toMatch(CANARY)
    vi.setSystemTime(Date.now() + 60_000)
    server.fault('/token', fault)
    expect(await failure(client.getToken('acme'))).toMatchObject({ code: 'temporarily_unavailable', next: 'retry' })
    expect(accounts(client)).toMatchObject([{ status: 'connected' }])
    expect(await failure(client.getToken('acme'))).toMatchObject({ next: 'wait', retryAfter: expect.any(Number) })
    vi.setSystemTime(Date.now() + 5_000)
    expect(await client.getToken('acme')).not.toBe(living)
  })

  it('an account whose access ended and that cannot be refreshed needs to be reconnected', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const client = tab()
    server.fault('/token', { change: ({ refresh_token: _, ...answer }) => answer })
    await connect(client, server)
    expect(await client.getToken('acme', { minValidity: 7200 })).toMatch(CANARY)
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(accounts(tab())).toMatchObject([{ status: 'needs-reconnect', reason: 'expired' }])
    expect(await failure(client.getToken('acme'))).toMatchObject({ code: 'invalid_token', next: 'reconnect' })
    expect(accounts(client)).toMatchObject([{ status: 'needs-reconnect', reason: 'expired' }])
  })

  it.each([-3_600_000, 3_600_000])('case 65: a clock that is %d ms off causes no refresh loop', async (skew) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + skew)
    const client = tab()
    await connect(client, server)
    for (let turn = 0; turn < 10; turn += 1) await client.getToken('acme')
    expect(refreshes()).toEqual([])
    vi.setSystemTime(Date.now() + 3_590_000)
    for (let turn = 0; turn < 10; turn += 1) await client.getToken('acme')
    expect(refreshes()).toHaveLength(1)
  })

  it('asks for no scope when it refreshes, and records a narrower answer', async () => {
    dueAtOnce()
    const client = tab()
    await connect(client, server)
    server.fault('/token', { change: (answer) => ({ ...answer, scope: 'less' }) })
    await client.getToken('acme')
    expect(new URLSearchParams(refreshes()[0]!.body).has('scope')).toBe(false)
    expect(accounts(client)).toMatchObject([{ scopes: ['less'] }])
  })

  it('keeps the name if a refresh answer has no person, or a different one', async () => {
    dueAtOnce()
    const client = tab()
    await connect(client, server)
    for (const body of [{}, { sub: '1906', preferred_username: 'grace' }, 'no']) {
      server.fault('/userinfo', { body })
      await client.getToken('acme')
      expect(accounts(client)).toMatchObject([{ label: 'ada', subject: '1815' }])
    }
  })
})

describe('disconnecting', () => {
  it('removes the account in all tabs, then revokes both tokens', async () => {
    const client = tab()
    const account = await connect(client, server)
    const receipt = client.disconnect(account.id)
    expect(client.getSnapshot().accounts).toEqual({})
    expect(await receipt).toEqual({ status: 'revoked', tokens: BOTH })
    expect(server.to('/revoke').map(({ body }) => new URLSearchParams(body).get('token_type_hint'))).toEqual([
      'refresh_token',
      'access_token',
    ])
    expect(recordKey()).toBe('')
    expect(tab().getSnapshot().accounts).toEqual({})
    expect(await failure(client.getToken('acme'))).toMatchObject({ code: 'login_required' })
    expect(await client.disconnect(account.id)).toEqual({ status: 'removed' })
  })

  it("case 63: the provider's answer to a revocation changes nothing here, and is in the receipt", async () => {
    const client = tab({ providers: [acme(server, { manageUrl: 'https://acme.example/apps' })] })
    const account = await connect(client, server)
    server.fault('/revoke', { status: 500, body: 'no' })
    expect(await client.disconnect(account.id)).toMatchObject({
      status: 'pending',
      manageUrl: 'https://acme.example/apps',
      error: { name: 'LatchkeyError', code: 'temporarily_unavailable' },
    })
    expect(client.getSnapshot().accounts).toEqual({})
    expect(recordKey()).toBe('')
  })

  it('case 77: a running refresh does not restore a disconnected account', async () => {
    dueAtOnce()
    const client = tab()
    const account = await connect(client, server)
    let open = () => {}
    server.fault('/token', { after: new Promise<void>((resolve) => (open = resolve)) })
    const token = failure(client.getToken('acme'))
    await eventually(() => expect(refreshes()).toHaveLength(1))
    const receipt = client.disconnect(account.id)
    open()
    expect(await token).toMatchObject({ code: 'cancelled' })
    expect(await receipt).toEqual({ status: 'revoked', tokens: BOTH })
    // The token of the refresh is the one that was revoked.
    const revoked = server.to('/revoke').map(({ body }) => new URLSearchParams(body).get('token'))
    expect(revoked).toEqual([`${CANARY}RT_3`, `${CANARY}AT_3`])
    expect(client.getSnapshot().accounts).toEqual({})
    expect(tab().getSnapshot().accounts).toEqual({})
    expect(recordKey()).toBe('')
  })

  it('nor does a refresh in another tab', async () => {
    dueAtOnce()
    const one = tab()
    const account = await connect(one, server)
    const two = tab()
    let open = () => {}
    server.fault('/token', { after: new Promise<void>((resolve) => (open = resolve)) })
    const token = two.getToken('acme')
    await eventually(() => expect(refreshes()).toHaveLength(1))
    const receipt = one.disconnect(account.id)
    open()
    await token
    expect(await receipt).toEqual({ status: 'revoked', tokens: BOTH })
    expect(recordKey()).toBe('')
    // That tab does not know of it yet. Its use of the account must not save it again.
    expect(await failure(two.getToken('acme', { minValidity: 7200 }))).toMatchObject({ code: 'login_required' })
    expect(recordKey()).toBe('')
    expect(tab().getSnapshot().accounts).toEqual({})
  })

  it('nor does a status change in a stale tab', async () => {
    const one = tab()
    const account = await connect(one, server)
    const two = tab()
    await one.disconnect(account.id)
    expect(await failure(two.getToken('acme'))).toMatchObject({ code: 'login_required' })
    expect(recordKey()).toBe('')
  })

  it.each([
    ['the network is away', () => vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))],
    ['the provider is away', () => server.fault('/revoke', { status: 503, body: '' })],
  ])('is finished later where %s: the token is kept for that alone, encrypted', async (_why, fail) => {
    const client = tab({ providers: [acme(server, { manageUrl: 'https://acme.example/apps' })] })
    const account = await connect(client, server)
    fail()
    const receipt = await client.disconnect(account.id)
    expect(receipt).toMatchObject({ status: 'pending', manageUrl: 'https://acme.example/apps' })
    expect(client.getSnapshot().accounts).toEqual({})
    expect(recordKey()).toBe('')
    expect(localStorage.getItem(`latchkey:pending:${account.id}`)).toMatch(/sealed/)
    expect(await readableStorage()).not.toMatch(/CANARY|Ada|ada/)
    expect(await failure(tab().getToken('acme'))).toMatchObject({ code: 'login_required' })
    vi.unstubAllGlobals()
    // A page that is opened later.
    const end = tab().mount()
    await eventually(() => expect(localStorage.getItem(`latchkey:pending:${account.id}`)).toBeNull())
    end()
    expect(new Set(server.to('/revoke').map(({ body }) => new URLSearchParams(body).get('token'))).size).toBe(2)
    expect(server.isLive((await connect(tab(), server)) && (await tab().getToken('acme')))).toBe(true)
  })

  it('is finished as soon as the page is online again', async () => {
    const client = tab()
    const account = await connect(client, server)
    const end = client.mount()
    const online = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false)
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))
    const receipt = await client.disconnect(account.id)
    expect(receipt).toMatchObject({ status: 'pending' })
    expect(server.to('/revoke')).toEqual([])
    vi.unstubAllGlobals()
    online.mockRestore()
    // What follows it loads first.
    await eventually(() => {
      dispatchEvent(new Event('online'))
      expect(server.to('/revoke')).toHaveLength(2)
    })
    expect(receipt.status === 'pending' && (await receipt.settled)).toBe('revoked')
    await eventually(() => expect(localStorage.getItem(`latchkey:pending:${account.id}`)).toBeNull())
    end()
  })

  it('is not finished for an account that is connected again: that could end the new grant', async () => {
    const client = tab()
    const account = await connect(client, server)
    server.fault('/revoke', { status: 503, body: '' })
    expect(await client.disconnect(account.id)).toMatchObject({ status: 'pending' })
    const before = server.to('/revoke').length
    await connect(client, server)
    const end = client.mount()
    await eventually(() => expect(localStorage.getItem(`latchkey:pending:${account.id}`)).toBeNull())
    end()
    expect(server.to('/revoke')).toHaveLength(before)
  })

  it('a signed-out page has no pending revocation', async () => {
    const client = tab()
    const account = await connect(client, server)
    server.fault('/revoke', { status: 503, body: '' })
    await client.disconnect(account.id)
    await client.signOut()
    expect(Object.keys(localStorage).filter((key) => key.startsWith('latchkey:'))).toEqual([])
  })

  it('disconnects all, each with its own receipt', async () => {
    const client = tab()
    const ada = await connect(client, server)
    const grace = await connect(client, server, { person: GRACE })
    expect(await client.disconnectAll()).toEqual({
      [ada.id]: { status: 'revoked', tokens: BOTH },
      [grace.id]: { status: 'revoked', tokens: BOTH },
    })
    expect(client.getSnapshot().accounts).toEqual({})
  })

  it('an account that is connected again after it was disconnected works', async () => {
    const client = tab()
    const account = await connect(client, server)
    await client.disconnect(account.id)
    const again = await connect(client, server)
    expect(again.id).toBe(account.id)
    expect(await client.getToken('acme')).toMatch(CANARY)
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })
})

describe('keys', () => {
  const KEY = `KGAT_${CANARY}KEY`
  const PROFILE = { subject: 'ada', username: 'ada' }

  it('connects a valid key: it is checked once, and the account gets a name', async () => {
    server.keys.set(KEY, PROFILE)
    const client = keys()
    const fields = { key: KEY }
    expect(await client.verifyKey('kaggle', fields)).toEqual({ status: 'verified', username: 'ada' })
    expect(await client.connectKey('kaggle', fields)).toMatchObject({
      status: 'connected',
      account: {
        provider: 'kaggle',
        label: 'ada',
        status: 'connected',
        reason: undefined,
        scopes: [],
        renewable: false,
      },
    })
    expect(server.to('/broker/verify')).toHaveLength(1)
    expect(await client.getToken('kaggle')).toBe(KEY)
    expect(await tab({ providers: [kaggle()] }).getToken('kaggle')).toBe(KEY)
  })

  it('refuses an invalid key with a sentence, and stores nothing', async () => {
    const client = keys()
    const wrong = client.connectKey('kaggle', { key: KEY })
    expect(await failure(wrong)).toMatchObject({ code: 'invalid_token', next: 'edit-key' })
    expect(client.getSnapshot().accounts).toEqual({})
    expect(recordKey()).toBe('')
  })

  it.each([
    ['a line break', { key: `KGAT_a\r\nx: y` }],
    ['a NUL', { key: 'KGAT_\0' }],
    ['nothing', { key: '' }],
    ['more than 8 kB', { key: `KGAT_${'x'.repeat(9000)}` }],
    ['a legacy key without its username', { key: 'abc' }],
    ['letters that no header can carry', { key: 'KGAT_ключ' }],
  ])('refuses a key that is %s before it is sent anywhere', async (_what, fields) => {
    const client = keys()
    expect(await failure(client.connectKey('kaggle', fields))).toMatchObject({ code: 'invalid_token' })
    expect(server.requests).toEqual([])
  })

  it('says in a sentence that the key is missing', async () => {
    const client = keys()
    expect(await failure(client.connect('kaggle'))).toMatchObject({ code: 'misuse', next: 'edit-key' })
    const oauth = tab()
    expect(await failure(oauth.verifyKey('acme', { key: 'x' }))).toMatchObject({ code: 'misuse' })
  })

  it('stores a key that could not be checked, and checks it once at first use', async () => {
    const client = keys()
    server.fault('/broker/verify', { status: 503, body: 'no' })
    const outcome = await client.connectKey('kaggle', { key: KEY })
    expect(outcome).toMatchObject({ account: { label: 'Kaggle', reason: 'unverified', status: 'connected' } })
    server.keys.set(KEY, PROFILE)
    expect(await client.getToken('kaggle')).toBe(KEY)
    expect(accounts(client)).toMatchObject([{ label: 'ada', subject: 'ada', reason: undefined }])
    await client.getToken('kaggle')
    expect(server.to('/broker/verify')).toHaveLength(2)
    expect(accounts(keys())).toMatchObject([{ label: 'ada' }])
  })

  it('an unchecked key that turns out invalid makes the account needs-reconnect', async () => {
    const client = keys()
    server.fault('/broker/verify', { status: 503, body: 'no' })
    await client.connectKey('kaggle', { key: KEY })
    expect(await failure(client.getToken('kaggle'))).toMatchObject({ code: 'invalid_token' })
    expect(accounts(client)).toMatchObject([{ status: 'needs-reconnect', reason: 'invalid_token' }])
    expect(await client.getIdentities()).toEqual([])
  })

  it('a key that still cannot be checked is used, and the check is tried once per page', async () => {
    const client = keys()
    const down = { status: 503, body: 'no' }
    server.fault('/broker/verify', down, down, down)
    await client.connectKey('kaggle', { key: KEY })
    for (let turn = 0; turn < 3; turn += 1) expect(await client.getToken('kaggle')).toBe(KEY)
    expect(server.to('/broker/verify')).toHaveLength(2)
  })

  it("does not put another person's key on an account", async () => {
    server.keys.set(KEY, PROFILE)
    server.keys.set('KGAT_other', { subject: 'grace', username: 'grace' })
    const client = keys()
    await client.connectKey('kaggle', { key: KEY })
    const [account] = accounts(client)
    const again = client.connectKey('kaggle', { key: 'KGAT_other' }, { accountId: account!.id })
    expect(await failure(again)).toMatchObject({ code: 'account_changed' })
    expect(await client.getToken('kaggle')).toBe(KEY)
    expect(accounts(client)).toEqual([account])
  })

  it('of several accounts without a name, replaces the key of the chosen one', async () => {
    const client = keys({ broker: undefined })
    await client.connectKey('kaggle', { username: 'ada', key: 'one' })
    await client.connectKey('kaggle', { username: 'grace', key: 'two' })
    const [ada, grace] = accounts(client).sort((a, b) => a.label.localeCompare(b.label))
    const outcome = await client.connectKey('kaggle', { key: KEY }, { accountId: grace!.id })
    expect(outcome).toMatchObject({ status: 'connected', account: { id: grace!.id } })
    expect(await client.getToken({ accountId: grace!.id })).toBe(KEY)
    expect(await client.getToken({ accountId: ada!.id })).toBe('one')
    expect(accounts(client)).toHaveLength(2)
  })

  it('keeps two unchecked accounts with different usernames apart', async () => {
    const client = keys({ broker: undefined })
    await client.connectKey('kaggle', { username: 'ada', key: 'one' })
    await client.connectKey('kaggle', { username: 'grace', key: 'two' })
    await client.connectKey('kaggle', { username: 'ada', key: 'three' })
    expect(
      accounts(client)
        .map(({ label }) => label)
        .sort(),
    ).toEqual(['ada', 'grace'])
  })
})

describe('identities', () => {
  it('have the members that agent-runtimes reads, and never a refresh token', async () => {
    const client = tab({ providers: [acme(server), kaggle()] })
    const account = await connect(client, server)
    await client.connectKey('kaggle', { key: 'abc', username: 'ada' })
    const identities = await client.getIdentities()
    expect(identities).toEqual([
      {
        provider: 'acme',
        accessToken: expect.stringContaining(`${CANARY}AT`),
        scopes: ['read'],
        expiresAt: account.expiresAt,
        resource: server.origin,
        accountId: account.id,
      },
      {
        provider: 'kaggle',
        accessToken: 'abc',
        resource: 'https://api.kaggle.com',
        accountId: expect.any(String),
        fields: { username: 'ada' },
      },
    ])
    expect(JSON.stringify(identities)).not.toContain(`${CANARY}RT`)
  })

  it('leave out excluded accounts, also after a reload', async () => {
    const client = tab({ providers: [acme(server), kaggle()] })
    await connect(client, server)
    await client.connectKey('kaggle', { key: 'abc', username: 'ada' })
    client.setIncluded('writer', 'kaggle', false)
    client.setIncluded('writer', 'kaggle', false)
    const names = async (from: typeof client, options: { agent?: string; providers?: string[] }) =>
      (await from.getIdentities(options)).map(({ provider }) => provider)
    expect(await names(client, { agent: 'writer' })).toEqual(['acme'])
    expect(await names(client, { agent: 'reader' })).toEqual(['acme', 'kaggle'])
    expect(await names(client, { providers: ['kaggle'] })).toEqual(['kaggle'])
    const reloaded = tab({ providers: [acme(server), kaggle()] })
    expect(await names(reloaded, { agent: 'writer' })).toEqual(['acme'])
    reloaded.setIncluded('writer', 'kaggle', true)
    expect(await names(reloaded, { agent: 'writer' })).toEqual(['acme', 'kaggle'])
  })

  it('all of them go along under their labels, without those that an agent may not use', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const client = tab({ providers: [acme(server), kaggle()] })
    const ada = await connect(client, server)
    vi.setSystemTime(Date.now() + 1)
    const grace = await connect(client, server, { person: GRACE })
    await client.connectKey('kaggle', { key: 'abc', username: 'ada' })
    const labels = async (from = client, agent = 'writer') =>
      (await from.getAgentAccounts({ agent })).map(({ label }) => label)
    const names = [ada.label, grace.label, 'ada']
    expect(await labels()).toEqual(names)
    const body = identitiesBody(client, { agent: 'writer' })
    const { identities = [], accounts = [] } = await body()
    expect(identities.map(({ accountId }) => accountId)).toEqual([ada.id, expect.stringMatching(/^kaggle\./)])
    expect(identities.some((one) => 'label' in one)).toBe(false)
    expect(accounts).toMatchObject([
      { ...identities[0], label: ada.label },
      { provider: 'acme', accountId: grace.id, accessToken: expect.any(String), label: grace.label },
      { ...identities[1], label: 'ada' },
    ])
    expect(JSON.stringify(accounts)).not.toContain(`${CANARY}RT`)
    // Of the account that is left out neither list has anything, also after a reload.
    client.setIncluded('writer', { accountId: ada.id }, false)
    expect(await labels()).toEqual(names.slice(1))
    expect((await body()).identities?.[0]?.accountId).toBe(grace.id)
    expect(await labels(tab({ providers: [acme(server), kaggle()] }))).toEqual(names.slice(1))
    expect(await labels(client, 'reader')).toEqual(names)
    await client.pause(grace.id)
    expect(await labels()).toEqual(['ada'])
    client.setIncluded('writer', { accountId: ada.id }, true)
    expect(await labels()).toEqual([ada.label, 'ada'])
    client.setIncluded('writer', 'acme', false)
    expect(await labels()).toEqual(['ada'])
    expect((await client.getAgentAccounts({ providers: ['acme'] })).map(({ label }) => label)).toEqual([ada.label])
  })

  it('are of the default account, which is the oldest until another is chosen', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const client = tab()
    const ada = await connect(client, server)
    vi.setSystemTime(Date.now() + 1)
    const grace = await connect(client, server, { person: GRACE })
    const id = async (from: typeof client) => (await from.getIdentities())[0]?.accountId
    expect(await id(client)).toBe(ada.id)
    client.setDefault(grace.id)
    expect(await id(client)).toBe(grace.id)
    expect(await id(tab())).toBe(grace.id)
    await client.disconnect(grace.id)
    expect(await id(client)).toBe(ada.id)
  })

  it('leave out accounts that cannot be used', async () => {
    dueAtOnce()
    const client = tab()
    expect(await client.getIdentities()).toEqual([])
    await connect(client, server)
    server.endGrants()
    expect(await client.getIdentities()).toEqual([])
    expect(accounts(client)).toMatchObject([{ status: 'needs-reconnect' }])
  })
})

describe('leaks', () => {
  it('case 97: the snapshot never contains a secret', async () => {
    dueAtOnce()
    const client = tab({ providers: [acme(server), kaggle()] })
    const seen: string[] = []
    client.subscribe(() => void seen.push(inspect(client.getSnapshot(), { depth: 9, showHidden: true })))
    await connect(client, server)
    await client.connectKey('kaggle', { key: `${CANARY}KEY`, username: 'ada' })
    await client.getIdentities()
    server.endGrants()
    await client.getToken('acme').catch(() => {})
    expect(seen.length).toBeGreaterThan(3)
    expect(seen.join()).not.toContain(CANARY)
    expect(JSON.stringify(client)).not.toContain(CANARY)
  })

  it('case 94: no error contains a token, a code, a verifier or a key', async () => {
    dueAtOnce()
    const client = tab({ providers: [acme(server), kaggle()], broker: undefined })
    await connect(client, server)
    const errors: unknown[] = []
    const note = (error: unknown) => void errors.push(error)
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + 60_000)
    server.fault('/token', { echo: true })
    await client.getToken('acme').catch(note)
    server.fault('/token', { status: 200, body: { access_token: { [CANARY]: `${CANARY}AT` }, token_type: 'bearer' } })
    await client.getToken('acme').catch(note)
    server.fault('/token', { status: 502, body: `${CANARY}AT` })
    await client.getToken('acme').catch(note)
    server.fault('/token', { status: 200, body: `<${CANARY}AT` })
    await client.getToken('acme').catch(note)
    await client.connectKey('kaggle', { key: `${CANARY}\n` }).catch(note)
    await client.getToken('acme', { scopes: ['write'] }).catch(note)
    server.fault('/token', { echo: true })
    await connect(client, server).catch(note)
    server.endGrants()
    await client.getToken('acme').catch(note)
    expect(errors).toHaveLength(8)
    for (const error of errors) {
      expect(error).toMatchObject({ name: 'LatchkeyError' })
      for (const text of [String(error), JSON.stringify(error), inspect(error, { depth: 9, showHidden: true })])
        expect(text).not.toContain(CANARY)
      expect(inspect((error as Error).cause, { depth: 9 })).not.toContain(CANARY)
    }
  })

  it('a whole flow logs nothing', async () => {
    const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name))
    dueAtOnce()
    const client = tab()
    const account = await connect(client, server)
    await client.getToken('acme')
    await client.disconnect(account.id)
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
  })
})

describe('where secrets are stored', () => {
  it('the default: nothing readable in localStorage, sessionStorage or IndexedDB', async () => {
    dueAtOnce()
    const client = tab({ providers: [acme(server), kaggle()] })
    await connect(client, server)
    await client.connectKey('kaggle', { key: `${CANARY}KEY`, username: 'ada' })
    await client.getToken('acme')
    expect(client.getSnapshot()).toMatchObject({ custody: 'sealed', persistence: 'available' })
    expect(await readableStorage()).not.toContain(CANARY)
    // The search can find secrets, so finding none below means something.
    localStorage.setItem('planted', `${CANARY}PLANTED`)
    expect(await readableStorage()).toContain(CANARY)
    localStorage.removeItem('planted')
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('latchkey')
      request.onsuccess = () => resolve(request.result)
    })
    const write = database.transaction('secrets', 'readwrite')
    write.objectStore('secrets').put({ sealed: `${CANARY}PLANTED` }, 'planted')
    await new Promise((resolve) => {
      write.oncomplete = resolve
    })
    database.close()
    expect(await readableStorage()).toContain(`${CANARY}PLANTED`)
  })

  it('sessionStorage: this tab only, encrypted, survives a reload', async () => {
    const storage = sessionStorageStore()
    const client = tab({ storage })
    await connect(client, server)
    expect(client.getSnapshot().custody).toBe('session')
    expect(Object.keys(localStorage)).toEqual([])
    expect(await readableStorage()).not.toContain(CANARY)
    expect(await tab({ storage: sessionStorageStore() }).getToken('acme')).toMatch(CANARY)
  })

  it('memory: nothing is written anywhere', async () => {
    dueAtOnce()
    const storage = memoryStore()
    const client = tab({ storage })
    await connect(client, server)
    await client.getToken('acme')
    expect(client.getSnapshot()).toMatchObject({ custody: 'memory', persistence: 'available' })
    expect(Object.keys(localStorage)).toEqual([])
    expect(Object.keys(sessionStorage)).toEqual([])
    expect(await readableStorage()).not.toContain(CANARY)
    expect(tab({ storage: memoryStore() }).getSnapshot().accounts).toEqual({})
    const account = accounts(client)[0]!
    expect(await client.disconnect(account.id)).toEqual({ status: 'revoked', tokens: BOTH })
    expect(await failure(client.getToken('acme'))).toMatchObject({ code: 'login_required' })
  })

  it('a store event from another tab is followed', async () => {
    const one = tab()
    const two = tab()
    const changed = vi.fn()
    const leave = two.mount()
    two.subscribe(changed)
    const account = await connect(one, server)
    storageEvent(recordKey())
    expect(two.getSnapshot().accounts).toEqual(one.getSnapshot().accounts)
    expect(await two.getToken('acme')).toBe(await one.getToken('acme'))
    const before = two.getSnapshot().accounts[account.id]
    storageEvent(null)
    expect(two.getSnapshot().accounts[account.id]).toBe(before)
    const [calls] = [changed.mock.calls.length]
    storageEvent('somebody-elses')
    expect(changed).toHaveBeenCalledTimes(calls)
    await one.disconnect(account.id)
    storageEvent(recordKey() || `latchkey:${account.id}`)
    expect(two.getSnapshot().accounts).toEqual({})
    leave()
  })

  it('two tabs that connect two accounts at once keep both', async () => {
    const one = tab()
    const two = tab()
    const [ada, grace] = await Promise.all([connect(one, server), connect(two, server, { person: GRACE })])
    const reloaded = tab()
    expect(Object.keys(reloaded.getSnapshot().accounts).sort()).toEqual([ada.id, grace.id].sort())
    for (const accountId of [ada.id, grace.id]) expect(await reloaded.getToken({ accountId })).toMatch(CANARY)
  })
})

it('reads the profile again, and keeps the same account object if nothing changed', async () => {
  const client = tab()
  const account = await connect(client, server)
  const before = client.getSnapshot().accounts[account.id]
  await client.refreshProfile(account.id)
  expect(client.getSnapshot().accounts[account.id]).toBe(before)
  server.fault('/userinfo', { body: { ...ADA, name: 'Countess of Lovelace' } })
  expect(await client.refreshProfile(account.id)).toMatchObject({ name: 'Countess of Lovelace', label: 'ada' })
  expect(accounts(tab())).toMatchObject([{ name: 'Countess of Lovelace' }])
  server.fault('/userinfo', { body: { ...GRACE } })
  expect(await client.refreshProfile(account.id)).toMatchObject({ label: 'ada' })
  server.fault('/userinfo', { status: 401, body: {} })
  expect(await failure(client.refreshProfile(account.id))).toMatchObject({ code: 'invalid_token' })
})

it('replaces providers without dropping accounts, and ignores a second provider with the same id', async () => {
  const client = tab()
  await connect(client, server)
  const before = client.getSnapshot()
  client.setProviders([acme(server, { name: 'Acme 2' }), kaggle()])
  expect(client.providers.map(({ name }) => name)).toEqual(['Acme 2', 'Kaggle'])
  expect(client.getSnapshot()).not.toBe(before)
  expect(client.getSnapshot().accounts).toBe(before.accounts)
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  client.setProviders([kaggle({ name: 'First' }), kaggle()])
  expect(client.providers.map(({ name }) => name)).toEqual(['First'])
  expect(logged).toHaveBeenCalledWith(expect.stringContaining('Two providers have the id "kaggle"'))
  expect(() => tab({ providers: [kaggle(), kaggle()] })).toThrow(/Two providers/)
})
