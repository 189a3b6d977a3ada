import * as oauth from 'oauth4webapi'
import { asLatchkeyError, LatchkeyError } from '../errors.ts'
import { isAllowedUrl, type OAuthProvider } from '../provider.ts'
import { bounded } from './http.ts'

/** An authorization server whose endpoints are known. */
export type ResolvedServer = oauth.AuthorizationServer & { authorization_endpoint: string; token_endpoint: string }

const found = new Map<string, Promise<oauth.AuthorizationServer>>()

/**
 * The provider's authorization server metadata: what the provider says, completed by OpenID Connect discovery where it
 * names no endpoints. Asked once per issuer; a failure is forgotten.
 *
 * @throws LatchkeyError `network`, or `malformed_response` for metadata that is not safe to use.
 * @see OpenID Connect Discovery 1.0 §4 · RFC 8414 §3.3
 */
export async function resolveServer(provider: OAuthProvider, fetch = globalThis.fetch): Promise<ResolvedServer> {
  const { server } = provider
  if (server.authorization_endpoint && server.token_endpoint) return server as ResolvedServer
  const issuer = new URL(server.issuer)
  let pending = found.get(server.issuer)
  if (!pending) {
    pending = oauth
      .discoveryRequest(issuer, {
        [oauth.customFetch]: bounded({ fetch }),
        [oauth.allowInsecureRequests]: issuer.protocol === 'http:',
      })
      .then((response) => oauth.processDiscoveryResponse(issuer, response))
    found.set(server.issuer, pending)
    pending.catch(() => found.delete(server.issuer))
  }
  const metadata = await pending.catch((error) => {
    // fetch fails with a bare TypeError, a timeout with a DOMException; oauth4webapi's own errors have a code.
    const unreached = error instanceof DOMException || (error instanceof TypeError && !('code' in error))
    const code = unreached ? 'network' : 'malformed_response'
    throw asLatchkeyError(error, code, `${provider.name} could not be reached to learn where to sign in.`, {
      provider: provider.id,
    })
  })
  // Servers that do not say it may ignore PKCE; a definition that knows better says so itself.
  const methods = server.code_challenge_methods_supported ?? metadata.code_challenge_methods_supported
  const endpoints = [metadata.authorization_endpoint, metadata.token_endpoint]
  const further = [metadata.revocation_endpoint, metadata.userinfo_endpoint].filter((url) => url !== undefined)
  if (![...endpoints, ...further].every((url) => url && isAllowedUrl(provider, url)) || !methods?.includes('S256')) {
    throw new LatchkeyError(
      'malformed_response',
      `${provider.name} describes itself in a way that is not safe to use.`,
      {
        provider: provider.id,
        next: 'none',
      },
    )
  }
  return { ...metadata, ...withoutUndefined(server) } as ResolvedServer
}

function withoutUndefined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>
}
