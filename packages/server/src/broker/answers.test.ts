// Security cases N, 249-259, 261, 262, 284, 340-344, 370-372: What servers really answer. A release waits for 249-259, 261, 262, 284.
// The same answers go three ways: to a page that asks the server itself, to one that asks a broker, and to one whose
// accounts are in a vault. A cell that differs says why. What MCP servers say of themselves is in agent/mcp/answers.test.ts.
import { type LatchkeyError, memoryStore, type OAuthOptions, type OidcOptions, oauth, oidc } from '@latchkey/core'
import { startTinyServer, type TinyFault, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { fetchBy, ORIGIN, openPage, REDIRECT_URI } from '../../../core/fixtures/mcp-page.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import { AuthorizationRequired, createBroker } from '../index.ts'
import { localKeys } from '../vault/index.ts'

const WAYS = ['page', 'broker', 'vault'] as const
const BROKER = `${ORIGIN}/api/latchkey`
const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const { fetch } = globalThis

let server: TinyServer
beforeEach(async () => {
  server = await startTinyServer()
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  await server.close()
})

type Facts = Record<string, unknown>

interface Row {
  /** What the server does. */
  title: string
  /** What the provider says of itself. */
  provider?: Partial<OAuthOptions & OidcOptions>
  /** Its metadata, found by discovery. */
  metadata?: () => Record<string, unknown>
  /** Members of the authorization response. */
  callback?: () => Record<string, string | null>
  /** The answer to the code, as it is, or the ID token in it. */
  code?: TinyFault | ((nonce: string) => TinyFault)
  /** What the profile of the person says, and the list of addresses beside it. */
  person?: Record<string, unknown>
  emails?: TinyFault
  /** How the connect ends. */
  connected: Facts
  /** The answers to refreshes, and the account after the last. An API refused the token; else, see `uses`. */
  refresh?: TinyFault | TinyFault[]
  refreshed?: Facts
  /** How often the account is used, two minutes apart, the first time when its token has ended. */
  uses?: number
  /** Where one way differs, and why. */
  differs?: { way: (typeof WAYS)[number]; connected?: Facts; refreshed?: Facts; because: string }
}

/** A page with its accounts kept in one of the ways. */
function open(way: (typeof WAYS)[number], { provider: further, metadata, callback, code, person, emails }: Row) {
  const { origin } = server
  const fields = { subject: 'sub', name: 'name', email: 'email', avatar: 'picture' }
  const profile = person && { endpoint: `${origin}/userinfo`, fields, emailsEndpoint: emails && `${origin}/emails` }
  if (person) server.fault('/userinfo', { body: { sub: '1815', ...person } })
  if (emails) server.fault('/emails', emails)
  const common = { profile, id: 'acme', name: 'Acme', baseUrl: origin, clientId: 'app', scopes: ['read', 'write'] }
  const provider = metadata
    ? oidc({ ...common, issuer: origin, scopes: ['openid', 'read'], ...further })
    : oauth({
        ...common,
        issuer: origin,
        authorizationEndpoint: `${origin}/authorize`,
        tokenEndpoint: `${origin}/token`,
        ...further,
      })
  server.settings.metadata = metadata?.() ?? {}
  const vault = openVault({ keys: localKeys(KEY) })
  const broker = createBroker<string>({
    providers: [provider],
    authenticate: () => 'ada',
    allowedOrigins: [ORIGIN],
    redirectUris: [REDIRECT_URI],
    vault,
    custody: { acme: way === 'vault' ? 'vault' : 'mediate' },
  })
  vi.stubGlobal('fetch', fetchBy(BROKER, broker, fetch))
  const page = openPage({
    visited: [],
    async visit(url) {
      const fault = typeof code === 'function' ? code(new URL(url).searchParams.get('nonce') ?? '') : code
      if (fault) server.fault('/token', fault)
      return REDIRECT_URI + server.approve(url, undefined, callback?.())
    },
  })
  const storage = memoryStore()
  const client = page.client({ storage, providers: [provider], ...(way !== 'page' && { broker: BROKER }) })
  const owner = { tenant: 'default', user: 'ada' }
  const idOf = () => Object.keys(client.getSnapshot().accounts)[0] ?? ''

  /** The token that a page, or a tool on the server, is given; or what it is told. */
  async function use(): Promise<Facts> {
    const reference = { connectedAccounts: [{ provider: 'acme', accountId: idOf() }] }
    try {
      if (way !== 'vault') return { token: await client.getToken('acme') }
      const { context } = await broker.agentContext('ada', reference, { agent: 'a' })
      return { token: (await context.getToken('acme', { effect: 'read' })).access_token }
    } catch (error) {
      // A tool asks its page in words of its own to connect an account again.
      if (error instanceof AuthorizationRequired) return { told: { code: 'invalid_token', next: 'reconnect' } }
      const { code, next, retryAfter } = error as LatchkeyError
      return { told: { code, next, ...(retryAfter && { retryAfter }) } }
    }
  }

  /** Whether the refresh token is still somewhere. */
  async function holds(): Promise<boolean> {
    if (way === 'vault') return (await vault.open(owner, idOf()))?.secret.token?.refresh_token !== undefined
    const kept = await Promise.all(((await storage.keys?.()) ?? []).map((key) => storage.getItem(key)))
    return kept.join().includes('refresh_token')
  }

  /** What is known of the account, what a use of it gets, and how often its server was asked to refresh it. */
  async function facts(): Promise<Facts> {
    if (!idOf()) return {}
    const used = await use()
    // A page is not told the end of a token that the server renews.
    const kept = (way === 'vault' && (await vault.find(owner, idOf()))) || client.getSnapshot().accounts[idOf()]!
    const { expiresAt, issuedAt = 0 } = kept
    const life = expiresAt && Math.round((expiresAt - issuedAt) / 1000)
    const absent = { reason: undefined, name: undefined, email: undefined, avatar: undefined, token: undefined }
    return { ...absent, ...kept, life, ...used, holds: await holds(), asked: server.refreshes().length }
  }

  /** Lets the token end, and uses the account again and again, as the background of a server does as well. */
  async function outlive(uses: number): Promise<Facts> {
    const said: unknown[] = []
    for (let turn = 0; turn < uses; turn += 1) {
      vi.setSystemTime(Date.now() + 120_000)
      said.push((await use()).told)
      if (way === 'vault') await broker.refreshDue()
    }
    return { first: said[0] }
  }
  return { client, facts, outlive }
}

const said = (error: { code: string }): Facts => ({ error: error.code })
const TOKEN = { access_token: 'at', token_type: 'bearer', refresh_token: 'rt', expires_in: 3600, scope: 'read write' }
const json = (change: object, status?: number): TinyFault => ({ body: { ...TOKEN, ...change }, status })
const only = (body: Record<string, unknown>, status?: number): TinyFault => ({ body, status })
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const GOOD = { status: 'connected', scopes: ['read', 'write'], missingScopes: [], renewable: true, token: 'at' }
const RECONNECT = { token: undefined, told: { code: 'invalid_token', next: 'reconnect' } }
/** The grant is over: its secret is gone. */
const ENDED = { ...RECONNECT, status: 'needs-reconnect', reason: 'revoked', holds: false, asked: 1 }
/** The server says no again and again. What it only refused may be its own mistake, so the secret is kept. */
const REFUSED = { ...ENDED, reason: 'invalid_token', holds: true, asked: 3 }
/** A token that ends before the account is used again, and how an account of it begins. */
const SHORT = json({ expires_in: 30 })
const BRIEF = { ...GOOD, life: 30, asked: 0 }

const SLACK = {
  ok: true,
  access_token: 'xoxb-bot',
  token_type: 'bot',
  scope: 'read,write',
  authed_user: { id: 'U1', scope: 'read', access_token: 'xoxp-user', token_type: 'user' },
}
const { access_token: _, token_type: __, scope: ___, ...USER_ONLY } = SLACK
const TO_USER = { tokenPath: 'authed_user.access_token', scopes: ['read'] }

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** An ID token of this issuer for this request, beside the usual answer. */
const idToken =
  (issuer: () => string) =>
  (nonce: string): TinyFault => {
    const iat = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer(), sub: '1815', aud: 'app', nonce, iat, exp: iat + 60 }
    return { change: (answer) => ({ ...answer, id_token: `${part({ alg: 'RS256' })}.${part(claims)}.x` }) }
  }
const withSlash = () => `${server.origin}/`

const rows: Row[] = [
  {
    title: 'case 250: scope as a list',
    code: json({ scope: ['read', 'write'] }),
    connected: GOOD,
    refresh: json({ access_token: 'at2', scope: ['read'] }),
    refreshed: { ...GOOD, token: 'at2', scopes: ['read'], missingScopes: ['write'] },
  },
  {
    title: 'case 250: scope as a list of something',
    code: json({ scope: [{}] }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 254: scope of no words (GitHub Apps)',
    code: json({ scope: '' }),
    connected: GOOD,
    refresh: json({ access_token: 'at2', scope: ' ' }),
    refreshed: { ...GOOD, token: 'at2' },
  },
  {
    title: 'case 249: a bot token beside a user token (Slack)',
    code: only(SLACK),
    connected: { ...GOOD, token: 'xoxb-bot', renewable: false },
  },
  {
    title: 'case 249: a bot token without a life of its own beside a user (Slack)',
    code: only({ ...SLACK, authed_user: { id: 'U1' } }),
    connected: { ...GOOD, token: 'xoxb-bot', renewable: false },
  },
  {
    title: 'case 249: the user token, where the provider is one of users',
    provider: TO_USER,
    code: only(SLACK),
    connected: { ...GOOD, scopes: ['read'], token: 'xoxp-user', renewable: false },
  },
  {
    title: 'case 249: a user token only, rotated: a refresh answers with the token that was refreshed',
    provider: TO_USER,
    code: only({ ...USER_ONLY, authed_user: { ...SLACK.authed_user, refresh_token: 'xoxe-1', expires_in: 43200 } }),
    connected: { ...GOOD, scopes: ['read'], token: 'xoxp-user', life: 43200 },
    refresh: only({ ok: true, access_token: 'xoxp-2', token_type: 'user', refresh_token: 'xoxe-2', expires_in: 43200 }),
    refreshed: { ...GOOD, scopes: ['read'], token: 'xoxp-2', life: 43200 },
  },
  {
    title: 'case 249: a bot token only, where the provider is one of users',
    provider: TO_USER,
    code: only({ ...SLACK, authed_user: { id: 'U1' } }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 249: no user at all, where the provider is one of users',
    provider: TO_USER,
    code: only({ ...SLACK, authed_user: undefined }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 249: a user token only, where the provider is one of bots',
    code: only(USER_ONLY),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 251: an issuer with a slash that the app left out (Auth0)',
    metadata: () => ({ issuer: withSlash() }),
    callback: () => ({ iss: withSlash() }),
    code: idToken(withSlash),
    // The account belongs to the issuer that the app names: that is what it is compared with.
    connected: { status: 'connected', issuer: expect.not.stringMatching(/\/$/) },
    refresh: {},
    refreshed: { status: 'connected' },
  },
  {
    title: 'case 251: metadata of another issuer',
    metadata: () => ({ issuer: 'https://evil.example' }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 251: an ID token of another issuer than the metadata',
    metadata: () => ({ issuer: withSlash() }),
    callback: () => ({ iss: withSlash() }),
    code: idToken(() => server.origin),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 252: metadata without PKCE, and the app knows better (Entra)',
    provider: { pkce: 'S256' },
    metadata: () => ({ code_challenge_methods_supported: undefined }),
    connected: { status: 'connected' },
  },
  {
    title: 'case 252: metadata without PKCE',
    metadata: () => ({ code_challenge_methods_supported: undefined }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 253: a "no" in its own word (LinkedIn)',
    provider: { errorAliases: { user_cancelled_login: 'access_denied' } },
    callback: () => ({ code: null, error: 'user_cancelled_login' }),
    connected: { status: 'denied' },
  },
  {
    title: 'case 253: a "no" in its own word, known to an OpenID provider',
    provider: { errorAliases: { user_cancelled_login: 'access_denied' } },
    metadata: () => ({}),
    callback: () => ({ code: null, error: 'user_cancelled_login' }),
    connected: { status: 'denied' },
  },
  {
    title: 'case 253: a word that is a member of every object',
    provider: { errorAliases: {} },
    callback: () => ({ code: null, error: 'constructor' }),
    connected: { error: 'server_error' },
  },
  {
    title: 'case 262: an error under status 200 (GitHub)',
    provider: { errorAliases: { bad_verification_code: 'invalid_grant' } },
    code: only({ error: 'bad_verification_code' }),
    connected: { error: 'invalid_grant' },
  },
  {
    title: 'case 262: a form (GitHub without Accept)',
    code: { headers: FORM, body: new URLSearchParams({ access_token: 'at', scope: 'read,write' }).toString() },
    connected: { ...GOOD, renewable: false },
  },
  { title: 'case 262: commas between scopes (GitHub)', code: json({ scope: 'read,write' }), connected: GOOD },
  {
    title: 'case 262: ok: false (Slack)',
    code: only({ ok: false, error: 'invalid_code' }),
    connected: { error: 'invalid_request' },
  },
  {
    title: 'case 262: members that are null or empty (Notion)',
    code: json({ refresh_token: null, expires_in: null, scope: null, id_token: '', error: null }),
    connected: { ...GOOD, renewable: false },
  },
  {
    title: 'case 262: fewer scopes (Google)',
    code: json({ scope: 'read' }),
    connected: { ...GOOD, scopes: ['read'], missingScopes: ['write'] },
  },
  {
    title: 'case 262: no life (GitHub, Salesforce)',
    code: json({ expires_in: undefined }),
    connected: { ...GOOD, life: undefined },
    uses: 2,
    refreshed: { ...GOOD, life: undefined, asked: 0 },
  },
  { title: 'case 262: no token_type', code: json({ token_type: undefined }), connected: GOOD },
  { title: 'case 262: a token_type of its own', code: json({ token_type: 'bot' }), connected: GOOD },
  {
    title: 'case 262: a token that is bound to a key',
    code: json({ token_type: 'DPoP' }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 262: a refresh that says only the token (Figma, Salesforce)',
    code: json({}),
    connected: GOOD,
    refresh: only({ access_token: 'at2' }),
    refreshed: { ...GOOD, token: 'at2', life: undefined },
  },
  {
    title: 'case 262: codes of its own beside the error (Entra)',
    code: only({ error: 'invalid_grant', error_codes: [70008], error_description: 'AADSTS70008' }, 400),
    connected: { error: 'invalid_grant' },
  },
  {
    title: 'case 262: a page of HTML with status 502',
    code: { status: 502, body: '<h1>Bad gateway</h1>', headers: { 'content-type': 'text/html' } },
    connected: { error: 'temporarily_unavailable' },
  },
  {
    title: 'case 262: a page of HTML with status 200',
    code: { body: '<h1>Hello</h1>', headers: { 'content-type': 'text/html' } },
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 262: the end of the grant at a refresh',
    code: json({}),
    connected: GOOD,
    refresh: only({ error: 'invalid_grant' }, 400),
    refreshed: ENDED,
  },
  {
    title: 'case 262: camel case (the reference of HubSpot v1)',
    code: only({ accessToken: 'at', expiresIn: 3600 }),
    connected: { error: 'malformed_response' },
  },
  {
    title: 'case 262: no picture (Discord)',
    person: { name: 'Ada', picture: null, email: 'ada@example.com' },
    code: json({}),
    connected: {
      ...GOOD,
      subject: '1815',
      name: 'Ada',
      email: 'ada@example.com',
      avatar: undefined,
      label: 'ada@example.com',
    },
  },
  {
    title: 'case 262: no e-mail address, which is asked for elsewhere (GitHub)',
    person: { email: null },
    emails: {
      body: JSON.stringify([{ email: 'a@b.example' }, { email: 'ada@example.com', primary: true, verified: true }]),
    },
    code: json({}),
    connected: { ...GOOD, email: 'ada@example.com' },
  },
  {
    title: 'case 262: no e-mail address, and the other place refuses (GitHub)',
    person: { name: 'Ada', email: null },
    emails: { status: 403, body: { message: 'Resource not accessible' } },
    code: json({}),
    connected: { ...GOOD, subject: '1815', name: 'Ada', email: undefined },
  },
  ...(
    [
      ['HubSpot', only({ status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' }, 400)],
      ['Slack', only({ ok: false, error: 'invalid_refresh_token' })],
      ['GitHub', only({ error: 'bad_refresh_token' })],
    ] as const
  ).map(([name, refresh]) => ({
    title: `case 241: the words of ${name} for a grant that is over`,
    code: SHORT,
    connected: BRIEF,
    refresh: [refresh, refresh],
    uses: 10,
    refreshed: { ...ENDED, first: { code: 'invalid_grant', next: 'connect' } },
    differs: {
      way: 'vault' as const,
      refreshed: { ...ENDED, first: RECONNECT.told },
      because: 'A tool asks its page to connect the account again, at the first no as later.',
    },
  })),
  ...(
    [
      ['case 241: an unknown code', only({ error: 'token_gone_fishing' }, 400)],
      ['case 241: a page with status 403', { status: 403, body: '<html>Forbidden</html>' }],
      ['case 241: words without a code', only({ message: 'gone' }, 410)],
      ['case 241: an unknown client under status 400', only({ error: 'unauthorized_client' }, 400)],
      ['case 283: a client that was deleted', only({ error: 'invalid_client' }, 401)],
    ] as const
  ).map(([what, refresh]) => ({
    title: `${what}, at every refresh`,
    code: SHORT,
    connected: BRIEF,
    refresh: Array(10).fill(refresh),
    uses: 10,
    refreshed: REFUSED,
  })),
  {
    title: 'case 243: a limit that ends in an hour, told to all who ask before',
    code: SHORT,
    connected: BRIEF,
    refresh: { status: 429, body: 'slow down', headers: { 'retry-after': '3600' } },
    uses: 6,
    refreshed: {
      ...BRIEF,
      token: undefined,
      told: { code: 'temporarily_unavailable', next: 'wait', retryAfter: 3000 },
      holds: true,
      asked: 1,
    },
  },
  ...(
    [
      [3599.00012, 3599],
      [1e15, 1e9],
      ['3600', 3600],
    ] as const
  ).map(([expires_in, life]) => ({
    title: `case 245: a life of ${JSON.stringify(expires_in)} s`,
    code: json({ expires_in }),
    connected: { ...GOOD, life },
    refresh: json({ access_token: 'at2', expires_in }),
    refreshed: { ...GOOD, life, token: 'at2', holds: true, asked: 1 },
  })),
  {
    title: 'case 340: metadata with members that are null',
    metadata: () => ({ registration_endpoint: null, jwks_uri: '', scopes_supported: null }),
    connected: { status: 'connected' },
  },
  {
    title: 'case 341: a scope that is a member of every object',
    provider: { scopeAliases: {} },
    code: json({ scope: 'read write constructor' }),
    connected: { ...GOOD, scopes: ['read', 'write', 'constructor'] },
  },
]

const cells = rows.flatMap((row) => WAYS.map((way) => [row.title, way, row] as const))

it.each(cells)('%s, by way of the %s', async (_title, way, row) => {
  const { differs } = row
  const own = differs?.way === way ? differs : undefined
  vi.useFakeTimers({ toFake: ['Date'] })
  const { client, facts, outlive } = open(way, row)
  const outcome = await client.connect('acme').then(
    async ({ status }) => ({ ...(await facts()), status }),
    (error) => said(error),
  )
  expect(outcome).toMatchObject(own?.connected ?? row.connected)
  if (!row.refreshed) return
  server.fault('/token', ...[row.refresh ?? []].flat())
  const [account] = Object.values(client.getSnapshot().accounts)
  const uses = row.uses ? await outlive(row.uses) : await client.reportInvalidToken(account!.id).catch(() => {})
  expect({ ...uses, ...(await facts()) }).toMatchObject(own?.refreshed ?? row.refreshed)
})

it.each(WAYS)('case 342: discovery that is away is not taken for strange metadata, by way of the %s', async (way) => {
  const row = { title: '', metadata: () => ({}), connected: {} }
  const { client } = open(way, row)
  const path = '/.well-known/openid-configuration'
  server.fault(path, ...[1, 2, 3].map(() => ({ status: 503, headers: { 'retry-after': '7' }, body: '' })))
  const error = await client.connect('acme').catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'temporarily_unavailable', next: 'wait', retryAfter: 7 })
})

it.each(WAYS)(
  'case 262: a second sign-in without a refresh token keeps the old one (Google), by way of the %s',
  async (way) => {
    const person = { profile: { endpoint: `${server.origin}/userinfo`, fields: { subject: 'sub' } } }
    const { client, facts } = open(way, { title: '', provider: person, connected: {} })
    await client.connect('acme')
    expect(await facts()).toMatchObject({ renewable: true })
    server.fault('/token', { change: ({ refresh_token: _old, ...answer }) => answer })
    const { id } = Object.values(client.getSnapshot().accounts)[0]!
    expect(await client.reconnect(id)).toMatchObject({ status: 'connected', account: { id, renewable: true } })
    expect(await facts()).toMatchObject({ renewable: true, status: 'connected' })
  },
)
