// @vitest-environment jsdom
// What a person does with accounts after they are connected: pause, change, sign out, and what tools ask of them.

import { ADA, CANARY, GRACE, type Person, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { acme, connect, failure } from '../../fixtures/acme.ts'
import { eventually, freshPage, openPopups, readableStorage, storageEvent, visitCallback } from '../../fixtures/page.ts'
import { type ConnectRequest, createLatchkey, type LatchkeyClient, type LatchkeyOptions } from '../index.ts'
import { kaggle } from '../providers/kaggle.ts'
import { memoryStore, sessionStorageStore } from '../storage.ts'
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
const watched = (client: LatchkeyClient) => {
  leave.push(client.mount())
  return client
}
const accounts = (client: LatchkeyClient) => Object.values(client.getSnapshot().accounts)
const only = (client: LatchkeyClient) => accounts(client)[0]!
const refreshes = () => server.to('/token').filter(({ body }) => body.includes('grant_type=refresh_token'))
const revoked = () => server.to('/revoke').map(({ body }) => new URLSearchParams(body).get('token'))

/** Starts a connect and answers it as this person. */
async function through(
  start: () => Promise<unknown>,
  person: Person = ADA,
): Promise<{ outcome: Promise<unknown>; asked: string[] }> {
  const popups = openPopups()
  const outcome = start()
  outcome.catch(() => {})
  const url = await popups.at(-1)!.at()
  visitCallback(server.approve(url, person))
  return { outcome, asked: (new URL(url).searchParams.get('scope') ?? '').split(' ') }
}

describe('scopes', () => {
  it('case 29: missing scopes are named, and scopes that were not requested are flagged', async () => {
    const client = tab({ providers: [acme(server, { scopes: ['read', 'write'] })] })
    server.fault('/token', { change: (answer) => ({ ...answer, scope: 'read' }) })
    const account = await connect(client, server)
    expect(account).toMatchObject({ scopes: ['read'], missingScopes: ['write'] })
    expect(account).not.toHaveProperty('extraScopes')
    expect(await failure(client.getToken('acme', { scopes: ['write'] }))).toMatchObject({ code: 'insufficient_scope' })
    server.fault('/token', { change: (answer) => ({ ...answer, scope: 'read,write,admin' }) })
    expect(await connect(client, server)).toMatchObject({
      scopes: ['read', 'write', 'admin'],
      missingScopes: [],
      extraScopes: ['admin'],
    })
    expect(only(tab())).toMatchObject({ scopes: ['read', 'write', 'admin'], extraScopes: ['admin'] })
  })

  it('are named by their canonical names, however the server calls them', async () => {
    const aliased = {
      ...acme(server, { scopes: ['email', 'read'] }),
      scopeAliases: { 'https://acme.example/email': 'email' },
    }
    const client = tab({ providers: [aliased] })
    server.fault('/token', { change: (answer) => ({ ...answer, scope: 'https://acme.example/email' }) })
    expect(await connect(client, server)).toMatchObject({ scopes: ['email'], missingScopes: ['read'] })
  })

  it('more are asked for together with those that are granted', async () => {
    const client = tab()
    await connect(client, server)
    const { outcome, asked } = await through(() => client.connect('acme', { scopes: ['write'] }))
    expect(asked.sort()).toEqual(['read', 'write'])
    expect(await outcome).toMatchObject({ account: { scopes: ['write', 'read'], missingScopes: [] } })
    expect(accounts(client)).toHaveLength(1)
  })

  it('case 78: a refresh asks for none, and what a narrower answer took away is recorded and named', async () => {
    server.settings.expiresIn = 0
    const client = tab({ providers: [acme(server, { scopes: ['read', 'write'] })] })
    await connect(client, server)
    server.fault('/token', { change: (answer) => ({ ...answer, scope: 'read' }) })
    await client.getToken('acme')
    expect(only(client)).toMatchObject({ scopes: ['read'], missingScopes: ['write'] })
    await client.getToken('acme')
    for (const { body } of refreshes()) expect(new URLSearchParams(body).has('scope')).toBe(false)
    expect(only(tab())).toMatchObject({ status: 'connected' })
  })

  it('a record without the member `missingScopes`, as older versions wrote it, can be read', async () => {
    const { id } = await connect(tab(), server)
    const record = JSON.parse(localStorage.getItem(`latchkey:${id}`)!)
    delete record.account.missingScopes
    localStorage.setItem(`latchkey:${id}`, JSON.stringify(record))
    expect(only(tab()).missingScopes).toEqual([])
  })
})

describe('pause', () => {
  it('stops the use of an account here and in other tabs, over a reload, and keeps its secret', async () => {
    const client = watched(tab())
    const other = watched(tab())
    const { id } = await connect(client, server)
    storageEvent(`latchkey:${id}`)
    await client.pause(id)
    storageEvent(`latchkey:${id}`)
    for (const one of [client, other, tab()]) {
      expect(only(one)).toMatchObject({ status: 'paused' })
      expect(await failure(one.getToken('acme'))).toMatchObject({
        code: 'access_denied',
        next: 'unpause',
        account: id,
        provider: 'acme',
      })
      expect(await one.getIdentities()).toEqual([])
    }
    await other.unpause(id)
    storageEvent(`latchkey:${id}`)
    for (const one of [client, other, tab()]) {
      expect(only(one)).toMatchObject({ status: 'connected' })
      expect(await one.getToken('acme')).toMatch(CANARY)
    }
    expect(refreshes()).toEqual([])
  })

  it('a tab that missed the message reads it from the database', async () => {
    server.settings.expiresIn = 0
    const client = tab()
    const { id } = await connect(client, server)
    const deaf = tab()
    await client.pause(id)
    expect(await failure(deaf.getToken('acme'))).toMatchObject({ code: 'access_denied', next: 'unpause' })
    expect(only(deaf).status).toBe('paused')
    expect(refreshes()).toEqual([])
  })

  it('is not undone by a running refresh, here or in another tab', async () => {
    server.settings.expiresIn = 0
    for (const which of ['same', 'other'] as const) {
      const client = tab()
      const { id } = await connect(client, server)
      const refreshing = which === 'same' ? client : tab()
      let open = () => {}
      server.fault('/token', { after: new Promise<void>((resolve) => (open = resolve)) })
      const before = refreshes().length
      const token = refreshing.getToken('acme').catch(() => {})
      await eventually(() => expect(refreshes()).toHaveLength(before + 1))
      const paused = client.pause(id)
      await eventually(() => expect(only(client).status).toBe('paused'))
      open()
      await Promise.all([token, paused])
      expect(only(client).status).toBe('paused')
      expect(only(tab()).status).toBe('paused')
      await client.unpause(id)
      // The token that arrived meanwhile was saved.
      expect(await tab().getToken('acme')).toMatch(CANARY)
    }
  })

  it('returns to the status from before: a needs-reconnect account stays needs-reconnect', async () => {
    server.settings.expiresIn = 0
    const client = tab()
    const { id } = await connect(client, server)
    server.endGrants()
    await failure(client.getToken('acme'))
    await client.pause(id)
    expect(only(client)).toMatchObject({ status: 'paused', reason: 'revoked' })
    await client.unpause(id)
    expect(only(client)).toMatchObject({ status: 'needs-reconnect', reason: 'revoked' })
    await client.pause(id)
    // Connecting it again works too.
    await connect(client, server)
    expect(only(client)).toMatchObject({ status: 'connected' })
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('is refused for an unknown account, and unpausing an account that is not paused changes nothing', async () => {
    const client = tab()
    expect(await failure(client.pause('acme.x'))).toMatchObject({ code: 'login_required' })
    const { id } = await connect(client, server)
    const before = only(client)
    await client.unpause(id)
    expect(only(client)).toEqual(before)
  })
})

describe('a reconnect that returns a different account', () => {
  async function changed(client = tab()) {
    const ada = await connect(client, server)
    const { outcome } = await through(() => client.reconnect(ada.id), GRACE)
    expect(await failure(outcome)).toMatchObject({ code: 'account_changed', next: 'choose', account: ada.id })
    return { client, ada }
  }

  it('keep-both adds it, and the default stays', async () => {
    const { client, ada } = await changed()
    const kept = await readableStorage()
    expect(kept).not.toContain('grace')
    const outcome = await client.resolveChange('acme', 'keep-both')
    expect(outcome).toMatchObject({ status: 'connected', account: { label: 'grace' } })
    expect(accounts(tab()).map(({ label }) => label)).toEqual(expect.arrayContaining(['ada', 'grace']))
    expect((await client.getIdentities())[0]?.accountId).toBe(ada.id)
    expect(client.getSnapshot().providers.acme).toBeUndefined()
    for (const { id } of accounts(client)) expect(await tab().getToken({ accountId: id })).toMatch(CANARY)
    expect(revoked()).toEqual([])
  })

  it("replace puts it in the old one's place and revokes the old one", async () => {
    const { client, ada } = await changed()
    const old = await client.getToken({ accountId: ada.id })
    const outcome = await client.resolveChange('acme', 'replace')
    expect(outcome).toMatchObject({ account: { label: 'grace', connectedAt: ada.connectedAt } })
    expect(accounts(client).map(({ label }) => label)).toEqual(['grace'])
    expect(client.getSnapshot().defaults.acme).toBe(only(client).id)
    expect(revoked()).toContain(old)
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('cancel keeps the old one and ends the new token', async () => {
    const { client, ada } = await changed()
    expect(await client.resolveChange('acme', 'cancel')).toEqual({ status: 'cancelled', next: 'connect' })
    expect(accounts(client)).toEqual([ada])
    expect(revoked()).toEqual([`${CANARY}RT_4`, `${CANARY}AT_4`])
    expect(await client.getToken('acme')).toMatch(CANARY)
    expect(client.getSnapshot().providers.acme).toBeUndefined()
    expect(await failure(client.resolveChange('acme', 'keep-both'))).toMatchObject({ code: 'flow_unknown' })
  })

  it('cancel does not end a grant that another connected account uses', async () => {
    const client = tab()
    await connect(client, server, { person: GRACE })
    await changed(client)
    await client.resolveChange('acme', 'cancel')
    expect(revoked()).toEqual([])
    expect(accounts(client)).toHaveLength(2)
  })

  it('a new attempt drops it', async () => {
    const { client, ada } = await changed()
    const { outcome } = await through(() => client.reconnect(ada.id))
    expect(await outcome).toMatchObject({ account: { id: ada.id } })
    expect(client.getSnapshot().providers.acme).toBeUndefined()
    await eventually(() => expect(revoked()).toHaveLength(2))
    expect(accounts(client)).toHaveLength(1)
  })
})

describe('signing out', () => {
  it("removes this person's accounts from this device, and no other person's", async () => {
    const client = tab({ providers: [acme(server), kaggle()] })
    const other = tab()
    const grace = tab({ prefix: 'latchkey-grace' })
    const { id } = await connect(client, server)
    await client.connectKey('kaggle', { username: 'ada', key: `${CANARY}KEY` })
    client.setIncluded('writer', 'kaggle', false)
    client.setDefault(id)
    await connect(grace, server, { person: GRACE })
    watched(other)
    expect(accounts(other)).toHaveLength(2)
    const popups = openPopups()
    const pending = client.connect('acme')
    await popups[0]!.at()
    const request = client.requestConnect({ type: 'authorization_required', provider: 'acme', scopes: ['write'] })
    await eventually(() => expect(client.getSnapshot().requests).toHaveLength(1))

    await client.signOut()
    expect(client.getSnapshot()).toMatchObject({ accounts: {}, defaults: {}, excluded: {}, requests: [] })
    expect(await pending).toMatchObject({ status: 'cancelled' })
    expect(await request).toEqual({ status: 'cancelled' })
    expect(Object.keys(localStorage).filter((key) => key.startsWith('latchkey:'))).toEqual([])
    expect(Object.keys(sessionStorage)).toEqual([])
    const database = openDatabase('latchkey')
    for (const store of ['keys', 'secrets', 'leases'] as const) expect(await database.keys(store)).toEqual([])
    // No storage event arrives: sign-out has its own channel.
    await eventually(() => expect(accounts(other)).toEqual([]))
    expect(await failure(other.getToken('acme'))).toMatchObject({ code: 'login_required' })
    expect(server.to('/revoke')).toEqual([])
    expect(accounts(grace)).toMatchObject([{ label: 'grace' }])
    expect(await tab({ prefix: 'latchkey-grace' }).getToken('acme')).toMatch(CANARY)
    // The next one starts from the beginning.
    await connect(client, server)
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('a running refresh or connect restores nothing', async () => {
    server.settings.expiresIn = 0
    const client = tab()
    const other = watched(tab())
    await connect(client, server)
    storageEvent(null)
    let open = () => {}
    const wait = new Promise<void>((resolve) => (open = resolve))
    server.fault('/token', { after: wait }, { after: wait })
    const token = failure(other.getToken('acme'))
    await eventually(() => expect(refreshes()).toHaveLength(1))
    const { outcome } = await through(() => client.connect('acme'), GRACE)
    await eventually(() => expect(server.to('/token')).toHaveLength(3))
    await client.signOut()
    await eventually(() => expect(accounts(other)).toEqual([]))
    open()
    expect(await token).toMatchObject({ code: 'cancelled' })
    expect(await outcome).toMatchObject({ status: 'cancelled' })
    for (const one of [client, other, tab()]) expect(accounts(one)).toEqual([])
    expect(await openDatabase('latchkey').keys('secrets')).toEqual([])
    expect(Object.keys(localStorage).filter((key) => key.startsWith('latchkey:acme'))).toEqual([])
  })

  it('signs out all tabs, and deletes the encryption key', async () => {
    const client = tab({ storage: sessionStorageStore() })
    await connect(client, server)
    const database = openDatabase('latchkey')
    expect(await database.keys('keys')).toEqual(['seal'])
    await client.signOut()
    expect(await database.keys('keys')).toEqual([])
    expect(Object.keys(sessionStorage)).toEqual([])
    await connect(client, server)
    expect(await tab({ storage: sessionStorageStore() }).getToken('acme')).toMatch(CANARY)
  })

  it('empties a page that keeps its accounts in memory', async () => {
    const client = tab({ storage: memoryStore() })
    const other = tab({ storage: memoryStore() })
    await connect(client, server)
    await connect(other, server)
    await client.signOut()
    await eventually(() => expect(accounts(other)).toEqual([]))
    expect(await failure(other.getToken('acme'))).toMatchObject({ code: 'login_required' })
  })
})

describe("a tool's request", () => {
  const asked = (scopes?: string[]): ConnectRequest => ({ type: 'authorization_required', provider: 'acme', scopes })

  it('is shown once per provider with all scopes, and answered by an account that has them', async () => {
    const client = tab()
    const one = client.requestConnect(asked(['read']))
    const two = client.requestConnect(asked(['write', 'read']))
    await eventually(() => expect(client.getSnapshot().requests).toMatchObject([{ scopes: ['read', 'write'] }]))
    await connect(client, server)
    expect(await one).toEqual({ status: 'connected', provider: 'acme' })
    expect(client.getSnapshot().requests).toMatchObject([{ scopes: ['write', 'read'] }])
    const { outcome } = await through(() => client.connect('acme', { scopes: ['write'] }))
    await outcome
    expect(await two).toEqual({ status: 'connected', provider: 'acme' })
    expect(client.getSnapshot().requests).toEqual([])
    expect(await client.requestConnect(asked(['write']))).toEqual({ status: 'connected', provider: 'acme' })
  })

  it('is cancelled for all by the person, and for one by its signal', async () => {
    const client = tab()
    const end = new AbortController()
    const one = client.requestConnect(asked(['read']), { signal: end.signal })
    const two = client.requestConnect(asked(['write']))
    await eventually(() => expect(client.getSnapshot().requests).toHaveLength(1))
    end.abort()
    expect(await one).toEqual({ status: 'cancelled' })
    expect(client.getSnapshot().requests).toMatchObject([{ scopes: ['write'] }])
    client.cancelRequest('acme')
    expect(await two).toEqual({ status: 'cancelled' })
    expect(client.getSnapshot().requests).toEqual([])
    expect(await client.requestConnect(asked(), { signal: AbortSignal.abort() })).toEqual({ status: 'cancelled' })
  })

  it('of an unknown provider is refused, and a paused account does not answer it', async () => {
    const client = tab()
    const evil: ConnectRequest = { type: 'authorization_required', provider: 'evil' }
    expect(await failure(client.requestConnect(evil))).toMatchObject({ code: 'misuse' })
    const { id } = await connect(client, server)
    await client.pause(id)
    const waiting = client.requestConnect(asked())
    await eventually(() => expect(client.getSnapshot().requests).toHaveLength(1))
    await client.unpause(id)
    expect(await waiting).toEqual({ status: 'connected', provider: 'acme' })
  })
})

describe('other ways to open the authorization server', () => {
  it('a plain tab has no size and uses the same channel', async () => {
    const popups = openPopups()
    const client = tab()
    const outcome = client.connect('acme', { mode: 'tab' })
    expect(popups.open).toHaveBeenCalledWith('about:blank', '_blank', '')
    expect(popups[0]!.opener).toBeNull()
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await outcome).toMatchObject({ status: 'connected' })
  })

  it('a link to copy opens no window, and the flow waits for its answer', async () => {
    const popups = openPopups()
    const client = tab()
    const link = await client.connectLink('acme')
    expect(link).toMatch(`${server.origin}/authorize?`)
    expect(await client.connectLink('acme')).toBe(link)
    expect(client.getSnapshot().providers.acme).toEqual({ status: 'connecting' })
    visitCallback(server.approve(link))
    await eventually(() => expect(accounts(client)).toMatchObject([{ label: 'ada' }]))
    expect(client.getSnapshot().providers.acme).toBeUndefined()
    expect(popups).toHaveLength(0)
    expect(await failure(tab({ providers: [kaggle()] }).connectLink('kaggle'))).toMatchObject({ code: 'misuse' })
  })

  it('a link that is cancelled before it is ready is not returned', async () => {
    const client = tab()
    const link = failure(client.connectLink('acme'))
    client.cancel('acme')
    expect(await link).toMatchObject({ code: 'cancelled' })
  })

  it('a redirect brings back what the person typed', async () => {
    const client = tab()
    const kept = { text: 'Dear agent, please', at: 3 }
    const outcome = client.connect('acme', { mode: 'redirect', keep: kept })
    const key = await eventually(() => {
      const [found] = Object.keys(sessionStorage)
      if (!found) throw new Error('not yet')
      return found
    })
    const record = sessionStorage.getItem(key)!
    client.cancel('acme')
    await outcome
    const { state, redirect_uri, code_verifier } = JSON.parse(record)
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(code_verifier))
    const code_challenge = Buffer.from(digest).toString('base64url')
    const url = `${server.origin}/authorize?${new URLSearchParams({ state, redirect_uri, code_challenge })}`
    const answers: Record<string, string | null>[] = [{ code: null, error: 'access_denied' }, {}]
    for (const change of answers) {
      sessionStorage.setItem(key, record)
      visitCallback(server.approve(url, ADA, change), { session: sessionStorage })
      const back = await tab().handleRedirect()
      expect(back).toMatchObject({ status: 'error' in change ? 'denied' : 'connected', kept })
    }
    const long = client.connect('acme', { mode: 'redirect', keep: 'x'.repeat(9000) })
    expect(await failure(long)).toMatchObject({ code: 'misuse' })
  })

  it('a redirect that returns without a response is an error', async () => {
    const flow = { provider: 'acme', state: 's', mode: 'redirect', startedAt: Date.now(), returnTo: '/' }
    sessionStorage.setItem('latchkey:flow:s', JSON.stringify(flow))
    const client = watched(tab())
    await eventually(() =>
      expect(client.getSnapshot().providers.acme).toMatchObject({
        status: 'idle',
        error: { code: 'flow_lost', next: 'connect' },
      }),
    )
    expect(Object.keys(sessionStorage)).toEqual([])
  })

  it("another person's flow in this tab is left alone", async () => {
    const flow = {
      provider: 'acme',
      state: 's',
      mode: 'redirect',
      startedAt: Date.now(),
      returnTo: '/',
      prefix: 'other',
    }
    sessionStorage.setItem('latchkey:flow:s', JSON.stringify(flow))
    expect(await tab().handleRedirect()).toBeUndefined()
    await tab().signOut()
    expect(Object.keys(sessionStorage)).toEqual(['latchkey:flow:s'])
  })
})

describe('inside a page of another site', () => {
  const frame = () =>
    vi.spyOn(window, 'parent', 'get').mockReturnValue({
      get location(): Location {
        throw new DOMException('Blocked a frame.', 'SecurityError')
      },
    } as Window)

  it('keeps the opener, and accepts a response by message only from its own origin', async () => {
    frame()
    const popups = openPopups()
    const client = tab()
    const outcome = client.connect('acme')
    const url = await popups[0]!.at()
    expect(popups[0]!.opener).toBe(window)
    const query = server.approve(url)
    const grace = server.approve(url, GRACE)
    await eventually(() => expect(Object.keys(sessionStorage)).toHaveLength(1))
    // Listening starts a tick after the record is written.
    const acknowledged: unknown[] = []
    const say = (origin: string, data: unknown) =>
      window.dispatchEvent(
        new MessageEvent('message', {
          origin,
          data,
          source: { postMessage: (message: unknown) => acknowledged.push(message) } as unknown as Window,
        }),
      )
    for (const origin of ['https://evil', `${location.origin}.evil`, 'null', '']) say(origin, { query: grace })
    for (const data of [null, 1, {}, { query: 1 }, { query: '?code=x&state=other' }, { identity: {} }])
      say(location.origin, data)
    expect(acknowledged).toEqual([])
    const opener = { postMessage: vi.fn((data: unknown, origin: unknown) => say(origin as string, data)) }
    const page = visitCallback(query, { opener: opener as unknown as Window })
    expect(await outcome).toMatchObject({ account: { label: 'ada' } })
    expect(opener.postMessage).toHaveBeenCalledWith({ query }, location.origin)
    // The same response over all channels counts once.
    say(location.origin, { query })
    expect(server.to('/token')).toHaveLength(1)
    page.onmessage?.({ origin: 'https://evil', data: { heard: true } })
    page.onmessage?.({ origin: location.origin, data: { heard: true } })
    await eventually(() => expect(page.closed).toBe(true))
  })

  it('says to open the app in its own tab when its window is reported closed', async () => {
    frame()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    const popups = openPopups()
    const client = tab()
    const outcome = client.connect('acme')
    await popups[0]!.at()
    popups[0]!.close()
    await vi.advanceTimersByTimeAsync(1_000)
    await eventually(() =>
      expect(client.getSnapshot().providers.acme).toEqual({ status: 'connecting', reason: 'embedded' }),
    )
    client.cancel('acme')
    await outcome
  })
})
