import { LatchkeyError, type Provider } from '@latchkey/core'
import { AgentContext } from './agent-context.ts'
import { getIdentityEnv } from './identities.ts'
import { providerOfName } from './token-names.ts'

/** One entry of `mcpServers`, as clients of MCP write it. Values may refer to accounts: `${GITHUB_TOKEN}`. */
export interface McpServerEntry {
  /** A server that is started here, by its program. */
  command?: string
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  /** A server that runs elsewhere. */
  url?: string
  headers?: Readonly<Record<string, string>>
}

export interface McpServersConfig {
  mcpServers: Readonly<Record<string, McpServerEntry>>
}

export interface ResolveMcpServersOptions {
  /** Whose accounts are used. Default: those of the request this runs for. */
  context?: AgentContext
  /** Providers whose own variable names are known beside the well-known ones. */
  providers?: readonly Provider[]
}

const REFERENCE = /\$\{(\w+)\}/g

/**
 * The entries of an `mcpServers` configuration with the person's accounts in place of `${GITHUB_TOKEN}` and the like, in
 * `env` and `headers`. Made per person and connection: what comes out holds secrets, the configuration never does.
 *
 * @throws AuthorizationRequired when an account is not connected.
 * @throws LatchkeyError `misuse` when a reference is no account's or stands where it would be seen or sent in the clear.
 */
export async function resolveMcpServers(
  { mcpServers }: McpServersConfig,
  { context = AgentContext.current(), providers = [] }: ResolveMcpServersOptions = {},
): Promise<Record<string, McpServerEntry>> {
  const misuse = (message: string) => new LatchkeyError('misuse', message, { next: 'configure' })

  async function fill(server: string, record: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const filled: Record<string, string> = {}
    for (const [key, value] of Object.entries(record)) {
      const values = new Map<string, string>()
      for (const [, name = ''] of value.matchAll(REFERENCE)) {
        const provider = providerOfName(name, providers)
        const token = await context.getToken(provider, { toolName: server })
        const secret = getIdentityEnv([token.toIdentity()], { providers })[name]
        if (secret === undefined) throw misuse(`The ${provider} account has no ${name}.`)
        values.set(name, secret)
      }
      filled[key] = value.replace(REFERENCE, (_, name: string) => values.get(name) ?? '')
    }
    return filled
  }

  const resolved: Record<string, McpServerEntry> = {}
  for (const [name, entry] of Object.entries(mcpServers)) {
    const { command, args = [], env, url, headers } = entry
    // Arguments are in every process list, addresses in every log.
    for (const value of [command ?? '', ...args, url ?? '']) {
      if (value.match(REFERENCE)) {
        throw misuse(`mcpServers.${name} has a reference in its command, args or url. Use env or headers.`)
      }
    }
    const refersToAccount = Object.values(headers ?? {}).some((value) => value.match(REFERENCE))
    const isLocal = url !== undefined && /^\[::1\]$|^127(\.\d+){3}$|^localhost$/.test(new URL(url).hostname)
    if (refersToAccount && !isLocal && new URL(url ?? '').protocol !== 'https:') {
      throw misuse(`mcpServers.${name} would send an account over plain http. Use https.`)
    }
    resolved[name] = {
      ...entry,
      ...(env && { env: await fill(name, env) }),
      ...(headers && { headers: await fill(name, headers) }),
    }
  }
  return resolved
}
