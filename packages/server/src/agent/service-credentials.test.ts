import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { inspect } from 'node:util'
import { type Sandbox, startSandbox } from '@latchkey/sandbox'
import { decodeJwt, decodeProtectedHeader, exportJWK, exportPKCS8, generateKeyPair, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ServiceCredentials, type ServiceCredentialsOptions } from '../index.ts'

const root = path.join(import.meta.dirname, '../..')
let sandbox: Sandbox
const servers: Server[] = []
beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['https://app.example'] })
})
beforeEach(() => sandbox.metrics.reset())
afterEach(() => {
  vi.useRealTimers()
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})
afterAll(() => sandbox.close())

async function listen(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece) => {
      body += piece
    })
    request.on('end', () => answer(request, response, body))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function credentials(options: Partial<ServiceCredentialsOptions> = {}) {
  const { client, url } = sandbox.metrics
  return new ServiceCredentials({
    clientId: client.client_id,
    ...(!options.privateKey && !options.clientAssertion && { clientSecret: client.client_secret }),
    issuer: url,
    scopes: ['metrics.read'],
    origins: [url],
    ...options,
  })
}

const tokenRequests = () => sandbox.metrics.log.filter(({ path }) => path === '/token')
const api = () => `${sandbox.metrics.url}/api/metrics`

describe('the token of a service account', () => {
  it('case 125: 50 callers get one token, other scopes and resources get others, a 401 gets one more', async () => {
    const service = credentials()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => service.getToken()))
    expect(new Set(tokens).size).toBe(1)
    expect(tokenRequests()).toHaveLength(1)
    const others = [
      { scopes: ['metrics.write'] },
      { scopes: ['metrics.read', 'metrics.write'] },
      { resource: 'https://metrics.example' },
      { scopes: [] },
    ]
    for (const other of others) tokens.push(await service.getToken(other), await service.getToken(other))
    expect(new Set(tokens).size).toBe(5)
    expect(await service.getToken({ scopes: ['metrics.write', 'metrics.read'] })).toBe(tokens[52])
    expect(tokenRequests()).toHaveLength(5)
    expect(tokenRequests().map(({ body }) => new URLSearchParams(body).get('scope'))).toEqual([
      'metrics.read',
      'metrics.write',
      'metrics.read metrics.write',
      'metrics.read',
      null,
    ])
    // Another client of the same issuer gets its own token.
    sandbox.metrics.addClient({
      client_id: 'other',
      client_secret: 'other-secret',
      token_endpoint_auth_method: 'client_secret_basic',
    })
    expect(tokens).not.toContain(await credentials({ clientId: 'other', clientSecret: 'other-secret' }).getToken())

    await sandbox.metrics.revoke(tokens[0] ?? '')
    sandbox.metrics.log.length = 0
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.fetch(api())))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(tokenRequests()).toHaveLength(1)
  })

  it('is renewed before it expires, and the old token is used while that fails', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const service = credentials()
    const first = await service.getToken()
    vi.setSystemTime(Date.now() + 539_000)
    expect(await service.getToken()).toBe(first)
    vi.setSystemTime(Date.now() + 2_000)
    sandbox.metrics.addFaults('/token', [{ status: 503 }])
    expect(await service.getToken()).toBe(first)
    const second = await service.getToken()
    expect(second).not.toBe(first)
    vi.setSystemTime(Date.now() + 601_000)
    sandbox.metrics.addFaults('/token', [{ drop: true }])
    await expect(service.getToken()).rejects.toMatchObject({ code: 'network' })
    // A failure is forgotten.
    expect(await service.getToken()).not.toBe(second)
  })

  it('case 126: id and secret are form-encoded before they become HTTP Basic', async () => {
    const form = (value: string) => decodeURIComponent(value.replaceAll('+', ' '))
    const seen: unknown[] = []
    const strict = await listen((request, response, body) => {
      const [, sent = ''] = request.headers.authorization?.split(' ') ?? []
      const [id = '', secret = '', ...more] = atob(sent).split(':')
      seen.push([form(id), form(secret), more.length, body.includes('client_secret')])
      response.setHeader('content-type', 'application/json').end('{"access_token":"x","token_type":"bearer"}')
    })
    const odd = { clientId: 'a:b é', clientSecret: 'a:b%+ é' }
    expect(await credentials({ ...odd, tokenEndpoint: `${strict}/token` }).getToken()).toBe('x')
    expect(seen).toEqual([[odd.clientId, odd.clientSecret, 0, false]])

    // The same with a real authorization server.
    const client = { client_id: 'a:b+c', client_secret: 'a:b%+ e' }
    sandbox.metrics.addClient({ ...client, token_endpoint_auth_method: 'client_secret_basic' })
    const options = { clientId: client.client_id, clientSecret: client.client_secret }
    expect(await credentials(options).getToken()).toEqual(expect.any(String))
  })

  it.each([
    ['no token_type', { access_token: 'x' }],
    ['a token_type of its own', { access_token: 'x', token_type: 'app' }],
    ['expires_in: null', { access_token: 'x', token_type: 'bearer', expires_in: null }],
    ['members that are empty', { access_token: 'x', token_type: '', scope: '', refresh_token: '', expires_in: '' }],
    ['a list of scopes', { access_token: 'x', scope: ['a', 'b'], expires_in: '3600' }],
  ])('case 261: an answer with %s is taken, as for people', async (_what, answer) => {
    const url = await listen((_request, response) => response.end(JSON.stringify(answer)))
    expect(await credentials({ tokenEndpoint: `${url}/token` }).getToken()).toBe('x')
  })

  it.each([
    [503, { 'retry-after': '7' }, '', { code: 'temporarily_unavailable', next: 'wait', retryAfter: 7 }],
    [429, {}, '{"error":"slow_down"}', { code: 'temporarily_unavailable', next: 'retry' }],
    [502, {}, '<h1>Bad gateway</h1>', { code: 'temporarily_unavailable' }],
    [200, {}, '{"error":"invalid_scope"}', { code: 'invalid_scope' }],
    [200, {}, '{"access_token":"x","token_type":"DPoP"}', { code: 'malformed_response' }],
    [200, {}, '{}', { code: 'malformed_response' }],
    [401, {}, '<h1>Who?</h1>', { code: 'invalid_client' }],
    [403, {}, '<h1>Who?</h1>', { code: 'invalid_request' }],
  ])('case 261: status %i with %j and %j is an error of its own', async (status, headers, body, expected) => {
    const url = await listen((_request, response) => response.writeHead(status, headers).end(body))
    await expect(credentials({ tokenEndpoint: `${url}/token` }).getToken()).rejects.toMatchObject(expected)
  })

  it('case 343: metadata at the second place is found while the first is away, and lacks no token endpoint', async () => {
    const answers: [number, object][] = []
    const url = await listen((_request, response) => {
      const [status, body] = answers.shift() ?? [404, {}]
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    answers.push([503, {}], [200, { issuer: url, token_endpoint: `${url}/token` }], [200, { access_token: 'x' }])
    expect(await credentials({ issuer: url }).getToken()).toBe('x')
    answers.push([503, {}], [404, {}])
    await expect(credentials({ issuer: url }).getToken()).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    for (const body of [
      { issuer: url },
      { issuer: url, token_endpoint: null },
      { issuer: 'https://evil.example' },
      {},
    ]) {
      answers.push([200, body])
      await expect(credentials({ issuer: url }).getToken()).rejects.toMatchObject({ code: 'malformed_response' })
    }
  })

  it("case 344: what the app's own key or assertion throws is not called a missing network", async () => {
    const mistakes: Partial<ServiceCredentialsOptions>[] = [
      { privateKey: 'no PEM' },
      { clientAssertion: () => Promise.reject(new TypeError('CANARY')) },
    ]
    for (const options of mistakes) {
      await expect(credentials(options).getToken()).rejects.toMatchObject({ code: 'misuse', next: 'configure' })
    }
  })

  it('case 284: Basic leaves "-", "_" and "." as they are', async () => {
    const seen: (string | undefined)[] = []
    const url = await listen((request, response) => {
      seen.push(request.headers.authorization)
      response.end('{"access_token":"x"}')
    })
    await credentials({ clientId: 'a-b_c.d', clientSecret: 's-e_c.r', tokenEndpoint: `${url}/token` }).getToken()
    expect(seen).toEqual([`Basic ${btoa('a-b_c.d:s-e_c.r')}`])
  })

  it('is sent in the body if configured', async () => {
    sandbox.metrics.addClient({
      client_id: 'poster',
      client_secret: 'a:b%+ e',
      token_endpoint_auth_method: 'client_secret_post',
    })
    const options = { clientId: 'poster', clientSecret: 'a:b%+ e', authMethod: 'client_secret_post' as const }
    expect(await credentials({ ...options, tokenEndpoint: `${sandbox.metrics.url}/token` }).getToken()).toBeTruthy()
    expect(tokenRequests()[0]?.headers.authorization).toBeUndefined()
    expect(sandbox.metrics.log.map(({ path }) => path)).toEqual(['/token'])
  })

  it('case 127: an assertion is for the issuer, lives a minute at most and is never used twice', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] }
    sandbox.metrics.addClient({
      client_id: 'signer',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: jwks as never,
    })
    const jwk = { ...(await exportJWK(privateKey)), kid: 'k1', alg: 'ES256' }
    for (const key of [privateKey, jwk, await exportPKCS8(privateKey)]) {
      const service = credentials({ clientId: 'signer', privateKey: key })
      for (const scopes of [['metrics.read'], ['metrics.write']]) await service.getToken({ scopes })
    }
    const assertions = tokenRequests().map(({ body }) => new URLSearchParams(body).get('client_assertion') ?? '')
    expect(assertions).toHaveLength(6)
    for (const assertion of assertions) {
      const { aud, iss, sub, exp = 0, iat = 0, jti } = decodeJwt(assertion)
      expect({ aud, iss, sub }).toEqual({ aud: sandbox.metrics.url, iss: 'signer', sub: 'signer' })
      expect(exp - iat).toBeLessThanOrEqual(60)
      expect(exp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000) + 60)
      expect(jti?.length).toBeGreaterThan(20)
    }
    expect(new Set(assertions.map((one) => decodeJwt(one).jti)).size).toBe(6)
    expect(assertions.map((one) => decodeProtectedHeader(one).kid)).toContain('k1')
    // A server that follows RFC 7523 refuses an assertion that is used twice.
    const [again = ''] = assertions
    await expect(
      credentials({ clientId: 'signer', clientAssertion: async () => again }).getToken(),
    ).rejects.toMatchObject({
      code: 'invalid_client',
    })
  })

  it('uses assertions that the app supplies, a new one for each token', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' }] }
    sandbox.metrics.addClient({
      client_id: 'workload',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: jwks as never,
    })
    const clientAssertion = vi.fn(() =>
      new SignJWT({ jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer('workload')
        .setSubject('workload')
        .setAudience(sandbox.metrics.url)
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(privateKey),
    )
    const service = credentials({ clientId: 'workload', clientAssertion })
    expect(await service.getToken()).toBe(await service.getToken())
    await service.getToken({ scopes: ['metrics.write'] })
    expect(clientAssertion).toHaveBeenCalledTimes(2)
  })

  it('case 81: the secret is not sent again after a redirect', async () => {
    const caught: string[] = []
    const evil = await listen((request, response, body) => {
      caught.push(`${request.headers.authorization} ${body}`)
      response.end('{}')
    })
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await listen((_request, response) => response.writeHead(status, { location: evil }).end())
      for (const authMethod of ['client_secret_basic', 'client_secret_post'] as const) {
        const service = credentials({ clientSecret: 'CANARY_secret', tokenEndpoint: `${url}/token`, authMethod })
        const error = await service.getToken().catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(Error)
        expect(inspect(error)).not.toContain('CANARY')
      }
    }
    expect(caught).toEqual([])
    const url = await listen((_request, response) => response.writeHead(307, { location: evil }).end())
    await fetch(url, { method: 'POST', body: 'CANARY_secret' })
    expect(caught).toEqual(['undefined CANARY_secret'])
  })

  it('reports why there is no token, without a secret', async () => {
    const wrong = credentials({ clientSecret: 'CANARY_secret' })
    const error = await wrong.getToken().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid_client', next: 'configure' })
    const headers = { 'content-type': 'application/json' }
    sandbox.metrics.addFaults('/token', [{ status: 400, headers, body: '{"error":"invalid_scope"}' }])
    await expect(credentials({ scopes: ['unknown'] }).getToken()).rejects.toMatchObject({ code: 'invalid_scope' })
    const strange = await listen((_request, response) => response.writeHead(200).end('<html>'))
    await expect(credentials({ tokenEndpoint: strange }).getToken()).rejects.toMatchObject({
      code: 'malformed_response',
    })
    for (const one of [error, wrong]) {
      expect(inspect(one, { depth: 9, showHidden: true }) + JSON.stringify(one)).not.toContain('CANARY')
    }
  })

  it("case 270: an error holds no secret, though the server's words repeat it", async () => {
    const secret = 'CANARY_/+"secret'
    const server = await listen((request, response, body) => {
      const words = [body, request.headers.authorization, secret, encodeURIComponent(secret)].join(' and ')
      const said = JSON.stringify({ error: 'invalid_client', error_description: words }).replaceAll('/', '\\/')
      response.writeHead(400, { 'content-type': 'application/json' }).end(said)
    })
    for (const authMethod of ['client_secret_basic', 'client_secret_post'] as const) {
      const wrong = credentials({ clientSecret: secret, authMethod, tokenEndpoint: server })
      const error = await wrong.getToken().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'invalid_client' })
      const text = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + String(error)
      expect(text).not.toMatch(/CANARY|Q0FOQVJZ/)
    }
    const plain = await listen((_request, response) =>
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end('{"error":"invalid_scope","error_description":"Try another."}'),
    )
    await expect(credentials({ tokenEndpoint: plain }).getToken()).rejects.toMatchObject({ detail: 'Try another.' })
  })

  it("case 229: the time for the server's words grows no faster than they do", async () => {
    const time = async (length: number, name: 'body' | 'challenge') => {
      const words = 'eyJ-'.repeat(length / 4)
      const fetch = async () =>
        name === 'body'
          ? Response.json({ error: 'invalid_client', error_description: words }, { status: 400 })
          : new Response(null, {
              status: 401,
              headers: {
                'www-authenticate': `Basic realm="x", ${'a="eyJ-", '.repeat(length / 10)}error_description="${words}"`,
              },
            })
      const wrong = credentials({ tokenEndpoint: 'https://id.example/token', fetch })
      const started = process.cpuUsage()
      await expect(wrong.getToken()).rejects.toMatchObject({ code: 'invalid_client' })
      return process.cpuUsage(started).user / 1000
    }
    for (const name of ['body', 'challenge'] as const) {
      await time(1000, name)
      const [small, large] = [await time(120_000, name), await time(240_000, name)]
      // Milliseconds of CPU. Below some of them a measure says nothing about growth.
      expect(large, name).toBeLessThan(Math.max(100, 3 * small))
    }
  })

  it('refuses options that contradict themselves', () => {
    const bad: Partial<ServiceCredentialsOptions>[] = [
      { clientId: '' },
      { clientSecret: '' },
      { clientAssertion: async () => '', clientSecret: 'x' },
      { issuer: '' },
      { issuer: 'http://id.example' },
      { tokenEndpoint: 'ftp://id.example/token' },
      { tokenEndpoint: 'https://a:b@id.example/token' },
      { privateKey: 'x', issuer: '', tokenEndpoint: 'https://id.example/token' },
    ]
    for (const options of bad) expect(() => credentials(options)).toThrow(expect.objectContaining({ code: 'misuse' }))
  })
})

// The extensions that need no person. Its own command decides what passes.
describe('the official conformance suite', () => {
  const manifest = createRequire(path.join(root, '../core/package.json')).resolve(
    '@modelcontextprotocol/conformance/package.json',
  )
  const suite = path.join(path.dirname(manifest), 'dist/index.js')
  const command = `"${process.execPath}" ${path.join(root, 'fixtures/service-command.ts')}`

  it.concurrent.each([
    'auth/client-credentials-basic',
    'auth/client-credentials-jwt',
    'auth/enterprise-managed-authorization',
    'auth/wif-jwt-bearer',
  ])(
    'case 284: the scenario %s passes',
    async (scenario) => {
      const args = [suite, 'client', '--command', command, '--scenario', scenario, '--timeout', '100000']
      const child = spawn(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
      const [status] = await once(child, 'close')
      expect(output).toContain('OVERALL: PASSED')
      expect(output).toContain(' 0 failed, 0 warnings')
      expect(status, output).toBe(0)
    },
    120_000,
  )
})

describe('calls as a service', () => {
  it('case 360: an answer that repeats the token, or says how long it was, is not passed on so', async () => {
    const url = await listen((request, response) => {
      const text = `You sent ${request.headers.authorization}.`
      response.writeHead(200, { 'content-length': text.length, 'x-sent': request.headers.authorization }).end(text)
    })
    const response = await credentials({ origins: [url] }).fetch(url)
    expect(await response.text()).toBe('You sent [redacted].')
    expect([response.headers.get('x-sent'), response.headers.get('content-length')]).toEqual(['[redacted]', null])
  })

  it('work with one token, also if the body is a stream', async () => {
    const answer = await credentials().fetch(api())
    expect(await answer.json()).toMatchObject({ service_account: 'metrics-reader', metrics: [{}, {}, {}] })
    const bodies: string[] = []
    const url = await listen((_request, response, body) => {
      bodies.push(body)
      response.writeHead(bodies.length === 1 ? 401 : 200).end()
    })
    const body = new Blob(['one two']).stream()
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    expect((await credentials({ origins: [url] }).fetch(url, init)).status).toBe(200)
    expect(bodies).toEqual(['one two', 'one two'])
  })

  it('case 93: an API that never accepts the token is called twice, then it is an error', async () => {
    let calls = 0
    const url = await listen((_request, response) => {
      calls++
      response.writeHead(401).end()
    })
    await expect(credentials({ origins: [url] }).fetch(url)).rejects.toMatchObject({ code: 'invalid_token' })
    expect(calls).toBe(2)
    expect(tokenRequests()).toHaveLength(2)
  })

  it('go to the origins of the API only, and follow no redirect', async () => {
    const seen: unknown[] = []
    const evil = await listen((request, response) => {
      seen.push(request.headers)
      response.end()
    })
    const url = await listen((_request, response) => response.writeHead(302, { location: evil }).end())
    const service = credentials({ origins: [url] })
    await expect(service.fetch(evil)).rejects.toMatchObject({ code: 'access_denied' })
    await expect(credentials({ origins: undefined }).fetch(url)).rejects.toThrow('Name the origins')
    expect((await service.fetch(url)).status).toBe(302)
    expect(seen).toEqual([])
    expect(
      (await credentials({ origins: undefined, resource: `${sandbox.metrics.url}/api` }).fetch(api())).status,
    ).toBe(200)
  })
})
