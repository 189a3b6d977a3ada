import { errorAbout } from '../errors.ts'
import { once } from '../once.ts'
import { brokered, callBroker } from '../protocol/broker.ts'
import type { TokenEndpoint } from '../protocol/token-endpoint.ts'
import type { Challenge } from '../protocol/www-authenticate.ts'
import { isMcp, type McpProvider, type OAuthProvider, type Provider } from '../provider.ts'
import type { Page } from './page.ts'

/** What tokens are for: a new authorization, or more of one that has an issuer and a resource. */
export interface GrantTarget {
  issuer?: string
  resource?: string
  challenge?: Challenge
  redirectUri?: string
  scopes?: readonly string[]
  accountId?: string
}

/** Where MCP servers get their tokens from, which is found out when it is needed. */
export interface Grantor {
  /** The provider with its authorization server, client and scopes filled in. */
  bind(provider: McpProvider, target: GrantTarget): Promise<OAuthProvider>
  /** The token endpoint of the authorization server that `target` belongs to, and of no other. */
  endpoint(provider: McpProvider, target: GrantTarget): Promise<TokenEndpoint>
  /** Runs what the authorization server may refuse because it does not know its client any more. That is forgotten then. */
  whileKnown<T>(provider: McpProvider, target: GrantTarget, act: () => Promise<T>): Promise<T>
  /** An authorization ended without any answer. */
  unanswered(target: GrantTarget): Promise<void>
}

/** Where each provider's tokens are asked for, and as which client. */
export interface Endpoints {
  /** A provider as it is used: an MCP server's metadata is discovered here. */
  bind(provider: OAuthProvider, target: GrantTarget): Promise<OAuthProvider>
  /** @throws LatchkeyError `not_configured` when neither the provider nor the broker names one. */
  clientId(provider: OAuthProvider): Promise<string>
  /** Whether the broker keeps this provider's secrets itself. Unknown is an error: a secret must not go astray. */
  isVaulted(provider: Provider): Promise<boolean>
  /** Somebody stopped waiting: the next one does not join what may never be answered. */
  letGo(): void
  /** @param target the token or flow that it is for: an MCP server may have moved to another authorization server since. */
  endpoint(provider: OAuthProvider, target: GrantTarget): Promise<TokenEndpoint>
  /** See {@link Grantor.whileKnown}. */
  whileKnown<T>(provider: OAuthProvider, target: GrantTarget, act: () => Promise<T>): Promise<T>
  /** See {@link Grantor.unanswered}. */
  unanswered(provider: OAuthProvider, target: GrantTarget): Promise<void>
}

export function createEndpoints({ options: { broker } }: Page, mcp: () => Promise<Grantor>): Endpoints {
  type Named = { id: string; client_id?: string; mode?: string }
  let known: Map<string, Named> | undefined
  const load = async () => {
    const { providers } = await callBroker<{ providers: Named[] }>(broker ?? '', 'providers', undefined, 'GET')
    known = new Map(providers.map((named) => [named.id, named]))
    return known
  }
  let ask = once(load)
  /** What the broker says of a provider. */
  const named = async ({ id }: Provider) => (await ask()).get(id)

  async function clientId(provider: OAuthProvider): Promise<string> {
    const id = provider.client.client_id ?? (broker ? (await named(provider))?.client_id : undefined)
    if (id) return id
    const place = broker ? 'the `clients` of createBroker()' : `${provider.id}({ clientId })`
    throw errorAbout(provider, 'not_configured', `${provider.name} has no client id. Add it to ${place}.`)
  }

  return {
    clientId,
    letGo() {
      if (!known) ask = once(load)
    },
    bind: async (provider, target) => (isMcp(provider) ? (await mcp()).bind(provider, target) : provider),
    whileKnown: async (provider, target, act) =>
      isMcp(provider) ? (await mcp()).whileKnown(provider, target, act) : act(),
    async unanswered(provider, target) {
      if (isMcp(provider)) await (await mcp()).unanswered(target)
    },
    // The broker knows no MCP server: its secrets are the browser's.
    isVaulted: async (provider) =>
      broker !== undefined && !isMcp(provider) && (await named(provider))?.mode === 'vault',
    async endpoint(provider, target) {
      if (isMcp(provider)) return (await mcp()).endpoint(provider, target)
      if (broker) return brokered(broker, provider)
      // The only way that needs the OAuth library in the page.
      const { authorizationServer } = await import('../protocol/token-endpoint.ts')
      return authorizationServer(provider, { client_id: await clientId(provider) })
    },
  }
}
