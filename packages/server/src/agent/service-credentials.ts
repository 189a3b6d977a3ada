import { LatchkeyError } from '@latchkey/core'
import * as core from '@latchkey/core/server'
import { secretAuthentication } from '@latchkey/core/token'
import { importJWK, importPKCS8, type JWK } from 'jose'
import * as oauth from 'oauth4webapi'
import { bearer, SERVICE_POLICY, sendAs, sendRenewing } from '../outbound/api-request.ts'

/** Options of {@link ServiceCredentials}. */
export interface ServiceCredentialsOptions {
  /** The service's own registration. @see RFC 6749 §2.2 */
  clientId: string
  clientSecret?: string
  /** For `private_key_jwt`: a JWK, a PKCS #8 PEM or a WebCrypto key. @see RFC 7523 §2.2 */
  privateKey?: JWK | string | CryptoKey
  /**
   * JWS algorithm of a PEM key.
   *
   * @default 'ES256'
   */
  alg?: string
  /** Returns an assertion, such as a SPIFFE JWT-SVID. Called once per token. @see RFC 7523 §2.2 */
  clientAssertion?: () => Promise<string>
  /**
   * How the secret is sent.
   *
   * @default the method in the issuer's metadata, else 'client_secret_basic'
   */
  authMethod?: 'client_secret_basic' | 'client_secret_post'
  /** If absent, found by discovery at the issuer. @see RFC 8414 */
  tokenEndpoint?: string
  /** Required for discovery, and for `private_key_jwt` as the audience. */
  issuer?: string
  scopes?: readonly string[]
  /** The API that the tokens are for. @see RFC 8707 §2 */
  resource?: string
  /**
   * Origins that {@link ServiceCredentials.fetch} may send a token to.
   *
   * @default the origin of `resource`
   */
  origins?: readonly string[]
  /** @default globalThis.fetch */
  fetch?: typeof globalThis.fetch
  /**
   * Maximum milliseconds for one answer to {@link ServiceCredentials.fetch}, with its body.
   *
   * @default 30_000
   */
  timeout?: number
}

/** Which token of this service. Each set of scopes and each resource has its own token. */
export interface ServiceTokenRequest {
  scopes?: readonly string[]
  resource?: string
}

interface Held {
  access_token: string
  /** When to renew it, and when it expires. */
  renewAt: number
  expiresAt: number
}

/** How long before its expiry a token is renewed; a short-lived token is renewed after half of its life. */
const AHEAD = 60_000
/** The assumed lifetime of a token without `expires_in`. */
const DEFAULT_LIFE = 300_000
const LOCAL = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

/**
 * Tokens of a service account, by the client credentials grant: for calls that the agent makes as itself. They are kept in
 * memory, requested once for all concurrent callers, and renewed before they expire.
 *
 * ```ts
 * const credentials = new ServiceCredentials({ clientId, clientSecret, issuer: 'https://id.example', scopes: ['metrics.read'] })
 * const token = await credentials.getToken()
 * ```
 *
 * @see RFC 6749 §4.4
 */
export class ServiceCredentials {
  readonly clientId: string
  readonly #options: ServiceCredentialsOptions
  readonly #tokens = new Map<string, Held>()
  readonly #pending = new Map<string, Promise<Held>>()
  readonly #server = core.once(() => this.#findServer())
  readonly #key = core.once(() => importKey(this.#options))

  /** @throws LatchkeyError `misuse` if the options contradict each other. */
  constructor(options: ServiceCredentialsOptions) {
    const { clientId, clientSecret, privateKey, clientAssertion, tokenEndpoint, issuer } = options
    if (!clientId) throw misuse('ServiceCredentials needs a clientId.')
    if ([clientSecret, privateKey, clientAssertion].filter(Boolean).length !== 1) {
      throw misuse('ServiceCredentials needs exactly one of clientSecret, privateKey and clientAssertion.')
    }
    if (!tokenEndpoint && !issuer) throw misuse('ServiceCredentials needs a tokenEndpoint or an issuer.')
    if (privateKey && !issuer) throw misuse('private_key_jwt needs the issuer, which is the audience of the assertion.')
    for (const url of [tokenEndpoint, issuer]) if (url) assertSafe(url)
    this.clientId = clientId
    this.#options = options
  }

  /**
   * A token that has not expired.
   *
   * @throws LatchkeyError with the server's code (`invalid_client`, `invalid_scope`, …), or `network`.
   */
  async getToken(request: ServiceTokenRequest = {}): Promise<string> {
    const { scopes = this.#options.scopes ?? [], resource = this.#options.resource } = request
    const key = JSON.stringify([[...new Set(scopes)].sort(), resource])
    const held = this.#tokens.get(key)
    if (held && Date.now() < held.renewAt) return held.access_token
    try {
      return (await this.#renew(key, scopes, resource)).access_token
    } catch (error) {
      // The renewal was early: the old token is still valid.
      if (held && this.#tokens.get(key) === held && Date.now() < held.expiresAt) return held.access_token
      throw error
    }
  }

  /**
   * Calls an API as this service. After a 401 it retries once with a new token. Redirects are not followed.
   *
   * @throws LatchkeyError `access_denied` for an origin that is not allowed, `invalid_token` if the API refuses the new
   * token too, `network` if it cannot be reached.
   */
  async fetch(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const { resource, origins = resource ? [new URL(resource).origin] : [] } = this.#options
    const { origin, username, password } = new URL(url)
    if (!origins.includes(origin) || username || password) {
      const hint = origins.length === 0 ? ' Name the origins of its API when you make the ServiceCredentials.' : ''
      throw new LatchkeyError('access_denied', `This service account is not for ${origin}.${hint}`, {
        next: 'configure',
      })
    }
    assertSafe(origin)
    // A stream can be read only once, but the request may be sent twice.
    const body = init.body instanceof ReadableStream ? await new Response(init.body).arrayBuffer() : init.body
    const { fetch, timeout: limit = 30_000 } = this.#options
    const request = { ...init, url, body, fetch: core.limited({ fetch, limit }) }
    let token = ''
    const response = await sendRenewing(
      async (renew) => {
        // Of several concurrent refusals, only the first requests a new token.
        if (renew) for (const [key, held] of this.#tokens) if (held.access_token === token) this.#tokens.delete(key)
        token = await this.getToken()
        return bearer({ id: this.clientId, name: `The API at ${origin}` }, token)
      },
      (secret) => sendAs(secret, request, SERVICE_POLICY),
    )
    if (response) return response
    throw new LatchkeyError('invalid_token', `The API at ${origin} does not accept this service account.`, {
      next: 'configure',
    })
  }

  /** The client id, without secrets. */
  toJSON() {
    const { clientId, issuer, tokenEndpoint, scopes, resource } = this.#options
    return { clientId, issuer, tokenEndpoint, scopes, resource }
  }

  /** One request at a time for each token. Concurrent callers share it. */
  #renew(key: string, scopes: readonly string[], resource: string | undefined): Promise<Held> {
    const running = this.#pending.get(key)
    if (running) return running
    const renewal = this.#request(key, scopes, resource).finally(() => this.#pending.delete(key))
    this.#pending.set(key, renewal)
    return renewal
  }

  async #request(key: string, scopes: readonly string[], resource: string | undefined): Promise<Held> {
    const client = { client_id: this.clientId }
    const parameters = new URLSearchParams()
    if (scopes.length > 0) parameters.set('scope', scopes.join(' '))
    if (resource) parameters.set('resource', resource)
    try {
      const server = await this.#server()
      const authentication = await this.#authentication(server)
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        client,
        authentication,
        parameters,
        this.#transport,
      )
      const { access_token, expires_in } = await oauth.processClientCredentialsResponse(server, client, response)
      const now = Date.now()
      const life = expires_in === undefined ? DEFAULT_LIFE : expires_in * 1000
      const held = { access_token, renewAt: now + Math.max(life - AHEAD, life / 2), expiresAt: now + life }
      this.#tokens.set(key, held)
      return held
    } catch (error) {
      throw asError(this.#named, error)
    }
  }

  /** All URLs have been checked: http is allowed for this machine only. Answers have limits of size and time. */
  get #transport() {
    const fetch = core.lenientFetch(this.#named, core.limited(this.#options))
    return { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch }
  }

  get #named() {
    return { id: this.clientId, name: 'The authorization server' }
  }

  async #findServer(): Promise<oauth.AuthorizationServer> {
    const { issuer = '', tokenEndpoint } = this.#options
    // Without an issuer, the token endpoint identifies the server.
    if (tokenEndpoint) return { issuer: issuer || new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint }
    const { fetch } = this.#options
    const ask = (url: string) => core.askDocument(this.#named, url, 'manual', fetch)
    const server = core.metadataOf(this.#named, issuer, await core.firstOf(core.metadataUrls(issuer), ask))
    if (!server.token_endpoint) throw core.malformed(this.#named, undefined, 'names no token endpoint.')
    assertSafe(server.token_endpoint)
    return server
  }

  async #authentication(server: oauth.AuthorizationServer): Promise<oauth.ClientAuth> {
    const { clientSecret = '', privateKey, clientAssertion } = this.#options
    if (clientAssertion) {
      const assertion = await orMisuse(clientAssertion(), 'clientAssertion failed')
      return (_server, client, body) => {
        body.set('client_id', client.client_id)
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
        body.set('client_assertion', assertion)
      }
    }
    if (privateKey) return oauth.PrivateKeyJwt(await orMisuse(this.#key(), 'privateKey could not be read'))
    const { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] } = server
    const usual = methods.includes('client_secret_basic') ? 'client_secret_basic' : 'client_secret_post'
    const { authMethod = usual } = this.#options
    return secretAuthentication(clientSecret, authMethod)
  }
}

const misuse = (message: string) => new LatchkeyError('misuse', message)

function assertSafe(value: string): void {
  if (!core.safeUrl(value, ({ hostname }) => LOCAL.test(hostname)))
    throw misuse(`${JSON.stringify(value)} is not an https address.`)
}

async function importKey({ privateKey, alg = 'ES256' }: ServiceCredentialsOptions): Promise<oauth.PrivateKey> {
  if (typeof privateKey === 'string') return { key: await importPKCS8(privateKey, alg) }
  if (!privateKey || privateKey instanceof CryptoKey) return { key: privateKey as CryptoKey }
  const key = await importJWK(privateKey, privateKey.alg ?? alg)
  if (key instanceof CryptoKey) return { key, kid: privateKey.kid }
  throw misuse('private_key_jwt needs a private key, not a shared secret.')
}

/** What went wrong at the authorization server; its own words stay in `detail`. */
function asError(server: { id: string; name: string }, cause: unknown): LatchkeyError {
  if (!(cause instanceof oauth.ResponseBodyError)) return core.failure(server, cause)
  const code = core.codeFromServer(cause.error, 'server_error')
  const about = { next: 'configure', cause, detail: cause.error_description } as const
  return new LatchkeyError(code, `${server.name} refused the service account (${code}).`, about)
}

/** What the app's own part throws: no server has anything to do with it. */
const orMisuse = <T>(made: Promise<T>, what: string) =>
  made.catch((cause) => {
    throw core.asLatchkeyError(cause, 'misuse', `ServiceCredentials: ${what}.`)
  })
