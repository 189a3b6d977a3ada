import type { LatchkeyClient } from '@latchkey/core'

/**
 * A `fetch` for a runtime that takes one. It adds the accounts to the body of each request when it is sent.
 *
 * AG-UI: `new HttpAgent({ url, fetch: withIdentities(client, 'assistant', url) })`
 */
export function withIdentities(client: LatchkeyClient, agent: string, endpoint: string): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    // Send tokens to your own endpoint only.
    if (url !== endpoint || typeof init?.body !== 'string') return fetch(input, init)
    const [identities, connectedAccounts] = await Promise.all([
      client.getIdentities({ agent }),
      client.getConnectedAccounts({ agent }),
    ])
    const body = JSON.stringify({
      ...JSON.parse(init.body),
      ...(identities.length > 0 && { identities }),
      ...(connectedAccounts.length > 0 && { connectedAccounts }),
    })
    return fetch(url, { ...init, body, redirect: 'error' })
  }
}
