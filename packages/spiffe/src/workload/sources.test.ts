// Security cases S, 155-176, 233, 239, 271, 289, 301-304: SPIFFE. A release waits for 155, 165-172, 233, 239, 271, 289, 301-304.
import { existsSync } from 'node:fs'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { errorsOf, once, quickBackoff } from '../../fixtures/waiting.ts'
import { authorizeMemberOf, BundleSource, verifyX509Svid, X509Source } from '../index.ts'
import { encodeX509SvidResponse, FakeCa, FakeWorkloadApi, type X509SvidMessage } from '../testing/index.ts'
import { listening } from '../tls/server.ts'
import { connect, createServer, peerOf } from '../tls.ts'

const ca = new FakeCa('a.test')
const foreign = new FakeCa('b.test')
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(first = [ca.x509('/agent')], federated = [foreign.bundle()]) {
  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setX509(first, federated)
  const source = await X509Source.open({ address: api.address, backoff: quickBackoff() })
  open.push(source)
  return { api, source, ...errorsOf(source) }
}

const codeOf = (run: () => unknown) => {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

it('case 159: a withdrawn identity is unusable at once, and requested again', async () => {
  const { api, source, next } = await start()
  expect(source.svid.id.path).toBe('/agent')
  const [error] = await Promise.all([next(), source.waitUntilUpdated(), api.fail('x509Svid', status.PERMISSION_DENIED)])
  expect(error.code).toBe('permission_denied')
  expect(codeOf(() => source.svid)).toBe('permission_denied')
  expect(codeOf(() => source.svids)).toBe('permission_denied')
  expect(source.getBundle('a.test')).toBeUndefined()
  await expect(connect(source, { port: 1, authorize: () => true })).rejects.toMatchObject({ code: 'permission_denied' })
  const before = api.calls.length
  await api.until(() => api.calls.length > before + 2)
  const updated = source.waitUntilUpdated()
  api.setX509([ca.x509('/again')])
  api.heal('x509Svid')
  await updated
  expect(source.svid.id.path).toBe('/again')
})

it('case 160: the source reconnects to an agent that restarts', async () => {
  const { api, source } = await start()
  const socket = api.address.replace('unix://', '')
  await api.stop()
  expect(existsSync(socket)).toBe(false)
  expect(source.svid.id.path).toBe('/agent')
  const updated = source.waitUntilUpdated()
  api.setX509([ca.x509('/after')])
  await api.restart()
  expect(existsSync(socket)).toBe(true)
  await updated
  expect(source.svid.id.path).toBe('/after')
  // A stream that ends normally, while the agent keeps running.
  const again = source.waitUntilUpdated()
  api.endStreams()
  await again
  await api.until(() => api.streams('x509Svid') === 1)
})

it('case 161: after a rotation new handshakes use the new certificate, and live connections work on', async () => {
  const { api, source } = await start()
  const authorize = authorizeMemberOf('a.test')
  const served: string[] = []
  const serving = createServer(source, { authorize }, (socket, peer) => {
    served.push(String(peer?.id))
    socket.pipe(socket)
  })
  open.push(serving)
  const address = await listening(serving.server)
  const serial = (socket: import('node:tls').TLSSocket) => socket.getPeerCertificate().fingerprint256
  const live = await connect(source, { ...address, authorize })
  const first = source.svid.certificates[0]?.x509.fingerprint256
  expect(serial(live)).toBe(first)

  const events = vi.fn()
  source.addEventListener('updated', events)
  const updated = source.waitUntilUpdated()
  api.setX509([ca.x509('/rotated')], [foreign.bundle()])
  await updated
  expect(events).toHaveBeenCalledTimes(1)
  const second = source.svid.certificates[0]?.x509.fingerprint256
  expect(second).not.toBe(first)

  const fresh = await connect(source, { ...address, authorize })
  expect(serial(fresh)).toBe(second)
  expect(String(peerOf(fresh)?.id)).toBe('spiffe://a.test/rotated')
  for (const socket of [live, fresh]) {
    socket.write('still here')
    expect(String(await once(socket, 'data'))).toBe('still here')
  }
  expect(served).toEqual(['spiffe://a.test/agent', 'spiffe://a.test/rotated'])
  for (const socket of [live, fresh]) socket.destroy()
})

it('case 162: an invalid update is discarded as a whole', async () => {
  const { api, source, errors, next } = await start()
  const good = ca.x509('/new')
  const none = new Uint8Array()
  const events = vi.fn()
  source.addEventListener('updated', events)
  const broken: [string, Buffer][] = (
    [
      ['no svids', []],
      ['no key', [{ ...good, x509SvidKey: none }]],
      ['no certificate', [{ ...good, x509Svid: none }]],
      ['no bundle', [{ ...good, bundle: none }]],
      ['no id', [{ ...good, spiffeId: '' }]],
      ['another id', [{ ...good, spiffeId: 'spiffe://a.test/other' }]],
      ['key of another certificate', [{ ...good, x509SvidKey: ca.x509('/new').x509SvidKey }]],
      ['half a certificate', [{ ...good, x509Svid: good.x509Svid.subarray(0, 100) }]],
      ['second is broken', [good, { ...ca.x509('/two'), x509SvidKey: none }]],
    ] satisfies [string, X509SvidMessage[]][]
  ).map(([what, svids]) => [what, encodeX509SvidResponse({ svids, federatedBundles: new Map() })])
  const badBundles = new Map([['spiffe://b.test', Buffer.from('not a certificate')]])
  broken.push(['bad bundle', encodeX509SvidResponse({ svids: [good], federatedBundles: badBundles })])
  const badName = new Map([['spiffe://B.test', Buffer.from(foreign.root.raw)]])
  broken.push(['bad trust domain', encodeX509SvidResponse({ svids: [good], federatedBundles: badName })])
  for (const [what, message] of broken) {
    const told = next()
    api.push('x509Svid', message)
    await told
    expect(source.svid.id.path, what).toBe('/agent')
    expect(source.getBundle('b.test')?.empty, what).toBe(false)
  }
  expect(errors).toHaveLength(broken.length)
  expect(events).not.toHaveBeenCalled()
  // The stream is still open.
  const updated = source.waitUntilUpdated()
  api.setX509([good])
  await updated
  expect(source.svid.id.path).toBe('/new')
  expect(api.calls).toHaveLength(1)
})

it('case 163: a bundle that an update leaves out is no longer trusted', async () => {
  const { api, source } = await start()
  const { certificates } = foreign.issue('/agent')
  const authorize = authorizeMemberOf('b.test')
  expect(String(verifyX509Svid(certificates, source).id)).toBe('spiffe://b.test/agent')
  const them = await FakeWorkloadApi.start()
  open.push(them)
  them.setX509([foreign.x509('/agent')], [ca.bundle()])
  const theirs = await X509Source.open({ address: them.address })
  open.push(theirs)
  const serving = createServer(source, { authorize }, (socket) => socket.resume())
  open.push(serving)
  const address = await listening(serving.server)
  const live = await connect(theirs, { ...address, authorize: authorizeMemberOf('a.test') })
  await vi.waitFor(() => expect(serving.connections.size).toBe(1))
  live.on('error', () => {}).resume()
  const ended = once(live, 'close')

  const updated = source.waitUntilUpdated()
  api.setX509([ca.x509('/agent')], [])
  await updated
  expect(source.getBundle('b.test')).toBeUndefined()
  expect(codeOf(() => verifyX509Svid(certificates, source))).toBe('untrusted')
  // Connections that relied on this bundle are closed.
  await ended
})

it('case 164: of several SVIDs the first is the default, a picker can choose, a repeated hint counts once', async () => {
  const svids = [
    ca.x509('/one', { hint: 'internal' }),
    ca.x509('/two', { hint: 'external' }),
    ca.x509('/three', { hint: 'internal' }),
    ca.x509('/four'),
    ca.x509('/five'),
  ]
  const { api, source } = await start(svids)
  expect(source.svid.id.path).toBe('/one')
  expect(source.svids.map(({ id }) => id.path)).toEqual(['/one', '/two', '/four', '/five'])
  expect(source.withHint('internal')?.id.path).toBe('/one')
  expect(source.withHint('external')?.id.path).toBe('/two')
  expect(source.withHint('none')).toBeUndefined()
  const picky = await X509Source.open({
    address: api.address,
    picker: (all) => all.find(({ hint }) => hint === 'external'),
  })
  open.push(picky)
  expect(picky.svid.id.path).toBe('/two')
  const updated = picky.waitUntilUpdated()
  api.setX509([ca.x509('/only')])
  await updated
  expect(codeOf(() => picky.svid)).toBe('not_configured')
})

it('case 289: an expired SVID does not replace a good one', async () => {
  const { api, source, errors, next } = await start()
  const expired = () => ca.x509('/expired', { ttl: -30 })
  const events = vi.fn()
  source.addEventListener('updated', events)
  for (const svids of [[expired()], [ca.x509('/new'), expired()]]) {
    const told = next()
    api.setX509(svids)
    expect(await told).toMatchObject({ code: 'malformed_response', message: expect.stringContaining('expired') })
    expect(source.svid.id.path).toBe('/agent')
  }
  await expect(source.client.fetchX509Svid()).rejects.toMatchObject({ code: 'malformed_response' })
  expect(errors).toHaveLength(2)
  expect(events).not.toHaveBeenCalled()
  const updated = source.waitUntilUpdated()
  api.setX509([ca.x509('/new')])
  await updated
  expect(source.svid.id.path).toBe('/new')
})

describe('X509Source', () => {
  it('waits for its first update, and stops waiting on abort', async () => {
    const api = await FakeWorkloadApi.start()
    open.push(api)
    let ready = false
    const opening = X509Source.open({ address: api.address }).then((source) => {
      ready = true
      open.push(source)
      return source
    })
    await api.until(() => api.streams('x509Svid') === 1)
    expect(ready).toBe(false)
    const impatient = X509Source.open({ address: api.address, signal: AbortSignal.timeout(20) })
    await expect(impatient).rejects.toMatchObject({ code: 'timeout' })
    api.setX509([ca.x509('/agent')])
    expect((await opening).bundles.trustDomains).toEqual(['a.test'])
  })

  it('ignores a federated bundle for its own trust domain', async () => {
    const impostor = new FakeCa('a.test')
    const { source } = await start([ca.x509('/agent')], [impostor.bundle()])
    expect(codeOf(() => verifyX509Svid(impostor.issue('/agent').certificates, source))).toBe('untrusted')
  })
})

it('BundleSource follows bundles of both kinds', async () => {
  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setX509Bundles([ca.bundle(), foreign.bundle()])
  api.setJwtBundles([ca.bundle()])
  const source = await BundleSource.open({ address: api.address, backoff: quickBackoff() })
  open.push(source)
  expect(source.getBundle('a.test')).toMatchObject({ empty: false, jwtAuthorities: { size: 1 } })
  expect(source.getBundle('b.test')?.jwtAuthorities.size).toBe(0)
  expect(source.bundles.trustDomains.sort()).toEqual(['a.test', 'b.test'])
  const updated = source.waitUntilUpdated()
  api.setX509Bundles([ca.bundle()])
  await updated
  expect(source.getBundle('b.test')).toBeUndefined()
  const withdrawn = source.waitUntilUpdated()
  api.fail('jwtBundles', status.PERMISSION_DENIED)
  await withdrawn
  expect(source.getBundle('a.test')).toBeUndefined()
  source.close()
  expect(codeOf(() => source.getBundle('a.test'))).toBe('closed')
})
