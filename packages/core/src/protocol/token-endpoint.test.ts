import { inspect } from 'node:util'
import { startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LatchkeyError } from '../errors.ts'
import { apiKey, keyScheme, oauth } from '../provider.ts'
import { github } from '../providers/github.ts'
import { gmail } from '../providers/gmail.ts'
import { kaggle } from '../providers/kaggle.ts'
import { BROKER_HEADER, brokered, callBroker } from './broker.ts'
import { fetchProfile, keyAuthorization, verifyKey } from './profile.ts'
import { authorizationServer, type Token } from './token-endpoint.ts'

let server: TinyServer

beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
afterEach(() => {
  server.reset()
  vi.restoreAllMocks()
})

const TOKEN: Token = { access_token: 'at', refresh_token: 'rt', token_type: 'bearer', issuer: 'https://acme.example' }

const acme = (method: 'none' | 'client_secret_basic' | 'client_secret_post' = 'none') =>
  oauth({
    id: 'acme',
    name: 'Acme',
    issuer: server.origin,
    baseUrl: server.origin,
    authorizationEndpoint: `${server.origin}/authorize`,
    tokenEndpoint: `${server.origin}/token`,
    revocationEndpoint: `${server.origin}/revoke`,
    tokenEndpointAuthMethod: method,
  })

const ANSWER = { access_token: 'new', token_type: 'Bearer' }

describe('the authorization server itself', () => {
  it.each([
    ['none', { client_id: 'app' }, undefined, { client_id: 'app' }],
    [
      'client_secret_post',
      { client_id: 'app', client_secret: 's' },
      undefined,
      { client_id: 'app', client_secret: 's' },
    ],
    ['client_secret_basic', { client_id: 'app', client_secret: 's' }, `Basic ${btoa('app:s')}`, {}],
  ] as const)('authenticates the client by %s', async (method, client, authorization, inBody) => {
    server.fault('/token', { body: ANSWER })
    await authorizationServer(acme(method), client).refresh(TOKEN)
    const [request] = server.to('/token')
    expect(request?.headers.authorization).toBe(authorization)
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'rt',
      ...inBody,
    })
  })

  it.each([
    ['a bad code of GitHub, under status 200', github(), { error: 'bad_verification_code' }, 'invalid_grant'],
    ['a bad secret of GitHub', github(), { error: 'incorrect_client_credentials' }, 'invalid_client'],
    ['an error of Slack', undefined, { ok: false, error: 'invalid_code' }, 'invalid_request'],
    ['codes of Entra', undefined, { error: 'invalid_grant', error_codes: [70008] }, 'invalid_grant'],
  ])('knows %s', async (_what, provider, body, code) => {
    server.fault('/token', { body })
    const aliased = { ...acme(), errorAliases: provider?.errorAliases }
    await expect(authorizationServer(aliased, { client_id: 'app' }).refresh(TOKEN)).rejects.toMatchObject({ code })
  })

  it.each([
    ['refresh_token: null', { ...ANSWER, refresh_token: null }, { refresh_token: undefined }],
    ['an empty refresh_token', { ...ANSWER, refresh_token: '' }, { refresh_token: undefined }],
    ['no token_type', { access_token: 'new' }, { token_type: 'bearer' }],
    ['expires_in: null', { ...ANSWER, expires_in: null }, { expires_in: undefined }],
    ['commas in scope', { ...ANSWER, scope: 'repo,gist' }, { scope: 'repo gist' }],
  ])('takes an answer with %s', async (_what, body, expected) => {
    server.fault('/token', { body })
    const { token } = await authorizationServer(acme(), { client_id: 'app' }).refresh(TOKEN)
    expect(token).toMatchObject({ access_token: 'new', issuer: server.origin, ...expected })
  })

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    "case 270: an error holds no secret of the request, though the server's words repeat it (%s)",
    async (method) => {
      const client = { client_id: 'app', client_secret: 'CANARY_/+" secret' }
      const refresh_token = 'CANARY_rt'
      const secrets = [client.client_secret, refresh_token, encodeURIComponent(client.client_secret)]
      const basic = btoa(`app:${new URLSearchParams([['', client.client_secret]]).toString().slice(1)}`)
      for (const secret of [...secrets, basic, `${new URLSearchParams(client)}`]) {
        server.fault('/token', {
          status: 400,
          body: { error: 'invalid_client', error_description: `Bad: ${secret}.`, error_uri: `https://a/?${secret}` },
        })
        const asked = authorizationServer(acme(method), client).refresh({ ...TOKEN, refresh_token })
        const error: LatchkeyError = await asked.then(
          () => expect.unreachable(),
          (thrown) => thrown,
        )
        expect(error).toMatchObject({ code: 'invalid_client' })
        const text = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + String(error)
        // The basic one is sent by one of the methods only.
        if (secret !== basic || method === 'client_secret_basic') expect(text).not.toMatch(/CANARY|Q0FOQVJZ/)
      }
      server.fault('/token', { status: 400, body: { error: 'invalid_scope', error_description: 'Try another.' } })
      await expect(authorizationServer(acme(method), client).refresh(TOKEN)).rejects.toMatchObject({
        detail: 'Try another.',
      })
    },
  )

  it("case 229: the time for the server's words grows no faster than they do", async () => {
    const time = async (length: number) => {
      const fetch = async () =>
        Response.json({ error: 'invalid_grant', error_description: 'eyJ-'.repeat(length / 4) }, { status: 400 })
      const started = process.cpuUsage()
      const asked = authorizationServer(acme(), { client_id: 'app', fetch }).refresh(TOKEN)
      await expect(asked).rejects.toMatchObject({ code: 'invalid_grant' })
      return process.cpuUsage(started).user / 1000
    }
    await time(1000)
    const [small, large] = [await time(120_000), await time(240_000)]
    // Milliseconds of CPU. Below some of them a measure says nothing about growth.
    expect(large).toBeLessThan(Math.max(100, 3 * small))
  })

  it('reads only snake_case members', async () => {
    server.fault('/token', { body: { accessToken: 'new', expiresIn: 3600 } })
    await expect(authorizationServer(acme(), { client_id: 'app' }).refresh(TOKEN)).rejects.toMatchObject({
      code: 'malformed_response',
    })
  })

  it('does not follow a redirect of a request that has a secret in its body', async () => {
    server.fault('/token', { status: 307, headers: { location: `${server.origin}/elsewhere` }, body: '' })
    await expect(authorizationServer(acme(), { client_id: 'app' }).refresh(TOKEN)).rejects.toMatchObject({
      code: 'malformed_response',
    })
    expect(server.to('/elsewhere')).toEqual([])
  })

  it('reports that the server did not answer', async () => {
    const away = { ...acme(), server: { ...acme().server, token_endpoint: 'http://127.0.0.1:1/token' } }
    await expect(authorizationServer(away, { client_id: 'app' }).refresh(TOKEN)).rejects.toMatchObject({
      code: 'network',
      provider: 'acme',
      next: 'retry',
    })
  })
})

describe('limits', () => {
  /** Accepts the connection and never answers. */
  const silent: typeof globalThis.fetch = (_url, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.throwIfAborted()
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    })
  /** Sends its headers, but never its body. */
  const stuck: typeof globalThis.fetch = async (_url, init) =>
    new Response(
      new ReadableStream({
        start: (body) => init?.signal?.addEventListener('abort', () => body.error(init.signal?.reason)),
      }),
    )
  const direct = (fetch = globalThis.fetch) => authorizationServer(acme(), { client_id: 'app', fetch })
  const withUserinfo = () => ({
    ...acme(),
    profile: { endpoint: `${server.origin}/userinfo`, fields: { subject: 'id' } },
  })

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
      const late = new AbortController()
      setTimeout(() => late.abort(new DOMException('too late', 'TimeoutError')), milliseconds)
      return late.signal
    })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  describe.each([
    ['never answers', silent],
    ['never ends its answer', stuck],
  ])('a server that %s', (_what, fetch) => {
    it.each([
      ['/token', 10_000, () => direct(fetch).refresh(TOKEN)],
      ['/revoke', 10_000, () => direct(fetch).revoke(TOKEN)],
      ['/userinfo', 10_000, () => fetchProfile(withUserinfo(), 'at')],
      ['a broker', 30_000, () => callBroker('/api/latchkey', 'token', {})],
    ])('%s is given up after %d ms', async (_route, limit, call) => {
      vi.stubGlobal('fetch', fetch)
      const ended = vi.fn()
      const outcome = expect(call().finally(ended)).rejects.toMatchObject({ name: 'LatchkeyError', code: 'network' })
      await vi.advanceTimersByTimeAsync(limit - 1)
      expect(ended).not.toHaveBeenCalled()
      await vi.advanceTimersByTimeAsync(1)
      await outcome
    })

    it('a /userinfo that is too slow leaves the account without a name', async () => {
      const provider = withUserinfo()
      const token = Response.json(ANSWER)
      const options = { client_id: 'app', fetch: vi.fn(fetch).mockResolvedValueOnce(token) }
      const answer = authorizationServer(provider, options).refresh(TOKEN)
      await vi.advanceTimersByTimeAsync(10_000)
      expect(await answer).toMatchObject({ token: { access_token: 'new' }, profile: undefined })
    })
  })

  it("the caller's own signal ends a request earlier", async () => {
    const own = new AbortController()
    const options = { client_id: 'app', fetch: silent, signal: own.signal }
    const outcome = expect(authorizationServer(acme(), options).refresh(TOKEN)).rejects.toMatchObject({
      code: 'network',
    })
    own.abort()
    await outcome
  })

  it.each([
    ['/token', () => direct().refresh(TOKEN)],
    ['/revoke', () => direct().revoke(TOKEN)],
    ['/userinfo', () => fetchProfile(withUserinfo(), 'at')],
    ['/broker/accounts', () => callBroker(server.broker, 'accounts', undefined, 'GET')],
  ])('%s that answers too much is not read to its end', async (path, call) => {
    server.fault(path, { status: path === '/revoke' ? 400 : 200, body: `{"access_token":"${'x'.repeat(256 * 1024)}"}` })
    await expect(call()).rejects.toMatchObject({ code: 'malformed_response' })
  })
})

describe('revocation', () => {
  it(`counts Google's "unknown token" as revoked`, async () => {
    server.fault('/revoke', { status: 400, body: { error: 'invalid_token' } })
    const endpoint = authorizationServer(acme(), { client_id: 'app' })
    expect(await endpoint.revoke(TOKEN)).toEqual({ status: 'revoked', tokens: ['refresh_token', 'access_token'] })
    expect(server.to('/revoke')).toHaveLength(2)
  })

  it('names only the tokens that were revoked', async () => {
    const endpoint = authorizationServer(acme(), { client_id: 'app' })
    const unsupported = { status: 400, body: { error: 'unsupported_token_type' } }
    server.fault('/revoke', unsupported)
    expect(await endpoint.revoke(TOKEN)).toEqual({ status: 'revoked', tokens: ['access_token'] })
    server.fault('/revoke', unsupported, unsupported)
    expect(await endpoint.revoke(TOKEN)).toEqual({ status: 'unsupported' })
    server.fault('/revoke', { status: 200, body: {} }, { status: 503, body: 'no' })
    expect(await endpoint.revoke(TOKEN)).toEqual({ status: 'revoked', tokens: ['refresh_token'] })
  })

  it('sends Google the token without client authentication', async () => {
    const google = gmail({ baseUrl: server.origin, clientId: 'app' })
    await authorizationServer(google, { client_id: 'app', client_secret: 's' }).revoke({
      ...TOKEN,
      refresh_token: undefined,
    })
    const [request] = server.to('/revoke')
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      token: 'at',
      token_type_hint: 'access_token',
    })
    expect(request?.headers.authorization).toBeUndefined()
  })

  it.each([
    [204, { status: 'revoked', tokens: ['access_token'] }],
    [404, { status: 'revoked', tokens: ['access_token'] }],
  ])("revokes a GitHub grant with GitHub's own API (status %d)", async (status, expected) => {
    const path = '/api/v3/applications/app/token'
    server.fault(path, { status, body: '' })
    const endpoint = authorizationServer(github({ baseUrl: server.origin }), { client_id: 'app', client_secret: 's' })
    expect(await endpoint.revoke(TOKEN)).toEqual(expected)
    expect(server.to(path)).toMatchObject([
      { method: 'DELETE', headers: { authorization: `Basic ${btoa('app:s')}` }, body: '{"access_token":"at"}' },
    ])
  })

  it('is not available without an endpoint, or for GitHub without a secret', async () => {
    const without = { ...acme(), server: { ...acme().server, revocation_endpoint: undefined } }
    expect(await authorizationServer(without, { client_id: 'app' }).revoke(TOKEN)).toEqual({ status: 'unsupported' })
    const hub = github({ baseUrl: server.origin })
    expect(await authorizationServer(hub, { client_id: 'app' }).revoke(TOKEN)).toEqual({ status: 'unsupported' })
    expect(server.requests).toEqual([])
  })
})

describe('profiles', () => {
  it("reads GitHub's profile: a numeric subject, and the email address from the second endpoint", async () => {
    const hub = github({ baseUrl: server.origin })
    const user = {
      id: 583231,
      login: 'octocat',
      name: null,
      email: null,
      avatar_url: 'https://a.example/1',
      html_url: 'javascript:1',
    }
    server.fault('/api/v3/user', { body: user })
    server.fault('/api/v3/user/emails', {
      body: JSON.stringify([{ email: 'x@x' }, { email: 'o@example.com', primary: true, verified: true }]),
    })
    expect(await fetchProfile(hub, 'at')).toEqual({
      subject: '583231',
      username: 'octocat',
      name: 'octocat',
      email: 'o@example.com',
      avatar: 'https://a.example/1',
    })
    expect(server.to('/api/v3/user')[0]?.headers.authorization).toBe('Bearer at')
  })

  it('tolerates a second endpoint that refuses', async () => {
    server.fault('/api/v3/user', { body: { id: 1, login: 'octocat' } })
    const profile = await fetchProfile(github({ baseUrl: server.origin }), 'at')
    expect(profile).toEqual({ subject: '1', username: 'octocat', name: 'octocat' })
  })

  it('reports a refused token, a failed request, a malformed answer, and a provider without a profile', async () => {
    const hub = github({ baseUrl: server.origin })
    server.fault('/api/v3/user', { status: 401, body: {} }, { status: 500, body: {} }, { body: 'no' })
    for (const code of ['invalid_token', 'temporarily_unavailable', 'malformed_response'])
      await expect(fetchProfile(hub, 'at')).rejects.toMatchObject({ name: 'LatchkeyError', code })
    await expect(fetchProfile(acme(), 'at')).rejects.toMatchObject({ code: 'misuse' })
  })
})

describe('keys', () => {
  const KEY = { key: 'KGAT_x' }
  const at = () => kaggle({ baseUrl: server.origin })
  const introspect = '/v1/security.OAuthService/IntrospectToken'
  const hello = '/v1/api.v1.DiagnosticsService/Hello'

  it('checks a new token of Kaggle by introspection', async () => {
    server.fault(introspect, { body: { active: true, username: 'ada' } })
    expect(await verifyKey(at(), KEY)).toEqual({
      status: 'verified',
      profile: { subject: 'ada', username: 'ada', name: 'ada' },
    })
    expect(server.to(introspect)).toMatchObject([
      { method: 'POST', headers: { authorization: 'Bearer KGAT_x' }, body: '{"token":"KGAT_x"}' },
    ])
  })

  it('checks a legacy key pair with the "hello" endpoint', async () => {
    server.fault(hello, { body: { userName: 'ada' } })
    expect(await verifyKey(at(), { username: 'ada', key: 'abc' })).toMatchObject({ profile: { username: 'ada' } })
    expect(server.to(hello)[0]?.headers.authorization).toBe(`Basic ${btoa('ada:abc')}`)
  })

  it.each([
    [{ status: 401, body: {} }],
    [{ status: 400, body: {} }],
    [{ status: 404, body: {} }],
    [{ body: { active: false } }],
  ])('reports a refused key as an error (%j)', async (fault) => {
    server.fault(introspect, fault)
    await expect(verifyKey(at(), KEY)).rejects.toMatchObject({ code: 'invalid_token', next: 'edit-key' })
  })

  it.each([
    [{ status: 403, body: {} }],
    [{ status: 429, body: 'slow down' }],
    [{ status: 500, body: {} }],
    [{ body: '<h1>' }],
    [{ status: 302, headers: { location: 'https://evil.example' }, body: '' }],
    [{ body: `"${'x'.repeat(3e5)}"` }],
  ])('counts any other answer as unchecked (%#)', async (fault) => {
    server.fault(introspect, fault)
    expect(await verifyKey(at(), KEY)).toEqual({ status: 'unchecked' })
  })

  it('are unchecked if the server does not answer, or if the provider has no verification', async () => {
    expect(await verifyKey(kaggle({ baseUrl: 'http://127.0.0.1:1' }), KEY)).toEqual({ status: 'unchecked' })
    const plain = apiKey({ id: 'w', name: 'W', keyUrl: 'https://w.example', apiBaseUrl: 'https://w.example' })
    expect(await verifyKey(plain, { key: 'x' })).toEqual({ status: 'unchecked' })
    await expect(verifyKey(plain, { key: '' })).rejects.toMatchObject({ code: 'invalid_token' })
  })

  it('sends a key in the header that the service expects', () => {
    const own = apiKey({
      id: 'w',
      name: 'W',
      keyUrl: 'https://w.example',
      apiBaseUrl: 'https://w.example',
      schemes: [{ fields: ['key'], authorization: { header: 'x-api-key', value: 'key' } }],
    })
    expect(keyAuthorization(keyScheme(own, { key: 'x' })!, { key: 'x' })).toEqual({ name: 'x-api-key', value: 'x' })
    const basic = keyScheme(kaggle(), { key: 'k', username: 'ü' })!
    expect(keyAuthorization(basic, { key: 'k', username: 'ü' }).value).toBe(
      `Basic ${Buffer.from('ü:k').toString('base64')}`,
    )
  })
})

describe('a broker', () => {
  it('gets JSON, with a header that no form can send, and only the members that it needs', async () => {
    server.fault('/broker/token', { body: { token: { ...TOKEN, access_token: 'new' } } })
    const endpoint = brokered(server.broker, acme())
    expect(await endpoint.refresh(TOKEN)).toMatchObject({ token: { access_token: 'new' } })
    const [request] = server.to('/broker/token')
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json', [BROKER_HEADER]: '1' })
    expect(JSON.parse(request!.body)).toEqual({
      provider: 'acme',
      grant_type: 'refresh_token',
      refresh_token: 'rt',
      issuer: acme().server.issuer,
    })
  })

  it.each([
    [
      { status: 400, body: { error: 'invalid_grant' } },
      { code: 'invalid_grant', next: 'connect' },
    ],
    [
      { status: 401, body: { error: 'invalid_token' } },
      { code: 'invalid_token', next: 'edit-key' },
    ],
    [
      { status: 400, body: { error: 'not_configured', message: 'Add it.' } },
      { code: 'not_configured', next: 'configure', message: 'Add it.' },
    ],
    [{ status: 400, body: { error: 'made_up' } }, { code: 'malformed_response' }],
    [{ status: 403, body: '<h1>Forbidden' }, { code: 'malformed_response' }],
    [{ status: 502, body: '<h1>Bad gateway' }, { code: 'temporarily_unavailable' }],
    [{ status: 503, body: { error: 'temporarily_unavailable' } }, { code: 'temporarily_unavailable' }],
    [{ status: 429, body: '' }, { code: 'temporarily_unavailable' }],
    [{ status: 500, body: { error: 'made_up' } }, { code: 'temporarily_unavailable' }],
  ])('turns errors into sentences (%#)', async (fault, expected) => {
    server.fault('/broker/verify', fault)
    await expect(callBroker(server.broker, 'verify', {})).rejects.toMatchObject({ name: 'LatchkeyError', ...expected })
  })

  it('that is unreachable, redirects, or answers without a token is an error', async () => {
    await expect(callBroker('http://127.0.0.1:1', 'token', {})).rejects.toMatchObject({ code: 'network' })
    server.fault('/broker/token', { status: 307, headers: { location: server.origin }, body: '' })
    await expect(callBroker(server.broker, 'token', {})).rejects.toMatchObject({ code: 'network' })
    const endpoint = brokered(server.broker, acme())
    for (const body of [{}, { token: {} }, { token: { access_token: {} } }, { token: { access_token: '' } }]) {
      server.fault('/broker/token', { body })
      await expect(endpoint.refresh(TOKEN)).rejects.toMatchObject({ code: 'malformed_response' })
    }
  })
})
