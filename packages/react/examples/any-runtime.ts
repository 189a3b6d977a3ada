import type { LatchkeyClient } from '@latchkey/core'
import { identitiesBody } from '@latchkey/core/runtimes/ai-sdk'

/**
 * A `fetch` for a runtime that takes one. It adds the accounts to the body of each request when it is sent.
 *
 * AG-UI: `new HttpAgent({ url, fetch: withIdentities(client, 'assistant', url) })`
 */
export function withIdentities(client: LatchkeyClient, agent: string, endpoint: string): typeof fetch {
  const accounts = identitiesBody(client, { agent })
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    // Send tokens to your own endpoint only.
    if (url !== endpoint || typeof init?.body !== 'string') return fetch(input, init)
    const body = JSON.stringify({ ...JSON.parse(init.body), ...(await accounts()) })
    return fetch(url, { ...init, body, redirect: 'error' })
  }
}
