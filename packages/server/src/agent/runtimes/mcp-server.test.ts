// Real clients of MCP with a scripted model, and real servers, over Streamable HTTP, a real broker, vault and API.
import { createMCPClient } from '@ai-sdk/mcp'
import { serve } from '@hono/node-server'
import type { AgentRequest } from '@latchkey/core/agents'
import { mcpClient } from '@latchkey/core/runtimes/mcp-client'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer as OldServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { UrlElicitationRequiredError as OldUrlError } from '@modelcontextprotocol/sdk/types.js'
import {
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  McpServer,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/server'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { providerAt } from '../../../fixtures/acme.ts'
import { APP, connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { runtimeContract, type Stage, type ToolName } from '../../../fixtures/runtime-contract.ts'
import { type AgentContext, withAccount } from '../../index.ts'
import { type McpState, orElicit, orUrlError } from './mcp-server.ts'

const bench = await openBench()
const { upstream, ends } = bench

const PAGE = `${APP}/agents`
const INFO = { name: 'test', version: '1' }
const NAMES: ToolName[] = ['send', 'look', 'mail']
type Tools = Stage['tools']
type Open = () => Promise<AgentContext>

/** The function of a tool, with a tool's result. */
const asTool =
  (tools: Partial<Tools>, name: ToolName) => async (input: { text: string }, options: { toolCallId?: string }) => ({
    content: [{ type: 'text' as const, text: `${await tools[name]?.(input, options)}` }],
  })

/** A server of `@modelcontextprotocol/server`, for both revisions. */
function newServer(tools: Partial<Tools>, open: Open, patience?: number) {
  const { mint, verify } = createRequestStateCodec<McpState>({ key: 'k'.repeat(32) })
  const options = {
    ...{ page: PAGE, context: open, mint, inputRequired, UrlElicitationRequiredError },
    ...(patience !== undefined && { patience }),
  }
  const handler = createMcpHandler(() => {
    const server = new McpServer(INFO, { requestState: { verify } })
    for (const name of NAMES) {
      const inputSchema = z.object({ text: z.string() })
      server.registerTool(name, { inputSchema }, orElicit(asTool(tools, name), options))
    }
    return server
  })
  return listen((request) => handler.fetch(request))
}

/** A server of `@modelcontextprotocol/sdk`. */
const oldServer = (tools: Partial<Tools>, context: Open) =>
  listen(async (request) => {
    const server = new OldServer(INFO)
    const options = { page: PAGE, context, UrlElicitationRequiredError: OldUrlError }
    for (const name of NAMES) {
      server.registerTool(name, { inputSchema: { text: z.string() } }, orUrlError(asTool(tools, name), options))
    }
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await server.connect(transport)
    return transport.handleRequest(request)
  })

/** Serves on a port, and keeps what it was sent and has answered. */
async function listen(handle: (request: Request) => Promise<Response>) {
  const wire: string[] = []
  const server = serve({
    port: 0,
    fetch: async (request) => {
      wire.push(await request.clone().text())
      const response = await handle(request)
      wire.push(await response.clone().text())
      return response
    },
  })
  await new Promise((resolve) => server.once('listening', resolve))
  ends.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as { port: number }
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), wire }
}

const capabilities = { elicitation: { url: {} } }

/** Calls a tool, and answers its result. */
type CallTool = (name: string, input: { text: string }, toolCallId: string) => Promise<unknown>
type Waits = ReturnType<typeof mcpClient>
type Connect = (url: URL, waits: Waits) => Promise<CallTool>

const clientAt =
  (mode: 'auto' | 'legacy'): Connect =>
  async (url, waits) => {
    const client = new Client(INFO, { capabilities, versionNegotiation: { mode } })
    client.setRequestHandler('elicitation/create', waits.elicit)
    await client.connect(new StreamableHTTPClientTransport(url))
    ends.push(() => client.close())
    expect(client.getNegotiatedProtocolVersion()).toBe(mode === 'auto' ? '2026-07-28' : '2025-11-25')
    return (name, input, id) => client.callTool({ name, arguments: input, _meta: { 'latchkey/call': id } })
  }

const oldClient: Connect = async (url) => {
  const client = new OldClient(INFO, { capabilities })
  await client.connect(new OldTransport(url))
  ends.push(() => client.close())
  return (name, input, id) => client.callTool({ name, arguments: input, _meta: { 'latchkey/call': id } })
}

const aiSdk: Connect = async (url) => {
  const client = await createMCPClient({ transport: { type: 'http', url: url.href } })
  ends.push(() => client.close())
  const tools = await client.tools()
  return async (name, input, toolCallId) => tools[name]?.execute(input, { toolCallId, messages: [] } as never)
}

let made = 0
/** A chat of a model that calls the tools of a server, and reads what they answer. */
async function chatWith(
  connected: Connect,
  { url, wire }: { url: URL; wire: string[] },
  steps: Stage['steps'],
  waits = mcpClient({ page: PAGE }),
) {
  const read: string[] = []
  const call = await connected(url, waits)
  let run: Promise<void> = Promise.resolve()
  ends.push(async () => {
    waits.close()
    await run
  })
  /** Does these steps, one call after the other. */
  const turn = async () => {
    for (const [name, text, id = `call-${++made}`] of steps.flat()) {
      const result = await waits.call(() => call(name, { text }, id)).catch((error: Error) => error.message)
      read.push(JSON.stringify(result))
    }
  }
  const settled = () =>
    new Promise<void>((resolve, reject) => {
      const isWaiting = () => waits.find().length > 0 && resolve()
      const end = waits.subscribe(isWaiting)
      isWaiting()
      run.then(resolve, reject).finally(() => typeof end === 'function' && end())
    })
  return {
    say: () => {
      run = turn()
      return settled()
    },
    runtime: () => ({
      find: waits.find,
      answer: (answers: Parameters<Waits['answer']>[0]) => {
        waits.answer(answers)
        return settled()
      },
    }),
    read: () => read.join('\n'),
    kept: () => [...wire, ...statesIn(wire)].join('\n'),
  }
}

/** What the states on a wire say. */
const statesIn = (wire: string[]) =>
  [...wire.join('\n').matchAll(/"v1\.([\w-]+)\./g)].map(([, body = '']) => Buffer.from(body, 'base64url').toString())

runtimeContract('MCP 2026-07-28, client 2', bench, async ({ steps, tools, context }) =>
  chatWith(clientAt('auto'), await newServer(tools, context, 0), steps),
)
runtimeContract('MCP 2025-11-25, client 2', bench, async ({ steps, tools, context }) =>
  chatWith(clientAt('legacy'), await newServer(tools, context, 0), steps),
)
runtimeContract('MCP 2025-11-25, client 1', bench, async ({ steps, tools, context }) =>
  chatWith(oldClient, await newServer(tools, context, 0), steps),
)
runtimeContract('MCP 2025-11-25, server 1', bench, async ({ steps, tools, context }) =>
  chatWith(oldClient, await oldServer(tools, context), steps),
)

/** A server with one tool that writes, and its person. */
async function open({ patience, isConnected = true }: { patience?: number; isConnected?: boolean } = {}) {
  const app = openApp(bench)
  if (isConnected) await connect(app.ask, upstream, 'ada')
  const declared = { provider: providerAt(upstream.origin), toolName: 'send', title: 'Send', effect: 'write' as const }
  const send = withAccount(declared, async (input: { text: string }, account) => {
    return `${(await account.fetch('/send', { method: 'POST', body: JSON.stringify(input) })).status} ${input.text}`
  })
  /** Done before a try, by its number. */
  const before = new Map<number, () => Promise<unknown>>()
  let tries = 0
  const server = await newServer(
    { send },
    async () => {
      tries += 1
      await before.get(tries)?.()
      // As a server that knows of no turn of its person.
      const { accounts } = await app.ask<{ accounts: { id: string; provider: string }[] }>('accounts')
      const body = { connectedAccounts: accounts.map(({ id, provider }) => ({ provider, accountId: id })) }
      return (await app.broker.agentContext('ada', body, { agent: 'assistant' })).context
    },
    patience,
  )
  const answer = async (word: 'yes' | 'no') => {
    const { requests } = await app.ask<{ requests: AgentRequest[] }>('requests')
    for (const { id } of requests) await app.ask(`requests/${id}`, { answer: word })
  }
  return { ...app, server, before, answer, tries: () => tries }
}
const sent = () => upstream.requests.filter(({ path }) => path === '/api/send').map(({ body }) => JSON.parse(body).text)

describe('a client of others', () => {
  /** It accepts when its person opens the page, as it should, and knows nothing of this kit. */
  async function stock(url: URL, action: 'accept' | 'decline' | 'cancel' = 'accept') {
    const asked: { message: string; url: string }[] = []
    const client = new Client(INFO, { capabilities, versionNegotiation: { mode: 'auto' } })
    client.setRequestHandler('elicitation/create', ({ params }) => {
      if (params.mode === 'url') asked.push(params)
      return { action }
    })
    await client.connect(new StreamableHTTPClientTransport(url))
    ends.push(() => client.close())
    const call = () => client.callTool({ name: 'send', arguments: { text: 'Hello' } })
    return { asked, call }
  }

  it('that accepts when the page is opened waits for the answer, and the call is made once', async () => {
    const { server, before, answer } = await open()
    const { asked, call } = await stock(server.url)
    // The first try asks, the second comes with what the client has accepted.
    before.set(4, () => answer('yes'))
    expect(await call()).toMatchObject({ content: [{ text: '200 Hello' }] })
    expect(asked).toEqual([
      expect.objectContaining({ url: expect.stringMatching(/^https:\/\/app\.example\/agents\?request=[\w-]{22}$/) }),
    ])
    expect(asked[0]?.message).toBe('Say whether this may be done: acme/send.')
    expect(sent()).toEqual(['Hello'])
  })

  it('gets an account that comes while it waits', async () => {
    const { server, before, ask } = await open({ isConnected: false })
    const { asked, call } = await stock(server.url, 'accept')
    before.set(4, () => connect(ask, upstream, 'ada'))
    before.set(6, async () => {
      const { requests } = await ask<{ requests: AgentRequest[] }>('requests')
      for (const { id } of requests) await ask(`requests/${id}`, { answer: 'yes' })
    })
    expect(await call()).toMatchObject({ content: [{ text: '200 Hello' }] })
    expect(asked.map(({ url }) => url.replace(/[\w-]{22}$/, 'ID'))).toEqual([
      `${PAGE}?provider=acme&tool=send`,
      `${PAGE}?request=ID`,
    ])
    expect(sent()).toEqual(['Hello'])
  })

  it.each(['decline', 'cancel'] as const)('that says %s is not asked again, and nothing is made', async (action) => {
    const { server } = await open()
    const { asked, call } = await stock(server.url, action)
    expect(await call()).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('The person is asked') }],
    })
    expect(asked).toHaveLength(1)
    expect(sent()).toEqual([])
  })

  it('without elicitation gets the address in words, and its next call is made', async () => {
    const { server, answer } = await open()
    const client = new Client(INFO, { versionNegotiation: { mode: 'auto' } })
    await client.connect(new StreamableHTTPClientTransport(server.url))
    ends.push(() => client.close())
    const call = () => client.callTool({ name: 'send', arguments: { text: 'Hello' } })
    expect(await call()).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/ The person can do it at https:\/\/app\.example\/agents\?request=/) }],
    })
    await answer('yes')
    expect(await call()).toMatchObject({ content: [{ text: '200 Hello' }] })
    expect(sent()).toEqual(['Hello'])
  })

  it('of the AI SDK shows what is needed, and goes on', async () => {
    const { server, ask, answer } = await open({ isConnected: false })
    const chat = await chatWith(aiSdk, server, [[['send', 'Hello']]])
    await chat.say()
    const goOn = () =>
      chat.runtime().answer(
        chat
          .runtime()
          .find()
          .map((request) => ({ request, approved: true })),
      )
    expect(chat.runtime().find()).toMatchObject([{ kind: 'account', connect: { provider: 'acme', toolName: 'send' } }])
    await connect(ask, upstream, 'ada')
    await goOn()
    expect(chat.runtime().find()).toMatchObject([{ kind: 'call' }])
    await answer('yes')
    await goOn()
    expect(chat.read()).toContain('200 Hello')
    expect(sent()).toEqual(['Hello'])
  })
})

describe('requestState', () => {
  it('is readable, and has nothing secret', async () => {
    const { server, ask } = await open({ patience: 0 })
    const chat = await chatWith(clientAt('auto'), server, [[['send', 'Hello', 'c1']]])
    await chat.say()
    const { requests } = await ask<{ requests: AgentRequest[] }>('requests')
    expect(statesIn(server.wire).map((state) => JSON.parse(state).p)).toEqual([{ call: 'c1', of: requests[0]?.id }])
  })

  it('that somebody made up ends the call', async () => {
    const { server } = await open({ patience: 0 })
    const body = {
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: {
        ...{ name: 'send', arguments: { text: 'Hello' } },
        ...{ inputResponses: { need: { action: 'accept' } }, requestState: 'v1.eyJwIjp7fX0.AAAA' },
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': INFO,
          'io.modelcontextprotocol/clientCapabilities': capabilities,
        },
      },
    }
    const response = await fetch(server.url, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'send' },
      },
      body: JSON.stringify(body),
    })
    expect(await response.json()).toMatchObject({ error: { code: -32602 } })
    expect(sent()).toEqual([])
  })
})
