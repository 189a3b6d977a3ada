import { type ErrorCode, errorAbout } from '../errors.ts'
import type { ResolvedServer } from '../protocol/discovery.ts'
import { type Ask, malformed } from '../protocol/http.ts'
import { randomValue, s256 } from '../protocol/pkce.ts'
import { aliasOf, isAllowedUrl, type OAuthProvider } from '../provider.ts'

/** One authorization under way: what its response is checked against. Kept by `state`, used once. */
export interface Flow {
  /** Provider id. */
  provider: string
  /** @see RFC 6749 §10.12 */
  state: string
  /** @see RFC 7636 §4.1 */
  code_verifier: string
  /** Binds the ID token to this request, where one is asked for. @see OpenID Connect Core 1.0 §3.1.2.1 */
  nonce?: string
  issuer: string
  redirect_uri: string
  client_id: string
  /** Scopes asked for. */
  scopes: readonly string[]
  /** What the tokens will be for. @see RFC 8707 §2 */
  resource?: string
  mode: 'popup' | 'redirect'
  /** The account that is connected again. */
  accountId?: string
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Where a redirect flow goes back to: a path of the app's own origin. */
  returnTo?: string
  /** Whose flow it is, when several people of the app share a tab. */
  prefix?: string
  /** What the app wants back when a redirect has returned. */
  keep?: unknown
  /** The query of the authorization response, left by the callback page for a redirect flow. */
  response?: string
  /** Its verifier is on the server: this is all that the browser has to know of it. */
  custody?: 'vault'
}

export interface AuthorizationRequest {
  url: string
  flow: Flow
}

/**
 * Builds the Authorization Request: code flow, PKCE S256, a random state. Reserved parameters always win over the
 * provider's further ones and over the endpoint's own query.
 *
 * @throws LatchkeyError when discovery fails or the endpoint is not a URL that may be opened.
 * @see RFC 6749 §4.1.1 · RFC 7636 §4.3
 */
export async function authorizationRequest(
  provider: OAuthProvider,
  options: Pick<Flow, 'redirect_uri' | 'client_id' | 'scopes' | 'mode' | 'returnTo' | 'accountId' | 'prefix' | 'keep'>,
  /** `choose` asks which account, instead of taking the one that is signed in there. `only` gives up other scopes. */
  how?: 'choose' | 'only',
  fetch?: Ask,
): Promise<AuthorizationRequest> {
  const server = await serverOf(provider, fetch)
  if (!isAllowedUrl(provider, server.authorization_endpoint)) {
    const message = `${provider.name} names an address to sign in at that must not be opened.`
    throw errorAbout(provider, 'misuse', message, { next: 'none' })
  }
  const flow: Flow = {
    ...options,
    provider: provider.id,
    issuer: server.issuer,
    ...(provider.resource && { resource: provider.resource }),
    state: randomValue(),
    code_verifier: randomValue(),
    ...(options.scopes.includes('openid') && { nonce: randomValue() }),
    startedAt: Date.now(),
  }
  const url = new URL(server.authorization_endpoint)
  const parameters = {
    ...provider.authorizationParams,
    ...(how === 'choose' && provider.chooserParams),
    ...(how === 'only' && provider.onlyParams),
    ...(flow.nonce && { nonce: flow.nonce }),
    ...(flow.scopes.length > 0 && { scope: flow.scopes.join(provider.scopeSeparator ?? ' ') }),
    response_type: 'code',
    client_id: flow.client_id,
    redirect_uri: flow.redirect_uri,
    ...(flow.resource && { resource: flow.resource }),
    state: flow.state,
    code_challenge: await s256(flow.code_verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return { url: url.href, flow }
}

/**
 * Judges the Authorization Response. State first, then the issuer, and only then what it says, an error included:
 * another server's words are not shown.
 *
 * @returns the parameters, for {@link TokenEndpoint.redeem}, which has oauth4webapi judge them again.
 * @throws LatchkeyError `state_mismatch`, `issuer_mismatch`, `access_denied`, `malformed_response` or the server's code.
 * @see RFC 6749 §4.1.2 · RFC 9207 §2.4
 */
export async function authorizationResponse(
  provider: OAuthProvider,
  flow: Flow,
  parameters: URLSearchParams,
  fetch?: Ask,
) {
  const refused = (code: ErrorCode, message: string, detail?: string) =>
    errorAbout(provider, code, message, { next: 'connect', detail })
  const server = await serverOf(provider, fetch)
  for (const name of ['state', 'code', 'iss', 'error', 'response']) {
    if (parameters.getAll(name).length > 1) {
      throw refused('malformed_response', `The answer from ${provider.name} says "${name}" twice.`)
    }
  }
  if (parameters.get('state') !== flow.state) {
    throw refused('state_mismatch', `The answer does not belong to this request to ${provider.name}.`)
  }
  const iss = parameters.get('iss')
  if (
    flow.issuer !== server.issuer ||
    (iss === null ? server.authorization_response_iss_parameter_supported : iss !== flow.issuer)
  ) {
    throw refused('issuer_mismatch', `The answer does not come from ${provider.name}, so it was not used.`)
  }
  const error = parameters.get('error')
  // A JARM response, or one of the implicit or a hybrid flow, was not asked for.
  const isOther = parameters.has('id_token') || parameters.has('token') || !parameters.get('code')
  if (parameters.get('response') || (!error && isOther)) throw malformed(provider)
  if (!error) return parameters
  const { codeFromServer } = await import('../protocol/error-codes.ts')
  const code = codeFromServer(aliasOf(provider.errorAliases, error), 'server_error')
  const message =
    code === 'access_denied' ? `Access was not given at ${provider.name}.` : `${provider.name} refused: ${code}.`
  throw refused(code, message, parameters.get('error_description') ?? undefined)
}

/** A provider's server. What asks for its metadata loads only where the provider names no endpoints. */
async function serverOf(provider: OAuthProvider, fetch?: Ask): Promise<ResolvedServer> {
  const { authorization_endpoint, token_endpoint } = provider.server
  if (authorization_endpoint && token_endpoint) return { ...provider.server, authorization_endpoint, token_endpoint }
  const { resolveServer } = await import('../protocol/discovery.ts')
  return resolveServer(provider, fetch)
}
