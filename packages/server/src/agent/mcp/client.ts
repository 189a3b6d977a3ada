import { type Identity, LatchkeyError } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { readChallenge } from '@latchkey/core/mcp'
import { isObject, isResourceOf } from '@latchkey/core/server'
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { bearer, MCP_POLICY, sendAs, sendRenewing } from '../../outbound/api-request.ts'
import { createGuardedFetch, type GuardedFetch } from '../../outbound/guarded-fetch.ts'
import type { Ending, Failure } from '../../use/endings.ts'
import { judgedTool } from '../../use/tools.ts'
import { currentIdentities, whenRunEnds } from '../bind.ts'
import { type AccountChoice, offerAccounts, takeName } from '../choice.ts'
import { AgentContext, type AuthorizedCall, type CallRequest, type Outlook } from '../context.ts'
import { failureOf, saysError } from '../failure.ts'
import { type CallPlace, placeOf } from '../place.ts'
import { AuthorizationRequired } from '../required.ts'
import { askedAhead, ofToolCall } from '../tool-approval.ts'
import {
  createMcpSession,
  type McpSession,
  type McpTarget,
  type McpTool,
  type McpToolResult,
  type SessionOptions,
  toolsOf,
} from './session.ts'

/** What the ledger kept of an answer. */
const asResult = (kept: unknown): McpToolResult =>
  typeof kept === 'string' ? { content: [{ type: 'text', text: kept }] } : (kept as McpToolResult)

/** A result with the account that it is from, whatever its server says of that. */
export const resultAs = (result: McpToolResult, accountId: string | undefined): McpToolResult => {
  const { accountId: _, ...said } = result
  return accountId === undefined ? said : { ...said, accountId }
}

/** Whether a tool has a member `account` of its own. */
const hasAccount = ({ inputSchema }: McpTool) => {
  const { properties } = inputSchema
  return isObject(properties) && Object.hasOwn(properties, 'account')
}

/** A token for an MCP server, and what is known of its account. */
type McpToken = Pick<Identity, 'accessToken' | 'accountId'> & { scopes?: readonly string[] }

/** Credentials of an app: {@link ServiceCredentials} or {@link EnterpriseCredentials}. */
export interface McpCredentials {
  /** What the tokens are for. @see RFC 8707 §2 */
  readonly resource: string | undefined
  /** @param request.refused the last token, if the server refused it. */
  getToken(request: { refused?: string | undefined }): Promise<string>
}

/** What the requests of one session share. */
interface Asking {
  secrets: Set<string>
  access: AuthorizedCall | undefined
}

/** Options of {@link AuthenticatedMcpClient}. */
export interface AuthenticatedMcpClientOptions extends SessionOptions {
  /**
   * Returns the token to use, or undefined if no account is connected. `forceRefresh` is true if the server refused the
   * last one. It is the app that says that the token is for this server, and that answers for it: no person is asked.
   *
   * @default the token of the current AgentContext, if its `resource` says that it is for this server
   */
  token?: (request: { forceRefresh: boolean }) => Promise<McpToken | undefined>
  /**
   * The app's own credentials for this server, instead of a person's account: {@link ServiceCredentials}, or
   * {@link EnterpriseCredentials} for the person of each run. Their `resource` must be this server. No person is asked, and
   * none could help: what the server refuses is a LatchkeyError.
   */
  credentials?: McpCredentials
  /**
   * Used for every call to the server.
   *
   * @default createGuardedFetch(), which connects to public https addresses only
   */
  fetch?: GuardedFetch
  /**
   * What each tool does, by its name on the server. The server's own hints may make a tool `destructive`, and never weaker
   * than this says.
   *
   * @default {}: every tool is a 'write'
   */
  effects?: Readonly<Record<string, Effect>>
  /**
   * `choose`: the input of a tool may name one of several accounts of this server, as `account`: a label or id of
   * `context.accountsOf`. The server and the person's rules about arguments do not see this member, and `listTools` offers it.
   * Unnamed, it is the only account, or the one account that calls before it have named in this turn. Otherwise the call is
   * refused, and lists the accounts. A tool with a member `account` of its own keeps it, and is never told of ours. Without a
   * meaning where the app brings the `token`.
   *
   * @default the account that the person chose
   */
  account?: 'choose'
}

/** Milliseconds. */
const END_TIMEOUT = 3_000

/** A session, with the permission that it was opened with and the tools that it was told of. */
interface OpenSession extends McpSession {
  access: AuthorizedCall | undefined
  tools?: Promise<McpTool[]>
  /** Tools of this run that have a member `account` of their own. */
  own: Set<string>
}

/** What a client has in one run, which is one person's. It ends with the run. */
interface McpRun {
  /** By account id: what one account began never goes on as another. */
  sessions: Map<string, Promise<OpenSession>>
  own: Set<string>
}

/** An input, with the account that it names. */
type Given = ReturnType<typeof takeName<unknown>>

/** Whose session a call is made in. `account` is named to the door. */
interface Whose {
  key: string
  account: string | undefined
}

/** One call of a tool. */
interface ToolCall {
  name: string
  input: unknown
  toolName: string
  place?: CallPlace | undefined
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
  readonly #runs = new WeakMap<object, McpRun>()

  /** @throws LatchkeyError `misuse` for credentials that are not for this server. */
  constructor(target: McpTarget, options: AuthenticatedMcpClientOptions = {}) {
    const { token, credentials } = options
    if (credentials && (token || !isResourceOf(target, credentials.resource))) {
      const why = token
        ? 'has credentials already: leave token out'
        : `needs credentials whose resource is ${target.url}`
      throw new LatchkeyError('misuse', `The MCP client of ${target.name ?? target.id} ${why}.`)
    }
    this.#target = target
    this.#options = options
    this.#fetch = options.fetch ?? createGuardedFetch()
  }

  /**
   * @param options.account lists them as this account, by label or id. @default with `account: 'choose'`, the one that the
   *   person chose, or the first
   * @throws AuthorizationRequired
   */
  async listTools({ account }: { account?: string } = {}): Promise<McpTool[]> {
    const { id: provider } = this.#target
    const { accounts } = AgentContext.current()
    const offered = this.#options.account === 'choose' ? AgentContext.current().accountsOf(provider) : []
    const isChosen = ({ accountId }: AccountChoice) =>
      accounts.some((one) => one.provider === provider && one.accountId === accountId)
    const first = offered.find(isChosen) ?? offered[0]
    const tools = await this.#inSession(this.#whose(account ?? first?.accountId), undefined, (session) => {
      delete session.tools
      return this.#tools(session)
    })
    if (offered.length < 2) return tools
    return tools.map((tool) =>
      hasAccount(tool) ? tool : { ...tool, inputSchema: offerAccounts(tool.inputSchema, offered) },
    )
  }

  /**
   * @param toolName what its person is told that it is, if it asks for an account
   * @throws AuthorizationRequired if there is no account, ApprovalRequired if the person is asked first, NotAllowed if they do
   *   not allow it.
   * @throws LatchkeyError `invalid_request` with `account: 'choose'`, if the input does not say which of several accounts.
   */
  async callTool(name: string, input: Record<string, unknown> = {}, toolName = name): Promise<McpToolResult> {
    return this.#call({ name, input, toolName })
  }

  /**
   * A tool of the server as the function of a tool of the AI SDK, which `toolApproval` asks ahead.
   *
   * ```ts
   * dynamicTool({ inputSchema: jsonSchema(tool.inputSchema), execute: orAsk(notes.execute(tool.name, 'notes__' + tool.name)) })
   * ```
   *
   * @param toolName its name in the conversation. @default name
   */
  execute(name: string, toolName = name): (input: unknown, options: unknown) => Promise<McpToolResult> {
    const callOf = (input: unknown, options: unknown): ToolCall => {
      return { name, input, toolName, place: placeOf(options, input, toolName) }
    }
    const execute = (input: unknown, options: unknown) =>
      this.#call(callOf(input, options)).catch((error) => {
        throw ofToolCall(error, options)
      })
    return askedAhead(execute, (input, options) => this.#askAhead(callOf(input, options)))
  }

  async #call({ name, input, toolName, place }: ToolCall): Promise<McpToolResult> {
    const given = this.#take(name, input)
    const whose = this.#whose(given.name)
    return this.#inSession(whose, toolName, async (session) => {
      const request = this.#requestOf(session, name, given, whose)
      const call = session.access && (await AgentContext.current().authorize(this.#target.id, { ...request, place }))
      if (call?.done) return resultAs(asResult(call.done.result), call.accountId)
      const args = (call?.args ?? given.rest) as Record<string, unknown>
      let ending: Ending = 'unknown'
      let failure: Failure | undefined
      try {
        const result = await session.run(toolName, (client) =>
          client.callTool({ name, arguments: args }, call?.signal && { signal: call.signal }),
        )
        ending = { result }
        if (saysError(result)) failure = 'tool_error'
        return resultAs(result, call?.accountId)
      } catch (error) {
        failure = failureOf(error)
        // A server that wants a login or a visit first did nothing yet.
        if (error instanceof AuthorizationRequired) ending = 'unsent'
        throw error
      } finally {
        await call?.end(ending, failure)
      }
    })
  }

  async #askAhead({ name, input, place }: ToolCall): Promise<Outlook | undefined> {
    const given = this.#take(name, input)
    const whose = this.#whose(given.name)
    return this.#inSession(whose, undefined, async (session) => {
      const request = this.#requestOf(session, name, given, whose)
      return session.access && AgentContext.current().askAhead(this.#target.id, { ...request, place })
    })
  }

  /** The account that an input names, and the input without it. */
  #take(name: string, input: unknown): Given {
    const isOwn = this.#runs.get(currentIdentities())?.own.has(name)
    return this.#options.account === 'choose' && !isOwn ? takeName(input) : { name: undefined, rest: input }
  }

  /** Whose call it is. That is fixed before its session is opened: another call may name another account meanwhile. */
  #whose(name: string | undefined): Whose {
    if (this.#bringsToken) return { key: '', account: undefined }
    const choose = this.#options.account === 'choose'
    const id = AgentContext.current().accountFor(this.#target.id, { account: name, choose })
    return { key: id ?? '', account: choose || name !== undefined ? id : undefined }
  }

  /** The tools of this session, asked for once: what a person allowed holds for a tool as it was described to them. */
  #tools(session: OpenSession): Promise<McpTool[]> {
    session.tools ??= session.run(undefined, toolsOf)
    session.tools.then(
      (tools) => {
        for (const tool of tools) if (hasAccount(tool)) session.own.add(tool.name)
      },
      () => {
        delete session.tools
      },
    )
    return session.tools
  }

  /** A call as its person's rules know it. */
  #requestOf(session: OpenSession, name: string, { name: named, rest: args }: Given, { account }: Whose): CallRequest {
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
    return { toolName: name, tool, args, account, choose: named !== undefined }
  }

  async #inSession<T>(
    { key, account }: Whose,
    toolName: string | undefined,
    request: (session: OpenSession) => Promise<T>,
  ): Promise<T> {
    const identities = currentIdentities()
    const run: McpRun = this.#runs.get(identities) ?? { sessions: new Map(), own: new Set() }
    const opened = run.sessions.get(key) ?? this.#connect(run.own, account)
    const end = async () => {
      run.sessions.delete(key)
      await opened.then(endSession, () => {})
    }
    // Outside of a run nothing says whose the next call is.
    const lasts = run.sessions.has(key) || whenRunEnds(end)
    if (lasts) this.#runs.set(identities, { ...run, sessions: run.sessions.set(key, opened) })
    try {
      const session = await opened.catch((error) => {
        run.sessions.delete(key)
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

  async #connect(own: Set<string>, account: string | undefined): Promise<OpenSession> {
    const { visited, clientInfo } = this.#options
    const access = this.#bringsToken ? undefined : await this.#access(account)
    const secrets = new Set<string>()
    const [session, { StreamableHTTPClientTransport }] = await Promise.all([
      createMcpSession({ ...this.#target, visited, clientInfo, secrets, negotiate: true }),
      import('@modelcontextprotocol/client'),
    ])
    const transport = new StreamableHTTPClientTransport(new URL(this.#target.url), {
      fetch: (url, init) => this.#ask({ secrets, access }, url, init),
    })
    const opened = { ...session, access, own }
    await session
      .run(undefined, (client) => client.connect(transport))
      .catch(async (error) => {
        await access?.end('unsent', failureOf(error))
        throw error
      })
    return opened
  }

  /** Whether it is the app that answers for the token, so that no person is asked. */
  get #bringsToken(): boolean {
    return Boolean(this.#options.token ?? this.#options.credentials)
  }

  /** Permission to open a session: it reads what the server offers. */
  #access(account: string | undefined): Promise<AuthorizedCall> {
    const { id: provider, name = provider } = this.#target
    const tool = judgedTool({ provider, toolName: 'session', title: `Connect to ${name}`, effect: 'read' })
    return AgentContext.current().authorize(provider, { tool, account })
  }

  /**
   * @param used the token that was refused
   * @throws AuthorizationRequired, for the account of that token
   */
  async #token(access: AuthorizedCall | undefined, used: McpToken | undefined): Promise<McpToken> {
    const { id: provider, url } = this.#target
    const { credentials } = this.#options
    if (credentials) return { accessToken: await credentials.getToken({ refused: used?.accessToken }) }
    const forceRefresh = used !== undefined
    if (!access) {
      const found = await this.#options.token?.({ forceRefresh })
      if (found) return found
      throw new AuthorizationRequired({ provider, accountId: used?.accountId })
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
      (renew) => this.#token(access, renew ? used : undefined),
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
    if (!response) throw this.#lacking('invalid_token', { provider: id, accountId })
    if (response.status >= 500 || response.status === 429) {
      await response.body?.cancel()
      const message = `${name} answered with status ${response.status}.`
      throw new LatchkeyError('temporarily_unavailable', message, { provider: id })
    }
    const challenge = readChallenge(response.headers)
    if (response.status === 403 && challenge?.error === 'insufficient_scope') {
      await response.body?.cancel()
      const wanted = challenge.scope?.split(' ').filter(Boolean) ?? []
      const asked = { provider: id, accountId, scopes: [...new Set([...scopes, ...wanted])] }
      throw this.#lacking('insufficient_scope', asked)
    }
    return response
  }

  /** What the token lacks is asked of the person, if the account is theirs to connect. */
  #lacking(
    code: 'invalid_token' | 'insufficient_scope',
    asked: ConstructorParameters<typeof AuthorizationRequired>[0],
  ): Error {
    if (!this.#options.credentials) return new AuthorizationRequired(asked)
    const { id: provider, name = provider } = this.#target
    const why =
      code === 'invalid_token' ? 'does not accept these credentials' : 'wants more scopes than these credentials have'
    return new LatchkeyError(code, `${name} ${why}.`, { provider, next: 'configure', detail: asked.scopes?.join(' ') })
  }
}
