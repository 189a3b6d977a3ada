import { LatchkeyError } from '@latchkey/core'
import { decodeJwt, type JWTPayload } from 'jose'
import { AgentContext } from './context.ts'
import { type ApiOptions, fetchAs } from './credentials-fetch.ts'
import { HeldTokens } from './held-tokens.ts'
import { misuse, OAuthClient, type OAuthClientOptions, orMisuse } from './oauth-client.ts'

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'

/** Options of {@link EnterpriseCredentials}: this app's registration at the authorization server of the API. */
export interface EnterpriseCredentialsOptions extends OAuthClientOptions, ApiOptions {
  /** The authorization server of the API. An authorization of the company is for this one only. */
  issuer: string
  /** The API that the tokens are for, such as the URL of an MCP server. @see RFC 8707 §2 · RFC 9728 §1.2 */
  resource: string
  scopes?: readonly string[]
  /** This app's registration at the identity provider of the company, where its people sign in. */
  identityProvider: OAuthClientOptions
  /**
   * Returns the ID token that a person got from the identity provider when they signed in to this app. Called once per
   * access token. Undefined if they are not signed in.
   */
  idToken: (userId: string) => Promise<string | undefined>
}

/** Which token of a person. */
export interface EnterpriseTokenRequest {
  /** The app's own id of the person. @default the person of the current AgentContext */
  userId?: string | undefined
  scopes?: readonly string[]
  /** The last token, if the API refused it. */
  refused?: string | undefined
}

/**
 * Tokens of the people of one company for one API, by the authority of the company (enterprise-managed authorization): nobody
 * connects an account. The person's ID token is exchanged at the company's identity provider for an authorization (ID-JAG),
 * and that at the API's authorization server for an access token. Tokens are kept in memory, each for its person only. They
 * are requested once for all concurrent callers, and renewed before they expire.
 *
 * ```ts
 * const notes = new EnterpriseCredentials({
 *   ...{ clientId, clientSecret, issuer: 'https://id.notes.example', resource: 'https://notes.example/mcp' },
 *   identityProvider: { clientId: appId, clientSecret: appSecret, issuer: 'https://login.company.example' },
 *   idToken: async (userId) => (await sessions.find(userId))?.idToken,
 * })
 * ```
 *
 * @see RFC 8693 §2 · RFC 7523 §2.1 · draft-ietf-oauth-identity-assertion-authz-grant · MCP extension
 *   `io.modelcontextprotocol/enterprise-managed-authorization`
 */
export class EnterpriseCredentials {
  readonly clientId: string
  /** The API that the tokens are for. */
  readonly resource: string
  readonly #options: EnterpriseCredentialsOptions
  readonly #identityProvider: OAuthClient
  readonly #authorizationServer: OAuthClient
  readonly #tokens = new HeldTokens()

  /** @throws LatchkeyError `misuse` if the options contradict each other. */
  constructor(options: EnterpriseCredentialsOptions) {
    const { clientId, issuer, resource, identityProvider, fetch } = options
    if (!issuer || !URL.canParse(resource)) {
      throw misuse('EnterpriseCredentials needs the issuer and the resource that the tokens are for.')
    }
    const { host } = new URL(resource)
    this.#identityProvider = new OAuthClient(identityProvider, {
      of: 'identityProvider of EnterpriseCredentials',
      server: { id: identityProvider.clientId, name: "The company's identity provider" },
      isPublic: 'allowed',
      fetch,
      refused: (code, about) => refusedByCompany(code, host, about),
    })
    this.#authorizationServer = new OAuthClient(options, {
      of: 'EnterpriseCredentials',
      server: { id: clientId, name: `The authorization server of ${host}` },
      isPublic: 'allowed',
      fetch,
      refused: (code, about) => {
        const hint = "It must trust the company's identity provider, and know this app."
        const message = `The authorization server of ${host} refused what the company authorized (${code}). ${hint}`
        return new LatchkeyError(code, message, { next: 'configure', ...about })
      },
    })
    this.clientId = clientId
    this.resource = resource
    this.#options = options
  }

  /**
   * A token of this person that has not expired.
   *
   * @throws LatchkeyError `login_required` if the person must sign in to the company again, `access_denied` if the company
   *   does not allow it, another code of one of the two servers, or `network`.
   */
  async getToken(request: EnterpriseTokenRequest = {}): Promise<string> {
    const { userId = AgentContext.current().userId, scopes = this.#options.scopes ?? [], refused } = request
    if (!userId) throw misuse('Whose token? Name a userId, or ask within a run of an agent.')
    const key = [userId, [...new Set(scopes)].sort()]
    return this.#tokens.get({ key, refused, request: () => this.#request(userId, scopes) })
  }

  /**
   * Calls the API as a person. After a 401 it retries once with a new token. Redirects are not followed.
   *
   * @param init.userId the app's own id of the person. @default the person of the current AgentContext
   * @throws LatchkeyError as `getToken` does, `access_denied` for an origin that is not allowed, `invalid_token` if the API
   *   refuses the new token too.
   */
  async fetch(url: string | URL, init: RequestInit & { userId?: string } = {}): Promise<Response> {
    const { userId, ...request } = init
    const getToken = (which: EnterpriseTokenRequest) => this.getToken({ userId, ...which })
    const caller = { clientId: this.clientId, name: 'authorization of the company', getToken }
    return fetchAs(caller, this.#options, url, request)
  }

  /** Drops what is held of a person: call it when they sign out. */
  forget(userId: string): void {
    this.#tokens.forget(userId)
  }

  /** The client id and the servers, without secrets. */
  toJSON() {
    const { clientId, issuer, scopes, resource, identityProvider } = this.#options
    return { clientId, issuer, scopes, resource, identityProvider: identityProvider.issuer }
  }

  async #request(userId: string, scopes: readonly string[]) {
    const assertion = await this.#authorization(userId, scopes)
    return this.#authorizationServer.ask(
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      new URLSearchParams({ assertion, ...scoped(scopes) }),
    )
  }

  /** The company's authorization for one access token: it is used at once, and never again. */
  async #authorization(userId: string, scopes: readonly string[]): Promise<string> {
    // Before the identity provider is asked: what it gives is for the server that really answers to this name.
    const { issuer: audience } = await this.#authorizationServer.server()
    const idToken = await orMisuse(this.#options.idToken(userId), 'EnterpriseCredentials: idToken failed.')
    if (!idToken) throw signInAgain()
    assertUsable(idToken, this.#options.identityProvider.issuer)
    const answer = await this.#identityProvider.ask(
      'urn:ietf:params:oauth:grant-type:token-exchange',
      new URLSearchParams({
        requested_token_type: ID_JAG,
        subject_token: idToken,
        subject_token_type: ID_TOKEN,
        audience,
        resource: this.resource,
        ...scoped(scopes),
      }),
    )
    if (answer.issued_token_type === ID_JAG) return answer.access_token
    const hint =
      'Does it support the identity assertion authorization grant (ID-JAG), and is it switched on for this app?'
    const message = `The company's identity provider gave a token of another kind than was asked for. ${hint}`
    throw new LatchkeyError('malformed_response', message, { next: 'configure' })
  }
}

const scoped = (scopes: readonly string[]) => (scopes.length > 0 ? { scope: scopes.join(' ') } : undefined)

type About = Pick<LatchkeyError, 'detail'> & { cause: unknown }

const signInAgain = (about?: About) =>
  new LatchkeyError(
    'login_required',
    "The sign-in of the person has ended. They must sign in to the company's account again.",
    about,
  )

/**
 * An ID token is shown to its issuer only, and not after its end: servers do not agree on how they refuse it then.
 *
 * @see OpenID Connect Core 1.0 §2 · RFC 8693 §2.2.2
 */
function assertUsable(idToken: string, issuer: string | undefined): void {
  let claims: JWTPayload
  try {
    claims = decodeJwt(idToken)
  } catch {
    throw misuse('EnterpriseCredentials: what idToken returned is not an ID token.')
  }
  if (issuer && claims.iss?.replace(/\/$/, '') !== issuer.replace(/\/$/, '')) {
    throw misuse(`EnterpriseCredentials: what idToken returned was not issued by ${issuer}.`)
  }
  if ((claims.exp ?? 0) * 1000 <= Date.now()) throw signInAgain()
}

/** What the company's identity provider says no to, and who can change that. */
function refusedByCompany(code: LatchkeyError['code'], host: string, about: About): LatchkeyError {
  // The subject token is the ID token: one that is not valid any more. @see RFC 8693 §2.2.2
  if (code === 'invalid_grant' || code === 'login_required') return signInAgain(about)
  if (code === 'access_denied') {
    const message = `The company does not allow this app to use ${host} for this person. Its administrator can allow it.`
    return new LatchkeyError(code, message, { next: 'none', ...about })
  }
  const hint = `Is this app allowed to exchange its ID tokens there, for ${host}?`
  const message = `The company's identity provider refused the exchange (${code}). ${hint}`
  return new LatchkeyError(code, message, { next: 'configure', ...about })
}
