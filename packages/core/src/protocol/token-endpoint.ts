import * as oauth from 'oauth4webapi'
import { asLatchkeyError, LatchkeyError } from '../errors.ts'
import {
  type ApiKeyProvider,
  isAllowedUrl,
  type KeyFields,
  type KeyScheme,
  keyScheme,
  type OAuthProvider,
  OIDC_PROFILE_FIELDS,
  type ProfileField,
  type ProfileSource,
  type Provider,
} from '../provider.ts'
import { type ResolvedServer, resolveServer } from './discovery.ts'
import { codeFromServer } from './error-codes.ts'

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

/** Who an account belongs to. */
export interface Profile {
  subject?: string
  username?: string
  name?: string
  email?: string
  avatar?: string
  url?: string
}

/** A token, and whose account it opens. */
export interface TokenAnswer {
  token: Token
  /** Absent when the provider names none or it could not be read: the account then has no name yet. */
  profile?: Profile
}

/** The redemption of a code. */
export interface CodeGrant {
  /** What {@link oauth.validateAuthResponse} returned: only a validated response is accepted. */
  response: URLSearchParams
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

/** Whether a token or key still works: the profile it reads, or that the provider offers no check. */
export type Verification = { status: 'verified'; profile: Profile } | { status: 'unchecked' }

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
export interface DirectOptions {
  client_id: string
  /** Only a broker has one. */
  client_secret?: string
  fetch?: typeof globalThis.fetch
  signal?: AbortSignal
}

/** Answers larger than this are not token answers. */
const MAX_ANSWER = 256 * 1024

async function bodyOf(response: Response, provider?: Provider): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
    if (text.length > MAX_ANSWER) {
      await reader.cancel()
      throw new LatchkeyError('malformed_response', 'The answer was too large to be a token answer.', {
        provider: provider?.id,
      })
    }
  }
}

function members(text: string, type: string): Record<string, unknown> | undefined {
  try {
    if (type.includes('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(text))
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/**
 * A fetch that turns what servers really answer at the token endpoint into what RFC 6749 §5 says they answer: errors
 * under status 200 become 400, form bodies become JSON, a number in quotes a number, commas between scopes spaces.
 */
function lenientFetch(
  provider: OAuthProvider,
  { fetch = globalThis.fetch, signal }: DirectOptions,
): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, signal: signal ?? init?.signal, redirect: 'manual' })
    // Whatever it says with such a status: it is the server that fails, not the grant.
    if (response.status === 429 || response.status >= 500) {
      await response.body?.cancel()
      throw unavailable(provider, retryAfter(response))
    }
    const text = await bodyOf(response, provider)
    const answer = members(text, response.headers.get('content-type') ?? '')
    if (!answer) {
      if (response.ok && text === '') return new Response(null, { status: response.status })
      throw malformed(provider)
    }
    if (answer.error === undefined && answer.ok === false) answer.error = 'invalid_request'
    if (typeof answer.error === 'string') {
      answer.error = provider.errorAliases?.[answer.error] ?? answer.error
      if (repeats(answer.error_description, init?.body)) delete answer.error_description
      return Response.json(answer, { status: response.status < 400 ? 400 : response.status })
    }
    if (answer.refresh_token === null || answer.refresh_token === '') delete answer.refresh_token
    if (answer.expires_in === null) delete answer.expires_in
    if (typeof answer.expires_in === 'string' && /^\d+$/.test(answer.expires_in))
      answer.expires_in = Number(answer.expires_in)
    if (typeof answer.scope === 'string') answer.scope = answer.scope.replaceAll(',', ' ')
    answer.token_type ??= 'bearer'
    return Response.json(answer, { status: response.status })
  }
}

/** Whether a server's words repeat a secret of the request, which would then stand in an error. */
function repeats(words: unknown, body: unknown): boolean {
  return (
    body instanceof URLSearchParams &&
    [...body].some(([name, value]) => /code|token|secret/.test(name) && value.length > 7 && `${words}`.includes(value))
  )
}

const unavailable = (provider: Provider, retryAfter?: number) =>
  new LatchkeyError('temporarily_unavailable', `${provider.name} is not available right now.`, {
    provider: provider.id,
    retryAfter,
    next: retryAfter === undefined ? 'retry' : 'wait',
  })

/** Seconds, from a number of them or a date; at most an hour. @see RFC 9110 §10.2.3 */
export function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000)
  return Number.isFinite(seconds) ? Math.min(3600, Math.max(0, seconds)) : undefined
}

const malformed = (provider: Provider, cause?: unknown) =>
  new LatchkeyError('malformed_response', `${provider.name} gave an answer that could not be understood.`, {
    provider: provider.id,
    cause,
  })

/** What went wrong at an endpoint of this provider, as our error; a server's own words stay in `detail`. */
function failure(provider: Provider, error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError) return error
  if (error instanceof oauth.ResponseBodyError) {
    const code = codeFromServer(error.error, 'invalid_request')
    return new LatchkeyError(code, `${provider.name} refused: ${code}.`, {
      provider: provider.id,
      detail: error.error_description,
      next: code === 'invalid_grant' ? 'connect' : code === 'invalid_client' ? 'configure' : 'retry',
      cause: error,
    })
  }
  if (
    error instanceof SyntaxError ||
    error instanceof oauth.OperationProcessingError ||
    error instanceof oauth.WWWAuthenticateChallengeError
  ) {
    return malformed(provider, error)
  }
  return asLatchkeyError(error, 'network', `${provider.name} could not be reached.`, { provider: provider.id })
}

/** The authorization server itself: for public clients in a browser, and for the broker, which adds the secret. */
export function authorizationServer(provider: OAuthProvider, options: DirectOptions): TokenEndpoint {
  const { client_id, client_secret, fetch = globalThis.fetch, signal } = options
  const client: oauth.Client = { client_id }
  const authentication = !client_secret
    ? oauth.None()
    : provider.client.token_endpoint_auth_method === 'client_secret_basic'
      ? basicAuthentication(client_secret)
      : oauth.ClientSecretPost(client_secret)
  const request = {
    [oauth.customFetch]: lenientFetch(provider, options),
    // Only the origin of a provider's own baseUrl can be http: defineProvider and resolveServer see to that.
    [oauth.allowInsecureRequests]: true,
  }

  /** @see RFC 8707 §2.2 */
  const forResource = (resource = provider.resource) =>
    resource ? { ...request, additionalParameters: { resource } } : request

  async function answer(
    server: ResolvedServer,
    token: oauth.TokenEndpointResponse,
    claims?: oauth.IDToken,
  ): Promise<TokenAnswer> {
    const { access_token, token_type, expires_in, refresh_token, scope } = token
    const { resource } = provider
    return {
      token: {
        access_token,
        token_type,
        expires_in,
        refresh_token,
        scope,
        issuer: server.issuer,
        ...(resource && { resource }),
      },
      profile: profileSource(provider, server)
        ? await profileOf(provider, server, access_token, { fetch, signal })
        : claims && pickProfile(claims, OIDC_PROFILE_FIELDS),
    }
  }

  async function attempt<T>(run: (server: ResolvedServer) => Promise<T>): Promise<T> {
    try {
      return await run(await resolveServer(provider, fetch))
    } catch (error) {
      throw failure(provider, error)
    }
  }

  return {
    redeem: (grant) =>
      attempt(async (server) => {
        const { response, redirect_uri, code_verifier, nonce } = grant
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
        let claims: oauth.IDToken | undefined
        if (id_token && server.jwks_uri) {
          await oauth.validateApplicationLevelSignature(server, answered, {
            ...request,
            [oauth.customFetch]: (url: string, init: RequestInit) =>
              fetch(url, { ...init, signal, redirect: 'manual' }),
          })
          claims = oauth.getValidatedIdTokenClaims(token)
        }
        return answer(server, token, claims)
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
        if (provider.revocation) return revokeByApi(provider, options, token)
        if (!server.revocation_endpoint) return { status: 'unsupported' }
        const auth = provider.revocationAuth === 'none' ? () => {} : authentication
        const tokens: RevokedToken[] = []
        for (const [value, token_type_hint] of [
          [token.refresh_token, 'refresh_token'],
          [token.access_token, 'access_token'],
        ] as const) {
          if (!value) continue
          try {
            const answered = await oauth.revocationRequest(server, client, auth, value, {
              ...request,
              [oauth.customFetch]: (url: string, init: RequestInit) =>
                fetch(url, { ...init, signal, redirect: 'manual' }),
              additionalParameters: { token_type_hint },
            })
            // Unknown tokens are revoked tokens: Google says 400 where RFC 7009 §2.2 says 200.
            if (answered.status !== 400) await oauth.processRevocationResponse(answered)
            else if (members(await bodyOf(answered), '')?.error === 'unsupported_token_type') continue
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
  { client_id, client_secret, fetch = globalThis.fetch, signal }: DirectOptions,
  token: Token,
): Promise<Revocation> {
  const { endpoint, method, member } = provider.revocation as NonNullable<OAuthProvider['revocation']>
  if (!client_secret || !token.access_token) return { status: 'unsupported' }
  const response = await fetch(endpoint.replace('{client_id}', encodeURIComponent(client_id)), {
    method,
    headers: {
      authorization: basic(client_id, client_secret),
      accept: 'application/json',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ [member]: token.access_token }),
    redirect: 'manual',
    signal,
  })
  await response.body?.cancel()
  // 404: the token is dead already.
  if (response.ok || response.status === 404) return { status: 'revoked', tokens: ['access_token'] }
  throw response.status >= 500 || response.status === 429
    ? unavailable(provider, retryAfter(response))
    : malformed(provider)
}

/** Client id and secret are form-encoded first, which leaves "-" as it is. @see RFC 6749 §2.3.1 */
const basicAuthentication =
  (client_secret: string): oauth.ClientAuth =>
  (_server, { client_id }, _body, headers) => {
    const encode = (value: string) => new URLSearchParams([['', value]]).toString().slice(1)
    headers.set('authorization', basic(encode(client_id), encode(client_secret)))
  }

const basic = (username: string, password: string) => {
  const bytes = new TextEncoder().encode(`${username}:${password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}

/** The person behind an access token. A profile that cannot be read costs the account its name, not its life. */
async function profileOf(
  provider: OAuthProvider,
  server: ResolvedServer,
  access_token: string,
  options: Pick<DirectOptions, 'fetch' | 'signal'>,
): Promise<Profile | undefined> {
  const source = profileSource(provider, server)
  if (!source) return undefined
  return readProfile(source, `Bearer ${access_token}`, options).catch(() => undefined)
}

function profileSource(provider: OAuthProvider, server: oauth.AuthorizationServer): ProfileSource | undefined {
  if (provider.profile) return provider.profile
  const endpoint = server.userinfo_endpoint
  return endpoint && isAllowedUrl(provider, endpoint) ? { endpoint, fields: OIDC_PROFILE_FIELDS } : undefined
}

/** Reads the profile of a connected account at the provider itself. @throws LatchkeyError */
export async function fetchProfile(provider: OAuthProvider, access_token: string): Promise<Profile> {
  try {
    const source = provider.profile ?? profileSource(provider, await resolveServer(provider))
    if (!source) throw new LatchkeyError('misuse', `${provider.name} names no place to read a profile.`)
    return await readProfile(source, `Bearer ${access_token}`, {})
  } catch (error) {
    throw failure(provider, error)
  }
}

async function readProfile(
  source: ProfileSource,
  authorization: string,
  { fetch = globalThis.fetch, signal }: Pick<DirectOptions, 'fetch' | 'signal'>,
): Promise<Profile> {
  const get = async (url: string) => {
    const response = await fetch(url, {
      headers: { authorization, accept: 'application/json' },
      redirect: 'error',
      signal,
    })
    if (!response.ok) {
      throw new LatchkeyError(
        response.status === 401 ? 'invalid_token' : 'temporarily_unavailable',
        `The profile could not be read (status ${response.status}).`,
      )
    }
    return JSON.parse(await bodyOf(response)) as unknown
  }
  const profile = pickProfile(await get(source.endpoint), source.fields)
  if (profile.email === undefined && source.emailsEndpoint) {
    const emails = await get(source.emailsEndpoint).catch(() => undefined)
    const primary = Array.isArray(emails) ? emails.find((entry) => entry?.primary && entry?.verified) : undefined
    if (typeof primary?.email === 'string') profile.email = primary.email
  }
  return profile
}

function pickProfile(answer: unknown, fields: ProfileSource['fields']): Profile {
  const profile: Profile = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = pick(answer, field)
    if (value === undefined) continue
    if ((name === 'avatar' || name === 'url') && !/^https?:\/\//i.test(value)) continue
    profile[name as keyof Profile] = value.slice(0, name === 'avatar' || name === 'url' ? 2048 : 200)
  }
  return profile
}

function pick(answer: unknown, field: ProfileField): string | undefined {
  for (const path of typeof field === 'string' ? [field] : field) {
    let value = answer
    for (const step of path.split('.')) {
      value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined
    }
    if (typeof value === 'number') return String(value)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

/** The header that carries an API key. */
export function keyAuthorization(scheme: KeyScheme, fields: KeyFields): { name: string; value: string } {
  const { authorization } = scheme
  if ('header' in authorization) return { name: authorization.header, value: fields[authorization.value] ?? '' }
  if (authorization.scheme === 'Bearer')
    return { name: 'authorization', value: `Bearer ${fields[authorization.token] ?? ''}` }
  return {
    name: 'authorization',
    value: basic(fields[authorization.username] ?? '', fields[authorization.password] ?? ''),
  }
}

/**
 * Asks the provider whether a key is good. Only a definite no is an error; a provider that is away, limits or forbids
 * says nothing about the key, so that is `unchecked`.
 *
 * @throws LatchkeyError `invalid_token` when the provider refuses the key.
 * @see RFC 6750 §3.1
 */
export async function verifyKey(
  provider: ApiKeyProvider,
  fields: KeyFields,
  { fetch = globalThis.fetch, signal }: Pick<DirectOptions, 'fetch' | 'signal'> = {},
): Promise<Verification> {
  const scheme = keyScheme(provider, fields)
  if (!scheme) throw refusedKey(provider)
  const source = scheme.verify
  if (!source) return { status: 'unchecked' }
  const header = keyAuthorization(scheme, fields)
  const body =
    source.body &&
    JSON.stringify(
      Object.fromEntries(
        Object.entries(source.body).map(([name, value]) => [
          name,
          value.replace(/\{(\w+)\}/g, (_, field: string) => fields[field] ?? ''),
        ]),
      ),
    )
  let response: Response
  try {
    response = await fetch(source.endpoint, {
      method: source.method ?? 'GET',
      headers: {
        [header.name]: header.value,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body,
      redirect: 'manual',
      signal,
    })
  } catch {
    return { status: 'unchecked' }
  }
  if (response.status === 401 || source.refused?.includes(response.status)) {
    await response.body?.cancel()
    throw refusedKey(provider)
  }
  const answer = await bodyOf(response).then(
    (text) => members(text, ''),
    () => undefined,
  )
  if (!response.ok || !answer) return { status: 'unchecked' }
  if (source.active && answer[source.active] === false) throw refusedKey(provider)
  return { status: 'verified', profile: pickProfile(answer, source.fields) }
}

const refusedKey = (provider: Provider) =>
  new LatchkeyError('invalid_token', `${provider.name} does not accept this key.`, {
    provider: provider.id,
    next: 'edit-key',
  })

/** The header every call to a broker carries: a page of another origin cannot send it without a preflight. */
export const BROKER_HEADER = 'latchkey-request'

/** One call to a broker's JSON API. @throws LatchkeyError with the broker's code, or `network`. */
export async function callBroker<T>(broker: string, route: string, body: object): Promise<T> {
  let response: Response
  try {
    response = await fetch(`${broker}/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', [BROKER_HEADER]: '1' },
      body: JSON.stringify(body),
      redirect: 'error',
    })
  } catch (error) {
    throw new LatchkeyError('network', 'The app could not be reached. Check the connection and try again.', {
      cause: error,
    })
  }
  const answer = members(await bodyOf(response), '')
  if (response.ok && answer) return answer as T
  const unknown = response.status >= 500 || response.status === 429 ? 'temporarily_unavailable' : 'malformed_response'
  const wait = retryAfter(response)
  if (!answer) {
    throw new LatchkeyError(unknown, `The app's broker answered with status ${response.status}.`, { retryAfter: wait })
  }
  const code = codeFromServer(answer.error, answer.error === 'not_configured' ? 'not_configured' : unknown)
  throw new LatchkeyError(
    code,
    typeof answer.message === 'string' ? answer.message.slice(0, 300) : `The app's broker refused: ${code}.`,
    { retryAfter: wait, next: code === 'invalid_token' ? 'edit-key' : wait === undefined ? undefined : 'wait' },
  )
}

/** A broker as the token endpoint of one provider: the same steps, with the client secret added on the way. */
export function brokered(broker: string, provider: OAuthProvider): TokenEndpoint {
  const checked = (answer: TokenAnswer): TokenAnswer => {
    if (typeof answer.token?.access_token !== 'string' || !answer.token.access_token) throw malformed(provider)
    return answer
  }
  return {
    redeem: async ({ response, redirect_uri, code_verifier, nonce }) =>
      checked(
        await callBroker(broker, 'token', {
          provider: provider.id,
          grant_type: 'authorization_code',
          code: response.get('code'),
          code_verifier,
          redirect_uri,
          nonce,
        }),
      ),
    refresh: async ({ refresh_token }) =>
      checked(await callBroker(broker, 'token', { provider: provider.id, grant_type: 'refresh_token', refresh_token })),
    revoke: ({ access_token, refresh_token }) =>
      callBroker(broker, 'revoke', { provider: provider.id, access_token, refresh_token }),
  }
}
