import { AsyncLocalStorage } from 'node:async_hooks'
import { type ConnectRequest, LatchkeyError, readConnectRequest } from '@latchkey/core'
import type { Client } from '@modelcontextprotocol/client'
import { createRedactor } from '../../outbound/redact/redactor.ts'
import { AuthorizationRequired, withoutRequest } from '../required.ts'

/** An MCP server that is called over HTTP. */
export interface McpTarget {
  /** The id of the provider that its account belongs to. */
  id: string
  url: string
  /**
   * The resource that its tokens are for, where that is neither its URL nor its origin.
   *
   * @see RFC 9728 §3.3
   */
  resource?: string
  name?: string
}

/** A tool as its server describes it. */
export interface McpTool {
  name: string
  title?: string
  description?: string
  inputSchema: Record<string, unknown>
  /** What the server says of it, which may be a lie. */
  annotations?: { readOnlyHint?: boolean; destructiveHint?: boolean }
}

/** The answer of a tool. */
export interface McpToolResult {
  content: { type: string; text?: string }[]
  isError?: boolean
  structuredContent?: unknown
  /** The account that it was called with. No server says it. */
  accountId?: string
}

/** A session with an MCP server: the official client, with its errors translated and its answers redacted. */
export interface McpSession {
  client: Client
  /** Runs one request. If the server needs the person to act, throws {@link AuthorizationRequired}. */
  run<T>(toolName: string | undefined, request: (client: Client) => Promise<T>): Promise<T>
}

/** What an app says of the sessions with a server. */
export interface SessionOptions {
  /** URLs of the server's pages that the person says to have visited. The server is told so, and the person is not asked again. */
  visited?: readonly string[]
  clientInfo?: { name: string; version: string }
}

export interface McpSessionOptions extends Partial<McpTarget>, SessionOptions {
  id: string
  /** What the server is given, and may say again. Read for each answer, so that a renewed token can be added. */
  secrets: Iterable<string>
  /**
   * Whether to ask for the server's protocol version first.
   *
   * @default false, which uses the protocol of 2025
   */
  negotiate?: boolean
}

interface Call {
  wanted?: ConnectRequest
  /** Pages that this request has accepted. If the server asks for one again, the visit did not count. */
  accepted: Set<string>
}

/** The request that a server's elicitation belongs to: it arrives on that request's stream. */
const calls = new AsyncLocalStorage<Call>()

/** Makes a session, not connected yet. The first one loads the official client. */
export async function createMcpSession(options: McpSessionOptions): Promise<McpSession> {
  const {
    id,
    name = id,
    url,
    visited = [],
    clientInfo = { name: 'latchkey', version: '0' },
    negotiate,
    secrets,
  } = options
  const from = { provider: id, server: url }
  const { Client } = await import('@modelcontextprotocol/client')
  const client = new Client(clientInfo, {
    capabilities: { elicitation: { url: {} } },
    inputRequired: { maxRounds: 2 },
    ...(negotiate && { versionNegotiation: { mode: 'auto' as const } }),
  })
  client.setRequestHandler('elicitation/create', ({ params }) => {
    const request = readConnectRequest(params, from)
    const call = calls.getStore()
    if (request?.url && visited.includes(request.url) && call && !call.accepted.has(request.url)) {
      call.accepted.add(request.url)
      return { action: 'accept' as const }
    }
    // No page is opened here. The person sees its host and opens it.
    if (request && call) call.wanted ??= request
    return { action: 'cancel' as const }
  })

  return {
    client,
    async run(toolName, request) {
      const call: Call = { accepted: new Set() }
      let error: unknown
      try {
        const result = await calls.run(call, () => request(client))
        withoutRequest((result as { structuredContent?: unknown } | undefined)?.structuredContent)
        if (!call.wanted) return await createRedactor(secrets).later(result)
      } catch (thrown) {
        error = thrown
      }
      const wanted = call.wanted ?? wantedBy(error, from)
      if (wanted) throw new AuthorizationRequired({ ...createRedactor(secrets).value(wanted), toolName })
      throw readError(error, id, name)
    },
  }
}

/** The page that the person must visit first. @see MCP 2025-11-25 "URL Elicitation Required" */
function wantedBy(error: unknown, from: { provider: string; server?: string }): ConnectRequest | null {
  const { code, data } = (error ?? {}) as { code?: unknown; data?: unknown }
  return code === undefined ? null : readConnectRequest({ code, data }, from)
}

/** Keeps Latchkey's errors. Leaves out the server's messages, because a model would read them. */
function readError(error: unknown, provider: string, name: string): Error {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof LatchkeyError || one instanceof AuthorizationRequired) return one
  }
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'number'
    ? new LatchkeyError('server_error', `${name} answered with error ${code}.`, { provider })
    : new LatchkeyError('malformed_response', `${name} gave an answer that could not be understood.`, { provider })
}

export const toolsOf = async (client: Client): Promise<McpTool[]> => (await client.listTools()).tools
