import {
  type ApiKeyProvider,
  type DisconnectReceipt,
  type ErrorCode,
  LatchkeyError,
  type OAuthProvider,
  type Provider,
} from '@latchkey/core'
import { callbackPage, callbackScriptHash } from '@latchkey/core/callback'
import { isObject, parseObject, readBounded } from '@latchkey/core/server'
import {
  authorizationServer,
  BROKER_HEADER,
  type CodeGrant,
  type Token,
  type TokenEndpoint,
  verifyKey,
} from '@latchkey/core/token'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { AgentContext, type VaultAccounts } from '../agent/context.ts'
import { takeAccounts } from '../agent/wire.ts'
// biome-ignore lint/suspicious/noImportCycles: a circle from before the rule, by types.
import { clientsFromEnv, providersFromEnv } from '../env.ts'
import { ALL_CALLS, allowRules } from '../outbound/allow-rules.ts'
import { MCP_HEADERS, type McpProxy } from '../outbound/mcp-proxy.ts'
import { type AccountUse, type AgentPolicy, createDoor, type Door } from '../use/door.ts'
import { createSource } from '../use/source.ts'
import { type Custodian, createCustodian } from '../vault/custodian.ts'
import type { Vault } from '../vault/vault.ts'
import { callApi } from './proxy.ts'

/** A broker, ready to be mounted: `app.all('/api/latchkey/*', (c) => broker(c.req.raw))`. */
export type Broker<Session = unknown> = ((request: Request) => Promise<Response>) & VaultAccess<Session>

/** What the app's own server does with accounts in the vault. Without a vault there are none. */
export interface VaultAccess<Session> {
  /**
   * The context of one agent run, with the accounts that the page chose for it, and the body without them, which can be
   * logged and stored. An account that the browser keeps comes with its token. One that the vault keeps is opened when a
   * tool uses it; what this user or agent may not have is refused then, and the audit log says why.
   *
   * @param who the request of the run, or its session.
   * @param body its parsed body.
   * @throws LatchkeyError `login_required` if the request has no session.
   */
  agentContext<Body>(who: Request | Session, body: Body, options: AccountUse): Promise<AgentRun<Body>>
  /** Removes everything of a user, and revokes it at each provider: for when a user is deleted. */
  deleteUser(owner: VaultOwner): Promise<Record<string, DisconnectReceipt>>
  /** Refreshes what ends within some seconds, as the background does. Default: 300. */
  refreshDue(aheadSeconds?: number): Promise<number>
  /** Stops the background. */
  close(): void
}

/** One run of an agent. */
export interface AgentRun<Body> {
  context: AgentContext
  /** What the page sent, without accounts. */
  body: Body
}

/** Whose accounts a session works with. */
export interface VaultOwner {
  user: string
  /** Default: `default`. */
  tenant?: string
  /** What a flow is bound to besides its user. Default: the user. */
  session?: string
}

/** The app's registration at one provider, with the secret that no browser may see. @see RFC 6749 §2.3.1 */
export interface BrokerClient {
  /** An entry without one counts as absent, so environment variables can be passed as they are. */
  client_id: string | undefined
  /** Needed unless the provider's `token_endpoint_auth_method` is `none`. */
  client_secret?: string | undefined
}

/** What `createBroker` is made with. */
export interface BrokerOptions<Session> {
  /** The same providers as in the browser. Default: those that the environment names a client for. */
  providers?: readonly Provider[]
  /**
   * Client registrations by provider id. Default: `GITHUB_CLIENT_ID`, `GITHUB_CLIENT_SECRET`, `GOOGLE_CLIENT_ID`, … of
   * the environment, and for a public client the provider's own `clientId`.
   */
  clients?: Readonly<Record<string, BrokerClient>>
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
  /** Keeps tokens and keys on the server: browsers get facts, agents get references. */
  vault?: Vault
  /** Custody by provider id. Default: `vault` for all when there is one, else `mediate`. */
  custody?: Readonly<Record<string, 'vault' | 'mediate'>>
  /** Whose accounts a session works with. Default: a session that is a string is its user. */
  owner?: (session: Session) => VaultOwner
  /**
   * Which providers' accounts each agent may be given at all. The agent `page` is the page itself, which uses accounts
   * through {@link BrokerOptions.proxy}. Default: every agent may have all that it is sent.
   */
  agents?: Readonly<Record<string, AgentPolicy>>
  /**
   * Seconds ahead of their end at which tokens are refreshed in the background; `false` where processes do not stay, as
   * in serverless functions. Tokens are always refreshed when they are used. Default: 300.
   */
  refreshAhead?: number | false
  /**
   * Lets pages call a provider's API through `/accounts/{id}/api/{path}`, with the token added here, by these methods.
   * Each call is a use of the agent `page`: with `agents`, that entry says for which providers. Default: none.
   */
  proxy?: { methods: readonly string[] }
}

/** The end of a path that is a route. Only these have more than one segment. */
const ROUTE = /\/(?:flows\/[^/]*|accounts\/[^/]+\.[\w-]{22}(?:\/api\/.*)?|[^/]*)$/

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
type Env = { Variables: { body: Body; owner: Required<VaultOwner> } }
/** How often the background looks for what is due. */
const ROUND = 30_000

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
 * With a `vault`, tokens and keys never leave it, and the three routes above refuse its providers. Instead:
 *
 * - `POST /flows` starts an authorization, `POST /flows/{state}` finishes it with the authorization response;
 * - `GET /accounts`, `GET /accounts/{id}`, `DELETE /accounts/{id}` show and end accounts of the session's user;
 * - `POST /accounts` takes an API key, once; `POST /accounts/{id}` makes sure that an account can still be used.
 *
 * A POST needs JSON, the `latchkey-request` header, an `Origin` out of `allowedOrigins` and a session. Secrets come in
 * by `/token`, `/revoke` and `/verify` only, and leave for that provider's own endpoints only. Errors are
 * `{ error, message }`: a provider's own words are never passed on. Nothing is logged.
 *
 * @throws LatchkeyError `misuse` when the options contradict themselves.
 * @see OAuth 2.0 for Browser-Based Applications §6.2
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createBroker<Session>(options: BrokerOptions<Session>): Broker<Session> {
  const { authenticate, allowedOrigins, limit, fetch, vault, proxy } = options
  const basePath = options.basePath?.replace(/\/+$/, '')
  const listed = options.providers ?? providersFromEnv()
  const providers = new Map(listed.map((provider) => [provider.id, provider]))
  const clients = new Map(Object.entries(options.clients ?? clientsFromEnv(listed)))
  check(options, listed, providers, clients)
  const custody = new Map(Object.entries(options.custody ?? {}))
  const modeOf = (id: string) => custody.get(id) ?? (vault ? 'vault' : 'mediate')

  const routeOf = (request: Request) => {
    const { pathname } = new URL(request.url)
    if (basePath === undefined) return ROUTE.exec(pathname)?.[0] ?? '/'
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

  const ownerOf = (session: Session): Required<VaultOwner> => {
    const owner = options.owner?.(session) ?? (typeof session === 'string' ? { user: session } : undefined)
    if (!owner?.user) {
      throw new LatchkeyError('misuse', 'createBroker needs owner(session): whose accounts does it work with?', {
        next: 'configure',
      })
    }
    const { user, tenant = 'default', session: bound = user } = owner
    if (!tenant) throw new LatchkeyError('misuse', 'owner(session) names an empty tenant.', { next: 'configure' })
    return { user, tenant, session: bound }
  }

  /** Whether the app's own page asks. A page of another origin can send none of this without a preflight. */
  const isFromApp = (c: Context<Env>): boolean => {
    const origin = c.req.header('origin')
    const site = c.req.header('sec-fetch-site')
    if (c.req.header(BROKER_HEADER) === undefined || site === 'none') return false
    // Browsers leave Origin out of a GET to their own origin.
    if (c.req.method === 'GET' && origin === undefined) return site === undefined || site === 'same-origin'
    if (!allowedOrigins.includes(origin ?? '')) return false
    // A form can send neither this type nor the header above.
    const json = /^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')
    return json || c.req.method === 'GET' || c.req.method === 'DELETE'
  }

  const guard: MiddlewareHandler<Env> = async (c, next) => {
    // A call to an API meets this twice.
    if (c.get('body')) return next()
    const { raw } = c.req
    if (!isFromApp(c)) {
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
    if (c.req.method !== 'GET' && c.req.method !== 'DELETE') c.set('body', await readObject(raw))
    if (vault) c.set('owner', ownerOf(session))
    await next()
  }

  const app = new Hono<Env>({ getPath: routeOf })
  const exposed = ['retry-after', ...(options.mcp ? MCP_HEADERS : [])].join(', ')

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
    headers.set('access-control-expose-headers', exposed)
    if (c.req.method === 'OPTIONS') {
      headers.set('access-control-allow-methods', vault ? 'GET, POST, DELETE' : 'GET, POST')
      headers.set('access-control-allow-headers', `content-type, ${BROKER_HEADER}`)
      headers.set('access-control-max-age', '600')
    }
  })

  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse()
    if (!(error instanceof LatchkeyError)) throw error
    // To the browser "network" would mean that the broker is away.
    const code = error.code === 'network' ? 'temporarily_unavailable' : error.code
    if (error.retryAfter !== undefined) c.header('retry-after', String(error.retryAfter))
    return c.json({ error: code, message: error.message }, STATUSES[code] ?? 400)
  })

  app.notFound((c) => c.json({ error: 'invalid_request', message: 'The broker has no such route.' }, 404))

  app.options('*', (c) => c.body(null, 204))

  app.get('/providers', (c) =>
    c.json({
      providers: [...providers.values()].flatMap((provider) => {
        const mode = modeOf(provider.id)
        if (provider.kind === 'api-key') return { id: provider.id, mode }
        const { client_id } = clientOf(provider)
        return client_id ? { id: provider.id, client_id, mode } : []
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
  if (mcp) app.post('/mcp', (c) => mcp(c.var.body, { signal: c.req.raw.signal }))

  /** The routes that take a raw secret do so only where it is the browser's to keep. */
  function mediated<P extends Provider>(provider: P): P {
    if (modeOf(provider.id) === 'mediate') return provider
    throw refusal(
      400,
      'invalid_request',
      `Accounts of ${provider.name} are kept on the server: use /flows and /accounts.`,
    )
  }

  app.post('/token', async (c) => {
    const { body } = c.var
    const provider = mediated(providerOf('oauth', body))
    const endpoint = endpointOf(provider)
    switch (body.grant_type) {
      case 'authorization_code':
        return c.json(await endpoint.redeem(codeGrant(c, endpoint.client_id)))
      case 'refresh_token':
        return c.json(await endpoint.refresh(tokenOf(provider, { refresh_token: text(body, 'refresh_token') })))
      default:
        throw refusal(400, 'unsupported_grant_type', 'grant_type must be authorization_code or refresh_token.')
    }
  })

  function redirectUriOf(c: Context<Env>): string {
    const redirect_uri = text(c.var.body, 'redirect_uri')
    if (isRegistered(redirect_uri, c.req.raw)) return redirect_uri
    throw refusal(
      400,
      'invalid_request',
      'The broker does not know this redirect_uri. Add it to the redirectUris of createBroker.',
    )
  }

  function codeGrant(c: Context<Env>, client_id: string): CodeGrant {
    const { body } = c.var
    const redirect_uri = redirectUriOf(c)
    const code_verifier = text(body, 'code_verifier')
    if (!/^[\w.~-]{43,128}$/.test(code_verifier)) {
      throw refusal(400, 'invalid_request', 'code_verifier must be 43 to 128 unreserved characters (RFC 7636 §4.1).')
    }
    return {
      response: new URLSearchParams(text(body, 'response')),
      state: text(body, 'state'),
      issuer: text(body, 'issuer'),
      redirect_uri,
      code_verifier,
      client_id,
      nonce: optionalText(body, 'nonce'),
    }
  }

  app.post('/revoke', async (c) => {
    const { body } = c.var
    const provider = mediated(providerOf('oauth', body))
    const endpoint = endpointOf(provider)
    const access_token = optionalText(body, 'access_token')
    const refresh_token = optionalText(body, 'refresh_token')
    if (!access_token && !refresh_token) {
      throw refusal(400, 'invalid_request', 'There is nothing to revoke: access_token or refresh_token is needed.')
    }
    return c.json(await endpoint.revoke(tokenOf(provider, { access_token, refresh_token })))
  })

  app.post('/verify', async (c) => {
    const provider = mediated(providerOf('api-key', c.var.body))
    return c.json(await verifyKey(provider, keyFields(provider, c.var.body), { fetch: cutFetch(fetch) }))
  })

  const custodian = vault && createCustodian({ vault, providers, endpointOf, fetchFor: () => cutFetch(fetch) })
  const door = custodian && createDoor({ custodian, providers, agents: options.agents })
  const accountSource = custodian && door && createSource(door, custodian)
  if (custodian && door) vaultRoutes(custodian, door)

  function vaultRoutes(custodian: Custodian, door: Door) {
    // The same answer for an account of somebody else and for one that never was.
    const absent = () => refusal(404, 'invalid_request', 'There is no such account.')
    const vaulted = <P extends Provider>(provider: P): P => {
      if (modeOf(provider.id) === 'vault') return provider
      throw refusal(400, 'invalid_request', `Accounts of ${provider.name} are kept by the browser: use /token.`)
    }

    app.post('/flows', async (c) => {
      const { body, owner } = c.var
      const provider = vaulted(providerOf('oauth', body))
      const request = {
        redirect_uri: redirectUriOf(c),
        scopes: scopesOf(body),
        accountId: optionalText(body, 'accountId'),
      }
      return c.json(await custodian.start(owner, provider, request))
    })

    app.post('/flows/:state', async (c) => {
      const { body, owner } = c.var
      const account = await custodian.finish(owner, c.req.param('state'), text(body, 'response'))
      if (account === 'foreign') {
        throw refusal(403, 'access_denied', 'This connection was begun by somebody else.')
      }
      if (!account) throw refusal(404, 'invalid_request', 'There is no connection under way for this answer.')
      return c.json({ account })
    })

    app.get('/accounts', guard, async (c) => c.json({ accounts: await custodian.list(c.var.owner) }))

    app.post('/accounts', async (c) => {
      const { body, owner } = c.var
      const provider = vaulted(providerOf('api-key', body))
      const fields = keyFields(provider, body)
      return c.json({ account: await custodian.connectKey(owner, provider, fields, optionalText(body, 'accountId')) })
    })

    app.get('/accounts/:id', guard, async (c) => {
      const account = await custodian.find(c.var.owner, c.req.param('id'))
      if (!account) throw absent()
      return c.json({ account })
    })

    app.post('/accounts/:id', async (c) => {
      const account = await custodian.recheck(c.var.owner, c.req.param('id'))
      if (!account) throw absent()
      return c.json({ account })
    })

    app.delete('/accounts/:id', guard, async (c) => {
      const receipt = await custodian.disconnect(c.var.owner, c.req.param('id'))
      if (!receipt) throw absent()
      if (receipt.status === 'revoked') return c.json(receipt)
      const { error, ...rest } = receipt
      return c.json({ ...rest, ...(error && { error: error.code, message: error.message }) })
    })

    app.all('/accounts/:id/api/:path{.*}', guard, async (c) => {
      const { method } = c.req
      if (!proxy?.methods.includes(method)) {
        throw refusal(404, 'invalid_request', 'The broker has no such route.')
      }
      const { owner } = c.var
      const id = c.req.param('id')
      const account = await custodian.find(owner, id)
      const provider = account && providers.get(account.provider)
      if (!provider) throw absent()
      const { pathname, search } = new URL(c.req.url)
      // As it was sent: what a router has decoded could not be told from what was written.
      const path = pathname.slice(pathname.indexOf(`${id}/api/`) + `${id}/api`.length)
      const verdict = allowRules([{ provider, allow: ALL_CALLS }])(method, provider.apiBaseUrl + path + search)
      if ('reason' in verdict)
        throw refusal(400, 'invalid_request', `This path does not belong to the API of ${provider.name}.`)
      const body = c.var.body && JSON.stringify(c.var.body)
      const { headers } = c.req.raw
      return callApi(
        door,
        owner,
        { account: id, provider, url: verdict.url },
        { method, headers, body },
        cutFetch(fetch),
      )
    })
  }

  const ahead = options.refreshAhead ?? 300
  let round: ReturnType<typeof setInterval> | undefined
  if (custodian && ahead !== false) {
    // What fails is in the audit log, and tried again in the next round.
    round = setInterval(() => void custodian.refreshDue(ahead).catch(() => {}), ROUND)
    round.unref?.()
  }

  return Object.assign(async (request: Request) => app.fetch(request), {
    async agentContext<Body>(who: Request | Session, sent: Body, about: AccountUse) {
      const session = who instanceof Request ? await authenticate(who) : who
      if (!session) throw new LatchkeyError('login_required', 'Sign in to the app first.')
      const owner = ownerOf(session)
      const { identities, references, body } = takeAccounts(sent)
      const open: VaultAccounts['open'] = async (provider, accountId, { toolName: tool = about.tool, forceRefresh }) =>
        accountSource?.open({ owner, provider, accountId, ...about, tool }, { forceRefresh })
      const vault = { references, open }
      return { context: AgentContext.fromIdentities(identities, { userId: owner.user, vault }), body }
    },
    async deleteUser({ user, tenant = 'default' }: VaultOwner) {
      return custodian ? custodian.deleteUser({ user, tenant }) : {}
    },
    async refreshDue(seconds = 300) {
      return custodian ? custodian.refreshDue(seconds) : 0
    },
    close() {
      clearInterval(round)
    },
  })
}

function check<Session>(
  { allowedOrigins, basePath, authenticate, vault, custody = {} }: BrokerOptions<Session>,
  list: readonly Provider[],
  providers: Map<string, Provider>,
  clients: Map<string, BrokerClient>,
): void {
  const misuse = (message: string, provider?: string) =>
    new LatchkeyError('misuse', message, { next: 'configure', provider })
  if (providers.size !== list.length) throw misuse('Two providers of createBroker have the same id.')
  for (const id of clients.keys()) {
    if (!providers.has(id)) throw misuse(`clients names "${id}", which is none of the providers of createBroker.`, id)
  }
  for (const [id, mode] of Object.entries(custody)) {
    if (!providers.has(id)) throw misuse(`custody names "${id}", which is none of the providers of createBroker.`, id)
    if (mode === 'vault' && !vault) throw misuse(`custody keeps "${id}" in a vault, but createBroker has none.`, id)
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
  const value = parseObject(body)
  if (value) return value
  throw refusal(400, 'invalid_request', 'The body must be a JSON object.')
}

async function readText(request: Request): Promise<string> {
  const tooLarge = () => refusal(413, 'invalid_request', 'The body is larger than 16 kB.')
  if (Number(request.headers.get('content-length')) > MAX_BODY) throw tooLarge()
  const tooSlow = new Promise<never>((_, reject) => {
    AbortSignal.timeout(TIMEOUT).addEventListener('abort', () =>
      reject(refusal(408, 'invalid_request', 'The body took too long to arrive.')),
    )
  })
  // The signal outlives most bodies; its rejection then concerns nobody.
  tooSlow.catch(() => {})
  return new TextDecoder().decode(await Promise.race([readBounded(request.body, MAX_BODY, tooLarge), tooSlow]))
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

function scopesOf(body: Body): string[] | undefined {
  const { scopes } = body
  if (scopes === undefined || scopes === null) return undefined
  // RFC 6749 §3.3: what a scope may consist of.
  const good = Array.isArray(scopes) && scopes.length <= 100
  if (good && scopes.every((scope) => typeof scope === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(scope))) {
    return scopes
  }
  throw refusal(400, 'invalid_scope', 'scopes must be a list of scope names (RFC 6749 §3.3).')
}

const tokenOf = ({ issuer }: OAuthProvider, { access_token = '', refresh_token }: Partial<Token>): Token => ({
  access_token,
  token_type: 'bearer',
  refresh_token,
  issuer,
})

/** The fields this provider knows. A character that would break out of a header makes the key a bad one. */
function keyFields(provider: ApiKeyProvider, { fields }: Body): Record<string, string> {
  if (!isObject(fields)) {
    throw refusal(400, 'invalid_request', 'fields must be an object.')
  }
  const known: Record<string, string> = {}
  for (const { name, label } of provider.fields) {
    const value = optionalText(fields, name)
    if (value === undefined) continue
    if (!/^[\x20-\x7e]+$/.test(value)) {
      throw refusal(400, 'invalid_token', `${label} holds a line break or another character that keys do not have.`)
    }
    known[name] = value
  }
  return known
}
