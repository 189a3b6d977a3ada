import { type ConnectRequest, type Identity, LatchkeyError, type Provider, readConnectRequest } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { isObject } from '@latchkey/core/server'
import { secretsOf } from '../outbound/redact/redactor.ts'
import type { Ending } from '../use/door.ts'
import type { OpenCall } from '../use/source.ts'
import { type JudgedTool, judgedTool } from '../use/tools.ts'
import { bindIdentities, currentIdentities, withIdentities } from './bind.ts'
import { createTripwire, type Tripwire } from './tripwire.ts'

/** An account's token with its facts, as a vault or database returns it. */
export interface OAuthToken extends Omit<Identity, 'provider' | 'accessToken' | 'scopes'> {
  /** @see RFC 6749 §5.1 */
  access_token: string
  /** Granted scopes, if known. */
  scopes?: readonly string[]
}

/** What a call of a tool needs. */
export interface CallRequest extends RequireOptions {
  /** Absent: the tool is not declared, so its person is asked. A function is called only where there are rules to ask. */
  tool?: JudgedTool | (() => Promise<JudgedTool | undefined>) | undefined
  /** As the tool gets them. */
  args?: unknown
}

/** The broker's door, for one run of an agent. */
export interface RunAccounts {
  /** Account ids by provider, of accounts that stay in a vault, as the page chose them. */
  references: ReadonlyMap<string, string>
  /**
   * Permission for one call. Undefined if this agent may not be given the account, or its access has ended.
   *
   * @param held the account as the page sent it. Absent: the vault has it.
   */
  authorize(
    account: { provider: string; accountId: string; held?: Identity },
    call: CallRequest & { tool: JudgedTool | undefined; nth: number },
  ): Promise<OpenCall | { done: unknown } | undefined>
  /** Say which fields of API keys are public. */
  providers?: readonly Provider[]
  /** Hears that secrets were about to leave the run, and how many, once for each answer and stored value. */
  reportLeak?(count: number): Promise<void>
}

/** Permission for one call of a tool, with the account that it is for. */
export interface AuthorizedCall {
  /** What it answered, if it was made already in this turn of its person. Then it must not be made again. */
  readonly done?: { result: unknown }
  /** What it is made with: what its person changed is changed. */
  readonly args: unknown
  /** Aborted when its person stops it. */
  readonly signal?: AbortSignal
  /**
   * A fresh token, until the call ends.
   *
   * @param options.forceRefresh true if the provider refused the last one.
   * @throws AuthorizationRequired if there is none, or it lacks the scopes.
   */
  token(options?: { forceRefresh?: boolean | undefined }): Promise<AgentToken>
  /** Ends it. What a write answered is remembered, so that it is not made twice. */
  end(ending: Ending): Promise<void>
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
  scopes?: readonly string[] | undefined
  /** The tool that needs the account, shown to the person. */
  toolName?: string | undefined
}

/** What {@link AgentContext.getToken} takes. */
export interface TokenRequest extends RequireOptions {
  /**
   * The strongest thing that is done with the token.
   *
   * @default unknown, so the person is asked first
   */
  effect?: Effect
  /** True to get a new token because the provider refused the last one. */
  forceRefresh?: boolean | undefined
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

/** What a call answers that was made already, if its answer was not kept. */
const DONE = 'This was done already, for this message of the person.'

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
  /**
   * The tokens that this context holds, by provider id. Empty in a run of a broker, whose person says for each call whether it
   * may be made: there a token is opened by {@link AgentContext.authorize}.
   */
  readonly oauthTokens: Readonly<Record<Provider, AgentToken>>
  /** All tokens that came with the request. */
  readonly #held = new Map<string, AgentToken>()
  /** The tokens of `oauthTokens`, as identities. */
  readonly #identities: readonly Identity[]
  readonly #accounts: RunAccounts | undefined
  /** Numbers of equal calls that were made, by their JSON. */
  readonly #made = new Map<string, Set<number>>()
  readonly #tripwire: Tripwire
  #leaks = 0

  /**
   * @param accounts the broker's door. Without it, as in code of the app that no broker runs, nobody's rules are asked.
   * @throws TypeError if a token is not safe in a header.
   */
  constructor({ userId, oauthTokens }: AgentContextOptions<Provider>, accounts?: RunAccounts) {
    this.userId = userId
    this.#accounts = accounts
    const tokens: Record<string, AgentToken> = Object.create(null)
    for (const [provider, token] of Object.entries<OAuthToken>(oauthTokens)) {
      const held = new AgentToken(provider, token)
      this.#held.set(provider, held)
      if (!accounts) tokens[provider] = held
    }
    this.oauthTokens = Object.freeze(tokens)
    this.#identities = Object.freeze(Object.values(tokens).map((token) => token.toIdentity()))
    contexts.set(this.#identities, this as unknown as AgentContext)
    const received = [...this.#held.values()].map((token) => token.toIdentity())
    opened.set(this, new Map(received.map((identity) => [identity.accessToken, identity])))
    const self = this as unknown as AgentContext
    this.#tripwire = createTripwire(
      () => secretsOf(openedIn(self), accounts?.providers),
      async (count) => {
        this.#leaks += count
        await accounts?.reportLeak?.(count)
      },
    )
  }

  /**
   * The accounts that came with a request. Entries that are not safe in a header are left out.
   *
   * @param identities the identities of the present request by default.
   */
  static fromIdentities(
    identities: readonly Identity[] = currentIdentities(),
    { userId = '', accounts }: { userId?: string; accounts?: RunAccounts } = {},
  ): AgentContext {
    const tokens = identities.filter(isSafe).map((identity) => [identity.provider, oauthTokenOf(identity)])
    return new AgentContext({ userId, oauthTokens: Object.fromEntries(tokens) }, accounts)
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
    const kept = [...(this.#accounts?.references ?? [])].map(([provider, accountId]) => ({ provider, accountId }))
    const held = [...this.#held.values()].map((token) => token.toIdentity())
    return [...held.map(({ provider, accountId, scopes }) => ({ provider, accountId, scopes })), ...kept]
  }

  /** Runs `fn` in this context, with all that it awaits or starts. Code of a stream that is read later is not. */
  run<T>(fn: () => T): T {
    return withIdentities(this.#identities, fn)
  }

  /**
   * Runs `fn` in this context, and binds the stream that it returns: a response, stream or generator that is read after the
   * request has been answered runs in this context too. In a run of a broker it is searched while it is read for the secrets
   * that the run has opened: each is replaced by `[redacted]`, and the person's activity says that a leak was blocked. Bytes
   * that are not text pass as they are.
   */
  respond<T extends Response | ReadableStream | AsyncIterable<unknown>>(fn: () => T | Promise<T>): Promise<T> {
    return this.run(async () => {
      const source = bindIdentities((await fn()) as Response) as T
      return this.#accounts ? this.#tripwire.watch(source) : source
    })
  }

  /**
   * What an app stores of a run, such as a snapshot or messages, without the secrets that the run has opened. A text may be
   * JSON. Without secrets in it, it is the value itself.
   *
   * @throws LatchkeyError `malformed_response` if it is larger than 16 MB, where each member counts as 32 bytes.
   */
  redact<T>(value: T): Promise<T> {
    return this.#tripwire.value(value)
  }

  /** How many secrets {@link AgentContext.respond} and {@link AgentContext.redact} have kept from leaving this run. */
  get leaks(): number {
    return this.#leaks
  }

  /**
   * Permission for one call of a tool with the account of one provider, by the rules of the person.
   *
   * @throws AuthorizationRequired if there is no account, or it lacks the scopes.
   * @throws ApprovalRequired if the person is asked first; NotAllowed if they do not allow it.
   */
  async authorize(provider: string, call: CallRequest = {}): Promise<AuthorizedCall> {
    const { scopes, toolName } = call
    const reference = this.#accounts?.references.get(provider)
    const held = this.#held.get(provider)
    const accountId = reference ?? held?.accountId
    const missing = () => new AuthorizationRequired({ provider, scopes, accountId, toolName })
    if (reference === undefined && (!held || !hasScopes(held.toIdentity(), scopes))) throw missing()
    const accept = (token: AgentToken | undefined) => {
      if (token && hasScopes(token.toIdentity(), scopes)) return token
      throw missing()
    }
    if (!this.#accounts) {
      return {
        args: call.args,
        token: async ({ forceRefresh } = {}) => accept(forceRefresh ? undefined : held),
        end: async () => {},
      }
    }
    const account = {
      provider,
      accountId: accountId ?? provider,
      ...(reference === undefined && { held: held?.toIdentity() }),
    }
    const tool = typeof call.tool === 'function' ? await call.tool() : call.tool
    const opened = await this.#numbered([provider, tool?.name, call.args], (nth) =>
      this.#accounts?.authorize(account, { ...call, tool, nth }),
    )
    if (!opened) throw missing()
    const none = { token: () => Promise.reject(missing()), end: async () => {} }
    // What was too large to keep is a word.
    if ('done' in opened) return { done: { result: opened.done ?? DONE }, args: call.args, ...none }
    return {
      args: opened.args,
      signal: opened.signal,
      token: async (options = {}) => {
        if (reference === undefined && options.forceRefresh) throw missing()
        return accept(this.#keep(provider, await opened.open(options)))
      },
      end: opened.end,
    }
  }

  /**
   * The token of one provider, for code that calls the API itself. An account in a vault is opened now: its token is
   * refreshed if needed. A tool does better with `withAccount`, whose person sees what is done and changes it.
   *
   * @throws AuthorizationRequired if there is none, or it lacks the scopes.
   * @throws ApprovalRequired if the person is asked first; NotAllowed if they do not allow it.
   */
  async getToken(provider: string, { effect, forceRefresh, ...request }: TokenRequest = {}): Promise<AgentToken> {
    const { toolName = 'token', scopes } = request
    const tool = effect && judgedTool({ provider, toolName, effect, scopes })
    const call = await this.authorize(provider, { ...request, tool })
    const token = await call.token({ forceRefresh })
    // What is done with it is not seen here.
    await call.end({})
    return token
  }

  /** Numbers calls that are made. One that is not made gives its number back. */
  async #numbered<T>(call: unknown, act: (nth: number) => Promise<T> | undefined): Promise<T | undefined> {
    const key = JSON.stringify(call)
    const taken = this.#made.get(key) ?? new Set()
    this.#made.set(key, taken)
    let nth = 1
    while (taken.has(nth)) nth += 1
    taken.add(nth)
    try {
      return await act(nth)
    } catch (error) {
      taken.delete(nth)
      throw error
    }
  }

  #keep(provider: string, identity: Identity | undefined): AgentToken | undefined {
    if (!identity) return undefined
    opened.get(this)?.set(identity.accessToken, identity)
    return new AgentToken(provider, oauthTokenOf(identity))
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
 * @throws AuthorizationRequired if there is none, or it lacks the scopes; LatchkeyError `misuse` in a run of a broker, whose accounts only
 *   {@link AgentContext.getToken} and `withAccount` can open.
 */
export function requireIdentity(provider: string, { scopes, toolName }: RequireOptions = {}): Identity {
  const identity = getIdentity(provider)
  if (identity && hasScopes(identity, scopes)) return identity
  if (!identity && AgentContext.current().accounts.some((account) => account.provider === provider)) {
    const message = `The person says for each call whether it may be made: use withAccount, or AgentContext.current().getToken('${provider}').`
    throw new LatchkeyError('misuse', message, { provider })
  }
  throw new AuthorizationRequired({ provider, scopes, toolName })
}
