// Security cases M, 374-376: Pages that MCP servers ask for. A release waits for 374-376.
// What MCP clients wait for: real clients and a real server over Streamable HTTP, and what a hostile one could send.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import {
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type McpClientRuntime, mcpClient } from './mcp-client.ts'
import { needPage, readNeedPage } from './need-page.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const INFO = { name: 'test', version: '1' }
const URL_MODE = { elicitation: { url: {} } }
const PAGE = 'https://mcp.example.com/connect'
const card = { kind: 'page', page: { vault: 'mcp', url: PAGE, host: 'mcp.example.com' } }
const elicitation = { mode: 'url' as const, message: 'Latchkey: your password, please', url: PAGE, elicitationId: 'e1' }

/** A server of others at 2025-11-25, with a session. `ask` pushes an elicitation, `fail` answers -32042 until the page is done. */
function openServer() {
  const server = new McpServer(INFO)
  let isDone = false
  const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] })
  const actions: string[] = []
  server.registerTool('ask', {}, async (extra) => {
    const { action } = await server.server.elicitInput(elicitation, { relatedRequestId: extra.requestId })
    actions.push(action)
    return text(action)
  })
  server.registerTool('fail', {}, async () => {
    if (!isDone) throw new UrlElicitationRequiredError([elicitation])
    return text('done')
  })
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => crypto.randomUUID() })
  const ready = server.connect(transport)
  ends.push(() => server.close())
  return {
    actions,
    fetch: async (url: string | URL | Request, init?: RequestInit) => {
      await ready
      return transport.handleRequest(new Request(url, init))
    },
    /** The person has done at the page what the server wanted. */
    finish: async (how: 'said' | 'silent') => {
      isDone = true
      if (how === 'said') await server.server.createElicitationCompletionNotifier('e1')()
    },
  }
}
type Connected = (
  server: ReturnType<typeof openServer>,
  waits: McpClientRuntime,
) => Promise<(name: string) => Promise<unknown>>
const CLIENTS: readonly [string, Connected][] = [
  [
    '2',
    async ({ fetch }, waits) => {
      const client = new Client(INFO, { capabilities: URL_MODE })
      client.setRequestHandler('elicitation/create', waits.elicit)
      client.setNotificationHandler('notifications/elicitation/complete', waits.complete)
      await client.connect(new StreamableHTTPClientTransport(new URL('https://mcp.example.com/mcp'), { fetch }))
      ends.push(() => client.close())
      return (name) => client.callTool({ name, arguments: {} })
    },
  ],
  [
    '1',
    async ({ fetch }, waits) => {
      const client = new OldClient(INFO, { capabilities: URL_MODE })
      client.setRequestHandler(ElicitRequestSchema, waits.elicit)
      client.setNotificationHandler(ElicitationCompleteNotificationSchema, waits.complete)
      await client.connect(new OldTransport(new URL('https://mcp.example.com/mcp'), { fetch }))
      ends.push(() => client.close())
      return (name) => client.callTool({ name, arguments: {} })
    },
  ],
]
const texts = (result: unknown) => (result as { content: { text: string }[] }).content.map(({ text }) => text)
const shown = (waits: McpClientRuntime) => vi.waitFor(() => expect(waits.find()).toMatchObject([card]))
const answer = (waits: McpClientRuntime, approved: boolean) =>
  waits.answer(waits.find().map((request) => ({ request, approved })))

describe.each(CLIENTS)('an MCP server of others, client %s', (_, connect) => {
  async function open() {
    const server = openServer()
    const waits = mcpClient()
    const call = await connect(server, waits)
    return { server, waits, call }
  }

  it('hears accept when its page is opened, and the card stays until the person is back', async () => {
    const { server, waits, call } = await open()
    const result = call('ask')
    await shown(waits)
    expect(server.actions).toEqual([])
    waits.visit(waits.find()[0]!)
    expect(texts(await result)).toEqual(['accept'])
    expect(waits.find()).toMatchObject([card])
    answer(waits, true)
    expect(waits.find()).toEqual([])
  })

  it('that says that its page is done takes the card away', async () => {
    const { server, waits, call } = await open()
    const result = call('ask')
    await shown(waits)
    waits.visit(waits.find()[0]!)
    await result
    await server.finish('said')
    await vi.waitFor(() => expect(waits.find()).toEqual([]))
  })

  it('hears decline from a person who does without', async () => {
    const { waits, call } = await open()
    const result = call('ask')
    await shown(waits)
    answer(waits, false)
    expect(texts(await result)).toEqual(['decline'])
    expect(waits.find()).toEqual([])
  })

  it('hears cancel when its client is closed, and what it asks later is not shown', async () => {
    const { waits, call } = await open()
    const result = call('ask')
    await shown(waits)
    waits.close()
    expect(texts(await result)).toEqual(['cancel'])
    expect(texts(await call('ask'))).toEqual(['cancel'])
    expect(waits.find()).toEqual([])
  })

  it.each(['said', 'silent'] as const)(
    'that fails with -32042 is called again once its page is done: %s',
    async (how) => {
      const { server, waits, call } = await open()
      const act = vi.fn(() => call('fail'))
      const result = waits.call(act)
      await shown(waits)
      waits.visit(waits.find()[0]!)
      expect(act).toHaveBeenCalledOnce()
      await server.finish(how)
      if (how === 'silent') answer(waits, true)
      expect(texts(await result)).toEqual(['done'])
      expect(act).toHaveBeenCalledTimes(2)
      expect(waits.find()).toEqual([])
    },
  )

  it('that fails with -32042 is not called again when the person does without', async () => {
    const { waits, call } = await open()
    const act = vi.fn(() => call('fail'))
    const result = waits.call(act)
    await shown(waits)
    answer(waits, false)
    await expect(result).rejects.toMatchObject({
      code: 'access_denied',
      message: 'The person said no to mcp.example.com.',
    })
    expect(act).toHaveBeenCalledOnce()
  })

  it('that fails with -32042 has failed when its client is closed', async () => {
    const { waits, call } = await open()
    const result = waits.call(() => call('fail'))
    await shown(waits)
    waits.close()
    await expect(result).rejects.toMatchObject({ code: -32042 })
  })
})

const ask = (params: unknown) => {
  const waits = mcpClient({ page: 'https://app.example/agents' })
  return { waits, result: waits.elicit({ params }) }
}

describe('an elicitation', () => {
  it.each([
    'javascript:alert(1)',
    'data:text/html,<script>1</script>',
    'http://mcp.example.com/connect',
    'https://vercel.com@evil.example/',
    'https://user:secret@app.example/agents?provider=github',
    '//mcp.example.com/connect',
    `https://mcp.example.com/${'a'.repeat(5000)}`,
    '',
    7,
    null,
    { href: PAGE },
  ])('case 374: opens nothing but a page: %j', async (url) => {
    const { waits, result } = ask({ ...elicitation, url })
    expect(waits.find()).toEqual([])
    expect(await result).toEqual({ action: 'cancel' })
  })

  it('case 374: is shown by its host alone, whatever its server says', () => {
    const { waits } = ask({
      ...elicitation,
      ...{ message: `\u202EGitHub ${'x'.repeat(100_000)}`, title: 'Latchkey', provider: 'github', name: 'Vercel' },
      ...{ status: 'connect_required', connector: 'linear', deviceCode: 'ABCD', type: 'authorization_required' },
      url: 'https://gооgle.example/a',
    })
    expect(waits.find()).toEqual([
      {
        id: expect.stringMatching(/^mcp-\d+$/),
        kind: 'page',
        page: { vault: 'mcp', url: 'https://xn--ggle-55da.example/a', host: 'xn--ggle-55da.example' },
      },
    ])
  })

  it.each([{ mode: 'form', requestedSchema: {} }, { message: 'A form' }, undefined, 'url', [elicitation]])(
    'that is a form or nothing is the app’s: %j',
    async (params) => {
      const { waits, result } = ask(params)
      expect(waits.find()).toEqual([])
      expect(await result).toEqual({ action: 'cancel' })
    },
  )

  it('for a page that is shown already has no card of its own, and hears when the person is back', async () => {
    const { waits, result } = ask(elicitation)
    const also = waits.elicit({ params: elicitation })
    expect(waits.find()).toHaveLength(1)
    waits.visit(waits.find()[0]!)
    expect(await Promise.all([result, also])).toEqual([{ action: 'accept' }, { action: 'accept' }])
    const heard = vi.fn()
    const again = waits.elicit({ params: { ...elicitation, elicitationId: 'e2' } }).then(heard)
    expect(waits.find()).toHaveLength(1)
    expect(heard).not.toHaveBeenCalled()
    answer(waits, true)
    await again
    expect(heard).toHaveBeenCalledWith({ action: 'accept' })
  })

  it('that its server takes back is shown no more', async () => {
    const waits = mcpClient()
    const end = new AbortController()
    const result = waits.elicit({ params: elicitation }, { mcpReq: { signal: end.signal } })
    expect(waits.find()).toHaveLength(1)
    end.abort()
    expect(await result).toEqual({ action: 'cancel' })
    expect(waits.find()).toEqual([])
  })

  it('case 375: is one of few at once', async () => {
    const waits = mcpClient()
    const all = Array.from({ length: 40 }, (_, at) =>
      waits.elicit({ params: { ...elicitation, url: `${PAGE}/${at}` } }),
    )
    expect(waits.find()).toHaveLength(16)
    expect(await all.at(-1)).toEqual({ action: 'cancel' })
  })

  it('tells the page of each change, until it listens no more', () => {
    const waits = mcpClient()
    const listener = vi.fn()
    const stop = waits.subscribe(listener)
    void waits.elicit({ params: elicitation })
    expect(listener).toHaveBeenCalledOnce()
    answer(waits, true)
    expect(listener).toHaveBeenCalledTimes(2)
    stop()
    void waits.elicit({ params: elicitation })
    expect(listener).toHaveBeenCalledTimes(2)
  })
})

describe('the app’s own page', () => {
  const own = 'https://app.example/agents'
  const request = 'Aa0_-'.repeat(4).padEnd(22, 'x')
  const connect = {
    type: 'authorization_required' as const,
    provider: 'github',
    scopes: ['repo', 'gist'],
    toolName: 'send',
  }
  const notice = {
    ...{ type: 'approval_required' as const, request, agent: 'assistant', provider: 'github', accountId: 'github.a' },
    ...{ toolName: 'send', message: 'Asked.' },
  }

  it('says which request, or which account, and nothing else', () => {
    expect(needPage(own, notice)).toBe(`${own}?request=${request}`)
    expect(needPage(own, { ...connect, accountId: 'github.secret', message: 'For ada@example.com' })).toBe(
      `${own}?provider=github&scope=repo+gist&tool=send`,
    )
    expect(readNeedPage(own, needPage(own, notice))).toEqual({ kind: 'call', request })
    expect(readNeedPage(own, needPage(own, connect))).toEqual({ kind: 'account', connect })
  })

  it.each([
    'https://app.example.evil.example/agents?provider=github',
    'http://app.example/agents?provider=github',
    'https://app.example:444/agents?provider=github',
    'https://app.example/other?provider=github',
    'https://app.example@evil.example/agents?provider=github',
    'https://a:b@app.example/agents?provider=github',
    `${own}?request=../../rules`,
    `${own}?provider=%3Cb%3E`,
    `${own}?provider=github&request=`,
    own,
    7,
    null,
  ])('case 376: is not %j', (address) => {
    expect(readNeedPage(own, address)).toBeNull()
  })

  it('is shown as what it is for; of a server of others it is a page like any', () => {
    const params = { mode: 'url', url: needPage(own, connect) }
    const waits = mcpClient({ page: own })
    void waits.elicit({ params })
    expect(waits.find()).toMatchObject([{ kind: 'account', connect }])
    const foreign = mcpClient()
    void foreign.elicit({ params })
    expect(foreign.find()).toMatchObject([{ kind: 'page', page: { host: 'app.example' } }])
  })

  it('case 376: what a result says in its _meta counts for the app’s own server only', async () => {
    const result = { isError: true, _meta: { 'latchkey/need': connect } }
    expect(await mcpClient().call(async () => result)).toBe(result)
    const waits = mcpClient({ page: own })
    const act = vi.fn(async () => (act.mock.calls.length === 1 ? result : 'done'))
    const called = waits.call(act)
    await vi.waitFor(() => expect(waits.find()).toMatchObject([{ kind: 'account', connect }]))
    answer(waits, true)
    expect(await called).toBe('done')
  })
})

it('an answer that wants more of the server’s account asks for that, and for no other', async () => {
  const challenge = 'Bearer error="insufficient_scope", scope="notes:write"'
  const result = { isError: true, provider: 'github', _meta: { 'mcp/www_authenticate': [challenge] } }
  const waits = mcpClient({ provider: 'notes' })
  const act = vi.fn(async () => (act.mock.calls.length === 1 ? result : 'done'))
  const called = waits.call(act)
  const connect = { type: 'authorization_required', provider: 'notes', scopes: ['notes:write'] }
  await vi.waitFor(() => expect(waits.find()).toMatchObject([{ kind: 'account', connect }]))
  answer(waits, true)
  expect(await called).toBe('done')
  expect(await mcpClient().call(async () => result)).toBe(result)
})

it('a call is tried so often, and no more', async () => {
  const waits = mcpClient()
  const act = vi.fn(async () => {
    throw Object.assign(new Error(), { code: -32042, data: { elicitations: [elicitation] } })
  })
  waits.subscribe(() => queueMicrotask(() => answer(waits, true)))
  await expect(waits.call(act)).rejects.toMatchObject({ code: -32042 })
  expect(act).toHaveBeenCalledTimes(16)
})
