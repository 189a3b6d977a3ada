import { LatchkeyError } from '@latchkey/core'
import { type ApiOptions, fetchAs } from './credentials-fetch.ts'
import { HeldTokens } from './held-tokens.ts'
import { OAuthClient, type OAuthClientOptions, orMisuse } from './oauth-client.ts'

/** Options of {@link ServiceCredentials}. */
export interface ServiceCredentialsOptions extends OAuthClientOptions, ApiOptions {
  /**
   * Returns a JWT of the platform that this service runs on, such as a Kubernetes token or a SPIFFE JWT-SVID. It is exchanged
   * for an access token (workload identity federation), so this service needs no secret of its own. Called once per token. Its
   * audience must be the issuer.
   *
   * @default none: the client credentials grant
   * @see RFC 7523 §2.1
   */
  workloadJwt?: () => Promise<string>
  scopes?: readonly string[]
}

/** Which token of this service. Each set of scopes and each resource has its own token. */
export interface ServiceTokenRequest {
  scopes?: readonly string[]
  resource?: string
  /** The last token, if the API refused it. */
  refused?: string | undefined
}

/**
 * Tokens of a service account, by the client credentials grant: for calls that the agent makes as itself. They are kept in
 * memory, requested once for all concurrent callers, and renewed before they expire.
 *
 * ```ts
 * const credentials = new ServiceCredentials({ clientId, clientSecret, issuer: 'https://id.example', scopes: ['metrics.read'] })
 * const token = await credentials.getToken()
 * ```
 *
 * @see RFC 6749 §4.4 · MCP extensions `io.modelcontextprotocol/oauth-client-credentials`, `io.modelcontextprotocol/auth/wif`
 */
export class ServiceCredentials {
  readonly clientId: string
  /** The API that the tokens are for, unless a request names another. */
  readonly resource: string | undefined
  readonly #options: ServiceCredentialsOptions
  readonly #client: OAuthClient
  readonly #tokens = new HeldTokens()

  /** @throws LatchkeyError `misuse` if the options contradict each other. */
  constructor(options: ServiceCredentialsOptions) {
    const { clientId, workloadJwt, resource, fetch } = options
    this.#client = new OAuthClient(options, {
      of: 'ServiceCredentials',
      server: { id: clientId, name: 'The authorization server' },
      isPublic: workloadJwt ? 'allowed' : 'never',
      fetch,
      refused: (code, about) => {
        const message = `The authorization server refused the service account (${code}).`
        return new LatchkeyError(code, message, { next: 'configure', ...about })
      },
    })
    this.clientId = clientId
    this.resource = resource
    this.#options = options
  }

  /**
   * A token that has not expired.
   *
   * @throws LatchkeyError with the server's code (`invalid_client`, `invalid_scope`, …), or `network`.
   */
  async getToken(request: ServiceTokenRequest = {}): Promise<string> {
    const { scopes = this.#options.scopes ?? [], resource = this.#options.resource, refused } = request
    const key = [[...new Set(scopes)].sort(), resource]
    return this.#tokens.get({ key, refused, request: () => this.#request(scopes, resource) })
  }

  /**
   * Calls an API as this service. After a 401 it retries once with a new token. Redirects are not followed.
   *
   * @throws LatchkeyError `access_denied` for an origin that is not allowed, `invalid_token` if the API refuses the new
   * token too, `network` if it cannot be reached.
   */
  async fetch(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const getToken = (request: ServiceTokenRequest) => this.getToken(request)
    return fetchAs({ clientId: this.clientId, name: 'service account', getToken }, this.#options, url, init)
  }

  /** The client id, without secrets. */
  toJSON() {
    const { clientId, issuer, tokenEndpoint, scopes, resource } = this.#options
    return { clientId, issuer, tokenEndpoint, scopes, resource }
  }

  async #request(scopes: readonly string[], resource: string | undefined) {
    const { workloadJwt } = this.#options
    const parameters = new URLSearchParams()
    if (scopes.length > 0) parameters.set('scope', scopes.join(' '))
    if (resource) parameters.set('resource', resource)
    if (!workloadJwt) return this.#client.ask('client_credentials', parameters)
    parameters.set('assertion', await orMisuse(workloadJwt(), 'ServiceCredentials: workloadJwt failed.'))
    return this.#client.ask('urn:ietf:params:oauth:grant-type:jwt-bearer', parameters)
  }
}
