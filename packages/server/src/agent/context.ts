import { type ConnectRequest, type Identity, LatchkeyError, readConnectRequest } from '@latchkey/core'
import { isObject } from '@latchkey/core/server'
import { bindIdentities, currentIdentities, withIdentities } from './bind.ts'

/** An account's token with its facts, as a vault or database returns it. */
export interface OAuthToken extends Omit<Identity, 'provider' | 'accessToken' | 'scopes'> {
  /** @see RFC 6749 §5.1 */
  access_token: string
  /** Granted scopes, if known. */
  scopes?: readonly string[]
}

/** Accounts that stay in a vault, and are opened when a tool uses one. */
export interface VaultAccounts {
  /** Account ids by provider, as the page chose them. */
  references: ReadonlyMap<string, string>
  /** Undefined if this agent may not use the account, or its access has ended. */
  open(provider: string, accountId: string, request: OpenRequest): Promise<Identity | undefined>
}

/** What an account is opened for. */
export interface OpenRequest {
  /** The tool that uses it, for the audit log. */
  toolName?: string | undefined
  /** True to get a new token because the provider refused the last one. */
  forceRefresh?: boolean | undefined
}

/** A secret for a header. No provider's token is near this long, and servers refuse headers of about this size. */
const SAFE = /^[\x20-\x7e]{1,8192}$/

const isSafe = ({ accessToken, fields = {} }: Pick<Identity, 'accessToken' | 'fields'>): boolean =>
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

/** What a call needs from an account. */
export interface RequireOptions {
  /** Required scopes. Checked only if the identity lists its scopes. */
  scopes?: readonly string[]
  /** The tool that needs the account, shown to the person. */
  toolName?: string
}

/** Whether an identity has these scopes. One that does not list its scopes may have any. */
const hasScopes = ({ scopes: granted }: Pick<Identity, 'scopes'>, scopes: readonly string[] = []): boolean =>
  granted === undefined || scopes.every((scope) => granted.includes(scope))

/** Marks the requests that this package made. It is lost in JSON, and no JSON can contain it. */
const MARK = Symbol('latchkey.request')

/** Whether a tool's result is a request for an account: an {@link AuthorizationRequired}, its request, or a copy of that. */
export const isRequest = (value: unknown): value is ConnectRequest | AuthorizationRequired =>
  value instanceof AuthorizationRequired || (isObject(value) && MARK in value)

/**
 * A tool's result, which others may have written. A page would show one that has the form of a request.
 *
 * @throws LatchkeyError `malformed_response` for such a result.
 */
export function withoutRequest<T>(result: T): T {
  if (isRequest(result) || !readConnectRequest(result)) return result
  const message = 'The result looks like a request for an account. To ask for one, throw AuthorizationRequired.'
  throw new LatchkeyError('malformed_response', message, { next: 'none' })
}

/**
 * A tool needs an account that the person has not connected, or not with these scopes. Its JSON is a
 * {@link ConnectRequest}, so a runtime that returns errors as JSON asks the person without further code.
 */
export class AuthorizationRequired extends Error {
  readonly request: ConnectRequest

  constructor(request: Omit<ConnectRequest, 'type' | 'scopes'> & Pick<RequireOptions, 'scopes'>) {
    const { provider, scopes } = request
    const { message = `Connect ${provider} to continue${scopes?.length ? ` (${scopes.join(', ')})` : ''}.` } = request
    super(message)
    this.name = 'AuthorizationRequired'
    // A copy as JSON has no undefined members.
    const copy = JSON.parse(JSON.stringify({ ...request, type: 'authorization_required', message }))
    this.request = Object.assign(copy, { [MARK]: true })
  }

  toJSON(): ConnectRequest {
    return this.request
  }
}

/** A person and the tokens that an agent may use for them. */
export interface AgentContextOptions<Provider extends string> {
  /** The app's own id of the person that the agent acts for. */
  userId: string
  /** The person's tokens by provider id. */
  oauthTokens: Readonly<Record<Provider, OAuthToken>>
}

/** An account that an agent may use. One in a vault is listed without its scopes. */
export type ContextAccount = Pick<Identity, 'provider' | 'accountId' | 'scopes'>

/** The context of each list of identities, because streams and generators are bound to the list. */
const contexts = new WeakMap<readonly Identity[], AgentContext>()

/** The accounts whose secrets a context has held or opened, by token. */
const opened = new WeakMap<object, Map<string, Identity>>()

/** All of them, also those of tokens that have been renewed since. */
export const openedIn = (context: AgentContext): Identity[] => [...(opened.get(context)?.values() ?? [])]

/**
 * The person that the agent acts for in this request, and their accounts: made by `broker.agentContext`. It is never global:
 * only code inside {@link AgentContext.run} and {@link AgentContext.respond} gets it from {@link AgentContext.current}.
 *
 * ```ts
 * const { context, body } = await broker.agentContext(request, await request.json(), { agent: 'assistant' })
 * return context.respond(() => streamText({ … }).toUIMessageStreamResponse())
 * ```
 */
export class AgentContext<Provider extends string = string> {
  readonly userId: string
  /** The tokens that this context holds, by provider id. An account in a vault is not among them. */
  readonly oauthTokens: Readonly<Record<Provider, AgentToken>>
  /** The held tokens, as identities. */
  readonly #identities: readonly Identity[]
  readonly #vault: VaultAccounts | undefined

  /**
   * @param vault the accounts of this person that stay in a vault.
   * @throws TypeError if a token is not safe in a header.
   */
  constructor({ userId, oauthTokens }: AgentContextOptions<Provider>, vault?: VaultAccounts) {
    this.userId = userId
    this.#vault = vault
    const tokens: Record<string, AgentToken> = Object.create(null)
    for (const [provider, token] of Object.entries<OAuthToken>(oauthTokens)) {
      tokens[provider] = new AgentToken(provider, token)
    }
    this.oauthTokens = Object.freeze(tokens)
    this.#identities = Object.freeze(Object.values(tokens).map((token) => token.toIdentity()))
    contexts.set(this.#identities, this as unknown as AgentContext)
    opened.set(this, new Map(this.#identities.map((identity) => [identity.accessToken, identity])))
  }

  /**
   * The accounts that came with a request. Entries that are not safe in a header are left out.
   *
   * @param identities the identities of the present request by default.
   */
  static fromIdentities(
    identities: readonly Identity[] = currentIdentities(),
    { userId = '', vault }: { userId?: string; vault?: VaultAccounts } = {},
  ): AgentContext {
    const tokens = identities.filter(isSafe).map((identity) => [identity.provider, oauthTokenOf(identity)])
    return new AgentContext({ userId, oauthTokens: Object.fromEntries(tokens) }, vault)
  }

  /** The context that this code runs in; outside of one, a context of the request's identities. */
  static current(): AgentContext {
    const identities = currentIdentities()
    const context = contexts.get(identities) ?? AgentContext.fromIdentities(identities)
    // Cached, because one request asks many times.
    contexts.set(identities, context)
    return context
  }

  /** The accounts of this context, without secrets. */
  get accounts(): readonly ContextAccount[] {
    const kept = [...(this.#vault?.references ?? [])].map(([provider, accountId]) => ({ provider, accountId }))
    return [...this.#identities.map(({ provider, accountId, scopes }) => ({ provider, accountId, scopes })), ...kept]
  }

  /** Runs `fn` in this context, with all that it awaits or starts. Code of a stream that is read later is not. */
  run<T>(fn: () => T): T {
    return withIdentities(this.#identities, fn)
  }

  /**
   * Runs `fn` in this context, and binds the stream that it returns: a response, stream or generator that is read after the
   * request has been answered runs in this context too.
   */
  respond<T extends Response | ReadableStream | AsyncIterable<unknown>>(fn: () => T | Promise<T>): Promise<T> {
    return this.run(async () => bindIdentities((await fn()) as Response) as T)
  }

  /**
   * The token of one provider. An account in a vault is opened now: its token is refreshed if needed.
   *
   * @throws AuthorizationRequired if there is none, or it lacks the scopes.
   */
  async getToken(provider: string, request: RequireOptions & OpenRequest = {}): Promise<AgentToken> {
    const { scopes, toolName } = request
    const token = await this.#find(provider, request)
    if (token && hasScopes(token.toIdentity(), scopes)) return token
    const accountId = this.accounts.find((account) => account.provider === provider)?.accountId
    throw new AuthorizationRequired({ provider, scopes, accountId, toolName })
  }

  async #find(provider: string, request: OpenRequest): Promise<AgentToken | undefined> {
    const reference = this.#vault?.references.get(provider)
    if (reference === undefined) return request.forceRefresh ? undefined : this.oauthTokens[provider as Provider]
    const identity = await this.#vault?.open(provider, reference, request)
    if (identity) opened.get(this)?.set(identity.accessToken, identity)
    return identity && new AgentToken(provider, oauthTokenOf(identity))
  }

  /** The person and the accounts, without secrets. */
  toJSON() {
    return { userId: this.userId, accounts: this.accounts }
  }
}

const oauthTokenOf = ({ provider: _, accessToken: access_token, ...facts }: Identity): OAuthToken => ({
  access_token,
  ...facts,
})

/** The identity at one provider in the current run, if there is one. */
export function getIdentity(provider: string): Identity | undefined {
  return currentIdentities().find((identity) => identity.provider === provider)
}

/**
 * The identity at one provider, for a tool that requires it.
 *
 * @throws AuthorizationRequired if there is none, or it lacks the scopes; LatchkeyError `misuse` if the account is in a vault,
 *   which only {@link AgentContext.getToken} and `withAccount` can open.
 */
export function requireIdentity(provider: string, { scopes, toolName }: RequireOptions = {}): Identity {
  const identity = getIdentity(provider)
  if (identity && hasScopes(identity, scopes)) return identity
  if (!identity && AgentContext.current().accounts.some((account) => account.provider === provider)) {
    const message = `This account is in the vault: use withAccount, or AgentContext.current().getToken('${provider}').`
    throw new LatchkeyError('misuse', message, { provider })
  }
  throw new AuthorizationRequired({ provider, scopes, toolName })
}
