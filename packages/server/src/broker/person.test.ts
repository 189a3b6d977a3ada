// Security cases Y, 92, 177, 178, 192, 196, 198, 200, 201, 205, 206, 208, 216: A person's own word. A release waits for 92, 178, 192, 196, 198.
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Activity, type AgentRequest, type PersonRules, withEndings } from '@latchkey/core/agents'
import { BROKER_HEADER } from '@latchkey/core/token'
import { startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import {
  type AccountTool,
  AgentContext,
  ApprovalRequired,
  AuthorizationRequired,
  type BrokerOptions,
  createAccountFetch,
  createBroker,
  currentIdentities,
  getIdentity,
  NotAllowed,
  type VaultBroker,
  withAccount,
} from '../index.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { createAudit } from '../vault/audit.ts'
import { localKeys, memoryStore } from '../vault/index.ts'

const APP = 'https://app.example'
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')

let upstream: TinyServer
const ends: (() => unknown)[] = []
beforeAll(async () => {
  upstream = await startTinyServer()
})
beforeEach(() => upstream.reset())
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => upstream.close())

const acme = () => providerAt(upstream.origin)
const list = (): AccountTool => ({ provider: acme(), toolName: 'list', title: 'List items', effect: 'read' })
const send = (): AccountTool => ({ provider: acme(), toolName: 'send', title: 'Send', effect: 'write', edit: ['text'] })

/** Calls the API once, and answers what it answered. */
const runOf = (tool: AccountTool) =>
  withAccount(tool, async (input: { text?: string }, account) => {
    const method = tool.effect === 'read' ? 'GET' : 'POST'
    const answer = await account.fetch('/items', { method, ...(method === 'POST' && { body: JSON.stringify(input) }) })
    return { status: answer.status, ...input }
  })

interface App {
  broker: VaultBroker<string>
  call(route: string, body?: unknown, changed?: Record<string, string | undefined>): Promise<Response>
  /** What a person's page gets. */
  ask<T>(route: string, body?: unknown, who?: string): Promise<T>
  /** One run of an agent, with the account of ada. */
  run<T>(fn: () => Promise<T>, about?: { agent?: string; run?: string; chat?: string }): Promise<T>
}

/** An app. `held`: its page keeps the account and sends the token, and the server has no vault. */
async function open(held: boolean, options: Partial<BrokerOptions<string>> = {}, store = memoryStore()): Promise<App> {
  const vault = held ? undefined : openVault({ store, keys: localKeys(KEY) })
  const broker = createBroker<string>({
    providers: [acme()],
    clients: { acme: { client_id: 'app', client_secret: 'secret' } },
    authenticate: (request) => request.headers.get('cookie'),
    allowedOrigins: [APP],
    agents: { assistant: { name: 'Assistant', tools: [list(), send()] }, helper: { parent: 'assistant' } },
    ...(vault ? { vault } : { oversight: { store, keys: localKeys(KEY) } }),
    ...options,
  }) as VaultBroker<string>
  ends.push(
    () => broker.close(),
    () => (vault ? vault.close() : store.close()),
  )
  const call: App['call'] = (route, body, changed) => {
    const headers = Object.entries({
      origin: APP,
      cookie: 'ada',
      [BROKER_HEADER]: '1',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...changed,
    }).filter((pair): pair is [string, string] => pair[1] !== undefined)
    const method = body === undefined ? 'GET' : 'POST'
    return broker(
      new Request(`${APP}/api/latchkey/${route}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
      }),
    )
  }
  const ask: App['ask'] = async (route, body, who = 'ada') => {
    const response = await call(route, body, { cookie: who })
    expect([route, response.status]).toEqual([route, 200])
    return response.json()
  }
  const accounts = async () => {
    if (held) return { identities: [{ provider: 'acme', accessToken: 'CANARY_HELD', accountId: ID }] }
    const kept = (await ask<{ accounts: { id: string }[] }>('accounts')).accounts
    return { connectedAccounts: kept.map(({ id }) => ({ provider: 'acme', accountId: id })) }
  }
  return {
    broker,
    call,
    ask,
    async run(fn, { agent = 'assistant', ...about } = {}) {
      const { context } = await broker.agentContext('ada', await accounts(), { agent, ...about })
      return context.run(fn)
    },
  }
}

const ID = `acme.${'h'.repeat(22)}`

async function connected(held: boolean, options?: Partial<BrokerOptions<string>>, store = memoryStore()): Promise<App> {
  const app = await open(held, options, store)
  if (held) return app
  const redirect_uri = `${APP}/api/latchkey/callback`
  const { url, state } = await app.ask<{ url: string; state: string }>('flows', { provider: 'acme', redirect_uri })
  await app.ask(`flows/${state}`, { response: upstream.approve(url, 'ada') })
  return app
}

const thrown = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
const notice = async (promise: Promise<unknown>) => {
  const error = await thrown(promise)
  expect(error).toBeInstanceOf(ApprovalRequired)
  return (error as ApprovalRequired).notice
}
/** API calls that arrived. */
const sent = () =>
  upstream.requests.filter((one) => one.path === '/api/items').map(({ method, body }) => `${method} ${body}`)
const idOf = async (app: App, held: boolean) =>
  held ? ID : ((await app.ask<{ accounts: { id: string }[] }>('accounts')).accounts[0]?.id ?? '')
const answered = () => upstream.instead.push((_, response) => Boolean(response.writeHead(200).end('{}')))

describe.each([
  ['the vault', false],
  ['the browser', true],
])('accounts that are kept by %s', (_, held) => {
  it('case 92: are read without asking, and change something after a yes, once', async () => {
    const app = await connected(held)
    answered()
    expect(await app.run(() => runOf(list())({}, {}))).toEqual({ status: 200 })
    const about = { run: 'm1', chat: 'c1' }
    const write = () => app.run(() => runOf(send())({ text: 'Hello' }, { toolCallId: 't1' }), about)
    const asked = await notice(write())
    expect(asked).toMatchObject({ type: 'approval_required', agent: 'assistant', provider: 'acme', toolCallId: 't1' })
    expect(sent()).toHaveLength(1)
    const { requests } = await app.ask<{ requests: AgentRequest[] }>('requests')
    expect(requests).toMatchObject([
      { id: asked.request, tool: { title: 'Send', effect: 'write' }, args: { text: 'Hello' }, state: 'waiting' },
    ])
    await app.ask(`requests/${asked.request}`, { answer: 'yes', args: { text: 'Hi' } })
    answered()
    expect(await write()).toEqual({ status: 200, text: 'Hi' })
    // Asked again in the same turn, it answers what it answered.
    expect(await write()).toEqual({ status: 200, text: 'Hi' })
    expect(sent()).toEqual(['GET ', 'POST {"text":"Hi"}'])
  })

  it('an answer that is too large to keep is a word when the call is made again', async () => {
    const app = await connected(held)
    await app.ask('rules', { agent: 'assistant', of: { provider: 'acme' }, preset: 'trusted' })
    const large = withAccount(send(), async (_input: object, account) => {
      await account.fetch('/items', { method: 'POST' })
      return 'x'.repeat(70_000)
    })
    const write = () => app.run(() => large({}, {}), { run: 'm1' })
    answered()
    expect(await write()).toHaveLength(70_000)
    expect(await write()).toContain('done already')
    expect(sent()).toHaveLength(1)
  })

  it('are used by no agent that its person turned off, and by no child of it', async () => {
    const app = await connected(held)
    const account = await idOf(app, held)
    await app.ask('rules', { agent: 'assistant', of: { account }, preset: 'off' })
    for (const agent of ['assistant', 'helper']) {
      const error = await thrown(app.run(() => runOf(list())({}, {}), { agent }))
      expect(error).toBeInstanceOf(NotAllowed)
      expect(error).toMatchObject({ code: 'access_denied', because: { by: 'preset', preset: 'off' } })
    }
    expect(sent()).toEqual([])
  })

  it('are in no list that code of the run could read a token from', async () => {
    const app = await connected(held)
    await app.run(async () => {
      expect(currentIdentities()).toEqual([])
      expect(getIdentity('acme')).toBeUndefined()
      expect(Object.keys(AgentContext.current().oauthTokens)).toEqual([])
      expect(AgentContext.current().accounts).toMatchObject([{ provider: 'acme' }])
    })
  })

  it('are not given for a raw token before their person says yes', async () => {
    const app = await connected(held)
    const token = () => app.run(() => AgentContext.current().getToken('acme'))
    const { request } = await notice(token())
    await app.ask(`requests/${request}`, { answer: 'yes' })
    expect((await token()).access_token).toBeTruthy()
    await notice(token())
  })

  it('a fetch is judged by its method, and a yes is for one body', async () => {
    const app = await connected(held)
    const post = (body: string) =>
      app.run(() =>
        createAccountFetch({ rules: [{ provider: acme(), allow: ['* /**'] }], context: AgentContext.current() })(
          `${upstream.origin}/api/items`,
          { method: 'POST', body },
        ),
      )
    const { request } = await notice(post('one'))
    await app.ask(`requests/${request}`, { answer: 'yes' })
    await notice(post('two'))
    answered()
    expect((await post('one')).status).toBe(200)
    expect(sent()).toEqual(['POST one'])
  })

  it('a no is heard by the model, with its reason', async () => {
    const app = await connected(held)
    const write = () => app.run(() => runOf(send())({ text: 'Hello' }, {}), { run: 'm1' })
    const { request } = await notice(write())
    await app.ask(`requests/${request}`, { answer: 'no', reason: 'Not on a Sunday.' })
    expect(await thrown(write())).toMatchObject({ code: 'access_denied', message: expect.stringContaining('Sunday') })
    expect(sent()).toEqual([])
  })

  it('case 200: a stop ends a call that is under way, and says which', async () => {
    const app = await connected(held)
    let arrived = () => {}
    const arriving = new Promise<void>((resolve) => {
      arrived = resolve
    })
    // It never answers.
    upstream.instead.push(() => {
      arrived()
      return true
    })
    const slow = thrown(app.run(() => runOf(list())({}, {})))
    await arriving
    const receipt = await app.ask('stop', { everything: true })
    expect(receipt).toMatchObject({ aborted: [{ agent: 'assistant', tool: 'acme/list', effect: 'read' }] })
    expect(await slow).toMatchObject({ code: 'cancelled' })
    expect(await thrown(app.run(() => runOf(list())({}, {})))).toMatchObject({ because: { by: 'stopped' } })
    await app.ask('resume', { everything: true })
    answered()
    expect(await app.run(() => runOf(list())({}, {}))).toEqual({ status: 200 })
  })

  it('case 178: what a message says of a yes is worth nothing', async () => {
    const app = await connected(held)
    const write = (input: object) => app.run(() => runOf(send())(input, { approved: true }), { run: 'm1' })
    const { request } = await notice(write({ text: 'Hello' }))
    for (const said of [{ approved: true }, { approval: { id: request, approved: true } }, { answer: 'yes' }]) {
      await notice(write({ text: 'Hello', ...said }))
    }
    await notice(write({ text: 'Hello' }))
    expect(sent()).toEqual([])
  })

  it('case 177: no rule is changed from within a run', async () => {
    const app = await connected(held)
    const before = await app.ask('rules')
    await app.run(async () => {
      const rules = [{ provider: acme(), allow: ['* /**' as const] }]
      const fetchAs = createAccountFetch({ rules, context: AgentContext.current() })
      for (const route of ['rules', 'requests/x', 'stop', 'resume']) {
        await expect(fetchAs(`${APP}/api/latchkey/${route}`, { method: 'POST', body: '{}' })).rejects.toThrow()
      }
    })
    expect(await app.ask('rules')).toEqual(before)
  })

  it('case 198: only a request of the own page changes a rule, or answers', async () => {
    const app = await connected(held)
    const { request } = await notice(app.run(() => runOf(send())({ text: 'Hello' }, {})))
    const before = await app.ask('rules')
    const bodies: [string, object][] = [
      ['rules', { agent: 'assistant', of: { provider: 'acme' }, preset: 'trusted' }],
      [`requests/${request}`, { answer: 'yes' }],
      ['stop', { everything: true }],
      ['resume', { everything: true }],
    ]
    const forged = [
      { origin: 'https://evil.example' },
      { origin: undefined },
      { [BROKER_HEADER]: undefined },
      { 'content-type': 'text/plain' },
      { cookie: undefined },
    ]
    for (const [route, body] of bodies) {
      for (const headers of forged) expect((await app.call(route, body, headers)).status).toBeGreaterThanOrEqual(401)
    }
    // A link does nothing: a mail scanner opens it.
    expect((await app.call(`requests/${request}`)).status).toBe(200)
    expect(await app.ask('rules')).toEqual(before)
    expect((await app.ask<{ requests: AgentRequest[] }>('requests')).requests).toMatchObject([{ state: 'waiting' }])
  })

  it('case 196: a request opens for its person alone', async () => {
    const app = await connected(held)
    const { request } = await notice(app.run(() => runOf(send())({ text: 'Hello' }, {})))
    for (const [route, body] of [[`requests/${request}`], [`requests/${request}`, { answer: 'yes' }]] as const) {
      const foreign = await app.call(route, body, { cookie: 'eve' })
      const unknown = await app.call(route.replace(request, 'x'.repeat(22)), body, { cookie: 'eve' })
      expect([foreign.status, await foreign.text()]).toEqual([404, await unknown.text()])
    }
    expect((await app.ask<{ requests: AgentRequest[] }>('requests', undefined, 'eve')).requests).toEqual([])
  })

  it('case 205: a request waits through a restart of the server, and goes on once', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-'))
    ends.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = path.join(folder, 'vault.db')
    const before = await connected(held, {}, sqliteStore(file))
    const write = (app: App) => app.run(() => runOf(send())({ text: 'Hello' }, {}), { run: 'm1' })
    const { request } = await notice(write(before))
    for (const end of ends.splice(1).reverse()) await end()
    const after = await open(held, {}, sqliteStore(file))
    await after.ask(`requests/${request}`, { answer: 'yes' })
    answered()
    expect(await write(after)).toEqual({ status: 200, text: 'Hello' })
    expect(await write(after)).toEqual({ status: 200, text: 'Hello' })
    expect(sent()).toHaveLength(1)
  })

  it('case 201: a stop reaches calls in another process', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-'))
    ends.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = path.join(folder, 'vault.db')
    const here = await connected(held, {}, sqliteStore(file))
    const there = await open(held, {}, sqliteStore(file))
    let arrived = () => {}
    const arriving = new Promise<void>((resolve) => {
      arrived = resolve
    })
    upstream.instead.push(() => {
      arrived()
      return true
    })
    const slow = thrown(here.run(() => runOf(list())({}, {})))
    await arriving
    expect(await there.ask('stop', { agent: 'assistant' })).toMatchObject({ aborted: [] })
    expect(await slow).toMatchObject({ code: 'cancelled' })
  })

  it('case 208: what agents did is shown the newest first, and to nobody else', async () => {
    const app = await connected(held)
    answered()
    await app.run(() => runOf(list())({}, {}))
    await notice(app.run(() => runOf(send())({ text: 'Hello' }, {})))
    type Page = { uses: { action: string; tool?: string; seq: number }[]; next?: number }
    const all = await app.ask<Page>('activity?agent=assistant')
    expect(all.uses.map(({ action, tool }) => [action, tool])).toEqual([
      ['ask', 'acme/send'],
      ['use', 'acme/list'],
    ])
    const [first] = (await app.ask<Page>('activity?agent=assistant&limit=1')).uses
    const rest = await app.ask<Page>(`activity?agent=assistant&before=${first?.seq}`)
    expect(rest.uses).toEqual(all.uses.slice(1))
    expect((await app.ask<Page>('activity', undefined, 'eve')).uses).toEqual([])
    expect((await app.call('activity?limit=-1')).status).toBe(400)
  })

  it('the log says what allowed a call, and which arguments its person changed, and has no value of them', async () => {
    const store = memoryStore()
    const app = await connected(held, {}, store)
    const write = () => app.run(() => runOf(send())({ text: 'CANARY_ASKED' }, {}), { run: 'm1' })
    const { request } = await notice(write())
    await app.ask(`requests/${request}`, { answer: 'yes', args: { text: 'CANARY_TYPED' } })
    answered()
    expect(await write()).toEqual({ status: 200, text: 'CANARY_TYPED' })
    const { uses } = await app.ask<{ uses: Activity[] }>('activity?agent=assistant')
    const rule = 'preset:ask-before-changes'
    expect(uses).toMatchObject([
      { action: 'use', outcome: 'allowed', decision: 'ask', rule, request, edited: 'text' },
      { action: 'answer', outcome: 'allowed', request, edited: 'text' },
      { action: 'ask', decision: 'ask', rule, request },
    ])
    expect(uses[2]).not.toHaveProperty('edited')
    const opened = await app.ask<{ request: AgentRequest }>(`requests/${request}`)
    const said = { args: { text: 'CANARY_ASKED' }, edited: { text: 'CANARY_TYPED' }, state: 'approved' }
    expect(opened.request).toMatchObject(said)
    let lines = ''
    for await (const line of createAudit(store).exportLines('default')) lines += line
    expect(lines).toContain('"edited":"text"')
    expect(lines).not.toContain('CANARY')
    expect(await app.ask('activity/verify', {})).toMatchObject({ ok: true })
  })
})

it('names agents and tools to the page', async () => {
  const app = await open(false)
  expect(await app.ask('agents')).toMatchObject({
    agents: [
      {
        id: 'assistant',
        name: 'Assistant',
        tools: [
          { name: 'acme/list', provider: 'acme', effect: 'read', version: expect.stringMatching(/^[\w-]{43}$/) },
          { name: 'acme/send', title: 'Send', edit: ['text'] },
        ],
      },
      { id: 'helper', name: 'helper', parent: 'assistant', tools: [] },
    ],
  })
})

it('refuses agents that are their own parents, unknown parents, and two tools of one name', () => {
  const make = (agents: BrokerOptions<string>['agents']) => () =>
    createBroker<string>({ providers: [], authenticate: () => null, allowedOrigins: [APP], agents })
  expect(make({ a: { parent: 'b' }, b: { parent: 'a' } })).toThrow('parent of itself')
  expect(make({ a: { parent: 'constructor' } })).toThrow('none of agents')
  expect(make({ a: { tools: [list(), list()] } })).toThrow('two tools named')
})

it.each([
  ['rules', { agent: 'assistant', of: { provider: 'acme' }, preset: 'all' }],
  ['rules', { agent: 'assistant', of: { provider: 'acme' }, preset: 'off', tool: 'x' }],
  ['rules', { agent: '__proto__', of: { provider: 'acme' }, preset: 'off' }],
  ['rules', { agent: 'assistant', end: 1 }],
  ['stop', { everything: false }],
  ['stop', { agent: 'a', account: 'b' }],
  ['resume', {}],
  [`requests/${'x'.repeat(22)}`, { answer: 'maybe' }],
  [`requests/${'x'.repeat(22)}`, { answer: 'yes', lease: 'ever' }],
])('refuses %s with %j', async (route, body) => {
  const app = await open(false)
  const before = await app.ask<{ rules: PersonRules }>('rules')
  expect((await app.call(route, body)).status).toBe(400)
  expect(await app.ask('rules')).toEqual(before)
})

it('asks for scopes that are missing before it asks whether a call may be made', async () => {
  const app = await connected(false)
  const error = await thrown(app.run(() => runOf({ ...send(), scopes: ['write'] })({ text: 'Hello' }, {})))
  expect(error).toBeInstanceOf(AuthorizationRequired)
  expect((await app.ask<{ requests: AgentRequest[] }>('requests')).requests).toEqual([])
})

it('case 216: what a page keeps or sends of rules is worth nothing, and what it names an account is its own', async () => {
  const app = await connected(true)
  const identity = (accountId: string) => ({ provider: 'acme', accessToken: 'CANARY_HELD', accountId })
  const read = async (accountId: string, more: object = {}) => {
    const body = { identities: [identity(accountId)], ...more }
    const { context } = await app.broker.agentContext('ada', body, { agent: 'assistant' })
    answered()
    return context.run(() => thrown(runOf(list())({}, {})))
  }
  const prefer = (of: object, preset: string) => app.ask('rules', { agent: 'assistant', of, preset })
  const never = { code: 'access_denied', because: { by: 'preset', preset: 'off' } }

  await prefer({ provider: 'acme' }, 'off')
  // What another page of the origin wrote into storage, or a body says, is not asked for.
  const rules = { assistant: { accounts: { [ID]: 'trusted' }, providers: {}, rules: [] } }
  expect(await read(ID, { rules, agents: rules, preset: 'trusted' })).toMatchObject(never)
  expect(await read('acme.other')).toMatchObject(never)
  expect(sent()).toEqual([])

  // Not promised: a script of the page sends a token under any id, and what is said of one account is about its id.
  await prefer({ provider: 'acme' }, 'ask-before-changes')
  await prefer({ account: ID }, 'off')
  expect(await read(ID)).toMatchObject(never)
  expect(await read('acme.other')).toBeUndefined()
  // A stop of the agent or of everything is about no id.
  for (const target of [{ agent: 'assistant' }, { everything: true }]) {
    await app.ask('stop', target)
    expect(await read('acme.another')).toMatchObject({ code: 'access_denied', because: { by: 'stopped' } })
    await app.ask('resume', target)
  }
  // What it was called, and each change of a rule, is in the log.
  const { uses } = await app.ask<{ uses: { action: string; account?: string }[] }>('activity')
  expect(uses.filter(({ action }) => action === 'use')).toMatchObject([{ account: 'acme.other' }])
  expect(uses.filter(({ action }) => action === 'rule')).toHaveLength(3)
})

it.each([
  ['once, if it keeps what people say in memory only', {}, 1],
  ['not, if it has a store for it', { oversight: { store: memoryStore(), keys: localKeys(KEY) } }, 0],
])('a server says at its start that a restart forgets: %s', async (_, options, times) => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const broker = createBroker<string>({ providers: [], authenticate: () => null, allowedOrigins: [APP], ...options })
  broker.start()
  broker.start()
  expect(warn.mock.calls.filter(([text]) => `${text}`.includes('a restart of this server forgets'))).toHaveLength(times)
  broker.close()
  warn.mockRestore()
})

describe('one door to a secret', () => {
  const src = path.join(import.meta.dirname, '..')
  const files = globSync('**/*.ts', { cwd: src })
    .filter((file) => !file.includes('.test.'))
    .map((file) => ({ file: file.replaceAll('\\', '/'), text: readFileSync(path.join(src, file), 'utf8') }))
  const naming = (what: RegExp, except: RegExp) =>
    files.filter(({ file, text }) => what.test(text) && !except.test(file)).map(({ file }) => file)

  it('case 192: outside of the vault, only the door opens what the vault keeps', () => {
    expect(naming(/\bensureFresh\(/, /^vault\//)).toEqual(['use/door.ts'])
    expect(naming(/\b(openRow|openBound|unseal)\(/, /^vault\//)).toEqual([])
    // The broker gets the store and the keys for the rules of people, and hands the vault to its own work.
    expect(naming(/\binsideOf\(/, /^vault\//)).toEqual(['broker/broker.ts'])
    expect(naming(/\bidentityOf\(/, /^vault\//)).toEqual(['use/door.ts'])
  })

  it('case 192: only what is authorized has a token', () => {
    // Who asks for permission: every door. Adding one here means that it has a test in this file.
    expect(naming(/\.authorize\(/, /^use\//).sort()).toEqual([
      'agent/account-fetch.ts',
      'agent/context.ts',
      'agent/mcp/client.ts',
      'agent/mcp/command.ts',
      'agent/skills/skills.ts',
      'agent/with-account.ts',
      'broker/broker.ts',
      'broker/routes/proxy.ts',
    ])
    const openers = naming(/\.token\(|openToken\(|\.open\(use/, /^(vault|use)\/|service-credentials/)
    expect(openers.filter((file) => !naming(/\.authorize\(/, /^$/).includes(file))).toEqual([])
    // Where a secret is put into a request.
    expect(naming(/\bsecretOf\(|\bbearer\(/, /^outbound\/api-request/).sort()).toEqual([
      'agent/account-fetch.ts',
      'agent/credentials-fetch.ts',
      'agent/mcp/client.ts',
      'broker/routes/proxy.ts',
    ])
  })
})

it.each([
  [200, 200, undefined],
  [404, 404, 'http_404'],
  [401, 424, 'http_401'],
  [500, 500, 'http_500'],
  [302, 502, 'malformed_response'],
])("what a page's own call is answered with is in its person's activity: %s", async (status, passedOn, reason) => {
  const app = await connected(false, { proxy: { methods: ['GET'] }, agents: { page: {} } })
  upstream.instead.push((_, response) => Boolean(response.writeHead(status).end('CANARY')))
  expect((await app.call(`accounts/${await idOf(app, false)}/api/items`)).status).toBe(passedOn)
  const { uses } = await app.ask<{ uses: Activity[] }>('activity')
  expect(withEndings(uses)[0]).toMatchObject({
    action: 'use',
    tool: 'acme/api.GET',
    outcome: reason ? 'failed' : 'allowed',
  })
  expect(withEndings(uses)[0]?.reason).toBe(reason)
  expect(JSON.stringify(uses)).not.toContain('CANARY')
})

it('activity says what its person changed, in words of ours, and which route a tool calls', async () => {
  const route = '/items/{id}'
  const tool = { ...list(), route }
  const app = await connected(true, { agents: { assistant: { name: 'Assistant', tools: [tool] } } })
  answered()
  await app.run(() => runOf(tool)({}, {}))
  const of = { account: ID }
  const about = { agent: 'assistant', of }
  const until = Date.now() + 3_600_000
  await app.ask('rules', { ...about, preset: 'trusted' })
  await app.ask('rules', { ...about, tool: 'acme/list', version: 'v1', decision: 'ask', until })
  const { rules } = await app.ask<{ rules: PersonRules }>('rules', {
    ...{ ...about, tool: 'acme/list', version: 'v1', decision: 'never' },
  })
  const never = rules.agents.assistant?.rules.find(({ decision }) => decision === 'never')
  await app.ask('rules', { agent: 'assistant', end: never?.id })
  const { uses } = await app.ask<{ uses: Activity[] }>('activity')
  const change = { action: 'rule', agent: 'assistant' }
  expect(uses).toMatchObject([
    { ...change, account: ID, tool: 'acme/list', decision: 'never', lease: 'ended' },
    { ...change, account: ID, tool: 'acme/list', decision: 'never', lease: 'always' },
    { ...change, account: ID, tool: 'acme/list', decision: 'ask', until: new Date(until).toISOString() },
    { ...change, account: ID, preset: 'trusted' },
    { action: 'use', tool: 'acme/list', route },
  ])
})
