import { isObject } from '@latchkey/core/server'
import { createGuardedFetch, type GuardedFetch, type GuardOptions } from './guarded-fetch.ts'

/** Answers the broker's `/mcp` route. The signal aborts the request when the page closes. */
export type McpProxy = (body: Record<string, unknown>, options?: { signal?: AbortSignal }) => Promise<Response>

const isMethod = (value: unknown): value is string => ['GET', 'POST', 'PUT', 'DELETE'].includes(value as string)
/** Request headers that are forwarded. Never a cookie. */
const REQUEST_HEADERS = /^(accept|authorization|content-type|last-event-id|mcp-[a-z-]+)$/
const RESPONSE_HEADERS = ['www-authenticate', 'mcp-session-id', 'retry-after', 'location']
/** Response headers that a page of another origin may read. */
export const MCP_HEADERS = ['latchkey-mcp', 'www-authenticate', 'mcp-session-id', 'location']
/** Content types that no browser renders as a page. */
const TYPES = /^(application\/(json|[\w.+-]+\+json|x-www-form-urlencoded)|text\/event-stream)\s*(;|$)/i

/** The same answer to every failure, so that it reveals nothing about the network. */
const refused = () =>
  Response.json({ error: 'temporarily_unavailable', message: 'The server could not be asked.' }, { status: 502 })

/**
 * The `/mcp` route of a broker: forwards requests of pages to MCP servers and authorization servers that send no CORS
 * headers. It has no state and adds no credential. Event streams are forwarded unbuffered, within the `streams` limits.
 */
export function createMcpProxy(options: GuardOptions & { fetch?: GuardedFetch } = {}): McpProxy {
  const fetch = options.fetch ?? createGuardedFetch(options)
  return async ({ url, method = 'GET', headers = {}, body }, { signal } = {}) => {
    if (typeof url !== 'string' || !isMethod(method) || !isObject(headers)) return refused()
    if (body !== undefined && typeof body !== 'string') return refused()
    const sent: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      const key = name.toLowerCase()
      if (REQUEST_HEADERS.test(key) && typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)) sent[key] = value
    }
    const answer = await fetch(url, { method, headers: sent, body, signal }).catch(() => undefined)
    if (!answer) return refused()
    const type = answer.headers.get('content-type') ?? ''
    const back = new Headers({
      // The page can tell a forwarded answer from the broker's own by this header.
      'latchkey-mcp': '1',
      'content-type': TYPES.test(type) ? type : 'application/octet-stream',
      'content-security-policy': "default-src 'none'; sandbox",
      // Reverse proxies such as nginx would buffer the stream otherwise.
      'x-accel-buffering': 'no',
    })
    for (const name of RESPONSE_HEADERS) {
      const value = answer.headers.get(name)
      if (value !== null) back.set(name, value)
    }
    return new Response(answer.body, { status: answer.status, headers: back })
  }
}
