// Security cases G, 104-129, 219, 221, 222, 226, 277, 278, 281, 290, 291, 294, 295, 300: Broker and vault. A release waits for 104-111, 115-118, 219, 221, 222, 226, 277, 278, 281, 294, 295.
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { oidc } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { BROKER_HEADER } from '@latchkey/core/token'
import { startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import express from 'express'
import { Hono } from 'hono'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { keyProviderAt, providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import {
  type AccountUse,
  AgentContext,
  AuthorizationRequired,
  type BrokerOptions,
  clientsFromEnv,
  createBroker,
  providersFromEnv,
  type VaultBroker,
} from '../index.ts'
import { localKeys, memoryStore, type VaultOptions, verifyWebhook } from '../vault/index.ts'
import { insideOf } from '../vault/vault.ts'

const APP = 'https://app.example'
const MOUNT = `${APP}/api/latchkey`
const CALLBACK = `${MOUNT}/callback`
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const OTHER_KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const GOOD_KEY = 'CANARY_KEY_12345678'
const UNKNOWN_ACCOUNT = `acme.${'x'.repeat(22)}`

interface Session {
  user: string
  tenant?: string
  session: string
}

let upstream: TinyServer
let vault: ReturnType<typeof openVault>
const written: unknown[] = []

beforeAll(async () => {
  upstream = await startTinyServer()
})
beforeEach(() => {
  upstream.reset()
  upstream.settings.headers = { 'set-cookie': 'upstream=CANARY_COOKIE', 'x-upstream': 'yes' }
  upstream.keys.set(GOOD_KEY, { sub: '12345678', name: 'Key' })
  vault = openVault({ keys: localKeys(KEY) })
  written.length = 0
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...words) => written.push(...words))
  }
})
afterEach(() => {
  // In every test: no secret is in the logs or in the audit log.
  expect(JSON.stringify(written)).not.toContain('CANARY')
  vi.restoreAllMocks()
  vi.useRealTimers()
})
afterAll(() => upstream.close())

/** `ada@phone` of `cookie: session=ada@phone`; `two/ada@phone` is of another tenant. */
function sessionOf(request: Request): Session | null {
  const [, tenant, user, device] = /^session=(?:(\w+)\/)?(\w+)@(\w+)$/.exec(request.headers.get('cookie') ?? '') ?? []
  return user && device ? { user, tenant, session: device } : null
}

function broker(options: Partial<BrokerOptions<Session>> = {}) {
  return createBroker<Session>({
    providers: [providerAt(upstream.origin), keyProviderAt(upstream.origin)],
    clients: { acme: { client_id: 'app', client_secret: 'CANARY_CLIENT' } },
    authenticate: sessionOf,
    owner: (session) => session,
    allowedOrigins: [APP],
    vault,
    ...options,
  }) as VaultBroker<Session>
}

type Headers_ = Record<string, string | undefined>

function call(method: string, route: string, body?: unknown, changed: Headers_ = {}): Request {
  const headers: Headers_ = {
    origin: APP,
    cookie: 'session=ada@phone',
    [BROKER_HEADER]: '1',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...changed,
  }
  const given = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return new Request(`${MOUNT}/${route}`, {
    method,
    headers: given,
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  })
}

async function ask(request: Request, options: Partial<BrokerOptions<Session>> | ReturnType<typeof broker> = {}) {
  const response = await (typeof options === 'function' ? options : broker(options))(request)
  const text = await response.text()
  // No answer of any route contains a secret.
  expect(text).not.toContain('CANARY')
  expect(JSON.stringify([...response.headers])).not.toContain('CANARY')
  return { status: response.status, headers: response.headers, text, json: text ? JSON.parse(text) : undefined }
}

const as = (who: string): Headers_ => ({ cookie: `session=${who}` })

async function connect(who = 'ada@phone', subject = 'ada', options: Partial<BrokerOptions<Session>> = {}) {
  const started = await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }, as(who)), options)
  expect(started.status).toBe(200)
  const response = upstream.approve(started.json.url, subject)
  const request = call('POST', `flows/${started.json.state}`, { response }, as(who))
  const { status, json } = await ask(request, options)
  expect({ status, json }).toMatchObject({ status: 200, json: { account: { provider: 'acme', username: subject } } })
  return json.account as { id: string; provider: string; scopes: string[]; status: string }
}

const connectKey = (who = 'ada@phone', key = GOOD_KEY) =>
  ask(call('POST', 'accounts', { provider: 'keys', fields: { key } }, as(who)))

const owner = (user: string, tenant = 'default') => ({ tenant, user })
const actions = async (user = 'ada') =>
  (await vault.audit.query(owner(user))).map(({ action, outcome, reason }) =>
    [action, outcome, reason].filter(Boolean).join(' '),
  )

describe('flows and accounts', () => {
  it('tells the browser that accounts are kept here', async () => {
    const { json } = await ask(new Request(`${MOUNT}/providers`))
    expect(json.providers).toEqual([
      { id: 'acme', client_id: 'app', mode: 'vault' },
      { id: 'keys', mode: 'vault' },
    ])
    const mixed = await ask(new Request(`${MOUNT}/providers`), { custody: { keys: 'mediate' } })
    expect(mixed.json.providers.map(({ mode }: { mode: string }) => mode)).toEqual(['vault', 'mediate'])
  })

  it('connects with a flow whose verifier and tokens never leave the server, and lists facts', async () => {
    const account = await connect()
    expect(account).toMatchObject({
      custody: 'vault',
      label: 'ada',
      status: 'connected',
      scopes: ['read'],
      renewable: true,
    })
    expect(account.id).toMatch(/^acme\.[\w-]{22}$/)
    expect((await ask(call('GET', 'accounts'))).json.accounts).toEqual([account])
    expect((await ask(call('GET', `accounts/${account.id}`))).json.account).toEqual(account)
    const sent = new URLSearchParams(upstream.to('/token')[0]?.body)
    expect(sent.get('client_secret')).toBe('CANARY_CLIENT')
    // The same person again is the same account.
    expect((await connect('ada@desk')).id).toBe(account.id)
    expect((await ask(call('GET', 'accounts'))).json.accounts).toHaveLength(1)
  })

  it('a disconnect ends the grant, and reports when the provider could not be reached', async () => {
    const { id } = await connect()
    const secret = (await vault.open(owner('ada'), id))?.secret.token
    expect((await ask(call('DELETE', `accounts/${id}`))).json).toEqual({
      status: 'revoked',
      tokens: ['refresh_token', 'access_token'],
    })
    expect(upstream.isLive(secret?.refresh_token ?? '')).toBe(false)
    expect((await ask(call('DELETE', `accounts/${id}`))).status).toBe(404)
    await connect()
    upstream.instead.push((path, answer) => path === '/revoke' && Boolean(answer.writeHead(503).end()))
    expect((await ask(call('DELETE', `accounts/${id}`))).json).toMatchObject({
      status: 'removed',
      error: 'temporarily_unavailable',
    })
    expect((await ask(call('GET', 'accounts'))).json.accounts).toEqual([])
  })

  it('takes a key once, refuses an invalid one, and checks later what could not be checked', async () => {
    expect((await connectKey('ada@phone', 'CANARY_BAD')).json).toMatchObject({ error: 'invalid_token' })
    const { json } = await connectKey()
    expect(json.account).toMatchObject({ provider: 'keys', subject: '12345678', custody: 'vault', renewable: false })
    await ask(call('DELETE', `accounts/${json.account.id}`))
    upstream.settings.verify = 503
    const later = (await connectKey()).json.account
    expect(later.reason).toBe('unverified')
    upstream.settings.verify = 200
    const checked = (await ask(call('POST', `accounts/${later.id}`, {}))).json.account
    expect(checked).toMatchObject({ subject: '12345678' })
    expect(checked.reason).toBeUndefined()
    expect((await ask(call('GET', 'accounts'))).json.accounts).toHaveLength(1)
  })

  it('an account that an API refused is refreshed, or becomes needs-reconnect', async () => {
    const { id } = await connect()
    const before = (await vault.open(owner('ada'), id))?.secret.token?.access_token
    expect((await ask(call('POST', `accounts/${id}`, {}))).json.account.status).toBe('connected')
    expect((await vault.open(owner('ada'), id))?.secret.token?.access_token).not.toBe(before)
    upstream.instead.push(
      (path, answer) => path === '/token' && Boolean(answer.writeHead(400).end('{"error":"invalid_grant"}')),
    )
    const dead = (await ask(call('POST', `accounts/${id}`, {}))).json.account
    expect(dead).toMatchObject({ status: 'needs-reconnect', reason: 'revoked' })
    expect((await vault.open(owner('ada'), id))?.secret).toEqual({ revoked: true })
    // Reconnecting repairs it. A sign-in of another person does not.
    const flow = { provider: 'acme', redirect_uri: CALLBACK, accountId: id }
    const wrong = (await ask(call('POST', 'flows', flow))).json
    const other = await ask(call('POST', `flows/${wrong.state}`, { response: upstream.approve(wrong.url, 'grace') }))
    expect(other.json.error).toBe('account_changed')
    expect(await connect()).toMatchObject({ id, status: 'connected' })
  })

  it('refreshes before expiry in the background, once per round', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    upstream.settings.expiresIn = 1800
    const { id } = await connect()
    await connectKey()
    const handle = broker()
    expect(await handle.refreshDue(300)).toBe(0)
    vi.setSystemTime(start + 1600_000)
    expect(await handle.refreshDue(100)).toBe(0)
    upstream.settings.expiresIn = 60
    expect(await handle.refreshDue(300)).toBe(1)
    // A short-lived token is not refreshed in every round.
    expect(await handle.refreshDue(300)).toBe(0)
    vi.setSystemTime(start + 1645_000)
    upstream.settings.expiresIn = 3600
    expect(await handle.refreshDue(300)).toBe(1)
    expect(await handle.refreshDue(300)).toBe(0)
    expect(upstream.refreshes()).toHaveLength(2)
    expect((await vault.find(owner('ada'), id))?.expiresAt).toBeGreaterThan(Date.now() + 3_000_000)
    vi.useRealTimers()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    upstream.settings.expiresIn = 200
    await connect()
    const onError = vi.fn()
    const background = broker({ onError })
    const due = vi.spyOn(insideOf(vault), 'due').mockResolvedValue([])
    vi.advanceTimersByTime(90_000)
    expect(due).not.toHaveBeenCalled()
    background.start()
    background.start()
    vi.advanceTimersByTime(30_000)
    expect(due).toHaveBeenCalledTimes(1)
    const broken = new Error('The disk is full.')
    due.mockRejectedValueOnce(broken).mockClear()
    vi.advanceTimersByTime(30_000)
    await vi.waitFor(() => expect(onError).toHaveBeenCalledExactlyOnceWith(broken, 'refresh'))
    background.close()
    vi.advanceTimersByTime(90_000)
    expect(due).toHaveBeenCalledTimes(1)
  })
})

describe('a grant that is not over', () => {
  const AS = { agent: 'assistant' }
  const ADA_PHONE = { user: 'ada', session: 'phone' }
  const contextOf = async (id: string, handle = broker()) => {
    const sent = { connectedAccounts: [{ provider: 'acme', accountId: id }] }
    return (await handle.agentContext(ADA_PHONE, sent, AS)).context
  }

  it('case 243: Retry-After is obeyed by tools and the background, and told', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    upstream.settings.expiresIn = 30
    const { id } = await connect()
    vi.setSystemTime(Date.now() + 31_000)
    upstream.fault('/token', { status: 429, body: 'slow down', headers: { 'retry-after': '3600' } })
    const later = { code: 'temporarily_unavailable', next: 'wait', retryAfter: expect.any(Number) }
    for (let call = 0; call < 10; call++) {
      // Another sign-in would not help, so the tool does not ask for one.
      await expect(
        (await contextOf(id)).getToken('acme', { effect: 'read', forceRefresh: call % 2 === 1 }),
      ).rejects.toMatchObject(later)
    }
    for (let round = 0; round < 5; round++) {
      vi.setSystemTime(Date.now() + 30_000)
      expect(await broker().refreshDue()).toBe(0)
    }
    expect(upstream.refreshes()).toHaveLength(1)
    const { status, headers, json } = await ask(call('POST', `accounts/${id}`, {}))
    expect([status, json.error]).toEqual([503, 'temporarily_unavailable'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(3400)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(3450)
    expect(await vault.find(owner('ada'), id)).toMatchObject({ status: 'connected' })
    vi.setSystemTime(Date.now() + 3_600_000)
    upstream.settings.expiresIn = 3600
    expect(upstream.isLive((await (await contextOf(id)).getToken('acme', { effect: 'read' })).access_token)).toBe(true)
  })

  it('case 246: an account that its person paused is refused on the server', async () => {
    upstream.settings.expiresIn = 30
    const { id } = await connect()
    const handle = broker({ proxy: { methods: ['GET'] } })
    const pause = async (paused: boolean) => (await ask(call('POST', `accounts/${id}`, { paused }))).json.account
    upstream.requests.length = 0
    expect(await pause(true)).toMatchObject({ id, status: 'paused' })
    for (const forceRefresh of [false, true]) {
      const asked = (await contextOf(id, handle)).getToken('acme', { effect: 'read', forceRefresh })
      await expect(asked).rejects.toThrow(AuthorizationRequired)
    }
    const proxied = await ask(call('GET', `accounts/${id}/api/me`), handle)
    expect([proxied.status, proxied.json.error]).toEqual([403, 'access_denied'])
    expect(await handle.refreshDue(1e6)).toBe(0)
    expect((await ask(call('POST', `accounts/${id}`, {}))).json.account.status).toBe('paused')
    expect(upstream.requests).toEqual([])
    expect((await actions()).slice(-2)).toEqual(['deny denied access_denied', 'deny denied access_denied'])
    // Another person can neither pause it nor end the pause.
    const foreign = await ask(call('POST', `accounts/${id}`, { paused: false }, as('eve@phone')))
    expect(foreign.status).toBe(404)
    expect(await pause(false)).toMatchObject({ status: 'connected' })
    expect(
      upstream.isLive((await (await contextOf(id, handle)).getToken('acme', { effect: 'read' })).access_token),
    ).toBe(true)
  })

  it('case 247: a flow or key that a deleted user had begun brings no account back', async () => {
    await connect()
    const begin = async () => (await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))).json
    const finish = ({ url, state }: { url: string; state: string }) =>
      ask(call('POST', `flows/${state}`, { response: upstream.approve(url, 'ada') }))
    const before = await begin()
    await broker().deleteUser({ user: 'ada' })
    upstream.requests.length = 0
    expect((await finish(before)).status).toBe(404)
    expect(upstream.requests).toEqual([])

    // Deleted while the code, or the key, is being checked.
    const during = await begin()
    let answer = () => {}
    const after = new Promise<void>((resolve) => {
      answer = resolve
    })
    upstream.fault('/token', { after })
    upstream.fault('/key', { after })
    const finished = [finish(during), connectKey()]
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(2))
    await broker().deleteUser({ user: 'ada' })
    answer()
    for (const { status } of await Promise.all(finished)) expect(status).toBeGreaterThanOrEqual(400)
    expect(await vault.list(owner('ada'))).toEqual([])
    expect(upstream.to('/revoke').length).toBeGreaterThan(0)
    // Who comes back later begins anew.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1000 })
    await connect()
    expect((await connectKey()).status).toBe(200)
  })

  it('case 248: another account is asked for with the chooser, and scopes that nobody asked for are told', async () => {
    const choosing = { ...providerAt(upstream.origin), chooserParams: { prompt: 'select_account' } }
    const options = { providers: [choosing] }
    for (const choose of [true, false, undefined, 'yes']) {
      const body = { provider: 'acme', redirect_uri: CALLBACK, choose }
      const { url } = (await ask(call('POST', 'flows', body), options)).json
      expect(new URL(url).searchParams.get('prompt')).toBe(choose === true ? 'select_account' : null)
    }
    const adding = { ...providerAt(upstream.origin), authorizationParams: { add: 'yes' }, onlyParams: { add: 'no' } }
    for (const only of [true, undefined]) {
      const body = { provider: 'acme', redirect_uri: CALLBACK, scopes: ['read'], only }
      const { url } = (await ask(call('POST', 'flows', body), { providers: [adding] })).json
      expect(new URL(url).searchParams.get('add')).toBe(only ? 'no' : 'yes')
    }
    upstream.fault('/token', { change: (answer) => ({ ...answer, scope: 'read admin' }) })
    expect(await connect()).toMatchObject({ scopes: ['read', 'admin'], extraScopes: ['admin'] })
  })

  it('case 281: wrong keys are told at the start, and accounts say why they cannot be used', async () => {
    const { id } = await connect()
    const onError = vi.fn()
    broker({ onError }).start()
    const lost = openVault({ store: vault.store, keys: localKeys(OTHER_KEY) })
    const handle = broker({ vault: lost, onError })
    handle.start()
    await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(1))
    const [error, where] = onError.mock.calls[0]!
    expect([error.code, where]).toEqual(['secret_unavailable', 'keys'])
    expect(error.message).toContain('TOKEN_ENCRYPTION_KEY')
    const told = { id, status: 'needs-reconnect', reason: 'secret_unavailable' }
    expect((await ask(call('GET', 'accounts'), handle)).json.accounts).toMatchObject([told])
    expect((await ask(call('GET', `accounts/${id}`), handle)).json.account).toMatchObject(told)
    // Without `onError` it is written to the console.
    const silent = broker({ vault: lost })
    silent.start()
    await vi.waitFor(() => expect(written.join()).toContain('TOKEN_ENCRYPTION_KEY'))
    silent.close()
    handle.close()
    // The same id for another key: that shows when a row is opened.
    const store = memoryStore()
    const [named, wrong] = [KEY, OTHER_KEY].map((key) => openVault({ store, keys: localKeys(`2026:${key}`) }))
    const kept = await vault.open(owner('ada'), id)
    await named!.save(owner('ada'), id, () => kept!)
    const changed = broker({ vault: wrong!, onError })
    onError.mockClear()
    changed.start()
    await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(1))
    changed.close()
    expect((await ask(call('GET', 'accounts'), changed)).json.accounts).toMatchObject([told])
  })
})

describe('references', () => {
  it.each([60, 10, 1])('case 279: a token of %d s is used, and refreshed once for 50 uses', async (seconds) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      upstream.settings.expiresIn = seconds
      const account = await connect()
      const use = async () => {
        const handle = broker()
        const sent = { connectedAccounts: [{ provider: 'acme', accountId: account.id }] }
        const { context } = await handle.agentContext({ user: 'ada', session: 'phone' }, sent, { agent: 'assistant' })
        for (let turn = 0; turn < 50; turn += 1) await context.getToken('acme', { effect: 'read' })
      }
      await use()
      expect(upstream.refreshes()).toEqual([])
      vi.setSystemTime(Date.now() + seconds * 700)
      await use()
      expect(upstream.refreshes()).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })

  const reference = ({ id, provider }: { id: string; provider: string }) => ({ provider, accountId: id })

  /** The tokens that a tool gets for references, without those of accounts that it has to ask for. */
  async function tokensOf(
    who: Request | Session,
    connectedAccounts: unknown,
    use: AccountUse = { agent: 'assistant' },
    handle = broker(),
  ) {
    const { context } = await handle.agentContext(who, { connectedAccounts }, use)
    const asked = context.accounts.map(async ({ provider }) => {
      try {
        return [await context.getToken(provider, { effect: 'read' })]
      } catch (error) {
        expect(error).toBeInstanceOf(AuthorizationRequired)
        return []
      }
    })
    return (await Promise.all(asked)).flat()
  }

  it('become fresh tokens only in a run of their owner', async () => {
    upstream.settings.expiresIn = 0
    const account = await connect()
    const sent = { messages: [], connectedAccounts: [{ ...reference(account), status: 'connected', scopes: ['read'] }] }
    upstream.settings.expiresIn = 3600
    const { context, body } = await broker().agentContext(call('POST', 'x', {}), sent, { agent: 'assistant' })
    expect(body).toEqual({ messages: [] })
    expect(context).toMatchObject({ userId: 'ada', accounts: [reference(account)] })
    // Nothing is opened before a tool uses it.
    expect(await actions()).toEqual(['connect allowed'])
    const token = await context.getToken('acme', { effect: 'read', toolName: 'list' })
    expect(token).toMatchObject({ provider: 'acme', accountId: account.id, scopes: ['read'] })
    expect(upstream.isLive(token.access_token)).toBe(true)
    expect(upstream.refreshes()).toHaveLength(1)
    // Written down before it is refreshed: what cannot be recorded does not happen.
    expect(await actions()).toEqual(['connect allowed', 'use allowed', 'refresh allowed'])
    const log = await vault.audit.query(owner('ada'))
    expect(log[1]).toMatchObject({
      action: 'use',
      outcome: 'allowed',
      provider: 'acme',
      account: account.id,
      agent: 'assistant',
      tool: 'acme/list',
      effect: 'read',
      decision: 'allow',
      rule: 'preset:ask-before-changes',
      host: upstream.origin,
    })
    expect(JSON.stringify(log)).not.toContain('CANARY')
  })

  it('work beside tokens, each for its own provider', async () => {
    const account = await connect()
    const tokens = [
      { provider: 'keys', accessToken: 'CANARY_KEY_of_the_browser' },
      { provider: 'acme', accessToken: 'CANARY_of_the_browser' },
    ]
    const sent = { params: { metadata: { identities: tokens, connectedAccounts: [reference(account)], trace: 1 } } }
    const { context, body } = await broker().agentContext({ user: 'ada', session: 'phone' }, sent, {
      agent: 'assistant',
    })
    expect(body).toEqual({ params: { metadata: { trace: 1 } } })
    const kept = (await vault.open(owner('ada'), account.id))?.secret.token?.access_token
    const used: string[] = []
    const answer = await context.respond(async function* () {
      for (const provider of ['keys', 'acme']) {
        used.push((await AgentContext.current().getToken(provider, { effect: 'read' })).access_token)
        yield provider
      }
    })
    for await (const provider of answer) expect(['keys', 'acme']).toContain(provider)
    expect(used).toEqual(['CANARY_KEY_of_the_browser', kept])
  })

  it('case 116: an account of another person cannot be seen, checked, disconnected or used', async () => {
    const account = await connect('ada@phone')
    const mine = await connect('eve@phone', 'eve')
    for (const who of ['eve@phone', 'two/ada@phone', 'adam@phone']) {
      for (const [method, body] of [['GET'], ['DELETE'], ['POST', {}]] as const) {
        const foreign = await ask(call(method, `accounts/${account.id}`, body, as(who)))
        const unknown = await ask(call(method, `accounts/${UNKNOWN_ACCOUNT}`, body, as(who)))
        expect({ method, who, status: foreign.status }).toEqual({ method, who, status: 404 })
        expect(foreign.text).toBe(unknown.text)
      }
      const api = call('GET', `accounts/${account.id}/api/me`, undefined, as(who))
      expect((await ask(api, { proxy: { methods: ['GET'] } })).status).toBe(404)
      expect(await tokensOf(call('POST', 'x', {}, as(who)), [reference(account)])).toEqual([])
    }
    await expect(tokensOf(call('POST', 'x', {}, as('nobody')), [reference(account)])).rejects.toMatchObject({
      code: 'login_required',
    })
    expect(await actions('eve')).toEqual(['connect allowed', 'deny denied login_required'])
    expect((await vault.list(owner('ada'))).map(({ id }) => id)).toEqual([account.id])
    expect((await vault.list(owner('eve'))).map(({ id }) => id)).toEqual([mine.id])
  })

  it('give nothing to another agent, for another audience, or under another provider', async () => {
    const account = await connect()
    const handle = broker({ agents: { assistant: { providers: ['acme'] }, other: { providers: ['keys'] } } })
    const session = { user: 'ada', session: 'phone' }
    const resolve = (use: AccountUse, change: object = {}) =>
      tokensOf(session, [{ ...reference(account), ...change }], use, handle)
    expect(await resolve({ agent: 'assistant' })).toHaveLength(1)
    expect(await resolve({ agent: 'assistant', audience: upstream.origin })).toHaveLength(1)
    for (const agent of ['other', 'nobody', '__proto__', '']) expect(await resolve({ agent })).toEqual([])
    for (const audience of ['https://evil.test', `${upstream.origin}.evil.test`, '', 'null']) {
      expect(await resolve({ agent: 'assistant', audience })).toEqual([])
    }
    expect(await resolve({ agent: 'other' }, { provider: 'keys' })).toEqual([])
    for (const wrong of [
      undefined,
      'x',
      [null],
      [{ provider: 'acme' }],
      [{ provider: '__proto__', accountId: account.id }],
    ]) {
      expect(await tokensOf(session, wrong, { agent: 'assistant' }, handle)).toEqual([])
    }
    expect((await actions()).filter((line) => line.startsWith('deny'))).toEqual([
      ...Array(4).fill('deny denied access_denied'),
      ...Array(4).fill('deny denied invalid_target'),
      'deny denied login_required',
      'deny denied not_configured',
    ])
  })

  it('case 295: a tool gets the account that the page chose, and what its agent may not have is not refreshed', async () => {
    const older = await connect('ada@phone', 'ada')
    const newer = await connect('ada@phone', 'ada2')
    const foreign = await connect('eve@phone', 'eve')
    const handle = broker({ agents: { assistant: { providers: ['acme'] } } })
    const contextOf = async (account: { id: string; provider: string }, use: AccountUse = { agent: 'assistant' }) => {
      const sent = { connectedAccounts: [reference(account)] }
      return (await handle.agentContext({ user: 'ada', session: 'phone' }, sent, use)).context
    }
    const tokenOf = async (user: string, id: string) => (await vault.open(owner(user), id))?.secret.token?.access_token
    for (const { id, provider } of [older, newer]) {
      const context = await contextOf({ id, provider })
      expect((await context.getToken('acme', { effect: 'read' })).access_token).toBe(await tokenOf('ada', id))
      const renewed = await context.getToken('acme', { effect: 'read', forceRefresh: true })
      expect([renewed.accountId, renewed.access_token]).toEqual([id, await tokenOf('ada', id)])
    }
    expect(upstream.refreshes()).toHaveLength(2)
    // No other account is used instead of one that is missing or has ended.
    await vault.mark(owner('ada'), older.id, 'needs-reconnect', 'revoked')
    for (const account of [older, foreign, { id: UNKNOWN_ACCOUNT, provider: 'acme' }]) {
      for (const forceRefresh of [false, true]) {
        const asked = (await contextOf(account)).getToken('acme', { effect: 'read', forceRefresh })
        await expect(asked).rejects.toMatchObject({ request: { provider: 'acme', accountId: account.id } })
      }
    }
    for (const use of [{ agent: 'stranger' }, { agent: 'assistant', audience: 'https://evil.test' }]) {
      const asked = (await contextOf(newer, use)).getToken('acme', { effect: 'read', forceRefresh: true })
      await expect(asked).rejects.toThrow(AuthorizationRequired)
    }
    expect(upstream.refreshes()).toHaveLength(2)
    expect((await actions()).slice(-2)).toEqual(['deny denied access_denied', 'deny denied invalid_target'])
  })

  it('case 221: facts that were changed in the database make the account unusable, and the audit log has an entry', async () => {
    const acme = await connect()
    const key = (await connectKey()).json.account
    const others = [providerAt(upstream.origin, 'other'), keyProviderAt(upstream.origin)]
    const handle = broker({ providers: [providerAt(upstream.origin), ...others], proxy: { methods: ['GET'] } })
    for (const { id, provider } of [acme, key]) {
      const { store } = vault
      const written = (await store.get(owner('ada'), id))!
      const facts = JSON.parse(written.facts)
      const changes = [
        { provider: 'other' },
        { scopes: ['read', 'admin'] },
        { issuer: 'https://evil.test' },
        { id: UNKNOWN_ACCOUNT, custody: undefined, label: 'grace' },
      ]
      let { rev } = written
      for (const change of changes) {
        rev += 1
        await store.put({ ...written, rev, facts: JSON.stringify({ ...facts, ...change }) }, rev - 1)
        upstream.requests.length = 0
        const before = (await actions()).length
        const [listed] = (await ask(call('GET', 'accounts'), handle)).json.accounts.filter(
          (account: { id: string }) => account.id === id,
        )
        expect(listed).toMatchObject({ id, provider, custody: 'vault' })
        for (const named of [provider, 'other']) {
          const sent = { connectedAccounts: [{ provider: named, accountId: id }] }
          const run = await handle.agentContext({ user: 'ada', session: 'phone' }, sent, { agent: 'assistant' })
          for (const forceRefresh of [false, true]) {
            await expect(run.context.getToken(named, { effect: 'read', forceRefresh })).rejects.toThrow(
              AuthorizationRequired,
            )
          }
        }
        expect((await ask(call('GET', `accounts/${id}/api/me`), handle)).json.error).toBe('secret_unavailable')
        // A reconnect does not ask for scopes that an attacker wrote into the facts.
        const flow = { provider: 'acme', redirect_uri: CALLBACK, accountId: id }
        const { url } = (await ask(call('POST', 'flows', flow), handle)).json
        expect(new URL(url).searchParams.get('scope')).toBe('read')
        expect(upstream.requests).toEqual([])
        expect((await actions()).slice(before)).toContain('tamper failed secret_unavailable')
      }
      // The account is removed here, and its secret is sent nowhere.
      expect((await ask(call('DELETE', `accounts/${id}`), handle)).json.status).toBe('removed')
      expect(upstream.requests).toEqual([])
    }
  })

  describe('a provider at another server than the one that an account is of', () => {
    /** Every use of an account. None of them may send a request. */
    async function nothingIsSent(
      handle: ReturnType<typeof broker>,
      account: { id: string; provider: string },
      reason: string,
    ) {
      const { id, provider } = account
      await handle.refreshDue(1e6)
      const sent = { connectedAccounts: [reference(account)] }
      const { context } = await handle.agentContext({ user: 'ada', session: 'phone' }, sent, { agent: 'assistant' })
      for (const forceRefresh of [false, true]) {
        await expect(context.getToken(provider, { effect: 'read', forceRefresh })).rejects.toThrow(
          AuthorizationRequired,
        )
      }
      expect((await ask(call('GET', `accounts/${id}/api/me`), handle)).json.error).toBe('invalid_token')
      for (const method of ['GET', 'POST']) {
        const { json } = await ask(call(method, `accounts/${id}`, method === 'POST' ? {} : undefined), handle)
        expect(json.account).toMatchObject({ id, status: 'needs-reconnect', reason })
      }
      expect(await vault.find(owner('ada'), id)).toMatchObject({ status: 'needs-reconnect', reason })
    }

    it.each([
      ['endpoints of its own', providerAt],
      [
        'discovery',
        (origin: string) => oidc({ id: 'acme', name: 'Acme', issuer: origin, baseUrl: origin, scopes: ['read'] }),
      ],
    ])(
      'case 219: an account of issuer A is not used at issuer B, which a provider with %s names',
      async (_name, at) => {
        const b = await startTinyServer()
        // Its tokens differ from those of A.
        for (let at = 0; at < 20; at++) b.grant('nobody')
        try {
          const clients = { acme: { client_id: 'app', client_secret: 'CANARY_CLIENT' } }
          const options = (origin: string) => ({ providers: [at(origin)], clients, proxy: { methods: ['GET'] } })
          upstream.settings.expiresIn = 0
          const account = await connect('ada@phone', 'ada', options(upstream.origin))
          const other = await connect('ada@phone', 'grace', options(upstream.origin))
          const secrets = await Promise.all(
            [account, other].map(async ({ id }) => (await vault.open(owner('ada'), id))?.secret.token),
          )
          upstream.requests.length = 0
          const handle = broker(options(b.origin))
          await nothingIsSent(handle, account, 'issuer_changed')
          expect((await ask(call('DELETE', `accounts/${other.id}`), handle)).json.status).toBe('removed')
          // Connected again at B, whose answer has no refresh token, it is an account of B and has nothing of A.
          b.settings.rotate = false
          const flow = { provider: 'acme', redirect_uri: CALLBACK, accountId: account.id }
          const { url, state } = (await ask(call('POST', 'flows', flow), handle)).json
          b.instead.push((path, answer) => {
            if (path !== '/token') return false
            answer.writeHead(200, { 'content-type': 'application/json' })
            answer.end(
              JSON.stringify({ access_token: b.grant('ada').access_token, token_type: 'bearer', scope: 'read' }),
            )
            return true
          })
          const { json } = await ask(call('POST', `flows/${state}`, { response: b.approve(url, 'ada') }), handle)
          expect(json.account).toMatchObject({ issuer: b.origin, status: 'connected', renewable: false })
          expect((await ask(call('GET', 'accounts'), handle)).json.accounts).toMatchObject([{ id: json.account.id }])
          const received = JSON.stringify([
            b.requests,
            upstream.requests.filter(({ path }) => !path.startsWith('/.well')),
          ])
          for (const token of secrets) {
            for (const value of [token?.access_token, token?.refresh_token])
              expect(received).not.toMatch(new RegExp(`${value}\\b`))
          }
        } finally {
          await b.close()
        }
      },
    )

    it('case 226: accounts of a provider that is at another host now need to be connected again', async () => {
      const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response('{}', { status: 500 }))
      const [before, after] = ['https://old.example', 'https://new.example']
      const at = (baseUrl: string) => [github({ baseUrl }), keyProviderAt(baseUrl), kaggle({ baseUrl })]
      const options = {
        clients: { github: { client_id: 'app', client_secret: 'secret' } },
        proxy: { methods: ['GET'] },
        fetch,
      }
      for (const [index, provider] of at(before).entries()) {
        const id = `${provider.id}.${'m'.repeat(22)}`
        const token = { access_token: 'at', refresh_token: 'rt', token_type: 'bearer', issuer: provider.issuer }
        const isKey = provider.kind === 'api-key'
        const stored = {
          id,
          provider: provider.id,
          issuer: provider.issuer,
          resource: new URL(provider.apiBaseUrl).origin,
          label: 'ada',
          scopes: [],
          missingScopes: [],
          status: 'connected' as const,
          renewable: !isKey,
          connectedAt: 1,
          rev: 0,
        }
        const secret = isKey
          ? { fields: { key: GOOD_KEY, token: GOOD_KEY, username: 'ada' } }
          : { token, expiresAt: Date.now() }
        await vault.save(owner('ada'), id, () => ({ account: stored, secret }))
        const handle = broker({ ...options, providers: at(after) })
        const reason = at(after)[index]!.issuer === provider.issuer ? 'resource_changed' : 'issuer_changed'
        await nothingIsSent(handle, stored, reason)
        // The provider is back, so the account works again.
        const back = broker({ ...options, providers: at(before) })
        expect((await ask(call('POST', `accounts/${id}`, {}), back)).json.account).toMatchObject({
          status: 'connected',
        })
        fetch.mockClear()
        expect((await ask(call('DELETE', `accounts/${id}`), handle)).json.status).toBe('removed')
        expect(fetch).not.toHaveBeenCalled()
      }
    })
  })

  it('case 121: connect, refresh, use, revoke and deny are all in the log, which holds', async () => {
    upstream.settings.expiresIn = 0
    const account = await connect()
    await tokensOf({ user: 'ada', session: 'phone' }, [reference(account), { ...reference(account), provider: 'keys' }])
    await ask(call('DELETE', `accounts/${account.id}`))
    expect((await actions()).sort()).toEqual([
      'connect allowed',
      'deny denied login_required',
      'refresh allowed',
      'revoke allowed revoked',
      'use allowed',
    ])
    expect(await vault.audit.verify('default')).toMatchObject({ ok: true, entries: 5 })
  })

  it('case 129: deleting a user removes everything and revokes every grant', async () => {
    const accounts = [
      await connect('ada@phone', 'ada'),
      await connect('ada@phone', 'ada2'),
      await connect('ada@phone', 'ada3'),
    ]
    await connectKey()
    await connect('eve@phone', 'eve')
    const secrets = await Promise.all(
      accounts.map(async ({ id }) => (await vault.open(owner('ada'), id))?.secret.token),
    )
    upstream.requests.length = 0
    const receipts = await broker().deleteUser({ user: 'ada' })
    expect(
      Object.values(receipts)
        .map(({ status }) => status)
        .sort(),
    ).toEqual(['removed', 'revoked', 'revoked', 'revoked'])
    const told = upstream.to('/revoke').map(({ body }) => new URLSearchParams(body).get('token'))
    for (const token of secrets) expect(told).toContain(token?.refresh_token)
    for (const token of secrets) expect(upstream.isLive(token?.access_token ?? '')).toBe(false)
    expect(await vault.list(owner('ada'))).toEqual([])
    expect(await vault.list(owner('eve'))).toHaveLength(1)
  })
})

describe('guards', () => {
  const routes: [string, string, object?][] = [
    ['POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }],
    ['POST', 'flows/state', { response: '?code=x&state=state' }],
    ['GET', 'accounts'],
    ['POST', 'accounts', { provider: 'keys', fields: { key: GOOD_KEY } }],
    ['GET', `accounts/${UNKNOWN_ACCOUNT}`],
    ['POST', `accounts/${UNKNOWN_ACCOUNT}`, {}],
    ['DELETE', `accounts/${UNKNOWN_ACCOUNT}`],
    ['GET', `accounts/${UNKNOWN_ACCOUNT}/api/me`],
    ['POST', `accounts/${UNKNOWN_ACCOUNT}/api/me`, {}],
    ['DELETE', `accounts/${UNKNOWN_ACCOUNT}/api/me`],
    ['POST', 'token', { provider: 'acme' }],
    ['POST', 'revoke', { provider: 'acme' }],
    ['POST', 'verify', { provider: 'keys' }],
  ]
  const proxy = { methods: ['GET', 'POST', 'DELETE'] }

  it('case 104: requires a session on every route of the vault', async () => {
    for (const [method, route, body] of routes) {
      for (const cookie of [undefined, 'session=', 'session=ada', 'other=ada@phone']) {
        const { status, json } = await ask(call(method, route, body, { cookie }), { proxy })
        expect({ method, route, status, error: json.error }).toEqual({
          method,
          route,
          status: 401,
          error: 'login_required',
        })
      }
    }
    expect(upstream.requests).toEqual([])
  })

  it('uses the session that the app passes, and does not call `authenticate`', async () => {
    const authenticate = vi.fn()
    const handle = broker({ authenticate })
    const { id } = await connect()
    const list = async (session: Session | null) => handle.fetch(call('GET', 'accounts'), { session })
    expect((await (await list({ user: 'ada', session: 'x' })).json()).accounts).toMatchObject([{ id }])
    expect((await (await list({ user: 'eve', session: 'x' })).json()).accounts).toEqual([])
    expect((await list(null)).status).toBe(401)
    expect(authenticate).not.toHaveBeenCalled()
    expect((await handle.fetch(call('GET', 'accounts'))).status).toBe(401)
    expect(authenticate).toHaveBeenCalledTimes(1)
  })

  it("case 105: accepts only what the app's own page can send", async () => {
    const authenticate = vi.fn()
    for (const [method, route, body] of routes) {
      const foreign: Headers_[] = [
        { [BROKER_HEADER]: undefined },
        { origin: 'https://evil.example' },
        { origin: `${APP}.evil.test` },
        { origin: 'null' },
        { 'sec-fetch-site': 'none' },
        ...(method === 'GET' ? [{ origin: undefined, 'sec-fetch-site': 'cross-site' }] : [{ origin: undefined }]),
        ...(body
          ? [
              { 'content-type': 'text/plain' },
              { 'content-type': 'application/x-www-form-urlencoded' },
              { 'content-type': 'multipart/form-data; boundary=x' },
            ]
          : []),
      ]
      for (const change of foreign) {
        const { status } = await ask(call(method, route, body, change), { authenticate, proxy })
        expect({ method, route, change, status }).toEqual({ method, route, change, status: 403 })
      }
    }
    expect(authenticate).not.toHaveBeenCalled()
    // Browsers leave Origin out of a GET to the page's own origin.
    const own = { origin: undefined, 'sec-fetch-site': 'same-origin' }
    expect((await ask(call('GET', 'accounts', undefined, own))).status).toBe(200)
  })

  it('case 106: CORS headers name only an allowed origin, and only existing methods', async () => {
    const preflight = (origin: string) =>
      ask(
        new Request(`${MOUNT}/accounts/${UNKNOWN_ACCOUNT}`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'DELETE' },
        }),
      )
    const { headers } = await preflight(APP)
    expect(headers.get('access-control-allow-methods')).toBe('GET, POST, DELETE')
    expect(headers.get('access-control-allow-origin')).toBe(APP)
    for (const origin of ['https://evil.example', 'null', '*', `${APP}.evil.test`]) {
      for (const answer of [await preflight(origin), await ask(call('GET', 'accounts', undefined, { origin }))]) {
        expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      }
    }
  })

  it('case 107: starts a flow only for an exact redirect URI', async () => {
    for (const redirect_uri of [
      `${CALLBACK}/`,
      `${CALLBACK}x`,
      `${CALLBACK}?x`,
      `${CALLBACK}#x`,
      `${MOUNT}/../latchkey/callback`,
      `${MOUNT}/%63allback`,
      `${APP}/api/%2e%2e/api/latchkey/callback`,
      `${APP}:443/api/latchkey/callback`,
      `${APP}:8443/api/latchkey/callback`,
      'https://user@app.example/api/latchkey/callback',
      'https://app.example.evil.test/api/latchkey/callback',
      'https://evil.test/callback',
    ]) {
      const { status } = await ask(call('POST', 'flows', { provider: 'acme', redirect_uri }))
      expect({ redirect_uri, status }).toEqual({ redirect_uri, status: 400 })
    }
  })

  it('case 276: a request below another path does not make the redirect URI of that path known', async () => {
    const at = (mount: string, options: Partial<BrokerOptions<Session>> = {}) => {
      const body = JSON.stringify({ provider: 'acme', redirect_uri: `${APP}${mount}/callback` })
      return ask(new Request(`${APP}${mount}/flows`, { ...init, body }), options)
    }
    const { headers } = call('POST', 'flows', {})
    const init = { method: 'POST', headers }
    for (const mount of ['/uploads/eve', '', '/api/latchkey/x', '/api']) {
      const { status, json } = await at(mount)
      expect([mount, status]).toEqual([mount, 400])
      expect(json.message).toContain('basePath')
    }
    expect((await at('/api/latchkey')).status).toBe(200)
    expect((await at('/accounts', { basePath: '/accounts' })).status).toBe(200)
    expect((await at('', { basePath: '' })).status).toBe(200)
  })

  it('case 276: an agent called constructor is an agent like others', async () => {
    const { id } = await connect()
    const sent = { connectedAccounts: [{ provider: 'acme', accountId: id }] }
    for (const agent of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      const open = (agents: BrokerOptions<Session>['agents']) =>
        broker({ agents })
          .agentContext({ user: 'ada', session: 'phone' }, sent, { agent })
          .then(({ context }) => context.getToken('acme', { effect: 'read' }))
      await expect(open({ assistant: { providers: ['acme'] } })).rejects.toThrow(AuthorizationRequired)
      await expect(open(JSON.parse(`{"${agent}": {"providers": ["acme"]}}`))).resolves.toBeDefined()
    }
  })

  it('case 276: a page cannot make a GET into a DELETE, nor leave the API by a path that servers read otherwise', async () => {
    const { id } = await connect()
    upstream.requests.length = 0
    for (const path of ['me?$httpMethod=DELETE', 'me?_method=PUT', 'x/..;/admin', 'x/..%3b/admin']) {
      const { status } = await ask(call('GET', `accounts/${id}/api/${path}`), { proxy })
      expect([path, status]).toEqual([path, 400])
    }
    expect(upstream.requests).toEqual([])
  })

  it('case 108: a flow is finished once, by the session that started it, with its own verifier', async () => {
    const begin = async () => (await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))).json
    const { url, state } = await begin()
    const response = upstream.approve(url)
    for (const who of ['ada@desk', 'eve@phone', 'eve@desk']) {
      const stolen = await ask(call('POST', `flows/${state}`, { response }, as(who)))
      expect({ who, status: stolen.status, error: stolen.json.error }).toEqual({
        who,
        status: 403,
        error: 'access_denied',
      })
    }
    expect((await ask(call('POST', `flows/${state}`, { response }, as('two/ada@phone')))).status).toBe(404)
    expect(upstream.to('/token')).toEqual([])
    expect((await ask(call('POST', `flows/${state}`, { response }))).status).toBe(200)
    expect((await ask(call('POST', `flows/${state}`, { response }))).status).toBe(404)
    expect(upstream.to('/token')).toHaveLength(1)
    // The verifier was only in the request that redeemed the code.
    const verifier = new URLSearchParams(upstream.to('/token')[0]?.body).get('code_verifier') ?? ''
    expect(verifier).toMatch(/^[\w.~-]{43,128}$/)
    expect(url).not.toContain(verifier)
    // A response of another flow or issuer is refused.
    const [one, two] = [await begin(), await begin()]
    const crossed = await ask(call('POST', `flows/${one.state}`, { response: upstream.approve(two.url) }))
    expect(crossed.json.error).toMatch(/state_mismatch/)
    const foreignIssuer = await ask(
      call('POST', `flows/${two.state}`, { response: upstream.approve(two.url, 'ada', { iss: 'https://evil.test' }) }),
    )
    expect(foreignIssuer.json.error).toBe('issuer_mismatch')
    expect(upstream.to('/token')).toHaveLength(1)
    const late = await begin()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 + 1 })
    expect((await ask(call('POST', `flows/${late.state}`, { response: upstream.approve(late.url) }))).status).toBe(404)
  })

  it('case 109: finds a provider only by its exact id', async () => {
    for (const provider of ['__proto__', 'constructor', 'toString', '../acme', 'acme/', 'ACME']) {
      for (const [route, more] of [
        ['flows', { redirect_uri: CALLBACK }],
        ['accounts', { fields: {} }],
      ] as const) {
        const body = JSON.stringify({ ...more, provider: 1 }).replace(
          '"provider":1',
          `"provider":${JSON.stringify(provider)}`,
        )
        const { status } = await ask(call('POST', route, body))
        expect({ provider, route, status }).toEqual({ provider, route, status: 404 })
      }
    }
    expect((await ask(call('POST', 'flows', { provider: 'keys', redirect_uri: CALLBACK }))).status).toBe(400)
    expect((await ask(call('POST', 'accounts', { provider: 'acme', fields: { key: 'x' } }))).status).toBe(400)
  })

  it('case 110: accepts no raw secret except a key, once, and sends it only to its own provider', async () => {
    const { access_token, refresh_token } = upstream.grant('ada')
    const bodies: [string, object][] = [
      ['token', { provider: 'acme', grant_type: 'refresh_token', refresh_token }],
      [
        'token',
        {
          provider: 'acme',
          grant_type: 'authorization_code',
          response: 'code=x&state=s',
          state: 's',
          issuer: upstream.origin,
          code_verifier: 'v'.repeat(43),
          redirect_uri: CALLBACK,
        },
      ],
      ['revoke', { provider: 'acme', access_token }],
      ['verify', { provider: 'keys', fields: { key: GOOD_KEY } }],
      ['accounts', { provider: 'acme', access_token, fields: { access_token } }],
      ['userinfo', { provider: 'acme', access_token }],
      [`accounts/${UNKNOWN_ACCOUNT}`, { access_token }],
      ['proxy', { access_token }],
    ]
    for (const [route, body] of bodies) expect([400, 404]).toContain((await ask(call('POST', route, body))).status)
    expect(upstream.requests).toEqual([])
    const hosts = new Set<string>()
    const watched: Partial<BrokerOptions<Session>> = {
      fetch: (input, init) => {
        hosts.add(new URL(String(input)).origin)
        return fetch(input, init)
      },
    }
    const elsewhere = {
      endpoint: 'https://evil.test',
      baseUrl: 'https://evil.test',
      verify: { endpoint: 'https://evil.test' },
    }
    await ask(call('POST', 'accounts', { provider: 'keys', fields: { key: GOOD_KEY }, ...elsewhere }), watched)
    const account = await connect('ada@phone', 'ada', watched)
    await ask(call('POST', `accounts/${account.id}`, { ...elsewhere }), watched)
    await ask(call('DELETE', `accounts/${account.id}`), watched)
    expect([...hosts]).toEqual([upstream.origin])
  })

  it('case 111: a path reaches only the API of its account', async () => {
    const { id } = await connect()
    const handle = broker({ proxy })
    const reach = async (path: string) => {
      upstream.requests.length = 0
      const request = new Request(`${MOUNT}/accounts/${id}/api/x`, call('GET', 'x'))
      // Sent as a raw request, because a URL parser would resolve some of these.
      Object.defineProperty(request, 'url', { value: `${MOUNT}/accounts/${id}/api/${path}` })
      const { status } = await ask(request, handle)
      return { status, to: upstream.requests.map(({ path, search }) => path + search) }
    }
    expect(await reach('me?x=%2F..&y=//')).toEqual({ status: 200, to: ['/api/me?x=%2F..&y=//'] })
    expect(await reach('repos/a%20b/c')).toEqual({ status: 200, to: ['/api/repos/a%20b/c'] })
    for (const path of [
      '/evil.test',
      '//evil.test',
      '/\\evil.test',
      '\\\\evil.test',
      '%2f%2fevil.test',
      '/%2f%2fevil.test',
      'http://evil.test/',
      'https:/evil.test',
      '..%2f..%2ftoken',
      '%2e%2e/token',
      '%2e%2e%2ftoken',
      'a/%2E%2e/%2e%2E/token',
      'a//b',
      '@evil.test',
      '%5cevil',
      'a%00b',
      'a%0d%0ab',
      '%252e%252e/token',
    ]) {
      const { status, to } = await reach(path)
      const stayed = to.every((one) => one.startsWith('/api/'))
      expect({ path, good: (status === 400 || status === 404 || status === 200) && stayed }).toEqual({
        path,
        good: true,
      })
      if (!['@evil.test'].includes(path)) expect({ path, to }).toEqual({ path, to: [] })
    }
    // Paths that a URL parser resolves reach another route.
    expect((await ask(call('GET', `accounts/${id}/api/../../../token`), handle)).status).toBe(404)
    expect((await ask(call('GET', `accounts/${id}/api/me`))).status).toBe(404)
    expect((await ask(call('DELETE', `accounts/${id}/api/me`), { proxy: { methods: ['GET'] } })).status).toBe(404)
  })

  it('case 112: passes on only harmless headers, in both directions', async () => {
    const { id } = await connect()
    upstream.requests.length = 0
    const smuggled = {
      authorization: 'Bearer mine',
      'proxy-authorization': 'x',
      'x-api-key': 'x',
      'private-token': 'x',
      te: 'trailers',
      'x-forwarded-for': '1.1.1.1',
      forwarded: 'for=1.1.1.1',
      'x-http-method-override': 'DELETE',
      range: 'bytes=0-1',
      accept: 'application/json',
    }
    const { status, headers } = await ask(call('GET', `accounts/${id}/api/me`, undefined, smuggled), { proxy })
    expect(status).toBe(200)
    const sent = upstream.requests[0]?.headers ?? {}
    expect(sent.authorization).toBe(`Bearer ${(await vault.open(owner('ada'), id))?.secret.token?.access_token}`)
    expect(sent.accept).toBe('application/json')
    for (const name of ['cookie', 'origin', BROKER_HEADER, ...Object.keys(smuggled).slice(1, -1)])
      expect(sent).not.toHaveProperty(name)
    expect(headers.get('set-cookie')).toBeNull()
    expect(headers.get('x-upstream')).toBeNull()
    expect(headers.get('content-security-policy')).toBe("sandbox; default-src 'none'")
    for (const [name, code] of [
      ['redirect', 302],
      ['refusal', 401],
    ] as const) {
      upstream.instead.push((_, answer) =>
        Boolean(
          answer.writeHead(code, { location: 'https://evil.test', 'set-cookie': 'a=CANARY' }).end(`CANARY ${name}`),
        ),
      )
      expect((await ask(call('GET', `accounts/${id}/api/me`), { proxy })).status).toBe(code === 302 ? 502 : 424)
    }
  })

  it('case 268: an API that repeats the token gets it to no page, whole or in pieces, in body or headers', async () => {
    const { id } = await connect()
    const token = (await vault.open(owner('ada'), id))?.secret.token?.access_token ?? ''
    upstream.instead.push((_, answer) => {
      answer.writeHead(200, { 'content-type': 'text/plain', etag: `"${token}"`, link: `<https://a/?t=${token}>` })
      answer.write(`${'x'.repeat(70_000)} Bearer ${token} ${btoa(`user:${token}`)} ${token.slice(0, 9)}`)
      return Boolean(setImmediate(() => answer.end(`${token.slice(9)} é`)))
    })
    const { text, headers } = await broker({ proxy })(call('GET', `accounts/${id}/api/me`)).then(async (response) => ({
      text: await response.text(),
      headers: [...response.headers].join(),
    }))
    expect(token.length).toBeGreaterThan(9)
    expect(text).toMatch(/^x{70000} \[redacted\] .*\[redacted\].* \[redacted\] é$/)
    for (const secret of [token, btoa(`user:${token}`).slice(8, -4)]) expect(text + headers).not.toContain(secret)
  })

  it('case 269: a call to an API is carried byte for byte, in both directions', async () => {
    const { id } = await connect()
    const api = { proxy: { methods: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'] } }
    const json = { 'content-type': 'application/json' }
    /** Before a page changes something, its person says yes. */
    const approve = async (method: string, path: string, body?: string) => {
      const { status, json: asked } = await ask(call(method, path, body, json), api)
      expect([status, asked.error]).toEqual([403, 'access_denied'])
      expect((await ask(call('POST', `requests/${asked.request}`, { answer: 'yes' }), api)).status).toBe(200)
    }
    const carry = async (method: string, path: string, body?: string) => {
      upstream.requests.length = 0
      if (method !== 'GET' && method !== 'HEAD') await approve(method, path, body)
      expect(upstream.requests).toEqual([])
      const bytes = Buffer.from([0xff, 0, 0xc3, 0x28, 10])
      upstream.instead.push((_, answer) => Boolean(answer.writeHead(200, { 'content-type': 'image/png' }).end(bytes)))
      const response = await broker(api)(call(method, path, body, { 'content-type': 'application/json' }))
      expect([response.status, path]).toEqual([200, path])
      const answer = Buffer.from(await response.arrayBuffer())
      if (method !== 'HEAD') expect(answer).toEqual(bytes)
      const [sent] = upstream.requests
      return { ...sent, type: sent?.headers['content-type'] }
    }
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      for (const body of ['{"id": 12345678901234567890, "a":1.0,"a":2}', '[1,  2]', '"é"', '7', '']) {
        const sent = await carry(method, `accounts/${id}/api/items`, body)
        expect(sent).toMatchObject({ method, path: '/api/items', body, type: 'application/json' })
      }
    }
    expect(await carry('HEAD', `accounts/${id}/api/items`)).toMatchObject({ method: 'HEAD' })
    // A character of the id, or of the path, may be encoded.
    const encoded = id.replace(/.$/, (last) => `%${last.charCodeAt(0).toString(16)}`)
    for (const one of [id, encoded, id.replace('.', '%2E'), id.replace('a', '%61')]) {
      const sent = await carry('GET', `accounts/${one}/api/repos/%61%2Fb/token?q=%61+b`)
      expect(sent).toMatchObject({ path: '/api/repos/%61%2Fb/token', search: '?q=%61+b' })
    }
    const large = await ask(call('PUT', `accounts/${id}/api/items`, ' '.repeat(17_000)), api)
    expect(large.status).toBe(413)
  })

  it('case 269: a preflight allows the methods that a page may use, and the headers that are carried', async () => {
    const preflight = async (options: Partial<BrokerOptions<Session>>) => {
      const request = new Request(`${MOUNT}/accounts/a/api/b`, { method: 'OPTIONS', headers: { origin: APP } })
      const { headers } = await ask(request, options)
      return ['methods', 'headers'].map((name) => headers.get(`access-control-allow-${name}`))
    }
    expect(await preflight({ proxy: { methods: ['GET', 'PUT', 'PATCH'] } })).toEqual([
      'GET, POST, DELETE, PUT, PATCH',
      `content-type, ${BROKER_HEADER}, last-event-id, if-match, if-none-match, if-modified-since`,
    ])
    expect(await preflight({})).toEqual(['GET, POST, DELETE', `content-type, ${BROKER_HEADER}, last-event-id`])
  })

  it("case 294: a page's call is in the audit log, and refused if the page may not use the account", async () => {
    const { id } = await connect()
    const use = (agents?: BrokerOptions<Session>['agents']) =>
      ask(call('GET', `accounts/${id}/api/me`), { proxy, agents })
    const entry = { provider: 'acme', account: id, agent: 'page', host: upstream.origin }
    expect((await use()).status).toBe(200)
    expect((await use({ page: { providers: ['acme'] } })).status).toBe(200)
    for (const used of (await vault.audit.query(owner('ada'))).slice(1)) {
      expect(used).toMatchObject({ ...entry, action: 'use', outcome: 'allowed' })
    }
    upstream.requests.length = 0
    const refusing: BrokerOptions<Session>['agents'][] = [
      {},
      { assistant: { providers: ['acme'] } },
      { page: { providers: ['keys'] } },
    ]
    for (const agents of refusing) {
      const { status, json } = await use(agents)
      expect([status, json.error]).toEqual([403, 'access_denied'])
      const last = (await vault.audit.query(owner('ada'))).at(-1)
      expect(last).toMatchObject({ ...entry, action: 'deny', outcome: 'denied', reason: 'access_denied' })
    }
    // An account that has ended is denied, with the reason.
    await vault.mark(owner('ada'), id, 'needs-reconnect', 'revoked')
    expect((await use()).json.error).toBe('invalid_token')
    expect(await actions()).toEqual([
      'connect allowed',
      ...Array(2).fill('use allowed'),
      ...Array(3).fill('deny denied access_denied'),
      'deny denied invalid_token',
    ])
    // If the audit log cannot be written, the use is refused.
    await vault.mark(owner('ada'), id, 'connected', undefined)
    const { asPerson } = vault.store
    vi.spyOn(vault.store, 'asPerson').mockImplementation((who, now, work) =>
      asPerson(who, now, (rows) =>
        work({ ...rows, appendAudit: () => Promise.reject(new Error('The disk is full.')) }),
      ),
    )
    expect((await ask(call('GET', `accounts/${id}/api/me`), { proxy })).status).toBe(500)
    expect(upstream.requests).toEqual([])
  })

  it('case 113: limits the requests of a user, with Retry-After', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:20Z') })
    const handle = broker({
      limit: { perMinute: 2, key: ({ user }, request) => `${user} ${request.headers.get('x-real-ip')}` },
    })
    const knock = (who: string, ip = '10.0.0.1') =>
      ask(call('GET', 'accounts', undefined, { ...as(who), 'x-real-ip': ip }), handle)
    expect([(await knock('ada@phone')).status, (await knock('ada@desk')).status]).toEqual([200, 200])
    const over = await knock('ada@phone')
    expect([over.status, over.headers.get('retry-after')]).toEqual([429, '40'])
    expect([(await knock('eve@phone')).status, (await knock('ada@phone', '10.0.0.2')).status]).toEqual([200, 200])
  })

  it('case 114: refuses a body that is large, deep or not an object, and a flow with invalid members', async () => {
    const deep = `${'['.repeat(8000)}${']'.repeat(8000)}`
    for (const route of ['flows', 'flows/state', 'accounts', `accounts/${UNKNOWN_ACCOUNT}`]) {
      expect((await ask(call('POST', route, `{"a":"${'a'.repeat(16 * 1024)}"}`))).status).toBe(413)
      for (const body of [deep, '', '{', 'null', '[]']) expect((await ask(call('POST', route, body))).status).toBe(400)
    }
    for (const scopes of ['read', [7], ['a b'], ['a"'], [''], Array(101).fill('a'), [{}]]) {
      expect((await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK, scopes }))).json.error).toBe(
        'invalid_scope',
      )
    }
    const clock = new AbortController()
    const { url, state } = (await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))).json
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(clock.signal)
    upstream.instead.push((path) => {
      if (path !== '/token') return false
      clock.abort(new DOMException('The operation timed out.', 'TimeoutError'))
      return true
    })
    const slow = await ask(call('POST', `flows/${state}`, { response: upstream.approve(url) }))
    expect(slow).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } })
    expect(timeout.mock.calls.flat().every((milliseconds) => milliseconds === 10_000)).toBe(true)
  })

  it('case 100: nothing that the vault answers may be cached, and no secret is in a query', async () => {
    const handle = broker({ proxy })
    const { id } = await connect()
    for (const [method, route, body] of [
      ...routes,
      ['GET', `accounts/${id}`],
      ['GET', `accounts/${id}/api/me`],
    ] as typeof routes) {
      const { headers } = await ask(call(method, route, body), handle)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('vary')).toBe('Origin')
    }
    expect(upstream.requests.map(({ search }) => search).join()).not.toContain('CANARY')
  })

  it("case 101: a provider's error text is in no answer, no log and no audit entry", async () => {
    const { id } = await connect()
    for (const [status, body] of [
      [400, '{"error":"invalid_request","error_description":"CANARY"}'],
      [400, '{"error":"CANARY"}'],
      [500, 'CANARY'],
      [200, '<h1>CANARY</h1>'],
    ] as const) {
      upstream.instead.push(
        (path, answer) =>
          path === '/token' && Boolean(answer.writeHead(status, { 'content-type': 'application/json' }).end(body)),
      )
      // `ask` looks for the canary in whatever comes back.
      await ask(call('POST', `accounts/${id}`, {}))
      const { url, state } = (await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))).json
      upstream.instead.push(
        (path, answer) =>
          path === '/token' && Boolean(answer.writeHead(status, { 'content-type': 'application/json' }).end(body)),
      )
      expect(
        (await ask(call('POST', `flows/${state}`, { response: upstream.approve(url) }))).status,
      ).toBeGreaterThanOrEqual(400)
    }
    const denied = (await ask(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))).json
    const response = `?${new URLSearchParams({ error: 'access_denied', error_description: 'CANARY', state: denied.state })}`
    expect((await ask(call('POST', `flows/${denied.state}`, { response }))).json.error).toBe('access_denied')
    expect(JSON.stringify(await vault.audit.query(owner('ada')))).not.toContain('CANARY')
  })

  it('case 123: the callback page of the vault cannot be framed', async () => {
    const { headers } = await ask_(CALLBACK)
    expect(headers.get('content-security-policy')).toMatch(/(^|; )frame-ancestors 'none'($|;)/)
    async function ask_(url: string) {
      return broker()(new Request(url))
    }
  })
})

describe('webhooks and telemetry', () => {
  it('sends signed webhooks for connected, needs-reconnect and disconnected, and retries', async () => {
    const secret = `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`
    const got: { headers: Headers; body: string }[] = []
    let fail = true
    const fetch: typeof globalThis.fetch = async (_url, init) => {
      if (fail) {
        fail = false
        return new Response(null, { status: 500 })
      }
      got.push({ headers: new Headers(init?.headers), body: String(init?.body) })
      return new Response(null, { status: 204 })
    }
    const webhooks: VaultOptions['webhooks'] = [{ url: 'https://hooks.example', secret, fetch, retryAfter: [1] }]
    vault = openVault({ keys: localKeys(KEY), webhooks })
    const { id } = await connect()
    await vi.waitFor(() => expect(got).toHaveLength(1))
    await vault.mark(owner('ada'), id, 'needs-reconnect', 'revoked')
    await ask(call('DELETE', `accounts/${id}`))
    await vi.waitFor(() => expect(got).toHaveLength(3))
    expect(got.map(({ body }) => JSON.parse(body).type).sort()).toEqual([
      'account.connected',
      'account.disconnected',
      'account.needs-reconnect',
    ])
    for (const { headers, body } of got) {
      expect(JSON.parse(body).data).toMatchObject({ tenant: 'default', user: 'ada', provider: 'acme', accountId: id })
      expect(body).not.toContain('CANARY')
      expect(verifyWebhook(secret, headers, body)).toBe(true)
      expect(verifyWebhook(secret, headers, `${body} `)).toBe(false)
      const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
      expect(verifyWebhook(other, headers, body)).toBe(false)
      expect(verifyWebhook(`${other} ${secret}`, headers, body)).toBe(true)
      const old = new Headers(headers)
      old.set('webhook-timestamp', String(Number(headers.get('webhook-timestamp')) - 301))
      expect(verifyWebhook(secret, old, body)).toBe(false)
    }
    expect(() =>
      openVault({ keys: localKeys(KEY), webhooks: [{ url: 'https://hooks.example', secret: 'whsec_short' }] }),
    ).toThrow(/24 random bytes/)
  })

  it('sends OpenTelemetry spans without secrets', async () => {
    const exporter = new InMemorySpanExporter()
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
    try {
      const { id } = await connect()
      await ask(call('POST', `accounts/${id}`, {}))
      upstream.settings.expiresIn = 10
      await connect()
      // The last third of its life.
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 8_000 })
      upstream.instead.push((path, answer) => path === '/token' && Boolean(answer.writeHead(500).end('CANARY')))
      const sent = { connectedAccounts: [{ provider: 'acme', accountId: id }] }
      const { context } = await broker().agentContext({ user: 'ada', session: 'phone' }, sent, { agent: 'assistant' })
      await context.getToken('acme', { effect: 'read' })
      const spans = exporter.getFinishedSpans()
      expect(spans.map(({ name }) => name)).toEqual(['latchkey.connect', 'latchkey.connect', 'latchkey.refresh'])
      expect(spans[2]?.attributes).toMatchObject({
        'latchkey.provider': 'acme',
        'latchkey.account': id,
        'error.type': 'temporarily_unavailable',
      })
      expect(
        JSON.stringify(spans.map(({ attributes, events, status }) => ({ attributes, events, status }))),
      ).not.toContain('CANARY')
    } finally {
      vi.useRealTimers()
      trace.disable()
    }
  })
})

describe('one line to mount', () => {
  async function served(listener: Parameters<typeof createServer>[1], act: (origin: string) => Promise<void>) {
    const server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      await act(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  /** The whole life of an account, through any HTTP framework. */
  async function works(send: (request: Request) => Promise<Response>) {
    const mount = (request: Request) => send(request)
    const names = await (await mount(new Request(`${MOUNT}/providers`))).json()
    expect(names.providers.map(({ mode }: { mode: string }) => mode)).toEqual(['vault', 'vault'])
    const { url, state } = await (
      await mount(call('POST', 'flows', { provider: 'acme', redirect_uri: CALLBACK }))
    ).json()
    const { account } = await (await mount(call('POST', `flows/${state}`, { response: upstream.approve(url) }))).json()
    expect((await (await mount(call('GET', 'accounts'))).json()).accounts).toMatchObject([{ id: account.id }])
    expect(await (await mount(call('DELETE', `accounts/${account.id}`))).json()).toEqual({
      status: 'revoked',
      tokens: ['refresh_token', 'access_token'],
    })
    expect((await mount(call('GET', `accounts/${account.id}`))).status).toBe(404)
  }

  const over = (origin: string) => (request: Request) =>
    new Promise<Response>((resolve, reject) => {
      const { pathname, search } = new URL(request.url)
      const outgoing = httpRequest(
        `${origin}${pathname}${search}`,
        { method: request.method, headers: Object.fromEntries(request.headers) },
        (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk) => chunks.push(chunk))
          answer.on('end', () => resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode })))
        },
      )
      outgoing.on('error', reject)
      request.text().then((body) => outgoing.end(body || undefined), reject)
    })

  const here = { redirectUris: [CALLBACK] }

  it('Hono on Node', async () => {
    const handle = broker(here)
    const app = new Hono()
    app.all('/api/latchkey/*', (c) => handle(c.req.raw))
    await served(getRequestListener(app.fetch), (origin) => works(over(origin)))
  })

  it('Express', async () => {
    const handle = broker(here)
    const app = express()
    app.all('/api/latchkey/*route', getRequestListener(handle))
    await served(app, (origin) => works(over(origin)))
  })

  it('a route handler as in Next.js', async () => {
    const handle = broker(here)
    const route = { GET: handle, POST: handle, DELETE: handle, OPTIONS: handle }
    await works((request) => route[request.method as keyof typeof route](request))
  })
})

it('clients and providers come from the environment if none are passed', async () => {
  const env = { GITHUB_CLIENT_ID: 'gh', GITHUB_CLIENT_SECRET: 's1', GOOGLE_CLIENT_ID: 'go', GOOGLE_CLIENT_SECRET: 's2' }
  const providers = providersFromEnv(env)
  expect(providers.map(({ id }) => id)).toEqual(['github', 'gmail', 'kaggle'])
  expect(clientsFromEnv(providers, env)).toEqual({
    github: { client_id: 'gh', client_secret: 's1' },
    gmail: { client_id: 'go', client_secret: 's2' },
  })
  expect(clientsFromEnv(providers, { ...env, GMAIL_CLIENT_ID: 'own' }).gmail?.client_id).toBe('own')
  expect(providersFromEnv({}).map(({ id }) => id)).toEqual(['kaggle'])
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const { json } = await ask(new Request(`${MOUNT}/providers`), { providers: undefined, clients: undefined })
  vi.unstubAllEnvs()
  expect(json.providers.map(({ client_id }: { client_id?: string }) => client_id)).toEqual(['gh', 'go', undefined])
})

it('reports wrong options when it is created', async () => {
  expect(() => broker({ custody: { acme: 'vault' }, vault: undefined })).toThrow(/has none/)
  expect(() => broker({ custody: { acmee: 'vault' } })).toThrow(/none of the providers/)
  const { status, json } = await ask(call('GET', 'accounts'), { owner: undefined })
  expect({ status, message: json.message }).toEqual({ status: 400, message: expect.stringContaining('owner(session)') })
})
