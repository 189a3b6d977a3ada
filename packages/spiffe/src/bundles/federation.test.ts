import https from 'node:https'
import type { AddressInfo } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { cleanUp, type Made, OpensslCa } from '../../fixtures/openssl.ts'
import { errorsOf } from '../../fixtures/waiting.ts'
import {
  authorizeAny,
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
import { connect } from '../tls.ts'

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
  vi.useRealTimers()
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

describe('case 233', () => {
  const body = ca.bundle().marshal()

  /** An endpoint that answers by what `answer` writes, request by request. */
  async function raw(answer: (socket: TLSSocket, request: number) => void) {
    let requests = 0
    const arrivals: (() => void)[] = []
    const sockets = new Set<TLSSocket>()
    const server = tls.createServer({ cert: site.pem, key: site.key }, (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('data', () => {
        answer(socket, ++requests)
        arrivals.shift()?.()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
    open.push({
      close() {
        server.close()
        for (const socket of sockets) socket.destroy()
      },
    })
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`
    return { url, arrived: () => new Promise<void>((resolve) => arrivals.push(resolve)) }
  }

  const good = (socket: TLSSocket) =>
    socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  const endings = {
    '101 Switching Protocols': (socket: TLSSocket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    'no answer': () => {},
    'an answer without an end': (socket: TLSSocket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'),
  }

  it('case 233: an endpoint that switches protocols is refused at once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let hungUp = () => {}
    const closed = new Promise<void>((resolve) => {
      hungUp = resolve
    })
    const { url } = await raw((socket) => {
      socket.once('close', hungUp)
      endings['101 Switching Protocols'](socket)
    })
    const fetching = expect(fetchBundle('b.test', url, trusting())).rejects.toMatchObject({ code: 'unavailable' })
    await closed
    // Had it waited for its time limit, this would end it with `timeout`.
    vi.advanceTimersByTime(10_000)
    await fetching
  })

  it.each(['no answer', 'an answer without an end'] as const)(
    'case 233: a fetch ends within its time limit, and when told to: %s',
    async (ending) => {
      const { url, arrived } = await raw(endings[ending])
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const asked = arrived()
      const fetching = expect(fetchBundle('b.test', url, trusting())).rejects.toMatchObject({ code: 'timeout' })
      await asked
      vi.advanceTimersByTime(10_000)
      await fetching
      const stop = new AbortController()
      const again = arrived()
      const cancelled = fetchBundle('b.test', url, { ...trusting(), signal: stop.signal })
      const ended = expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
      await again
      stop.abort()
      await ended
    },
  )

  it.each(Object.keys(endings) as (keyof typeof endings)[])(
    'case 233: the bundle is fetched again after %s',
    async (ending) => {
      const { url, arrived } = await raw((socket, request) => (request === 1 ? endings[ending](socket) : good(socket)))
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const first = arrived()
      const federated = await FederatedBundle.watch({
        trustDomain: 'b.test',
        url,
        endpoint: trusting(),
        initial: new Bundle('b.test'),
        refresh: () => 1000,
      })
      open.push(federated)
      const failed = errorsOf(federated).next()
      const updated = federated.waitUntilUpdated()
      await first
      vi.advanceTimersByTime(10_000)
      await failed
      vi.advanceTimersByTime(1000)
      await updated
      expect(federated.bundle.equals(ca.bundle())).toBe(true)
    },
  )

  it('case 233: the wait for the first bundle ends, with its last failure', async () => {
    const url = await endpoint(() => ({ status: 500 }))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let ended = Promise.resolve()
    await new Promise<void>((resolve) => {
      const refresh = () => {
        resolve()
        return 2 ** 30
      }
      const watching = FederatedBundle.watch({ trustDomain: 'b.test', url, endpoint: trusting(), refresh })
      ended = expect(watching).rejects.toMatchObject({ code: 'timeout', cause: { code: 'unavailable' } })
    })
    vi.advanceTimersByTime(30_000)
    await ended
  })
})

it('case 304: a callback of the app that throws ends the watch with an error, and not the process', async () => {
  const url = await endpoint(() => ({ body: ca.bundle().marshal() }))
  const thrown = new Error('from the app')
  const refresh = () => {
    throw thrown
  }
  const options = { trustDomain: 'b.test', url, endpoint: trusting(), refresh, initial: ca.bundle() }
  const federated = await FederatedBundle.watch(options)
  open.push(federated)
  const failure = { code: 'misuse', cause: { message: 'from the app' } }
  const waiting = expect(federated.waitUntilUpdated()).rejects.toMatchObject(failure)
  expect(await errorsOf(federated).next()).toMatchObject(failure)
  await waiting
})

describe('case 271', () => {
  const next = new FakeCa('b.test')
  const known = ca.bundle({ sequence: 5 })

  it.each([
    ['a bundle without a sequence number', next.bundle()],
    ['other keys under the same sequence number', next.bundle({ sequence: 5 })],
    ['fewer keys under the same sequence number', new Bundle('b.test', { ...known, x509Authorities: [] })],
    ['an older bundle', next.bundle({ sequence: 4 })],
  ])('case 271: %s replaces nothing', async (_what, bundle) => {
    const url = await endpoint(() => ({ body: bundle.marshal() }))
    const options = { trustDomain: 'b.test', url, endpoint: trusting(), refresh: () => 2 ** 30 }
    const federated = await FederatedBundle.watch({ ...options, initial: known })
    open.push(federated)
    const { next: failure } = errorsOf(federated)
    expect(await failure()).toMatchObject({ code: 'invalid_bundle' })
    expect(federated.bundle).toBe(known)
  })

  it('case 271: the same keys in another order are the same bundle, and a new refresh hint is taken', async () => {
    const x509Authorities = [ca.root, next.root]
    const initial = new Bundle('b.test', { x509Authorities, sequence: 5 })
    const same = new Bundle('b.test', { x509Authorities: x509Authorities.toReversed(), sequence: 5 })
    expect(same.equals(initial)).toBe(true)
    const hinting = new Bundle('b.test', { x509Authorities: x509Authorities.toReversed(), sequence: 5, refreshHint: 9 })
    const url = await endpoint(() => ({ body: hinting.marshal() }))
    const federated = await FederatedBundle.watch({ trustDomain: 'b.test', url, endpoint: trusting(), initial })
    open.push(federated)
    await federated.waitUntilUpdated()
    expect(federated.bundle.refreshHint).toBe(9)
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

it('case 301: no request, and no closed source, ends the process that serves a bundle', async () => {
  const { url, source } = await spiffeEndpoint()
  const port = Number(new URL(url).port)
  const serving = await serveBundle(source, { trustDomain: 'b.test' })
  open.push(serving)
  const ask = async (at: number, head: string) => {
    const socket = await connect(ca.bundle(), { port: at, authorize: authorizeAny(), present: false })
    socket.end(`${head}\r\nhost: x\r\nconnection: close\r\n\r\n`)
    return String(Buffer.concat(await socket.toArray())).split('\r\n')[0]
  }
  expect(await ask(port, 'GET // HTTP/1.1')).toBe('HTTP/1.1 200 OK')
  expect(await ask(port, 'GET http://[ HTTP/1.1')).toBe('HTTP/1.1 200 OK')
  expect(await ask(port, 'TRACE / HTTP/1.1')).toBe('HTTP/1.1 405 Method Not Allowed')
  const bundles = await FederatedBundle.watch({
    trustDomain: 'b.test',
    url,
    endpoint: trusting(),
    initial: ca.bundle(),
  })
  const own = await serveBundle(source, { trustDomain: 'b.test', bundles })
  open.push(own)
  bundles.close()
  expect(await ask(own.port, 'GET / HTTP/1.1')).toBe('HTTP/1.1 503 Service Unavailable')
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
