import type { AuthorizationServer } from 'oauth4webapi'
import { providerError } from '../errors.ts'
import { onceFor } from '../once.ts'
import { isAllowedUrl, type OAuthProvider, type Provider } from '../provider.ts'
import { type Ask, askObject, failure } from './http.ts'

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
 * @throws LatchkeyError `network`, or `malformed_response` for metadata that is not safe to use.
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
  const metadata = await onceFor(found, server.issuer, () => readMetadata(server.issuer, fetch)).catch((error) => {
    throw failure(provider, error)
  })
  // Servers that do not say it may ignore PKCE; a definition that knows better says so itself.
  const methods = server.code_challenge_methods_supported ?? metadata.code_challenge_methods_supported
  if (!hasSafeEndpoints(metadata, (url) => isAllowedUrl(provider, url)) || !methods?.includes('S256')) {
    throw unsafe(provider, 'describes itself in a way that is not safe to use.')
  }
  const known = Object.entries(server).filter(([, value]) => value !== undefined)
  return { ...metadata, ...Object.fromEntries(known) }
}

/** An authorization server must not be used, as it describes itself. */
export const unsafe = (provider: Provider, words: string) =>
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

/** @throws SyntaxError for an answer that is not this issuer's metadata. */
async function readMetadata(issuer: string, fetch?: Ask): Promise<AuthorizationServer> {
  const url = new URL(issuer)
  url.pathname = `${url.pathname}/.well-known/openid-configuration`.replaceAll('//', '/')
  const { response, answer } = await askObject(url.href, { redirect: 'manual' }, { fetch })
  const named = answer?.issuer
  if (response.status !== 200 || typeof named !== 'string' || new URL(named).href !== new URL(issuer).href) {
    throw new SyntaxError(`No metadata of ${issuer}.`)
  }
  return { ...answer, issuer: named }
}
