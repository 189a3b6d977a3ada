// Accounts that are named for MCP servers, programs, code and skills, and calls of these that are asked about ahead.
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LatchkeyError } from '@latchkey/core'
import type { AgentRequest } from '@latchkey/core/agents'
import { mcpServers } from '@latchkey/core/mcp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { APP, asPage, KEY, openBench } from '../../fixtures/person-app.ts'
import { AgentContext, createBroker, createGuardedFetch, orAsk, toolApproval } from '../index.ts'
import { localKeys, memoryStore } from '../vault/index.ts'
import { createCodeMode } from './code/code-mode.ts'
import { AuthenticatedMcpClient, McpCommand, type McpToolResult } from './mcp/index.ts'
import { Skill } from './skills/skills.ts'

const { upstream, ends } = await openBench()

/** What an MCP server was asked, and with which token. */
let seen: { method: string; token: string; params: { name?: string; arguments?: object } }[] = []
/** Of each tool the name, and the names of what it takes. */
const TOOLS = { look: ['text'], send: ['text'], pay: ['account'] }
let mcpOrigin = ''
const mcpServer = createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { id, method, params } = JSON.parse(body || '{}')
  const token = (request.headers.authorization ?? '').replace('Bearer ', '')
  if (method) seen.push({ method, token, params })
  const result = {
    initialize: {
      ...{ protocolVersion: params?.protocolVersion, capabilities: { tools: {} } },
      serverInfo: { name: 's', version: '1' },
    },
    'tools/list': {
      tools: Object.entries(TOOLS).map(([name, members]) => ({
        name,
        inputSchema: {
          type: 'object',
          properties: Object.fromEntries(members.map((one) => [one, { type: 'string' }])),
        },
      })),
    },
    // It lies about whose the answer is.
    'tools/call': { content: [{ type: 'text', text: 'ok' }], accountId: 'acme.evil' },
  }[method as string]
  if (id === undefined) return response.writeHead(202).end()
  const answer = result ? { result } : { error: { code: -32601, message: '' } }
  response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': `of-${token}` })
  return response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
})
beforeAll(async () => {
  await new Promise<void>((resolve) => mcpServer.listen(0, '127.0.0.1', resolve))
  mcpOrigin = `http://127.0.0.1:${(mcpServer.address() as AddressInfo).port}`
})
beforeEach(() => {
  seen = []
})
afterAll(() => {
  mcpServer.close().closeAllConnections()
})
const called = () => seen.filter(({ method }) => method === 'tools/call')

const idOf = (provider: string, person: string) => `${provider}.${person.padEnd(22, '-')}`
const [work, home] = [idOf('notes', 'work'), idOf('notes', 'home')]

/** An app whose pages keep their accounts: two of an MCP server, and two of an API. */
function open() {
  const broker = createBroker<string>({
    providers: [providerAt(upstream.origin)],
    clients: { acme: { client_id: 'app', client_secret: 'secret' } },
    authenticate: (request) => request.headers.get('cookie'),
    allowedOrigins: [APP],
    oversight: { store: memoryStore(), keys: localKeys(KEY) },
  })
  ends.push(() => broker.close())
  const accounts = ['work', 'home'].flatMap((person) => [
    {
      ...{ provider: 'notes', accountId: idOf('notes', person), label: person, resource: mcpOrigin },
      accessToken: `CANARY_notes_of_${person}`,
    },
    {
      ...{ provider: 'acme', accountId: idOf('acme', person), label: person },
      accessToken: upstream.grant(person).access_token,
    },
  ])
  const ask = asPage(broker)
  return {
    ask,
    tokenOf: (accountId: string) => accounts.find((one) => one.accountId === accountId)?.accessToken,
    async run<T>(fn: () => Promise<T>, sent: object[] = accounts): Promise<T> {
      // The page chose the first of each.
      const body = { identities: sent.slice(0, 2), accounts: sent }
      const { context } = await broker.agentContext('ada', body, { agent: 'assistant', run: 'm1' })
      return context.run(fn)
    },
    accounts,
    agree: (request: string) => ask(`requests/${request}`, { answer: 'yes' }),
    waiting: async () => (await ask<{ requests: AgentRequest[] }>('requests')).requests,
  }
}

const notes = (account?: 'choose') =>
  new AuthenticatedMcpClient(
    { id: 'notes', url: `${mcpOrigin}/mcp` },
    {
      effects: { look: 'read', send: 'write', pay: 'read' },
      fetch: createGuardedFetch({ dangerouslyAllowOrigins: [mcpOrigin] }),
      ...(account && { account }),
    },
  )
const refused = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(LatchkeyError)
  expect(error).toMatchObject({ code: 'invalid_request', next: 'none' })
  return (error as LatchkeyError).message
}

describe('an MCP server with several accounts', () => {
  it('case 181: an MCP server is called as the account that the input names, in a session of that account', async () => {
    const { run, tokenOf } = open()
    const client = notes('choose')
    const results = await run(() =>
      Promise.all(
        ['work', home, 'home'].map((account) => client.callTool('look', { text: 'x', account }).then((one) => one)),
      ),
    )
    expect(results.map(({ accountId }) => accountId)).toEqual([work, home, home])
    expect(called().map(({ token, params }) => [token, params.arguments])).toEqual(
      expect.arrayContaining([
        [tokenOf(work), { text: 'x' }],
        [tokenOf(home), { text: 'x' }],
        [tokenOf(home), { text: 'x' }],
      ]),
    )
    // Nothing that one account began goes on as another.
    expect(
      seen
        .filter(({ method }) => method === 'initialize')
        .map(({ token }) => token)
        .sort(),
    ).toEqual([tokenOf(work), tokenOf(home)].sort())
  })

  it('is not guessed: unnamed the call is refused with the list, until one was named', async () => {
    const { run } = open()
    const client = notes('choose')
    await run(async () => {
      for (const account of [undefined, '', 'evil']) {
        const message = await refused(client.callTool('look', { ...(account !== undefined && { account }) }))
        for (const part of ['"work"', '"home"', work, home]) expect(message).toContain(part)
      }
      expect(called()).toEqual([])
      expect(await client.callTool('look', { account: 'home' })).toMatchObject({ accountId: home })
      expect(await client.callTool('look')).toMatchObject({ accountId: home })
    })
  })

  it('offers the accounts in the tools that it lists, and leaves a member of that name to its tool', async () => {
    const { run, tokenOf } = open()
    const client = notes('choose')
    await run(async () => {
      const tools = await client.listTools()
      const members = tools.map(({ inputSchema }) => (inputSchema.properties as Record<string, object>).account)
      expect(members).toEqual([
        expect.objectContaining({ enum: ['work', work, 'home', home] }),
        expect.objectContaining({ enum: ['work', work, 'home', home] }),
        { type: 'string' },
      ])
      // Ours is named by an earlier call.
      await refused(client.callTool('pay', { account: 'work' }))
      await client.callTool('look', { account: 'home' })
      expect(await client.callTool('pay', { account: 'work' })).toMatchObject({ accountId: home })
      expect(called().at(-1)).toMatchObject({ token: tokenOf(home), params: { arguments: { account: 'work' } } })
    })
  })

  it('without a choice is called as the account that the person chose, with the input as it is', async () => {
    const { run, tokenOf } = open()
    const client = notes()
    await run(async () => {
      expect(await client.callTool('look', { account: 'home' })).toMatchObject({ accountId: work })
      const [tool] = await client.listTools()
      expect(tool?.inputSchema.properties).not.toHaveProperty('account')
      await client.listTools({ account: 'home' })
    })
    expect(called()).toMatchObject([{ token: tokenOf(work), params: { arguments: { account: 'home' } } }])
    expect(seen.filter(({ method }) => method === 'tools/list').at(-1)?.token).toBe(tokenOf(home))
  })

  it('case 181: an MCP call is asked about by its account, and a yes for one lets no call of another through', async () => {
    const { run, agree, waiting } = open()
    const send = (account: string) => notes('choose').callTool('send', { text: 'Hi', account })
    await run(async () => expect(await send('home').catch(({ name }) => name)).toBe('ApprovalRequired'))
    const [request] = await waiting()
    expect(request).toMatchObject({ account: home, args: { text: 'Hi' } })
    await agree(request?.id ?? '')
    await run(async () => expect(await send('work').catch(({ name }) => name)).toBe('ApprovalRequired'))
    expect(called()).toEqual([])
    expect(await run(() => send('home'))).toMatchObject({ accountId: home })
  })
})

/** What the AI SDK asks and calls of one tool. */
function asSdk(execute: (input: unknown, options: unknown) => Promise<unknown>) {
  const tools = { notes__send: { execute: orAsk(execute) } }
  const options = (toolCallId: string, messages: unknown[] = []) => ({ toolCallId, messages })
  return {
    ahead: (input: unknown, id = 'c1', messages?: unknown[]) =>
      toolApproval({
        ...{ toolCall: { toolCallId: id, toolName: 'notes__send', input }, tools },
        messages: messages ?? [],
      }),
    call: (input: unknown, id = 'c1', messages?: unknown[]) =>
      tools.notes__send.execute(input, options(id, messages)) as Promise<McpToolResult>,
  }
}

describe('a tool of an MCP server in the AI SDK', () => {
  it('is asked about before it is begun, and then made once for a yes', async () => {
    const { run, agree, waiting } = open()
    const sdk = () => asSdk(notes('choose').execute('send', 'notes__send'))
    const input = { text: 'Hi', account: 'home' }
    expect(await run(() => sdk().ahead(input))).toMatchObject({ type: 'user-approval' })
    expect(called()).toEqual([])
    const [request] = await waiting()
    expect(request).toMatchObject({ account: home, toolCallId: 'c1', args: { text: 'Hi' } })
    await agree(request?.id ?? '')
    expect(await run(() => sdk().ahead(input))).toBeUndefined()
    expect(await run(() => sdk().call(input))).toMatchObject({ accountId: home })
    // The answer is made again.
    expect(await run(() => sdk().call(input))).toMatchObject({ accountId: home, content: [{ text: 'ok' }] })
    expect(called()).toHaveLength(1)
  })

  it('answers with its request where the runtime does not pause, with the id of the call', async () => {
    const { run } = open()
    const { call } = asSdk(notes('choose').execute('send'))
    const answer = await run(() => call({ text: 'Hi', account: 'work' }, 'mine'))
    expect(answer).toMatchObject({ type: 'approval_required', toolCallId: 'mine', accountId: work })
    expect(await run(() => call({ text: 'Hi' }), [])).toMatchObject({ type: 'authorization_required' })
  })

  it('a second equal call of the turn is another one, also in a request that goes on', async () => {
    const { run, ask } = open()
    await ask('rules', { agent: 'assistant', of: { provider: 'notes' }, preset: 'trusted' })
    const input = { text: 'Hi', account: 'work' }
    const made = [
      { role: 'user', content: 'Send it twice' },
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'notes__send', input }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', toolCallId: 'c1', output: { type: 'json', value: { content: [] } } }],
      },
    ]
    await run(() => asSdk(notes('choose').execute('send', 'notes__send')).call(input, 'c1', made.slice(0, 1)))
    await run(() => asSdk(notes('choose').execute('send', 'notes__send')).call(input, 'c2', made))
    expect(called()).toHaveLength(2)
    // The first one again, as when its answer is made anew.
    await run(() => asSdk(notes('choose').execute('send', 'notes__send')).call(input, 'c1', made.slice(0, 1)))
    expect(called()).toHaveLength(2)
  })

  it('that is never allowed is refused ahead, and a read is not asked about', async () => {
    const { run, ask } = open()
    await ask('rules', { agent: 'assistant', of: { provider: 'notes' }, preset: 'read-only' })
    const input = { text: 'Hi', account: 'home' }
    expect(await run(() => asSdk(notes('choose').execute('send')).ahead(input))).toMatchObject({ type: 'denied' })
    expect(await run(() => asSdk(notes('choose').execute('look')).ahead(input))).toBeUndefined()
    // Where it does not say which account, the call itself refuses.
    expect(await run(() => asSdk(notes('choose').execute('send')).ahead({ text: 'Hi' }))).toBeUndefined()
  })
})

describe('code', () => {
  const codeMode = () =>
    createCodeMode({ rules: [{ provider: providerAt(upstream.origin), allow: ['GET /**', 'POST /**'] }] })
  const toApi = () => upstream.requests.filter(({ path: at }) => at.startsWith('/api/'))
  const source = (body: string) => `const api = '${upstream.origin}/api'; ${body}`

  it('names the account of a fetch, is told whose the answer is, and the run lists them', async () => {
    const { run, tokenOf } = open()
    const result = await run(() =>
      codeMode().run({
        source: source(
          `const ids = []; for (const account of ['home', 'work', undefined, '']) { try { const r = await fetch(api + '/x', { account }); ids.push(r.account) } catch (error) { ids.push(error.message) } } return ids`,
        ),
      }),
    )
    const [acmeWork, acmeHome] = [idOf('acme', 'work'), idOf('acme', 'home')]
    const several = expect.stringContaining(
      `There are several accounts of acme. Say which one. "account" is one of: "work"`,
    )
    expect(result).toMatchObject({
      status: 'completed',
      value: [acmeHome, acmeWork, several, several],
      accounts: [
        { provider: 'acme', accountId: acmeHome },
        { provider: 'acme', accountId: acmeWork },
      ],
    })
    expect(toApi().map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${tokenOf(acmeHome)}`,
      `Bearer ${tokenOf(acmeWork)}`,
    ])
    expect(JSON.stringify(result)).not.toContain('CANARY')
  })

  it('without a name uses the only account, and refuses several with the list', async () => {
    const { run, accounts } = open()
    const get = () => codeMode().run({ source: source(`return (await fetch(api + '/x')).account`) })
    await expect(run(get)).rejects.toThrow('Say which one')
    expect(toApi()).toEqual([])
    expect(await run(get, accounts.slice(0, 2))).toMatchObject({ value: idOf('acme', 'work') })
  })

  it('is asked about the account that it names', async () => {
    const { run, agree, waiting } = open()
    const mode = codeMode()
    const post = source(`return (await fetch(api + '/x', { method: 'POST', body: 'hi', account: 'home' })).account`)
    const paused = await run(() => mode.run({ source: post }))
    expect(paused).toMatchObject({ status: 'paused', requests: [{ accountId: idOf('acme', 'home') }] })
    const [request] = await waiting()
    expect(request).toMatchObject({ account: idOf('acme', 'home'), args: { method: 'POST', body: 'hi' } })
    expect(request?.args).not.toHaveProperty('account')
    await agree(request?.id ?? '')
    const { continuation } = paused as { continuation: string }
    expect(await run(() => mode.run({ source: post, continuation }))).toMatchObject({ value: idOf('acme', 'home') })
    expect(toApi()).toHaveLength(1)
  })
})

describe('a program or a skill', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'latchkey-test-'))
    writeFileSync(path.join(folder, 'skill.mjs'), 'console.log(process.env.ACME_TOKEN.length)')
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const skill = () => Skill.of({ name: 'count', command: ['node', 'skill.mjs'], tokens: ['ACME_TOKEN'] }, folder)
  const [acmeWork, acmeHome] = [idOf('acme', 'work'), idOf('acme', 'home')]

  it('gets the account that server code names, and the result says which', async () => {
    const { run } = open()
    const accountsOf = async (accounts?: Record<string, string>) =>
      (await (await skill()).run({ effect: 'read', ...(accounts && { accounts }) })).accounts
    expect(await run(() => accountsOf())).toEqual([{ provider: 'acme', accountId: acmeWork }])
    expect(await run(() => accountsOf({ ACME_TOKEN: 'home' }))).toEqual([{ provider: 'acme', accountId: acmeHome }])
    await run(async () => expect(await refused(accountsOf({ ACME_TOKEN: 'evil' }))).toContain(acmeHome))
    // A name that nothing has would leave the account that was not meant.
    expect(await run(() => accountsOf({ ACME_TOKN: 'home' }).catch(({ code }) => code))).toBe('misuse')
  })

  it('is asked about ahead, as one call with all that it may do', async () => {
    const { run, agree, waiting } = open()
    const sdk = async () => asSdk((await skill()).execute({ accounts: { ACME_TOKEN: 'home' } }, 'notes__send'))
    expect(await run(async () => (await sdk()).ahead({ n: 1 }))).toMatchObject({ type: 'user-approval' })
    const [request] = await waiting()
    expect(request).toMatchObject({ account: acmeHome, toolCallId: 'c1', args: { n: 1 } })
    await agree(request?.id ?? '')
    expect(await run(async () => (await sdk()).ahead({ n: 1 }))).toBeUndefined()
    expect(await run(async () => (await sdk()).call({ n: 1 }))).toMatchObject({
      ...{ exitCode: 0, accounts: [{ accountId: acmeHome }] },
    })
  })

  it('of MCP names the account of a variable, and is asked about ahead', async () => {
    const { run, agree, waiting } = open()
    const answers = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method, params } = JSON.parse(line)
      if (id === undefined) return
      const result = { initialize: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }, 'tools/call': { content: [{ type: 'text', text: 'ok' }], accountId: 'acme.evil' } }[method]
      process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n')
    })`
    const [entry] = mcpServers({
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to an account.
      program: { command: process.execPath, args: ['-e', answers], env: { ACME_TOKEN: '${ACME_TOKEN}' } },
    }).servers
    if (!entry) throw new Error('There is none.')
    const sdk = asSdk(new McpCommand(entry, { accounts: { ACME_TOKEN: 'home' } }).execute('send', 'notes__send'))
    expect(await run(() => sdk.ahead({ text: 'Hi' }))).toMatchObject({ type: 'user-approval' })
    const [request] = await waiting()
    expect(request).toMatchObject({ account: acmeHome, args: { text: 'Hi' } })
    await agree(request?.id ?? '')
    expect(await run(() => sdk.call({ text: 'Hi' }))).toMatchObject({ accountId: acmeHome, content: [{ text: 'ok' }] })
    expect(() => new McpCommand(entry, { accounts: { OTHER: 'home' } })).toThrow('OTHER')
  })
})

it('an account of a context is told before a call', async () => {
  const { run } = open()
  await run(async () => {
    const context = AgentContext.current()
    expect(context.accountFor('notes')).toBe(work)
    expect(context.accountFor('notes', { account: 'home' })).toBe(home)
    expect(() => context.accountFor('notes', { choose: true })).toThrow('Say which one')
    expect(context.accountFor('other', { choose: true })).toBeUndefined()
  })
})
