// MCP accounts with real servers: the official SDK's Streamable HTTP behind oidc-provider. Each test names what the
// person sees: the card's status, and where the window went.

import { createMCPClient } from '@ai-sdk/mcp'
import {
  CLIENT_METADATA_URL,
  createHeadlessBrowser,
  type McpSandbox,
  type McpStandIn,
  startMcpSandbox,
} from '@latchkey/sandbox'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ORIGIN, openPage, REDIRECT_URI, type Visit } from '../../fixtures/mcp-page.ts'
import { eventually } from '../../fixtures/page.ts'
import {
  cardStatus,
  type ErrorCode,
  type LatchkeyClient,
  LatchkeyError,
  type LatchkeyOptions,
  memoryStore,
} from '../index.ts'
import { github } from '../providers/github.ts'
import { describeServer } from './handshake.ts'
import { type McpProvider, mcp, mcpFetch, mcpOAuthClientProvider, mcpServers, mcpTransport, supports } from './index.ts'

let sandbox: McpSandbox
let person: { visit: Visit; visited: string[] }
let page: ReturnType<typeof openPage>
const spoken: string[] = []

/** A person with cookies, who agrees on every page. */
const agree: Visit = async (url) => {
  const end = await createHeadlessBrowser().open(url)
  return end.url.href.startsWith(REDIRECT_URI) ? end.url.href : undefined
}

beforeAll(async () => {
  sandbox = await startMcpSandbox({ appOrigins: [ORIGIN], callbackPath: '/callback' })
})
afterAll(() => sandbox.close())
beforeEach(() => {
  person = { visit: agree, visited: [] }
  page = openPage(person)
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
  spoken.length = 0
  for (const server of sandbox.all) await server.reset()
})

function open(server: McpStandIn, options: Partial<LatchkeyOptions> = {}): LatchkeyClient {
  server.setPolicy({ auto: true })
  const clientId = server === sandbox.files ? server.clientId : undefined
  return page.client({
    providers: [mcp({ id: server.id, name: server.name, url: server.mcp, clientId })],
    app: { client_name: 'Latchkey', clientMetadataUrl: CLIENT_METADATA_URL },
    ...options,
  })
}

const failure = async (promise: Promise<unknown>): Promise<LatchkeyError> => {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  )
  // The MCP client wraps the errors of a transport.
  for (let one = error; one; one = one.cause) if (one instanceof LatchkeyError) return one
  throw error ?? new Error('It did not fail.')
}
const account = (client: LatchkeyClient) => Object.values(client.getSnapshot().accounts)[0]!
const card = (client: LatchkeyClient, server: McpStandIn) => cardStatus(client.getSnapshot(), server.id)
const tokenRequests = (server: McpStandIn, grant: string) =>
  server.log.filter(({ path, body }) => path === '/token' && body.includes(`grant_type=${grant}`))
const asks = { authorize: (_request: unknown, connect: () => Promise<unknown>) => connect() }

async function call(client: LatchkeyClient, server: McpStandIn, tool: string, options = asks): Promise<string> {
  const agent = new Client({ name: 'agent', version: '1' })
  await agent.connect(new StreamableHTTPClientTransport(new URL(server.mcp), mcpTransport(client, server.id, options)))
  const { content } = await agent.callTool({ name: tool, arguments: {} })
  await agent.close()
  return (content as { text: string }[])[0]!.text
}

describe('a server is connected with the kind of registration that it supports', () => {
  it.each([
    ['a client ID metadata document', 'notes', 'metadata-document', 'list_notes', 'paper tape'],
    ['dynamic registration', 'tickets', 'dynamic', 'list_tickets', 'T-12'],
    ['a client id from before', 'files', 'pre-registered', 'list_files', 'engine.txt'],
    ['dynamic registration, at the stand-in for Kaggle', 'kaggleMcp', 'dynamic', 'list_datasets', 'bernoulli'],
  ] as const)('%s', async (_name, key, method, tool, words) => {
    const server = sandbox[key]
    const client = open(server)
    expect(await call(client, server, tool)).toContain(words)
    expect(card(client, server)).toBe('connected')
    const { registrations } = await client.mcp()
    expect(await registrations.list()).toMatchObject([
      { issuer: server.url, method, token_endpoint_auth_method: 'none' },
    ])
    expect(account(client)).toMatchObject({ issuer: server.url, renewable: true })
    // Every token request has its resource.
    const [request] = tokenRequests(server, 'authorization_code')
    expect(new URLSearchParams(request?.body).get('resource')).toBe(server.mcp)
    expect(new URL(person.visited[0]!).searchParams.get('resource')).toBe(server.mcp)
    expect(new URL(person.visited[0]!).searchParams.get('state')).toMatch(/^[\w-]{22,}$/)
  })

  it('a click on the card is enough: no tool has to fail first', async () => {
    const client = open(sandbox.tickets)
    expect(await client.connect('tickets')).toMatchObject({ status: 'connected' })
    expect(account(client).scopes).toEqual(['mcp:read'])
  })

  it('a server that supports no registration is an error that says so', async () => {
    const client = open(sandbox.files, { providers: [mcp({ id: 'files', url: sandbox.files.mcp })] })
    const error = await failure(client.connect('files'))
    expect(error).toMatchObject({ code: 'not_configured', next: 'configure' })
    expect(error.message).toContain('registered with it before')
    expect(person.visited).toEqual([])
  })
})

describe('the SDKs', () => {
  it('1.x works with mcpFetch alone', async () => {
    const client = open(sandbox.tickets)
    const agent = new OldClient({ name: 'agent', version: '1' })
    const fetch = mcpFetch(client, 'tickets', asks)
    await agent.connect(new OldTransport(new URL(sandbox.tickets.mcp), { fetch }))
    expect((await agent.listTools()).tools.map(({ name }) => name)).toEqual(['list_tickets', 'print_tickets'])
    await agent.close()
  })

  it('1.x with McpOAuthClientProvider connects again after UnauthorizedError, and never sees a refresh token', async () => {
    const client = open(sandbox.tickets)
    const authProvider = mcpOAuthClientProvider(client, 'tickets', asks)
    const attempt = async () => {
      const agent = new OldClient({ name: 'agent', version: '1' })
      await agent.connect(new OldTransport(new URL(sandbox.tickets.mcp), { authProvider }))
      return agent
    }
    await expect(attempt()).rejects.toThrow(/unauthorized/i)
    const agent = await attempt()
    expect((await agent.listTools()).tools).toHaveLength(2)
    await agent.close()
    expect(await authProvider.tokens()).not.toHaveProperty('refresh_token')
    expect(person.visited).toHaveLength(1)
  })

  it('without authorize, a call rejects with what is missing and opens no window', async () => {
    const client = open(sandbox.tickets)
    const error = await failure(call(client, sandbox.tickets, 'list_tickets', {} as typeof asks))
    expect(error).toMatchObject({ code: 'login_required', provider: 'tickets', next: 'connect' })
    expect(person.visited).toEqual([])
  })

  it('the token goes to the MCP server and nowhere else', async () => {
    const client = open(sandbox.tickets)
    await client.connect('tickets')
    const fetch = mcpFetch(client, 'tickets', asks)
    await fetch(`${sandbox.notes.url}/mcp`, { method: 'POST', body: '{}' })
    await fetch(`${sandbox.tickets.url}/other`)
    expect(sandbox.notes.log.at(-1)?.headers.authorization).toBeUndefined()
    expect(sandbox.tickets.log.at(-1)?.headers.authorization).toBeUndefined()
  })
})

/** An open session of each client, with its page's account. `call` calls a tool. */
const SESSIONS: readonly [
  string,
  (client: LatchkeyClient) => Promise<{ call(): Promise<unknown>; close(): Promise<void> }>,
][] = [
  [
    'client 2, mcpTransport',
    async (client) => {
      const agent = new Client({ name: 'agent', version: '1' })
      await agent.connect(
        new StreamableHTTPClientTransport(new URL(sandbox.tickets.mcp), mcpTransport(client, 'tickets')),
      )
      return { call: () => agent.callTool({ name: 'list_tickets', arguments: {} }), close: () => agent.close() }
    },
  ],
  [
    'client 2 at 2026-07-28, mcpTransport',
    async (client) => {
      const agent = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } })
      await agent.connect(
        new StreamableHTTPClientTransport(new URL(sandbox.kaggleMcp.mcp), mcpTransport(client, 'kaggle-mcp')),
      )
      expect(agent.getNegotiatedProtocolVersion()).toBe('2026-07-28')
      return { call: () => agent.callTool({ name: 'list_datasets', arguments: {} }), close: () => agent.close() }
    },
  ],
  [
    'client 1, mcpFetch',
    async (client) => {
      const agent = new OldClient({ name: 'agent', version: '1' })
      const fetch = mcpFetch(client, 'tickets')
      await agent.connect(new OldTransport(new URL(sandbox.tickets.mcp), { fetch }))
      return { call: () => agent.callTool({ name: 'list_tickets', arguments: {} }), close: () => agent.close() }
    },
  ],
  [
    'client 1, mcpOAuthClientProvider',
    async (client) => {
      const agent = new OldClient({ name: 'agent', version: '1' })
      const authProvider = mcpOAuthClientProvider(client, 'tickets')
      await agent.connect(new OldTransport(new URL(sandbox.tickets.mcp), { authProvider }))
      return { call: () => agent.callTool({ name: 'list_tickets', arguments: {} }), close: () => agent.close() }
    },
  ],
  ...(['mcpFetch', 'mcpOAuthClientProvider'] as const).map((how): (typeof SESSIONS)[number] => [
    `the AI SDK's client, ${how}`,
    async (client) => {
      const auth =
        how === 'mcpFetch'
          ? { fetch: mcpFetch(client, 'tickets') }
          : { authProvider: mcpOAuthClientProvider(client, 'tickets') }
      const agent = await createMCPClient({ transport: { type: 'http', url: sandbox.tickets.mcp, ...auth } })
      const { list_tickets: tool } = await agent.tools()
      const call = async () => tool?.execute({}, { toolCallId: 'c1', messages: [], context: undefined })
      return { call, close: () => agent.close() }
    },
  ]),
]

it.each(SESSIONS)(
  'a token that was renewed between two calls of a session is used by the second: %s',
  async (name, start) => {
    const server = name.includes('2026') ? sandbox.kaggleMcp : sandbox.tickets
    const client = open(server)
    await client.connect(server.id)
    const session = await start(client)
    const usedFor = async () => {
      const before = server.log.length
      expect(JSON.stringify(await session.call())).toContain('text')
      const calls = server.log.slice(before).filter(({ body }) => body.includes('tools/call'))
      return calls.map(({ headers }) => headers.authorization)
    }
    const first = await client.getToken(server.id)
    expect(await usedFor()).toEqual([`Bearer ${first}`])
    await client.reportInvalidToken(account(client).id)
    const second = await client.getToken(server.id)
    expect(second).not.toBe(first)
    expect(await usedFor()).toEqual([`Bearer ${second}`])
    await session.close()
  },
)

describe('a server without client registration', () => {
  it('is connected with a client id that the person got there, kept for its issuer', async () => {
    sandbox.files.setPolicy({ auto: true })
    const client = page.client({ providers: [mcp({ id: 'files', url: sandbox.files.mcp })] })
    expect(await failure(client.connect('files'))).toMatchObject({ code: 'not_configured', next: 'configure' })
    expect(person.visited).toEqual([])
    const { registrations, redirectUri, discover } = await client.mcp()
    const [provider] = client.providers
    const { server } = await discover(provider as McpProvider)
    await registrations.remember({
      issuer: server.issuer,
      client_id: sandbox.files.clientId,
      method: 'pre-registered',
      token_endpoint_auth_method: 'none',
      redirect_uris: [redirectUri],
    })
    expect(await client.connect('files')).toMatchObject({ status: 'connected' })
    expect(new URL(person.visited[0]!).searchParams.get('client_id')).toBe(sandbox.files.clientId)
    expect(await registrations.list()).toMatchObject([{ issuer: server.issuer, method: 'pre-registered' }])
  })
})

describe('what a server says of itself', () => {
  const mine = () => mcp({ id: 'tickets', name: 'Mine', url: sandbox.tickets.mcp })

  it('M10: is read when the page wants it: the card has the name of the server, and the account no name', async () => {
    sandbox.tickets.setPolicy({ auto: true })
    const client = page.client({ providers: [mine()] })
    await client.connect('tickets')
    expect(account(client)).toMatchObject({ label: 'Mine', name: undefined, subject: undefined })
    await client.refreshProfile(account(client).id)
    expect(account(client)).toMatchObject({
      label: 'Sandbox Tickets',
      name: undefined,
      server: { name: 'Sandbox Tickets', toolCount: 2, tools: ['List tickets', 'Print tickets'] },
    })
    await eventually(() => expect(client.providers[0]?.name).toBe('Sandbox Tickets'))
    // The page lists it as before, and it is called what it was called.
    client.setProviders([mine()])
    expect(client.providers[0]?.name).toBe('Sandbox Tickets')
    // A refresh returns no name, and connecting again keeps it.
    await client.reportInvalidToken(account(client).id)
    expect(tokenRequests(sandbox.tickets, 'refresh_token')).toHaveLength(1)
    await client.reconnect(account(client).id)
    expect(account(client)).toMatchObject({ label: 'Sandbox Tickets', server: { toolCount: 2 } })
    // Once it is disconnected, nobody has been told a name by a server.
    await client.disconnect(account(client).id)
    expect(client.providers[0]?.name).toBe('Mine')
  })

  it('M10: a server that cannot say it leaves the account as it is', async () => {
    sandbox.tickets.setPolicy({ auto: true })
    const client = page.client({ providers: [mine()] })
    await client.connect('tickets')
    sandbox.tickets.addFaults('/mcp', [{ status: 500 }])
    await expect(client.refreshProfile(account(client).id)).rejects.toThrow()
    expect(account(client)).toMatchObject({ label: 'Mine', status: 'connected' })
    expect(account(client)).not.toHaveProperty('server')
    expect(client.providers[0]?.name).toBe('Mine')
  })

  it('M10: a name that another provider has is not taken, nor one that was said at another address', async () => {
    sandbox.tickets.setPolicy({ auto: true })
    const other = mcp({ id: 'other', name: 'sandbox tickets', url: 'https://other.example/mcp' })
    const client = page.client({ providers: [mine(), other] })
    await client.connect('tickets')
    await client.refreshProfile(account(client).id)
    await eventually(() => expect(client.providers[0]).toMatchObject({ mcp: { icon: undefined } }))
    expect(client.providers.map(({ name }) => name)).toEqual(['Mine', 'sandbox tickets'])
    client.setProviders([mine()])
    expect(client.providers[0]?.name).toBe('Sandbox Tickets')
    client.setProviders([mcp({ id: 'tickets', name: 'Mine', url: 'https://other.example/mcp' })])
    expect(client.providers[0]?.name).toBe('Mine')
  })
})

describe('M10: an answer of a server', () => {
  const url = 'https://mcp.example/mcp'
  const png = `data:image/png;base64,${btoa('pixels')}`
  /** A server that answers with these results, by method. */
  const server = (results: Record<string, object | undefined>, asStream = false) => {
    const seen: { method: string; headers: Headers }[] = []
    const ask = async (_url: string, init: RequestInit = {}) => {
      const { id, method } = JSON.parse(String(init.body))
      seen.push({ method, headers: new Headers(init.headers) })
      const body = JSON.stringify({ jsonrpc: '2.0', id, result: results[method] })
      const headers = { 'mcp-session-id': 's-1' }
      return new Response(asStream ? `event: message\r\ndata: ${body}\r\n\r\n` : body, { headers })
    }
    return { seen, read: () => describeServer(mcp({ id: 'one', url }), ask, 'at-1') }
  }
  const info = (serverInfo: object) => ({ initialize: { serverInfo, protocolVersion: '2025-06-18' } })

  it('case 370: is cleaned, cut and without pictures from an address', async () => {
    const tools = Array.from({ length: 70 }, (_, at) => ({ name: `tool_${at}`, title: `Tool\u202e <b>${at}` }))
    const icons = [
      { src: 'https://mcp.example/logo.png' },
      { src: 'https://track.example/logo.png' },
      { src: 'data:image/svg+xml;base64,PHN2Zz4=' },
      { src: `data:image/png;base64,${'A'.repeat(20_000)}` },
      { src: png },
    ]
    const { read } = server({ ...info({ title: 'Go\u202eod', name: 'x', icons }), 'tools/list': { tools } })
    const said = await read()
    expect(said).toMatchObject({ name: 'Good', icon: png, toolCount: 70 })
    expect(said.tools).toHaveLength(50)
    expect(said.tools?.[3]).toBe('Tool b3')
  })

  it('may be an event stream, and the session goes on', async () => {
    const { read, seen } = server({ ...info({ name: 'plain' }), 'tools/list': { tools: [{ name: 'a' }] } }, true)
    expect(await read()).toMatchObject({ name: 'plain', toolCount: 1, tools: ['a'] })
    expect(seen.map(({ method }) => method)).toEqual(['initialize', 'notifications/initialized', 'tools/list'])
    expect(seen[2]?.headers.get('mcp-session-id')).toBe('s-1')
    expect(seen.every(({ headers }) => headers.get('authorization') === 'Bearer at-1')).toBe(true)
  })

  it('without tools still has a name; without a name it is none', async () => {
    expect(await server(info({ name: 'plain' })).read()).toEqual({ name: 'plain', readAt: expect.any(Number) })
    await expect(server({}).read()).rejects.toThrow('no answer of MCP')
  })

  it('is asked for a few pages, and no more', async () => {
    const { read, seen } = server({ ...info({}), 'tools/list': { tools: [{ name: 'a' }], nextCursor: 'again' } })
    expect(await read()).toMatchObject({ toolCount: 4 })
    expect(seen.filter(({ method }) => method === 'tools/list')).toHaveLength(4)
  })
})

describe('M9: removing a server', () => {
  const provider = () => mcp({ id: 'tickets', url: sandbox.tickets.mcp })

  it('ends its accounts and its registration', async () => {
    sandbox.tickets.setPolicy({ auto: true })
    const client = page.client({ providers: [provider()] })
    await client.connect('tickets')
    const { id } = account(client)
    const room = await client.mcp()
    expect(await room.registrations.list()).toHaveLength(1)
    expect(await room.remove('tickets')).toEqual({ [id]: { status: 'revoked', tokens: expect.any(Array) } })
    expect(client.getSnapshot().accounts).toEqual({})
    expect(await room.registrations.list()).toEqual([])
    expect(sandbox.tickets.clients()).toEqual([])
  })

  it('works where nothing was connected, and refuses what is no MCP server', async () => {
    const client = page.client({ providers: [provider(), github()] })
    const room = await client.mcp()
    expect(await room.remove('tickets')).toEqual({})
    expect((await failure(room.remove('github'))).code).toBe('misuse')
  })

  it('keeps the registration that another server needs', async () => {
    sandbox.tickets.setPolicy({ auto: true })
    const twin = mcp({ id: 'twin', url: sandbox.tickets.mcp })
    const client = page.client({ providers: [provider(), twin] })
    await client.connect('tickets')
    await client.connect('twin')
    const room = await client.mcp()
    await room.remove('tickets')
    expect(await room.registrations.list()).toHaveLength(1)
    await room.remove('twin')
    expect(await room.registrations.list()).toEqual([])
  })

  it('offline: a pending revocation is made later, though the page does not list the server any more', async () => {
    sandbox.tickets.setPolicy({ auto: true })
    const storage = memoryStore()
    const client = page.client({ providers: [provider()], storage })
    await client.connect('tickets')
    const { id } = account(client)
    const room = await client.mcp()
    const real = globalThis.fetch
    const offline = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('offline'))
    expect(await room.remove('tickets')).toMatchObject({ [id]: { status: 'pending' } })
    client.setProviders([])
    expect(client.getSnapshot().accounts).toEqual({})
    // Its client is needed to revoke the token.
    expect(await room.registrations.list()).toHaveLength(1)
    offline.mockImplementation(real)
    const revocations = () => sandbox.tickets.log.filter(({ path }) => path.includes('/revocation')).length
    vi.stubGlobal('document', new EventTarget())
    vi.stubGlobal('addEventListener', () => {})
    // A later start of the page, which does not list it.
    const later = page.client({ providers: [], storage })
    later.mount()
    await eventually(() => expect(revocations()).toBeGreaterThan(0))
    await eventually(async () => expect(await (await later.mcp()).registrations.list()).toEqual([]))
  })
})

describe('a server that forbids browsers', () => {
  /** A page that a server does not answer (CORS), and a broker that forwards its requests. */
  function closedTo(origin: string) {
    const real = globalThis.fetch
    const asked: { url: string; method: string; body?: string }[] = []
    const broker = `${ORIGIN}/api/latchkey`
    // A window can open what a page's fetch cannot read.
    let windows = 0
    person.visit = (url) => {
      windows += 1
      return agree(url).finally(() => {
        windows -= 1
      })
    }
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const url = String(input instanceof Request ? input.url : input)
      if (url === `${broker}/mcp`) {
        const { url: target, ...rest } = JSON.parse(String(init?.body))
        asked.push({ url: target, ...rest })
        const answer = await real(target, { ...rest, redirect: 'manual' })
        const headers = new Headers(answer.headers)
        headers.set('latchkey-mcp', '1')
        return new Response(answer.body, { status: answer.status, headers })
      }
      if (windows === 0 && new URL(url).origin === origin) throw new TypeError('Failed to fetch')
      return real(input, init)
    })
    return { broker, asked }
  }
  const methods = (asked: { body?: string }[]) =>
    asked.flatMap(({ body }) => (body?.startsWith('{') ? [JSON.parse(body).method] : []))

  it('is connected through the broker, and its tools are called through it too', async () => {
    const { broker, asked } = closedTo(sandbox.archive.url)
    const client = open(sandbox.archive, { broker, redirectUri: REDIRECT_URI })
    expect(await call(client, sandbox.archive, 'search_archive')).toContain('10 July 1843')
    expect(methods(asked)).toContain('tools/call')
    expect(cardStatus(client.getSnapshot(), 'archive')).toBe('connected')
  })

  it('a call that may have arrived is not repeated', async () => {
    const { broker, asked } = closedTo(sandbox.archive.url)
    const client = open(sandbox.archive, { broker, redirectUri: REDIRECT_URI })
    const fetch = mcpFetch(client, 'archive', asks)
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const lost = fetch(sandbox.archive.mcp, { ...init, body: '{"jsonrpc":"2.0","id":1,"method":"tools/call"}' })
    expect(await failure(lost)).toMatchObject({ code: 'network', next: 'retry' })
    expect(asked).toEqual([])
  })
})

describe('more scope', () => {
  it('is asked for together with the granted scopes, and the call continues', async () => {
    const client = open(sandbox.ledger)
    expect(await call(client, sandbox.ledger, 'read_ledger')).toContain('1843')
    expect(account(client).scopes).toEqual(['mcp:read'])
    expect(await call(client, sandbox.ledger, 'add_entry')).toContain('was added')
    expect(new URL(person.visited[1]!).searchParams.get('scope')?.split(' ').sort()).toEqual(
      expect.arrayContaining(['mcp:read', 'mcp:write']),
    )
    expect([...account(client).scopes].sort()).toEqual(['mcp:read', 'mcp:write'])
    // No refresh can widen a scope.
    expect(tokenRequests(sandbox.ledger, 'refresh_token')).toHaveLength(0)
  })
})

describe('problems of a refresh', () => {
  async function due(server = sandbox.tickets) {
    const client = open(server)
    server.lifetime.seconds = 30
    await client.connect(server.id)
    // Shorter than the validity that callers need, so the first call renews it.
    server.lifetime.seconds = 3600
    server.log.length = 0
    person.visited.length = 0
    return client
  }
  const still = (client: LatchkeyClient) => {
    expect(card(client, sandbox.tickets)).toBe('connected')
    expect(account(client).renewable).toBe(true)
    expect(person.visited).toEqual([])
  }

  it.each([
    ['503', { status: 503, body: '' }, 'temporarily_unavailable'],
    ['429', { status: 429, body: '{"error":"slow_down"}', headers: { 'retry-after': '5' } }, 'temporarily_unavailable'],
    ['a dropped connection', { drop: true }, 'network'],
  ] as const)(
    '%s: the person sees nothing, the account stays, and it works once the wait is over',
    async (_name, fault, code) => {
      const client = await due()
      sandbox.tickets.addFaults('/token', [fault])
      // The old token is valid for some seconds more. A call that needs longer gets the error.
      vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ['Date'] })
      expect(await failure(client.getToken('tickets'))).toMatchObject({ code: code satisfies ErrorCode })
      still(client)
      vi.setSystemTime(Date.now() + 6000)
      expect(await client.getToken('tickets')).toEqual(expect.any(String))
      still(client)
    },
  )

  it('meanwhile a tool call fails as "not available", and opens no login page', async () => {
    const client = await due()
    sandbox.tickets.addFaults('/token', [{ status: 503 }])
    vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ['Date'] })
    expect(await failure(call(client, sandbox.tickets, 'list_tickets'))).toMatchObject({
      code: 'temporarily_unavailable',
    })
    still(client)
  })

  it('an answer lost after rotation: reuse is detected, and the card asks to reconnect', async () => {
    const client = await due()
    sandbox.tickets.addFaults('/token', [{ passThenDrop: true }])
    vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ['Date'] })
    expect((await failure(client.getToken('tickets'))).code).toBe('network')
    still(client)
    vi.setSystemTime(Date.now() + 6000)
    expect((await failure(client.getToken('tickets'))).code).toBe('invalid_grant')
    expect(card(client, sandbox.tickets)).toBe('needs-reconnect')
    expect(account(client).reason).toBe('revoked')
    // One retry with the old token, and no more.
    expect(tokenRequests(sandbox.tickets, 'refresh_token')).toHaveLength(2)
    vi.useRealTimers()
    expect(await client.reconnect(account(client).id)).toMatchObject({ status: 'connected' })
    expect(Object.keys(client.getSnapshot().accounts)).toHaveLength(1)
  })

  it('two calls at once on one refresh token make one request, and both get the token', async () => {
    const client = await due()
    vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ['Date'] })
    const texts = await Promise.all([
      call(client, sandbox.tickets, 'list_tickets'),
      call(client, sandbox.tickets, 'list_tickets'),
    ])
    expect(texts).toEqual([expect.stringContaining('T-12'), expect.stringContaining('T-12')])
    expect(tokenRequests(sandbox.tickets, 'refresh_token')).toHaveLength(1)
    still(client)
  })

  it('a refresh sends the resource too', async () => {
    const client = await due()
    await client.getToken('tickets', { minValidity: 60 })
    const [request] = tokenRequests(sandbox.tickets, 'refresh_token')
    expect(new URLSearchParams(request?.body).get('resource')).toBe(sandbox.tickets.mcp)
  })

  it('a revoked refresh token: the card says "reconnect", the next call asks, and the same card is connected again', async () => {
    const client = await due()
    sandbox.tickets.revokeAll()
    expect(await call(client, sandbox.tickets, 'list_tickets')).toContain('T-12')
    expect(person.visited).toHaveLength(1)
    expect(Object.keys(client.getSnapshot().accounts)).toHaveLength(1)
    sandbox.tickets.revokeAll()
    const error = await failure(call(client, sandbox.tickets, 'list_tickets', {} as typeof asks))
    expect(error).toMatchObject({ code: 'login_required', next: 'reconnect' })
    expect(card(client, sandbox.tickets)).toBe('needs-reconnect')
  })

  it('a deleted client: the account needs to be connected again, and that registers anew', async () => {
    const client = await due()
    const { registrations } = await client.mcp()
    const [before] = await registrations.list()
    sandbox.tickets.deleteClients()
    vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ['Date'] })
    expect((await failure(client.getToken('tickets'))).code).toBe('invalid_grant')
    expect(card(client, sandbox.tickets)).toBe('needs-reconnect')
    expect(await registrations.list()).toEqual([])
    vi.useRealTimers()
    expect(await client.reconnect(account(client).id)).toMatchObject({ status: 'connected' })
    const [after] = await registrations.list()
    expect(after?.client_id).not.toBe(before?.client_id)
  })
})

describe('problems of an authorization', () => {
  it('metadata without S256: refused before the window leaves', async () => {
    const client = open(sandbox.tickets)
    sandbox.tickets.metadata.code_challenge_methods_supported = undefined
    const error = await failure(client.connect('tickets'))
    expect(error.message).toContain('PKCE')
    expect(client.getSnapshot().providers.tickets?.error).toBe(error)
    expect(person.visited).toEqual([])
  })

  it.each([
    ['wrong', 'somebody-elses'],
    ['missing', undefined],
  ])('a %s state: the answer is not used, and the flow still waits for its own', async (_name, state) => {
    const client = open(sandbox.tickets)
    let told: LatchkeyError | undefined
    person.visit = async (url) => {
      const good = await agree(url)
      const bad = new URL(good!)
      if (state) bad.searchParams.set('state', state)
      else bad.searchParams.delete('state')
      told = await failure(client.handleRedirect(bad.href))
      expect(cardStatus(client.getSnapshot(), 'tickets')).toBe('connecting')
      expect(tokenRequests(sandbox.tickets, 'authorization_code')).toHaveLength(0)
      return good
    }
    expect(await client.connect('tickets')).toMatchObject({ status: 'connected' })
    expect(told?.code).toBe('state_mismatch')
  })

  it('the person says no: "denied", and nothing is left behind', async () => {
    const client = open(sandbox.tickets)
    sandbox.tickets.setPolicy({ deny: true })
    expect(await client.connect('tickets')).toEqual({ status: 'denied', next: 'connect' })
    expect(card(client, sandbox.tickets)).toBe('disconnected')
    expect(client.getSnapshot().providers.tickets?.reason).toBe('access_denied')
  })
})

describe('registrations', () => {
  it('are listed without their secrets, changed, deleted at the server, and forgotten', async () => {
    const client = open(sandbox.tickets)
    await client.connect('tickets')
    const { registrations, redirectUri } = await client.mcp()
    const [one] = await registrations.list()
    expect(one).not.toHaveProperty('registration_access_token')
    const renamed = await registrations.update(sandbox.tickets.url, {
      redirectUri,
      app: { client_name: 'Another name' },
    })
    expect(renamed.client_id).toBe(one?.client_id)
    expect(sandbox.tickets.clients()).toEqual([one?.client_id])
    expect(await registrations.delete(sandbox.tickets.url)).toEqual({ status: 'deleted' })
    expect(sandbox.tickets.clients()).toEqual([])
    expect(await registrations.list()).toEqual([])
  })

  it('say what a server supports', async () => {
    const client = open(sandbox.notes)
    const { discover } = await client.mcp()
    const provider = mcp({ id: 'notes', url: sandbox.notes.mcp })
    expect(supports((await discover(provider)).server)).toEqual({
      metadataDocument: true,
      dynamic: false,
    })
    const other = mcp({ id: 'tickets', url: sandbox.tickets.mcp })
    expect(supports((await discover(other)).server)).toEqual({ metadataDocument: false, dynamic: true })
  })
})

describe('the mcpServers JSON', () => {
  it('is read in the form that agents use', () => {
    const { providers, servers } = mcpServers({
      mcpServers: {
        Linear: { url: 'https://mcp.linear.app/mcp' },
        asana: { url: 'https://mcp.asana.com/v2/mcp', auth: { type: 'oauth2', clientId: 'a', scopes: ['default'] } },
        open: { url: 'https://docs.example/mcp', auth: null },
        // biome-ignore-start lint/suspicious/noTemplateCurlyInString: this is how agents write references.
        github: { command: 'npx', args: ['-y', 'server-github'], env: { GITHUB_TOKEN: '${GITHUB_TOKEN}' } },
        search: { url: 'https://search.example/mcp', headers: { Authorization: 'Bearer ${SEARCH_TOKEN}' } },
        // biome-ignore-end lint/suspicious/noTemplateCurlyInString: this is how agents write references.
      },
    })
    expect(servers.map(({ id, kind }) => [id, kind])).toEqual([
      ['linear', 'oauth'],
      ['asana', 'oauth'],
      ['open', 'open'],
      ['github', 'command'],
      ['search', 'headers'],
    ])
    expect(providers.map(({ id, kind, name }) => [id, kind, name])).toEqual([
      ['linear', 'mcp', 'Linear'],
      ['asana', 'mcp', 'asana'],
    ])
    expect(providers[1]).toMatchObject({ client: { client_id: 'a' }, scopes: ['default'] })
    expect(servers.flatMap(({ references }) => references)).toEqual([
      { path: 'mcpServers.github.env.GITHUB_TOKEN', variable: 'GITHUB_TOKEN' },
      { path: 'mcpServers.search.headers.Authorization', variable: 'SEARCH_TOKEN' },
    ])
  })

  it.each([
    ['{', 'mcpServers: this is not JSON'],
    [{ mcpServers: [] }, 'mcpServers: expected an object'],
    [{ a: 1 }, 'mcpServers.a: expected an object'],
    [{ a: {} }, 'mcpServers.a: expected either "url"'],
    [{ a: { url: 'nonsense' } }, 'mcpServers.a.url: this is not a URL'],
    [{ a: { url: 'http://mcp.example/' } }, 'mcpServers.a.url: expected https'],
    [{ a: { url: 'https://u:p@mcp.example/' } }, 'mcpServers.a.url: a URL must hold no credentials'],
    [{ a: { url: 'https://mcp.example/', auth: { type: 'basic' } } }, 'mcpServers.a.auth.type: expected "oauth2"'],
    [{ a: { url: 'https://mcp.example/', auth: { scopes: 'x' } } }, 'mcpServers.a.auth.scopes: expected a list'],
    [{ a: { url: 'https://mcp.example/', auth: { clientSecret: 'x' } } }, 'mcpServers.a.auth.clientSecret: a browser'],
    [{ a: { command: 'npx', args: [1] } }, 'mcpServers.a.args.0: expected a string'],
    [{ a: { command: 'npx', env: { A: 1 } } }, 'mcpServers.a.env.A: expected a string'],
    [{ a: { command: `\${A_TOKEN}` } }, 'mcpServers.a.command: an account would be seen here'],
    [{ a: { command: 'npx', args: ['-y', `--t=\${A_TOKEN}`] } }, 'mcpServers.a.args.1: an account would be seen'],
    [{ a: { url: `https://mcp.example/?t=\${A_TOKEN}` } }, 'mcpServers.a.url: an account would be seen here'],
  ])('%j: the message names the path', (config, message) => {
    expect(() => mcpServers(config)).toThrow(message)
  })
})
