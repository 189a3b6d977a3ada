import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import {
  type AccessToken,
  type Adapter,
  type AdapterPayload,
  type ClientCredentials,
  type Configuration,
  errors,
  type Interaction,
  type InteractionResults,
  Provider,
  type RefreshToken,
} from 'oidc-provider'
import { type Brand, errorPage } from './pages.ts'
import type { AppContext, StandIn } from './stand-in.ts'

type Token = AccessToken | RefreshToken | (ClientCredentials & { grantId?: undefined })

export interface AuthorizationServerOptions {
  issuer: string
  /** The path of the issuer. */
  mount?: string
  brand: Brand
  /** Overrides the defaults; `ttl` and `features` are merged with them. */
  configuration: Configuration
}

/** An oidc-provider, with access to its storage and its answers. */
export interface AuthorizationServer extends Pick<StandIn, 'isLive' | 'revoke'> {
  provider: Provider
  /** The provider's storage, by kind and id: `Grant:…`, `Client:…`. */
  store: Map<string, AdapterPayload>
  /** Hands a request to the provider, optionally with another query or form, and returns its answer. */
  ask(c: AppContext, change?: { query?: URLSearchParams; form?: URLSearchParams }): Promise<Response>
  /** The interaction that a request belongs to, or undefined when it has expired. */
  findInteraction(c: AppContext): Promise<Interaction | undefined>
  /** Ends the interaction with the person's decision, and redirects the browser. */
  submit(c: AppContext, result: InteractionResults): Promise<Response>
  /** The page that says what went wrong, with status 400. */
  errorPage(c: AppContext, message: string): Promise<Response>
  findToken(value: string | undefined): Promise<Token | undefined>
  /** Ends a grant: all its tokens, and the consent. */
  revokeGrant(grantId: string | undefined): Promise<void>
  /** Forgets all but registered clients. */
  reset(): void
}

/** The result when the person refuses. @see RFC 6749 §4.1.2.1 */
export const DENIED = { error: 'access_denied', error_description: 'The user has denied your application access.' }

/** One key for the whole process: making an RSA key is slow, and tests start many sandboxes. */
let signingKey: JsonWebKey | undefined
function getSigningKey(): JsonWebKey {
  signingKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  return signingKey
}

/** Creates the authorization server of a stand-in, on oidc-provider. */
export function createAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const { issuer, mount = '', brand, configuration } = options
  const store = new Map<string, AdapterPayload>()
  const prefix = `sandbox_${brand.id}`
  const provider = new Provider(issuer, {
    adapter: (kind) => memoryAdapter(store, kind),
    jwks: { keys: [{ ...getSigningKey(), use: 'sig', alg: 'RS256' }] },
    // Browsers send the cookies of one port to all others, so two stand-ins on one host need different names.
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      names: { session: `${prefix}_session`, interaction: `${prefix}_interaction`, resume: `${prefix}_resume` },
      long: { httpOnly: true, sameSite: 'lax', overwrite: true },
      short: { httpOnly: true, sameSite: 'lax', overwrite: true },
    },
    responseTypes: ['code'],
    expiresWithSession: () => false,
    clientBasedCORS: () => true,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    renderError: async (ctx, out) => {
      ctx.type = 'html'
      ctx.body = String(await errorPage(brand, out.error_description ?? out.error))
    },
    ...configuration,
    ttl: {
      AuthorizationCode: 600,
      Grant: 14 * 86_400,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 14 * 86_400,
      Session: 14 * 86_400,
      ...configuration.ttl,
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      userinfo: { enabled: false },
      ...configuration.features,
    },
  })

  const server: AuthorizationServer = {
    provider,
    store,
    ask: (c, change) => ask(provider, mount, c, change),
    async findInteraction(c) {
      try {
        return await provider.interactionDetails(c.env.incoming, c.env.outgoing)
      } catch (error) {
        if (error instanceof errors.SessionNotFound) return undefined
        throw error
      }
    },
    submit: async (c, result) =>
      c.redirect(await provider.interactionResult(c.env.incoming, c.env.outgoing, result), 303),
    errorPage: async (c, message) => c.html(await errorPage(brand, message), 400),
    async findToken(value) {
      if (!value) return undefined
      const { AccessToken, RefreshToken, ClientCredentials } = provider
      return (
        (await AccessToken.find(value)) ?? (await RefreshToken.find(value)) ?? (await ClientCredentials.find(value))
      )
    },
    async revokeGrant(grantId) {
      if (!grantId) return
      await provider.AccessToken.revokeByGrantId(grantId)
      store.delete(`Grant:${grantId}`)
    },
    isLive: async (value) => Boolean(await server.findToken(value)),
    /** Revoking an access token ends that token only; revoking a refresh token ends its grant. */
    async revoke(value) {
      const token = await server.findToken(value)
      if (token?.kind === 'RefreshToken') await server.revokeGrant(token.grantId)
      else await token?.destroy()
      return Boolean(token)
    },
    reset() {
      for (const key of store.keys()) if (!key.startsWith('Client:')) store.delete(key)
    },
  }
  return server
}

/** Hands a request to a provider below `mount`, optionally with another query or form, and returns its answer. */
async function ask(
  provider: Provider,
  mount: string,
  c: AppContext,
  { query, form }: { query?: URLSearchParams; form?: URLSearchParams } = {},
): Promise<Response> {
  const request = new IncomingMessage(c.env.incoming.socket)
  const { pathname, search } = new URL(c.req.url)
  const body = form ? form.toString() : await c.req.text()
  request.method = c.req.method
  request.url = pathname.slice(mount.length) + (query ? `?${query}` : search)
  request.headers = { ...c.env.incoming.headers }
  if (form) {
    request.headers['content-type'] = 'application/x-www-form-urlencoded'
    request.headers['content-length'] = String(Buffer.byteLength(body))
    delete request.headers['transfer-encoding']
  }
  // To a client that accepts HTML, oidc-provider sends errors of the token endpoint as a page.
  if (request.method === 'POST') request.headers.accept = 'application/json'
  // oidc-provider builds its URLs from this.
  Object.assign(request, { baseUrl: mount })
  if (body) request.push(body)
  request.push(null)
  // Node destroys the connection of an incomplete message.
  request.complete = true
  const response = new CollectedResponse(request)
  await provider.callback()(request, response)
  return response.collected
}

/** Collects the provider's answer as a `Response`, so that a stand-in can change it. */
class CollectedResponse extends ServerResponse {
  #resolve: (response: Response) => void
  readonly collected: Promise<Response>

  constructor(request: IncomingMessage) {
    super(request)
    const { promise, resolve } = Promise.withResolvers<Response>()
    this.collected = promise
    this.#resolve = resolve
  }

  override end(...[chunk]: unknown[]): this {
    const headers = new Headers()
    for (const [name, value] of Object.entries(this.getHeaders())) {
      for (const one of [value ?? []].flat()) headers.append(name, String(one))
    }
    // The body's length may change, so the header is set anew when it is sent.
    headers.delete('content-length')
    const body = typeof chunk === 'string' || Buffer.isBuffer(chunk) ? String(chunk) : null
    this.#resolve(new Response(body || null, { status: this.statusCode, headers }))
    return this
  }
}

/** Storage for one kind of model. Expiry is checked by the provider when it reads. */
function memoryAdapter(store: Map<string, AdapterPayload>, kind: string): Adapter {
  const key = (id: string) => `${kind}:${id}`
  return {
    async upsert(id, payload) {
      store.set(key(id), payload)
    },
    async find(id) {
      return store.get(key(id))
    },
    async findByUid(uid) {
      return [...store].find(([name, payload]) => name.startsWith(`${kind}:`) && payload.uid === uid)?.[1]
    },
    async findByUserCode() {},
    async consume(id) {
      const payload = store.get(key(id))
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      store.delete(key(id))
    },
    async revokeByGrantId(grantId) {
      for (const [name, payload] of store) if (payload.grantId === grantId) store.delete(name)
    },
  }
}
