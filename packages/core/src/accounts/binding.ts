// The part of account-rules that a page needs for its first paint.
import type { Provider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'

/**
 * Whether a token for this resource may be sent to an MCP server: it is made out for the server's URL, for its whole
 * origin, or for the resource that is configured. @see RFC 8707 §2 · RFC 9728 §3.3
 */
export function isResourceOf({ url, resource }: { url: string; resource?: string }, named: string | undefined) {
  const plain = (one: string | undefined) => one?.replace(/\/$/, '')
  return named !== undefined && [url, new URL(url).origin, resource].some((one) => plain(one) === plain(named))
}

/**
 * Why an account's secret is not for this provider as it is now; undefined when it is. Such a secret is sent nowhere: not
 * to the API or MCP server, not to the token endpoint, not to an agent.
 */
export function bindingChange(
  provider: Provider,
  { issuer, resource }: Pick<ConnectedAccount, 'issuer' | 'resource'>,
): 'issuer_changed' | 'resource_changed' | undefined {
  // Where the tokens of an MCP server come from is found out in use, and each goes back to its own issuer.
  if (provider.kind !== 'mcp' && issuer !== issuerOf(provider)) return 'issuer_changed'
  const isFor =
    'mcp' in provider ? isResourceOf(provider.mcp, resource) : (resource ?? apiOf(provider)) === apiOf(provider)
  return isFor ? undefined : 'resource_changed'
}

/** The issuer that an account of a provider has now. */
export const issuerOf = (provider: Provider) => (provider.kind === 'api-key' ? provider.issuer : provider.server.issuer)

/** The origin of a provider's API, or what its tokens are made out for. */
export const apiOf = (provider: Provider) =>
  (provider.kind !== 'api-key' && provider.resource) || new URL(provider.apiBaseUrl).origin
