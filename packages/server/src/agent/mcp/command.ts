import { LatchkeyError, type Provider } from '@latchkey/core'
import { fillReferences, type McpServerEntry, mcpServers } from '@latchkey/core/mcp'
import type { Client } from '@modelcontextprotocol/client'
import { secretsOf } from '../../outbound/redact/redactor.ts'
import { AgentContext } from '../context.ts'
import { getIdentityEnv, providerOfName } from '../environment.ts'
import { createMcpSession, type McpTool, type McpToolResult, toolsOf } from './client.ts'

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
  for (const entry of mcpServers(config).servers) resolved[entry.id] = (await fill(entry, options)).entry
  return resolved
}

/** Fills the references of an entry. @throws LatchkeyError `misuse` for a variable that belongs to no provider. */
async function fill(
  entry: McpServerEntry,
  { context = AgentContext.current(), providers = [], headerOrigins = {} }: ResolveMcpServersOptions,
): Promise<{ entry: McpServerEntry; secrets: string[] }> {
  const values: Record<string, string> = {}
  const secrets: string[] = []
  for (const reference of entry.references) {
    const provider = providerOfName(reference.variable, providers, reference.path)
    const token = await context.getToken(provider, { toolName: entry.id })
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
  const filled = (record: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, fillReferences(value, values)]))
  const { env, headers } = entry
  return { entry: { ...entry, env: env && filled(env), headers: headers && filled(headers) }, secrets }
}

/** Options of {@link McpCommand}. */
export interface McpCommandOptions extends ResolveMcpServersOptions {
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
 * from its answers.
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
    this.#entry = entry
    this.#options = options
  }

  /** @throws AuthorizationRequired when an account it runs with is missing: then nothing is started. */
  listTools(): Promise<McpTool[]> {
    return this.#run(undefined, toolsOf)
  }

  /** @throws AuthorizationRequired when an account it runs with is missing: then nothing is started. */
  callTool(name: string, input: Record<string, unknown> = {}, toolName = name): Promise<McpToolResult> {
    return this.#run(toolName, (client, timeout) => client.callTool({ name, arguments: input }, { timeout }))
  }

  async #run<T>(toolName: string | undefined, request: (client: Client, timeout: number) => Promise<T>): Promise<T> {
    const { cwd, timeout = 30_000 } = this.#options
    const { entry, secrets } = await fill(this.#entry, this.#options)
    const { id, name, command = '', args = [], env = {} } = entry
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
