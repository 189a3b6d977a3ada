import { cleanName } from '../names.ts'
import { type Ask, limited, readText } from '../protocol/http.ts'
import { type Challenge, readChallenge } from '../protocol/www-authenticate.ts'
import type { McpProvider } from '../provider.ts'

/** The first request of MCP, with a token or without. @see MCP 2025-06-18 "Initialization" */
function initialize({ mcp }: McpProvider, ask: Ask, name = 'Latchkey', token?: string): Promise<Response> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name, version: '0' } }
  return limited({ fetch: ask, limit: token ? 3_000 : 10_000 })(mcp.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
    redirect: 'manual',
    credentials: 'omit',
  })
}

/**
 * How the server refuses a request without a token. Undefined where it does not, or does not answer: its metadata has a
 * place of its own, which is asked next, and a failure there is reported.
 */
export async function challengeOf(
  provider: McpProvider,
  ask: Ask,
  clientName?: string,
): Promise<Challenge | undefined> {
  const response = await initialize(provider, ask, clientName).catch(() => undefined)
  await response?.body?.cancel().catch(() => {})
  return response?.status === 401 ? readChallenge(response.headers) : undefined
}

/** What the server calls itself to those who are signed in. An account can do without it. */
export async function titleOf(
  provider: McpProvider,
  ask: Ask,
  token: string,
  clientName?: string,
): Promise<string | undefined> {
  try {
    const text = await readText(await initialize(provider, ask, clientName, token))
    const { title, name } = JSON.parse(/^(?:data: ?)?(\{.*)$/m.exec(text)?.[1] ?? '').result.serverInfo
    const words = title || name
    return typeof words === 'string' && words ? cleanName(words) : undefined
  } catch {
    return undefined
  }
}
