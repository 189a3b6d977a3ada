import { providerError } from '../errors.ts'
import { cleanName } from '../names.ts'
import {
  askDocument,
  firstOf,
  hasSafeEndpoints,
  metadataUrls,
  type ResolvedServer,
  unsafe,
  wellKnown,
} from '../protocol/discovery.ts'
import type { Ask } from '../protocol/http.ts'
import { type Challenge, scopeNames } from '../protocol/www-authenticate.ts'
import type { McpProvider } from '../provider.ts'
import { safeUrl, sameButSlash } from '../urls.ts'
import { hostKind } from './host-kind.ts'

/** Authorization server metadata with what MCP adds to it. @see RFC 8414 §2 · RFC 7591 §2 · CIMD */
export type McpAuthorizationServer = ResolvedServer & {
  client_id_metadata_document_supported?: boolean
  /** It publishes no metadata: endpoints are the defaults of MCP 2025-03-26. */
  legacy?: true
}

/** What an MCP server says about who may use it. */
export interface McpDiscovery {
  /** The resource identifier, exactly as published. @see RFC 8707 §2 */
  resource: string
  server: McpAuthorizationServer
  /** Scopes the resource knows. Absent: it does not say. */
  scopes?: string[]
  /** What the server calls itself: its own words, made safe to show. @see RFC 9728 §2 */
  name?: string
}

/** Whether a URL out of a document may be used: https, or loopback where the MCP server itself is on loopback. */
function isSafeUrl(provider: McpProvider, value: unknown): value is string {
  const own = new URL(provider.mcp.url)
  const isOwn = ({ hostname, origin }: URL) =>
    origin === own.origin || (hostKind(hostname) === 'loopback' && hostKind(own.hostname) === 'loopback')
  const url = safeUrl(value, isOwn)
  return (
    url !== undefined && url.href.length <= 2048 && !url.hash && (hostKind(url.hostname) === 'public' || isOwn(url))
  )
}

const LEARNING = 'could not be reached to learn where to sign in.'

/** An MCP server's own identifier: its URL, without what cannot be part of one. @see RFC 8707 §2 */
function resourceOf({ origin, pathname, search }: URL): string {
  return pathname === '/' && !search ? origin : origin + pathname + search
}

/** Protected resource metadata: where the challenge says, below the server's path, or at the root. */
async function protectedResource(
  provider: McpProvider,
  challenge: Challenge | undefined,
  ask: Ask,
): Promise<(Omit<McpDiscovery, 'server'> & { issuer: string }) | undefined> {
  const url = new URL(provider.mcp.url)
  const own = resourceOf(url)
  const said = challenge?.resource_metadata
  const named = said !== undefined && URL.canParse(said, url.href) ? new URL(said, url.href).href : undefined
  if (named !== undefined && !isSafeUrl(provider, named)) {
    throw unsafe(provider, 'names an address for its metadata that must not be asked.')
  }
  // At the root it may be about the whole origin.
  const places = [{ at: `${url.origin}/.well-known/oauth-protected-resource`, resources: [own, url.origin] }]
  if (url.pathname !== '/') places.unshift({ at: wellKnown('oauth-protected-resource', url), resources: [own] })
  if (named) places.unshift({ at: named, resources: [own] })
  return firstOf(places, async ({ at, resources }) => {
    const document = await askDocument(provider, at, 'error', ask, LEARNING)
    if (!document) return undefined
    const expected = provider.mcp.resource ? [provider.mcp.resource] : resources
    // The document must name the identifier that it was asked for, or tokens would be for another server. RFC 9728 §3.3
    if (!expected.some((one) => sameButSlash(document.resource, one))) {
      throw unsafe(provider, 'says that it is another server.')
    }
    const [issuer] = list(document.authorization_servers)
    if (issuer === undefined) throw unsafe(provider, 'names no authorization server.')
    const { scopes_supported: scopes, resource_name: name } = document
    return {
      resource: document.resource as string,
      issuer,
      scopes: Array.isArray(scopes) ? list(scopes) : undefined,
      name: typeof name === 'string' ? cleanName(name) : undefined,
    }
  })
}

const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string').slice(0, 100) : []

/**
 * An authorization server's metadata, by its issuer. Its `issuer` must be the one asked for, to the letter, and PKCE
 * S256 must be listed: a server that does not list it may ignore it.
 *
 * @param isGuess whether nobody stated the issuer: then the server says how it is written.
 * @returns undefined when it publishes none.
 * @see RFC 8414 §3.3 · RFC 7636 · MCP "Authorization Code Protection"
 */
export async function authorizationServerMetadata(
  provider: McpProvider,
  issuer: string,
  ask: Ask,
  isGuess = false,
): Promise<McpAuthorizationServer | undefined> {
  if (!isSafeUrl(provider, issuer)) throw unsafe(provider, 'names an authorization server that must not be asked.')
  const { discoveryUrl } = provider.mcp
  const urls = metadataUrls(issuer)
  const places = discoveryUrl && urls.includes(discoveryUrl) ? [discoveryUrl] : urls
  const document = await firstOf(places, (url) => askDocument(provider, url, 'error', ask, LEARNING))
  if (!document) return undefined
  if (document.issuer !== issuer && !(isGuess && sameButSlash(document.issuer, issuer))) {
    throw providerError(provider, 'issuer_mismatch', 'has metadata that names another issuer.', { next: 'none' })
  }
  if (!list(document.code_challenge_methods_supported).includes('S256')) {
    throw unsafe(provider, 'does not protect sign-ins with PKCE (S256), which MCP requires.')
  }
  return checkServer(provider, document as unknown as McpAuthorizationServer)
}

function checkServer(provider: McpProvider, server: McpAuthorizationServer): McpAuthorizationServer {
  if (!hasSafeEndpoints(server, (url) => isSafeUrl(provider, url))) {
    throw unsafe(provider, 'describes itself in a way that is not safe to use.')
  }
  // Another server's sign-in page gives out codes of that server, which this one's token endpoint would get. An answer
  // that has to name its issuer gives that away; else only the app can say that both belong together. RFC 9700 §4.4
  const { origin } = new URL(server.authorization_endpoint)
  const isOwn = origin === new URL(server.issuer).origin || origin === provider.mcp.authorizationOrigin
  if (!isOwn && server.authorization_response_iss_parameter_supported !== true) {
    throw unsafe(provider, `sends people to sign in at ${new URL(origin).host}, which is another server.`)
  }
  return server
}

/** The endpoints of a server that publishes no metadata. @see MCP 2025-03-26 "Fallbacks for Servers without Metadata" */
export function defaultServer(issuer: string): McpAuthorizationServer {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    legacy: true,
  }
}

/**
 * Finds out where an MCP server's tokens come from.
 *
 * @throws LatchkeyError when it is away, or describes itself in a way that is not safe to use.
 * @see MCP 2026-07-28 "Authorization Server Discovery" · RFC 9728 §3
 */
export async function discoverMcp(provider: McpProvider, ask: Ask, challenge?: Challenge): Promise<McpDiscovery> {
  const metadata = await protectedResource(provider, challenge, ask)
  if (metadata) {
    const { issuer, ...found } = metadata
    const server = await authorizationServerMetadata(provider, issuer, ask)
    if (!server) throw unsafe(provider, 'has an authorization server that does not describe itself.')
    return { ...found, server }
  }
  // Before 2025-06-18 a server was its own authorization server, at the root of its origin.
  const url = new URL(provider.mcp.url)
  const { issuer } = provider.mcp
  const server = await authorizationServerMetadata(provider, issuer ?? url.origin, ask, !issuer)
  return { resource: resourceOf(url), server: server ?? defaultServer(url.origin) }
}

/**
 * Scopes to ask for: the challenge's, else the provider's, else all that the resource knows; and `further` ones.
 *
 * @see MCP "Scope Selection Strategy", "Step-Up Authorization"
 */
export function selectScopes(
  { scopes }: McpProvider,
  { scopes: known = [], server }: McpDiscovery,
  challenge: Challenge | undefined,
  further: readonly string[] = [],
): string[] {
  if (scopes.length > 0 && !challenge?.scope) return [...new Set([...scopes, ...further])]
  const wanted = challenge?.scope ? scopeNames(challenge.scope) : known
  const lasting = server.scopes_supported?.includes('offline_access') ? ['offline_access'] : []
  // Whose account it is concerns the authorization server: no challenge of the resource names these.
  const person = scopes.filter((scope) => ['openid', 'profile', 'email'].includes(scope))
  return [...new Set([...wanted, ...lasting, ...person, ...further])]
}
