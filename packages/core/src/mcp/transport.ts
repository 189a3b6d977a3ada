import { providerError } from '../errors.ts'
import { BROKER_HEADER } from '../protocol/broker.ts'
import type { Ask } from '../protocol/http.ts'
import type { McpProvider } from '../provider.ts'

/**
 * How a page asks MCP servers and their authorization servers. One that forbids browsers is asked through the broker.
 * What may be sent twice is sent again that way; a token request is not: a refresh token may be used up by the answer
 * that the browser hid. Neither is a tool's call, which may have been heard. They go where discovery, or a session's
 * beginning, went.
 */
export function createTransport(broker: string | undefined): (provider: McpProvider) => Ask {
  /** Origins that do not answer browsers. */
  const closed = new Set<string>()

  return (provider) => async (url, init) => {
    const { origin } = new URL(url)
    if (broker && (provider.mcp.via === 'broker' || closed.has(origin))) return throughBroker(broker, url, init)
    try {
      return await fetch(url, init)
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      if (broker && isRepeatable(init)) {
        const answer = await throughBroker(broker, url, init)
        closed.add(origin)
        return answer
      }
      const hint = broker ? '' : ' It may forbid calls from a browser (CORS): a broker can make them.'
      const next = broker ? 'retry' : 'configure'
      throw providerError(provider, 'network', `could not be reached.${hint}`, { cause, next })
    }
  }
}

/** The broker guards itself against addresses that are not public. */
async function throughBroker(broker: string, url: string, init: RequestInit = {}): Promise<Response> {
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

function isRepeatable(init: RequestInit | undefined): boolean {
  if (init?.method !== 'POST') return true
  if (new Headers(init.headers).get('content-type') !== 'application/json') return false
  try {
    return JSON.parse(String(init.body)).method !== 'tools/call'
  } catch {
    return false
  }
}
