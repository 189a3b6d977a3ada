// An MCP server whose accounts are in the vault, tested with the strict server.
import { randomBytes } from 'node:crypto'
import type { OAuthProvider } from '@latchkey/core'
import { mcp } from '@latchkey/core/mcp'
import { createHeadlessBrowser, type McpSandbox, startMcpSandbox } from '@latchkey/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { AuthorizationRequired, createBroker, createGuardedFetch } from '../../index.ts'
import { createVault, localKeys } from '../../vault/index.ts'
import { AuthenticatedMcpClient, mcpForVault } from './index.ts'

const ORIGIN = 'https://app.example'
const redirectUri = `${ORIGIN}/api/latchkey/callback`
let sandbox: McpSandbox
beforeAll(async () => {
  sandbox = await startMcpSandbox({ appOrigins: [ORIGIN] })
})
afterAll(() => sandbox.close())

/** A new app for each test. */
async function open(server = sandbox.ledger) {
  await server.reset()
  server.setPolicy({ auto: true })
  const fetch = createGuardedFetch({ dangerouslyAllowOrigins: [server.url] })
  const clientId = server === sandbox.files ? server.clientId : undefined
  const found = await mcpForVault(mcp({ id: server.id, name: server.name, url: server.mcp, clientId }), {
    redirectUri,
    fetch,
  })
  const vault = createVault({ keys: localKeys(randomBytes(32).toString('base64')) })
  const brokerOf = (changes: Partial<OAuthProvider> = {}) =>
    createBroker({
      providers: [{ ...found.provider, ...changes }],
      clients: { [server.id]: found.client },
      authenticate: (request) => request.headers.get('cookie'),
      allowedOrigins: [ORIGIN],
      vault,
    })
  const broker = brokerOf()
  const call = async (user: string, path: string, body: object) => {
    const response = await broker(
      new Request(`${ORIGIN}/api/latchkey${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: ORIGIN, 'latchkey-request': '1', cookie: user },
        body: JSON.stringify(body),
      }),
    )
    const text = await response.text()
    // The browser never gets a secret of the vault.
    expect(text).not.toMatch(/access_token|refresh_token/)
    return JSON.parse(text)
  }
  const effects = { read_ledger: 'read', list_files: 'read', add_entry: 'write' } as const
  const client = new AuthenticatedMcpClient({ id: server.id, url: server.mcp, name: server.name }, { fetch, effects })
  /** The context of a run that carries references to all accounts of a user. */
  const contextOf = async (user: string, through = broker) => {
    const accounts = await vault.list({ tenant: 'default', user })
    const connectedAccounts = accounts.map(({ id, provider }) => ({ provider, accountId: id }))
    return (await through.agentContext(user, { connectedAccounts }, { agent: 'assistant' })).context
  }
  return {
    server,
    vault,
    /** A broker with the same vault and a changed provider. */
    brokerOf,
    /** What the prompt does on a click. */
    async connect(user: string, request: { scopes?: readonly string[]; accountId?: string } = {}) {
      const { url, state } = await call(user, '/flows', { provider: server.id, redirect_uri: redirectUri, ...request })
      const { url: end } = await createHeadlessBrowser().open(url)
      return (await call(user, `/flows/${state}`, { response: end.search.slice(1) })).account
    },
    contextOf,
    /** What the person chooses for their assistant. */
    trust: (user: string, account: string) =>
      call(user, '/rules', { agent: 'assistant', of: { account }, preset: 'trusted' }),
    async use(user: string, tool: string): Promise<string | undefined> {
      return (await (await contextOf(user)).run(() => client.callTool(tool))).content[0]?.text
    },
    refreshes: () => server.log.filter(({ path, body }) => path === '/token' && body.includes('refresh_token&')).length,
    tokens: () => server.log.flatMap(({ headers }) => /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? []),
  }
}

const asked = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(AuthorizationRequired)
  return (error as AuthorizationRequired).request
}

let app: Awaited<ReturnType<typeof open>>
beforeEach(async () => {
  app = await open()
})

describe('the four steps', () => {
  it('asks for a missing account, stores it, and sends its token', async () => {
    const before = app.server.log.length
    expect(await asked(app.use('ada', 'read_ledger'))).toMatchObject({ provider: 'ledger', toolName: 'read_ledger' })
    // No request was sent without a token.
    expect(app.server.log).toHaveLength(before)
    const account = await app.connect('ada')
    expect(account).toMatchObject({ provider: 'ledger', status: 'connected', custody: 'vault' })
    expect(await app.use('ada', 'read_ledger')).toContain('1843')
    // Only she can use it.
    expect(await asked(app.use('grace', 'read_ledger'))).not.toHaveProperty('accountId')
  })

  it('asks for more scopes together with the granted ones', async () => {
    const { id } = await app.connect('ada')
    await app.trust('ada', id)
    const request = await asked(app.use('ada', 'add_entry'))
    expect(request).toMatchObject({ provider: 'ledger', accountId: id, toolName: 'add_entry' })
    expect(request.scopes?.filter((scope) => scope.startsWith('mcp:'))).toEqual(['mcp:read', 'mcp:write'])
    expect((await app.connect('ada', request)).id).toBe(id)
    expect(await app.use('ada', 'add_entry')).toContain('was added')
    // No refresh can widen a scope.
    expect(app.refreshes()).toBe(0)
  })

  it('uses a client that was registered in advance', async () => {
    const files = await open(sandbox.files)
    await files.connect('ada')
    expect(await files.use('ada', 'list_files')).toContain('engine.txt')
    expect(files.server.log.some(({ path }) => path === '/reg')).toBe(false)
  })
})

describe('untrusted descriptions of a server', () => {
  it('case 218: the vault sends no token to a server from a request that has the id of an account', async () => {
    await app.connect('ada')
    const evil = sandbox.tickets
    const fetch = createGuardedFetch({ dangerouslyAllowOrigins: [evil.url] })
    const client = new AuthenticatedMcpClient({ id: 'ledger', url: evil.mcp }, { fetch })
    const before = evil.log.length
    await expect((await app.contextOf('ada')).run(() => client.listTools())).rejects.toMatchObject({
      code: 'access_denied',
    })
    expect(evil.log).toHaveLength(before)
  })

  it.each([
    ['resource_changed', () => ({ mcp: { url: sandbox.tickets.mcp } })],
    ['issuer_changed', () => ({ server: { ...sandbox.tickets.metadata, issuer: sandbox.tickets.url } })],
  ])('case 217: an account whose provider has moved needs to be reconnected: %s', async (reason, moved) => {
    const { id } = await app.connect('ada')
    const { tickets, ledger } = sandbox
    const before = [tickets.log.length, ledger.log.length]
    const context = await app.contextOf('ada', app.brokerOf(moved() as Partial<OAuthProvider>))
    expect(await asked(context.getToken('ledger', { effect: 'read' }))).toMatchObject({ provider: 'ledger' })
    expect(await app.vault.find({ tenant: 'default', user: 'ada' }, id)).toMatchObject({
      status: 'needs-reconnect',
      reason,
    })
    expect([tickets.log.length, ledger.log.length]).toEqual(before)
  })

  it('case 220: a server that sends people to the sign-in page of another is refused', async () => {
    const { tickets, notes } = sandbox
    tickets.metadata.authorization_endpoint = `${notes.url}/auth`
    tickets.metadata.authorization_response_iss_parameter_supported = undefined
    const fetch = createGuardedFetch({ dangerouslyAllowOrigins: [tickets.url] })
    const found = mcpForVault(mcp({ id: 'tickets', url: tickets.mcp }), { redirectUri, fetch })
    await expect(found).rejects.toMatchObject({
      code: 'malformed_response',
      message: expect.stringContaining('another server'),
    })
    await tickets.reset()
  })
})

describe('a token that the server refuses', () => {
  it('is renewed once, and the call goes on', async () => {
    await app.connect('ada')
    await app.use('ada', 'read_ledger')
    const refused = app.tokens().at(-1)!
    await app.server.revoke(refused)
    expect(await app.use('ada', 'read_ledger')).toContain('1843')
    expect(app.refreshes()).toBe(1)
    expect(app.tokens().at(-1)).not.toBe(refused)
  })

  it('makes the account needs-reconnect if its grant has ended', async () => {
    const { id } = await app.connect('ada')
    app.server.revokeAll()
    expect(await asked(app.use('ada', 'read_ledger'))).toMatchObject({ accountId: id, toolName: 'read_ledger' })
    expect(await app.vault.find({ tenant: 'default', user: 'ada' }, id)).toMatchObject({ status: 'needs-reconnect' })
  })

  it('asks the person if the server refuses the new token too, after one retry', async () => {
    const { id } = await app.connect('ada')
    app.server.addFaults('/mcp', Array(8).fill({ status: 401 }))
    expect(await asked(app.use('ada', 'read_ledger'))).toMatchObject({ accountId: id })
    expect(app.refreshes()).toBe(1)
  })

  it('a busy authorization server does not make the person sign in again', async () => {
    await app.connect('ada')
    await app.use('ada', 'read_ledger')
    await app.server.revoke(app.tokens().at(-1)!)
    app.server.addFaults('/token', [{ status: 503 }])
    await expect(app.use('ada', 'read_ledger')).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    // When the provider is back and the wait of a second is over, the account works again.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2000 })
    try {
      expect(await app.use('ada', 'read_ledger')).toContain('1843')
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('an MCP server that is configured here', () => {
  it('is not contacted at a private address', async () => {
    const before = sandbox.files.log.length
    const found = mcpForVault(mcp({ id: 'files', url: sandbox.files.mcp }), { redirectUri })
    await expect(found).rejects.toMatchObject({ code: 'network' })
    expect(sandbox.files.log).toHaveLength(before)
  })

  it('is asked for the scopes of its challenge, as in a browser', async () => {
    const { id, url, mcp: at } = sandbox.ledger
    const provider = mcp({ id, url: at, scopes: ['openid', 'mcp:write'] })
    const fetch = createGuardedFetch({ dangerouslyAllowOrigins: [url] })
    const { scopes } = (await mcpForVault(provider, { redirectUri, fetch })).provider
    expect(scopes).toEqual(expect.arrayContaining(['mcp:read', 'openid']))
    expect(scopes).not.toContain('mcp:write')
  })

  it('does not get a client id that belongs to another issuer', async () => {
    const provider = mcp({ id: 'files', url: sandbox.files.mcp, clientId: 'x', issuer: 'https://other.example' })
    const fetch = createGuardedFetch({ dangerouslyAllowOrigins: [sandbox.files.url] })
    await expect(mcpForVault(provider, { redirectUri, fetch })).rejects.toMatchObject({ code: 'not_configured' })
  })
})
