import * as oauth from 'oauth4webapi'
import { errorAbout, type LatchkeyError, providerError } from '../errors.ts'
import { parseObject } from '../json.ts'
import { type OAuthProvider, OIDC_PROFILE_FIELDS, type Provider } from '../provider.ts'
import { bounded, lenientFetch } from './answers.ts'
import { type ResolvedServer, resolveServer } from './discovery.ts'
import { codeFromServer } from './error-codes.ts'
import * as http from './http.ts'
import { cleanProfile, type Profile, pickProfile, profileOf, profileSource } from './profile.ts'

/** A token answer, verbatim, and the issuer it came from. @see RFC 6749 §5.1 */
export interface Token {
  access_token: string
  token_type: string
  /** Seconds from the answer. Absent: the server does not say. */
  expires_in?: number
  refresh_token?: string
  /** As the server wrote it; absent means "as asked". */
  scope?: string
  issuer: string
  /** What it is for, where that was said. @see RFC 8707 §2 */
  resource?: string
}

/** A token, and whose account it opens. */
export interface TokenAnswer {
  token: Token
  /** Absent when the provider names none or it could not be read: the account then has no name yet. */
  profile?: Profile
}

/** The redemption of a code. */
export interface CodeGrant {
  /** The Authorization Response as it came. The endpoint that has the client validates it before it sends the code. */
  response: URLSearchParams
  /** The state of the request. */
  state: string
  /** The issuer that the request was sent to. @see RFC 9207 §2.4 */
  issuer: string
  redirect_uri: string
  code_verifier: string
  client_id: string
  /** The one sent with the request, when an ID token was asked for. @see OpenID Connect Core 1.0 §3.1.3.7 */
  nonce?: string
}

/** A token that a provider revoked. */
export type RevokedToken = 'access_token' | 'refresh_token'

/**
 * Which tokens were revoked, or that the provider has no revocation endpoint.
 *
 * @see RFC 7009
 */
export type Revocation = { status: 'revoked'; tokens: RevokedToken[] } | { status: 'unsupported' }

/** Where tokens come from: the authorization server itself, or a broker that adds client authentication. */
export interface TokenEndpoint {
  /** @see RFC 6749 §4.1.3 · RFC 7636 §4.5 */
  redeem(grant: CodeGrant): Promise<TokenAnswer>
  /** Sends no scope: a refresh never asks for more. @see RFC 6749 §6 */
  refresh(token: Token): Promise<TokenAnswer>
  /** The refresh token first, then the access token. @see RFC 7009 §2.1 */
  revoke(token: Token): Promise<Revocation>
}

/** How to call a token endpoint directly: the client, and the limits of each request. */
export interface DirectOptions extends http.RequestOptions {
  client_id: string
  /** Only a broker has one. */
  client_secret?: string
}

/** What went wrong at an endpoint of this provider, as our error; a server's own words stay in `detail`. */
function failure(provider: Provider, error: unknown): LatchkeyError {
  if (error instanceof oauth.ResponseBodyError) {
    const code = codeFromServer(error.error, 'invalid_request')
    const next = code === 'invalid_grant' ? 'connect' : code === 'invalid_client' ? 'configure' : 'retry'
    const detail = error.error_description
    return providerError(provider, code, `refused: ${code}.`, { detail, next, cause: error })
  }
  return http.failure(provider, error)
}

/** The authorization server itself: for public clients in a browser, and for the broker, which adds the secret. */
export function authorizationServer(provider: OAuthProvider, options: DirectOptions): TokenEndpoint {
  const { client_id, client_secret } = options
  const client: oauth.Client = { client_id }
  const authentication = client_secret
    ? secretAuthentication(client_secret, provider.client.token_endpoint_auth_method)
    : oauth.None()
  const request = {
    [oauth.customFetch]: lenientFetch(provider, http.limited(options)),
    // Only the origin of a provider's own baseUrl can be http: defineProvider and resolveServer see to that.
    [oauth.allowInsecureRequests]: true,
  }
  /** To endpoints that answer as they should. */
  const strict = { ...request, [oauth.customFetch]: bounded(options) }

  /** @see RFC 8707 §2.2 */
  const forResource = (resource = provider.resource) =>
    resource ? { ...request, additionalParameters: { resource } } : request

  async function answer(
    server: ResolvedServer,
    token: oauth.TokenEndpointResponse,
    claims?: oauth.IDToken,
  ): Promise<TokenAnswer> {
    const { access_token, token_type, expires_in, refresh_token, scope } = token
    // The issuer as it is configured, which accounts are compared with.
    const { resource, server: configured } = provider
    const named = claims && pickProfile(claims, OIDC_PROFILE_FIELDS)
    return {
      token: { access_token, token_type, expires_in, refresh_token, scope, issuer: configured.issuer, resource },
      profile: profileSource(provider, server)
        ? await profileOf(provider, server, access_token, options)
        : named && 'mcp' in provider
          ? cleanProfile(named)
          : named,
    }
  }

  async function attempt<T>(run: (server: ResolvedServer) => Promise<T>): Promise<T> {
    try {
      return await run(await resolveServer(provider, options.fetch))
    } catch (error) {
      throw failure(provider, error)
    }
  }

  return {
    redeem: (grant) =>
      attempt(async (server) => {
        const { redirect_uri, code_verifier, nonce } = grant
        if (grant.issuer !== server.issuer) {
          throw errorAbout(provider, 'issuer_mismatch', `The answer does not come from ${provider.name}.`)
        }
        const response = oauth.validateAuthResponse(server, client, grant.response, grant.state)
        const answered = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          authentication,
          response,
          redirect_uri,
          code_verifier,
          forResource(),
        )
        const { id_token } = await answered
          .clone()
          .json()
          .catch(() => ({}))
        // Where there is an ID token it must be this request's; a person may have refused `openid`.
        const token = await oauth.processAuthorizationCodeResponse(server, client, answered, {
          expectedNonce: (id_token && nonce) || oauth.expectNoNonce,
        })
        const isSigned = id_token && server.jwks_uri
        if (isSigned) await oauth.validateApplicationLevelSignature(server, answered, strict)
        return answer(server, token, isSigned ? oauth.getValidatedIdTokenClaims(token) : undefined)
      }),
    refresh: (token) =>
      attempt(async (server) => {
        const answered = await oauth.refreshTokenGrantRequest(
          server,
          client,
          authentication,
          token.refresh_token ?? '',
          forResource(token.resource),
        )
        return answer(server, await oauth.processRefreshTokenResponse(server, client, answered))
      }),
    revoke: (token) =>
      attempt(async (server) => {
        if (provider.revocation) return revokeByApi(provider, provider.revocation, options, token)
        if (!server.revocation_endpoint) return { status: 'unsupported' }
        const auth = provider.revocationAuth === 'none' ? () => {} : authentication
        const tokens: RevokedToken[] = []
        for (const [value, token_type_hint] of [
          [token.refresh_token, 'refresh_token'],
          [token.access_token, 'access_token'],
        ] as const) {
          if (!value) continue
          try {
            const hinted = { ...strict, additionalParameters: { token_type_hint } }
            const answered = await oauth.revocationRequest(server, client, auth, value, hinted)
            if (http.isAway(answered)) throw http.unavailable(provider, answered)
            // Unknown tokens are revoked tokens: Google says 400 where RFC 7009 §2.2 says 200.
            if (answered.status !== 400) await oauth.processRevocationResponse(answered)
            else if (parseObject(await http.readText(answered))?.error === 'unsupported_token_type') continue
            tokens.push(token_type_hint)
          } catch (error) {
            // The receipt names what was ended; without the refresh token the rest ends by itself.
            if (tokens.length === 0) throw error
          }
        }
        if (tokens.length === 0) return { status: 'unsupported' }
        return { status: 'revoked', tokens }
      }),
  }
}

/** Revocation that is not RFC 7009: GitHub's `DELETE /applications/{client_id}/token`. */
async function revokeByApi(
  provider: OAuthProvider,
  { endpoint, method, member }: NonNullable<OAuthProvider['revocation']>,
  options: DirectOptions,
  { access_token }: Token,
): Promise<Revocation> {
  const { client_id, client_secret } = options
  if (!client_secret || !access_token) return { status: 'unsupported' }
  const url = endpoint.replace('{client_id}', encodeURIComponent(client_id))
  const headers = { authorization: http.basic(client_id, client_secret) }
  const request = { method, headers, redirect: 'manual', json: { [member]: access_token } } as const
  const { response } = await http.askObject(url, request, options)
  // 404: the token is dead already.
  if (response.ok || response.status === 404) return { status: 'revoked', tokens: ['access_token'] }
  throw http.isAway(response) ? http.unavailable(provider, response) : http.malformed(provider)
}

/** How a client sends its secret. For Basic, both parts are form-encoded first, which leaves "-" as it is. @see RFC 6749 §2.3.1 */
export function secretAuthentication(client_secret: string, method: string): oauth.ClientAuth {
  if (method !== 'client_secret_basic') return oauth.ClientSecretPost(client_secret)
  const encode = (value: string) => new URLSearchParams([['', value]]).toString().slice(1)
  return (_server, { client_id }, _body, headers) =>
    headers.set('authorization', http.basic(encode(client_id), encode(client_secret)))
}
