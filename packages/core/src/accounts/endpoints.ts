import { asLatchkeyError, LatchkeyError } from '../errors.ts'
import type { At, Mcp } from '../mcp/accounts.ts'
import { once } from '../once.ts'
import { authorizationServer, brokered, type TokenEndpoint } from '../protocol/token-endpoint.ts'
import { isMcp, type OAuthProvider, type Provider } from '../provider.ts'
import type { Page } from './page.ts'

/** Where each provider's tokens are asked for, and as which client. */
export interface Endpoints {
  /** A provider as it is used: an MCP server's metadata is discovered here. */
  bind(provider: OAuthProvider, at: At): Promise<OAuthProvider>
  /** @throws LatchkeyError `not_configured` when neither the provider nor the broker names one. */
  clientId(provider: OAuthProvider): Promise<string>
  /** Whether the broker keeps this provider's secrets itself. Unknown is an error: a secret must not go astray. */
  isVaulted(provider: Provider): Promise<boolean>
  /** @param at the token or flow that it is for: an MCP server may have moved to another authorization server since. */
  endpoint(provider: OAuthProvider, at: At): Promise<TokenEndpoint>
}

export function createEndpoints({ options: { broker } }: Page, mcp: () => Promise<Mcp>): Endpoints {
  const ask = once(async () => {
    const response = await fetch(`${broker}/providers`, { headers: { accept: 'application/json' } })
    type Named = { id: string; client_id?: string; mode?: string }
    const { providers } = (await response.json()) as { providers: Named[] }
    return new Map(providers.map((named) => [named.id, named]))
  })
  /** What the broker says of a provider. */
  const named = async ({ id }: Provider) => {
    try {
      return (await ask()).get(id)
    } catch (error) {
      throw asLatchkeyError(error, 'network', 'The app could not be reached. Check the connection and try again.')
    }
  }

  async function clientId(provider: OAuthProvider): Promise<string> {
    const id = provider.client.client_id ?? (broker ? (await named(provider))?.client_id : undefined)
    if (id) return id
    throw new LatchkeyError(
      'not_configured',
      `${provider.name} has no client id. Add it to ${broker ? 'the `clients` of createBroker()' : `${provider.id}({ clientId })`}.`,
      { provider: provider.id },
    )
  }

  return {
    clientId,
    bind: async (provider, at) => (isMcp(provider) ? (await (await mcp()).bind(provider, at)).provider : provider),
    // The broker knows no MCP server: its secrets are the browser's.
    isVaulted: async (provider) =>
      broker !== undefined && !isMcp(provider) && (await named(provider))?.mode === 'vault',
    async endpoint(provider, at) {
      if (isMcp(provider)) return (await mcp()).endpoint(provider, at)
      return broker
        ? brokered(broker, provider)
        : authorizationServer(provider, { client_id: await clientId(provider) })
    },
  }
}
