import { type ApiKeyProvider, type ErrorCode, LatchkeyError, type OAuthProvider, type Provider } from '@latchkey/core'
import { callbackPage, callbackScriptHash } from '@latchkey/core/callback'
import { authorizationServer, BROKER_HEADER, type Token, type TokenEndpoint, verifyKey } from '@latchkey/core/token'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import * as oauth from 'oauth4webapi'
import type { McpProxy } from './mcp.ts'

/** A broker, ready to be mounted: `app.all('/api/latchkey/*', (c) => broker(c.req.raw))`. */
export type Broker = (request: Request) => Promise<Response>

/** The app's registration at one provider, with the secret that no browser may see. @see RFC 6749 §2.3.1 */
export interface BrokerClient {
  /** An entry without one counts as absent, so environment variables can be passed as they are. */
  client_id: string | undefined
  /** Needed unless the provider's `token_endpoint_auth_method` is `none`. */
  client_secret?: string | undefined
}

export interface BrokerOptions<Session> {
  /** The same providers as in the browser. */
  providers: readonly Provider[]
  /** Client registrations by provider id. Default for a public client: the provider's own `clientId`. */
  clients: Readonly<Record<string, BrokerClient>>
  /**
   * Says who asks: the app's session or user, or a falsy value for nobody. Runs before every route but `/providers` and
   * `/callback`. What it throws, the broker's promise rejects with. It must not read the body.
   */
  authenticate: (request: Request) => Session | null | undefined | Promise<Session | null | undefined>
  /** Exact origins of the pages that may call, such as `https://app.example`. Nothing is matched by pattern. */
  allowedOrigins: readonly string[]
  /**
   * Exact redirect URIs that codes may have been issued to. Default: `{origin}{mount}/callback` for each allowed origin.
   *
   * @see RFC 9700 §2.1
   */
  redirectUris?: readonly string[]
  /**
   * Where the broker is mounted, as browsers see it: `/api/latchkey`. Default: the path of the request without its last
   * segment. Needed only behind something that strips the mount path, such as Express' `app.use('/api/latchkey', …)`.
   */
  basePath?: string
  /** Requests per minute and key, counted in this process. Over it: 429 with `Retry-After`. Default: no limit. */
  limit?: {
    perMinute: number
    /** Whom a request counts for: a user id, with the address of the caller where the app knows it. */
    key: (session: Session, request: Request) => string
  }
  /** Serves `/mcp`: `createMcpProxy()`. Default: there is no such route. */
  mcp?: McpProxy
  /** Used for every call to a provider. Default: the global one. */
  fetch?: typeof globalThis.fetch
}

const MAX_BODY = 16 * 1024
const MAX_FIELD = 8 * 1024
const TIMEOUT = 10_000

/** What each error of a provider is to the browser; anything else is a 400. */
const STATUSES: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  malformed_response: 502,
  server_error: 502,
  temporarily_unavailable: 503,
}

type Body = Record<string, unknown>
type Env = { Variables: { body: Body } }

/** An answer that says no: a code, and a sentence of ours. */
function refusal(status: ContentfulStatusCode, error: ErrorCode, message: string, headers?: HeadersInit) {
  return new HTTPException(status, { res: Response.json({ error, message }, { status, headers }) })
}

/**
 * The token-mediating backend: it adds the client secret to token requests and hands the answer to the browser, which
 * keeps the tokens. Routes, below wherever it is mounted:
 *
 * - `GET /providers` and `GET /callback` are public;
 * - `POST /token` redeems a code or refreshes (RFC 6749 §4.1.3, §6; RFC 7636 §4.5);
 * - `POST /revoke` ends a grant (RFC 7009);
 * - `POST /verify` checks an API key at its provider.
 *
 * A POST needs JSON, the `latchkey-request` header, an `Origin` out of `allowedOrigins` and a session. Secrets come in
 * by `/token`, `/revoke` and `/verify` only, and leave for that provider's own endpoints only. Errors are
 * `{ error, message }`: a provider's own words are never passed on. Nothing is logged.
 *
 * @throws LatchkeyError `misuse` when the options contradict themselves.
 * @see OAuth 2.0 for Browser-Based Applications §6.2
 */
export function createBroker<Session>(options: BrokerOptions<Session>): Broker {
  const { authenticate, allowedOrigins, limit, fetch } = options
  const basePath = options.basePath?.replace(/\/+$/, '')
  const providers = new Map(options.providers.map((provider) => [provider.id, provider]))
  const clients = new Map(Object.entries(options.clients))
  check(options, providers, clients)

  const routeOf = (request: Request) => {
    const { pathname } = new URL(request.url)
    if (basePath === undefined) return pathname.slice(pathname.lastIndexOf('/'))
    return pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : pathname
  }

  const isRegistered = (uri: string, request: Request) => {
    if (options.redirectUris) return options.redirectUris.includes(uri)
    const mount = basePath ?? new URL(request.url).pathname.slice(0, -routeOf(request).length)
    return allowedOrigins.some((origin) => uri === `${origin}${mount}/callback`)
  }

  /** The client of a provider, or what is missing from it. */
  function clientOf({ id, client }: OAuthProvider) {
    const client_id = clients.get(id)?.client_id || client.client_id
    const client_secret = clients.get(id)?.client_secret
    if (!client_id) return { missing: 'client_id' }
    if (!client_secret && client.token_endpoint_auth_method !== 'none') return { missing: 'client_secret' }
    return { client_id, client_secret }
  }

  function providerOf<K extends Provider['kind']>(kind: K, body: Body): Extract<Provider, { kind: K }> {
    const provider = providers.get(text(body, 'provider'))
    if (!provider) {
      throw refusal(
        404,
        'not_configured',
        'The broker does not know this provider. Add it to the providers of createBroker.',
      )
    }
    if (provider.kind !== kind) {
      throw refusal(400, 'invalid_request', `${provider.name} is not connected this way.`)
    }
    return provider as Extract<Provider, { kind: K }>
  }

  function endpointOf(provider: OAuthProvider): TokenEndpoint & { client_id: string } {
    const { missing, client_id, client_secret } = clientOf(provider)
    if (!client_id) {
      throw refusal(
        400,
        'not_configured',
        `${provider.name} has no ${missing} here. Add clients: { ${JSON.stringify(provider.id)}: { ${missing} } } to createBroker.`,
      )
    }
    return { client_id, ...authorizationServer(provider, { client_id, client_secret, fetch: cutFetch(fetch) }) }
  }

  const count = limiter(limit?.perMinute ?? Infinity)

  const guard: MiddlewareHandler<Env> = async (c, next) => {
    const { raw } = c.req
    const fromApp =
      allowedOrigins.includes(c.req.header('origin') ?? '') &&
      c.req.header(BROKER_HEADER) !== undefined &&
      // A form can send neither this type nor the header above.
      /^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '') &&
      c.req.header('sec-fetch-site') !== 'none'
    if (!fromApp) {
      throw refusal(
        403,
        'invalid_request',
        "Only the app's own pages may call this. Is the page's origin in allowedOrigins?",
      )
    }
    const session = await authenticate(raw)
    if (!session) throw refusal(401, 'login_required', 'Sign in to the app first.')
    const wait = limit && count(limit.key(session, raw))
    if (wait) {
      throw refusal(429, 'temporarily_unavailable', 'Too many requests. Wait a minute and try again.', {
        'retry-after': String(wait),
      })
    }
    c.set('body', await readObject(raw))
    await next()
  }

  const app = new Hono<Env>({ getPath: routeOf })

  app.use(async (c, next) => {
    await next()
    const headers = c.res.headers
    headers.set('cache-control', 'no-store')
    headers.set('x-content-type-options', 'nosniff')
    headers.append('vary', 'Origin')
    const origin = c.req.header('origin')
    if (origin === undefined || !allowedOrigins.includes(origin)) return
    headers.set('access-control-allow-origin', origin)
    headers.set('access-control-allow-credentials', 'true')
    if (c.req.method === 'OPTIONS') {
      headers.set('access-control-allow-methods', 'GET, POST')
      headers.set('access-control-allow-headers', `content-type, ${BROKER_HEADER}`)
      headers.set('access-control-max-age', '600')
    }
  })

  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse()
    if (!(error instanceof LatchkeyError)) throw error
    // To the browser "network" would mean that the broker is away.
    const code = error.code === 'network' ? 'temporarily_unavailable' : error.code
    return c.json({ error: code, message: error.message }, STATUSES[code] ?? 400)
  })

  app.notFound((c) => c.json({ error: 'invalid_request', message: 'The broker has no such route.' }, 404))

  app.options('*', (c) => c.body(null, 204))

  app.get('/providers', (c) =>
    c.json({
      providers: [...providers.values()].flatMap((provider) => {
        if (provider.kind === 'api-key') return { id: provider.id, mode: 'mediate' }
        const { client_id } = clientOf(provider)
        return client_id ? { id: provider.id, client_id, mode: 'mediate' } : []
      }),
    }),
  )

  // No Cross-Origin-Opener-Policy: it could cut the page off from the app that waits for it.
  app.get('/callback', (c) =>
    c.html(callbackPage, 200, {
      'content-security-policy': `default-src 'none'; script-src '${callbackScriptHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
    }),
  )

  app.post('*', guard)

  const { mcp } = options
  if (mcp) app.post('/mcp', (c) => mcp(c.var.body))

  app.post('/token', async (c) => {
    const { body } = c.var
    const provider = providerOf('oauth', body)
    const endpoint = endpointOf(provider)
    switch (body.grant_type) {
      case 'authorization_code':
        return c.json(await endpoint.redeem(codeGrant(c, provider, endpoint.client_id)))
      case 'refresh_token':
        return c.json(await endpoint.refresh(tokenOf(provider, { refresh_token: text(body, 'refresh_token') })))
      default:
        throw refusal(400, 'unsupported_grant_type', 'grant_type must be authorization_code or refresh_token.')
    }
  })

  function codeGrant(c: Context<Env>, { server }: OAuthProvider, client_id: string) {
    const { body } = c.var
    const redirect_uri = text(body, 'redirect_uri')
    if (!isRegistered(redirect_uri, c.req.raw)) {
      throw refusal(
        400,
        'invalid_request',
        'The broker does not know this redirect_uri. Add it to the redirectUris of createBroker.',
      )
    }
    const code_verifier = text(body, 'code_verifier')
    if (!/^[\w.~-]{43,128}$/.test(code_verifier)) {
      throw refusal(400, 'invalid_request', 'code_verifier must be 43 to 128 unreserved characters (RFC 7636 §4.1).')
    }
    // State and iss were validated in the browser, which started the flow. What binds the code here is PKCE, the
    // registered redirect URI and the client: a code of another flow or client is refused by the authorization server.
    const response = oauth.validateAuthResponse(
      { issuer: server.issuer },
      { client_id },
      new URLSearchParams({ code: text(body, 'code') }),
      oauth.expectNoState,
    )
    return { response, redirect_uri, code_verifier, client_id }
  }

  app.post('/revoke', async (c) => {
    const { body } = c.var
    const provider = providerOf('oauth', body)
    const endpoint = endpointOf(provider)
    const access_token = optionalText(body, 'access_token')
    const refresh_token = optionalText(body, 'refresh_token')
    if (!access_token && !refresh_token) {
      throw refusal(400, 'invalid_request', 'There is nothing to revoke: access_token or refresh_token is needed.')
    }
    return c.json(await endpoint.revoke(tokenOf(provider, { access_token, refresh_token })))
  })

  app.post('/verify', async (c) => {
    const provider = providerOf('api-key', c.var.body)
    return c.json(await verifyKey(provider, keyFields(provider, c.var.body), { fetch: cutFetch(fetch) }))
  })

  return async (request) => app.fetch(request)
}

function check<Session>(
  { providers: list, allowedOrigins, basePath, authenticate }: BrokerOptions<Session>,
  providers: Map<string, Provider>,
  clients: Map<string, BrokerClient>,
): void {
  const misuse = (message: string, provider?: string) =>
    new LatchkeyError('misuse', message, { next: 'configure', provider })
  if (providers.size !== list.length) throw misuse('Two providers of createBroker have the same id.')
  for (const id of clients.keys()) {
    if (!providers.has(id)) throw misuse(`clients names "${id}", which is none of the providers of createBroker.`, id)
  }
  if (typeof authenticate !== 'function')
    throw misuse('createBroker needs authenticate(request): who may use the client secrets?')
  if (allowedOrigins.length === 0)
    throw misuse('createBroker needs allowedOrigins: the origins of the pages that call it.')
  for (const origin of allowedOrigins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw misuse(
        `allowedOrigins holds ${JSON.stringify(origin)}, which is not an origin such as "https://app.example".`,
      )
    }
  }
  if (basePath !== undefined && !/^(\/[^/?#]+)*\/?$/.test(basePath)) {
    throw misuse(`basePath ${JSON.stringify(basePath)} must be a path such as "/api/latchkey".`)
  }
}

/** A fetch whose every call, body included, ends within the time limit. */
function cutFetch(fetch = globalThis.fetch): typeof globalThis.fetch {
  const signal = AbortSignal.timeout(TIMEOUT)
  return (input, init) => fetch(input, { ...init, signal })
}

/** Counts in fixed windows of a minute, so that old keys are forgotten. Answers the seconds to wait when over. */
function limiter(perMinute: number): (key: string) => number | undefined {
  let minute = 0
  const counts = new Map<string, number>()
  return (key) => {
    const now = Date.now()
    if (minute !== Math.floor(now / 60_000)) {
      minute = Math.floor(now / 60_000)
      counts.clear()
    }
    const used = (counts.get(key) ?? 0) + 1
    counts.set(key, used)
    return used > perMinute ? 60 - Math.floor((now / 1000) % 60) : undefined
  }
}

async function readObject(request: Request): Promise<Body> {
  const body = await readText(request)
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body
  } catch {
    // Answered below, like every other body that is not an object.
  }
  throw refusal(400, 'invalid_request', 'The body must be a JSON object.')
}

async function readText(request: Request): Promise<string> {
  const tooLarge = () => refusal(413, 'invalid_request', 'The body is larger than 16 kB.')
  if (Number(request.headers.get('content-length')) > MAX_BODY) throw tooLarge()
  const reader = request.body?.getReader()
  if (!reader) return ''
  const tooSlow = new Promise<never>((_, reject) => {
    AbortSignal.timeout(TIMEOUT).addEventListener('abort', () =>
      reject(refusal(408, 'invalid_request', 'The body took too long to arrive.')),
    )
  })
  // The signal outlives most bodies; its rejection then concerns nobody.
  tooSlow.catch(() => {})
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await Promise.race([reader.read(), tooSlow])
    if (done) return text + decoder.decode()
    size += value.byteLength
    if (size > MAX_BODY) throw tooLarge()
    text += decoder.decode(value, { stream: true })
  }
}

function optionalText(body: Body, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string' || value.length > MAX_FIELD) {
    throw refusal(400, 'invalid_request', `${name} must be a string.`)
  }
  return value
}

function text(body: Body, name: string): string {
  const value = optionalText(body, name)
  if (value === undefined) throw refusal(400, 'invalid_request', `${name} is missing.`)
  return value
}

const tokenOf = ({ issuer }: OAuthProvider, { access_token = '', refresh_token }: Partial<Token>): Token => ({
  access_token,
  token_type: 'bearer',
  refresh_token,
  issuer,
})

/** The fields this provider knows. A character that would break out of a header makes the key a bad one. */
function keyFields(provider: ApiKeyProvider, { fields }: Body): Record<string, string> {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw refusal(400, 'invalid_request', 'fields must be an object.')
  }
  const known: Record<string, string> = {}
  for (const { name, label } of provider.fields) {
    const value = optionalText(fields as Body, name)
    if (value === undefined) continue
    if (!/^[\x20-\x7e]+$/.test(value)) {
      throw refusal(400, 'invalid_token', `${label} holds a line break or another character that keys do not have.`)
    }
    known[name] = value
  }
  return known
}
