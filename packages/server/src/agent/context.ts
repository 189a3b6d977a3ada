import type { Identity } from '@latchkey/core'
import type { OAuthToken, TokenRequest } from '../use/source.ts'
import { AuthorizationRequired, currentIdentities, type RequireOptions, withIdentities } from './identities.ts'
import type { AccountReference } from './references.ts'

export type { OAuthToken, TokenRequest }

/** Where tokens come from if the request carries none. The vault has this shape. */
export interface TokenSource {
  /** A valid token of this person at this provider, or undefined if there is no such account. */
  getToken(userId: string, provider: string, request?: TokenRequest): Promise<OAuthToken | undefined>
}

// No provider's token is near this long, and servers refuse header fields of about this size.
const MAX_TOKEN = 8 * 1024
const PRINTABLE = /^[\x20-\x7e]+$/

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
  readonly #identity: Identity

  /** @throws TypeError if the value is not safe in a header. */
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

  /** The wire form, which contains the secret. */
  toIdentity(): Identity {
    return this.#identity
  }
}

/** A person and the tokens that an agent may use for them. */
export interface AgentContextOptions<Provider extends string> {
  /** The app's own id of the person that the agent acts for. */
  userId: string
  /** The person's tokens by provider id. */
  oauthTokens: Readonly<Record<Provider, OAuthToken>>
}

/** The context of each list of identities, because streams and generators are bound to the list. */
const contexts = new WeakMap<readonly Identity[], AgentContext>()

/**
 * The person that the agent acts for in this request, and their accounts. It is never global: only code inside
 * {@link AgentContext.run} gets it from {@link AgentContext.current}. Bind streams and generators with `bindIdentities`, and
 * their code gets it too.
 *
 * ```ts
 * const ctx = new AgentContext({ userId: 'user-1', oauthTokens: { github: { access_token, scopes: ['repo'] } } })
 * ctx.oauthTokens.github.access_token
 * ```
 */
export class AgentContext<Provider extends string = string> {
  readonly userId: string
  /** Connected providers only. */
  readonly oauthTokens: Readonly<Record<Provider, AgentToken>>
  /** The accounts of this context, as identities. */
  readonly #identities: readonly Identity[]
  #source: TokenSource | undefined
  /** Account ids by provider, as the page chose them. */
  #chosen: ReadonlyMap<string, string> = new Map()

  /** @throws TypeError if a token is not safe in a header. */
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
   * The accounts that came with a request. Entries that are not safe in a header are left out.
   *
   * @param identities the identities of the present request by default.
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

  /**
   * The accounts of a person in a vault. Those of the named providers are fetched now, any other when a tool asks for it.
   *
   * @param options.references The accounts that the page chose. Of other providers, the account that was connected last.
   */
  static async fromVault<Provider extends string = never>(
    source: TokenSource,
    options: { userId: string; providers?: readonly Provider[]; references?: readonly AccountReference[] },
  ): Promise<AgentContext<string>> {
    const { userId, providers = [], references = [] } = options
    const chosen = new Map(references.map(({ provider, accountId }) => [provider, accountId]))
    const found = await Promise.all(
      providers.map(async (provider) => {
        const request = { accountId: chosen.get(provider) }
        return [provider, await source.getToken(userId, provider, request)] as const
      }),
    )
    const tokens = found.flatMap(([provider, token]) => (token ? [[provider, token] as const] : []))
    const context = new AgentContext<string>({ userId, oauthTokens: Object.fromEntries(tokens) })
    context.#source = source
    context.#chosen = chosen
    return context
  }

  /** The context that this code runs in; outside of one, a context of the request's identities. */
  static current(): AgentContext {
    const identities = currentIdentities()
    const known = contexts.get(identities)
    if (known) return known
    const context = AgentContext.fromIdentities(identities)
    // Cached, because one request asks many times.
    contexts.set(identities, context)
    return context
  }

  /** Runs `fn` in this context, with all that it awaits or starts. */
  run<T>(fn: () => T): T {
    return withIdentities(this.#identities, fn)
  }

  /**
   * The token of one provider. From a vault it is refreshed if needed.
   *
   * @throws AuthorizationRequired if there is none, or it lacks the scopes.
   */
  async getToken(
    provider: string,
    { scopes, toolName, forceRefresh }: RequireOptions & TokenRequest = {},
  ): Promise<AgentToken> {
    const held = (this.oauthTokens as Record<string, AgentToken | undefined>)[provider]
    const token = await this.#find(provider, held, { scopes, forceRefresh })
    const granted = token?.toIdentity().scopes
    if (token && (!granted || !scopes || scopes.every((scope) => granted.includes(scope)))) return token
    const accountId = token?.accountId ?? held?.accountId ?? this.#chosen.get(provider)
    throw new AuthorizationRequired({
      provider,
      ...(scopes && { scopes: [...scopes] }),
      ...(accountId !== undefined && { accountId }),
      ...(toolName && { toolName }),
    })
  }

  async #find(provider: string, held: AgentToken | undefined, request: TokenRequest): Promise<AgentToken | undefined> {
    if (!this.#source) return request.forceRefresh ? undefined : held
    const found = await this.#source.getToken(this.userId, provider, {
      ...request,
      accountId: this.#chosen.get(provider),
    })
    return found && new AgentToken(provider, found)
  }

  /** The person and the accounts, without secrets. */
  toJSON() {
    return {
      userId: this.userId,
      accounts: this.#identities.map(({ provider, accountId, scopes }) => ({ provider, accountId, scopes })),
    }
  }
}
