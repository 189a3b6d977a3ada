import { LatchkeyError, type OAuthProvider, type Provider } from '@latchkey/core'
import { authorizationServer, type TokenEndpoint } from '@latchkey/core/token'
import type { Context } from 'hono'
import { type BrokerClient, clientsFromEnv, providersFromEnv } from '../env.ts'
import type { McpProxy } from '../outbound/mcp-proxy.ts'
import type { VaultStore } from '../stores/store.ts'
import type { AgentPolicy } from '../use/agents.ts'
import type { PresenceHooks } from '../use/presence.ts'
import type { KeyProvider } from '../vault/keys.ts'
import type { Vault } from '../vault/vault.ts'
import type { WebhookOptions } from '../vault/webhooks.ts'
import { badRequest, refusal } from './answers.ts'
import { text } from './body.ts'
import { type Body, type Env, TIMEOUT, type VaultOwner } from './request.ts'

type Custody = 'vault' | 'mediate'

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
   * Says who asks: the app's session or user, or a falsy value for no one. Runs before every route but `/providers` and
   * `/callback`, unless the app hands the session over. What it throws, and nothing else, the broker's promise rejects
   * with. It must not read the body.
   */
  authenticate: (request: Request) => Session | null | undefined | Promise<Session | null | undefined>
  /** Exact origins of the pages that may call, such as `https://app.example`. Nothing is matched by pattern. */
  allowedOrigins: readonly string[]
  /**
   * Exact redirect URIs that codes may have been issued to. Default: `{origin}{basePath}/callback` for each allowed origin.
   *
   * @see RFC 9700 §2.1
   */
  redirectUris?: readonly string[]
  /**
   * Where the broker is mounted, as browsers see it. A request does not decide that: a redirect URI below another path is
   * unknown. Without it, routes are found at the end of any path.
   *
   * @default '/api/latchkey' for redirect URIs
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
  custody?: Readonly<Record<string, Custody>>
  /** Whose accounts a session works with. Default: a session that is a string is its user. */
  owner?: (session: Session) => VaultOwner
  /**
   * The agents, by id: what each could do. What it may do, each person decides. The agent `page` is the page itself, which
   * uses accounts through {@link BrokerOptions.proxy}. Default: every agent may have all that it is sent, and its person is
   * asked before changes.
   */
  agents?: Readonly<Record<string, AgentPolicy>>
  /**
   * Without a vault: where people's rules, requests and what was begun are kept, and the keys that encrypt them. A vault
   * keeps them too. `webhooks` are told of each new request, as those of a vault are.
   *
   * @default the memory of this process, so that a restart forgets them: `start()` says so once, on the console
   */
  oversight?: { store: VaultStore; keys: KeyProvider; webhooks?: readonly WebhookOptions[] }
  /**
   * Asks for proof that the person is there before a yes to what cannot be undone counts: `passkeyConfirm()` of
   * `@latchkey/server/webauthn`, or hooks of the app's own. Default: their session is enough.
   */
  confirm?: PresenceHooks
  /** Seconds ahead of their end at which tokens are refreshed in the background. Default: 300. */
  refreshAhead?: number
  /**
   * Hears what the server could not do, and what it was doing. `refresh`: in the background, which tries again in the next
   * round. `request`: its page is told only to try later. `keys`: at its start it could not open a row of the vault, so
   * `TOKEN_ENCRYPTION_KEY` is wrong or lacks a key. Without this function, what the background could not do is written to
   * the console.
   */
  onError?: (error: unknown, where: 'refresh' | 'request' | 'keys') => void
  /**
   * Lets pages call a provider's API through `/accounts/{id}/api/{path}`, with the token added here, by these methods.
   * Each call is a use of the agent `page`: with `agents`, that entry says for which providers. Default: none.
   */
  proxy?: { methods: readonly string[] }
}

/** What the routes share: the options with their defaults, checked. */
export interface Setup<Session> {
  readonly providers: ReadonlyMap<string, Provider>
  custodyOf(provider: Provider): Custody
  /** The client of a provider, or what is missing from it. */
  clientOf(provider: OAuthProvider): { client_id?: string; client_secret?: string | undefined; missing?: string }
  endpointOf(provider: OAuthProvider): TokenEndpoint & { client_id: string }
  /** A fetch whose every call, body included, ends within the time limit. */
  fetchFor(): typeof globalThis.fetch
  /** The provider that a body names. A raw secret comes in only for one whose accounts the browser keeps. */
  providerOf<K extends Provider['kind']>(custody: Custody, kind: K, body: Body): Extract<Provider, { kind: K }>
  /** The redirect URI that a body names. */
  redirectUriOf(c: Context<Env>): string
  /** The path of a request below the mount. */
  routeOf(request: Request): string
  ownerOf(session: Session): Required<VaultOwner>
}

/** The end of a path that is a route. Only these have more than one segment. Any character of an id may be encoded. */
const ROUTE =
  /\/(?:flows\/[^/]*|requests\/[\w-]{22}(?:\/challenge)?|activity\/(?:last|live|verify)|accounts\/[^/]+(?:\.|%2e)(?:[\w-]|%[\da-f]{2}){22}(?:\/api\/.*)?|[^/]*)$/i

/** @throws LatchkeyError `misuse` when the options contradict themselves. */
export function createSetup<Session>(options: BrokerOptions<Session>): Setup<Session> {
  const { allowedOrigins, vault, custody = {}, redirectUris } = options
  const basePath = options.basePath?.replace(/\/+$/, '')
  const listed = options.providers ?? providersFromEnv()
  const providers = new Map(listed.map((provider) => [provider.id, provider]))
  const clients = new Map(Object.entries(options.clients ?? clientsFromEnv(listed)))
  check(options, listed, providers, clients)
  const kept = new Map(Object.entries(custody))
  const custodyOf = ({ id }: Provider) => kept.get(id) ?? (vault ? 'vault' : 'mediate')

  const routeOf = (request: Request) => {
    const { pathname } = new URL(request.url)
    if (basePath === undefined) return ROUTE.exec(pathname)?.[0] ?? '/'
    return pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : pathname
  }

  function clientOf({ id, client }: OAuthProvider): ReturnType<Setup<Session>['clientOf']> {
    const client_id = clients.get(id)?.client_id || client.client_id
    const client_secret = clients.get(id)?.client_secret
    if (!client_id) return { missing: 'client_id' }
    if (!client_secret && client.token_endpoint_auth_method !== 'none') return { missing: 'client_secret' }
    return { client_id, client_secret }
  }

  const fetchFor = (): typeof globalThis.fetch => {
    const { fetch = globalThis.fetch } = options
    const signal = AbortSignal.timeout(TIMEOUT)
    return (input, init) => fetch(input, { ...init, signal })
  }

  return {
    providers,
    custodyOf,
    clientOf,
    fetchFor,
    routeOf,
    endpointOf(provider) {
      const { missing, client_id, client_secret } = clientOf(provider)
      if (!client_id) {
        const clients = `clients: { ${JSON.stringify(provider.id)}: { ${missing} } }`
        const message = `${provider.name} has no ${missing} here. Add ${clients} to createBroker.`
        throw refusal(400, 'not_configured', message)
      }
      return { client_id, ...authorizationServer(provider, { client_id, client_secret, fetch: fetchFor() }) }
    },
    providerOf<K extends Provider['kind']>(custody: Custody, kind: K, body: Body) {
      const provider = providers.get(text(body, 'provider'))
      if (!provider) {
        const message = 'The broker does not know this provider. Add it to the providers of createBroker.'
        throw refusal(404, 'not_configured', message)
      }
      if (provider.kind !== kind) throw badRequest(`${provider.name} is not connected this way.`)
      if (custodyOf(provider) !== custody) {
        const where = custody === 'vault' ? 'by the browser: use /token' : 'on the server: use /flows and /accounts'
        throw badRequest(`Accounts of ${provider.name} are kept ${where}.`)
      }
      return provider as Extract<Provider, { kind: K }>
    },
    redirectUriOf(c) {
      const redirect_uri = text(c.var.body, 'redirect_uri')
      const mount = basePath ?? '/api/latchkey'
      if ((redirectUris ?? allowedOrigins.map((origin) => `${origin}${mount}/callback`)).includes(redirect_uri)) {
        return redirect_uri
      }
      const hint = `Is the broker mounted at ${mount || '/'}? Else set basePath, or list it in redirectUris of createBroker.`
      throw badRequest(`The broker does not know this redirect_uri. ${hint}`)
    },
    ownerOf(session) {
      const owner = options.owner?.(session) ?? (typeof session === 'string' ? { user: session } : undefined)
      if (!owner?.user) {
        throw new LatchkeyError('misuse', 'createBroker needs owner(session): whose accounts does it work with?')
      }
      const { user, tenant = 'default', session: bound = user } = owner
      if (!tenant) throw new LatchkeyError('misuse', 'owner(session) names an empty tenant.')
      return { user, tenant, session: bound }
    },
  }
}

function check<Session>(
  { allowedOrigins, basePath, authenticate, vault, oversight, custody = {} }: BrokerOptions<Session>,
  list: readonly Provider[],
  providers: Map<string, Provider>,
  clients: Map<string, BrokerClient>,
): void {
  const misuse = (message: string, provider?: string) => new LatchkeyError('misuse', message, { provider })
  if (providers.size !== list.length) throw misuse('Two providers of createBroker have the same id.')
  for (const id of clients.keys()) {
    if (!providers.has(id)) throw misuse(`clients names "${id}", which is none of the providers of createBroker.`, id)
  }
  for (const [id, mode] of Object.entries(custody)) {
    if (!providers.has(id)) throw misuse(`custody names "${id}", which is none of the providers of createBroker.`, id)
    if (mode === 'vault' && !vault) throw misuse(`custody keeps "${id}" in a vault, but createBroker has none.`, id)
  }
  if (vault && oversight) throw misuse('createBroker has a vault, which keeps the rules too: leave oversight out.')
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
