import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { cleanUp, type Made, OpensslCa } from '../../fixtures/openssl.ts'
import { errorsOf } from '../../fixtures/waiting.ts'
import {
  Bundle,
  BundleSet,
  bundleHandler,
  type EndpointProfile,
  FederatedBundle,
  fetchBundle,
  serveBundle,
  verifyX509Svid,
  X509Source,
} from '../index.ts'
import { FakeCa, FakeWorkloadApi } from '../testing/index.ts'

const ca = new FakeCa('b.test')
let web: OpensslCa
let site: Made
beforeAll(() => {
  web = OpensslCa.root('web.test')
  site = web.leaf({ names: ['DNS:localhost'] })
})
afterAll(cleanUp)
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

/** An endpoint with set answers. */
async function endpoint(answer: (path: string) => { status?: number; location?: string; body?: string }) {
  const server = https.createServer({ cert: site.pem, key: site.key }, (request, response) => {
    const { status = 200, location, body = '' } = answer(request.url ?? '/')
    response.writeHead(status, { ...(location === undefined ? {} : { location }), 'content-type': 'application/json' })
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  open.push({ close: () => server.close().closeAllConnections() })
  return `https://localhost:${(server.address() as AddressInfo).port}/`
}

async function spiffeEndpoint(own = ca, path = '/endpoint') {
  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setX509([own.x509(path)])
  const source = await X509Source.open({ address: api.address })
  open.push(source)
  const serving = await serveBundle(source, { trustDomain: own.trustDomain, bundles: own.bundle({ sequence: 1 }) })
  open.push(serving)
  return { url: `https://127.0.0.1:${serving.port}/bundle`, api, source }
}

const trusting = (): EndpointProfile => ({ profile: 'https_web', ca: web.certificate.pem })

it('case 174: a bundle endpoint must prove its identity, use https, and never lower the sequence number', async () => {
  const { url } = await spiffeEndpoint()
  const spiffe = (endpointId: string, bundles = ca.bundle()): EndpointProfile => ({
    profile: 'https_spiffe',
    endpointId,
    bundles,
  })
  const right = 'spiffe://b.test/endpoint'
  expect((await fetchBundle('b.test', url, spiffe(right))).equals(ca.bundle({ sequence: 1 }))).toBe(true)
  await expect(fetchBundle('b.test', url, spiffe('spiffe://b.test/other'))).rejects.toMatchObject({
    code: 'unauthorized',
  })
  await expect(fetchBundle('b.test', url, spiffe('spiffe://b.test'))).rejects.toMatchObject({ code: 'unauthorized' })
  const impostor = new FakeCa('b.test').bundle()
  await expect(fetchBundle('b.test', url, spiffe(right, impostor))).rejects.toMatchObject({ code: 'untrusted' })
  const unknown = new BundleSet() as unknown as Bundle
  await expect(fetchBundle('b.test', url, spiffe(right, unknown))).rejects.toMatchObject({ code: 'untrusted' })
  // An SVID is not a Web PKI certificate, and a Web PKI certificate is not an SVID.
  await expect(fetchBundle('b.test', url, trusting())).rejects.toMatchObject({ code: 'unavailable' })

  let hits = 0
  const body = ca.bundle().marshal()
  const plain = await endpoint((path) => {
    hits++
    if (path === '/there') return { body }
    if (path === '/loop') return { status: 302, location: '/loop' }
    if (path === '/status') return { status: 500, body }
    if (path === '/large') return { body: ' '.repeat(5 * 1024 * 1024) }
    if (path.startsWith('/to?')) return { status: 307, location: decodeURIComponent(path.slice(4)) }
    return { status: 302, location: '/there' }
  })
  expect((await fetchBundle('b.test', plain, trusting())).equals(ca.bundle())).toBe(true)
  const start = hits
  for (const location of [
    plain.replace('https', 'http'),
    'ftp://localhost/',
    plain.replace('://', '://user:pass@'),
    'data:,x',
  ]) {
    const fetched = fetchBundle('b.test', `${plain}to?${encodeURIComponent(location)}`, trusting())
    await expect(fetched, location).rejects.toMatchObject({ code: 'invalid_address' })
  }
  expect(hits).toBe(start + 4)
  await expect(fetchBundle('b.test', `${plain}loop`, trusting())).rejects.toMatchObject({ code: 'unavailable' })
  await expect(fetchBundle('b.test', `${plain}status`, trusting())).rejects.toMatchObject({ code: 'unavailable' })
  await expect(fetchBundle('b.test', `${plain}large`, trusting())).rejects.toMatchObject({ code: 'invalid_bundle' })
  await expect(fetchBundle('b.test', plain, { profile: 'https_web' })).rejects.toMatchObject({ code: 'unavailable' })
  for (const bad of [plain.replace('https', 'http'), plain.replace('://', '://user@'), 'nonsense'])
    await expect(fetchBundle('b.test', bad, trusting())).rejects.toMatchObject({ code: 'invalid_address' })
  // The target of a redirect needs the same TLS check: here, the same SPIFFE ID.
  const other = await spiffeEndpoint(ca, '/elsewhere')
  expect((await fetchBundle('b.test', other.url, spiffe('spiffe://b.test/elsewhere'))).empty).toBe(false)

  let sequence = 5
  const moving = await endpoint(() => ({ body: new FakeCa('b.test').bundle({ sequence }).marshal() }))
  let look = () => {}
  const federated = await FederatedBundle.watch({
    trustDomain: 'b.test',
    url: moving,
    endpoint: trusting(),
    refresh: () => 1,
  })
  open.push(federated)
  expect(federated.bundle.sequence).toBe(5)
  sequence = 4
  const { next } = errorsOf(federated)
  expect(await next()).toMatchObject({ code: 'invalid_bundle' })
  expect(federated.bundle.sequence).toBe(5)
  sequence = 6
  await new Promise<void>((resolve) => {
    look = () => federated.bundle.sequence === 6 && resolve()
    federated.addEventListener('updated', look)
  })
})

describe('FederatedBundle', () => {
  it('fires updated for changes only, keeps its bundle after failures, and follows the refresh hint', async () => {
    let answer: { status?: number; body?: string } = { body: ca.bundle({ sequence: 1, refreshHint: 7 }).marshal() }
    const url = await endpoint(() => answer)
    const hints: [number | undefined, boolean][] = []
    const federated = await FederatedBundle.watch({
      trustDomain: 'b.test',
      url,
      endpoint: trusting(),
      refresh: (...args) => {
        hints.push(args)
        return 1
      },
    })
    open.push(federated)
    const updates = vi.fn()
    federated.addEventListener('updated', updates)
    await vi.waitFor(() => expect(hints.length).toBeGreaterThan(2))
    expect(updates).not.toHaveBeenCalled()
    expect(hints[0]).toEqual([7, false])
    const { next } = errorsOf(federated)
    answer = { status: 503 }
    await next()
    await vi.waitFor(() => expect(hints.at(-1)).toEqual([7, true]))
    expect(String(verifyX509Svid(ca.issue('/x').certificates, federated).id)).toBe('spiffe://b.test/x')
    const updated = federated.waitUntilUpdated()
    answer = { body: '{"keys":[],"spiffe_sequence":2}' }
    await updated
    expect(federated.bundle.empty).toBe(true)
    expect(() => verifyX509Svid(ca.issue('/x').certificates, federated)).toThrow()
    expect(federated.getBundle('a.test')).toBeUndefined()
    const waiting = federated.waitUntilUpdated()
    federated.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
  })

  it('starts with the initial bundle, and verifies its endpoint by the newest one', async () => {
    const { url } = await spiffeEndpoint()
    const initial = ca.bundle({ sequence: 0 })
    const endpoint: EndpointProfile = {
      profile: 'https_spiffe',
      endpointId: 'spiffe://b.test/endpoint',
      bundles: new BundleSet(),
    }
    const federated = await FederatedBundle.watch({ trustDomain: 'b.test', url, endpoint, initial })
    open.push(federated)
    expect(federated.bundle).toBe(initial)
    await federated.waitUntilUpdated()
    expect(federated.bundle.sequence).toBe(1)
  })
})

it('a bundle is served as JWKS', async () => {
  const handler = bundleHandler(ca.bundle(), 'b.test')
  const answer = handler(new Request('https://b.test/bundle'))
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(Bundle.parse('b.test', await answer.text()).equals(ca.bundle())).toBe(true)
  expect(handler(new Request('https://b.test/', { method: 'POST' })).status).toBe(405)
  expect(handler(new Request('https://b.test/', { method: 'HEAD' })).status).toBe(200)
  expect(bundleHandler(ca.bundle(), 'a.test')(new Request('https://b.test/')).status).toBe(404)
})

it('and by the Web PKI', async () => {
  const { source } = await spiffeEndpoint()
  const serving = await serveBundle(source, {
    trustDomain: 'b.test',
    web: { cert: site.pem, key: site.key },
    host: 'localhost',
  })
  open.push(serving)
  const bundle = await fetchBundle('b.test', `https://localhost:${serving.port}/`, trusting())
  expect(bundle.x509Authorities).toHaveLength(1)
})
