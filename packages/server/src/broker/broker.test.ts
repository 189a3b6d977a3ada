import { createHash } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { oauth as anyOAuth, type Provider } from '@latchkey/core'
import { callbackPage, callbackScriptHash } from '@latchkey/core/callback'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { BROKER_HEADER, brokered, callBroker, type Token, type TokenAnswer } from '@latchkey/core/token'
import { type OAuthStandIn, type Sandbox, startSandbox } from '@latchkey/sandbox'
import * as oauth from 'oauth4webapi'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type BrokerOptions, createBroker } from '../index.ts'

const APP = 'https://app.example'
const MOUNT = `${APP}/api/latchkey`
const CALLBACK = `${MOUNT}/callback`
const VERIFIER = 'a-verifier-of-at-least-forty-three-characters'
const CANARY = 'CANARY_UPSTREAM'

let sandbox: Sandbox
const listening: Server[] = []

beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: [APP] })
})
beforeEach(async () => {
  for (const standIn of [sandbox.github, sandbox.google]) {
    await standIn.reset()
    standIn.setPolicy({ auto: true })
  }
  await sandbox.kaggle.reset()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  for (const server of listening.splice(0)) server.close().closeAllConnections()
})
afterAll(() => sandbox.close())

/** A server with set answers, because real ones do not misbehave on demand. */
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  listening.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Session {
  id: string
}

function broker(options: Partial<BrokerOptions<Session>> = {}) {
  return createBroker<Session>({
    providers: [
      github({ baseUrl: sandbox.github.url }),
      gmail({ baseUrl: sandbox.google.url }),
      kaggle({ baseUrl: sandbox.kaggle.url }),
    ],
    clients: { github: sandbox.github.client, gmail: sandbox.google.client },
    authenticate: (request) => (request.headers.get('cookie') === 'session=1' ? { id: 'user-1' } : null),
    allowedOrigins: [APP],
    ...options,
  })
}

type Headers = Record<string, string | undefined>

function post(route: string, body: unknown, changed: Headers = {}): Request {
  const headers: Headers = {
    origin: APP,
    cookie: 'session=1',
    'content-type': 'application/json',
    [BROKER_HEADER]: '1',
    ...changed,
  }
  const given = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return new Request(`${MOUNT}/${route}`, {
    method: 'POST',
    headers: given,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

async function ask(request: Request, options?: Partial<BrokerOptions<Session>>) {
  const response = await broker(options)(request)
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: text ? JSON.parse(text) : undefined }
}

/** Signs in on the stand-in's own pages, with cookies, until it redirects to the app. */
async function authorize(standIn: OAuthStandIn, path: string, scope: string): Promise<string> {
  const url = new URL(path, standIn.url)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: standIn.client.client_id,
    redirect_uri: CALLBACK,
    scope,
    state: 'state',
    code_challenge: await oauth.calculatePKCECodeChallenge(VERIFIER),
    code_challenge_method: 'S256',
    access_type: 'offline',
    prompt: 'consent',
  }).toString()
  const cookies = new Map<string, string>()
  let at = url
  while (at.origin === url.origin) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const response = await fetch(at, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/)
      cookies.set(name, value)
    }
    at = new URL(response.headers.get('location') ?? '', at)
  }
  return at.searchParams.get('code') ?? ''
}

const githubCode = () => authorize(sandbox.github, '/login/oauth/authorize', 'read:user user:email')
const googleCode = () => authorize(sandbox.google, '/o/oauth2/v2/auth', 'openid email profile')

const issuerOf = (provider: string) =>
  provider === 'github' ? `${sandbox.github.url}/login/oauth` : provider === 'gmail' ? sandbox.google.url : undefined

const grant = (provider: string, code: string) => ({
  provider,
  grant_type: 'authorization_code',
  response: `code=${code}&state=s`,
  state: 's',
  issuer: issuerOf(provider),
  code_verifier: VERIFIER,
  redirect_uri: CALLBACK,
})

async function connect(provider: 'github' | 'gmail'): Promise<TokenAnswer> {
  const code = await (provider === 'github' ? githubCode() : googleCode())
  const answer = await ask(post('token', grant(provider, code)))
  expect(answer.status).toBe(200)
  return answer.json
}

/** A provider whose endpoints are all on a misbehaving server. */
const badProvider = (url: string): Provider =>
  anyOAuth({
    id: 'bad',
    name: 'Bad',
    baseUrl: url,
    authorizationEndpoint: `${url}/authorize`,
    tokenEndpoint: `${url}/token`,
    revocationEndpoint: `${url}/revoke`,
    tokenEndpointAuthMethod: 'client_secret_post',
  })

async function askBad(listener: RequestListener, route = 'token', body: object = grant('bad', 'code')) {
  const url = await listen(listener)
  return ask(post(route, { provider: 'bad', ...body, issuer: url }), {
    providers: [badProvider(url)],
    clients: { bad: { client_id: 'id', client_secret: 'CANARY_SECRET' } },
  })
}

describe('token', () => {
  it('redeems a code at GitHub with the client secret, and answers with the profile', async () => {
    const { token, profile } = await connect('github')
    expect(token).toMatchObject({
      access_token: expect.stringMatching(/^gho_/),
      issuer: `${sandbox.github.url}/login/oauth`,
      scope: 'read:user user:email',
    })
    expect(profile).toMatchObject({ subject: '583231', username: 'octocat', name: 'The Octocat' })
    const sent = sandbox.github.log.find(({ path }) => path === '/login/oauth/access_token')
    expect(new URLSearchParams(sent?.body).get('client_secret')).toBe(sandbox.github.client.client_secret)
  })

  it('redeems a code at Google with the client secret, and answers with the profile', async () => {
    const { token, profile } = await connect('gmail')
    expect(token).toMatchObject({ expires_in: 3599, refresh_token: expect.any(String), issuer: sandbox.google.url })
    expect(profile).toMatchObject({ subject: '104815162342108151623', username: 'ada@example.com' })
  })

  it("works with core's client: it redeems, refreshes and revokes through the broker", async () => {
    const handle = broker()
    const realFetch = globalThis.fetch
    vi.stubGlobal('fetch', (input: string | URL, init: RequestInit) => {
      if (!String(input).startsWith(MOUNT)) return realFetch(input, init)
      const headers = { ...(init.headers as Record<string, string>), origin: APP, cookie: 'session=1' }
      return handle(new Request(input, { ...init, headers }))
    })
    try {
      const endpoint = brokered(MOUNT, gmail({ baseUrl: sandbox.google.url }))
      const { token } = await endpoint.redeem({
        response: new URLSearchParams({ code: await googleCode(), state: 's' }),
        state: 's',
        issuer: sandbox.google.url,
        redirect_uri: CALLBACK,
        code_verifier: VERIFIER,
        client_id: '',
      })
      expect((await endpoint.refresh(token)).token.access_token).not.toBe(token.access_token)
      expect(await endpoint.revoke(token)).toEqual({ status: 'revoked', tokens: ['refresh_token', 'access_token'] })
      await expect(endpoint.refresh(token)).rejects.toMatchObject({ code: 'invalid_grant', next: 'connect' })
      await expect(
        callBroker(MOUNT, 'verify', { provider: 'kaggle', fields: { key: 'KGAT_no' } }),
      ).rejects.toMatchObject({
        code: 'invalid_token',
        next: 'edit-key',
      })
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('understands a form-encoded answer with commas between scopes', async () => {
    const { json } = await askBad((_, answer) => {
      answer.setHeader('content-type', 'application/x-www-form-urlencoded; charset=utf-8')
      answer.end('access_token=at&scope=repo%2Cgist&token_type=bearer')
    })
    expect(json.token).toMatchObject({ access_token: 'at', scope: 'repo gist' })
  })

  it('answers invalid_grant for a code that was used before, though GitHub says so with status 200', async () => {
    const code = await githubCode()
    expect((await ask(post('token', grant('github', code)))).status).toBe(200)
    expect(await ask(post('token', grant('github', code)))).toMatchObject({
      status: 400,
      json: { error: 'invalid_grant', message: 'GitHub refused: invalid_grant.' },
    })
    expect(sandbox.github.log.filter(({ path }) => path === '/login/oauth/access_token')).toEqual([
      expect.objectContaining({ status: 200 }),
      expect.objectContaining({ status: 200 }),
    ])
  })

  it('answers invalid_grant for the verifier of another flow', async () => {
    const body = { ...grant('github', await githubCode()), code_verifier: 'b'.repeat(43) }
    expect(await ask(post('token', body))).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
  })

  it('refuses a verifier that RFC 7636 does not allow, and other malformed requests', async () => {
    const bad: object[] = [
      { code_verifier: 'short' },
      { code_verifier: `${'a'.repeat(43)}=` },
      { response: undefined },
      { response: ['a'] },
      { state: undefined },
      { issuer: undefined },
      { issuer: 'https://evil.example' },
      { redirect_uri: { toString: CALLBACK } },
      { provider: 7 },
      { grant_type: 'password' },
      { grant_type: 'refresh_token' },
      { grant_type: 'client_credentials' },
    ]
    for (const change of bad) {
      const { status } = await ask(post('token', { ...grant('github', 'code'), ...change }))
      expect(status, JSON.stringify(change)).toBe(400)
    }
    expect(sandbox.github.log).toEqual([])
  })

  it.each([
    ['of another request', 'code=c&state=other'],
    ['with two states', 'code=c&state=s&state=s'],
    ['with two codes', 'code=c&code=d&state=s'],
    ['of another issuer', 'code=c&state=s&iss=https%3A%2F%2Fevil.example'],
    ['that is an error', 'error=access_denied&state=s'],
    ['of a hybrid flow', 'code=c&state=s&id_token=x'],
    ['in a signed token', 'response=e30&state=s'],
    ['without a code', 'state=s'],
  ])('does not redeem the code of an authorization response %s', async (_what, response) => {
    const { status, json } = await ask(post('token', { ...grant('github', 'code'), response }))
    expect({ status, error: json.error }).toEqual({ status: 502, error: 'malformed_response' })
    expect(sandbox.github.log).toEqual([])
  })

  it('keeps refreshing at Google, whose answers carry no new refresh token', async () => {
    const { token } = await connect('gmail')
    const refresh = () =>
      ask(post('token', { provider: 'gmail', grant_type: 'refresh_token', refresh_token: token.refresh_token }))
    const first: Token = (await refresh()).json.token
    const second: Token = (await refresh()).json.token
    expect(new Set([token.access_token, first.access_token, second.access_token]).size).toBe(3)
    expect(second.refresh_token).toBeUndefined()
    expect(await sandbox.google.isLive(second.access_token)).toBe(true)
    const sent = sandbox.google.log.findLast(({ path }) => path === '/token')
    expect(new URLSearchParams(sent?.body).has('scope')).toBe(false)
  })

  it('without a client, answers not_configured and says what to add', async () => {
    const without = { clients: { github: { client_id: undefined }, gmail: { client_id: 'id' } } }
    const noId = await ask(post('token', grant('github', 'code')), without)
    expect(noId).toMatchObject({ status: 400, json: { error: 'not_configured' } })
    expect(noId.json.message).toContain('clients: { "github": { client_id } }')
    const noSecret = await ask(post('token', grant('gmail', 'code')), without)
    expect(noSecret.json.message).toContain('clients: { "gmail": { client_secret } }')
    const publicClient = { ...github(), client: { client_id: 'public', token_endpoint_auth_method: 'none' as const } }
    const { json } = await ask(new Request(`${MOUNT}/providers`), { providers: [publicClient], clients: {} })
    expect(json.providers).toEqual([{ id: 'github', client_id: 'public', mode: 'mediate' }])
  })

  const json =
    (value: unknown, status = 200): RequestListener =>
    (_, answer) => {
      answer.writeHead(status, { 'content-type': 'application/json' })
      answer.end(JSON.stringify(value))
    }
  const good = { access_token: 'at', token_type: 'bearer' }

  it('case 32: turns every malformed token answer into a typed error', async () => {
    const malformed: [string, RequestListener, number, string][] = [
      ['200 + error', json({ error: 'bad_thing', error_description: CANARY }), 400, 'invalid_request'],
      ['ok: false', json({ ok: false, error: 'invalid_code' }), 400, 'invalid_request'],
      ['no access_token', json({ token_type: 'bearer' }), 502, 'malformed_response'],
      ['access_token: {}', json({ ...good, access_token: {} }), 502, 'malformed_response'],
      ['expires_in "abc"', json({ ...good, expires_in: 'abc' }), 502, 'malformed_response'],
      ['expires_in -1', json({ ...good, expires_in: -1 }), 502, 'malformed_response'],
      ['an array', json([good]), 502, 'malformed_response'],
      ['HTML', (_, answer) => answer.end(`<h1>${CANARY}</h1>`), 502, 'malformed_response'],
      ['HTML 502', (_, answer) => answer.writeHead(502).end(`<h1>${CANARY}</h1>`), 503, 'temporarily_unavailable'],
      ['429', (_, answer) => answer.writeHead(429).end(), 503, 'temporarily_unavailable'],
      ['5 MB', json({ ...good, padding: 'x'.repeat(5 * 1024 * 1024) }), 502, 'malformed_response'],
      ['no answer', (request) => request.socket.destroy(), 503, 'temporarily_unavailable'],
    ]
    for (const [name, listener, status, error] of malformed) {
      const answer = await askBad(listener)
      expect({ name, status: answer.status, error: answer.json.error }).toEqual({ name, status, error })
      expect(answer.json).not.toHaveProperty('token')
    }
  })

  it('reads expires_in as a string too, and treats a missing one as unknown', async () => {
    const quoted = await askBad(json({ ...good, expires_in: '3600', refresh_token: null }))
    expect(quoted.json.token).toMatchObject({ expires_in: 3600 })
    expect(quoted.json.token).not.toHaveProperty('refresh_token')
    const missing = await askBad(json({ access_token: 'at' }))
    expect(missing.json.token).toEqual({ access_token: 'at', token_type: 'bearer', issuer: expect.any(String) })
    expect(missing.json).not.toHaveProperty('profile')
  })

  it('case 81: sends neither code nor secret after a redirect', async () => {
    const stolen: string[] = []
    const thief = await listen((request, answer) => {
      stolen.push(request.url ?? '')
      answer.end('{}')
    })
    for (const status of [301, 302, 307, 308]) {
      const redirect: RequestListener = (_, answer) => answer.writeHead(status, { location: `${thief}/token` }).end()
      expect(await askBad(redirect)).toMatchObject({ status: 502, json: { error: 'malformed_response' } })
      const refresh = await askBad(redirect, 'token', { grant_type: 'refresh_token', refresh_token: 'CANARY_RT' })
      expect(refresh.status).toBe(502)
      expect((await askBad(redirect, 'revoke', { refresh_token: 'CANARY_RT' })).status).toBe(502)
    }
    expect(stolen).toEqual([])
  })

  it('passes on Retry-After, and lets the page read it', async () => {
    const answer = await askBad((_, reply) => reply.writeHead(429, { 'retry-after': '120' }).end())
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('120')
    expect(answer.headers.get('access-control-expose-headers')).toBe('retry-after')
  })

  it("case 101: never passes on a provider's error text", async () => {
    const answers: RequestListener[] = [
      json({ error: 'invalid_grant', error_description: CANARY, error_uri: `https://${CANARY}.test` }, 400),
      json({ error: CANARY, error_description: CANARY }, 400),
      json({ error: 'invalid_client', [CANARY]: CANARY }, 401),
      json({ message: CANARY }, 500),
      (_, answer) => answer.writeHead(403, { 'content-type': 'text/plain' }).end(CANARY),
      (_, answer) => answer.writeHead(401, { 'www-authenticate': `Bearer error="${CANARY}"` }).end(CANARY),
      (_, answer) => answer.end(`{"${CANARY}`),
    ]
    const written: unknown[] = []
    for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
      vi.spyOn(console, method).mockImplementation((...words) => written.push(...words))
    }
    for (const listener of answers) {
      for (const [route, body] of [
        ['token', grant('bad', 'code')],
        ['token', { grant_type: 'refresh_token', refresh_token: 'rt' }],
        ['revoke', { access_token: 'at' }],
      ] as const) {
        const { status, text, headers } = await askBad(listener, route, body)
        expect(text).not.toContain('CANARY')
        expect(JSON.stringify([...headers])).not.toContain('CANARY')
        expect(status).not.toBe(500)
      }
    }
    expect(written).toEqual([])
  })

  it('case 126: encodes id and secret before they become HTTP Basic', async () => {
    const secret = 'a:b%+ é'
    let header = ''
    const url = await listen((request, answer) => {
      header = request.headers.authorization ?? ''
      answer.setHeader('content-type', 'application/json')
      answer.end(JSON.stringify(good))
    })
    const provider = badProvider(url)
    Object.assign(provider, { client: { token_endpoint_auth_method: 'client_secret_basic' } })
    const clients = { bad: { client_id: 'an id', client_secret: secret } }
    expect(
      (
        await ask(post('token', { ...grant('bad', 'code'), issuer: provider.issuer }), {
          providers: [provider],
          clients,
        })
      ).status,
    ).toBe(200)
    const sent = Buffer.from(header.replace('Basic ', ''), 'base64').toString().split(':')
    expect(sent.map((part) => new URLSearchParams(`value=${part}`).get('value'))).toEqual(['an id', secret])
  })

  it('case 114: ends a request to a provider that takes too long', async () => {
    const clock = new AbortController()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(clock.signal)
    // The headers arrive, but no body: the time limit must cover the body too.
    const answer = await askBad((_, hanging) => {
      hanging.writeHead(200, { 'content-type': 'application/json' })
      hanging.write('{')
      clock.abort(new DOMException('The operation timed out.', 'TimeoutError'))
    })
    expect(answer).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } })
    expect(timeout.mock.calls.flat().every((milliseconds) => milliseconds === 10_000)).toBe(true)
  })
})

it('case 219: a page that was open while a provider moved has secrets that are sent to no other issuer', async () => {
  const before = 'https://before.example'
  const issuer = { gmail: `${before}/`, kaggle: before }
  const bodies = [
    ['token', { provider: 'gmail', grant_type: 'refresh_token', refresh_token: 'CANARY_RT', issuer: issuer.gmail }],
    ['revoke', { provider: 'gmail', access_token: 'CANARY_AT', refresh_token: 'CANARY_RT', issuer: issuer.gmail }],
    ['verify', { provider: 'kaggle', fields: { key: 'KGAT_0123456789abcdef' }, issuer: issuer.kaggle }],
  ] as const
  for (const [route, body] of bodies) {
    const refused = await ask(post(route, body))
    expect(refused, route).toMatchObject({ status: 400, json: { error: 'issuer_mismatch' } })
    expect(refused.text).not.toContain('CANARY')
  }
  expect([sandbox.google.log, sandbox.kaggle.log]).toEqual([[], []])
  // What core's client sends says for whom its secrets are.
  const endpoint = brokered(MOUNT, gmail({ baseUrl: before }))
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
    const request = new Request(input, init)
    return broker()(post(request.url.slice(MOUNT.length + 1), init?.body))
  })
  const token: Token = { access_token: 'CANARY_AT', refresh_token: 'CANARY_RT', token_type: 'bearer', issuer: before }
  for (const asked of [endpoint.refresh(token), endpoint.revoke(token)]) {
    await expect(asked).rejects.toMatchObject({ code: 'issuer_mismatch' })
  }
  expect(sandbox.google.log).toEqual([])
})

describe('revoke', () => {
  it('ends the grant at Google, the refresh token first', async () => {
    const { token } = await connect('gmail')
    const { access_token, refresh_token } = token
    const answer = await ask(post('revoke', { provider: 'gmail', access_token, refresh_token }))
    expect(answer).toMatchObject({
      status: 200,
      json: { status: 'revoked', tokens: ['refresh_token', 'access_token'] },
    })
    expect(await sandbox.google.isLive(access_token)).toBe(false)
    expect(await sandbox.google.isLive(refresh_token ?? '')).toBe(false)
  })

  it('revokes a token at GitHub with DELETE, and reports an invalid one as revoked', async () => {
    const { token } = await connect('github')
    const revoke = () => ask(post('revoke', { provider: 'github', access_token: token.access_token }))
    expect(await revoke()).toMatchObject({ status: 200, json: { status: 'revoked', tokens: ['access_token'] } })
    expect(await sandbox.github.isLive(token.access_token)).toBe(false)
    expect(sandbox.github.log.at(-1)).toMatchObject({
      method: 'DELETE',
      path: `/api/v3/applications/${sandbox.github.client.client_id}/token`,
      status: 204,
    })
    expect(await revoke()).toMatchObject({ status: 200, json: { status: 'revoked', tokens: ['access_token'] } })
  })

  it('reports when there is no token to revoke', async () => {
    expect((await ask(post('revoke', { provider: 'gmail' }))).status).toBe(400)
    const { json } = await ask(post('revoke', { provider: 'plain', access_token: 'at' }), {
      providers: [
        anyOAuth({
          id: 'plain',
          name: 'Plain',
          clientId: 'id',
          authorizationEndpoint: 'https://plain.test/authorize',
          tokenEndpoint: 'https://plain.test/token',
        }),
      ],
      clients: {},
    })
    expect(json).toEqual({ status: 'unsupported' })
  })
})

describe('verify', () => {
  const verify = (fields: unknown) => ask(post('verify', { provider: 'kaggle', fields }))

  it('returns the profile of a valid key', async () => {
    const { username, key, token } = sandbox.kaggle.credentials
    for (const fields of [{ key: token }, { key, username }]) {
      expect(await verify(fields)).toMatchObject({
        status: 200,
        json: { status: 'verified', profile: { username: 'adalovelace' } },
      })
    }
  })

  it('refuses a bad key with a status that is not 401, which means the session', async () => {
    for (const fields of [{ key: 'KGAT_wrong' }, { key: 'wrong', username: 'adalovelace' }, { key: '' }, {}]) {
      expect(await verify(fields)).toMatchObject({ status: 400, json: { error: 'invalid_token' } })
    }
  })

  it('reports a key as unchecked if the provider cannot be reached', async () => {
    const path = '/v1/security.OAuthService/IntrospectToken'
    sandbox.kaggle.addFaults(path, [
      { drop: true },
      { status: 503 },
      { status: 403 },
      { status: 307, headers: { location: '/' } },
    ])
    for (let round = 0; round < 4; round++) {
      expect(await verify({ key: sandbox.kaggle.credentials.token })).toMatchObject({
        status: 200,
        json: { status: 'unchecked' },
      })
    }
  })

  it('case 88: refuses keys that would split a header or are too long, before they leave', async () => {
    for (const key of ['a\r\nx: y', 'a\u0000', 'é', 'KGAT_\u202e']) {
      expect(await verify({ key, username: 'ada' })).toMatchObject({ status: 400, json: { error: 'invalid_token' } })
    }
    for (const fields of [{ key: 'a'.repeat(8193) }, { key: {} }, { key: ['a'] }, [], 'a', null]) {
      expect(await verify(fields)).toMatchObject({ status: 400, json: { error: 'invalid_request' } })
    }
    expect(sandbox.kaggle.log).toEqual([])
  })
})

describe('guards', () => {
  const routes = ['token', 'revoke', 'verify', 'flows']

  it('case 104: requires a session on every route except /providers and /callback', async () => {
    for (const route of routes) {
      for (const cookie of [undefined, 'session=2']) {
        expect(await ask(post(route, grant('github', 'code'), { cookie }))).toMatchObject({
          status: 401,
          json: { error: 'login_required', message: 'Sign in to the app first.' },
        })
      }
    }
    const handle = broker()
    for (const route of ['providers', 'callback']) {
      expect((await handle(new Request(`${MOUNT}/${route}`))).status).toBe(200)
    }
    expect(sandbox.github.log).toEqual([])
  })

  it('rejects with the error of `authenticate`, instead of answering 401', async () => {
    const authenticate = () => {
      throw new Error('the store is down')
    }
    await expect(ask(post('token', {}), { authenticate })).rejects.toThrow('the store is down')
  })

  it("case 105: accepts only JSON of the app's own pages", async () => {
    const foreign: Headers[] = [
      { origin: 'https://evil.example' },
      { origin: 'https://app.example.evil.test' },
      { origin: 'http://app.example' },
      { origin: 'https://app.example:8443' },
      { origin: 'https://APP.example' },
      { origin: 'null' },
      { origin: undefined },
      { [BROKER_HEADER]: undefined },
      { 'content-type': 'text/plain' },
      { 'content-type': 'text/plain; application/json' },
      { 'content-type': 'application/json-patch+json' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'sec-fetch-site': 'none' },
    ]
    const authenticate = vi.fn()
    for (const change of foreign) {
      for (const route of routes) {
        const { status } = await ask(post(route, grant('github', 'code'), change), { authenticate })
        expect({ route, change, status }).toEqual({ route, change, status: 403 })
      }
    }
    expect(authenticate).not.toHaveBeenCalled()
    expect(sandbox.github.log).toEqual([])
    for (const site of ['same-origin', 'same-site', 'cross-site']) {
      const headers = { 'sec-fetch-site': site, 'content-type': 'application/json; charset=utf-8' }
      expect((await ask(post('verify', { provider: 'kaggle', fields: {} }, headers))).json.error).toBe('invalid_token')
    }
  })

  it('case 106: CORS headers name only an allowed origin', async () => {
    const handle = broker()
    const preflight = (origin: string) =>
      handle(
        new Request(`${MOUNT}/token`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': BROKER_HEADER },
        }),
      )
    const allowed = await preflight(APP)
    expect(allowed.status).toBe(204)
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': `content-type, ${BROKER_HEADER}, last-event-id`,
      vary: 'Origin',
    })
    const providers = await handle(new Request(`${MOUNT}/providers`, { headers: { origin: APP } }))
    expect(providers.headers.get('access-control-allow-origin')).toBe(APP)
    for (const origin of ['https://evil.example', 'null', '*', `${APP}.evil.test`, `${APP}/`]) {
      const get = new Request(`${MOUNT}/providers`, { headers: { origin } })
      for (const response of [
        await preflight(origin),
        await handle(get),
        await handle(post('token', {}, { origin })),
      ]) {
        expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      }
    }
  })

  it('case 107: redeems a code only for an exact redirect URI', async () => {
    const foreign = [
      `${CALLBACK}/`,
      `${CALLBACK}x`,
      `${CALLBACK}?x=1`,
      `${CALLBACK}#x`,
      `${MOUNT}/../latchkey/callback`,
      `${MOUNT}/%63allback`,
      `${APP}/api/%2e%2e/api/latchkey/callback`,
      `${APP}:443/api/latchkey/callback`,
      `${APP}:8443/api/latchkey/callback`,
      'https://user@app.example/api/latchkey/callback',
      'https://app.example@evil.test/api/latchkey/callback',
      'https://app.example.evil.test/api/latchkey/callback',
      'http://app.example/api/latchkey/callback',
      'https://APP.example/api/latchkey/callback',
      'https://evil.test/callback',
      '/api/latchkey/callback',
    ]
    for (const redirect_uri of foreign) {
      const answer = await ask(post('token', { ...grant('github', 'code'), redirect_uri }))
      expect({ redirect_uri, status: answer.status, error: answer.json.error }).toEqual({
        redirect_uri,
        status: 400,
        error: 'invalid_request',
      })
    }
    expect(sandbox.github.log).toEqual([])
    const explicit = { redirectUris: [`${APP}/latchkey.html`] }
    expect((await ask(post('token', grant('github', 'code')), explicit)).json.error).toBe('invalid_request')
    const redirect_uri = `${APP}/latchkey.html`
    const answer = await ask(post('token', { ...grant('github', 'code'), redirect_uri }), explicit)
    expect(answer.json.error).toBe('invalid_grant')
  })

  it('case 109: finds a provider only by its exact id', async () => {
    for (const provider of ['__proto__', 'constructor', 'toString', '../github', 'github/', 'GitHub', 'gitlab']) {
      for (const route of ['token', 'revoke', 'verify']) {
        const body = `{"provider":${JSON.stringify(provider)},"access_token":"x","fields":{}}`
        const answer = await ask(post(route, body))
        expect({ provider, status: answer.status }).toEqual({ provider, status: 404 })
        expect(answer.json.error).toBe('not_configured')
      }
    }
    expect((await ask(post('verify', { provider: 'github', fields: {} }))).status).toBe(400)
    expect((await ask(post('token', grant('kaggle', 'code')))).status).toBe(400)
  })

  it('case 110: accepts a raw secret on no other route, and sends none to another host', async () => {
    const { token } = await connect('github')
    for (const route of ['userinfo', 'profile', 'proxy', 'accounts', 'providers', 'callback', 'token/x', '']) {
      const body = { provider: 'github', access_token: token.access_token, accessToken: token.access_token }
      expect([400, 404]).toContain((await ask(post(route, body))).status)
    }
    const hosts = new Set<string>()
    const options: Partial<BrokerOptions<Session>> = {
      fetch: (input, init) => {
        hosts.add(new URL(String(input)).origin)
        return fetch(input, init)
      },
    }
    const endpoint = { endpoint: 'https://evil.test/', baseUrl: 'https://evil.test' }
    // Another issuer is refused, and everything else of these is ignored.
    for (const elsewhere of [{ ...endpoint, issuer: 'https://evil.test' }, endpoint]) {
      expect([...hosts]).toEqual([])
      const { access_token } = token
      await ask(post('token', { ...grant('github', await githubCode()), ...elsewhere }), options)
      await ask(
        post('token', { provider: 'github', grant_type: 'refresh_token', refresh_token: 'x', ...elsewhere }),
        options,
      )
      await ask(post('revoke', { provider: 'github', access_token, ...elsewhere }), options)
    }
    expect([...hosts]).toEqual([sandbox.github.url])
  })

  it('case 113: limits requests per key, with Retry-After', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:20Z') })
    const handle = broker({
      authenticate: (request) => ({ id: request.headers.get('cookie') ?? '' }),
      limit: { perMinute: 2, key: ({ id }, request) => `${id} ${request.headers.get('x-real-ip')}` },
    })
    const knock = (cookie: string, ip = '10.0.0.1') =>
      handle(post('verify', { provider: 'kaggle', fields: {} }, { cookie, 'x-real-ip': ip }))
    expect([(await knock('a')).status, (await knock('a')).status]).toEqual([400, 400])
    const over = await knock('a')
    expect([over.status, over.headers.get('retry-after')]).toEqual([429, '40'])
    expect(await over.json()).toMatchObject({ error: 'temporarily_unavailable' })
    expect([(await knock('b')).status, (await knock('a', '10.0.0.2')).status]).toEqual([400, 400])
    vi.setSystemTime(new Date('2026-01-01T00:01:00Z'))
    expect((await knock('a')).status).toBe(400)
  })

  it('case 114: refuses a body that is large, deep, slow or not an object', async () => {
    const large = `{"provider":"github","code":"${'a'.repeat(16 * 1024)}"}`
    expect((await ask(post('token', large))).status).toBe(413)
    const chunks = new Blob([large]).stream()
    const chunked = new Request(post('token', ''), { body: chunks, duplex: 'half' } as RequestInit)
    expect((await ask(chunked)).status).toBe(413)
    const deep = `${'['.repeat(8000)}${']'.repeat(8000)}`
    for (const body of [deep, `{"provider":${deep}}`, '', '{', 'null', '"text"', '7', '[{}]']) {
      expect((await ask(post('token', body))).status).toBe(400)
    }
    const clock = new AbortController()
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(clock.signal)
    const trickle = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
      pull: () => clock.abort(),
    })
    const slow = new Request(post('token', ''), { body: trickle, duplex: 'half' } as RequestInit)
    expect((await ask(slow)).status).toBe(408)
  })
})

describe('public routes', () => {
  it('names configured providers, and no secret', async () => {
    const { text, json } = await ask(new Request(`${MOUNT}/providers`), { clients: { gmail: sandbox.google.client } })
    expect(json).toEqual({
      providers: [
        { id: 'gmail', client_id: sandbox.google.client.client_id, mode: 'mediate' },
        { id: 'kaggle', mode: 'mediate' },
      ],
    })
    expect(text).not.toContain(sandbox.google.client.client_secret)
  })

  it('case 22: serves the callback page with strict headers, and no COOP', async () => {
    const response = await broker()(new Request(`${CALLBACK}?code=CANARY_CODE&state=x`))
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/html; charset=UTF-8',
      'content-security-policy': `default-src 'none'; script-src '${callbackScriptHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      vary: 'Origin',
    })
    expect(await response.text()).toBe(callbackPage)
    const script = /<script>(.*)<\/script>/s.exec(callbackPage)?.[1] ?? ''
    expect(`sha256-${createHash('sha256').update(script).digest('base64')}`).toBe(callbackScriptHash)
    expect(callbackPage).not.toMatch(/https?:|\bsrc=|\bhref=|<style|style=/)
  })

  it('case 123: no page of the broker can be framed', async () => {
    const { headers } = await broker()(new Request(CALLBACK))
    expect(headers.get('content-security-policy')).toMatch(/(^|; )frame-ancestors 'none'($|;)/)
  })

  it('case 100: no answer may be cached', async () => {
    const handle = broker()
    const requests = [
      post('token', grant('gmail', await googleCode())),
      post('token', {}),
      post('token', {}, { origin: 'null' }),
      post('token', {}, { cookie: undefined }),
      new Request(`${MOUNT}/providers`),
      new Request(`${MOUNT}/callback`),
      new Request(`${MOUNT}/nothing`),
      new Request(`${MOUNT}/token?access_token=x`),
      new Request(`${MOUNT}/token`, { method: 'OPTIONS' }),
    ]
    for (const request of requests) {
      const { headers } = await handle(request)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('vary')).toBe('Origin')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
    }
  })
})

describe('mounting', () => {
  it('works at any mount path', async () => {
    const handle = broker()
    for (const path of ['/providers', '/api/latchkey/providers', '/deep/er/than/that/providers?x=/y']) {
      expect((await handle(new Request(APP + path))).status).toBe(200)
    }
    expect((await handle(new Request(`${APP}/api/latchkey/providers/`))).status).toBe(404)
    expect((await handle(new Request(`${APP}/api/latchkey/token`))).status).toBe(404)
  })

  it('uses basePath if a proxy strips the mount path', async () => {
    const handle = broker({ basePath: '/api/latchkey/' })
    for (const path of ['/providers', '/api/latchkey/providers']) {
      expect((await handle(new Request(APP + path))).status).toBe(200)
    }
    expect((await handle(new Request(`${APP}/elsewhere/providers`))).status).toBe(404)
    const stripped = new Request(`${APP}/token`, post('token', grant('github', await githubCode())))
    expect((await handle(stripped)).status).toBe(200)
  })

  it('reports wrong options when it is created', () => {
    const bad: [Partial<BrokerOptions<Session>>, RegExp][] = [
      [{ allowedOrigins: [] }, /needs allowedOrigins/],
      [{ allowedOrigins: ['*'] }, /"\*", which is not an origin/],
      [{ allowedOrigins: [`${APP}/`] }, /not an origin/],
      [{ allowedOrigins: ['null'] }, /not an origin/],
      [{ clients: { gitbuh: { client_id: 'id' } } }, /"gitbuh", which is none of the providers/],
      [{ providers: [github(), github()], clients: {} }, /the same id/],
      [{ basePath: 'api' }, /must be a path/],
      [{ authenticate: undefined as never }, /needs authenticate/],
    ]
    for (const [options, message] of bad) expect(() => broker(options)).toThrow(message)
  })
})
