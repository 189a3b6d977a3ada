import { LatchkeyError, type Provider } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { fillReferences, type McpServerEntry, mcpServers } from '@latchkey/core/mcp'
import type { Client } from '@modelcontextprotocol/client'
import { secretsOf } from '../../outbound/redact/redactor.ts'
import type { Ending, Failure } from '../../use/endings.ts'
import { type JudgedTool, judgedTool } from '../../use/tools.ts'
import { AgentContext, type AuthorizedCall, type Outlook } from '../context.ts'
import { checkNamed, getIdentityEnv, namedFor, providerOfName } from '../environment.ts'
import { failureOf, saysError } from '../failure.ts'
import { type CallPlace, placeOf } from '../place.ts'
import { askedAhead, firstRefusal, ofToolCall } from '../tool-approval.ts'
import { resultAs } from './client.ts'
import { createMcpSession, type McpTool, type McpToolResult, toolsOf } from './session.ts'

/** Options of {@link resolveMcpServers}. */
export interface ResolveMcpServersOptions {
  /**
   * Whose accounts are used.
   *
   * @default AgentContext.current()
   */
  context?: AgentContext
  /** Providers whose `envNames` are recognized in addition to the well-known names. */
  providers?: readonly Provider[]
  /**
   * Further origins that a provider's accounts may be sent to in `headers`, by provider id:
   * `{ github: ['https://api.githubcopilot.com'] }`.
   *
   * @default {}: only the origin of the provider's own API
   */
  headerOrigins?: Readonly<Record<string, readonly string[]>>
  /**
   * Which of several accounts a variable is filled from, by label or id of `context.accountsOf`: `{ GITHUB_TOKEN: 'work' }`.
   * Server code says it, and no model. Variables that belong together, such as a name and its key, need the same one.
   *
   * @default {}: the account that the person chose
   */
  accounts?: Readonly<Record<string, string>>
  /**
   * The strongest thing that a server does with the accounts, by server id.
   *
   * @default {}: nobody knows, so the person is asked
   */
  effects?: Readonly<Record<string, Effect>>
}

/**
 * Replaces references such as `${GITHUB_TOKEN}` in `env` and `headers` of an `mcpServers` configuration with the person's
 * tokens. Call it for each person and connection: the result contains secrets, the configuration never does.
 *
 * @param config as `mcpServers` of `@latchkey/core/mcp` reads it.
 * @throws AuthorizationRequired if an account is not connected.
 * @throws LatchkeyError `misuse` with the path of the mistake, such as a reference to an unknown variable;
 * `access_denied` for a header whose server may not have the account.
 */
export async function resolveMcpServers(
  config: unknown,
  options: ResolveMcpServersOptions = {},
): Promise<Record<string, McpServerEntry>> {
  const resolved: Record<string, McpServerEntry> = {}
  const { effects = {}, accounts } = options
  const { servers } = mcpServers(config)
  checkNamed(accounts, servers.flatMap(variablesOf))
  for (const entry of servers) {
    const { id: toolName, name: title } = entry
    const effect = Object.hasOwn(effects, toolName) ? effects[toolName] : undefined
    const asked: Asked = {
      toolName,
      toolOf: (provider) => effect && judgedTool({ provider, toolName, title, effect }),
    }
    const { entry: filled, calls } = await fill(entry, asked, options)
    // What is done with the tokens is not seen here.
    for (const call of calls) await call.end({})
    resolved[entry.id] = filled
  }
  return resolved
}

const variablesOf = ({ references }: McpServerEntry) => references.map(({ variable }) => variable)

/** What the accounts of an entry are wanted for. */
interface Asked {
  toolName: string
  toolOf(provider: string): JudgedTool | undefined
  args?: unknown
  place?: CallPlace | undefined
}

/** The call of an entry with one of its accounts. */
const callWith = ({ toolName, toolOf, args, place }: Asked, provider: string, account: string | undefined) => ({
  ...{ toolName, tool: toolOf(provider), args, place, account },
})

/** Fills the references of an entry. @throws LatchkeyError `misuse` for a variable that belongs to no provider. */
async function fill(
  entry: McpServerEntry,
  asked: Asked,
  options: ResolveMcpServersOptions,
): Promise<{ entry: McpServerEntry; secrets: string[]; calls: AuthorizedCall[] }> {
  const calls = new Map<string, AuthorizedCall>()
  try {
    return { ...(await filled(entry, asked, options, calls)), calls: [...calls.values()] }
  } catch (error) {
    for (const call of calls.values()) await call.end('unsent')
    throw error
  }
}

async function filled(
  entry: McpServerEntry,
  asked: Asked,
  { context = AgentContext.current(), providers = [], headerOrigins = {}, accounts }: ResolveMcpServersOptions,
  calls: Map<string, AuthorizedCall>,
): Promise<{ entry: McpServerEntry; secrets: string[] }> {
  const values: Record<string, string> = {}
  const secrets: string[] = []
  for (const reference of entry.references) {
    const provider = providerOfName(reference.variable, providers, reference.path)
    const account = namedFor(accounts, reference.variable)
    const key = JSON.stringify([provider, account])
    const call = calls.get(key) ?? (await context.authorize(provider, callWith(asked, provider, account)))
    calls.set(key, call)
    if (call.done) throw new LatchkeyError('access_denied', `${asked.toolName} was called already, for this message.`)
    const token = await call.token()
    // What the account says comes first: its provider may have moved.
    const own = token.resource ?? providers.find(({ id }) => id === provider)?.apiBaseUrl
    const further = Object.hasOwn(headerOrigins, provider) ? headerOrigins[provider] : []
    const origins = [own, ...(further ?? [])].map((one) => one && URL.parse(one)?.origin)
    const server = entry.url && new URL(entry.url)
    if (server && !origins.includes(server.origin)) {
      const message = `${reference.path}: the ${provider} account is not for ${server.host}. Name its origin in headerOrigins if it is.`
      throw new LatchkeyError('access_denied', message, { provider, next: 'configure' })
    }
    const identity = token.toIdentity()
    const value = getIdentityEnv([identity], { providers })[reference.variable]
    if (value === undefined) {
      throw new LatchkeyError('misuse', `${reference.path}: the ${provider} account has no ${reference.variable}.`)
    }
    values[reference.variable] = value
    secrets.push(...secretsOf([identity], providers))
  }
  const fillAll = (record: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, fillReferences(value, values)]))
  const { env, headers } = entry
  return { entry: { ...entry, env: env && fillAll(env), headers: headers && fillAll(headers) }, secrets }
}

/** Options of {@link McpCommand}. */
export interface McpCommandOptions extends Omit<ResolveMcpServersOptions, 'effects'> {
  /**
   * What each tool does, by its name. The program's own hints are not believed.
   *
   * @default {}: every tool is a 'write'
   */
  effects?: Readonly<Record<string, Effect>>
  /**
   * Folder to run in.
   *
   * @default the folder of this process
   */
  cwd?: string
  /**
   * Maximum milliseconds for one answer.
   *
   * @default 30_000
   */
  timeout?: number
}

/** A larger answer ends the program. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/**
 * An MCP server that runs as a child process: a `command` entry of **this server's** configuration. Never make one from a
 * request: the sender could run any program here.
 *
 * Each call starts the program and ends it. Its environment holds the person's tokens that its `env` refers to, a few
 * variables that every program needs (the PATH, the home folder) and nothing else of this process. The tokens are redacted
 * from its answers. Of several accounts of a provider, server code names one for a variable, with `accounts`.
 */
export class McpCommand {
  readonly id: string
  readonly name: string
  /** Ids of the providers whose accounts it runs with. */
  readonly accounts: readonly string[]
  readonly #entry: McpServerEntry
  readonly #options: McpCommandOptions

  /** @throws LatchkeyError `misuse` for an entry without a command, or a reference to an unknown variable. */
  constructor(entry: McpServerEntry, options: McpCommandOptions = {}) {
    if (entry.kind !== 'command' || !entry.command) {
      throw new LatchkeyError('misuse', `mcpServers.${entry.id}: expected an entry with a command.`)
    }
    this.id = entry.id
    this.name = entry.name
    const ids = entry.references.map(({ variable, path }) => providerOfName(variable, options.providers, path))
    this.accounts = [...new Set(ids)]
    checkNamed(options.accounts, variablesOf(entry))
    this.#entry = entry
    this.#options = options
  }

  /** @throws AuthorizationRequired when an account it runs with is missing: then nothing is started. */
  async listTools(): Promise<McpTool[]> {
    return (await this.#run({ toolName: undefined, name: 'tools', effect: 'read' }, toolsOf)).result
  }

  /** @throws AuthorizationRequired when an account it runs with is missing: then nothing is started. */
  callTool(name: string, input: Record<string, unknown> = {}, toolName = name): Promise<McpToolResult> {
    return this.#call({ toolName, name, effect: this.#effectOf(name), args: input })
  }

  /**
   * A tool of the program as the function of a tool of the AI SDK, which `toolApproval` asks ahead.
   *
   * @param toolName its name in the conversation. @default name
   */
  execute(name: string, toolName = name): (input: unknown, options: unknown) => Promise<McpToolResult> {
    const callOf = (input: unknown, options: unknown): AskedCall => {
      const place = placeOf(options, input, toolName)
      return { toolName, name, effect: this.#effectOf(name), args: input, place }
    }
    const execute = (input: unknown, options: unknown) =>
      this.#call(callOf(input, options)).catch((error) => {
        throw ofToolCall(error, options)
      })
    return askedAhead(execute, (input, options) => this.#askAhead(callOf(input, options)))
  }

  #effectOf(name: string): Effect {
    const { effects = {} } = this.#options
    return (Object.hasOwn(effects, name) ? effects[name] : undefined) ?? 'write'
  }

  async #call(asked: AskedCall): Promise<McpToolResult> {
    const input = asked.args as Record<string, unknown>
    const { result, accountId } = await this.#run(asked, (client, options) =>
      client.callTool({ name: asked.name, arguments: input }, options),
    )
    return resultAs(result, accountId)
  }

  #askAhead(call: AskedCall): Promise<Outlook | undefined> {
    const { context = AgentContext.current(), providers, accounts } = this.#options
    const wanted = this.#entry.references.map(
      ({ variable, path }) => [providerOfName(variable, providers, path), namedFor(accounts, variable)] as const,
    )
    return firstRefusal(wanted, (provider, account) =>
      context.askAhead(provider, callWith(this.#needs(call), provider, account)),
    )
  }

  #needs({ toolName = this.id, name, effect, args, place }: AskedCall): Asked {
    const { id } = this
    const toolOf = (provider: string) => judgedTool({ provider, toolName: `${id}.${name}`, title: name, effect })
    return { toolName, toolOf, args, place }
  }

  /** `accountId`: the one account that it ran with. */
  async #run<T>(
    asked: AskedCall,
    request: (client: Client, options: AskOptions) => Promise<T>,
  ): Promise<{ result: T; accountId: string | undefined }> {
    const { entry, secrets, calls } = await fill(this.#entry, this.#needs(asked), this.#options)
    const [one, other] = calls
    let ending: Ending = 'unsent'
    let failure: Failure | undefined
    try {
      const result = await this.#start(entry, secrets, asked.toolName, async (client, timeout) => {
        ending = 'unknown'
        return request(client, { timeout, signal: AbortSignal.any(calls.flatMap(({ signal }) => signal ?? [])) })
      })
      ending = { result }
      if (saysError(result)) failure = 'tool_error'
      return { result, accountId: other ? undefined : one?.accountId }
    } catch (error) {
      failure = failureOf(error)
      throw error
    } finally {
      for (const call of calls) await call.end(ending, failure)
    }
  }

  async #start<T>(
    { id, name, command = '', args = [], env = {} }: McpServerEntry,
    secrets: string[],
    toolName: string | undefined,
    request: (client: Client, timeout: number) => Promise<T>,
  ): Promise<T> {
    const { cwd, timeout = 30_000 } = this.#options
    const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio')
    const session = await createMcpSession({ id, name, secrets })
    const params = { command, args: [...args], env: { ...env }, cwd, maxBufferSize: MAX_ANSWER_BYTES }
    // Its stderr may contain the secrets.
    const transport = new StdioClientTransport({ ...params, stderr: 'ignore' })
    try {
      await session.client.connect(transport, { timeout }).catch(() => {
        throw new LatchkeyError('not_configured', `${name} could not be started.`)
      })
      return await session.run(toolName, (client) => request(client, timeout))
    } finally {
      await transport.close()
    }
  }
}

/** How one request is made. */
interface AskOptions {
  /** Milliseconds. */
  timeout: number
  /** Aborted when its person stops it. */
  signal: AbortSignal
}

/** One request to the program. */
interface AskedCall {
  /** The tool that its person is told of. */
  toolName: string | undefined
  /** The program's tool. */
  name: string
  effect: Effect
  args?: unknown
  place?: CallPlace | undefined
}
