import type { Identity } from '@latchkey/core'

/** An account's token with its facts, as a vault or database returns it. */
export interface OAuthToken extends Omit<Identity, 'provider' | 'accessToken' | 'scopes' | 'label'> {
  /** @see RFC 6749 §5.1 */
  access_token: string
  /** Granted scopes, if known. */
  scopes?: readonly string[]
}

/** A secret for a header. No provider's token is near this long, and servers refuse headers of about this size. */
const SAFE = /^[\x20-\x7e]{1,8192}$/

/** Whether it can stand in a header. */
export const isSafe = ({ accessToken, fields = {} }: Pick<Identity, 'accessToken' | 'fields'>): boolean =>
  [accessToken, ...Object.values(fields)].every((value) => SAFE.test(value))

/**
 * The token of one account. Its value is a getter, not a property, so that it does not appear in JSON, copies or console
 * output of any object that holds it.
 */
export class AgentToken {
  readonly provider: string
  /** Granted scopes; empty if unknown. */
  readonly scopes: readonly string[]
  readonly accountId: string | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  /** The URL of the MCP server or the origin of the API that the token is for. */
  readonly resource: string | undefined
  readonly #identity: Identity

  /** @throws TypeError if the value is not safe in a header. */
  constructor(provider: string, { access_token, scopes, expiresAt, resource, accountId, fields }: OAuthToken) {
    if (!isSafe({ accessToken: access_token, fields })) {
      throw new TypeError(`The secret of ${provider} is empty, too long or holds characters that secrets do not have.`)
    }
    this.provider = provider
    this.scopes = Object.freeze([...(scopes ?? [])])
    this.accountId = accountId
    this.expiresAt = expiresAt
    this.resource = resource
    this.#identity = Object.freeze({
      provider,
      accessToken: access_token,
      scopes: scopes && [...scopes],
      expiresAt,
      resource,
      accountId,
      fields: fields && { ...fields },
    })
  }

  get access_token(): string {
    return this.#identity.accessToken
  }

  /** The wire form, which contains the secret. */
  toIdentity(): Identity {
    return this.#identity
  }
}

/** Whether an identity has these scopes. One that does not list its scopes may have any. */
export const hasScopes = ({ scopes: granted }: Pick<Identity, 'scopes'>, scopes: readonly string[] = []): boolean =>
  granted === undefined || scopes.every((scope) => granted.includes(scope))

/** An identity as a vault returns it. */
export const oauthTokenOf = ({ provider: _, accessToken: access_token, ...facts }: Identity): OAuthToken => ({
  access_token,
  ...facts,
})
