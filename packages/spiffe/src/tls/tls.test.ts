import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { cleanUp, OpensslCa } from '../../fixtures/openssl.ts'
import { once, quickBackoff } from '../../fixtures/waiting.ts'
import {
  type Authorizer,
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
  type Bundle,
  type SpiffeError,
  X509Source,
} from '../index.ts'
import { FakeCa, FakeWorkloadApi, type X509SvidMessage } from '../testing/index.ts'
import { connect, createServer, httpsAgent, peerOf, type ServerOptions, tlsOptions, undiciConnector } from '../tls.ts'
import { listening } from './server.ts'

// CAs for a.test and b.test, made with openssl, so that one can sign for the other's name.
let a: OpensslCa
let b: OpensslCa
beforeAll(() => {
  a = OpensslCa.root('a.test')
  b = OpensslCa.root('b.test')
})
afterAll(cleanUp)
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

function message(ca: OpensslCa, id: string, own = ca): X509SvidMessage {
  const { der, keyDer } = ca.leaf({ names: [`URI:${id}`] })
  const x509Svid = Buffer.concat([der, ...ca.chain])
  return {
    spiffeId: id,
    x509Svid,
    x509SvidKey: keyDer,
    bundle: own.bundle().x509Authorities[0]?.raw as Buffer,
    hint: '',
  }
}

async function workload(svid: X509SvidMessage, federated: Bundle[]) {
  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setX509([svid], federated)
  const source = await X509Source.open({ address: api.address, backoff: quickBackoff() })
  open.push(source)
  return Object.assign(source, { api })
}

async function serve(source: X509Source, options: ServerOptions) {
  const accepted: string[] = []
  const refused: SpiffeError[] = []
  const serving = createServer(source, { ...options, onRefused: (error) => refused.push(error) }, (socket, peer) => {
    accepted.push(peer ? String(peer.id) : 'nobody')
    socket.end('welcome')
  })
  open.push(serving)
  return { ...(await listening(serving.server)), accepted, refused }
}

/** The server's message to an accepted peer, or the code of the error. */
async function greeting(connecting: Promise<TLSSocket>): Promise<string> {
  try {
    const socket = await connecting
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    await once(socket, 'close')
    return text || 'refused'
  } catch (error) {
    return (error as SpiffeError).code
  }
}

it('case 170: one trust domain cannot forge IDs of another', async () => {
  const honest = await workload(message(a, 'spiffe://a.test/server'), [b.bundle()])
  const alice = await workload(message(a, 'spiffe://a.test/alice'), [b.bundle()])
  const bob = await workload(message(b, 'spiffe://b.test/bob'), [a.bundle()])
  // The CA of b.test signs an ID of a.test. Only b.test's own agent trusts it.
  const forger = await workload(message(b, 'spiffe://a.test/alice'), [])
  const options = { authorize: authorizeAny() }
  const server = await serve(honest, options)
  expect(await greeting(connect(alice, { ...server, authorize: authorizeAny() }))).toBe('welcome')
  expect(await greeting(connect(bob, { ...server, authorize: authorizeAny() }))).toBe('welcome')
  expect(server.accepted).toEqual(['spiffe://a.test/alice', 'spiffe://b.test/bob'])

  // As a client. It does not check the server, so that only the server's check decides.
  const { key, certificates } = forger.svid.marshal()
  const forging = tls.connect({ ...server, key, cert: certificates, rejectUnauthorized: false })
  forging.on('error', () => {}).resume()
  await once(forging, 'close')
  expect(server.accepted).toHaveLength(2)
  expect(server.refused.map(({ code }) => code)).toEqual(['untrusted'])

  // As a server.
  const trap = tls.createServer({ key, cert: certificates }, (socket) => socket.end('welcome'))
  trap.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
  open.push(trap)
  const { port } = trap.address() as AddressInfo
  for (const source of [alice, bob])
    for (const authorize of [authorizeAny(), authorizeId('spiffe://a.test/alice')])
      expect(await greeting(connect(source, { port, authorize }))).toBe('untrusted')
  const snapshot = { ...tlsOptions(alice, { authorize: authorizeAny() }), port, host: '127.0.0.1' }
  const [error] = (await once(tls.connect(snapshot), 'error').then((value) => [value])) as [NodeJS.ErrnoException]
  expect(error.code).toMatch(/UNABLE|SELF_SIGNED|ALTNAME/)
})

it('case 171: the wrong peer is refused on both ends', async () => {
  const source = await workload(message(a, 'spiffe://a.test/agents/server'), [b.bundle()])
  const alice = await workload(message(a, 'spiffe://a.test/agents/alice'), [b.bundle()])
  const bob = await workload(message(b, 'spiffe://b.test/agents/bob'), [a.bundle()])
  const answers = async (authorize: Authorizer) => {
    const server = await serve(source, { authorize })
    const meet = (client: X509Source) => greeting(connect(client, { ...server, authorize: authorizeAny() }))
    return [await meet(alice), await meet(bob)]
  }
  expect(await answers(authorizeId('spiffe://a.test/agents/alice'))).toEqual(['welcome', 'refused'])
  expect(await answers(authorizeId('spiffe://a.test/agents/alic'))).toEqual(['refused', 'refused'])
  expect(await answers(authorizeId('spiffe://a.test/agents'))).toEqual(['refused', 'refused'])
  expect(await answers(authorizeOneOf('spiffe://a.test/x', 'spiffe://b.test/agents/bob'))).toEqual([
    'refused',
    'welcome',
  ])
  expect(await answers(authorizeMemberOf('a.test'))).toEqual(['welcome', 'refused'])
  // Only `true` admits a peer, so an authorizer that returns a promise admits none.
  expect(await answers((async () => false) as unknown as Authorizer)).toEqual(['refused', 'refused'])

  const server = await serve(source, { authorize: authorizeAny() })
  for (const [authorize, expected] of [
    [authorizeId('spiffe://a.test/agents/server'), 'welcome'],
    [authorizeId('spiffe://a.test/agents/sibling'), 'unauthorized'],
    [authorizeId('spiffe://a.test/agents/server/child'), 'unauthorized'],
    [authorizeMemberOf('a.test'), 'welcome'],
    [authorizeMemberOf('b.test'), 'unauthorized'],
  ] as const)
    expect(await greeting(connect(alice, { ...server, authorize }))).toBe(expected)

  // No client certificate, and one that no CA has signed.
  const bare = tls.connect({ ...server, rejectUnauthorized: false })
  bare.on('error', () => {}).resume()
  await once(bare, 'close')
  expect(server.refused.at(-1)).toMatchObject({ code: 'untrusted', message: expect.stringContaining('no certificate') })
  const { pem, key } = OpensslCa.root('a.test').leaf({ names: ['URI:spiffe://a.test/agents/alice'] })
  const stranger = tls.connect({ ...server, cert: pem, key, rejectUnauthorized: false })
  stranger.on('error', () => {}).resume()
  await once(stranger, 'close')
  expect(server.refused.at(-1)).toMatchObject({ code: 'untrusted' })
  expect(server.accepted).toEqual(['spiffe://a.test/agents/alice', 'spiffe://a.test/agents/alice'])
})

describe('modes', () => {
  const fake = new FakeCa('c.test')

  it('TLS without a client certificate', async () => {
    const source = await workload(fake.x509('/server'), [])
    const server = await serve(source, { authorize: authorizeAny(), requestClient: false })
    expect(await greeting(connect(source, { ...server, authorize: authorizeMemberOf('c.test'), present: false }))).toBe(
      'welcome',
    )
    expect(await greeting(connect(fake.bundle(), { ...server, authorize: authorizeAny(), present: false }))).toBe(
      'welcome',
    )
    expect(await greeting(connect(fake.bundle(), { ...server, authorize: authorizeAny() }))).toBe('misuse')
    expect(
      await greeting(connect(new FakeCa('c.test').bundle(), { ...server, authorize: authorizeAny(), present: false })),
    ).toBe('untrusted')
    expect(server.accepted).toEqual(['nobody', 'nobody'])
  })

  it('a server with a Web PKI certificate, whose clients prove SPIFFE IDs', async () => {
    const source = await workload(fake.x509('/agent'), [])
    const site = OpensslCa.root('web.test')
    const { pem: cert, key } = site.leaf({ names: ['DNS:localhost', 'IP:127.0.0.1'] })
    const server = await serve(source, { authorize: authorizeMemberOf('c.test'), web: { cert, key } })
    const ca = site.certificate.pem
    const options = { host: 'localhost', port: server.port, authorize: authorizeAny() }
    expect(await greeting(connect(source, { ...options, server: { ca } }))).toBe('welcome')
    expect(server.accepted).toEqual(['spiffe://c.test/agent'])
    expect(await greeting(connect(source, { ...options, server: 'web' }))).toBe('unavailable')
    expect(await greeting(connect(source, options))).toBe('invalid_svid')
  })

  it('over a connected stream', async () => {
    const source = await workload(fake.x509('/agent'), [])
    const server = await serve(source, { authorize: authorizeAny() })
    const { connect: dial } = await import('node:net')
    const plain = dial(server.port, '127.0.0.1')
    expect(await greeting(connect(source, { socket: plain, authorize: authorizeAny() }))).toBe('welcome')
  })
})

it('a session is never resumed, because that would skip the current bundles', async () => {
  const fake = new FakeCa('c.test')
  const source = await workload(fake.x509('/agent'), [])
  const server = await serve(source, { authorize: authorizeAny() })
  const { key, certificates: cert } = source.svid.marshal()
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const sessions: Buffer[] = []
    const first = tls.connect({ ...server, key, cert, maxVersion, rejectUnauthorized: false })
    first.on('session', (session) => sessions.push(session)).resume()
    await once(first, 'close')
    for (const session of sessions) {
      const again = tls.connect({ ...server, key, cert, maxVersion, session, rejectUnauthorized: false })
      await once(again, 'secureConnect')
      expect(again.isSessionReused()).toBe(false)
      again.destroy()
    }
  }
})

it('a connection ends when the SVID of either end does', async () => {
  const fake = new FakeCa('c.test')
  const source = await workload(fake.x509('/server'), [])
  const brief = await workload(fake.x509('/brief', { ttl: 2 }), [])
  const serving = createServer(source, { authorize: authorizeAny() }, (socket) => socket.resume())
  open.push(serving)
  const address = await listening(serving.server)
  const end = brief.svid.notAfter
  const sockets = [await connect(brief, { ...address, authorize: authorizeAny() })]
  await vi.waitFor(() => expect(serving.connections.size).toBe(1))
  await Promise.all(sockets.map((socket) => once(socket.on('error', () => {}).resume(), 'close')))
  expect(Date.now()).toBeGreaterThanOrEqual(end - 5)
  await vi.waitFor(() => expect(serving.connections.size).toBe(0))
})

it('a handshake that never ends is aborted', async () => {
  const fake = new FakeCa('c.test')
  const source = await workload(fake.x509('/agent'), [])
  const silent = createNetServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  open.push(silent)
  const { port } = silent.address() as AddressInfo
  const authorize = authorizeAny()
  expect(await greeting(connect(source, { port, authorize, timeout: 20 }))).toBe('timeout')
  const stop = new AbortController()
  const connecting = greeting(connect(source, { port, authorize, signal: stop.signal }))
  stop.abort()
  expect(await connecting).toBe('cancelled')
})

describe('HTTP', () => {
  const fake = new FakeCa('c.test')

  async function site(source: X509Source) {
    const answering = http.createServer((request, response) => {
      response.end(`hello ${peerOf(request.socket)?.id}`)
    })
    const serving = createServer(source, { authorize: authorizeMemberOf('c.test') }, (socket) => {
      answering.emit('connection', socket)
    })
    open.push(serving)
    const { port } = await listening(serving.server)
    return { url: `https://127.0.0.1:${port}/`, serving }
  }

  const get = (url: string, options: https.RequestOptions) =>
    new Promise<string>((resolve, reject) => {
      https
        .get(url, options, async (response) => resolve(Buffer.concat(await response.toArray()).toString()))
        .on('error', (error: SpiffeError) => reject(error))
    })

  it('https.Agent with the current SVID', async () => {
    const source = await workload(fake.x509('/one'), [])
    const { url, serving } = await site(source)
    const agent = httpsAgent(source, { authorize: authorizeId('spiffe://c.test/one') })
    open.push({ close: () => agent.destroy() })
    expect(await get(url, { agent })).toBe('hello spiffe://c.test/one')
    expect(await get(url, { agent })).toBe('hello spiffe://c.test/one')
    expect(serving.connections.size).toBe(1)
    const updated = source.waitUntilUpdated()
    source.api.setX509([fake.x509('/two')])
    await updated
    await expect(get(url, { agent })).rejects.toMatchObject({ code: 'unauthorized' })
    const other = httpsAgent(source, { authorize: authorizeMemberOf('c.test') })
    open.push({ close: () => other.destroy() })
    expect(await get(url, { agent: other })).toBe('hello spiffe://c.test/two')
  })

  it('options for https.request with the current SVID', async () => {
    const source = await workload(fake.x509('/one'), [])
    const { url } = await site(source)
    const options = tlsOptions(source, { authorize: authorizeId('spiffe://c.test/one') })
    expect(await get(url, { ...options, agent: false })).toBe('hello spiffe://c.test/one')
    const wrong = tlsOptions(source, { authorize: authorizeId('spiffe://c.test/two') })
    await expect(get(url, { ...wrong, agent: false })).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('undici dispatcher', async () => {
    const source = await workload(fake.x509('/one'), [])
    const { url } = await site(source)
    const dispatcher = new Agent({ connect: undiciConnector(source, { authorize: authorizeMemberOf('c.test') }) })
    open.push(dispatcher)
    expect(await (await request(url, { dispatcher })).body.text()).toBe('hello spiffe://c.test/one')
    const wrong = new Agent({ connect: undiciConnector(source, { authorize: authorizeMemberOf('d.test') }) })
    open.push(wrong)
    await expect(request(url, { dispatcher: wrong })).rejects.toMatchObject({ code: 'unauthorized' })
    await expect(request(url.replace('https', 'http'), { dispatcher })).rejects.toMatchObject({ code: 'misuse' })
  })
})
