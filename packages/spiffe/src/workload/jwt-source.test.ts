import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { errorsOf, quickBackoff } from '../../fixtures/waiting.ts'
import { JwtSource, verifyJwtSvid } from '../index.ts'
import { FakeCa, FakeWorkloadApi } from '../testing/index.ts'

const ca = new FakeCa('a.test')
const open: { close(): unknown }[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(ttl = 300) {
  const api = await FakeWorkloadApi.start()
  open.push(api)
  api.setJwtBundles([ca.bundle()])
  api.jwtSvids = async ({ audience, spiffeId }) =>
    Promise.all(
      (spiffeId ? [spiffeId] : ['spiffe://a.test/one', 'spiffe://a.test/two']).map((sub) =>
        ca.jwt({ sub, aud: audience, ttl, hint: sub.slice(-3) }),
      ),
    )
  const source = await JwtSource.open({ address: api.address, backoff: quickBackoff() })
  open.push(source)
  const asked = () => api.calls.filter(({ rpc }) => rpc === 'jwtSvid').length
  return { api, source, asked }
}

it('case 173: tokens are kept by identity and audience, and renewed before they expire', async () => {
  const { api, source, asked } = await start(300)
  const one = await source.getJwtSvid('https://one.test')
  const two = await source.getJwtSvid('https://two.test')
  expect(one.token).not.toBe(two.token)
  expect([one.audience, two.audience]).toEqual([['https://one.test'], ['https://two.test']])
  await expect(verifyJwtSvid(one.token, source, 'https://two.test')).rejects.toMatchObject({ code: 'invalid_token' })
  const other = await source.getJwtSvid('https://one.test', { subject: 'spiffe://a.test/two' })
  expect(String(other.id)).toBe('spiffe://a.test/two')
  expect(asked()).toBe(3)
  expect((await source.getJwtSvid('https://one.test')).token).toBe(one.token)
  expect((await source.getJwtSvid('https://two.test')).token).toBe(two.token)
  expect(asked()).toBe(3)

  // After half of its life a new token is fetched, once for all callers.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 151_000 })
  const renewed = await Promise.all([1, 2, 3].map(() => source.getJwtSvid('https://one.test')))
  expect(new Set(renewed.map(({ token }) => token)).size).toBe(1)
  expect(renewed[0]?.token).not.toBe(one.token)
  expect(asked()).toBe(4)

  // If no new token can be fetched, the old one is used while it is valid.
  vi.setSystemTime(Date.now() + 151_000)
  api.fail('jwtSvid', status.UNAVAILABLE)
  expect((await source.getJwtSvid('https://one.test')).token).toBe(renewed[0]?.token)
  vi.setSystemTime(Date.now() + 150_000)
  await expect(source.getJwtSvid('https://one.test')).rejects.toMatchObject({ code: 'unavailable' })
})

it.each([
  [
    'an expired token',
    async (audience: string) => [await ca.jwt({ sub: 'spiffe://a.test/one', aud: audience, ttl: -9 })],
  ],
  ['no token', async () => []],
] as const)('case 289: %s does not replace a good one', async (_what, answer) => {
  const { api, source, asked } = await start(300)
  const good = await source.getJwtSvid('x')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 151_000 })
  api.jwtSvids = ({ audience }) => answer(audience[0] as string)
  const { errors } = errorsOf(source)
  expect((await source.getJwtSvid('x')).token).toBe(good.token)
  expect(errors).toHaveLength(1)
  // The agent is asked again when half of the time that is left is over.
  expect((await source.getJwtSvid('x')).token).toBe(good.token)
  expect(asked()).toBe(2)
  vi.setSystemTime(Date.now() + 75_000)
  expect((await source.getJwtSvid('x')).token).toBe(good.token)
  expect(asked()).toBe(3)
  vi.setSystemTime(Date.now() + 75_000)
  await expect(source.getJwtSvid('x')).rejects.toMatchObject({ code: errors[0]?.code })
})

it('case 303: a Workload API that never answers keeps nobody waiting for a token', async () => {
  const { api, source, asked } = await start(300)
  const good = await source.getJwtSvid('x')
  api.jwtSvids = () => new Promise(() => {})
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: Date.now() + 151_000 })
  const kept = source.getJwtSvid('x')
  const first = expect(source.getJwtSvid('y')).rejects.toMatchObject({ code: 'timeout' })
  await api.until(() => asked() === 3)
  vi.advanceTimersByTime(30_000)
  expect((await kept).token).toBe(good.token)
  await first
  // The next one to ask is not made to wait for the old call.
  const next = source.getJwtSvid('y')
  await api.until(() => asked() === 4)
  source.close()
  await expect(next).rejects.toMatchObject({ code: 'closed' })
})

describe('JwtSource', () => {
  it('verifies the tokens of others', async () => {
    const { source } = await start()
    const { svid } = await ca.jwt({ sub: 'spiffe://a.test/caller', aud: 'me' })
    expect(String((await source.verify(svid, ['me', 'also me'])).id)).toBe('spiffe://a.test/caller')
    await expect(source.verify(svid, 'you')).rejects.toMatchObject({ code: 'invalid_token' })
  })

  it('lets a picker choose the identity', async () => {
    const { api } = await start()
    const source = await JwtSource.open({
      address: api.address,
      picker: (all) => all.find(({ hint }) => hint === 'two'),
    })
    open.push(source)
    expect((await source.getJwtSvid('x')).id.path).toBe('/two')
  })

  it('forgets its tokens when the identity is withdrawn', async () => {
    const { api, source } = await start()
    await source.getJwtSvid('x')
    const updated = source.waitUntilUpdated()
    api.fail('jwtSvid', status.PERMISSION_DENIED)
    api.fail('jwtBundles', status.PERMISSION_DENIED)
    await updated
    await expect(source.getJwtSvid('x')).rejects.toMatchObject({ code: 'permission_denied' })
    expect(source.getBundle('a.test')).toBeUndefined()
  })

  it('ends the wait of one caller without ending the fetch of another', async () => {
    const { api, source } = await start()
    let answer = () => {}
    api.jwtSvids = async ({ audience }) => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return [await ca.jwt({ sub: 'spiffe://a.test/one', aud: audience })]
    }
    const stop = new AbortController()
    const first = source.getJwtSvid('x', { signal: stop.signal })
    const second = source.getJwtSvid('x')
    await api.until(() => api.calls.some(({ rpc }) => rpc === 'jwtSvid'))
    stop.abort()
    await expect(first).rejects.toMatchObject({ code: 'cancelled' })
    answer()
    expect((await second).audience).toEqual(['x'])
    await expect(source.getJwtSvid('')).rejects.toMatchObject({ code: 'misuse' })
    source.close()
    await expect(source.getJwtSvid('x')).rejects.toMatchObject({ code: 'closed' })
  })
})
