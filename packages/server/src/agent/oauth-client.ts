import { LatchkeyError } from '@latchkey/core'
import * as core from '@latchkey/core/server'
import { secretAuthentication } from '@latchkey/core/token'
import { importJWK, importPKCS8, type JWK } from 'jose'
import * as oauth from 'oauth4webapi'

/** A registration at an authorization server, and how the client proves that it is its own. */
export interface OAuthClientOptions {
  /** @see RFC 6749 §2.2 */
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
}

/** How one client of ours asks for tokens. */
export interface AskingOptions {
  /** What the options are given to, as a mistake in them is reported. */
  of: string
  /** The server, as errors call it. */
  server: { id: string; name: string }
  /** Whether the client must authenticate. */
  isPublic: 'never' | 'allowed'
  fetch: typeof globalThis.fetch | undefined
  /** The error for what the server refuses, by its code. */
  refused: (code: LatchkeyError['code'], about: Pick<LatchkeyError, 'detail'> & { cause: unknown }) => LatchkeyError
}

const LOCAL = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

export const misuse = (message: string) => new LatchkeyError('misuse', message)

/** @throws LatchkeyError `misuse` for an address that is neither https nor of this machine. */
export function assertSafe(value: string): void {
  if (!core.safeUrl(value, ({ hostname }) => LOCAL.test(hostname)))
    throw misuse(`${JSON.stringify(value)} is not an https address.`)
}

/** One client at one authorization server. It keeps no token. */
export class OAuthClient {
  readonly #options: OAuthClientOptions
  readonly #asking: AskingOptions
  readonly #key = core.once(() => importKey(this.#options))
  /** Its metadata, with the issuer as the server writes it. @throws LatchkeyError if it describes itself as another */
  readonly server = core.once(() => this.#findServer().catch((error) => this.#fail(error)))

  /** @throws LatchkeyError `misuse` if the options contradict each other. */
  constructor(options: OAuthClientOptions, asking: AskingOptions) {
    const { clientId, clientSecret, privateKey, clientAssertion, tokenEndpoint, issuer } = options
    const { of, isPublic } = asking
    if (!clientId) throw misuse(`${of} needs a clientId.`)
    const proofs = [clientSecret, privateKey, clientAssertion].filter(Boolean).length
    if (proofs > 1 || (proofs === 0 && isPublic === 'never')) {
      const number = isPublic === 'never' ? 'exactly one' : 'at most one'
      throw misuse(`${of} needs ${number} of clientSecret, privateKey and clientAssertion.`)
    }
    if (!tokenEndpoint && !issuer) throw misuse(`${of} needs a tokenEndpoint or an issuer.`)
    if (privateKey && !issuer) throw misuse('private_key_jwt needs the issuer, which is the audience of the assertion.')
    for (const url of [tokenEndpoint, issuer]) if (url) assertSafe(url)
    this.#options = options
    this.#asking = asking
  }

  /**
   * One token request.
   *
   * @throws LatchkeyError as `refused` makes it, or `network`, `temporarily_unavailable`, `malformed_response`.
   */
  async ask(grantType: string, parameters: URLSearchParams): Promise<oauth.TokenEndpointResponse> {
    const client = { client_id: this.#options.clientId }
    const server = await this.server()
    try {
      const proof = await this.#authentication(server)
      const sent = [server, client, proof, grantType, parameters, this.#transport] as const
      const response = await oauth.genericTokenEndpointRequest(...sent)
      return await oauth.processGenericTokenEndpointResponse(server, client, response)
    } catch (error) {
      return this.#fail(error)
    }
  }

  /** All URLs have been checked: http is allowed for this machine only. Answers have limits of size and time. */
  get #transport() {
    const fetch = core.lenientFetch(this.#asking.server, core.limited(this.#asking))
    return { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch }
  }

  async #findServer(): Promise<oauth.AuthorizationServer> {
    const { issuer = '', tokenEndpoint } = this.#options
    const { fetch, server: named } = this.#asking
    // Without an issuer, the token endpoint identifies the server.
    if (tokenEndpoint) return { issuer: issuer || new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint }
    const ask = (url: string) => core.askDocument(named, url, 'manual', fetch)
    const server = core.metadataOf(named, issuer, await core.firstOf(core.metadataUrls(issuer), ask))
    if (!server.token_endpoint) throw core.malformed(named, undefined, 'names no token endpoint.')
    assertSafe(server.token_endpoint)
    return server
  }

  async #authentication(server: oauth.AuthorizationServer): Promise<oauth.ClientAuth> {
    const { clientSecret, privateKey, clientAssertion } = this.#options
    const { of } = this.#asking
    if (clientAssertion) {
      const assertion = await orMisuse(clientAssertion(), `${of}: clientAssertion failed.`)
      return (_server, client, body) => {
        body.set('client_id', client.client_id)
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
        body.set('client_assertion', assertion)
      }
    }
    if (privateKey) return oauth.PrivateKeyJwt(await orMisuse(this.#key(), `${of}: privateKey could not be read.`))
    if (!clientSecret) return oauth.None()
    const { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] } = server
    const usual = methods.includes('client_secret_basic') ? 'client_secret_basic' : 'client_secret_post'
    const { authMethod = usual } = this.#options
    return secretAuthentication(clientSecret, authMethod)
  }

  /** What went wrong at the server; its own words stay in `detail`. */
  #fail(cause: unknown): never {
    const { server, refused } = this.#asking
    if (!(cause instanceof oauth.ResponseBodyError)) throw core.failure(server, cause)
    throw refused(core.codeFromServer(cause.error, 'server_error'), { cause, detail: cause.error_description })
  }
}

async function importKey({ privateKey, alg = 'ES256' }: OAuthClientOptions): Promise<oauth.PrivateKey> {
  if (typeof privateKey === 'string') return { key: await importPKCS8(privateKey, alg) }
  if (!privateKey || privateKey instanceof CryptoKey) return { key: privateKey as CryptoKey }
  const key = await importJWK(privateKey, privateKey.alg ?? alg)
  if (key instanceof CryptoKey) return { key, kid: privateKey.kid }
  throw misuse('private_key_jwt needs a private key, not a shared secret.')
}

/** What the app's own part throws: no server has anything to do with it. */
export const orMisuse = <T>(made: Promise<T>, message: string) =>
  made.catch((cause) => {
    throw core.asLatchkeyError(cause, 'misuse', message)
  })
