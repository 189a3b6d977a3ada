import type { AccountStore } from '../accounts/account-store.ts'
import { LatchkeyError } from '../errors.ts'
import {
  authorizationServer,
  BROKER_HEADER,
  type Profile,
  type TokenAnswer,
  type TokenEndpoint,
} from '../protocol/token-endpoint.ts'
import type { McpProvider, OAuthProvider } from '../provider.ts'
import { cleanName } from './config.ts'
import {
  type Ask,
  authorizationServerMetadata,
  defaultServer,
  discoverMcp,
  type McpAuthorizationServer,
  type McpDiscovery,
  readText,
  selectScopes,
} from './discovery.ts'
import {
  createRegistrations,
  expired,
  type RegisteredClient,
  type RegisterOptions,
  type Registration,
} from './registration.ts'
import { type Challenge, readChallenge } from './www-authenticate.ts'

/** What a server is asked for: a new authorization, or more of one that has an issuer and a resource. */
export interface At {
  issuer?: string
  resource?: string
  challenge?: Challenge
  redirectUri?: string
  scopes?: readonly string[]
  accountId?: string
}

interface Bound {
  /** The provider with its server, client, resource and scopes filled in. */
  provider: OAuthProvider
  client: RegisteredClient
}

/** MCP servers as accounts: what their OAuth servers are, and who this app is there. Loaded with the first of them. */
export type Mcp = ReturnType<typeof createMcp>

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createMcp(accounts: AccountStore) {
  const { broker, storage, prefix, app } = accounts.options
  const registrations = createRegistrations({ storage, prefix })
  const servers = new Map<string, Promise<McpAuthorizationServer>>()
  /** What servers call themselves, by provider id. */
  const names = new Map<string, string | undefined>()
  /** Origins that do not answer browsers. */
  const closed = new Set<string>()

  /** Asks through the broker, which guards itself against addresses that are none of ours. */
  const throughBroker: Ask = async (url, init = {}) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const response = await fetch(`${broker}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [BROKER_HEADER]: '1' },
      body: JSON.stringify({ url, method: init.method ?? 'GET', headers, body: init.body?.toString() }),
      redirect: 'error',
      signal: init.signal ?? null,
    })
    // The broker's own refusals are marked, so that a server's words are not taken for them.
    if (response.headers.get('latchkey-mcp') !== '1') throw new TypeError('The broker did not ask.')
    return response
  }

  /**
   * A server that forbids browsers is asked through the broker. What may be sent twice is sent again that way; a token
   * request is not: a refresh token may be used up by the answer that the browser hid. Neither is a tool's call, which
   * may have been heard. They go where discovery, or a session's beginning, went.
   */
  function askFor({ id, name, mcp: { via } }: McpProvider): Ask {
    return async (url, init) => {
      const { origin } = new URL(url)
      if (broker && (via === 'broker' || closed.has(origin))) return throughBroker(url, init)
      try {
        return await fetch(url, init)
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause
        if (broker && isRepeatable(init)) {
          const answer = await throughBroker(url, init)
          closed.add(origin)
          return answer
        }
        throw new LatchkeyError(
          'network',
          broker
            ? `${name} could not be reached.`
            : `${name} could not be reached. It may forbid calls from a browser (CORS): a broker can make them.`,
          { provider: id, cause, next: broker ? 'retry' : 'configure' },
        )
      }
    }
  }

  /** A challenge that does not say where the metadata is, is asked for again. */
  async function complete(provider: McpProvider, challenge?: Challenge): Promise<Challenge | undefined> {
    if (challenge?.resource_metadata) return challenge
    const probed = await probe(provider)
    return challenge?.scope ? { ...probed, scope: challenge.scope } : probed
  }

  /** @throws LatchkeyError */
  async function discover(provider: McpProvider, challenge?: Challenge): Promise<McpDiscovery> {
    return discoverMcp(provider, askFor(provider), await complete(provider, challenge))
  }

  async function serverOf(provider: McpProvider, issuer: string): Promise<McpAuthorizationServer> {
    let found = servers.get(issuer)
    if (!found) {
      found = authorizationServerMetadata(provider, issuer, askFor(provider)).then(async (server) => {
        if (server) return server
        if ((await registrations.find(issuer))?.legacy) return defaultServer(issuer)
        throw new LatchkeyError('malformed_response', `${provider.name} has no authorization server any more.`, {
          provider: provider.id,
          next: 'reconnect',
        })
      })
      servers.set(issuer, found)
      found.catch(() => servers.delete(issuer))
    }
    return found
  }

  /** The first request of MCP, as somebody with a token or without. */
  function initialize(provider: McpProvider, token?: string): Promise<Response> {
    const request = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-06-18',
        capabilities: {},
        clientInfo: { name: app?.client_name ?? 'Latchkey', version: '0' },
      },
    }
    return askFor(provider)(provider.mcp.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(request),
      redirect: 'manual',
      credentials: 'omit',
      signal: AbortSignal.timeout(token ? 3_000 : 10_000),
    })
  }

  /** What the server says to somebody without a token. */
  async function probe(provider: McpProvider): Promise<Challenge | undefined> {
    try {
      const response = await initialize(provider)
      await response.body?.cancel()
      return response.status === 401 ? readChallenge(response.headers) : undefined
    } catch {
      // Its metadata has a place of its own: that is asked next, and what fails there is told.
      return undefined
    }
  }

  /** What the server calls itself to those who are signed in. An account can do without it. */
  async function titleOf(provider: McpProvider, token: string): Promise<string | undefined> {
    try {
      const text = await readText(await initialize(provider, token))
      const { title, name } = JSON.parse(/^(?:data: ?)?(\{.*)$/m.exec(text)?.[1] ?? '').result.serverInfo
      const words = title || name
      return typeof words === 'string' && words ? cleanName(words) : undefined
    } catch {
      return undefined
    }
  }

  const registerOptions = (provider: McpProvider, redirectUri: string): RegisterOptions => ({
    redirectUri,
    app,
    name: provider.name,
    provider: provider.id,
    ask: askFor(provider),
  })

  /** This app's client at a server: configured, by metadata document, or registered. */
  async function clientAt(
    provider: McpProvider,
    server: McpAuthorizationServer,
    redirectUri: string,
  ): Promise<RegisteredClient> {
    const { client_id, token_endpoint_auth_method } = provider.client
    if (!client_id) {
      const known = await registrations.find(server.issuer)
      if (known && expired(known) && known.registration_client_uri) {
        // A renewed secret keeps the grants of the client alive; without one it registers again.
        const renewed = await registrations
          .update(server.issuer, registerOptions(provider, redirectUri))
          .catch(() => {})
        if (renewed) return renewed
      }
      return registrations.getOrCreate(server, registerOptions(provider, redirectUri))
    }
    const elsewhere = (await registrations.list()).find(
      (one) => one.method === 'pre-registered' && one.client_id === client_id && one.issuer !== server.issuer,
    )
    const { issuer } = provider.mcp
    if (elsewhere || (issuer && issuer !== server.issuer)) {
      throw new LatchkeyError(
        'not_configured',
        `${provider.name} has moved to another authorization server, where this app's client id is not known. Register the app there and change the client id.`,
        { provider: provider.id, next: 'configure' },
      )
    }
    const known = await registrations.find(server.issuer)
    if (known?.client_id === client_id) return known
    return registrations.remember({
      issuer: server.issuer,
      client_id,
      method: 'pre-registered',
      token_endpoint_auth_method,
      redirect_uris: [redirectUri],
    })
  }

  /** Scopes of an authorization: what is wanted now, and what was there before. @see MCP "Step-Up Authorization" */
  function scopesFor(provider: McpProvider, discovery: McpDiscovery, { challenge, accountId, scopes }: At): string[] {
    const had = accounts.store.getState().accounts[accountId ?? '']
    // Another issuer's grant says nothing here.
    const before = had?.issuer === discovery.server.issuer ? had.scopes : []
    const wanted =
      provider.scopes.length > 0 && !challenge?.scope ? provider.scopes : selectScopes(discovery, challenge)
    // Whose account it is concerns the authorization server: no challenge of the resource names these.
    const person = provider.scopes.filter((scope) => ['openid', 'profile', 'email'].includes(scope))
    return [...new Set([...wanted, ...person, ...(scopes ?? []), ...before])]
  }

  async function bind(provider: McpProvider, at: At): Promise<Bound> {
    let { resource, issuer } = at
    let scopes: string[] = []
    let server: McpAuthorizationServer
    let client: RegisteredClient | undefined
    if (issuer) {
      server = await serverOf(provider, issuer)
      client = await registrations.find(issuer)
      if (client && expired(client) && client.registration_client_uri) {
        const options = registerOptions(provider, client.redirect_uris[0] ?? '')
        client = await registrations.update(issuer, options).catch(() => undefined)
      }
      if (!client || expired(client)) {
        throw new LatchkeyError('invalid_grant', `${provider.name} does not know this app any more.`, {
          provider: provider.id,
          next: 'reconnect',
        })
      }
    } else {
      const challenge = await complete(provider, at.challenge)
      const discovery = await discoverMcp(provider, askFor(provider), challenge)
      ;({ resource, server } = discovery)
      names.set(provider.id, discovery.name)
      issuer = server.issuer
      servers.set(issuer, Promise.resolve(server))
      scopes = scopesFor(provider, discovery, { ...at, challenge })
      client = await clientAt(provider, server, at.redirectUri ?? '')
    }
    return { client, provider: boundMcp(provider, { server, client, scopes, resource }) }
  }

  /** A client that its server has deleted: it is forgotten here too, and so is what was granted to it. */
  async function whileKnown<T>(provider: McpProvider, { method, issuer }: RegisteredClient, act: () => Promise<T>) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof LatchkeyError) || error.code !== 'invalid_client' || method === 'pre-registered')
        throw error
      await registrations.forget(issuer)
      throw new LatchkeyError('invalid_grant', `${provider.name} does not know this app any more.`, {
        provider: provider.id,
        next: 'reconnect',
        cause: error,
      })
    }
  }

  /**
   * Whose account it is: the person that an ID token names, else what the server calls itself. Somebody else's words
   * either way; a picture would be loaded from wherever they say.
   */
  async function whoIs(provider: McpProvider, { token, profile = {} }: TokenAnswer): Promise<Profile> {
    const { subject, avatar: _, url: __, ...words } = profile
    const shown = Object.entries(words).flatMap(([field, value]) => (value ? [[field, cleanName(value)]] : []))
    if (shown.length === 0) {
      // A redirect came back to a page that has not asked yet.
      if (!names.has(provider.id)) {
        const found = await discoverMcp(provider, askFor(provider)).catch(() => undefined)
        names.set(provider.id, found?.name)
      }
      const name = names.get(provider.id) ?? (await titleOf(provider, token.access_token))
      if (name) shown.push(['name', name])
    }
    return { ...(subject && { subject }), ...Object.fromEntries(shown) }
  }

  return {
    registrations,
    discover,
    bind,
    /** The way to a server: directly, or through the broker where it forbids browsers. */
    ask: askFor,
    /** Where people come back to: what registrations are made for. */
    get redirectUri(): string {
      const uri = accounts.options.redirectUri ?? (broker ? `${broker}/callback` : '/')
      return new URL(uri, location.href).href
    },
    /** The token endpoint of the authorization server that `at` belongs to, and of no other. */
    async endpoint(provider: McpProvider, at: At): Promise<TokenEndpoint> {
      const { provider: bound, client } = await bind(provider, at)
      const { client_id, client_secret } = client
      const endpoint = authorizationServer(bound, { client_id, client_secret, fetch: askFor(provider) as typeof fetch })
      return {
        ...endpoint,
        async redeem(grant) {
          const answer = await whileKnown(provider, client, () => endpoint.redeem(grant))
          return { ...answer, profile: await whoIs(provider, answer) }
        },
        refresh: (token) => whileKnown(provider, client, () => endpoint.refresh(token)),
      }
    },
  }
}

/**
 * An MCP server's provider with its authorization server, client, resource and scopes filled in: one that any OAuth code
 * can use.
 */
export function boundMcp(
  provider: McpProvider,
  {
    server,
    client,
    scopes,
    resource,
  }: { server: McpAuthorizationServer; client: Registration; scopes: readonly string[]; resource?: string | undefined },
): OAuthProvider {
  return {
    ...provider,
    kind: 'oauth',
    issuer: server.issuer,
    // Every endpoint was checked when it was found. One on loopback http is allowed by its own origin.
    baseUrl: new URL(server.authorization_endpoint).origin,
    // The token is made out for the MCP server: nobody else is shown it, not even to learn a name.
    server: { ...server, userinfo_endpoint: undefined },
    client: { client_id: client.client_id, token_endpoint_auth_method: client.token_endpoint_auth_method },
    scopes: [...scopes],
    resource,
    ...(scopes.includes('offline_access') && {
      authorizationParams: { ...provider.authorizationParams, prompt: 'consent' },
    }),
  }
}

function isRepeatable(init: RequestInit | undefined): boolean {
  if (init?.method !== 'POST') return true
  if (new Headers(init.headers).get('content-type') !== 'application/json') return false
  try {
    return JSON.parse(String(init.body)).method !== 'tools/call'
  } catch {
    return false
  }
}
