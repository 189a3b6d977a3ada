import { LatchkeyError, readConnectRequest } from '@latchkey/core'
import { readChallenge } from '@latchkey/core/mcp'
import { createGuardedFetch, type GuardedFetch, type GuardOptions } from './fetch-guard.ts'
import { AuthorizationRequired, requireIdentity } from './identities.ts'

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

export interface McpTarget {
  /** The id of the provider that its account belongs to. */
  id: string
  url: string
  name?: string
}

export interface McpTool {
  name: string
  title?: string
  description?: string
  inputSchema: Record<string, unknown>
}

export interface McpToolResult {
  content: { type: string; text?: string }[]
  isError?: boolean
  structuredContent?: unknown
}

export interface AuthenticatedMcpClientOptions {
  /**
   * The token to use. Default: the request's identity of this server. Undefined: nobody is connected.
   *
   * A vault's `getToken` fits.
   */
  token?: () => Promise<{ accessToken: string; scopes?: readonly string[]; accountId?: string } | undefined>
  /** Used for every call to the server. Default: a guarded fetch, which asks public https addresses only. */
  fetch?: GuardedFetch
  clientInfo?: { name: string; version: string }
}

interface Answer {
  id?: unknown
  result?: Record<string, unknown>
  error?: { code: number; message: string; data?: unknown }
}

const PROTOCOL = '2025-11-25'

/**
 * Calls an MCP server's tools as the person that this request runs for. A server that wants a login, another token or
 * more scope becomes {@link AuthorizationRequired}, which the page turns into a button.
 */
export class AuthenticatedMcpClient {
  readonly #target: McpTarget
  readonly #options: AuthenticatedMcpClientOptions
  readonly #fetch: GuardedFetch
  #session: Promise<string | undefined> | undefined
  #count = 0

  constructor(target: McpTarget, options: AuthenticatedMcpClientOptions = {}) {
    this.#target = target
    this.#options = options
    this.#fetch = options.fetch ?? createGuardedFetch()
  }

  /** @throws AuthorizationRequired */
  async listTools(): Promise<McpTool[]> {
    const { tools } = await this.#request('tools/list', {}, undefined)
    return Array.isArray(tools) ? tools : []
  }

  /** @throws AuthorizationRequired */
  async callTool(name: string, input: Record<string, unknown> = {}, toolName = name): Promise<McpToolResult> {
    const result = await this.#request('tools/call', { name, arguments: input }, toolName)
    return { ...result, content: Array.isArray(result.content) ? result.content : [] }
  }

  async #token() {
    const { id } = this.#target
    if (this.#options.token) {
      const found = await this.#options.token()
      if (!found) throw new AuthorizationRequired({ provider: id })
      return found
    }
    return requireIdentity(id)
  }

  async #request(method: string, params: object, toolName: string | undefined) {
    this.#session ??= this.#initialize(toolName)
    this.#session.catch(() => {
      this.#session = undefined
    })
    const { answer } = await this.#send(method, params, toolName, await this.#session)
    return this.#resultOf(answer)
  }

  async #initialize(toolName: string | undefined): Promise<string | undefined> {
    const clientInfo = this.#options.clientInfo ?? { name: 'latchkey', version: '0' }
    const params = { protocolVersion: PROTOCOL, capabilities: {}, clientInfo }
    const { answer, session } = await this.#send('initialize', params, toolName, undefined)
    this.#resultOf(answer)
    await this.#post({ jsonrpc: '2.0', method: 'notifications/initialized' }, toolName, session)
    return session
  }

  #resultOf({ result, error }: Answer): Record<string, unknown> {
    if (!error) return result ?? {}
    const { id, name = id } = this.#target
    const request = readConnectRequest(error, { provider: id })
    if (request) throw new AuthorizationRequired(request)
    // A server's own words are for the log of whoever runs it, not for a model.
    throw new LatchkeyError('server_error', `${name} answered with error ${Number(error.code) || 0}.`, { provider: id })
  }

  async #send(method: string, params: object, toolName: string | undefined, session: string | undefined) {
    this.#count += 1
    const id = this.#count
    const response = await this.#post({ jsonrpc: '2.0', id, method, params }, toolName, session)
    const text = await response.text()
    const type = response.headers.get('content-type') ?? ''
    const { name = this.#target.id } = this.#target
    const candidates = type.includes('text/event-stream')
      ? text
          .split(/\r?\n\r?\n/)
          .map((event) => event.replaceAll(/^data: ?/gm, '').replaceAll(/^(event|id|retry):.*$/gm, ''))
      : [text]
    for (const candidate of candidates) {
      try {
        const answer: Answer = JSON.parse(candidate)
        if (answer.id === id) return { answer, session: response.headers.get('mcp-session-id') ?? session }
      } catch {
        // Another event of the stream.
      }
    }
    throw new LatchkeyError('malformed_response', `${name} gave an answer that could not be understood.`)
  }

  async #post(message: object, toolName: string | undefined, session: string | undefined): Promise<Response> {
    const { id, url, name = id } = this.#target
    const { accessToken, scopes, accountId } = await this.#token()
    let response: Response
    try {
      response = await this.#fetch(url, {
        method: 'POST',
        headers: {
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          'mcp-protocol-version': PROTOCOL,
          authorization: `Bearer ${accessToken}`,
          ...(session && { 'mcp-session-id': session }),
        },
        body: JSON.stringify(message),
      })
    } catch {
      throw new LatchkeyError('network', `${name} could not be reached.`, { provider: id })
    }
    if (response.ok) return response
    await response.body?.cancel()
    const challenge = readChallenge(response.headers)
    const about = { provider: id, ...(accountId && { accountId }), ...(toolName && { toolName }) }
    if (response.status === 401) throw new AuthorizationRequired(about)
    if (response.status === 403 && challenge?.error === 'insufficient_scope') {
      const wanted = challenge.scope?.split(' ').filter(Boolean) ?? []
      throw new AuthorizationRequired({ ...about, scopes: [...new Set([...(scopes ?? []), ...wanted])] })
    }
    throw new LatchkeyError('temporarily_unavailable', `${name} answered with status ${response.status}.`, {
      provider: id,
    })
  }
}
