import { AsyncLocalStorage } from 'node:async_hooks'
import { type ConnectRequest, type Identity, LatchkeyError, readConnectRequest } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { readChallenge } from '@latchkey/core/mcp'
import { isResourceOf } from '@latchkey/core/server'
import type { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { bearer, MCP_POLICY, sendAs, sendRenewing } from '../../outbound/api-request.ts'
import { createGuardedFetch, type GuardedFetch } from '../../outbound/guarded-fetch.ts'
import { createRedactor } from '../../outbound/redact/redactor.ts'
import type { Ending } from '../../use/door.ts'
import { judgedTool } from '../../use/tools.ts'
import { currentIdentities, whenRunEnds } from '../bind.ts'
import { AgentContext, type AuthorizedCall } from '../context.ts'
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
}

/** A session with an MCP server: the official client, with its errors translated and its answers redacted. */
export interface McpSession {
  client: Client
  /** Runs one request. If the server needs the person to act, throws {@link AuthorizationRequired}. */
  run<T>(toolName: string | undefined, request: (client: Client) => Promise<T>): Promise<T>
}

export interface McpSessionOptions
  extends Partial<McpTarget>,
    Pick<AuthenticatedMcpClientOptions, 'visited' | 'clientInfo'> {
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

/** What the ledger kept of an answer. */
const asResult = (kept: unknown): McpToolResult =>
  typeof kept === 'string' ? { content: [{ type: 'text', text: kept }] } : (kept as McpToolResult)

export const toolsOf = async (client: Client): Promise<McpTool[]> => (await client.listTools()).tools

/** A token for an MCP server, and what is known of its account. */
type McpToken = Pick<Identity, 'accessToken' | 'accountId'> & { scopes?: readonly string[] }

/** What the requests of one session share. */
interface Asking {
  secrets: Set<string>
  access: AuthorizedCall | undefined
}

/** Options of {@link AuthenticatedMcpClient}. */
export interface AuthenticatedMcpClientOptions {
  /**
   * Returns the token to use, or undefined if no account is connected. `forceRefresh` is true if the server refused the
   * last one. It is the app that says that the token is for this server, and that answers for it: no person is asked.
   *
   * @default the token of the current AgentContext, if its `resource` says that it is for this server
   */
  token?: (request: { forceRefresh: boolean }) => Promise<McpToken | undefined>
  /**
   * Used for every call to the server.
   *
   * @default createGuardedFetch(), which connects to public https addresses only
   */
  fetch?: GuardedFetch
  /** URLs of the server's pages that the person says to have visited. The server is told so, and the person is not asked again. */
  visited?: readonly string[]
  clientInfo?: { name: string; version: string }
  /**
   * What each tool does, by its name on the server. The server's own hints may make a tool `destructive`, and never weaker
   * than this says.
   *
   * @default {}: every tool is a 'write'
   */
  effects?: Readonly<Record<string, Effect>>
}

/** Milliseconds. */
const END_TIMEOUT = 3_000

/** A session, with the permission that it was opened with and the tools that it was told of. */
interface OpenSession extends McpSession {
  access: AuthorizedCall | undefined
  tools?: Promise<McpTool[]>
}

/** Tells the server that the session is over. @see MCP 2025-11-25, Transports: Session Management */
async function endSession({ client, access }: OpenSession): Promise<void> {
  const transport = client.transport as StreamableHTTPClientTransport | undefined
  await transport?.terminateSession().catch(() => {})
  await client.close()
  await access?.end({})
}

/**
 * Calls an MCP server's tools as the person that this request runs for. Each call attaches their token and, if the server
 * refuses it, renews it once. If the server needs a login, more scope or a visit to a page, the call throws
 * {@link AuthorizationRequired}, which the page shows as a button. After the person connects, the next call finds the account
 * in the request's identities or in the vault.
 */
export class AuthenticatedMcpClient {
  readonly #target: McpTarget
  readonly #options: AuthenticatedMcpClientOptions
  readonly #fetch: GuardedFetch
  /** The session of each run, which is one person's. It ends with the run. */
  readonly #sessions = new WeakMap<object, Promise<OpenSession>>()

  constructor(target: McpTarget, options: AuthenticatedMcpClientOptions = {}) {
    this.#target = target
    this.#options = options
    this.#fetch = options.fetch ?? createGuardedFetch()
  }

  /** @throws AuthorizationRequired */
  async listTools(): Promise<McpTool[]> {
    return this.#run(undefined, (session) => {
      delete session.tools
      return this.#tools(session)
    })
  }

  /** @throws AuthorizationRequired */
  async callTool(name: string, input: Record<string, unknown> = {}, toolName = name): Promise<McpToolResult> {
    return this.#run(toolName, async (session) => {
      const call = await this.#authorize(session, name, input)
      if (call?.done) return asResult(call.done.result)
      const args = (call?.args ?? input) as Record<string, unknown>
      let ending: Ending = 'unknown'
      try {
        const result = await session.run(toolName, (client) =>
          client.callTool({ name, arguments: args }, call?.signal && { signal: call.signal }),
        )
        ending = { result }
        return result
      } catch (error) {
        // A server that wants a login or a visit first did nothing yet.
        if (error instanceof AuthorizationRequired) ending = 'unsent'
        throw error
      } finally {
        await call?.end(ending)
      }
    })
  }

  /** The tools of this session, asked for once: what a person allowed holds for a tool as it was described to them. */
  #tools(session: OpenSession): Promise<McpTool[]> {
    session.tools ??= session.run(undefined, toolsOf)
    session.tools.catch(() => {
      delete session.tools
    })
    return session.tools
  }

  /** Permission for a call of a tool. Undefined where the app brings the token. */
  async #authorize(session: OpenSession, name: string, args: unknown): Promise<AuthorizedCall | undefined> {
    if (!session.access) return undefined
    const { id: provider } = this.#target
    const { effects = {} } = this.#options
    const declared = Object.hasOwn(effects, name) ? effects[name] : undefined
    const tool = async () => {
      const told = (await this.#tools(session)).find((one) => one.name === name)
      if (!told) return undefined
      const { title = name, description, inputSchema, annotations } = told
      // A hint may tighten what the app says, and never relax it.
      const isDestructive = annotations?.destructiveHint === true && declared !== 'read'
      const effect = isDestructive ? 'destructive' : (declared ?? 'write')
      const tool = judgedTool({
        provider,
        toolName: name,
        title,
        effect,
        inputSchema,
        ...(description && { description }),
      })
      return declared ? tool : { ...tool, found: true as const }
    }
    return AgentContext.current().authorize(provider, { toolName: name, tool, args })
  }

  async #run<T>(toolName: string | undefined, request: (session: OpenSession) => Promise<T>): Promise<T> {
    const run = currentIdentities()
    const opened = this.#sessions.get(run) ?? this.#connect()
    const end = async () => {
      this.#sessions.delete(run)
      await opened.then(endSession, () => {})
    }
    // Outside of a run nothing says whose the next call is.
    const lasts = this.#sessions.has(run) || whenRunEnds(end)
    if (lasts) this.#sessions.set(run, opened)
    try {
      const session = await opened.catch((error) => {
        this.#sessions.delete(run)
        throw error
      })
      return await request(session)
    } catch (error) {
      if (!(error instanceof AuthorizationRequired) || !toolName || error.request.toolName) throw error
      throw new AuthorizationRequired({ ...error.request, toolName })
    } finally {
      if (!lasts) await end()
    }
  }

  async #connect(): Promise<OpenSession> {
    const { visited, clientInfo, token } = this.#options
    const access = token ? undefined : await this.#access()
    const secrets = new Set<string>()
    const [session, { StreamableHTTPClientTransport }] = await Promise.all([
      createMcpSession({ ...this.#target, visited, clientInfo, secrets, negotiate: true }),
      import('@modelcontextprotocol/client'),
    ])
    const transport = new StreamableHTTPClientTransport(new URL(this.#target.url), {
      fetch: (url, init) => this.#ask({ secrets, access }, url, init),
    })
    const opened = { ...session, access }
    await session
      .run(undefined, (client) => client.connect(transport))
      .catch(async (error) => {
        await access?.end('unsent')
        throw error
      })
    return opened
  }

  /** Permission to open a session: it reads what the server offers. */
  #access(): Promise<AuthorizedCall> {
    const { id: provider, name = provider } = this.#target
    const tool = judgedTool({ provider, toolName: 'session', title: `Connect to ${name}`, effect: 'read' })
    return AgentContext.current().authorize(provider, { tool })
  }

  /** @throws AuthorizationRequired, for the account whose token was refused before */
  async #token(access: AuthorizedCall | undefined, forceRefresh: boolean, accountId?: string): Promise<McpToken> {
    const { id: provider, url } = this.#target
    if (!access) {
      const found = await this.#options.token?.({ forceRefresh })
      if (found) return found
      throw new AuthorizationRequired({ provider, accountId })
    }
    const identity = (await access.token({ forceRefresh })).toIdentity()
    // Who names a server in a request says its id and its URL: only the account knows what it is for.
    if (isResourceOf(this.#target, identity.resource)) return identity
    const message = `The ${provider} account is not for ${new URL(url).host}.`
    throw new LatchkeyError('access_denied', message, { provider, account: identity.accountId, next: 'none' })
  }

  /** Sends one HTTP request with the person's token, to the server's own URL only. */
  async #ask({ secrets, access }: Asking, url: string | URL, init: RequestInit = {}): Promise<Response> {
    const { id, name = id } = this.#target
    if (String(url) !== new URL(this.#target.url).href) throw new LatchkeyError('misuse', `${name} is at another URL.`)
    // No standalone GET stream: it would outlive the request that this runs for.
    if (init.method === 'GET') return new Response(null, { status: 405 })
    let used: McpToken | undefined
    const response = await sendRenewing(
      (renew) => this.#token(access, renew, used?.accountId),
      (token) => {
        used = token
        secrets.add(token.accessToken)
        // Not awaited: a server forgets a session that has ended.
        const signal = init.method === 'DELETE' ? AbortSignal.timeout(END_TIMEOUT) : init.signal
        const request = { ...init, signal, url, fetch: this.#fetch }
        return sendAs(bearer({ id, name }, token.accessToken), request, MCP_POLICY)
      },
    )
    const { accountId, scopes = [] } = used ?? {}
    if (!response) throw new AuthorizationRequired({ provider: id, accountId })
    if (response.status >= 500 || response.status === 429) {
      await response.body?.cancel()
      const message = `${name} answered with status ${response.status}.`
      throw new LatchkeyError('temporarily_unavailable', message, { provider: id })
    }
    const challenge = readChallenge(response.headers)
    if (response.status === 403 && challenge?.error === 'insufficient_scope') {
      await response.body?.cancel()
      const wanted = challenge.scope?.split(' ').filter(Boolean) ?? []
      throw new AuthorizationRequired({ provider: id, accountId, scopes: [...new Set([...scopes, ...wanted])] })
    }
    return response
  }
}
