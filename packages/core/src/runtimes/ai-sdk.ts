import type { LatchkeyClient } from '../client.ts'
import type { AccountReference, IdentityOptions } from '../engine.ts'
import type { Identity } from '../identities.ts'

/**
 * The body of an AI SDK transport: resolved anew for every request, continuations included, so no request carries a
 * stale token or an account that was unticked meanwhile. Structural: it needs nothing of the AI SDK.
 *
 * ```ts
 * new DefaultChatTransport({ api: '/api/chat', body: identitiesBody(client, { agent: 'assistant' }) })
 * ```
 *
 * @returns a function for the transport's `body` option; `identities`, and the `connectedAccounts` that the server keeps, are left
 * out when there are none.
 */
export function identitiesBody(
  client: Pick<LatchkeyClient, 'getIdentities'> & Partial<Pick<LatchkeyClient, 'getConnectedAccounts'>>,
  options?: IdentityOptions,
): () => Promise<{ identities?: Identity[]; connectedAccounts?: AccountReference[] }> {
  return async () => {
    const [identities, connectedAccounts = []] = await Promise.all([
      client.getIdentities(options),
      client.getConnectedAccounts?.(options),
    ])
    return {
      ...(identities.length > 0 && { identities }),
      ...(connectedAccounts.length > 0 && { connectedAccounts }),
    }
  }
}
