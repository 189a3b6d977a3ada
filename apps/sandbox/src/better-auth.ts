import { randomBytes } from 'node:crypto'
import { oauthProvider, oauthProviderAuthServerMetadata } from '@better-auth/oauth-provider'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { jwt } from 'better-auth/plugins'
import { z } from 'zod'
import { type LogEntry, openServer } from './stand-in.ts'

/** An MCP server behind an authorization server that is not oidc-provider: better-auth, with an issuer that has a path. */
export interface BetterAuthStandIn {
  url: string
  mcp: string
  issuer: string
  log: LogEntry[]
  /** Ends every grant. */
  revokeAll(): void
  close(): Promise<void>
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

export async function startBetterAuth({ port = 0 } = {}): Promise<BetterAuthStandIn> {
  const { app, url, log, close } = await openServer(port)
  const resource = `${url}/mcp`
  const issuer = `${url}/api/auth`
  const tables: Record<string, unknown[]> = Object.fromEntries(TABLES.map((name) => [name, []]))
  const auth = betterAuth({
    baseURL: url,
    secret: randomBytes(32).toString('base64url'),
    // biome-ignore lint/suspicious/noExplicitAny: its own type for "any rows".
    database: memoryAdapter(tables as Record<string, any[]>),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [
      jwt({ jwt: { issuer, audience: resource } }),
      oauthProvider({
        loginPage: '/login',
        consentPage: '/consent',
        scopes: ['openid', 'offline_access', 'mcp:read', 'mcp:write'],
        allowDynamicClientRegistration: true,
        allowUnauthenticatedClientRegistration: true,
        enforcePerClientResources: false,
        resources: [{ identifier: resource }],
        // Its types do not allow for exactOptionalPropertyTypes.
      }) as unknown as ReturnType<typeof jwt>,
    ],
  })
  await auth.api.signUpEmail({ body: PERSON })
  const metadata = oauthProviderAuthServerMetadata(
    auth as unknown as Parameters<typeof oauthProviderAuthServerMetadata>[0],
  )

  app.use(async (c, next) => {
    await next()
    c.res.headers.set('access-control-allow-origin', '*')
  })
  app.get('/.well-known/oauth-protected-resource/mcp', (c) =>
    c.json({ resource, authorization_servers: [issuer], scopes_supported: ['mcp:read'] }),
  )
  app.get('/.well-known/oauth-authorization-server/api/auth', (c) => metadata(c.req.raw))

  // Signs the one person in, and goes on.
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

  app.all('/mcp', async (c) => {
    const token = /^bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const payload = token && (await auth.api.verifyJWT({ body: { token, issuer } }).catch(() => undefined))?.payload
    if (!payload || ![payload.aud].flat().includes(resource)) {
      return new Response(null, {
        status: 401,
        headers: {
          'www-authenticate': `Bearer scope="mcp:read", resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`,
        },
      })
    }
    const server = new McpServer({ name: 'Better Notes', version: '1.0.0' })
    server.registerTool('list_notes', { description: 'Lists notes.', inputSchema: z.object({}) }, () => ({
      content: [{ type: 'text', text: '- Behind better-auth' }],
    }))
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await server.connect(transport)
    return transport.handleRequest(c.req.raw, {
      parsedBody: c.req.method === 'POST' ? await c.req.json() : undefined,
    })
  })
  app.all('/api/auth/*', async (c) => {
    // The log has read the body.
    const body = c.req.method === 'GET' ? undefined : await c.req.text()
    const headers = new Headers(c.req.raw.headers)
    // As a browser says when it goes somewhere: what only fetches is told the next address as JSON.
    if (c.req.path.endsWith('/authorize')) headers.set('sec-fetch-mode', 'navigate')
    return auth.handler(new Request(c.req.url, { method: c.req.method, headers, body }))
  })

  return {
    url,
    mcp: resource,
    issuer,
    log,
    revokeAll() {
      tables.oauthRefreshToken!.length = 0
      tables.oauthConsent!.length = 0
    },
    close,
  }
}
