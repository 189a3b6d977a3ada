import { createGuardedFetch, type GuardedFetch, type GuardOptions } from './guarded-fetch.ts'

/** Answers the broker's `/mcp` route. The signal ends what is asked when the page leaves. */
export type McpProxy = (body: Record<string, unknown>, options?: { signal?: AbortSignal }) => Promise<Response>

const METHODS = ['GET', 'POST', 'PUT', 'DELETE']
/** What may travel to a server. Never a cookie, and nothing that this process knows. */
const REQUEST_HEADERS = /^(accept|authorization|content-type|last-event-id|mcp-[a-z-]+)$/
const RESPONSE_HEADERS = ['www-authenticate', 'mcp-session-id', 'retry-after', 'location']
/** What a page of another origin than the broker's has to be allowed to read. */
export const MCP_HEADERS = ['latchkey-mcp', 'www-authenticate', 'mcp-session-id', 'location']
/** Types that no browser takes for a page. */
const TYPES = /^(application\/(json|[\w.+-]+\+json|x-www-form-urlencoded)|text\/event-stream)\s*(;|$)/i

/** One answer to everything that could not be asked, so that it says nothing about what is behind it. */
const refused = () =>
  Response.json({ error: 'temporarily_unavailable', message: 'The server could not be asked.' }, { status: 502 })

/**
 * The `/mcp` route of a broker: asks MCP servers and their authorization servers for pages that may not (CORS). It
 * keeps nothing between two requests and adds no credential: what is asked is exactly what the page sent. Event streams
 * pass through as they come, within the `streams` limits.
 */
export function createMcpProxy(options: GuardOptions & { fetch?: GuardedFetch } = {}): McpProxy {
  const fetch = options.fetch ?? createGuardedFetch(options)
  return async ({ url, method = 'GET', headers = {}, body }, { signal } = {}) => {
    if (
      typeof url !== 'string' ||
      typeof method !== 'string' ||
      !METHODS.includes(method) ||
      typeof headers !== 'object' ||
      headers === null ||
      (body !== undefined && typeof body !== 'string') ||
      !URL.canParse(url)
    ) {
      return refused()
    }
    const sent: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      const key = name.toLowerCase()
      if (REQUEST_HEADERS.test(key) && typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)) sent[key] = value
    }
    let answer: Response
    try {
      answer = await fetch(url, {
        method,
        headers: sent,
        ...(body !== undefined && { body }),
        ...(signal && { signal }),
      })
    } catch {
      return refused()
    }
    const type = answer.headers.get('content-type') ?? ''
    const back = new Headers({
      // Marked, so that the page can tell a server's answer from the broker's own.
      'latchkey-mcp': '1',
      'content-type': TYPES.test(type) ? type : 'application/octet-stream',
      'content-security-policy': "default-src 'none'; sandbox",
      // For proxies that would collect a stream before they hand it on.
      'x-accel-buffering': 'no',
    })
    for (const name of RESPONSE_HEADERS) {
      const value = answer.headers.get(name)
      if (value !== null) back.set(name, value)
    }
    return new Response(answer.body, { status: answer.status, headers: back })
  }
}
