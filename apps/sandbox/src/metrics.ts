import { randomBytes } from 'node:crypto'
import { HTTPException } from 'hono/http-exception'
import type { AdapterPayload, JWKS } from 'oidc-provider'
import { createAuthorizationServer } from './authorization-server.ts'
import { type AppContext, createStandIn, openServer, type StandIn } from './stand-in.ts'

/** A client registration for the client credentials grant. @see RFC 7591 §2 */
export interface ServiceClient {
  client_id: string
  client_secret?: string
  token_endpoint_auth_method: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  /** Public keys, for `private_key_jwt`. */
  jwks?: JWKS
}

export interface MetricsStandIn extends StandIn {
  /** The service account that exists from the start. */
  readonly client: { client_id: string; client_secret: string }
  addClient(client: ServiceClient): void
  /** Lifetime of new tokens in seconds. */
  setTtl(seconds: number): void
}

const READ = 'metrics.read'
const SCOPES = [READ, 'metrics.write']

/** An API for programs: a service account gets a token with its client credentials. No person logs in. */
export async function startMetrics(options: { port: number }): Promise<MetricsStandIn> {
  const server = await openServer(options.port)
  const { app, url } = server
  const client = { client_id: 'metrics-reader', client_secret: randomBytes(24).toString('base64url') }
  let ttl = 600

  const grants = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: SCOPES.join(' ') }
  const oauth = createAuthorizationServer({
    issuer: url,
    brand: { id: 'metrics', name: 'Metrics service', hue: 0 },
    configuration: {
      clients: [{ ...client, ...grants, token_endpoint_auth_method: 'client_secret_basic' }],
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      scopes: SCOPES,
      ttl: { ClientCredentials: () => ttl },
      features: {
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_ctx, resource) => ({
            scope: SCOPES.join(' '),
            audience: resource,
            accessTokenFormat: 'opaque',
          }),
        },
      },
    },
  })

  for (const path of ['/.well-known/openid-configuration', '/jwks', '/token']) app.all(path, (c) => oauth.ask(c))

  const refusal = (c: AppContext, status: 401 | 403, error: string) => {
    const res = c.json({ error }, status, { 'www-authenticate': `Bearer error="${error}"` })
    return new HTTPException(status, { res })
  }

  app.get('/api/metrics', async (c) => {
    const token = await oauth.findToken(/^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1])
    if (!token) throw refusal(c, 401, 'invalid_token')
    if (!token.scope?.split(' ').includes(READ)) throw refusal(c, 403, 'insufficient_scope')
    return c.json({
      service_account: token.clientId,
      metrics: [
        { name: 'requests_per_minute', value: 1284 },
        { name: 'error_rate', value: 0.004 },
        { name: 'p95_latency_ms', value: 212 },
      ],
    })
  })

  const standIn = createStandIn(server, {
    ...oauth,
    reset() {
      ttl = 600
      oauth.reset()
    },
  })
  return {
    ...standIn,
    client,
    addClient: (added) => void oauth.store.set(`Client:${added.client_id}`, { ...grants, ...added } as AdapterPayload),
    setTtl(seconds) {
      ttl = seconds
    },
  }
}
