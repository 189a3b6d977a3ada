import { Client, credentials, Metadata, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { quickBackoff } from '../../fixtures/waiting.ts'
import {
  BundleSource,
  ENDPOINT_VARIABLE,
  JwtSource,
  linearBackoff,
  type SpiffeError,
  SpiffeIdentity,
  WorkloadApiClient,
  type X509Context,
  X509Source,
} from '../index.ts'
import { encodeX509SvidResponse, FakeCa, FakeWorkloadApi } from '../testing/index.ts'
import { encodeValidateJwtSvidResponse } from '../testing/messages.ts'
import { decodeValidatedId, decodeX509SvidResponse, RPC } from './messages.ts'

const ca = new FakeCa('a.test')
const other = new FakeCa('b.test')
const open: { close(): unknown }[] = []
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(transport: 'unix' | 'tcp' = 'unix') {
  const api = await FakeWorkloadApi.start({ transport })
  open.push(api)
  return api
}
function connect(api: FakeWorkloadApi, backoff = quickBackoff()) {
  const client = new WorkloadApiClient({ address: api.address, backoff })
  open.push(client)
  return client
}

it('case 303: a Workload API that never answers ends each fetch, and each wait for a source, in time', async () => {
  const api = await start()
  api.jwtSvids = () => new Promise(() => {})
  const client = connect(api)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const waiting = [
    client.fetchX509Svid(),
    client.fetchX509Bundles(),
    client.fetchJwtBundles(),
    client.fetchJwtSvid({ audience: 'x' }),
    X509Source.open({ client }),
    BundleSource.open({ client }),
    JwtSource.open({ client }),
    new SpiffeIdentity({ address: api.address }).getX509Svid(),
  ]
  const ended = waiting.map((one) => expect(one).rejects.toMatchObject({ code: 'timeout' }))
  await api.until(() => api.calls.length === 9)
  vi.advanceTimersByTime(30_000)
  await Promise.all(ended)
})

it('case 303: the wait for a source ends with its last failure, and a watch goes on', async () => {
  const api = await start()
  api.fail('x509Svid', status.UNAVAILABLE)
  const stop = new AbortController()
  open.push({ close: () => stop.abort() })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let ended = Promise.resolve()
  await new Promise<void>((resolve) => {
    const delays: number[] = []
    const client = connect(api, () => {
      if (delays.push(40_000) === 2) resolve()
      return 40_000
    })
    client.watchX509Context({ onUpdate: () => {} }, stop.signal).catch(() => {})
    const failure = { code: 'timeout', cause: { code: 'unavailable' } }
    ended = expect(X509Source.open({ client })).rejects.toMatchObject(failure)
  })
  vi.advanceTimersByTime(30_000)
  await ended
  expect(api.calls).toHaveLength(2)
  vi.advanceTimersByTime(10_000)
  await api.until(() => api.calls.length === 3)
})

it('case 157: every call has the security header, and a refusal because it is missing is not retried', async () => {
  const api = await start()
  api.setX509([ca.x509('/agent')])
  api.setX509Bundles([ca.bundle()])
  api.setJwtBundles([ca.bundle()])
  api.jwtSvids = async ({ audience }) => [await ca.jwt({ sub: 'spiffe://a.test/agent', aud: audience })]
  api.validate = () => ({ spiffeId: 'spiffe://a.test/agent', claims: {} })
  const client = connect(api)
  await client.fetchX509Svid()
  await client.fetchX509Bundles()
  await client.fetchJwtBundles()
  const { token } = await client.fetchJwtSvid({ audience: 'x' })
  await client.validateJwtSvid(token, 'x')
  expect(new Set(api.calls.map(({ rpc }) => rpc)).size).toBe(5)
  expect(api.calls.every(({ header }) => header === 'true')).toBe(true)

  // The fake refuses calls without the header, so the calls above had it.
  const bare = new Client(api.address.replace('unix://', 'unix:'), credentials.createInsecure())
  open.push(bare)
  const refusal = await new Promise<{ code: status }>((resolve) => {
    const call = bare.makeServerStreamRequest(
      RPC.x509Svid,
      () => Buffer.alloc(0),
      (bytes) => bytes,
      {},
      new Metadata(),
    )
    call.on('error', (error) => resolve(error as Error & { code: status }))
  })
  expect(refusal.code).toBe(status.INVALID_ARGUMENT)

  // If a server answers so, the error is thrown after one attempt.
  api.calls.length = 0
  api.fail('x509Svid', status.INVALID_ARGUMENT)
  const waits: number[] = []
  const failed = X509Source.open({ address: api.address, backoff: quickBackoff(waits) })
  await expect(failed).rejects.toMatchObject({ code: 'invalid_argument' })
  expect(api.calls).toHaveLength(1)
  expect(waits).toEqual([])
})

it('case 158: an agent that is not ready is asked again, with growing delays', async () => {
  const api = await start()
  api.setX509([ca.x509('/agent')])
  api.fail('x509Svid', status.UNAVAILABLE, 3)
  const waits: number[] = []
  const source = await X509Source.open({ address: api.address, backoff: quickBackoff(waits) })
  open.push(source)
  expect(String(source.svid.id)).toBe('spiffe://a.test/agent')
  expect(waits).toEqual([1000, 2000, 3000])
  expect(api.calls).toHaveLength(4)
  expect([1, 2, 3, 29, 30, 31, 1000].map(linearBackoff)).toEqual([1000, 2000, 3000, 29_000, 30_000, 30_000, 30_000])
  // A message resets the delay.
  api.fail('x509Svid', status.UNAVAILABLE, 2)
  await api.until(() => api.calls.length === 7)
  expect(waits.slice(3)).toEqual([1000, 2000, 3000])
})

describe('WorkloadApiClient', () => {
  it('connects over a Unix socket and over TCP, with the address from the environment', async () => {
    for (const transport of ['unix', 'tcp'] as const) {
      const api = await start(transport)
      api.setX509([ca.x509('/agent')])
      vi.stubEnv(ENDPOINT_VARIABLE, api.address)
      const client = new WorkloadApiClient()
      open.push(client)
      expect(String((await client.fetchX509Svid()).id)).toBe('spiffe://a.test/agent')
    }
  })

  it('fetches SVIDs, bundles and tokens once', async () => {
    const api = await start()
    api.setX509([ca.x509('/one'), ca.x509('/two')], [other.bundle()])
    api.setX509Bundles([ca.bundle(), other.bundle()])
    api.setJwtBundles([ca.bundle()])
    const client = connect(api)
    expect((await client.fetchX509Svids()).map(({ id }) => id.path)).toEqual(['/one', '/two'])
    const { bundles } = await client.fetchX509Context()
    expect(bundles.trustDomains.sort()).toEqual(['a.test', 'b.test'])
    expect((await client.fetchX509Bundles()).size).toBe(2)
    expect((await client.fetchJwtBundles()).getBundle('a.test')?.jwtAuthorities.size).toBe(1)
    await api.until(() => api.streams('x509Svid') === 0 && api.streams('x509Bundles') === 0)
  })

  it('fetches JWT-SVIDs and has them validated', async () => {
    const api = await start()
    const client = connect(api)
    const requests: unknown[] = []
    api.jwtSvids = async (request) => {
      requests.push(request)
      const sub = request.spiffeId || 'spiffe://a.test/one'
      return [
        await ca.jwt({ sub, aud: request.audience, hint: 'h' }),
        await ca.jwt({ sub, aud: request.audience, hint: 'h' }),
      ]
    }
    const svids = await client.fetchJwtSvids({ audience: 'x', extraAudiences: ['y'], subject: 'spiffe://a.test/two' })
    expect(requests).toEqual([{ audience: ['x', 'y'], spiffeId: 'spiffe://a.test/two' }])
    expect(svids).toHaveLength(1)
    expect(svids[0]).toMatchObject({ hint: 'h', audience: ['x', 'y'] })
    api.validate = ({ audience }) => ({
      spiffeId: 'spiffe://a.test/two',
      claims: { aud: audience, n: [1, true, null, {}] },
    })
    const token = svids[0]?.token as string
    expect(String((await client.validateJwtSvid(token, 'x')).id)).toBe('spiffe://a.test/two')
    api.fail('validateJwtSvid', status.INVALID_ARGUMENT, 1)
    await expect(client.validateJwtSvid(token, 'x')).rejects.toMatchObject({ code: 'invalid_argument' })
    api.validate = () => ({ spiffeId: 'spiffe://a.test/three', claims: {} })
    await expect(client.validateJwtSvid(token, 'x')).rejects.toMatchObject({ code: 'malformed_response' })

    api.jwtSvids = async () => []
    await expect(client.fetchJwtSvid({ audience: 'x' })).rejects.toMatchObject({ code: 'malformed_response' })
    api.jwtSvids = async () => [await ca.jwt({ sub: 'spiffe://a.test/one', aud: 'other' })]
    await expect(client.fetchJwtSvid({ audience: 'x' })).rejects.toMatchObject({ code: 'invalid_token' })
    api.jwtSvids = async () => [await ca.jwt({ sub: 'spiffe://a.test/one', aud: 'x' })]
    const mistaken = client.fetchJwtSvid({ audience: 'x', subject: 'spiffe://a.test/two' })
    await expect(mistaken).rejects.toMatchObject({ code: 'malformed_response' })
    await expect(client.fetchJwtSvid({ audience: '' })).rejects.toMatchObject({ code: 'misuse' })
  })

  it('watches bundles of both kinds', async () => {
    const api = await start()
    const client = connect(api)
    const stop = new AbortController()
    const seen: string[] = []
    const ended = Promise.all(
      (['watchX509Bundles', 'watchJwtBundles'] as const).map((watch) =>
        client[watch]({ onUpdate: (set) => seen.push(`${watch} ${set.trustDomains}`) }, stop.signal).catch(
          (e) => e.code,
        ),
      ),
    )
    await api.until(() => api.streams('x509Bundles') === 1 && api.streams('jwtBundles') === 1)
    api.setX509Bundles([ca.bundle()])
    api.setJwtBundles([other.bundle()])
    await vi.waitFor(() => expect(seen.sort()).toEqual(['watchJwtBundles b.test', 'watchX509Bundles a.test']))
    stop.abort()
    expect(await ended).toEqual(['cancelled', 'cancelled'])
  })

  it('reopens a stream at once, but waits if the stream ended right after it began', async () => {
    const api = await start()
    api.setX509([ca.x509('/agent')])
    const waits: number[] = []
    const client = connect(api, quickBackoff(waits))
    const clock = vi.spyOn(performance, 'now')
    clock.mockReturnValue(0)
    const updates: X509Context[] = []
    const stop = new AbortController()
    const watching = client
      .watchX509Context({ onUpdate: (context) => updates.push(context) }, stop.signal)
      .catch(() => {})
    await vi.waitFor(() => expect(updates).toHaveLength(1))
    clock.mockReturnValue(5000)
    api.endStreams()
    await vi.waitFor(() => expect(updates).toHaveLength(2))
    expect(waits).toEqual([])
    api.endStreams()
    await vi.waitFor(() => expect(updates).toHaveLength(3))
    expect(waits).toEqual([1000])
    clock.mockRestore()
    stop.abort()
    await watching
  })

  it('stops on abort, with the reason', async () => {
    const api = await start()
    const client = connect(api)
    const never = client.fetchX509Svid(AbortSignal.timeout(20))
    await expect(never).rejects.toMatchObject({ code: 'timeout' })
    const stop = new AbortController()
    const fetching = client.fetchX509Svid(stop.signal)
    stop.abort()
    await expect(fetching).rejects.toMatchObject({ code: 'cancelled' })
    const waiting = client.fetchJwtBundles()
    await api.until(() => api.streams('jwtBundles') === 1)
    client.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await expect(client.fetchX509Svid()).rejects.toMatchObject({ code: 'closed' })
    await expect(client.fetchJwtSvid({ audience: 'x' })).rejects.toMatchObject({ code: 'closed' })
  })

  it("has the error code of the agent's answer", async () => {
    const api = await start()
    const client = connect(api)
    const codes: string[] = []
    for (const code of [status.PERMISSION_DENIED, status.UNIMPLEMENTED, status.UNAVAILABLE, status.INTERNAL]) {
      api.fail('x509Svid', code, 1)
      codes.push(await client.fetchX509Svid().then(String, (error: SpiffeError) => error.code))
    }
    expect(codes).toEqual(['permission_denied', 'unimplemented', 'unavailable', 'unavailable'])
    await api.stop()
    await expect(client.fetchX509Svid()).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('messages', () => {
  it('are decoded as encoded, and unknown fields are skipped', () => {
    const message = { svids: [ca.x509('/agent', { hint: 'internal' })], federatedBundles: new Map() }
    const bytes = encodeX509SvidResponse(message)
    const more = Buffer.concat([bytes, Buffer.from([0x78, 0x96, 0x01, 0x65, 1, 2, 3, 4, 0x61, 1, 2, 3, 4, 5, 6, 7, 8])])
    expect(decodeX509SvidResponse(more).svids[0]).toMatchObject({
      spiffeId: 'spiffe://a.test/agent',
      hint: 'internal',
    })
  })

  it('carry claims as google.protobuf.Struct has them', () => {
    const claims = { s: 'x', n: 1.5, t: true, z: null, a: [false], o: { k: 'v' } }
    const answer = encodeValidateJwtSvidResponse('spiffe://a.test/agent', claims)
    expect(decodeValidatedId(answer)).toBe('spiffe://a.test/agent')
    const struct = [
      '0a080a017312031a0178',
      '0a0e0a016e120911000000000000f83f',
      '0a070a017412022001',
      '0a070a017a12020800',
      '0a0b0a0161120632040a022000',
      '0a110a016f120c2a0a0a080a016b12031a0176',
    ].join('')
    expect(answer.toString('hex').slice(2 * 23)).toBe(`12${(struct.length / 2).toString(16)}${struct}`)
  })

  it('are refused if they are truncated', () => {
    const bytes = encodeX509SvidResponse({ svids: [ca.x509('/agent')], federatedBundles: new Map() })
    for (const end of [1, 2, 3, 10, bytes.length - 1])
      expect(() => decodeX509SvidResponse(bytes.subarray(0, end)), String(end)).toThrow('cannot be read')
    expect(() => decodeX509SvidResponse(Buffer.from([0x0b]))).toThrow('cannot be read')
    expect(() => decodeX509SvidResponse(Buffer.alloc(20, 0xff))).toThrow('cannot be read')
  })
})
