import type { AuthorizationServer } from 'oauth4webapi'
import { type LatchkeyError, providerError } from '../errors.ts'
import { onceFor } from '../once.ts'
import { isAllowedUrl, type OAuthProvider } from '../provider.ts'
import { sameButSlash } from '../urls.ts'
import { type Answer, type Ask, askObject, failure, isAway, malformed, type Named, unavailable } from './http.ts'

/** An authorization server whose endpoints are known. */
export type ResolvedServer = AuthorizationServer & { authorization_endpoint: string; token_endpoint: string }

/** Milliseconds after which all metadata is asked for again. */
const MAX_AGE = 3_600_000

const found = new Map<string, Promise<AuthorizationServer>>()
let forgotAt = 0

/**
 * The provider's authorization server metadata: what the provider says, completed by OpenID Connect discovery where it
 * names no endpoints. Asked once per issuer and hour; a failure is forgotten.
 *
 * @throws LatchkeyError when it is away, or `malformed_response` for metadata that is not safe to use.
 * @see OpenID Connect Discovery 1.0 §4 · RFC 8414 §3.3
 */
export async function resolveServer(provider: OAuthProvider, fetch?: Ask): Promise<ResolvedServer> {
  const { server } = provider
  if (server.authorization_endpoint && server.token_endpoint) return server as ResolvedServer
  const now = Date.now()
  if (now - forgotAt > MAX_AGE) {
    found.clear()
    forgotAt = now
  }
  const metadata = await onceFor(found, server.issuer, () => readMetadata(provider, fetch))
  if (!hasSafeEndpoints(metadata, (url) => isAllowedUrl(provider, url))) {
    throw unsafe(provider, 'describes itself in a way that is not safe to use.')
  }
  const methods = server.code_challenge_methods_supported ?? metadata.code_challenge_methods_supported
  if (!methods?.includes('S256')) {
    const words = "does not say that it checks PKCE with S256. If it does, say so: pkce: 'S256'."
    throw providerError(provider, 'malformed_response', words, { next: 'configure' })
  }
  const known = Object.entries(server).filter(([, value]) => value !== undefined)
  // Its answers and ID tokens name it as it names itself, to the letter.
  return { ...metadata, ...Object.fromEntries(known), issuer: metadata.issuer }
}

/** An authorization server must not be used, as it describes itself. */
export const unsafe = (provider: Named, words: string) =>
  providerError(provider, 'malformed_response', words, { next: 'none' })

/** Whether metadata has the endpoints that every server needs, and all that it names may be asked. @see RFC 8414 §2 */
export function hasSafeEndpoints(
  server: AuthorizationServer,
  isSafe: (url: unknown) => boolean,
): server is ResolvedServer {
  const { authorization_endpoint, token_endpoint, registration_endpoint, revocation_endpoint } = server
  const further = [registration_endpoint, revocation_endpoint, server.userinfo_endpoint, server.jwks_uri]
  return [authorization_endpoint, token_endpoint, ...further.filter((url) => url !== undefined)].every(isSafe)
}

async function readMetadata(provider: OAuthProvider, fetch?: Ask): Promise<AuthorizationServer> {
  const { issuer } = provider.server
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  return metadataOf(provider, issuer, await askDocument(provider, url, 'manual', fetch))
}

/** Where an issuer's metadata can be, in the order in which it is asked for. @see RFC 8414 §3.1, §5 · OIDC Discovery §4 */
export function metadataUrls(issuer: string): string[] {
  const url = new URL(issuer)
  const inserted = [wellKnown('oauth-authorization-server', url), wellKnown('openid-configuration', url)]
  return url.pathname === '/'
    ? inserted
    : [...inserted, `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`]
}

/** The address of a document about another one. @see RFC 8615 · RFC 8414 §3.1 · RFC 9728 §3.1 */
export const wellKnown = (name: string, { origin, pathname }: URL) =>
  `${origin}/.well-known/${name}${pathname === '/' ? '' : pathname.replace(/\/$/, '')}`

/** A document as an issuer's metadata. A slash at the end of its name is forgotten easily. @throws LatchkeyError */
export function metadataOf(server: Named, issuer: string, document: Answer | undefined): AuthorizationServer {
  const named = document?.issuer
  if (sameButSlash(named, issuer)) return { ...document, issuer: named }
  throw malformed(server, undefined, `does not describe itself as ${issuer}.`)
}

/** A JSON object; undefined when there is none at this address. `how`: what a redirect is. @throws LatchkeyError when nobody can say. */
export async function askDocument(server: Named, url: string, how: 'manual' | 'error', fetch?: Ask, words?: string) {
  const request = { redirect: how, credentials: 'omit' } as const
  const { response, answer } = await askObject(url, request, { fetch }).catch((error) => {
    throw failure(server, error, words)
  })
  if (isAway(response)) throw unavailable(server, response)
  // Undefined for a page where a document should be: an app's catch-all route.
  return response.ok ? answer : undefined
}

/**
 * The first that is there. One that is away may be at the next place.
 *
 * @throws LatchkeyError the first failure, if it is nowhere.
 */
export async function firstOf<Place, Found>(places: Place[], read: (place: Place) => Promise<Found | undefined>) {
  const failures: LatchkeyError[] = []
  for (const place of places) {
    const found = await read(place).catch((error) => {
      if (error.code !== 'temporarily_unavailable' && error.code !== 'network') throw error
      failures.push(error)
    })
    if (found) return found
  }
  if (failures[0]) throw failures[0]
  return undefined
}
