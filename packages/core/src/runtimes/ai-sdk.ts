import type { IdentityOptions, LatchkeyClient } from '../client.ts'
import type { Identity } from '../identities.ts'

/**
 * The body of an AI SDK transport: resolved anew for every request, continuations included, so no request carries a
 * stale token or an account that was unticked meanwhile. Structural: it needs nothing of the AI SDK.
 *
 * ```ts
 * new DefaultChatTransport({ api: '/api/chat', body: identitiesBody(client, { agent: 'assistant' }) })
 * ```
 *
 * @returns a function for the transport's `body` option; `identities` is left out when there are none.
 */
export function identitiesBody(
  client: Pick<LatchkeyClient, 'getIdentities'>,
  options?: IdentityOptions,
): () => Promise<{ identities?: Identity[] }> {
  return async () => {
    const identities = await client.getIdentities(options)
    return identities.length > 0 ? { identities } : {}
  }
}
