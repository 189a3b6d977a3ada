import type { DisconnectReceipt } from '../accounts/account-store.ts'
import type { Grantor, GrantTarget } from '../accounts/endpoints.ts'
import type { Page } from '../accounts/page.ts'
import { LatchkeyError, providerError } from '../errors.ts'
import { onceFor } from '../once.ts'
import { type Ask, answered } from '../protocol/http.ts'
import { authorizationServer } from '../protocol/token-endpoint.ts'
import type { Challenge } from '../protocol/www-authenticate.ts'
import type { McpProvider, OAuthProvider } from '../provider.ts'
import type { McpServerFacts } from '../snapshot.ts'
import type { McpAuthorizationServer, McpDiscovery } from './discovery.ts'
import { authorizationServerMetadata, defaultServer, discoverMcp, selectScopes } from './discovery.ts'
import { describeServer, type Probe, probe } from './handshake.ts'
import type { RegisteredClient, RegisterOptions, Registration, Registrations } from './registration.ts'
import { createRegistrations, expired, withoutSecrets } from './registration.ts'
import { createTransport } from './transport.ts'

/** What an app can do with MCP servers beyond connecting accounts. No secret comes out of it. */
export interface Mcp {
  /** This app's clients at authorization servers. */
  readonly registrations: Registrations
  /** Where a person comes back to after a sign-in: what registrations are made for. @see RFC 6749 §3.1.2 */
  readonly redirectUri: string
  /**
   * Finds out where a server's tokens come from.
   *
   * @throws LatchkeyError when it is away, or describes itself in a way that is not safe to use.
   */
  discover(provider: McpProvider, challenge?: Challenge): Promise<McpDiscovery>
  /**
   * This app's client at the authorization server of an MCP server. It is registered if it is not yet.
   *
   * @throws LatchkeyError `not_configured` where only apps are taken that were registered before.
   */
  register(provider: McpProvider): Promise<Registration>
  /** How to ask a server: directly, or through the broker where it forbids browsers. */
  fetchFor(provider: McpProvider): Ask
  /**
   * Removes a server: disconnects its accounts, and deletes this app's registration for it. Take it out of the providers
   * then. What cannot be reached now is told later.
   *
   * @throws LatchkeyError `misuse` for a provider that is no MCP server.
   */
  remove(providerId: string): Promise<Record<string, DisconnectReceipt>>
  /** A fetch that fails if no answer begins within five minutes. One that began may last, as event streams do. */
  answered(fetch: typeof globalThis.fetch): typeof globalThis.fetch
}

/** MCP servers as the engine uses them. Loaded with the first of them. */
export interface McpAccounts extends Grantor {
  /** What the app gets of it. */
  readonly mcp: Mcp
  /** Asks a server what it says of itself, with a token of it. */
  describe(provider: McpProvider, token: string): Promise<McpServerFacts>
  /** The authorization servers that this page was led to by a provider. */
  issuersOf(providerId: string): readonly string[]
  /** Forgets them: the provider was removed. */
  forgetIssuers(providerId: string): void
}

/** MCP servers as accounts: which authorization servers they have, and which clients this app has there. */
export function createMcp(page: Page, remove: Mcp['remove']): McpAccounts {
  const { broker, app, redirectUri = broker ? `${broker}/callback` : '/' } = page.options
  const fetchFor = createTransport(broker)
  const clients = createClients(page, fetchFor)
  const servers = new Map<string, Promise<McpAuthorizationServer>>()
  /** The authorization servers of providers, by provider id. */
  const issuers = new Map<string, Set<string>>()

  /** A challenge that does not say where the metadata is, is asked for again. */
  async function complete(provider: McpProvider, challenge?: Challenge): Promise<Probe> {
    if (challenge?.resource_metadata) return { challenge }
    const asked = await probe(provider, fetchFor(provider), app?.client_name)
    return challenge?.scope ? { ...asked, challenge: { ...asked.challenge, scope: challenge.scope } } : asked
  }

  /** @throws LatchkeyError `not_mcp` where there is no MCP server, `no_sign_in` where it needs none. */
  async function find(provider: McpProvider, asked?: Challenge) {
    const { challenge, found } = await complete(provider, asked)
    const nothing = () => providerError(provider, 'not_mcp', 'is no MCP server.', { next: 'configure' })
    const discovery = await discoverMcp(provider, fetchFor(provider), challenge).catch((error) => {
      // A site that answers everything with a page of its own.
      throw found === 'not-mcp' && error instanceof LatchkeyError && error.code === 'malformed_response'
        ? nothing()
        : error
    })
    // One that describes a sign-in has one, whatever it answers without a token.
    if (!discovery.server.legacy || !found) return { challenge, discovery }
    throw found === 'open' ? providerError(provider, 'no_sign_in', 'needs no sign-in.', { next: 'none' }) : nothing()
  }
  const discover = async (provider: McpProvider, challenge?: Challenge) => (await find(provider, challenge)).discovery

  const serverOf = (provider: McpProvider, issuer: string) =>
    onceFor(servers, issuer, async () => {
      const server = await authorizationServerMetadata(provider, issuer, fetchFor(provider))
      if (server) return server
      if ((await clients.registrations.find(issuer))?.legacy) return defaultServer(issuer)
      const next = 'reconnect'
      throw providerError(provider, 'malformed_response', 'has no authorization server any more.', { next })
    })

  /** The provider with its server, client, resource and scopes filled in, and the client with its secret. */
  async function open(provider: McpProvider, target: GrantTarget) {
    const { issuer, resource } = target
    if (issuer) {
      const server = await serverOf(provider, issuer)
      const client = await clients.known(provider, issuer)
      return { client, bound: boundMcp(provider, { server, client, scopes: [], resource }) }
    }
    const { challenge, discovery } = await find(provider, target.challenge)
    const { server } = discovery
    issuers.set(provider.id, new Set(issuers.get(provider.id)).add(server.issuer))
    servers.set(server.issuer, Promise.resolve(server))
    const had = page.store.getState().accounts[target.accountId ?? '']
    // Another issuer's grant says nothing here.
    const before = had?.issuer === server.issuer ? had.scopes : []
    const scopes = selectScopes(provider, discovery, challenge, [...(target.scopes ?? []), ...before])
    const client = await clients.at(provider, server, target.redirectUri ?? '')
    return { client, bound: boundMcp(provider, { ...discovery, client, scopes }) }
  }

  const mcp: Mcp = {
    registrations: clients.registrations,
    get redirectUri() {
      return new URL(redirectUri, location.href).href
    },
    discover,
    async register(provider) {
      const { client } = await open(provider, { redirectUri: mcp.redirectUri })
      return withoutSecrets(client)
    },
    fetchFor,
    answered,
    remove,
  }
  return {
    mcp,
    describe: (provider, token) => describeServer(provider, fetchFor(provider), token, app?.client_name),
    issuersOf: (id) => [...(issuers.get(id) ?? [])],
    forgetIssuers: (id) => void issuers.delete(id),
    bind: async (provider, target) => (await open(provider, target)).bound,
    whileKnown: async (provider, target, act) =>
      clients.whileKnown(provider, (await open(provider, target)).client, act),
    async unanswered({ issuer = '' }) {
      const inUse = Object.values(page.store.getState().accounts).some((one) => one.issuer === issuer && one.renewable)
      if (!inUse) await clients.doubt(issuer)
    },
    async endpoint(provider, target) {
      const { bound, client } = await open(provider, target)
      const { client_id, client_secret } = client
      const endpoint = authorizationServer(bound, { client_id, client_secret, fetch: fetchFor(provider) })
      return {
        ...endpoint,
        redeem: (grant) => clients.whileKnown(provider, client, () => endpoint.redeem(grant)),
        refresh: (token) => clients.whileKnown(provider, client, () => endpoint.refresh(token)),
      }
    },
  }
}

/** This app's clients at authorization servers: configured, by metadata document, or registered. */
function createClients({ options: { storage, prefix, app } }: Page, fetchFor: (provider: McpProvider) => Ask) {
  const { open, ...registrations } = createRegistrations({ storage, prefix })

  const unknown = (provider: McpProvider, cause?: LatchkeyError) =>
    providerError(provider, 'invalid_grant', 'does not know this app any more.', { next: 'reconnect', cause })

  const describe = (provider: McpProvider, redirectUri: string): RegisterOptions => ({
    redirectUri,
    app,
    name: provider.name,
    provider: provider.id,
    ask: fetchFor(provider),
  })

  /** A renewed secret keeps its client's grants alive; without one the client has to be registered again. */
  async function renew(provider: McpProvider, issuer: string, redirectUri?: string) {
    const client = await open(issuer)
    if (!client?.registration_client_uri || !expired(client)) return
    const uri = redirectUri ?? client.redirect_uris[0] ?? ''
    await registrations.update(issuer, describe(provider, uri)).catch(() => {})
  }

  async function known(provider: McpProvider, issuer: string): Promise<RegisteredClient> {
    await renew(provider, issuer)
    const client = await open(issuer)
    if (!client || expired(client)) throw unknown(provider)
    return client
  }

  return {
    registrations,
    /** The client that grants of an issuer were given to. @throws LatchkeyError `invalid_grant` when it is gone. */
    known,
    /** The client for a new authorization. */
    async at(provider: McpProvider, server: McpAuthorizationServer, redirectUri: string): Promise<RegisteredClient> {
      const { issuer } = server
      const { client_id, token_endpoint_auth_method } = provider.client
      if (!client_id) {
        await renew(provider, issuer, redirectUri)
        await registrations.getOrCreate(server, describe(provider, redirectUri))
        return known(provider, issuer)
      }
      const method = 'pre-registered'
      const isElsewhere = (await registrations.list()).some(
        (one) => one.method === method && one.client_id === client_id && one.issuer !== issuer,
      )
      if (isElsewhere || (provider.mcp.issuer ?? issuer) !== issuer) {
        throw providerError(
          provider,
          'not_configured',
          "has moved to another authorization server, where this app's client id is not known. Register the app there and change the client id.",
        )
      }
      if ((await open(issuer))?.client_id !== client_id) {
        const redirect_uris = [redirectUri]
        await registrations.remember({ issuer, client_id, method, token_endpoint_auth_method, redirect_uris })
      }
      return known(provider, issuer)
    },
    /** Registers once more for the next authorization: a server that forgot this client may not send people back. */
    async doubt(issuer: string): Promise<void> {
      const client = await open(issuer)
      if (client?.method === 'dynamic') await registrations.remember({ ...client, redirect_uris: [] })
    },
    /** A client that its server has deleted is forgotten here too, and so is what was granted to it. */
    async whileKnown<T>(provider: McpProvider, client: RegisteredClient, act: () => Promise<T>): Promise<T> {
      try {
        return await act()
      } catch (error) {
        // The second: some servers look for the client among those that may do this.
        const isDeleted = error instanceof LatchkeyError && /^(invalid|unauthorized)_client$/.test(error.code)
        if (!isDeleted || client.method === 'pre-registered') throw error
        await registrations.forget(client.issuer)
        throw unknown(provider, error)
      }
    },
  }
}

/** What of an authorization server, client and resource an MCP server's provider is bound to. */
export type Binding = Pick<McpDiscovery, 'server'> &
  Pick<GrantTarget, 'resource'> & { client: Registration; scopes: readonly string[] }

/**
 * An MCP server's provider with its authorization server, client, resource and scopes filled in: one that any OAuth code
 * can use.
 */
export function boundMcp(provider: McpProvider, { server, client, scopes, resource }: Binding): OAuthProvider {
  const { client_id, token_endpoint_auth_method } = client
  return {
    ...provider,
    kind: 'oauth',
    issuer: server.issuer,
    // Every endpoint was checked when it was found. One on loopback http is allowed by its own origin.
    baseUrl: new URL(server.authorization_endpoint).origin,
    // The token is for the MCP server. It is sent to no other server, not even to read a name.
    server: { ...server, userinfo_endpoint: undefined },
    client: { client_id, token_endpoint_auth_method },
    scopes: [...scopes],
    resource,
    ...(scopes.includes('offline_access') && {
      authorizationParams: { ...provider.authorizationParams, prompt: 'consent' },
    }),
  }
}
