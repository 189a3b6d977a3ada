import type { LatchkeyClient } from '@latchkey/core'

/**
 * A `fetch` for a runtime that takes one: each request gets the accounts of its moment, in its body.
 *
 * AG-UI: `new HttpAgent({ url, fetch: withIdentities(client, 'assistant', url) })`
 */
export function withIdentities(client: LatchkeyClient, agent: string, endpoint: string): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    // Tokens go to your own endpoint, and nowhere else.
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
