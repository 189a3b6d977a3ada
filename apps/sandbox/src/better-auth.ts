import { randomBytes } from 'node:crypto'
import { oauthProvider, oauthProviderAuthServerMetadata } from '@better-auth/oauth-provider'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { jwt } from 'better-auth/plugins'
import { z } from 'zod'
import type { McpTool } from './mcp-server.ts'
import { createStandIn, openServer, type StandIn } from './stand-in.ts'

export interface BetterAuthOptions {
  /** @default 0, a free port */
  port?: number
  /** Short and lowercase. */
  id?: string
  name?: string
  /** @default one tool that lists notes */
  tools?: Record<string, McpTool>
  /** How clients are registered; better-auth has no client ID metadata documents. @default 'dynamic' */
  registration?: 'dynamic' | 'static'
  /** Redirect URIs of the statically registered client. */
  redirectUris?: string[]
}

/** An MCP server behind an authorization server that is not oidc-provider: better-auth, with an issuer that has a path. */
export interface BetterAuthStandIn extends StandIn {
  readonly id: string
  readonly name: string
  readonly mcp: string
  readonly issuer: string
  /** The client id of a static registration. */
  readonly clientId: string
  /** Ends every grant. */
  revokeAll(): void
}

const TABLES = [
  'user',
  'session',
  'account',
  'verification',
  'jwks',
  'oauthClient',
  'oauthResource',
  'oauthClientResource',
  'oauthRefreshToken',
  'oauthAccessToken',
  'oauthConsent',
  'oauthClientAssertion',
]
const PERSON = { email: 'ada@example.com', password: randomBytes(12).toString('hex'), name: 'Ada Lovelace' }

const NOTES: McpTool = {
  title: 'List notes',
  description: 'Lists notes.',
  scope: 'mcp:read',
  answer: () => '- Behind better-auth',
}

/** An MCP server (official SDK, streamable HTTP, stateless) whose people sign in at better-auth. */
export async function startBetterAuth(options: BetterAuthOptions = {}): Promise<BetterAuthStandIn> {
  const { port = 0, id = 'better', name = 'Better Notes', registration = 'dynamic', redirectUris = [] } = options
  const { tools = { list_notes: NOTES } } = options
  const open = await openServer(port)
  const { app, url } = open
  const clientId = `${id}-app`
  const resource = `${url}/mcp`
  const issuer = `${url}/api/auth`
  /** Access tokens whose grants have not ended. */
  const live = new Set<string>()
  const tables: Record<string, unknown[]> = Object.fromEntries(TABLES.map((name) => [name, []]))
  const auth = betterAuth({
    baseURL: url,
    secret: randomBytes(32).toString('base64url'),
    // biome-ignore lint/suspicious/noExplicitAny: the adapter types its rows as any.
    database: memoryAdapter(tables as Record<string, any[]>),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    // Browsers send the cookies of one port to all other ports of a host.
    advanced: { cookiePrefix: id },
    plugins: [
      jwt({ jwt: { issuer, audience: resource } }),
      oauthProvider({
        loginPage: '/login',
        consentPage: '/consent',
        scopes: ['openid', 'offline_access', 'mcp:read', 'mcp:write'],
        allowDynamicClientRegistration: registration === 'dynamic',
        allowUnauthenticatedClientRegistration: registration === 'dynamic',
        ...(registration === 'static' && { generateClientId: () => clientId }),
        enforcePerClientResources: false,
        resources: [{ identifier: resource }],
        // Its types do not fit exactOptionalPropertyTypes.
      }) as unknown as ReturnType<typeof jwt>,
    ],
  })
  await auth.api.signUpEmail({ body: PERSON })
  const metadata = oauthProviderAuthServerMetadata(
    auth as unknown as Parameters<typeof oauthProviderAuthServerMetadata>[0],
  )

  if (registration === 'static') {
    const { headers } = await auth.api.signInEmail({ body: PERSON, returnHeaders: true })
    const cookie = headers
      .getSetCookie()
      .map((one) => one.split(';')[0])
      .join('; ')
    await (auth.api as unknown as AdminApi).adminCreateOAuthClient({
      headers: { cookie },
      body: {
        client_name: 'Latchkey demo',
        application_type: 'native',
        redirect_uris: redirectUris,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    })
  }

  const cors = {
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'www-authenticate, mcp-session-id',
  }
  app.use(async (c, next) => {
    if (c.req.path.startsWith('/__sandbox/')) return next()
    if (c.req.method === 'OPTIONS') {
      return new Response(null, {
        status: 204,
        headers: {
          ...cors,
          'access-control-allow-methods': 'GET, POST, PUT, DELETE',
          'access-control-allow-headers': c.req.header('access-control-request-headers') ?? '*',
        },
      })
    }
    await next()
    for (const [header, value] of Object.entries(cors)) c.res.headers.set(header, value)
  })
  app.get('/.well-known/oauth-protected-resource/mcp', (c) =>
    c.json({ resource, authorization_servers: [issuer], scopes_supported: ['mcp:read'], resource_name: name }),
  )
  app.get('/.well-known/oauth-authorization-server/api/auth', (c) => metadata(c.req.raw))

  // Signs in the only person, then continues.
  app.get('/login', async (c) => {
    const { headers } = await auth.api.signInEmail({ body: PERSON, returnHeaders: true })
    const to = `/api/auth/oauth2/authorize${new URL(c.req.url).search}`
    return new Response(null, {
      status: 302,
      headers: [['location', to], ...headers.getSetCookie().map((one): [string, string] => ['set-cookie', one])],
    })
  })
  app.get('/consent', (c) =>
    c.html(
      '<!doctype html><title>Allow?</title><form method="post"><button name="answer" value="allow">Allow</button></form>',
    ),
  )
  app.post('/consent', async (c) => {
    const answer = await auth.handler(
      new Request(`${issuer}/oauth2/consent`, {
        method: 'POST',
        headers: { cookie: c.req.header('cookie') ?? '', origin: url, 'content-type': 'application/json' },
        body: JSON.stringify({ accept: true, oauth_query: new URL(c.req.url).search.slice(1) }),
      }),
    )
    const said = (await answer.json()) as { url?: string; redirect_uri?: string }
    return c.redirect(said.url ?? said.redirect_uri ?? '/', 303)
  })

  const refuse = (status: 401 | 403, parameters: string) =>
    new Response(null, {
      status,
      headers: {
        'www-authenticate': `Bearer ${parameters}, resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`,
      },
    })
  app.all('/mcp', async (c) => {
    const token = /^bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    // A JWT stays valid after its grant has ended, so the server accepts only tokens in `live`.
    const payload =
      token && live.has(token)
        ? (await auth.api.verifyJWT({ body: { token, issuer } }).catch(() => undefined))?.payload
        : undefined
    if (!payload || ![payload.aud].flat().includes(resource)) return refuse(401, 'scope="mcp:read"')
    const body = c.req.method === 'POST' ? await c.req.json().catch(() => undefined) : undefined
    const tool = body?.method === 'tools/call' ? tools[body.params?.name] : undefined
    if (tool && !String(payload.scope).split(' ').includes(tool.scope)) {
      return refuse(403, `error="insufficient_scope", scope="${tool.scope}"`)
    }
    const server = new McpServer({ name, version: '1.0.0' })
    for (const [toolName, { title, description, answer }] of Object.entries(tools)) {
      server.registerTool(toolName, { title, description, inputSchema: z.object({}) }, () => ({
        content: [{ type: 'text', text: answer() }],
      }))
    }
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await server.connect(transport)
    return transport.handleRequest(c.req.raw, { parsedBody: body })
  })
  app.all('/api/auth/*', async (c) => {
    // The log has already read the body of the original request.
    const body = c.req.method === 'GET' ? undefined : await c.req.text()
    const headers = new Headers(c.req.raw.headers)
    // The header of a navigation. Without it, better-auth sends the next URL as JSON.
    if (c.req.path.endsWith('/authorize')) headers.set('sec-fetch-mode', 'navigate')
    const answer = await auth.handler(new Request(c.req.url, { method: c.req.method, headers, body }))
    if (answer.ok && c.req.path.endsWith('/token')) {
      const { access_token } = (await answer.clone().json()) as { access_token?: string }
      if (access_token) live.add(access_token)
    }
    return answer
  })

  const revokeAll = () => {
    live.clear()
    tables.oauthRefreshToken!.length = 0
    tables.oauthConsent!.length = 0
  }
  app.post('/__sandbox/revoke-all', (c) => {
    revokeAll()
    return c.json({})
  })
  const standIn = createStandIn(open, {
    isLive: async (value) => live.has(value),
    revoke: async (value) => live.delete(value),
    reset: revokeAll,
  })
  return Object.assign(standIn, { id, name, mcp: resource, issuer, clientId, revokeAll })
}

/** A method of the plug-in that its types do not show. */
interface AdminApi {
  adminCreateOAuthClient(request: { headers: HeadersInit; body: Record<string, unknown> }): Promise<unknown>
}
