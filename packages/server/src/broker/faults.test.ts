// Security cases U, 234-236, 238, 280, 282, 285, 286, 320-322, 365, 367: Servers and databases that stop. A release waits for 234-236, 238, 280, 282, 286.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createSocketServer, type Server as SocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { runInThisContext } from 'node:vm'
import { LatchkeyError, oidc } from '@latchkey/core'
import { BROKER_HEADER } from '@latchkey/core/token'
import { startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { HTTPException } from 'hono/http-exception'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { faults, listed } from '../../../../.setup/requests.ts'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import { AgentContext, type BrokerOptions, createBroker, ServiceCredentials, type VaultBroker } from '../index.ts'
import { postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { localKeys } from '../vault/index.ts'
import { createWebhooks } from '../vault/webhooks.ts'

const APP = 'https://app.example'
const MOUNT = `${APP}/api/latchkey`
const CALLBACK = `${MOUNT}/callback`
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const ADA = { tenant: 'default', user: 'ada' }

let upstream: TinyServer
let folder: string
let vault: ReturnType<typeof openVault>
const servers: (Server | SocketServer)[] = []

beforeAll(async () => {
  upstream = await startTinyServer()
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-faults-'))
})
beforeEach(() => {
  upstream.reset()
  vault = openVault({ keys: localKeys(KEY) })
})
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  for (const server of servers.splice(0)) {
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
  }
})
afterAll(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

async function listen(server: Server | SocketServer): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const serve = (listener: RequestListener) => listen(createServer(listener))

/** A port that nothing listens on. */
async function closedPort(): Promise<string> {
  const server = createServer()
  const origin = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return origin
}

function broker(options: Partial<BrokerOptions<string>> = {}) {
  return createBroker<string>({
    providers: [providerAt(upstream.origin)],
    clients: { acme: { client_id: 'app', client_secret: 'secret' } },
    authenticate: () => 'ada',
    allowedOrigins: [APP],
    vault,
    ...options,
  }) as VaultBroker<string>
}

function call(method: string, route: string, body?: object | ReadableStream): Request {
  return new Request(`${MOUNT}/${route}`, {
    method,
    headers: { origin: APP, [BROKER_HEADER]: '1', ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: body instanceof ReadableStream ? body : JSON.stringify(body), duplex: 'half' }),
  })
}

/** What a page may read of an answer: without the header of CORS it could read nothing. */
async function told(answer: Promise<Response>) {
  const response = await answer
  expect(response.headers.get('access-control-allow-origin')).toBe(APP)
  expect(response.headers.get('cache-control')).toBe('no-store')
  return { status: response.status, ...(await response.json()) } as { status: number; error: string; message: string }
}

const startFlow = (handle: VaultBroker<string>) =>
  handle(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))

async function connect(handle = broker()): Promise<string> {
  const { url, state } = await (await startFlow(handle)).json()
  const finished = await handle(call('POST', `flows/${state}`, { response: upstream.approve(url, 'ada') }))
  return (await finished.json()).account.id
}

/** A fetch that finds the provider at another place. */
const elsewhere =
  (origin: string): typeof fetch =>
  (url, init) =>
    fetch(String(url).replace(upstream.origin, origin), init)

describe('an API or a provider', () => {
  it('case 235: that is away is a 503 that the page can read', async () => {
    const id = await connect()
    const options = { fetch: elsewhere(await closedPort()), proxy: { methods: ['GET'] } }
    expect(await told(broker(options)(call('GET', `accounts/${id}/api/me`)))).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
      message: 'Acme could not be reached.',
    })
  })

  const switching = () =>
    listen(
      createSocketServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () =>
          socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
        )
      }),
    )

  it('case 233: that switches protocols is refused at once, by an API and at a token endpoint', async () => {
    // No time limit may be what ends it.
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => new AbortController().signal)
    const id = await connect()
    const origin = await switching()
    const handle = broker({ fetch: elsewhere(origin), proxy: { methods: ['GET'] } })
    expect(await told(handle(call('GET', `accounts/${id}/api/me`)))).toMatchObject({ status: 503 })
    const { url, state } = await (await startFlow(handle)).json()
    const response = upstream.approve(url, 'ada')
    expect(await told(handle(call('POST', `flows/${state}`, { response })))).toMatchObject({ status: 503 })
  })

  it('case 367: that never answers a service account, or never ends its answer, is given up after 30 s or its limit', async () => {
    const stops: AbortController[] = []
    const limits: number[] = []
    const origin = await serve(({ url }, response) => {
      if (url === '/token') response.end('{ "access_token": "at", "token_type": "bearer" }')
      else if (url === '/stalled') response.write('{')
      else stops.at(-1)?.abort(new DOMException('', 'TimeoutError'))
    })
    const client = { clientId: 'agent', clientSecret: 's', tokenEndpoint: `${origin}/token`, origins: [origin] }
    for (const [service, limit] of [
      [new ServiceCredentials(client), 30_000],
      [new ServiceCredentials({ ...client, timeout: 120_000 }), 120_000],
    ] as const) {
      await service.getToken()
      vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
        const stop = new AbortController()
        limits.push(milliseconds)
        stops.push(stop)
        return stop.signal
      })
      await expect(service.fetch(`${origin}/silent`)).rejects.toMatchObject({ code: 'network' })
      const text = (await service.fetch(`${origin}/stalled`)).text()
      stops.at(-1)?.abort(new DOMException('', 'TimeoutError'))
      await expect(text).rejects.toMatchObject({ name: 'TimeoutError' })
      expect(limits.splice(0)).toEqual([limit, limit])
      vi.restoreAllMocks()
    }
  })

  const slow = (issuer: string) => oidc({ id: 'acme', name: 'Acme', issuer, baseUrl: issuer, scopes: ['read'] })

  it("case 234: an issuer that never answers is asked with the broker's own fetch, for ten seconds", async () => {
    const limit = new AbortController()
    const limits: number[] = []
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
      limits.push(milliseconds)
      return limit.signal
    })
    let arrived = () => {}
    const asked = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const origin = await serve(() => arrived())
    const own = vi.fn<typeof fetch>(globalThis.fetch)
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('The network is reached through a proxy only.'))
    const answer = startFlow(broker({ providers: [slow(origin)], fetch: own }))
    await asked
    limit.abort(new DOMException('', 'TimeoutError'))
    expect(await told(answer)).toMatchObject({ status: 503, error: 'temporarily_unavailable' })
    expect(own.mock.calls.map(([url]) => String(url))).toEqual([`${origin}/.well-known/openid-configuration`])
    expect(Math.max(...limits)).toBe(10_000)
  })

  it('case 234: metadata is limited in size, and asked for again after an hour', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    let asked = 0
    let padding = 'x'.repeat(1024 * 1024)
    const origin = await serve((_request, response) => {
      asked += 1
      const at = `http://${_request.headers.host}`
      const metadata = {
        issuer: at,
        authorization_endpoint: `${at}/authorize-${asked}`,
        token_endpoint: `${at}/token`,
        code_challenge_methods_supported: ['S256'],
        padding,
      }
      response.end(JSON.stringify(metadata))
    })
    const handle = broker({ providers: [slow(origin)] })
    expect(await told(startFlow(handle))).toMatchObject({ status: 502, error: 'malformed_response' })
    padding = ''
    const opened = async () => new URL((await (await startFlow(handle)).json()).url).pathname
    expect([await opened(), await opened()]).toEqual(['/authorize-2', '/authorize-2'])
    vi.setSystemTime(Date.now() + 3_600_001)
    expect(await opened()).toBe('/authorize-3')
  })
})

describe('the vault', () => {
  const away = { status: 503, error: 'temporarily_unavailable', message: expect.not.stringContaining('vault') }

  it('case 235: that another process keeps locked is a 503 after ten seconds, and the process goes on', async () => {
    const file = path.join(folder, 'locked.db')
    vault = openVault({ keys: localKeys(KEY), store: sqliteStore(file) })
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const onError = vi.fn()
    vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] })
    let answer: Awaited<ReturnType<typeof told>> | undefined
    told(startFlow(broker({ onError }))).then((one) => {
      answer = one
    })
    for (let waited = 0; waited < 20_000 && !answer; waited += 100) {
      await vi.advanceTimersByTimeAsync(100)
      await setImmediate()
    }
    expect(answer).toEqual(away)
    expect(onError.mock.lastCall).toMatchObject([{ code: 'storage_unavailable' }, 'request'])
    // Reading needs no lock.
    expect((await broker()(call('GET', 'accounts'))).status).toBe(200)
    other.exec('COMMIT')
    other.close()
    expect((await startFlow(broker())).status).toBe(200)
    await vault.close()
  })

  it('case 235: in a PostgreSQL that is away is a 503 on every route, and no login for a tool', async () => {
    const { port } = new URL(await closedPort())
    vault = openVault({ keys: localKeys(KEY), store: postgresStore({ url: `postgres://app@127.0.0.1:${port}/none` }) })
    const onError = vi.fn()
    const handle = broker({ onError, proxy: { methods: ['GET'] } })
    const id = `acme.${'a'.repeat(22)}`
    const calls: [string, string, object?][] = [
      ['GET', 'accounts'],
      ['GET', `accounts/${id}`],
      ['POST', `accounts/${id}`, {}],
      ['DELETE', `accounts/${id}`],
      ['GET', `accounts/${id}/api/me`],
      ['POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }],
      ['POST', 'flows/state', { response: 'code=1' }],
    ]
    for (const [method, route, body] of calls) expect(await told(handle(call(method, route, body)))).toEqual(away)
    expect(onError).toHaveBeenCalledTimes(calls.length)
    const sent = { connectedAccounts: [{ provider: 'acme', accountId: id }] }
    const { context } = await handle.agentContext('ada', sent, { agent: 'assistant' })
    expect(context).toBeInstanceOf(AgentContext)
    await expect(context.getToken('acme', { effect: 'read' })).rejects.toMatchObject({ code: 'storage_unavailable' })
    await vault.close()
  })

  it('case 286: whose disk is full or whose file is damaged is a 503, and the server hears why', async () => {
    const file = path.join(folder, 'full.db')
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec')
    vault = openVault({ keys: localKeys(KEY), store: sqliteStore(file) })
    const connection = exec.mock.contexts.at(-1) as DatabaseSync
    const onError = vi.fn()
    const handle = broker({ onError })
    const id = await connect(handle)
    connection.exec('PRAGMA max_page_count = 1')
    const filling = async () => {
      // Until the pages that the file has are full.
      for (let at = 0; at < 1000; at++) {
        const answer = await startFlow(handle)
        if (answer.status !== 200) return answer
      }
      throw new Error('never full')
    }
    expect(await told(filling())).toEqual(away)
    expect(String(onError.mock.lastCall?.[0])).toMatch(/the disk is full/)
    expect(await (await handle(call('GET', `accounts/${id}`))).json()).toMatchObject({ account: { id } })
    await vault.close()
  })
})

describe('what the app gives', () => {
  it.each([
    ['an error', new Error('The sessions are away.')],
    ['an error of Hono', new HTTPException(418)],
    ['an error of Latchkey', new LatchkeyError('network', 'The sessions are away.')],
    ['a string', 'The sessions are away.'],
  ])('case 235: %s of `authenticate` is what the promise rejects with', async (_what, thrown) => {
    const handle = broker({ authenticate: () => Promise.reject(thrown) })
    await expect(handle(call('GET', 'accounts'))).rejects.toBe(thrown)
    await expect(handle(call('POST', 'flows', {}))).rejects.toBe(thrown)
  })

  it('case 235: any other error is a 500 that the page can read, and `onError` hears it', async () => {
    const error = new Error('CANARY')
    const onError = vi.fn()
    const failing: Partial<BrokerOptions<string>>[] = [
      {
        owner: () => {
          throw error
        },
      },
      {
        limit: {
          perMinute: 1,
          key: () => {
            throw error
          },
        },
      },
    ]
    for (const options of failing) {
      const answer = await told(broker({ onError, ...options })(call('POST', 'flows', {})))
      expect(answer).toEqual({ status: 500, error: 'server_error', message: expect.not.stringContaining('CANARY') })
      expect(onError.mock.lastCall).toEqual([error, 'request'])
    }
    vi.spyOn(vault.store, 'list').mockRejectedValue(error)
    expect(await told(broker()(call('GET', 'accounts')))).toMatchObject({ status: 500 })
  })

  it('case 320: a body that breaks off is a 400', async () => {
    const onError = vi.fn()
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('The page was closed.')) })
    expect(await told(broker({ onError })(call('POST', 'flows', body)))).toMatchObject({ status: 400 })
    expect(onError).not.toHaveBeenCalled()
  })
})

describe('webhooks', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const account = { id: 'acme.1', provider: 'acme', label: 'Ada' } as never

  it('case 285: 5,000 events to a receiver that never answers use four connections, and few wait', async () => {
    const held: ServerResponse[] = []
    const seen = new Set<unknown>()
    const url = await serve((request, response) => {
      seen.add(request.headers['webhook-id'])
      held.push(response)
    })
    const onDrop = vi.fn()
    const webhooks = createWebhooks([{ url, secret, retryAfter: [0], onDrop }])
    for (let at = 0; at < 5000; at++) webhooks.tell('account.connected', ADA, account)
    // Four are on their way, and a thousand wait.
    expect(onDrop).toHaveBeenLastCalledWith(5000 - 1004)
    const arrived = async (requests: number) => {
      await vi.waitUntil(() => held.length >= requests)
      for (let turn = 0; turn < 20; turn++) await setImmediate()
      expect(held).toHaveLength(requests)
    }
    await arrived(4)
    // Each is tried once more, and then given up for the next.
    for (const response of held.slice()) response.destroy()
    await arrived(8)
    expect(seen.size).toBe(4)
    expect(onDrop).toHaveBeenLastCalledWith(3996)
    for (const response of held.slice(4)) response.destroy()
    await arrived(12)
    expect(seen.size).toBe(8)
    expect(onDrop).toHaveBeenLastCalledWith(4000)
    webhooks.close()
  })

  it('case 321: an answer that breaks off is tried again', async () => {
    let tries = 0
    const fetch = vi.fn<typeof globalThis.fetch>(async () => {
      tries += 1
      if (tries > 1) return new Response(null, { status: 204 })
      const body = new ReadableStream({
        cancel() {
          throw new Error('The connection is gone.')
        },
      })
      return new Response(body, { status: 500 })
    })
    const onDrop = vi.fn()
    const webhooks = createWebhooks([{ url: 'https://hooks.example', secret, fetch, retryAfter: [0], onDrop }])
    webhooks.tell('account.connected', ADA, account)
    await vi.waitUntil(() => tries === 2)
    expect(onDrop).not.toHaveBeenCalled()
    webhooks.close()
  })
})

describe('the list of all requests', () => {
  const packages = path.join(import.meta.dirname, '../../..')

  it('case 365: one of our code without a time limit of the seam, or from a new place, fails its test', () => {
    const filename = path.join(packages, 'core/src/new.ts')
    const calls: Record<string, RegExp> = {
      'fetch("http://127.0.0.1:1")': /no time limit.*new\.ts › ask {2}fetch/,
      'fetch("http://127.0.0.1:1", { signal: AbortSignal.timeout(1) })': /no time limit/,
      'process.getBuiltinModule("http").request("http://127.0.0.1:1")': /no time limit.*request/,
      'process.getBuiltinModule("https").get("https://127.0.0.1:1")': /no time limit.*get/,
      'process.getBuiltinModule("http2").connect("http://127.0.0.1:1")': /no time limit.*connect/,
      'process.getBuiltinModule("net").connect(1)': /no time limit.*connect/,
      'process.getBuiltinModule("tls").connect(1)': /no time limit.*connect/,
      'new WebSocket("ws://127.0.0.1:1")': /no time limit.*WebSocket/,
      'new (process.getBuiltinModule("node:sqlite").DatabaseSync)(":memory:").exec("")':
        /not in .*requests.txt with its 0 ms/,
    }
    for (const [call, words] of Object.entries(calls)) {
      const ask = runInThisContext(`(function ask() { return ${call} })`, { filename })
      expect(ask).toThrow(words)
    }
    const swallowed = faults.splice(0)
    expect(swallowed).toHaveLength(Object.keys(calls).length)
    for (const { stack } of swallowed) expect(stack).toContain(filename)
  })

  it('case 365: names only places that are there', () => {
    const lost = [...listed.keys()].filter((place) => {
      const [, file = '', , name = ''] = /^(\S+)( › (\S+))?/.exec(place) ?? []
      return !readFileSync(path.join(packages, file), 'utf8').includes(name)
    })
    expect(lost).toEqual([])
  })
})
