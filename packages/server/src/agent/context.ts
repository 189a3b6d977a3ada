import type { Identity } from '@latchkey/core'
import { AuthorizationRequired, currentIdentities, type RequireOptions, withIdentities } from './identities.ts'

/** What an account is used with, as it comes out of a vault or a database. */
export interface OAuthToken {
  /** @see RFC 6749 §5.1 */
  access_token: string
  /** Granted scopes, where they are known. */
  scopes?: readonly string[]
  /** Milliseconds since the epoch. */
  expiresAt?: number
  accountId?: string
  /** An ApiKey's other fields. */
  fields?: Readonly<Record<string, string>>
}

export interface TokenRequest {
  scopes?: readonly string[]
  /** The provider did not accept the last token: ask it for a new one. */
  forceRefresh?: boolean
}

/** Where tokens come from when the request carries none. The vault is one, by shape. */
export interface TokenSource {
  /** A fresh token of this person at this provider, or undefined when there is no such account. */
  getToken(userId: string, provider: string, request?: TokenRequest): Promise<OAuthToken | undefined>
}

// No provider's token comes near this, and servers refuse header fields of about this size.
const MAX_TOKEN = 8 * 1024
const PRINTABLE = /^[\x20-\x7e]+$/

/**
 * The token of one account. Its value is behind a getter and no property, so that it is in no JSON, copy or printout of
 * whatever holds this.
 */
export class AgentToken {
  readonly provider: string
  /** Granted scopes; empty where they are not known. */
  readonly scopes: readonly string[]
  readonly accountId: string | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  readonly #identity: Identity

  /** @throws TypeError when the value would not be safe in a header. */
  constructor(provider: string, { access_token, scopes, expiresAt, accountId, fields }: OAuthToken) {
    for (const value of [access_token, ...Object.values(fields ?? {})]) {
      if (!PRINTABLE.test(value) || value.length > MAX_TOKEN) {
        throw new TypeError(
          `The secret of ${provider} is empty, too long or holds characters that secrets do not have.`,
        )
      }
    }
    this.provider = provider
    this.scopes = Object.freeze([...(scopes ?? [])])
    this.accountId = accountId
    this.expiresAt = expiresAt
    this.#identity = Object.freeze({
      provider,
      accessToken: access_token,
      ...(scopes && { scopes: [...scopes] }),
      ...(expiresAt !== undefined && { expiresAt }),
      ...(accountId !== undefined && { accountId }),
      ...(fields && { fields: { ...fields } }),
    })
  }

  get access_token(): string {
    return this.#identity.accessToken
  }

  /** The wire form, which holds the secret. */
  toIdentity(): Identity {
    return this.#identity
  }
}

export interface AgentContextOptions<Provider extends string> {
  /** Whom the agent acts for: the app's own id of the person. */
  userId: string
  /** Their tokens by provider id. */
  oauthTokens: Readonly<Record<Provider, OAuthToken>>
}

/** The context of each list of identities, which is what streams and generators are bound to. */
const contexts = new WeakMap<readonly Identity[], AgentContext>()

/**
 * Who the agent acts for in this request, and with which accounts. Nothing in it is global: code that runs in
 * {@link AgentContext.run} finds it with {@link AgentContext.current}, in streams and generators too when they are
 * bound with `bindIdentities`.
 *
 * ```ts
 * const ctx = new AgentContext({ userId: 'user-1', oauthTokens: { github: { access_token, scopes: ['repo'] } } })
 * ctx.oauthTokens.github.access_token
 * ```
 */
export class AgentContext<Provider extends string = string> {
  readonly userId: string
  /** A provider that is not connected is not in here. */
  readonly oauthTokens: Readonly<Record<Provider, AgentToken>>
  /** What this holds, as identities. */
  readonly #identities: readonly Identity[]
  #source: TokenSource | undefined

  /** @throws TypeError when a token would not be safe in a header. */
  constructor({ userId, oauthTokens }: AgentContextOptions<Provider>) {
    this.userId = userId
    const tokens: Record<string, AgentToken> = Object.create(null)
    for (const [provider, token] of Object.entries<OAuthToken>(oauthTokens)) {
      tokens[provider] = new AgentToken(provider, token)
    }
    this.oauthTokens = Object.freeze(tokens)
    this.#identities = Object.freeze(Object.values(tokens).map((token) => token.toIdentity()))
    contexts.set(this.#identities, this as unknown as AgentContext)
  }

  /**
   * The accounts that came with a request. An entry that would not be safe to use is left out.
   *
   * @param identities Default: those of the request that this runs for.
   */
  static fromIdentities(
    identities: readonly Identity[] = currentIdentities(),
    { userId = '' }: { userId?: string } = {},
  ): AgentContext {
    const tokens = identities.flatMap(({ provider, accessToken, ...rest }) => {
      const token = { access_token: accessToken, ...rest }
      try {
        new AgentToken(provider, token)
        return [[provider, token] as const]
      } catch {
        return []
      }
    })
    return new AgentContext({ userId, oauthTokens: Object.fromEntries(tokens) })
  }

  /** The accounts of a person in a vault: the named ones at once, any other when a tool asks for it. */
  static async fromVault<Provider extends string = never>(
    source: TokenSource,
    { userId, providers = [] }: { userId: string; providers?: readonly Provider[] },
  ): Promise<AgentContext<string>> {
    const found = await Promise.all(
      providers.map(async (provider) => [provider, await source.getToken(userId, provider)] as const),
    )
    const tokens = found.flatMap(([provider, token]) => (token ? [[provider, token] as const] : []))
    const context = new AgentContext<string>({ userId, oauthTokens: Object.fromEntries(tokens) })
    context.#source = source
    return context
  }

  /** The context this code runs in; outside of one, that of the request's identities. */
  static current(): AgentContext {
    const identities = currentIdentities()
    const known = contexts.get(identities)
    if (known) return known
    const context = AgentContext.fromIdentities(identities)
    // The same request asks again and again.
    contexts.set(identities, context)
    return context
  }

  /** Runs `fn`, and whatever it awaits or starts, in this context. */
  run<T>(fn: () => T): T {
    return withIdentities(this.#identities, fn)
  }

  /**
   * The token of one provider, fresh where it comes from a vault.
   *
   * @throws AuthorizationRequired when there is none, or one without the scopes.
   */
  async getToken(
    provider: string,
    { scopes, toolName, forceRefresh }: RequireOptions & TokenRequest = {},
  ): Promise<AgentToken> {
    const held = (this.oauthTokens as Record<string, AgentToken | undefined>)[provider]
    const token = await this.#find(provider, held, { scopes, forceRefresh })
    const granted = token?.toIdentity().scopes
    if (token && (!granted || !scopes || scopes.every((scope) => granted.includes(scope)))) return token
    const accountId = token?.accountId ?? held?.accountId
    throw new AuthorizationRequired({
      provider,
      ...(scopes && { scopes: [...scopes] }),
      ...(accountId !== undefined && { accountId }),
      ...(toolName && { toolName }),
    })
  }

  async #find(provider: string, held: AgentToken | undefined, request: TokenRequest): Promise<AgentToken | undefined> {
    if (!this.#source) return request.forceRefresh ? undefined : held
    const found = await this.#source.getToken(this.userId, provider, request)
    return found && new AgentToken(provider, found)
  }

  /** Whom and which accounts, never with what. */
  toJSON() {
    return {
      userId: this.userId,
      accounts: this.#identities.map(({ provider, accountId, scopes }) => ({ provider, accountId, scopes })),
    }
  }
}
