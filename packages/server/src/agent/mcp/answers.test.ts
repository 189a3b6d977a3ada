// What MCP servers and their authorization servers really answer, three ways: to a page that asks them itself, to one
// that asks through the broker's proxy, and to a server that keeps their accounts in its vault. The answers to codes and
// refreshes are in broker/answers.test.ts. A cell that differs says why.
import type { ServerResponse } from 'node:http'
import type { ConnectRequest } from '@latchkey/core'
import { type McpOptions, mcp, mcpFetch } from '@latchkey/core/mcp'
import { startTinyServer, type TinyFault, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { fetchBy, ORIGIN, openPage, REDIRECT_URI } from '../../../../core/fixtures/mcp-page.ts'
import { openVault } from '../../../fixtures/open-vault.ts'
import { AuthorizationRequired, createBroker, createGuardedFetch } from '../../index.ts'
import { localKeys } from '../../vault/index.ts'
import { AuthenticatedMcpClient, createMcpProxy, mcpForVault } from './index.ts'

const WAYS = ['page', 'proxy', 'vault'] as const
type Way = (typeof WAYS)[number]
const BROKER = `${ORIGIN}/api/latchkey`
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const { fetch } = globalThis

const PATH = '/.well-known/oauth-protected-resource/mcp'
const ROOT = '/.well-known/oauth-protected-resource'
const OWN = '/.well-known/oauth-authorization-server'
const OPEN = '/.well-known/openid-configuration'

let server: TinyServer
let key: CryptoKeyPair
beforeAll(async () => {
  const usages: KeyUsage[] = ['sign', 'verify']
  key = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, usages)
})
beforeEach(async () => {
  server = await startTinyServer()
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await server.close()
})

type Facts = Record<string, unknown>
type Document = Record<string, unknown>

interface Row {
  /** What the servers say. */
  title: string
  /** What the app says of the MCP server. */
  options?: Partial<McpOptions> | (() => Partial<McpOptions>)
  /** Their answers by path, or the status of a page of words. Undefined: 404. */
  says?: Record<string, TinyFault | number | undefined> | (() => Record<string, TinyFault | number | undefined>)
  /** Members of the authorization server's metadata that differ. */
  metadata?: Document | (() => Document)
  /** Members of the protected resource's metadata that differ. */
  resource?: Document | (() => Document)
  /** Members of the registration's answer that differ, or another answer. */
  registration?: Document
  refusal?: TinyFault
  /** Members of the authorization response to the first client. */
  callback?: Record<string, string | null> | (() => Record<string, string | null>)
  /** The answer to the code of the first client. */
  code?: (nonce: string | null) => Promise<TinyFault> | TinyFault
  /** How the connect ends; and how a second one does, where the first failed. */
  connected: Facts | (() => Facts)
  again?: Facts | (() => Facts)
  /** Where one way differs, and why. */
  differs?: { way: Way; connected?: Facts | (() => Facts); again?: Facts | (() => Facts); because: string }
}

const told = <T>(value: T | (() => T) | undefined): T | undefined => (value instanceof Function ? value() : value)

/** What the servers answer from now on. */
function answers(row: Row) {
  const { origin } = server
  const resource = { resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ['read'] }
  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  }
  const usual = {
    '/mcp': { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: '' },
    [PATH]: { body: { ...resource, ...told(row.resource) } },
    [OWN]: { body: { ...metadata, ...told(row.metadata) } },
    [OPEN]: 404,
    '/register': row.refusal ?? 404,
  }
  // Every registration is another client.
  const ids = row.refusal ? [] : ['one', 'two']
  server.fault('/register', ...ids.map((client_id) => ({ status: 201, body: { client_id, ...row.registration } })))
  for (const [path, answer] of Object.entries({ ...usual, ...told(row.says) })) {
    const fault = typeof answer === 'object' ? answer : { status: answer ?? 404, body: 'no' }
    server.fault(path, ...Array(20).fill(fault))
  }
}

/** A page with an MCP server whose accounts are kept in one of the ways. */
async function open(way: Way, row: Row) {
  const { origin } = server
  const via = way === 'proxy' ? ('broker' as const) : undefined
  const provider = mcp({ id: 'notes', name: 'Notes', url: `${origin}/mcp`, via, ...told(row.options) })
  const guarded = { dangerouslyAllowOrigins: [origin] }
  const guardedFetch = createGuardedFetch(guarded)
  const found =
    way === 'vault' ? await mcpForVault(provider, { redirectUri: REDIRECT_URI, fetch: guardedFetch }) : undefined
  const vault = openVault({ keys: localKeys(KEY) })
  const broker = createBroker<string>({
    providers: found ? [found.provider] : [],
    ...(found && { clients: { notes: found.client }, vault }),
    authenticate: () => 'ada',
    allowedOrigins: [ORIGIN],
    redirectUris: [REDIRECT_URI],
    mcp: createMcpProxy(guarded),
  })
  const fromPage = fetchBy(BROKER, broker, fetch)
  vi.stubGlobal('fetch', (input: string, init?: RequestInit) => {
    // All of it goes through the proxy, or none.
    expect(`${input}` === `${BROKER}/mcp`).toBe(way === 'proxy')
    return fromPage(input, init)
  })
  const page = openPage({
    visited: [],
    async visit(url) {
      const { searchParams } = new URL(url)
      const isFirst = searchParams.get('client_id') === 'one'
      if (row.code && isFirst) server.fault('/token', await row.code(searchParams.get('nonce')))
      return REDIRECT_URI + server.approve(url, undefined, isFirst ? told(row.callback) : {})
    },
  })
  const client = page.client({ providers: [found?.provider ?? provider], ...(way !== 'page' && { broker: BROKER }) })

  const contextOf = async (accountId: string) => {
    const reference = { connectedAccounts: [{ provider: 'notes', accountId }] }
    return (await broker.agentContext('ada', reference, { agent: 'a' })).context
  }

  /** What the person is asked for, when the MCP server refuses a call with this challenge. */
  async function wanted(header: string): Promise<Facts> {
    const [account] = Object.values(client.getSnapshot().accounts)
    const refuse = (path: string, answer: ServerResponse) =>
      path === '/mcp' && Boolean(answer.writeHead(403, { 'www-authenticate': header }).end())
    server.instead.push(refuse)
    let asked: ConnectRequest | undefined
    const authorize = async (request: ConnectRequest) => {
      asked = request
    }
    const call = { method: 'POST', body: '{"method":"tools/list"}' }
    if (way !== 'vault') await mcpFetch(client, 'notes', { authorize })(provider.mcp.url, call).catch(() => {})
    else {
      const tools = new AuthenticatedMcpClient({ id: 'notes', url: provider.mcp.url }, { fetch: guardedFetch })
      const run = (await contextOf(account!.id)).run(() => tools.listTools())
      asked = await run.then(undefined, (error) => (error instanceof AuthorizationRequired ? error.request : undefined))
    }
    const { accountId, scopes = [] } = asked ?? {}
    return { isTheirs: accountId === account?.id, more: scopes.filter((one) => !account?.scopes.includes(one)) }
  }

  /** What is known of the account, and as which client the server was asked. */
  async function facts(): Promise<Facts> {
    const [account] = Object.values(client.getSnapshot().accounts)
    if (!account) return {}
    const token =
      way === 'vault'
        ? (await (await contextOf(account.id)).getToken('notes', { effect: 'read' })).access_token
        : await client.getToken('notes')
    const { headers, body } = server.to('/token').at(-1)!
    const sent = new URLSearchParams(body)
    const [id, secret] = atob(headers.authorization?.split(' ')[1] ?? '').split(':')
    return {
      name: undefined,
      email: undefined,
      avatar: undefined,
      url: undefined,
      ...account,
      token: token.startsWith('CANARY_'),
      client: sent.get('client_id') ?? id,
      secret: sent.get('client_secret') ?? secret,
      audience: sent.get('resource'),
      registered: server.to('/register').length,
    }
  }
  return { client, facts, wanted }
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** An ID token that names a person, beside the usual answer, and the key that it is signed with. */
async function idToken(nonce: string | null): Promise<TinyFault> {
  const jwk = await crypto.subtle.exportKey('jwk', key.publicKey)
  server.fault('/jwks', { body: { keys: [{ ...jwk, kid: 'k', alg: 'ES256', use: 'sig' }] } })
  const iat = Math.floor(Date.now() / 1000)
  const shown = { name: 'Ada\u202e<b>', picture: 'https://evil.example/pixel', profile: 'https://evil.example/' }
  // Nothing of this address can be seen.
  const said = { ...shown, email: '\u202e' }
  const claims = { iss: server.origin, sub: '1815', aud: 'one', nonce, iat, exp: iat + 60, ...said }
  const signed = `${part({ alg: 'ES256', kid: 'k' })}.${part(claims)}`
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' }
  const signature = await crypto.subtle.sign(algorithm, key.privateKey, Buffer.from(signed))
  return { change: (answer) => ({ ...answer, id_token: `${signed}.${Buffer.from(signature).toString('base64url')}` }) }
}

const said = (error: { code: string; next: string }): Facts => ({ error: error.code, next: error.next })

/** Connected as a public client of the resource that was asked for. */
const good = (): Facts => ({
  status: 'connected',
  issuer: server.origin,
  resource: `${server.origin}/mcp`,
  audience: `${server.origin}/mcp`,
  scopes: ['read'],
  missingScopes: [],
  renewable: true,
  token: true,
  client: 'one',
  secret: undefined,
  registered: 1,
})
const REFUSED = { error: 'malformed_response' }
const AWAY = { error: 'temporarily_unavailable' }
const own = (change: Document = {}) => ({
  issuer: server.origin,
  authorization_endpoint: `${server.origin}/authorize`,
  token_endpoint: `${server.origin}/token`,
  registration_endpoint: `${server.origin}/register`,
  code_challenge_methods_supported: ['S256'],
  ...change,
})
const about = () => ({
  body: { resource: `${server.origin}/mcp`, authorization_servers: [server.origin], scopes_supported: ['read'] },
})
const challenge = (header: string | (() => string)) => () => ({
  '/mcp': { status: 401, headers: { 'www-authenticate': told(header)! }, body: '' },
  '/prm': about(),
  [PATH]: 404,
})
const POST = { token_endpoint_auth_method: 'client_secret_post', client_secret: 'a secret' }
const later = Math.floor(Date.now() / 1000) + 86_400

const rows: Row[] = [
  { title: 'case 255: a document about the server', connected: good },
  {
    title: 'case 255: a document about the server at the root alone',
    says: () => ({ [PATH]: 404, [ROOT]: about() }),
    connected: good,
  },
  {
    title: 'case 255: a document about another server at the root',
    says: () => ({ [PATH]: 404, [ROOT]: { body: { ...about().body, resource: `${server.origin}/other` } } }),
    connected: REFUSED,
  },
  {
    title: 'case 256: single quotes in the challenge',
    says: challenge(() => `Bearer resource_metadata='${server.origin}/prm'`),
    connected: good,
  },
  {
    title: 'case 256: no quotes in the challenge',
    says: challenge(() => `Bearer resource_metadata=${server.origin}/prm, error=invalid_token`),
    connected: good,
  },
  {
    title: 'case 256: a relative address in the challenge',
    says: challenge('Bearer error="x", resource_metadata=/prm'),
    connected: good,
  },
  {
    title: 'case 256: a relative address in quotes in the challenge',
    says: challenge('Bearer resource_metadata="/prm"'),
    connected: good,
  },
  {
    title: 'case 256: a challenge that is no address',
    says: () => ({ ...challenge('Bearer resource_metadata="https://["')(), [PATH]: about() }),
    connected: good,
  },
  {
    title: 'case 256: a challenge that leads nowhere',
    says: () => ({ ...challenge('Bearer resource_metadata="/gone"')(), [PATH]: about() }),
    connected: good,
  },
  {
    title: 'case 256: a challenge that leads to another server',
    says: challenge('Bearer resource_metadata="http://169.254.169.254/prm"'),
    connected: REFUSED,
  },
  ...[500, 502, 503].map(
    (status): Row => ({
      title: `case 257: status ${status} at the first place of both documents`,
      says: () => ({ [PATH]: status, [ROOT]: about(), [OWN]: status, [OPEN]: { body: own() } }),
      connected: good,
    }),
  ),
  {
    title: 'case 257: status 503 where the server may be described, and nothing elsewhere',
    says: { [PATH]: 503, [OWN]: undefined },
    connected: AWAY,
  },
  {
    title: 'case 257: status 503 where the authorization server may be described',
    says: { [OWN]: 503 },
    connected: AWAY,
  },
  {
    title: 'case 258: a slash in the name of a server without a document, which was guessed',
    says: { [PATH]: 404 },
    metadata: () => ({ issuer: `${server.origin}/`, scopes_supported: ['read'] }),
    callback: () => ({ iss: `${server.origin}/` }),
    connected: () => ({ ...good(), issuer: `${server.origin}/`, scopes: [] }),
  },
  {
    title: 'case 258: a slash in the name of a server whose name was stated',
    metadata: () => ({ issuer: `${server.origin}/` }),
    callback: () => ({ iss: `${server.origin}/` }),
    connected: { error: 'issuer_mismatch' },
  },
  {
    title: 'case 258: a slash in the name of a server that the app stated',
    options: () => ({ issuer: server.origin }),
    says: { [PATH]: 404 },
    metadata: () => ({ issuer: `${server.origin}/` }),
    callback: () => ({ iss: `${server.origin}/` }),
    connected: { error: 'issuer_mismatch' },
  },
  {
    title: 'case 258: another name than was guessed',
    says: { [PATH]: 404 },
    metadata: { issuer: 'https://evil.example' },
    connected: { error: 'issuer_mismatch' },
  },
  {
    title: 'case 340: metadata with members that are null or empty',
    metadata: {
      jwks_uri: '',
      scopes_supported: null,
      revocation_endpoint: null,
      token_endpoint_auth_methods_supported: null,
    },
    resource: { resource_name: null, jwks_uri: null, bearer_methods_supported: '' },
    connected: good,
  },
  {
    title: 'case 340: metadata with a registration endpoint that is null',
    metadata: { registration_endpoint: null },
    connected: { error: 'not_configured' },
  },
  {
    title: 'case 340: a document that names no scopes',
    resource: { scopes_supported: null },
    connected: () => ({ ...good(), scopes: [] }),
  },
  {
    title: 'case 371: a document with scopes that are a text',
    resource: { scopes_supported: 'read write' },
    connected: () => ({ ...good(), scopes: [] }),
  },
  {
    title: 'case 371: a document whose authorization server is a text',
    resource: () => ({ authorization_servers: server.origin }),
    connected: REFUSED,
  },
  {
    title: 'case 371: metadata with PKCE as a text',
    metadata: { code_challenge_methods_supported: 'S256' },
    connected: REFUSED,
  },
  {
    title: 'case 371: metadata in a list',
    says: () => ({ [OWN]: { body: JSON.stringify([own()]) } }),
    connected: REFUSED,
  },
  {
    title: 'case 371: a page where metadata should be, and the metadata next to it',
    says: () => ({ [OWN]: { body: '<html>', headers: { 'content-type': 'text/html' } }, [OPEN]: { body: own() } }),
    connected: good,
  },

  {
    title: 'case 372: a registration with members that are null or empty',
    registration: {
      client_secret: null,
      client_secret_expires_at: null,
      redirect_uris: null,
      token_endpoint_auth_method: null,
      client_id_issued_at: null,
      registration_client_uri: '',
      scope: '',
    },
    connected: good,
  },
  { title: 'case 372: a registration under status 200', refusal: { body: { client_id: 'one' } }, connected: good },
  { title: 'case 372: a registration without a client id', registration: { client_id: null }, connected: REFUSED },
  {
    title: 'case 372: a registration with a client id that is a number',
    registration: { client_id: 17 },
    connected: REFUSED,
  },
  { title: 'case 372: a registration that is a page', refusal: { body: '<html>Thanks</html>' }, connected: REFUSED },
  {
    title: 'case 372: a registration with a secret that lasts for ever',
    registration: { ...POST, client_secret_expires_at: 0 },
    connected: () => ({ ...good(), secret: 'a secret' }),
  },
  {
    title: 'case 372: a registration with a secret that ends tomorrow',
    registration: { ...POST, client_secret_expires_at: later },
    connected: () => ({ ...good(), secret: 'a secret' }),
  },
  {
    title: 'case 372: a registration with a secret that ends tomorrow, in quotes',
    registration: { ...POST, client_secret_expires_at: `${later}` },
    connected: () => ({ ...good(), secret: 'a secret' }),
  },
  {
    title: 'case 372: a registration with a secret that has ended',
    registration: { ...POST, client_secret_expires_at: 1 },
    connected: REFUSED,
  },
  {
    title: 'case 372: a registration with Basic where nothing was asked',
    registration: { ...POST, token_endpoint_auth_method: 'client_secret_basic' },
    connected: () => ({ ...good(), secret: 'a+secret' }),
  },
  {
    title: 'case 372: a registration with a secret and no way to send it',
    registration: { client_secret: 'a secret' },
    connected: good,
  },
  {
    title: 'case 372: a registration with a way to send a secret, and none',
    registration: { token_endpoint_auth_method: 'client_secret_post' },
    connected: REFUSED,
  },
  {
    title: 'case 372: a registration with a way that is not known',
    registration: { token_endpoint_auth_method: 'private_key_jwt' },
    connected: REFUSED,
  },
  {
    title: 'case 372: a registration for another address',
    registration: { redirect_uris: ['https://evil.example/'] },
    connected: REFUSED,
  },
  { title: 'case 372: a registration for no address', registration: { redirect_uris: [] }, connected: good },
  {
    title: 'case 372: a registration that is refused',
    refusal: { status: 400, body: { error: 'invalid_redirect_uri' } },
    connected: { error: 'unauthorized_client' },
  },
  {
    title: 'case 372: a registration that is refused under status 200',
    refusal: { body: { error: 'invalid_client_metadata' } },
    connected: REFUSED,
  },
  {
    title: 'case 372: a registration that is limited',
    refusal: { status: 429, body: '', headers: { 'retry-after': '7' } },
    connected: AWAY,
  },
  {
    title: 'case 372: a registration whose server is away',
    refusal: { status: 502, body: '<h1>Bad gateway</h1>' },
    connected: AWAY,
  },

  ...['invalid_client', 'unauthorized_client'].flatMap((error) => {
    const forgotten = { error: 'invalid_grant', next: 'reconnect' }
    const known = { error, next: error === 'invalid_client' ? 'configure' : 'retry' }
    const row = {
      connected: forgotten,
      again: () => ({ ...good(), client: 'two', registered: 2 }),
      differs: {
        way: 'vault' as const,
        connected: known,
        again: known,
        because: 'The app gives the vault its client at start. Only the app can register another one.',
      },
    }
    return [
      { ...row, title: `case 259: ${error} at the token endpoint`, code: () => ({ status: 401, body: { error } }) },
      { ...row, title: `case 259: ${error} at the callback`, callback: { code: null, error } },
    ]
  }),
  {
    title: 'case 370: what the server calls itself',
    resource: { resource_name: 'Ada\u202e<b>' },
    // No person. The page reads the server's name apart, and cleans it.
    connected: () => ({ ...good(), name: undefined, label: 'Notes' }),
  },
  {
    title: 'case 370: the person as a server names them, in an ID token',
    options: { scopes: ['openid'] },
    metadata: () => ({ jwks_uri: `${server.origin}/jwks`, id_token_signing_alg_values_supported: ['ES256'] }),
    code: idToken,
    connected: () => ({
      ...good(),
      scopes: ['openid'],
      subject: '1815',
      name: 'Adab',
      email: undefined,
      avatar: undefined,
      url: undefined,
    }),
  },
]

const cells = rows.flatMap((row) => WAYS.map((way) => [row.title, way, row] as const))

it.each(cells)('%s, by way of the %s', async (_title, way, row) => {
  const own = row.differs?.way === way ? row.differs : undefined
  answers(row)
  const opened = open(way, row)
  const connect = async (): Promise<Facts> => {
    try {
      const { client, facts } = await opened
      const { status } = await client.connect('notes')
      return { ...(await facts()), status }
    } catch (error) {
      return said(error as never)
    }
  }
  expect(await connect()).toMatchObject(told(own?.connected ?? row.connected)!)
  if (row.again) expect(await connect()).toMatchObject(told(own?.again ?? row.again)!)
})

const challenges = [
  'Bearer error="insufficient_scope", scope="read write"',
  "Bearer error='insufficient_scope', scope='write'",
  'Bearer scope=write, error=insufficient_scope',
  'Basic realm="x", BEARER Error="insufficient_scope", Scope=" write  write"',
].flatMap((header) => WAYS.map((way) => [header, way] as const))

it.each(challenges)('case 256: more scope is asked for after %s, by way of the %s', async (header, way) => {
  const row = { title: '', connected: {} }
  answers(row)
  const { client, wanted } = await open(way, row)
  await client.connect('notes')
  expect(await wanted(header)).toEqual({ isTheirs: true, more: ['write'] })
})
