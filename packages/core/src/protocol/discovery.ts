import type { AuthorizationServer } from 'oauth4webapi'
import { LatchkeyError } from '../errors.ts'
import { isAllowedUrl, type OAuthProvider } from '../provider.ts'
import { failure, limited, parseObject, readText } from './http.ts'

/** An authorization server whose endpoints are known. */
export type ResolvedServer = AuthorizationServer & { authorization_endpoint: string; token_endpoint: string }

const found = new Map<string, Promise<AuthorizationServer>>()

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
  let pending = found.get(server.issuer)
  if (!pending) {
    pending = readMetadata(server.issuer, fetch)
    found.set(server.issuer, pending)
    pending.catch(() => found.delete(server.issuer))
  }
  const metadata = await pending.catch((error) => {
    throw failure(provider, error)
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

/** @throws SyntaxError for an answer that is not this issuer's metadata. */
async function readMetadata(issuer: string, fetch: typeof globalThis.fetch): Promise<AuthorizationServer> {
  const url = new URL(issuer)
  url.pathname = `${url.pathname}/.well-known/openid-configuration`.replaceAll('//', '/')
  const response = await limited({ fetch })(url.href, { headers: { accept: 'application/json' }, redirect: 'manual' })
  const metadata = parseObject(await readText(response))
  const named = metadata?.issuer
  if (response.status !== 200 || typeof named !== 'string' || new URL(named).href !== new URL(issuer).href) {
    throw new SyntaxError(`No metadata of ${issuer}.`)
  }
  return { ...metadata, issuer: named }
}

function withoutUndefined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>
}
