import { createHash } from 'node:crypto'
import type { Provider } from '@latchkey/core'
import type { AgentTool, Effect } from '@latchkey/core/agents'
import canonicalize from 'canonicalize'

/** A tool that works with an account: what a person is told of it, and what their rules are about. */
export interface AccountTool {
  /** The provider, or its id. */
  provider: Provider | string
  /** Unique among the tools of its provider. */
  toolName: string
  /**
   * What the person reads.
   *
   * @default the tool's name
   */
  title?: string
  /** What the model reads. A changed one makes a new version. */
  description?: string
  /**
   * What a call does. `read` changes nothing. `destructive` takes away what cannot be had back. Say the worst that the tool
   * can do.
   */
  effect: Effect
  /**
   * What it calls, as the API's documentation writes it: `/repos/{owner}/{repo}/issues`. The person reads it in their
   * activity. It names no value of a call.
   *
   * @default nothing
   */
  route?: string
  /** Scopes that the tool needs. */
  scopes?: readonly string[]
  /** What it takes, as JSON Schema. A changed one makes a new version. */
  inputSchema?: unknown
  /** Arguments that a person may change before they say yes. */
  edit?: readonly string[]
}

/** A tool as rules, requests and the audit log know it. */
export type JudgedTool = Pick<AgentTool, 'name' | 'title' | 'effect' | 'version' | 'edit'> & {
  /** What it calls, as the app declares it. */
  route?: string
  /** A server offers it, and the app does not declare it. */
  found?: true
}

const idOf = (provider: Provider | string) => (typeof provider === 'string' ? provider : provider.id)

/**
 * What rules hold for: a tool that does, needs or takes something else is another version. Its JSON has one form, so the
 * order of members does not matter.
 *
 * @see RFC 8785
 */
const versionOf = ({ title, description, effect, scopes = [], inputSchema }: AccountTool): string =>
  createHash('sha256')
    .update(canonicalize({ title, description, effect, scopes: [...scopes].sort(), inputSchema }) ?? '')
    .digest('base64url')

/** A tool under its whole name, `{provider}/{name}`, so that equal names of two servers never meet. */
export function judgedTool(tool: AccountTool): JudgedTool {
  const { provider, toolName, title = toolName, effect, edit, route } = tool
  return {
    ...{ name: `${idOf(provider)}/${toolName}`, title, effect, version: versionOf(tool) },
    ...(edit && { edit }),
    ...(route !== undefined && { route }),
  }
}

/** A tool as its person's page lists it. */
export function listedTool(tool: AccountTool): AgentTool {
  const { route: _, ...judged } = judgedTool(tool)
  return { ...judged, provider: idOf(tool.provider), ...(tool.scopes && { scopes: tool.scopes }) }
}

const READS = ['GET', 'HEAD', 'OPTIONS']

/** What an HTTP request does, by its method. */
export const effectOfMethod = (method: string): Effect => {
  if (READS.includes(method)) return 'read'
  return method === 'DELETE' ? 'destructive' : 'write'
}
