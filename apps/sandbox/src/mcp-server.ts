import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js'
import { createMcpHandler, inputRequired, McpServer as ModernServer } from '@modelcontextprotocol/server'
import { type ClientMetadata, type Configuration, errors, type Interaction } from 'oidc-provider'
import { z } from 'zod'
import { createAuthorizationServer, DENIED } from './authorization-server.ts'
import { type Brand, consentPage, visitPage } from './pages.ts'
import { type AppContext, createStandIn, openServer, readObject, type StandIn } from './stand-in.ts'

/** One tool of a stand-in: its answer, and the scope that it needs. */
export interface McpTool {
  title: string
  description: string
  scope: 'mcp:read' | 'mcp:write'
  answer: () => string
  /** What the person must agree to on a page of the server before the tool answers (URL-mode elicitation). */
  page?: string
}

export interface McpServerOptions {
  port: number
  /** Short and lowercase. */
  id: string
  name: string
  hue: number
  tools: Record<string, McpTool>
  /** How clients are registered. */
  registration: 'metadata-document' | 'dynamic' | 'static'
  redirectUris: string[]
  /** Client ID metadata documents by URL, as this server would fetch them. */
  clientDocuments?: Record<string, ClientMetadata>
  /** Sends no CORS headers. */
  noCors?: true
  /** Its metadata has no `resource_name`. */
  nameless?: true
  /** Supports MCP 2026-07-28 beside 2025: asks for a page in a result instead of with the error -32042. */
  modern?: true
  /** Seconds. @default 3600 */
  accessTtl?: number
}

export interface McpStandIn extends StandIn {
  readonly id: string
  readonly name: string
  /** The MCP endpoint. */
  readonly mcp: string
  /** The client id of a static registration. */
  readonly clientId: string
  /** Grants everything, or refuses everything, without a page. */
  setPolicy(policy: { auto?: boolean; deny?: boolean }): void
  /** Overrides members of the authorization server's metadata; undefined removes one. */
  readonly metadata: Record<string, unknown>
  /** Lifetime of the next access tokens. */
  readonly lifetime: { seconds: number }
  /** Ends every grant. */
  revokeAll(): void
  /** Deletes every client that registered itself. */
  deleteClients(): void
  readonly clients: () => string[]
}

const PERSON = { id: 'ada', name: 'Ada Lovelace', handle: 'ada@example.com', picture: '/avatars/ada' }
const WORDS = { 'mcp:read': 'Read what is yours here', 'mcp:write': 'Change what is yours here' }

/**
 * An MCP server (official SDK, streamable HTTP, stateless) behind its own strict OAuth 2.1 server: PKCE for all, one
 * audience per token, refresh tokens that rotate and whose reuse ends the grant.
 */
export async function startMcpServer(options: McpServerOptions): Promise<McpStandIn> {
  const open = await openServer(options.port)
  const { app, url: issuer } = open
  const { id, name, registration, redirectUris, clientDocuments = {}, accessTtl = 3600 } = options
  const brand: Brand = { id, name, hue: options.hue }
  const clientId = `${id}-app`
  const resource = `${issuer}/mcp`
  const metadata: Record<string, unknown> = {}
  const lifetime = { seconds: accessTtl }
  let policy: { auto?: boolean; deny?: boolean } = {}

  const oauth = createAuthorizationServer({
    issuer,
    brand,
    configuration: {
      clients:
        registration === 'static'
          ? [
              {
                client_id: clientId,
                client_name: 'Latchkey demo',
                application_type: 'native',
                redirect_uris: redirectUris,
                response_types: ['code'],
                grant_types: ['authorization_code', 'refresh_token'],
                token_endpoint_auth_method: 'none',
              },
            ]
          : [],
      scopes: ['offline_access', ...Object.keys(WORDS)],
      pkce: { required: () => true },
      rotateRefreshToken: true,
      issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
      ttl: { AccessToken: () => lifetime.seconds, AuthorizationCode: 60 },
      features: {
        revocation: { enabled: true },
        ...(registration === 'dynamic' && {
          registration: { enabled: true, initialAccessToken: false, issueRegistrationAccessToken: true },
          registrationManagement: { enabled: true, rotateRegistrationAccessToken: false },
        }),
        ...(registration === 'metadata-document' && {
          clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
        }),
        resourceIndicators: {
          enabled: true,
          defaultResource: async (_ctx, _client, oneOf) => oneOf?.[0] as string,
          useGrantedResource: async () => true,
          getResourceServerInfo: async (_ctx, asked) => {
            if (asked !== resource) throw new errors.InvalidTarget()
            return {
              scope: Object.keys(WORDS).join(' '),
              audience: resource,
              accessTokenFormat: 'opaque',
            }
          },
        },
      },
      // Client ID metadata documents, which the server would fetch over https.
      fetch: async (url: URL | string, init?: RequestInit) => {
        const document = clientDocuments[String(url)]
        return document ? Response.json(document) : fetch(url, init)
      },
    } as Configuration,
  })
  const { provider, store } = oauth

  const cors = {
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'www-authenticate, mcp-session-id',
  }
  app.use(async (c, next) => {
    if (c.req.path.startsWith('/__sandbox/')) return next()
    if (c.req.method === 'OPTIONS' && !options.noCors) {
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
    for (const header of [...c.res.headers.keys()]) {
      if (header.startsWith('access-control-')) c.res.headers.delete(header)
    }
    if (!options.noCors) for (const [header, value] of Object.entries(cors)) c.res.headers.set(header, value)
  })

  const resourceMetadata = `${issuer}/.well-known/oauth-protected-resource/mcp`
  app.get('/.well-known/oauth-protected-resource/mcp', (c) =>
    c.json({
      resource,
      authorization_servers: [issuer],
      scopes_supported: ['mcp:read'],
      ...(!options.nameless && { resource_name: name }),
    }),
  )

  const refuse = (status: 401 | 403, parameters: Record<string, string>) => {
    const words = Object.entries({ ...parameters, resource_metadata: resourceMetadata })
    return Response.json(
      { error: parameters.error ?? 'invalid_token' },
      {
        status,
        headers: { 'www-authenticate': `Bearer ${words.map(([key, value]) => `${key}="${value}"`).join(', ')}` },
      },
    )
  }

  /** Tools whose page the person has agreed to. */
  const agreed = new Set<string>()
  const pageOf = (toolName: string) => `${issuer}/pages/${toolName}`
  app.get('/pages/:tool', async (c) => {
    const toolName = c.req.param('tool')
    const page = options.tools[toolName]?.page
    return page ? c.html(await visitPage(brand, page, agreed.has(toolName))) : c.notFound()
  })
  app.post('/pages/:tool', (c) => {
    agreed.add(c.req.param('tool'))
    return c.redirect(c.req.path, 303)
  })
  const modern =
    options.modern &&
    createMcpHandler(() => {
      const server = new ModernServer({ name, version: '1.0.0' })
      for (const [toolName, { title, description, answer, page }] of Object.entries(options.tools)) {
        server.registerTool(toolName, { title, description, inputSchema: z.object({}) }, (_input, ctx) => {
          const accepted = ctx.mcpReq.inputResponses?.page as { action?: string } | undefined
          if (page && !(agreed.has(toolName) && accepted?.action === 'accept')) {
            return inputRequired({
              inputRequests: { page: inputRequired.elicitUrl({ message: page, url: pageOf(toolName) }) },
            })
          }
          return { content: [{ type: 'text', text: answer() }] }
        })
      }
      return server
    })

  app.all('/mcp', async (c) => {
    const value = /^bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (!value) return refuse(401, { scope: 'mcp:read' })
    const token = await provider.AccessToken.find(value)
    if (!token || token.isExpired || ![token.aud].flat().includes(resource)) {
      return refuse(401, { error: 'invalid_token', scope: 'mcp:read' })
    }
    const body = c.req.method === 'POST' ? await c.req.json().catch(() => undefined) : undefined
    const tool = body?.method === 'tools/call' ? options.tools[body.params?.name] : undefined
    const has = (token.scope ?? '').split(' ')
    if (tool && !has.includes(tool.scope)) return refuse(403, { error: 'insufficient_scope', scope: tool.scope })
    if (modern) return modern.fetch(c.req.raw, { parsedBody: body })
    const server = new McpServer({ name, version: '1.0.0' })
    for (const [toolName, { title, description, answer, page }] of Object.entries(options.tools)) {
      server.registerTool(toolName, { title, description, inputSchema: z.object({}) }, () => {
        if (page && !agreed.has(toolName)) {
          throw new UrlElicitationRequiredError([
            { mode: 'url', message: page, url: pageOf(toolName), elicitationId: toolName },
          ])
        }
        return { content: [{ type: 'text', text: answer() }] }
      })
    }
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await server.connect(transport)
    return transport.handleRequest(c.req.raw, { parsedBody: body })
  })

  async function allow(c: AppContext, { params }: Interaction): Promise<Response> {
    const accountId = PERSON.id
    const grant = new provider.Grant({ accountId, clientId: String(params.client_id) })
    const asked = String(params.scope ?? '')
    grant.addOIDCScope(asked)
    grant.addResourceScope(resource, asked)
    return oauth.submit(c, { login: { accountId }, consent: { grantId: await grant.save() } })
  }

  app.get('/interaction/:uid', async (c) => {
    const details = await oauth.findInteraction(c)
    if (!details) return oauth.errorPage(c, 'This sign-in has expired.')
    if (policy.deny) return oauth.submit(c, DENIED)
    if (policy.auto) return allow(c, details)
    const scopes = String(details.params.scope ?? '').split(' ')
    const client = await provider.Client.find(String(details.params.client_id))
    return c.html(
      await consentPage(brand, {
        appName: client?.clientName ?? 'An app',
        returnsTo: new URL(String(details.params.redirect_uri)).host,
        user: PERSON,
        scopes: Object.entries(WORDS).flatMap(([scope, words]) =>
          scopes.includes(scope) ? [{ name: scope, words }] : [],
        ),
      }),
    )
  })
  app.post('/interaction/:uid', async (c) => {
    const details = await oauth.findInteraction(c)
    if (!details) return oauth.errorPage(c, 'This sign-in has expired.')
    const allowed = new URLSearchParams(await c.req.text()).get('answer') === 'allow'
    return allowed ? allow(c, details) : oauth.submit(c, DENIED)
  })
  app.get('/avatars/:file', (c) =>
    c.body('<svg xmlns="http://www.w3.org/2000/svg"/>', 200, { 'content-type': 'image/svg+xml' }),
  )

  const withChanges = async (c: AppContext) => {
    const answer = await oauth.ask(c)
    const document = { ...(await answer.json()), ...metadata }
    return c.json(document)
  }
  app.get('/.well-known/oauth-authorization-server', withChanges)
  app.get('/.well-known/openid-configuration', (c) => c.notFound())

  const revokeAll = () => {
    for (const key of [...store.keys()]) if (/^(Grant|AccessToken|RefreshToken):/.test(key)) store.delete(key)
  }
  const deleteClients = () => {
    for (const key of [...store.keys()]) if (/^(Client|RegistrationAccessToken):/.test(key)) store.delete(key)
  }
  app.post('/__sandbox/policy', async (c) => {
    const body = await readObject(c)
    policy = { auto: body.auto === true, deny: body.deny === true }
    return c.json({})
  })
  app.post('/__sandbox/revoke-all', (c) => {
    revokeAll()
    return c.json({})
  })
  app.post('/__sandbox/delete-clients', (c) => {
    deleteClients()
    return c.json({})
  })

  const standIn = createStandIn(open, {
    ...oauth,
    reset() {
      policy = {}
      agreed.clear()
      lifetime.seconds = accessTtl
      oauth.reset()
      deleteClients()
      for (const key of Object.keys(metadata)) delete metadata[key]
    },
  })
  app.all('*', (c) => oauth.ask(c))

  return Object.assign(standIn, {
    id,
    name,
    mcp: resource,
    clientId,
    metadata,
    lifetime,
    setPolicy(next: typeof policy) {
      policy = next
    },
    revokeAll,
    deleteClients,
    clients: () => [...store.keys()].flatMap((key) => (key.startsWith('Client:') ? [key.slice('Client:'.length)] : [])),
  })
}
