// How calls end, at every door: what the person reads of it, and that no end is anybody's but the door's.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LatchkeyError } from '@latchkey/core'
import { type Activity, withEndings } from '@latchkey/core/agents'
import { mcpServers } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AgentContext,
  ApprovalRequired,
  createAccountFetch,
  createBroker,
  type ToolAccount,
  withAccount,
} from '../index.ts'
import type { VaultStore } from '../stores/store.ts'
import { judgedTool } from '../use/tools.ts'
import { localKeys, memoryStore } from '../vault/index.ts'
import { createCodeMode } from './code/code-mode.ts'
import { AuthenticatedMcpClient, McpCommand } from './mcp/index.ts'
import { Skill } from './skills/skills.ts'

const APP = 'https://app.example'
const API = 'https://api.github.com'
const TOKEN = 'CANARY_gho_0123456789'
const provider = github()
const NOTES = 'https://notes.example/mcp'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-endings-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** An app whose page keeps the accounts, and a person who trusts its agent. */
async function open(store: VaultStore = memoryStore()) {
  const errors: unknown[] = []
  const broker = createBroker<string>({
    providers: [provider],
    clients: { github: { client_id: 'app', client_secret: 'secret' } },
    authenticate: () => 'ada',
    owner: (user) => ({ user }),
    allowedOrigins: [APP],
    oversight: { store, keys: localKeys(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')) },
    onError: (error) => errors.push(error),
  })
  async function ask(route: string, body?: object) {
    const headers = { origin: APP, 'content-type': 'application/json', 'latchkey-request': '1' }
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : {}
    const response = await broker(new Request(`${APP}/api/latchkey/${route}`, { headers, ...init }))
    expect([route, response.status]).toEqual([route, 200])
    return response.json()
  }
  for (const id of ['github', 'notes']) {
    await ask('rules', { agent: 'assistant', of: { provider: id }, preset: 'trusted' })
  }
  const identities = [
    { provider: 'github', accessToken: TOKEN, accountId: 'github.1' },
    { provider: 'notes', accessToken: TOKEN, accountId: 'notes.1', resource: NOTES },
  ]
  return {
    errors,
    ask,
    stop: async () => ask('stop', { agent: 'assistant' }),
    async run<T>(fn: () => Promise<T>, run?: string): Promise<T> {
      const about = { agent: 'assistant', ...(run && { run }) }
      const { context } = await broker.agentContext('ada', { identities }, about)
      return context.run(fn)
    },
    log: async () => ((await ask('activity')) as { uses: Activity[] }).uses,
    /** What became of the calls of tools, the first one first. */
    async ends() {
      const uses = withEndings(await this.log()).filter(
        ({ action, tool }) => action === 'use' && !tool?.endsWith('/session'),
      )
      return uses.reverse().map(({ outcome, reason }) => (reason === undefined ? outcome : `${outcome} ${reason}`))
    },
  }
}
type App = Awaited<ReturnType<typeof open>>

/** What the API does: answers with statuses one after another, cannot be reached, or the person stops the agent. */
type Api = 'lost' | 'stopped' | readonly number[]

function apiOf(app: App, does: Api): typeof fetch {
  const left = typeof does === 'string' ? [] : [...does]
  return async (_, init) => {
    if (does === 'lost') throw new TypeError('fetch failed')
    if (does === 'stopped') {
      await app.stop()
      throw init?.signal?.reason
    }
    return new Response('{"error":"CANARY_what_an_api_says"}', { status: left.shift() ?? 200 })
  }
}

type Work = (account: ToolAccount) => Promise<unknown>

const tool = (effect: 'read' | 'write', work: Work) => (app: App, does: Api) =>
  withAccount({ provider, toolName: 'act', effect, fetch: apiOf(app, does) }, (_: object, account) => work(account))(
    {},
    {},
  )

const bare = (method: string) => async (app: App, does: Api) => {
  const rules = [{ provider, allow: ['* /**'] }] as const
  const ask = createAccountFetch({ rules, context: AgentContext.current(), fetch: apiOf(app, does) })
  return (await ask(`${API}/user`, { method })).status
}

const code = (source: string) => (app: App, does: Api) => {
  const act = { execute: () => tool('write', careful('POST'))(app, does) }
  const mode = createCodeMode({ rules: [{ provider, allow: ['* /**'] }], fetch: apiOf(app, does), tools: { act } })
  return mode.run({ source })
}

/** Hands on whatever comes. */
const naive =
  (method: string): Work =>
  async (account) =>
    (await account.fetch('/user', { method })).json()
const careful =
  (method: string): Work =>
  async (account) => {
    const { ok } = await account.fetch('/user', { method })
    if (!ok) throw new Error('CANARY_the_words_of_a_tool')
    return 'done'
  }
/** Looks for something, and makes it. */
const twice: Work = async (account) => {
  await account.fetch('/user')
  return careful('POST')(account)
}
const spoilt: Work = async (account) => {
  await account.fetch('/user', { method: 'POST' })
  throw Object.assign(new Error('no'), { name: 'CANARY_a_name' })
}

/** Reads so many of two answers. */
const streamed = (count: number) => async (app: App, does: Api) => {
  const look = withAccount(
    { provider, toolName: 'act', effect: 'read', fetch: apiOf(app, does) },
    async function* (_: object, account: ToolAccount) {
      for (const path of ['/user', '/user/repos']) yield (await account.fetch(path)).status
    },
  )
  let left = count
  for await (const _ of look({}, {})) if (--left === 0) return
}

const rows: [door: string, act: (app: App, does: Api) => Promise<unknown>, does: Api, end: string][] = [
  ['a tool that reads', tool('read', naive('GET')), [200], 'allowed'],
  ['a tool that hands a refusal on', tool('read', naive('GET')), [404], 'failed http_404'],
  ['a tool that throws at a refusal', tool('read', careful('GET')), [404], 'failed http_404'],
  ['a tool that only throws', tool('read', () => Promise.reject(new Error('no'))), [], 'failed tool_error'],
  [
    'a tool whose error has any code',
    tool('read', () => Promise.reject(new LatchkeyError(TOKEN as never, 'no'))),
    [],
    'failed tool_error',
  ],
  [
    'a tool that says that it failed',
    tool('read', async () => ({ isError: true, content: [] })),
    [],
    'failed tool_error',
  ],
  ['a tool that got nothing', tool('read', naive('GET')), 'lost', 'failed network'],
  ['a tool that reads and is stopped', tool('read', naive('GET')), 'stopped', 'failed cancelled'],
  ['a tool that answers bit by bit', streamed(Number.POSITIVE_INFINITY), [200, 200], 'allowed'],
  ['a tool whose reader leaves', streamed(1), [200, 200], 'failed cancelled'],
  ['a tool that writes', tool('write', careful('POST')), [201], 'allowed'],
  ['a tool that goes on after a refusal', tool('write', twice), [404, 201], 'allowed'],
  ['a tool that is refused after it read', tool('write', twice), [200, 403], 'failed http_403'],
  ['a tool whose service broke', tool('write', careful('POST')), [502], 'failed http_502'],
  ['a tool that wrote and throws', tool('write', spoilt), [201], 'failed unknown'],
  ['a tool that wrote into the void', tool('write', careful('POST')), 'lost', 'failed unknown'],
  ['a tool that writes and is stopped', tool('write', careful('POST')), 'stopped', 'failed cut'],
  ['a tool that needs another sign-in', tool('write', careful('POST')), [401], 'failed http_401'],
  ['a fetch that reads', bare('GET'), [200], 'allowed'],
  ['a fetch of what is not there', bare('GET'), [404], 'failed http_404'],
  ['a fetch that is not signed in', bare('GET'), [401], 'failed http_401'],
  ['a fetch that got nothing', bare('GET'), 'lost', 'failed network'],
  ['a fetch that is stopped', bare('GET'), 'stopped', 'failed cancelled'],
  ['a fetch that is not taken', bare('POST'), [422], 'failed http_422'],
  ['a fetch that wrote into the void', bare('POST'), 'lost', 'failed unknown'],
  ['a fetch that writes and is stopped', bare('POST'), 'stopped', 'failed cut'],
  ['a fetch of code', code(`return (await fetch('${API}/user')).status`), [404], 'failed http_404'],
  ['a tool of code', code('return await tools.act({})'), [200], 'allowed'],
  ['a tool of code that is refused', code('return await tools.act({})'), [403], 'failed http_403'],
]

describe('what a person reads of a call', () => {
  it.each(rows)('%s', async (_, act, does, end) => {
    const app = await open()
    await app.run(() => act(app, does)).catch(() => {})
    expect(await app.ends()).toEqual([end])
    const log = await app.log()
    // A use that ended well costs nothing more, and no end has words of an API or a tool.
    expect(log.filter(({ action }) => action === 'end')).toHaveLength(end === 'allowed' ? 0 : 1)
    expect(JSON.stringify(log)).not.toContain('CANARY')
  })
})

/** An MCP server over HTTP that is asked in this process. */
function notes(app: App, does: Api | 'isError') {
  return new AuthenticatedMcpClient(
    { id: 'notes', url: NOTES },
    {
      effects: { act: 'write' },
      async fetch(_, init) {
        const { id, method } = JSON.parse(String(init?.body ?? '{}'))
        if (id === undefined) return new Response(null, { status: 202 })
        if (method === 'tools/call' && Array.isArray(does)) return new Response('CANARY', { status: does[0] })
        if (method === 'tools/call' && does !== 'isError') return apiOf(app, does)(NOTES, init)
        const result = {
          initialize: {
            protocolVersion: '2025-06-18',
            capabilities: { tools: {} },
            serverInfo: { name: 'n', version: '1' },
          },
          'tools/list': { tools: [{ name: 'act', inputSchema: { type: 'object' } }] },
          'tools/call': { content: [{ type: 'text', text: 'no' }], isError: true },
        }[method as string]
        const answer = result ? { result } : { error: { code: -32601, message: 'no' } }
        return Response.json({ jsonrpc: '2.0', id, ...answer })
      },
    },
  )
}

describe('what a person reads of a call of an MCP server', () => {
  it.each<[Api | 'isError', string]>([
    ['isError', 'failed tool_error'],
    ['lost', 'failed unknown'],
    ['stopped', 'failed cut'],
    [[503], 'failed unknown'],
  ])('%s', async (does, end) => {
    const app = await open()
    const answer = await app.run(() => notes(app, does).callTool('act')).catch((error: unknown) => error)
    expect(answer).toBeDefined()
    expect(await app.ends()).toEqual([end])
  })
})

/** A program that says what it does in a file, and then does it. */
const program = (does: string) => `
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  if (method === 'tools/call') require('node:fs').writeFileSync(${JSON.stringify('AT')}, '')
  if (method === 'tools/call' && ${JSON.stringify(does)} === 'exits') process.exit(1)
  if (method === 'tools/call' && ${JSON.stringify(does)} === 'stopped') return
  const answer = {
    initialize: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'spy', version: '1' } },
    'tools/call': { content: [], isError: ${JSON.stringify(does)} === 'isError' },
  }[method]
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: answer }) + '\\n')
})`

describe('what a person reads of a program', () => {
  it.each([
    ['works', 'allowed'],
    ['isError', 'failed tool_error'],
    ['exits', 'failed unknown'],
    ['stopped', 'failed cut'],
    ['absent', 'failed not_configured'],
  ])(
    'that is an MCP server and %s',
    async (does, end) => {
      const app = await open()
      const begun = path.join(folder, 'begun')
      const source = program(does).replace('"AT"', JSON.stringify(begun))
      const command = does === 'absent' ? '/nowhere/program' : process.execPath
      const [entry] = mcpServers({
        spy: { command, args: ['-e', source], env: { GITHUB_TOKEN: '$' + '{GITHUB_TOKEN}' } },
      }).servers
      const calling = app
        .run(() => new McpCommand(entry!, { effects: { act: 'write' } }).callTool('act'))
        .catch(() => {})
      if (does === 'stopped') {
        await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 20_000 })
        await app.stop()
      }
      await calling
      expect(await app.ends()).toEqual([end])
    },
    30_000,
  )

  it.each([
    ['works', '', 'allowed'],
    ['exits with an error', 'process.exit(3)', 'failed tool_error'],
    ['takes too long', 'setInterval(() => {}, 1000)', 'failed unknown'],
    ['is stopped', 'setInterval(() => {}, 1000)', 'failed cut'],
    ['is not installed', undefined, 'failed not_configured'],
  ])(
    'that is a skill and %s',
    async (title, source, end) => {
      const app = await open()
      const begun = path.join(folder, 'begun')
      writeFileSync(
        path.join(folder, 'skill.mjs'),
        `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(begun)}, '')\n${source}`,
      )
      const command = [source === undefined ? 'nowhere-to-be-found' : 'node', 'skill.mjs'] as const
      const skill = await Skill.of({ name: 'act', command, tokens: ['GITHUB_TOKEN'] }, folder)
      const limits = title === 'takes too long' ? { timeoutMs: 300 } : {}
      const running = app.run(() => skill.run({ limits })).catch(() => {})
      if (title === 'is stopped') {
        await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 20_000 })
        await app.stop()
      }
      await running
      expect(await app.ends()).toEqual([end])
    },
    30_000,
  )
})

/** A store that can go away. */
function frail() {
  const store = memoryStore()
  const state = { isAway: false }
  const refuse = () => Promise.reject(new LatchkeyError('storage_unavailable', 'The store is away.'))
  const away: VaultStore = {
    ...store,
    asPerson: (...args) => (state.isAway ? refuse() : store.asPerson(...args)),
    appendAudit: (...args) => (state.isAway ? refuse() : store.appendAudit(...args)),
  }
  return { store: away, state }
}

describe('a store that goes away before the end of a call', () => {
  const write = (state: { isAway: boolean }, work: Work) => () =>
    withAccount(
      { provider, toolName: 'send', effect: 'write', fetch: async () => new Response('{}') },
      async (_: object, account) => {
        await account.fetch('/user', { method: 'POST' })
        state.isAway = true
        return work(account)
      },
    )({}, {})

  it('takes no result away, and the write is not made again without its person', async () => {
    const { store, state } = frail()
    const app = await open(store)
    const send = write(state, async () => 'sent')
    expect(await app.run(send, 'm1')).toBe('sent')
    expect(app.errors).toMatchObject([{ code: 'storage_unavailable' }])
    state.isAway = false
    await expect(app.run(send, 'm1')).rejects.toBeInstanceOf(ApprovalRequired)
    expect(await app.ask('requests')).toMatchObject({ requests: [{ mayHaveHappened: true }] })
  })

  it('does not stand in for why the call failed', async () => {
    const { store, state } = frail()
    const app = await open(store)
    const failing = write(state, () => Promise.reject(new Error('Nobody lives there.')))
    await expect(app.run(failing, 'm1')).rejects.toThrow('Nobody lives there.')
    expect(app.errors).toHaveLength(1)
  })
})

it('a use has one end, however often it is ended, and no other use has it', async () => {
  const app = await open()
  await app.run(async () => {
    const tool = judgedTool({ provider, toolName: 'look', effect: 'read' })
    const [one, other] = [
      await AgentContext.current().authorize('github', { tool }),
      await AgentContext.current().authorize('github', { tool }),
    ]
    await Promise.all([
      one.end('unknown', 'network'),
      other.end({}),
      one.end({}),
      other.end('unsent'),
      one.end('unsent'),
    ])
  })
  expect(await app.ends()).toEqual(['failed network', 'allowed'])
  const log = await app.log()
  const uses = log.filter(({ action }) => action === 'use')
  expect(log.filter(({ action }) => action === 'end')).toMatchObject([{ use: uses[1]?.use, tool: 'github/look' }])
  expect(uses[0]?.use).not.toBe(uses[1]?.use)
  // What was used when is told by uses alone.
  const { uses: last } = (await app.ask('activity/last')) as { uses: { at: number }[] }
  expect(last.map(({ at }) => at)).toEqual([Date.parse(uses[0]?.at ?? '')])
})
