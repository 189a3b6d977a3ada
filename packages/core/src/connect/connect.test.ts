// Security cases A, 1-32, 260, 263, 292: Authorization request and callback. A release waits for 1-16, 20, 25, 263.
// @vitest-environment jsdom

import { ADA, CANARY, GRACE, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { acme, connect, failure } from '../../fixtures/acme.ts'
import { eventually, freshPage, openPopups, visitCallback } from '../../fixtures/page.ts'
import { createLatchkey, type LatchkeyError, type OAuthOptions, oidc, type Provider } from '../index.ts'
import { kaggle } from '../providers/kaggle.ts'

let server: TinyServer
let other: TinyServer

beforeAll(async () => {
  server = await startTinyServer()
  other = await startTinyServer()
})
afterAll(() => Promise.all([server.close(), other.close()]))
beforeEach(() => {
  server.reset()
  other.reset()
})
afterEach(freshPage)

const provider = (id = 'acme', at = server, further: Partial<OAuthOptions> = {}) => acme(at, { id, ...further })

const client = (...providers: Provider[]) =>
  createLatchkey({ providers: providers.length > 0 ? providers : [provider()], redirectUri: '/callback' })

const stateOf = (url: string) => new URL(url).searchParams.get('state') ?? ''
const flowKeys = () => Object.keys(sessionStorage).filter((key) => key.startsWith('latchkey:flow:'))
const callbackUrl = (query: string) => `${location.origin}/callback${query}`

async function connected(latchkey = client()) {
  return { latchkey, account: await connect(latchkey, server) }
}

describe('with a window', () => {
  it('connects: one window, one token request, an account with name and picture', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    expect(latchkey.getSnapshot().providers.acme).toEqual({ status: 'connecting' })
    const page = visitCallback(server.approve(await popups[0]!.at()))
    expect(await outcome).toMatchObject({
      status: 'connected',
      account: {
        provider: 'acme',
        issuer: server.origin,
        subject: '1815',
        label: 'ada',
        name: 'Ada Lovelace',
        email: 'ada@example.com',
        scopes: ['read'],
        status: 'connected',
        renewable: true,
      },
    })
    expect(popups).toHaveLength(1)
    expect(server.to('/token')).toHaveLength(1)
    expect(latchkey.getSnapshot().providers.acme).toBeUndefined()
    expect(await latchkey.getToken('acme')).toMatch(`${CANARY}AT_`)
    await eventually(() => expect(page).toMatchObject({ closed: true, address: ['/callback'] }))
  })

  it('case 33: the window opens before the challenge is computed and before any request', async () => {
    const popups = openPopups()
    const digest = vi.spyOn(crypto.subtle, 'digest')
    const fetched = vi.spyOn(globalThis, 'fetch')
    const outcome = client().connect('acme')
    expect(popups.open).toHaveBeenCalledWith('about:blank', '_blank', expect.any(String))
    expect(digest).not.toHaveBeenCalled()
    visitCallback(server.approve(await popups[0]!.at()))
    await outcome
    const [opened] = popups.open.mock.invocationCallOrder
    expect(opened).toBeLessThan(digest.mock.invocationCallOrder[0]!)
    expect(opened).toBeLessThan(fetched.mock.invocationCallOrder[0]!)
  })

  it('removes the opener before the window goes to another site', async () => {
    const popups = openPopups()
    const outcome = client().connect('acme')
    expect(popups[0]).toMatchObject({ opener: null, urls: [] })
    visitCallback(server.approve(await popups[0]!.at()))
    await outcome
  })

  it('case 35: a blocked window is an outcome that offers the redirect, and leaves nothing pending', async () => {
    vi.spyOn(window, 'open').mockReturnValue(null)
    const latchkey = client()
    expect(await latchkey.connect('acme')).toEqual({ status: 'blocked', next: 'redirect' })
    expect(latchkey.getSnapshot().providers.acme).toEqual({ status: 'idle', reason: 'popup_blocked' })
    expect(flowKeys()).toEqual([])
    expect(server.requests).toEqual([])
    const popups = openPopups()
    const again = latchkey.connect('acme')
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await again).toMatchObject({ status: 'connected' })
  })

  it('case 45: the window has no name that another page could target', () => {
    const popups = openPopups()
    const latchkey = client(provider(), provider('umbrella'))
    latchkey.connect('acme')
    latchkey.connect('umbrella')
    expect(popups.open.mock.calls.map(([, target]) => target)).toEqual(['_blank', '_blank'])
    latchkey.cancel('acme')
    latchkey.cancel('umbrella')
  })

  it('case 47: a double click opens one window, and the second focuses it', async () => {
    const popups = openPopups()
    const latchkey = client()
    const first = latchkey.connect('acme')
    const second = latchkey.connect('acme')
    expect(popups).toHaveLength(1)
    expect(popups[0]!.focus).toHaveBeenCalledOnce()
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await first).toEqual(await second)
    expect(server.to('/token')).toHaveLength(1)
  })

  it('opens the window again after the person closed it, at the same request', async () => {
    const popups = openPopups()
    const latchkey = client()
    const first = latchkey.connect('acme')
    const url = await popups[0]!.at()
    popups[0]!.close()
    const second = latchkey.connect('acme')
    expect(popups[1]!.urls).toEqual([url])
    visitCallback(server.approve(url))
    expect(await first).toEqual(await second)
  })

  it('treats a closed window as a hint: the card offers more, and a late answer still connects', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = await popups[0]!.at()
    popups[0]!.close()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(latchkey.getSnapshot().providers.acme).toEqual({ status: 'connecting', reason: 'popup_closed' })
    visitCallback(server.approve(url))
    expect(await outcome).toMatchObject({ status: 'connected' })
    expect(latchkey.getSnapshot().providers.acme).toBeUndefined()
  })

  it('redirects if the window is gone and the person chooses the redirect', async () => {
    const popups = openPopups()
    const latchkey = client()
    const first = latchkey.connect('acme')
    await popups[0]!.at()
    popups[0]!.close()
    const second = latchkey.connect('acme', { mode: 'redirect' })
    expect(await first).toEqual({ status: 'cancelled', next: 'connect' })
    expect(latchkey.getSnapshot().providers.acme).toEqual({ status: 'connecting' })
    await eventually(() => expect(flowKeys()).toHaveLength(1))
    expect(popups).toHaveLength(1)
    latchkey.cancel('acme')
    expect(await second).toMatchObject({ status: 'cancelled' })
    expect(flowKeys()).toEqual([])
  })

  it('ends when cancelled, and when its signal is aborted', async () => {
    const popups = openPopups()
    const latchkey = client()
    const cancelled = latchkey.connect('acme')
    latchkey.cancel('acme')
    expect(await cancelled).toEqual({ status: 'cancelled', next: 'connect' })
    expect(popups[0]!.closed).toBe(true)

    const end = new AbortController()
    const aborted = latchkey.connect('acme', { signal: end.signal })
    await popups[1]!.at()
    end.abort()
    expect(await aborted).toEqual({ status: 'cancelled', next: 'connect' })

    const early = latchkey.connect('acme', { signal: AbortSignal.abort() })
    expect(await early).toEqual({ status: 'cancelled', next: 'connect' })
    // A window that shows the server's page cannot be closed. A window that is still empty is closed.
    expect(popups.map(({ closed }) => closed)).toEqual([true, false, true])
    expect(latchkey.getSnapshot()).toMatchObject({ providers: {}, accounts: {} })
    expect(server.requests).toEqual([])
    // The provider is idle again.
    const again = latchkey.connect('acme')
    visitCallback(server.approve(await popups[3]!.at()))
    expect(await again).toMatchObject({ status: 'connected' })
  })

  it('M1: once the provider has answered, the state says so, and a cancel still ends it and revokes the late token', async () => {
    const popups = openPopups()
    const latchkey = client()
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    server.fault('/token', { after: held })
    const outcome = latchkey.connect('acme')
    visitCallback(server.approve(await popups[0]!.at()))
    await eventually(() =>
      expect(latchkey.getSnapshot().providers.acme).toEqual({ status: 'connecting', reason: 'finishing' }),
    )
    latchkey.cancel('acme')
    expect(await outcome).toEqual({ status: 'cancelled', next: 'connect' })
    expect(latchkey.getSnapshot()).toMatchObject({ providers: {}, accounts: {} })
    release()
    await eventually(() => expect(server.to('/revoke')).toHaveLength(2))
    expect(latchkey.getSnapshot()).toMatchObject({ providers: {}, accounts: {} })
  })

  it('M1: a cancel revokes no late token of a person who is connected: it may share the grant of the account', async () => {
    const { latchkey, account } = await connected()
    const popups = openPopups()
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    server.fault('/token', { after: held })
    const fetched = vi.spyOn(globalThis, 'fetch')
    const outcome = latchkey.reconnect(account.id)
    visitCallback(server.approve(await popups[0]!.at()))
    await eventually(() => expect(server.to('/token')).toHaveLength(2))
    latchkey.cancel('acme')
    expect(await outcome).toMatchObject({ status: 'cancelled' })
    release()
    // Who the late token is of is asked last. A revocation would be on its way before another refresh has its answer.
    await eventually(() => expect(server.to('/userinfo')).toHaveLength(2))
    await Promise.all(fetched.mock.results.map(({ value }) => value))
    await latchkey.reportInvalidToken(account.id)
    expect(server.to('/revoke')).toEqual([])
    expect(await latchkey.getToken('acme')).toMatch(`${CANARY}AT_`)
  })

  it('case 48: a flow that ends early leaves no listener, no timer, and no pending promise', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const popups = openPopups()
    const closed = vi.spyOn(BroadcastChannel.prototype, 'close')
    const latchkey = client()
    const listening = { added: vi.spyOn(window, 'addEventListener'), removed: vi.spyOn(window, 'removeEventListener') }
    const leave = latchkey.mount()
    const end = new AbortController()
    const outcome = latchkey.connect('acme', { signal: end.signal })
    await popups[0]!.at()
    await eventually(() => expect(vi.getTimerCount()).toBe(2))
    leave()
    end.abort()
    expect(await outcome).toMatchObject({ status: 'cancelled' })
    expect(vi.getTimerCount()).toBe(0)
    expect(closed).toHaveBeenCalledOnce()
    expect(listening.removed.mock.calls.length).toBe(listening.added.mock.calls.length)
  })

  it('case 62: the verifier is deleted after success, refusal, failure and ten minutes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    const popups = openPopups()
    const latchkey = client()
    const begin = async () => {
      const outcome = latchkey.connect('acme').catch((error: LatchkeyError) => error)
      const url = await popups.at(-1)!.at()
      expect(sessionStorage.getItem(flowKeys()[0]!)).toContain('code_verifier')
      return { outcome, url }
    }
    const success = await begin()
    visitCallback(server.approve(success.url))
    expect(await success.outcome).toMatchObject({ status: 'connected' })
    expect(flowKeys()).toEqual([])

    const refusal = await begin()
    visitCallback(server.approve(refusal.url, ADA, { code: null, error: 'access_denied' }))
    expect(await refusal.outcome).toMatchObject({ status: 'denied' })
    expect(flowKeys()).toEqual([])

    const broken = await begin()
    server.fault('/token', { status: 500, body: 'no' })
    visitCallback(server.approve(broken.url))
    expect(await broken.outcome).toMatchObject({ code: 'temporarily_unavailable' })
    expect(flowKeys()).toEqual([])

    const late = await begin()
    await vi.advanceTimersByTimeAsync(10 * 60_000)
    expect(await late.outcome).toMatchObject({ code: 'timeout', next: 'connect' })
    expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'idle', error: { code: 'timeout' } })
    expect(flowKeys()).toEqual([])
  })

  it('case 292: a window that the person closed: connect ends after ten minutes, and nothing stays', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    const popups = openPopups()
    const latchkey = client()
    const ended = failure(latchkey.connect('acme'))
    await popups[0]!.at()
    popups[0]!.close()
    await vi.advanceTimersByTimeAsync(10 * 60_000)
    expect(await ended).toMatchObject({ code: 'timeout', next: 'connect' })
    expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'idle', error: { code: 'timeout' } })
    expect(vi.getTimerCount()).toBe(0)
    expect(flowKeys()).toEqual([])
  })

  it('case 292: it ends too if the computer slept, during which no timer ran', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    const popups = openPopups()
    const ended = failure(client().connect('acme'))
    await popups[0]!.at()
    popups[0]!.close()
    await eventually(() => expect(vi.getTimerCount()).toBe(2))
    vi.setSystemTime(Date.now() + 3_600_000)
    await vi.advanceTimersByTimeAsync(500)
    expect(await ended).toMatchObject({ code: 'timeout' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('case 292: on a page that is left, a flow ends: no timer, no channel, no verifier', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const popups = openPopups()
    const closed = vi.spyOn(BroadcastChannel.prototype, 'close')
    const latchkey = client()
    // As React does in strict mode: a page that mounts again at once was not left.
    latchkey.mount()()
    const leave = latchkey.mount()
    const outcome = latchkey.connect('acme')
    await popups[0]!.at()
    popups[0]!.close()
    leave()
    const again = latchkey.mount()
    await eventually(() => expect(vi.getTimerCount()).toBe(2))
    again()
    expect(await outcome).toEqual({ status: 'cancelled', next: 'connect' })
    expect(vi.getTimerCount()).toBe(0)
    expect(closed).toHaveBeenCalledOnce()
    expect(flowKeys()).toEqual([])
  })

  it('case 260: a page on plain http is told that it needs https, and no key leaves it', async () => {
    Object.defineProperty(crypto, 'subtle', { value: undefined, configurable: true })
    try {
      const popups = openPopups()
      const latchkey = createLatchkey({
        providers: [provider(), kaggle()],
        broker: server.broker,
        redirectUri: '/callback',
      })
      const insecure = { code: 'misuse', message: expect.stringContaining('needs https') }
      expect(await failure(latchkey.connect('acme'))).toMatchObject(insecure)
      expect(popups[0]).toMatchObject({ closed: true, urls: [] })
      expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'idle', error: insecure })
      const fields = { key: `KGAT_${CANARY}` }
      for (const act of [latchkey.connectKey('kaggle', fields), latchkey.verifyKey('kaggle', fields)])
        expect(await failure(act)).toMatchObject(insecure)
      expect(server.to('/broker/verify')).toEqual([])
    } finally {
      Reflect.deleteProperty(crypto, 'subtle')
    }
  })

  it('case 24: a redirectUri of another origin is refused before a window opens', async () => {
    const popups = openPopups()
    for (const redirectUri of ['https://evil.example/callback', undefined]) {
      const latchkey = createLatchkey({ providers: [provider()], redirectUri })
      expect(await failure(latchkey.connect('acme'))).toMatchObject({ code: 'misuse', next: 'configure' })
      expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'idle', error: { code: 'misuse' } })
    }
    expect(popups).toHaveLength(0)
  })

  it('closes the window when the request cannot be built', async () => {
    const popups = openPopups()
    const latchkey = client(provider('acme', server, { clientId: undefined }))
    expect(await failure(latchkey.connect('acme'))).toMatchObject({ code: 'not_configured', next: 'configure' })
    expect(popups[0]).toMatchObject({ closed: true, urls: [] })
  })

  it('says what to add when a provider needs a secret and there is no broker', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const popups = openPopups()
    const needy = provider('acme', server, { tokenEndpointAuthMethod: 'client_secret_post' })
    const latchkey = client(needy)
    await eventually(() =>
      expect(latchkey.getSnapshot().providers.acme).toMatchObject({ error: { code: 'not_configured' } }),
    )
    latchkey.setProviders([needy])
    expect(logged).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('@latchkey/server'))
    expect(await failure(latchkey.connect('acme'))).toMatchObject({ code: 'not_configured' })
    expect(popups).toHaveLength(0)
  })

  it('asks the broker for the client id, once, and redeems there', async () => {
    const popups = openPopups()
    const github = provider('github', server, { clientId: undefined, tokenEndpointAuthMethod: 'client_secret_post' })
    const latchkey = createLatchkey({ providers: [github], broker: server.broker, redirectUri: '/callback' })
    latchkey.prepare('github')
    const outcome = latchkey.connect('github')
    const url = await popups[0]!.at()
    expect(new URL(url).searchParams.get('client_id')).toBe('named-by-broker')
    visitCallback(server.approve(url))
    expect(await outcome).toMatchObject({ status: 'connected', account: { label: 'ada' } })
    expect(server.to('/broker/providers')).toHaveLength(1)
    expect(server.to('/token')).toHaveLength(0)
    expect(server.to('/broker/token')[0]!.headers).toHaveProperty('latchkey-request', '1')
  })

  it('m4: says that it was the app’s server that failed, and not the provider', async () => {
    const popups = openPopups()
    const github = provider('github', server, { clientId: undefined, tokenEndpointAuthMethod: 'client_secret_post' })
    const at = (broker: string) => createLatchkey({ providers: [github], broker, redirectUri: '/callback' })
    const latchkey = at(server.broker)
    const unreached = await failure(at('http://127.0.0.1:1/broker').connect('github'))
    expect(JSON.parse(JSON.stringify(unreached))).toMatchObject({ code: 'network', source: 'app', next: 'retry' })
    const answers: [string, Parameters<TinyServer['fault']>[1], object][] = [
      ['a proxy without its app', { status: 502, body: '<html>' }, { code: 'temporarily_unavailable', source: 'app' }],
      ['its own trouble', { status: 500, body: { error: 'server_error' } }, { code: 'server_error', source: 'app' }],
      [
        'the provider’s trouble',
        { status: 502, body: { error: 'server_error' } },
        { code: 'server_error', source: undefined },
      ],
      [
        'the provider’s no',
        { status: 400, body: { error: 'invalid_grant' } },
        { code: 'invalid_grant', source: undefined },
      ],
    ]
    for (const [what, fault, said] of answers) {
      server.fault('/broker/token', fault)
      const outcome = failure(latchkey.connect('github'))
      visitCallback(server.approve(await popups.at(-1)!.at()))
      expect(await outcome, what).toMatchObject(said)
    }
  })

  it('M3: offline, connect says so, and opens no window', async () => {
    const popups = openPopups()
    const latchkey = client()
    const onLine = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false)
    for (const mode of ['popup', 'tab', 'redirect'] as const)
      expect(await failure(latchkey.connect('acme', { mode }))).toMatchObject({ code: 'network', next: 'retry' })
    expect(popups).toHaveLength(0)
    expect(server.to('/token')).toHaveLength(0)
    expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'idle', error: { code: 'network' } })
    onLine.mockReturnValue(true)
    const outcome = latchkey.connect('acme')
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await outcome).toMatchObject({ status: 'connected' })
  })

  it('rejects an unknown provider with a sentence', async () => {
    expect(await failure(client().connect('nobody'))).toMatchObject({ code: 'misuse', provider: 'nobody' })
  })
})

describe('answers', () => {
  it('case 1: a response with another state is a mismatch, sends no request, and does not affect the real flow', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = await popups[0]!.at()
    const forged = server.approve(url, GRACE, { state: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' })
    expect(await failure(latchkey.handleRedirect(callbackUrl(forged)))).toMatchObject({ code: 'state_mismatch' })
    const page = visitCallback(forged)
    expect(server.to('/token')).toHaveLength(0)
    visitCallback(server.approve(url))
    expect(await outcome).toMatchObject({ status: 'connected', account: { label: 'ada' } })
    expect(page.closed).toBe(false)
  })

  it('case 2: a response without state is refused by the app and by the callback page', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const stripped = server.approve(await popups[0]!.at(), ADA, { state: null })
    expect(await failure(latchkey.handleRedirect(callbackUrl(stripped)))).toMatchObject({ code: 'state_mismatch' })
    expect(visitCallback(stripped).text).toBe('Return to the app.')
    expect(server.to('/token')).toHaveLength(0)
    latchkey.cancel('acme')
    await outcome
    expect(await failure(latchkey.handleRedirect(callbackUrl(stripped)))).toMatchObject({ code: 'flow_unknown' })
  })

  it('case 3: the same callback URL a second time is an unknown flow, after exactly one token request', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = callbackUrl(server.approve(await popups[0]!.at()))
    expect(await latchkey.handleRedirect(url)).toMatchObject({ status: 'connected' })
    expect(await outcome).toMatchObject({ status: 'connected' })
    expect(await failure(latchkey.handleRedirect(url))).toMatchObject({ code: 'flow_unknown' })
    expect(server.to('/token')).toHaveLength(1)
    expect(Object.values(latchkey.getSnapshot().accounts)).toMatchObject([{ status: 'connected' }])
    // The provider is idle: the next click opens a window of its own.
    const again = latchkey.connect('acme')
    expect(popups).toHaveLength(2)
    latchkey.cancel('acme')
    await again
  })

  it('case 4: an answer to a flow older than ten minutes is refused and its record is gone', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const popups = openPopups()
    const before = client()
    const never = before.connect('acme')
    const url = callbackUrl(server.approve(await popups[0]!.at()))
    const [key] = flowKeys()
    const record = sessionStorage.getItem(key!)!
    before.cancel('acme')
    await never
    sessionStorage.setItem(key!, record)
    vi.setSystemTime(Date.now() + 10 * 60_000 + 1)
    expect(await failure(client().handleRedirect(url))).toMatchObject({ code: 'timeout', next: 'connect' })
    expect(flowKeys()).toEqual([])
    expect(server.to('/token')).toHaveLength(0)
    // A flow that is never answered is deleted.
    sessionStorage.setItem(key!, record)
    expect(await client().handleRedirect()).toBeUndefined()
    expect(flowKeys()).toEqual([])
  })

  it('case 6: two flows at once each send their verifier to their own token endpoint', async () => {
    const popups = openPopups()
    const latchkey = client(provider('acme'), provider('umbrella', other))
    const acme = latchkey.connect('acme')
    const umbrella = latchkey.connect('umbrella')
    const [one, two] = [await popups[0]!.at(), await popups[1]!.at()]
    visitCallback(other.approve(two, GRACE))
    visitCallback(server.approve(one))
    expect(await umbrella).toMatchObject({ status: 'connected', account: { label: 'grace' } })
    expect(await acme).toMatchObject({ status: 'connected', account: { label: 'ada' } })
    // Each server checks PKCE, so a swapped verifier would have failed.
    expect([server.to('/token').length, other.to('/token').length]).toEqual([1, 1])
    expect(Object.keys(latchkey.getSnapshot().accounts)).toHaveLength(2)
  })

  it('case 7: a response at another path than the redirect URI is refused', async () => {
    const popups = openPopups()
    const latchkey = client(provider('acme'), provider('umbrella', other))
    const outcome = latchkey.connect('acme')
    const query = server.approve(await popups[0]!.at())
    for (const place of [
      `${location.origin}/callback/umbrella`,
      `${location.origin}/`,
      'https://evil.example/callback',
    ])
      expect(await failure(latchkey.handleRedirect(place + query))).toMatchObject({ code: 'state_mismatch' })
    expect(server.to('/token')).toHaveLength(0)
    expect(await latchkey.handleRedirect(callbackUrl(query))).toMatchObject({ status: 'connected' })
    await outcome
  })

  it('case 10: the verifier is sent once, in the body of the token request, and is in no URL', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = await popups[0]!.at()
    const { code_verifier } = JSON.parse(sessionStorage.getItem(flowKeys()[0]!)!)
    visitCallback(server.approve(url))
    await outcome
    const seen = server.requests.filter((request) => JSON.stringify(request).includes(code_verifier))
    expect(seen).toMatchObject([{ method: 'POST', path: '/token', body: expect.stringContaining(code_verifier) }])
    expect(seen[0]!.body.split(code_verifier)).toHaveLength(2)
    expect(url).not.toContain(code_verifier)
  })

  it('case 11: a response that names another issuer is refused before any token request', async () => {
    const popups = openPopups()
    const latchkey = client(provider('acme'), provider('umbrella', other))
    const outcome = latchkey.connect('acme')
    visitCallback(server.approve(await popups[0]!.at(), ADA, { iss: 'https://evil.example' }))
    expect(await failure(outcome)).toMatchObject({ code: 'issuer_mismatch', next: 'connect' })
    expect([...server.to('/token'), ...other.to('/token')]).toEqual([])
    expect(latchkey.getSnapshot().accounts).toEqual({})
  })

  it('case 14: an error text of another server is not shown', async () => {
    const popups = openPopups()
    const outcome = client().connect('acme')
    const wrong = { code: null, error: 'access_denied', error_description: 'Call 555', iss: 'https://evil.example' }
    visitCallback(server.approve(await popups[0]!.at(), ADA, wrong))
    const error = await failure(outcome)
    expect(error).toMatchObject({ code: 'issuer_mismatch', detail: undefined })
    expect(JSON.stringify(error)).not.toContain('555')
  })

  it('case 17: an answer with a repeated parameter is refused', async () => {
    const popups = openPopups()
    const latchkey = client()
    for (const [at, name] of ['code', 'state', 'iss', 'error'].entries()) {
      const outcome = latchkey.connect('acme')
      const query = server.approve(await popups[at]!.at(), ADA, { error: null })
      const twice = name === 'error' ? `${query}&error=a&error=b` : `${query}&${name}=other`
      visitCallback(twice)
      expect(await failure(outcome)).toMatchObject({ code: 'malformed_response' })
    }
    expect(server.to('/token')).toEqual([])
  })

  it('case 18: a token in the fragment is ignored, and nothing is stored', async () => {
    const latchkey = client()
    const url = callbackUrl(`#access_token=${CANARY}AT&state=x&token_type=bearer`)
    expect(await failure(latchkey.handleRedirect(url))).toMatchObject({ code: 'flow_unknown' })
    const popups = openPopups()
    const outcome = latchkey.connect('acme')
    const state = stateOf(await popups[0]!.at())
    const tokenInQuery = `?state=${state}&iss=${encodeURIComponent(server.origin)}&access_token=${CANARY}AT`
    visitCallback(tokenInQuery)
    expect(await failure(outcome)).toMatchObject({ code: 'malformed_response' })
    expect(latchkey.getSnapshot().accounts).toEqual({})
    expect(server.requests).toEqual([])
  })

  it('case 19: a person who says no is an outcome, not an error', async () => {
    const logged = vi.spyOn(console, 'error')
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    visitCallback(server.approve(await popups[0]!.at(), ADA, { code: null, error: 'access_denied' }))
    expect(await outcome).toEqual({ status: 'denied', next: 'connect' })
    expect(latchkey.getSnapshot().providers.acme).toEqual({ status: 'idle', reason: 'access_denied' })
    expect(logged).not.toHaveBeenCalled()
  })

  it("keeps the code of a registered error, and marks the server's text", async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const words = `<img src=x onerror=alert(1)>${'x'.repeat(500)}`
    const answer = { code: null, error: 'invalid_scope', error_description: words }
    visitCallback(server.approve(await popups[0]!.at(), ADA, answer))
    const error = await failure(outcome)
    expect(error).toMatchObject({ code: 'invalid_scope', provider: 'acme', detail: words.slice(0, 200) })
    expect(error.message).not.toContain('<img')
  })

  it('case 30: the code is exchanged as soon as it arrives', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] })
    const popups = openPopups()
    const outcome = client().connect('acme')
    const url = await popups[0]!.at()
    const answeredAt = Date.now()
    visitCallback(server.approve(url))
    // The clock stands still, so no timer can delay the exchange.
    await outcome
    expect(server.to('/token')).toHaveLength(1)
    expect(Date.now()).toBe(answeredAt)
  })

  it('reports a code that was used before, and keeps the connected account', async () => {
    const { latchkey, account } = await connected()
    const popups = openPopups()
    const outcome = latchkey.connect('acme')
    const query = server.approve(await popups[0]!.at())
    server.fault('/token', { status: 400, body: { error: 'invalid_grant' } })
    visitCallback(query)
    expect(await failure(outcome)).toMatchObject({ code: 'invalid_grant', next: 'connect' })
    expect(latchkey.getSnapshot().accounts[account.id]).toMatchObject({ status: 'connected' })
    expect(await latchkey.getToken('acme')).toMatch(CANARY)
  })

  it.each([
    ['an error under status 200', { body: { error: 'invalid_request', error_description: 'x' } }, 'invalid_request'],
    ['ok: false', { body: { ok: false } }, 'invalid_request'],
    [
      'HTML with status 502',
      { status: 502, body: '<h1>Bad gateway', headers: { 'content-type': 'text/html' } },
      'temporarily_unavailable',
    ],
    ['HTML with status 200', { body: '<h1>Sign in', headers: { 'content-type': 'text/html' } }, 'malformed_response'],
    ['5 MB', { body: `"${'x'.repeat(5e6)}"` }, 'malformed_response'],
    ['a token that is an object', { body: { access_token: {}, token_type: 'bearer' } }, 'malformed_response'],
    ['no access_token', { body: { token_type: 'bearer' } }, 'malformed_response'],
    [
      'expires_in "abc"',
      { body: { access_token: 'a', token_type: 'bearer', expires_in: 'abc' } },
      'malformed_response',
    ],
    ['expires_in -1', { body: { access_token: 'a', token_type: 'bearer', expires_in: -1 } }, 'malformed_response'],
    ['an array', { body: '[]' }, 'malformed_response'],
    ['a redirect', { status: 307, headers: { location: 'https://evil.example' }, body: '' }, 'malformed_response'],
  ])('case 32: a token answer that is %s is a typed error, and nothing is stored', async (_what, fault, code) => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    server.fault('/token', fault)
    const page = visitCallback(server.approve(await popups[0]!.at()))
    expect(await failure(outcome)).toMatchObject({ name: 'LatchkeyError', code, provider: 'acme' })
    expect(latchkey.getSnapshot()).toMatchObject({
      accounts: {},
      providers: { acme: { status: 'idle', error: { code } } },
    })
    expect(Object.keys(localStorage)).toEqual([])
    await eventually(() => expect(page.closed).toBe(true))
  })

  it('reads expires_in also as a string, and treats a missing one as unknown', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const popups = openPopups()
    const latchkey = client()
    const quoted = latchkey.connect('acme')
    server.fault('/token', { change: (answer) => ({ ...answer, expires_in: '3600' }) })
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await quoted).toMatchObject({ account: { expiresAt: Date.now() + 3_600_000 } })
    const missing = latchkey.connect('acme')
    server.fault('/token', { change: ({ expires_in: _, ...answer }) => answer })
    visitCallback(server.approve(await popups[1]!.at()))
    expect(await missing).toMatchObject({ account: { expiresAt: undefined } })
    vi.setSystemTime(Date.now() + 365 * 86_400_000)
    expect(await latchkey.getToken('acme')).toMatch(CANARY)
    expect(server.to('/token')).toHaveLength(2)
  })

  it('understands GitHub: a form body, and commas between scopes', async () => {
    const popups = openPopups()
    const outcome = client().connect('acme')
    server.fault('/token', {
      body: 'access_token=abc&scope=repo%2Cgist&token_type=bearer',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await outcome).toMatchObject({ account: { scopes: ['repo', 'gist'], renewable: false } })
  })

  it('keeps the account when the profile cannot be read, without a name, and names it at the next connect', async () => {
    const popups = openPopups()
    const latchkey = client()
    const first = latchkey.connect('acme')
    server.fault('/userinfo', { status: 500, body: 'no' })
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await first).toMatchObject({ status: 'connected', account: { label: 'Acme', subject: undefined } })
    const second = latchkey.connect('acme')
    visitCallback(server.approve(await popups[1]!.at()))
    expect(await second).toMatchObject({ account: { label: 'ada', subject: '1815' } })
    expect(Object.values(latchkey.getSnapshot().accounts)).toMatchObject([{ label: 'ada' }])
    const reloaded = client()
    expect(Object.values(reloaded.getSnapshot().accounts)).toMatchObject([{ label: 'ada' }])
    expect(await reloaded.getToken('acme')).toMatch(CANARY)
  })

  it('connects the same person to the same account, and another person to a new one', async () => {
    const latchkey = client()
    const ada = await connect(latchkey, server)
    const grace = await connect(latchkey, server, { person: GRACE })
    const again = await connect(latchkey, server)
    expect(again).toMatchObject({ id: ada.id, connectedAt: ada.connectedAt })
    expect(ada.id).toMatch(/^acme\.[\w-]{22}$/)
    expect(Object.keys(latchkey.getSnapshot().accounts).sort()).toEqual([ada.id, grace.id].sort())
    const token = (accountId: string) => latchkey.getToken({ accountId })
    expect(await token(ada.id)).not.toBe(await token(grace.id))
  })

  it('asks only for the chosen scopes when another account is added, not for those of the existing one', async () => {
    const { latchkey, account } = await connected()
    const popups = openPopups()
    const scopesOf = async (at: number) => new URL(await popups[at]!.at()).searchParams.get('scope')
    const another = latchkey.connect('acme', { scopes: ['repo'], intent: 'add-account' })
    expect(await scopesOf(0)).toBe('repo')
    latchkey.cancel('acme')
    await another
    const wider = latchkey.connect('acme', { scopes: ['repo'] })
    expect(await scopesOf(1)).toBe('repo read')
    latchkey.cancel('acme')
    await wider
    void latchkey.connect('acme', { scopes: ['repo'], only: true, accountId: account.id })
    expect(await scopesOf(2)).toBe('repo')
    latchkey.cancel('acme')
  })

  it('case 28: a reconnect that returns a different account is reported, and nothing changes', async () => {
    const { latchkey, account } = await connected()
    const token = await latchkey.getToken('acme')
    const popups = openPopups()
    const again = latchkey.reconnect(account.id)
    visitCallback(server.approve(await popups[0]!.at(), GRACE))
    expect(await failure(again)).toMatchObject({ code: 'account_changed', account: account.id, next: 'choose' })
    expect(latchkey.getSnapshot().providers.acme).toMatchObject({
      status: 'idle',
      error: { code: 'account_changed' },
      changed: { from: account, to: { label: 'grace', subject: '1906' } },
    })
    expect(JSON.stringify(latchkey.getSnapshot())).not.toContain(CANARY)
    expect(latchkey.getSnapshot().accounts).toEqual({ [account.id]: account })
    expect(await latchkey.getToken('acme')).toBe(token)
    expect(client().getSnapshot().accounts).toHaveProperty([account.id, 'label'], 'ada')
    expect(Object.keys(client().getSnapshot().accounts)).toHaveLength(1)
    // The person can still add that account as a new one.
    await connect(latchkey, server, { person: GRACE })
    expect(Object.keys(latchkey.getSnapshot().accounts)).toHaveLength(2)
  })

  it('case 219: connected again at another issuer, an account takes the place of the old one', async () => {
    const { account } = await connected()
    const latchkey = client(provider('acme', other))
    expect(latchkey.getSnapshot().accounts[account.id]).toMatchObject({ reason: 'issuer_changed' })
    const popups = openPopups()
    const again = latchkey.reconnect(account.id)
    visitCallback(other.approve(await popups[0]!.at()))
    const outcome = await again
    expect(outcome).toMatchObject({ status: 'connected', account: { issuer: other.origin, label: 'ada' } })
    const { accounts } = latchkey.getSnapshot()
    expect(Object.values(accounts)).toMatchObject([{ issuer: other.origin, status: 'connected' }])
    expect(client().getSnapshot().accounts).not.toHaveProperty([account.id])
  })

  it('keeps the old refresh token if a second consent returns none', async () => {
    const { latchkey, account } = await connected()
    const popups = openPopups()
    const again = latchkey.reconnect(account.id)
    server.fault('/token', { change: ({ refresh_token: _, ...answer }) => ({ ...answer, expires_in: 0 }) })
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await again).toMatchObject({ account: { renewable: true } })
    expect(await latchkey.getToken('acme')).toMatch(CANARY)
    expect(server.to('/token').at(-1)!.body).toContain('grant_type=refresh_token')
  })
})

describe('messages that are not answers', () => {
  it('case 38: messages of every origin are ignored', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = await popups[0]!.at()
    const query = server.approve(url, GRACE)
    for (const origin of ['https://evil', 'https://app.example.evil', 'null', location.origin])
      window.dispatchEvent(new MessageEvent('message', { origin, data: { query } }))
    visitCallback(server.approve(url))
    expect(await outcome).toMatchObject({ account: { label: 'ada' } })
  })

  it('case 39: a message of the wrong shape or of another flow is ignored', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = await popups[0]!.at()
    const state = stateOf(url)
    const stranger = new BroadcastChannel(`latchkey:flow:${state}`)
    const unknown = new BroadcastChannel('latchkey:flow:another')
    for (const data of [null, 1, 'x', {}, { query: 1 }, { query: {} }, { query: `?code=x&state=other` }])
      stranger.postMessage(data)
    stranger.postMessage({ query: `?state=${state}&code=${'x'.repeat(20_000)}` })
    unknown.postMessage({ query: server.approve(url, GRACE) })
    visitCallback(server.approve(url))
    expect(await outcome).toMatchObject({ account: { label: 'ada' } })
    expect(server.to('/token')).toHaveLength(1)
    stranger.close()
    unknown.close()
  })

  it('case 40: an identity in a message changes nothing', async () => {
    const popups = openPopups()
    const latchkey = client()
    const outcome = latchkey.connect('acme')
    const url = await popups[0]!.at()
    const before = latchkey.getSnapshot()
    const stranger = new BroadcastChannel(`latchkey:flow:${stateOf(url)}`)
    stranger.postMessage({ type: 'success', identity: { provider: 'acme', accessToken: `${CANARY}FORGED` } })
    window.dispatchEvent(
      new MessageEvent('message', { origin: location.origin, data: { identity: { accessToken: 'x' } } }),
    )
    // A response that was sent later on the same channel has arrived, so the forged one has arrived too.
    const heard = new Promise((resolve) => stranger.addEventListener('message', resolve, { once: true }))
    expect(latchkey.getSnapshot()).toBe(before)
    visitCallback(server.approve(url))
    await heard
    await outcome
    expect(JSON.stringify(latchkey.getSnapshot())).not.toContain('FORGED')
    expect(await latchkey.getToken('acme')).not.toContain('FORGED')
    stranger.close()
  })

  it('case 41: nothing is posted to a window, and no token to a channel', async () => {
    const posted = vi.spyOn(window, 'postMessage')
    const spoken = vi.spyOn(BroadcastChannel.prototype, 'postMessage')
    await connected()
    expect(posted).not.toHaveBeenCalled()
    expect(spoken).toHaveBeenCalled()
    expect(JSON.stringify(spoken.mock.calls)).not.toMatch(/CANARY_(AT|RT)/)
  })

  it('case 263: a link to the callback page with a state of its own is heard by no tab', async () => {
    const { latchkey } = await connected()
    for (const state of ['signout', 'latchkey:signout', '', 'x'.repeat(44), `${'x'.repeat(43)}:signout`])
      expect(visitCallback(`?code=x&state=${encodeURIComponent(state)}`).text).toBe('Return to the app.')
    // Neither does another message on the channel of sign-outs.
    const stranger = new BroadcastChannel('latchkey:signout')
    const witness = new BroadcastChannel('latchkey:signout')
    const heard = new Promise((resolve) => witness.addEventListener('message', resolve, { once: true }))
    for (const data of [null, 1, {}, { query: '?state=signout' }, 'signed out!']) stranger.postMessage(data)
    await heard
    await new Promise((resolve) => setTimeout(resolve))
    expect(Object.values(latchkey.getSnapshot().accounts)).toMatchObject([{ label: 'ada', status: 'connected' }])
    stranger.close()
    witness.close()
  })

  it('case 42: each flow has a channel of its own, named by 256 random bits and closed afterwards', async () => {
    const closed: string[] = []
    const { close } = BroadcastChannel.prototype
    vi.spyOn(BroadcastChannel.prototype, 'close').mockImplementation(function (this: BroadcastChannel) {
      closed.push(this.name)
      close.call(this)
    })
    const { latchkey } = await connected()
    await connected(latchkey)
    const names = [...new Set(closed)]
    expect(names).toHaveLength(2)
    for (const name of names) expect(name).toMatch(/^latchkey:flow:[\w-]{43}$/)
  })
})

describe('with a redirect', () => {
  /** Leaves the page. jsdom does not navigate, so the test does the rest. */
  async function leave(latchkey = client()) {
    const outcome = latchkey.connect('acme', { mode: 'redirect' })
    await eventually(() => expect(flowKeys()).toHaveLength(1))
    const flow = JSON.parse(sessionStorage.getItem(flowKeys()[0]!)!)
    const url = `${server.origin}/authorize?${new URLSearchParams({
      state: flow.state,
      redirect_uri: flow.redirect_uri,
      scope: flow.scopes.join(' '),
      code_challenge: await challenge(flow.code_verifier),
    })}`
    // The promises of a page end with it. Only the record of the flow stays.
    const record = sessionStorage.getItem(flowKeys()[0]!)!
    const key = flowKeys()[0]!
    latchkey.cancel('acme')
    await outcome
    sessionStorage.setItem(key, record)
    return { url, flow }
  }
  const challenge = async (verifier: string) =>
    Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))).toString('base64url')

  it('returns to the page that it left, and connects there', async () => {
    history.replaceState(null, '', '/chat?thread=1#end')
    const { url, flow } = await leave()
    expect(flow.returnTo).toBe('/chat?thread=1#end')
    const page = visitCallback(server.approve(url), { session: sessionStorage })
    expect(page.replaced).toBe(`${location.origin}/chat?thread=1#end`)
    const back = client()
    const outcome = back.handleRedirect()
    expect(await outcome).toMatchObject({ status: 'connected', account: { label: 'ada' } })
    expect(flowKeys()).toEqual([])
    history.replaceState(null, '', '/')
  })

  it('case 31: a double effect finishes it once', async () => {
    const { url } = await leave()
    visitCallback(server.approve(url), { session: sessionStorage })
    const back = client()
    const leaveAgain = back.mount()
    leaveAgain()
    back.mount()
    const [one, two] = await Promise.all([back.handleRedirect(), back.handleRedirect()])
    expect(one).toMatchObject({ status: 'connected' })
    expect(two).toBe(one)
    expect(server.to('/token')).toHaveLength(1)
  })

  it('shows on the card why it failed', async () => {
    const { url } = await leave()
    visitCallback(server.approve(url), { session: sessionStorage })
    server.fault('/token', { status: 503, body: 'no' })
    const back = client()
    expect(await failure(back.handleRedirect())).toMatchObject({ code: 'temporarily_unavailable' })
    expect(back.getSnapshot().providers.acme).toMatchObject({
      status: 'idle',
      error: { code: 'temporarily_unavailable' },
    })
  })

  it('one failed response does not affect another one', async () => {
    const { url } = await leave()
    visitCallback(server.approve(url), { session: sessionStorage })
    sessionStorage.setItem(
      'latchkey:flow:broken',
      JSON.stringify({
        provider: 'acme',
        state: 'broken',
        mode: 'redirect',
        startedAt: Date.now(),
        response: '?state=x',
      }),
    )
    const back = client()
    await back.handleRedirect().catch(() => {})
    await eventually(() => expect(Object.values(back.getSnapshot().accounts)).toMatchObject([{ label: 'ada' }]))
    expect(flowKeys()).toEqual([])
  })

  it('does not leave the page if the flow could not be stored', async () => {
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    expect(await failure(client().connect('acme', { mode: 'redirect' }))).toMatchObject({ code: 'storage_unavailable' })
  })

  it.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'javascript:1',
    '\u0001//evil.example',
  ])('case 23: a redirect goes home instead of to %j', async (returnTo) => {
    const { url, flow } = await leave()
    sessionStorage.setItem(flowKeys()[0]!, JSON.stringify({ ...flow, returnTo }))
    expect(visitCallback(server.approve(url), { session: sessionStorage }).replaced).toBe('/')
  })
})

describe('a reload during a flow', () => {
  async function reloaded() {
    const popups = openPopups()
    const before = client()
    const lost = before.connect('acme')
    const url = await popups[0]!.at()
    const [key] = flowKeys()
    const record = sessionStorage.getItem(key!)!
    before.cancel('acme')
    await lost
    sessionStorage.setItem(key!, record)
    popups.length = 0
    return { url, popups, key: key! }
  }

  it('listens again, and connects', async () => {
    const { url } = await reloaded()
    const latchkey = client()
    latchkey.mount()
    await eventually(() => expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'connecting' }))
    visitCallback(server.approve(url))
    await eventually(() => expect(Object.values(latchkey.getSnapshot().accounts)).toMatchObject([{ label: 'ada' }]))
    expect(latchkey.getSnapshot().providers.acme).toBeUndefined()
    expect(flowKeys()).toEqual([])
  })

  it('can be cancelled, and started again', async () => {
    const { popups } = await reloaded()
    const latchkey = client()
    latchkey.mount()
    await eventually(() => expect(latchkey.getSnapshot().providers.acme).toMatchObject({ status: 'connecting' }))
    const anew = latchkey.connect('acme')
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await anew).toMatchObject({ status: 'connected' })
    expect(flowKeys()).toEqual([])
    latchkey.cancel('acme')
    expect(latchkey.getSnapshot().providers).toEqual({})
  })

  it('case 58: stored flows and accounts cannot move an endpoint', async () => {
    const { url, key } = await reloaded()
    const flow = JSON.parse(sessionStorage.getItem(key)!)
    const moved = { token_endpoint: `${other.origin}/token`, server: { token_endpoint: `${other.origin}/token` } }
    sessionStorage.setItem(key, JSON.stringify({ ...flow, ...moved }))
    const latchkey = client()
    await latchkey.handleRedirect(callbackUrl(server.approve(url)))
    const [stored] = Object.keys(localStorage).filter((name) => name.startsWith('latchkey:acme.'))
    const record = JSON.parse(localStorage.getItem(stored!)!)
    record.account = { ...record.account, ...moved, expiresAt: 1 }
    localStorage.setItem(stored!, JSON.stringify(record))
    expect(await client().getToken('acme', { minValidity: 7200 })).toMatch(CANARY)
    expect(other.requests).toEqual([])
    expect(server.to('/token')).toHaveLength(2)
  })

  it('does not trust a stored issuer', async () => {
    const { url, key } = await reloaded()
    const flow = JSON.parse(sessionStorage.getItem(key)!)
    sessionStorage.setItem(key, JSON.stringify({ ...flow, issuer: 'https://evil.example' }))
    const query = server.approve(url, ADA, { iss: 'https://evil.example' })
    expect(await failure(client().handleRedirect(callbackUrl(query)))).toMatchObject({ code: 'issuer_mismatch' })
    expect(server.to('/token')).toEqual([])
  })

  it('drops records that are not flows', async () => {
    for (const [at, text] of [
      'x',
      '1',
      'null',
      '{}',
      '{"provider":"acme"}',
      '{"provider":"acme","startedAt":"x"}',
    ].entries())
      sessionStorage.setItem(`latchkey:flow:${at}`, text)
    const latchkey = client()
    expect(await latchkey.handleRedirect()).toBeUndefined()
    expect(flowKeys()).toEqual([])
    expect(latchkey.getSnapshot().providers).toEqual({})
  })
})

describe('discovery', () => {
  const discovered = (at = server) =>
    oidc({ id: 'acme', name: 'Acme', issuer: at.origin, baseUrl: at.origin, clientId: 'app' })

  it('finds the endpoints of an OpenID Connect service, and reads the profile', async () => {
    const popups = openPopups()
    const outcome = client(discovered()).connect('acme')
    const url = await popups[0]!.at()
    expect(url.startsWith(`${server.origin}/authorize?`)).toBe(true)
    expect(new URL(url).searchParams.get('scope')).toBe('openid profile email')
    visitCallback(server.approve(url))
    expect(await outcome).toMatchObject({ account: { label: 'ada', email: 'ada@example.com', subject: '1815' } })
  })

  it.each([
    'javascript:alert(1)',
    ' java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,x',
    'blob:https://a/b',
    'http://remote.example/authorize',
  ])('case 25: an authorization endpoint of %j is refused, and the window closed', async (authorization_endpoint) => {
    const fresh = await startTinyServer()
    fresh.settings.metadata = { authorization_endpoint }
    const popups = openPopups()
    const refused = failure(client(discovered(fresh)).connect('acme'))
    // If a window went there, this would wait forever for a response.
    expect(await Promise.race([refused, popups[0]!.at()])).toMatchObject({ code: 'malformed_response' })
    expect(popups[0]).toMatchObject({ closed: true, urls: [] })
    await fresh.close()
  })

  it.each([
    ['another issuer', { issuer: 'https://evil.example' }, 'malformed_response'],
    ['a token endpoint without https', { token_endpoint: 'http://remote.example/token' }, 'malformed_response'],
    ['no token endpoint', { token_endpoint: undefined }, 'malformed_response'],
  ])('refuses metadata with %s', async (_what, metadata, code) => {
    const fresh = await startTinyServer()
    fresh.settings.metadata = metadata
    const popups = openPopups()
    expect(await failure(client(discovered(fresh)).connect('acme'))).toMatchObject({ code })
    expect(popups[0]).toMatchObject({ closed: true, urls: [] })
    await fresh.close()
  })

  it.each([[undefined], [['plain']], [[]]])(
    'case 9: metadata whose PKCE methods are %j is refused, and the window goes nowhere',
    async (methods) => {
      const fresh = await startTinyServer()
      fresh.settings.metadata = { code_challenge_methods_supported: methods }
      const popups = openPopups()
      expect(await failure(client(discovered(fresh)).connect('acme'))).toMatchObject({ code: 'malformed_response' })
      expect(popups[0]).toMatchObject({ closed: true, urls: [] })
      await fresh.close()
    },
  )

  it('tries again after a failure, and asks once for all callers', async () => {
    const fresh = await startTinyServer()
    fresh.fault('/.well-known/openid-configuration', { status: 502, body: '<h1>no' })
    const popups = openPopups()
    const latchkey = client(discovered(fresh))
    expect(await failure(latchkey.connect('acme'))).toMatchObject({ provider: 'acme' })
    const outcome = latchkey.connect('acme')
    visitCallback(fresh.approve(await popups[1]!.at()))
    expect(await outcome).toMatchObject({ status: 'connected' })
    expect(fresh.to('/.well-known/openid-configuration')).toHaveLength(2)
    await fresh.close()
  })

  it('case 16: a server that uses the sign-in page of another never gets its codes', async () => {
    const evil = await startTinyServer()
    const mixed = { ...provider('evil'), issuer: evil.origin }
    mixed.server = { ...mixed.server, issuer: evil.origin, token_endpoint: `${evil.origin}/token` }
    const popups = openPopups()
    const outcome = client(mixed).connect('evil')
    visitCallback(server.approve(await popups[0]!.at()))
    expect(await failure(outcome)).toMatchObject({ code: 'issuer_mismatch' })
    expect(evil.requests).toEqual([])
    await evil.close()
  })
})
