import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { format, inspect } from 'node:util'
import { status } from '@grpc/grpc-js'
import { Agent } from 'undici'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { agent } from '../fixtures/agents.ts'
import { run } from '../fixtures/processes.ts'
import { errorsOf } from '../fixtures/waiting.ts'
import { authorizeAny, authorizeId, JwtSource, SpiffeIdentity, verifyJwtSvid, X509Source } from './index.ts'
import { encodeX509SvidResponse, FakeCa, FakeWorkloadApi } from './testing/index.ts'

const ca = new FakeCa('acme.com')
const open: { close(): unknown }[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(...args: Parameters<typeof agent>) {
  const made = await agent(...args)
  open.push(made)
  return made
}

/** Everything that a logger, a debugger or JSON could show of a value. */
function shown(value: unknown): string {
  const parts = [
    inspect(value, { depth: 20, showHidden: true, getters: false }),
    format('%o %O %j %s', value, value, value, value),
  ]
  return parts.join('\n')
}

it('case 176: keys do not leak, and close() leaves no handle', async () => {
  const printed: string[] = []
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, name).mockImplementation((...args) => void printed.push(format(...args)))
  const alice = await start(ca, '/agents/alice')
  const source = await alice.identity.x509Source()
  const jwtSource = await alice.identity.jwtSource()
  const svid = source.svid
  const jwt = await alice.identity.getJwtSvid('audience')
  const listener = await alice.identity.listen({ authorize: authorizeAny(), handle: () => null })
  const channel = await alice.identity.createSecureChannel(alice.id, { address: listener })
  await channel.request({ action: 'x' })

  // The canaries: the secret number of the key in each form it can be written in, and the token.
  const secret = Buffer.from(svid.privateKey.export({ format: 'jwk' }).d as string, 'base64url')
  const { key } = svid.marshal()
  const body = key.split('\n')[1] as string
  const canaries = [
    secret.toString('hex'),
    secret.toString('base64'),
    secret.toString('base64url'),
    body,
    'PRIVATE KEY',
    jwt.token,
  ]
  const bytes = [...secret].slice(0, 12)
  const lists = [bytes.join(', '), bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' '), bytes.join(',')]

  // Broken messages that quote a key, in errors and their causes.
  const good = ca.x509('/agents/alice')
  const { next } = errorsOf(source)
  const errors: unknown[] = []
  for (const broken of [
    { ...good, x509Svid: svid.marshalRaw().key },
    { ...good, x509SvidKey: Buffer.concat([svid.marshalRaw().key, Buffer.from('x')]).subarray(3) },
    { ...good, x509SvidKey: Buffer.from(key) },
    { ...good, x509SvidKey: svid.marshalRaw().key },
    { ...good, spiffeId: key },
  ]) {
    const told = next()
    alice.api.push('x509Svid', encodeX509SvidResponse({ svids: [broken], federatedBundles: new Map() }))
    errors.push(await told)
  }
  alice.api.fail('jwtSvid', status.INTERNAL, 1)
  errors.push(await alice.identity.getJwtSvid('other').catch((error) => error))
  errors.push(await jwtSource.verify(jwt.token, 'other').catch((error) => error))
  errors.push(await jwtSource.verify(`${jwt.token.slice(0, -6)}AAAAAA`, 'audience').catch((error) => error))

  const values = {
    svid,
    jwt,
    source,
    jwtSource,
    identity: alice.identity,
    channel,
    listener,
    client: source.client,
    errors,
  }
  const text = [shown(values), ...Object.values(values).map(shown), ...errors.map(shown), ...printed].join('\n')
  for (const canary of [...canaries, ...lists]) expect(text.includes(canary)).toBe(false)
  expect(errors).toHaveLength(8)

  // Waiting calls reject, and no handle keeps the process alive.
  const waiters = [
    source.waitUntilUpdated(),
    jwtSource.waitUntilUpdated(),
    alice.identity.createSecureChannel(alice.id, { address: { host: '127.0.0.1', port: 1 } }),
  ]
  const settled = Promise.allSettled(waiters)
  await alice.identity.close()
  expect((await settled).map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected'])
  await expect(source.waitUntilUpdated()).rejects.toMatchObject({ code: 'closed' })
  expect(() => source.svid).toThrow(expect.objectContaining({ code: 'closed' }))
  await expect(alice.identity.getX509Svid()).rejects.toMatchObject({ code: 'closed' })
  await expect(alice.identity.getJwtSvid('audience')).rejects.toMatchObject({ code: 'closed' })
  await expect(channel.request({ action: 'x' })).rejects.toMatchObject({ code: 'closed' })

  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setX509([good])
  api.setX509Bundles([ca.bundle()])
  api.setJwtBundles([ca.bundle()])
  api.jwtSvids = async ({ audience }) => [await ca.jwt({ sub: good.spiffeId, aud: audience })]
  const ended = await run('fixtures/open-and-close.ts', [], { SPIFFE_ENDPOINT_SOCKET: api.address })
  expect(ended.output).toBe('done\nopen\nclosed closed closed closed\n')
  expect(ended.code).toBe(0)
})

it('a process with an open source runs until the source is closed', async () => {
  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setX509([ca.x509('/agent')])
  const { output } = await run('fixtures/leave-open.ts', [], { SPIFFE_ENDPOINT_SOCKET: api.address })
  expect(output).toBe('still open\n')
})

it('memory is flat over 1,000 rotations', async () => {
  const growth = async (env: NodeJS.ProcessEnv) => {
    const { code, output } = await run('fixtures/rotate.ts', ['--expose-gc'], env)
    expect(code, output).toBe(0)
    const { rotations, perRotation, connections } = JSON.parse(output)
    expect(connections).toBeLessThanOrEqual(2)
    return { rotations, perRotation }
  }
  const flat = await growth({})
  expect(flat.rotations).toBe(1000)
  expect(flat.perRotation).toBeLessThan(2000)
  // The same while every SVID is kept, to show that the test would see such a leak.
  const leaking = await growth({ KEEP: '1' })
  expect(leaking.perRotation).toBeGreaterThan(6000)
}, 240_000)

describe('SpiffeIdentity', () => {
  it('finds agents by their SPIFFE ID, through its resolver', async () => {
    const bob = await start(ca, '/agents/data-processor')
    const listener = await bob.identity.listen({
      authorize: authorizeId('spiffe://acme.com/agents/alice'),
      handle: ({ action, payload, peer }) => `${peer} asks to ${action} ${JSON.stringify(payload)}`,
    })
    const alice = await start(ca, '/agents/alice', {
      resolve: async (id) => ({ [bob.id]: listener })[String(id)] as typeof listener,
    })
    expect(String((await alice.identity.getX509Svid()).id)).toBe('spiffe://acme.com/agents/alice')
    const channel = await alice.identity.createSecureChannel('spiffe://acme.com/agents/data-processor')
    const answer = await channel.request({ action: 'summarize', payload: { table: 'orders' } })
    expect(answer).toBe('spiffe://acme.com/agents/alice asks to summarize {"table":"orders"}')
    await expect(alice.identity.createSecureChannel('spiffe://acme.com/agents/nobody')).rejects.toMatchObject({
      code: 'not_configured',
    })
    await expect(alice.identity.createSecureChannel('nonsense')).rejects.toMatchObject({ code: 'invalid_id' })
  })

  it('case 303: a resolver that finds nothing keeps nobody waiting', async () => {
    const alice = await start(ca, '/agents/alice', { resolve: () => new Promise(() => {}) })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const late = expect(alice.identity.createSecureChannel('spiffe://acme.com/x')).rejects.toMatchObject({
      code: 'timeout',
    })
    vi.advanceTimersByTime(10_000)
    await late
    const waiting = alice.identity.createSecureChannel('spiffe://acme.com/x')
    await alice.identity.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
  })

  it('gives JWT-SVIDs as client assertions (RFC 7523)', async () => {
    const alice = await start(ca, '/agents/alice')
    const clientAssertion: () => Promise<string> = alice.identity.clientAssertion('https://as.example')
    const svid = await verifyJwtSvid(await clientAssertion(), ca.bundle(), 'https://as.example')
    expect(svid.claims).toMatchObject({ sub: alice.id, aud: ['https://as.example'] })
    expect(svid.claims.exp).toBeGreaterThan(Date.now() / 1000)
    expect(await clientAssertion()).toBe(svid.token)
    // Another authorization server never sees the same token.
    expect(await alice.identity.clientAssertion('https://other.example')()).not.toBe(svid.token)
  })

  it('authenticates at a token endpoint that trusts the trust domain, and at no other', async () => {
    const alice = await start(ca, '/agents/alice')
    const endpoint = createServer(async (request, response) => {
      const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString())
      const issuer = `http://${request.headers.host}`
      const client = await verifyJwtSvid(form.get('client_assertion') ?? '', ca.bundle(), issuer).catch(() => undefined)
      response.writeHead(client ? 200 : 401, { 'content-type': 'application/json' })
      response.end(JSON.stringify(client ? { access_token: 'x', client: client.id } : { error: 'invalid_client' }))
    })
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
    open.push({ close: () => endpoint.close().closeAllConnections() })
    const issuer = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`
    const ask = async (clientAssertion: () => Promise<string>) => {
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await clientAssertion(),
      })
      return (await fetch(issuer, { method: 'POST', body })).json()
    }
    expect(await ask(alice.identity.clientAssertion(issuer))).toEqual({ access_token: 'x', client: alice.id })
    expect(await ask(alice.identity.clientAssertion('https://other.example'))).toEqual({ error: 'invalid_client' })
    const impostor = await start(new FakeCa('acme.com'), '/agents/alice')
    expect(await ask(impostor.identity.clientAssertion(issuer))).toEqual({ error: 'invalid_client' })
  })

  it('makes dispatchers and agents', async () => {
    const alice = await start(ca, '/agents/alice')
    const dispatcher = await alice.identity.dispatcher(Agent, { authorize: authorizeAny() })
    open.push(dispatcher)
    expect(dispatcher).toBeInstanceOf(Agent)
    const httpsAgent = await alice.identity.httpsAgent({ authorize: authorizeAny() })
    open.push({ close: () => httpsAgent.destroy() })
    expect(httpsAgent.options.keepAlive).toBe(true)
  })

  it('starts again after a failed start', async () => {
    const api = await FakeWorkloadApi.start()
    open.push(api)
    api.setX509([ca.x509('/agent')])
    api.fail('x509Svid', status.UNIMPLEMENTED, 1)
    await using identity = new SpiffeIdentity({ address: api.address })
    await expect(identity.getX509Svid()).rejects.toMatchObject({ code: 'unimplemented' })
    expect((await identity.getX509Svid()).id.path).toBe('/agent')
  })

  it('fails with not_configured without an endpoint address', async () => {
    vi.stubEnv('SPIFFE_ENDPOINT_SOCKET', '')
    await expect(new SpiffeIdentity().getX509Svid()).rejects.toMatchObject({ code: 'not_configured' })
    await expect(X509Source.open({ address: 'unix://rel' })).rejects.toMatchObject({ code: 'invalid_address' })
    await expect(JwtSource.open()).rejects.toMatchObject({ code: 'not_configured' })
    vi.unstubAllEnvs()
  })
})
