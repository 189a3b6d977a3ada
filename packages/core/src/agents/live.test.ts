// Following what agents do, over a real connection.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createOversight } from './client.ts'
import type { Activity, ActivityNews, Oversight } from './oversight.ts'

let connections: { request: IncomingMessage; response: ServerResponse }[] = []
let status = 200
const server = createServer((request, response) => {
  response.writeHead(status, { 'content-type': 'text/event-stream' }).flushHeaders()
  if (status !== 200) response.end()
  connections.push({ request, response })
})
let oversight: Oversight
let end: AbortController
let heard: ActivityNews[]

beforeAll(async () => {
  // It loads when somebody follows.
  await import('./live.ts')
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  oversight = createOversight({ broker: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api` })
})
beforeEach(() => {
  // `waitFor` moves them on, and what it waits for comes over a real connection.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  connections = []
  heard = []
  status = 200
  end = new AbortController()
  oversight.follow?.((news) => heard.push(news), end.signal)
})
afterEach(() => {
  end.abort()
  server.closeAllConnections()
  vi.useRealTimers()
})
afterAll(() => server.close())

const use = (seq: number): Activity => ({ seq, at: '2026-01-01T00:00:00Z', outcome: 'allowed', action: 'use' })
const eventOf = (event: string, data: object, id?: number) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
/** Less than a silence after which a connection is given up. */
const PATIENCE = { timeout: 20_000 }
const connection = (at: number) => vi.waitFor(() => connections[at] ?? Promise.reject(new Error('none')), PATIENCE)
const hears = (count: number) => vi.waitFor(() => expect(heard).toHaveLength(count), PATIENCE)

it('hears what is new, and goes on after what it has heard', async () => {
  const first = await connection(0)
  expect(first.request.url).toBe('/api/activity/live')
  expect(first.request.headers).toMatchObject({ 'latchkey-request': '1' })
  expect(first.request.headers).not.toHaveProperty('last-event-id')
  first.response.write(eventOf('following', { resumed: false }, 4))
  // In pieces, as the network brings them, with a sign of life and with what a newer server says.
  const text = `:\n\n${eventOf('use', use(5), 5)}${eventOf('weather', {})}${eventOf('use', { seq: 'six' }, 6)}`
  first.response.write(text.slice(0, 30))
  await hears(1)
  first.response.write(text.slice(30) + eventOf('requests', {}))
  await hears(3)
  first.response.end()
  const second = await connection(1)
  expect(second.request.headers).toMatchObject({ 'last-event-id': '6' })
  second.response.write(eventOf('use', use(7), 7) + eventOf('following', { resumed: true }, 9))
  await hears(6)
  expect(heard).toEqual([
    { type: 'following', resumed: false },
    { type: 'use', use: use(5) },
    { type: 'requests' },
    { type: 'lost' },
    { type: 'use', use: use(7) },
    { type: 'following', resumed: true },
  ])
})

it('starts again from the number of a log that began anew', async () => {
  ;(await connection(0)).response.end(eventOf('following', { resumed: false }, 90))
  ;(await connection(1)).response.end(eventOf('following', { resumed: false }, 2))
  expect((await connection(2)).request.headers).toMatchObject({ 'last-event-id': '2' })
})

it('gives a connection up that says nothing for longer than its signs of life, or too much', async () => {
  const first = await connection(0)
  first.response.write(eventOf('following', { resumed: false }, 4))
  await hears(1)
  await vi.advanceTimersByTimeAsync(39_000)
  first.response.write(eventOf('requests', {}))
  await hears(2)
  await vi.advanceTimersByTimeAsync(39_000)
  expect(heard).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(2000)
  await hears(3)
  expect(heard.at(-1)).toEqual({ type: 'lost' })
  ;(await connection(1)).response.write('x'.repeat(70_000))
  await hears(4)
  expect(heard.at(-1)).toEqual({ type: 'lost' })
})

it('tries again ever later, and not at all once nobody listens', async () => {
  status = 503
  ;(await connection(0)).response.end()
  await hears(1)
  await connection(1)
  await hears(2)
  end.abort()
  await vi.advanceTimersByTimeAsync(600_000)
  expect(connections).toHaveLength(2)
  expect(heard).toEqual([{ type: 'lost' }, { type: 'lost' }])
})
