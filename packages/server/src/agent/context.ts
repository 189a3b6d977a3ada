import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { secretsOf } from '../outbound/redact/redactor.ts'
import type { Ending, Failure } from '../use/endings.ts'
import type { Forecast } from '../use/overseer.ts'
import type { OpenCall } from '../use/source.ts'
import { type JudgedTool, judgedTool } from '../use/tools.ts'
import { bindIdentities, currentIdentities, withIdentities } from './bind.ts'
import { type AccountChoice, type Choice, createChoice, type Reachable, type RunAccount } from './choice.ts'
import { type CallPlace, createCallNumbers, type Nth } from './place.ts'
import { AuthorizationRequired, type RequireOptions } from './required.ts'
import { AgentToken, hasScopes, isSafe, type OAuthToken, oauthTokenOf } from './token.ts'
import { createTripwire, type Tripwire } from './tripwire.ts'

/** What a call of a tool needs. */
export interface CallRequest extends RequireOptions {
  /** Absent: the tool is not declared, so its person is asked. A function is called only where there are rules to ask. */
  tool?: JudgedTool | (() => Promise<JudgedTool | undefined>) | undefined
  /** As the tool gets them. */
  args?: unknown
  /** Id or label of one of {@link AgentContext.accountsOf}. Absent: the account that the person chose. */
  account?: string | undefined
  /**
   * For a call without `account`: the account that earlier calls of this turn have chosen. Of several the call is refused,
   * instead of made with the account that the person chose.
   */
  choose?: boolean | undefined
  /** Where the call stands in its turn, if its runtime says so. */
  place?: CallPlace | undefined
}

/** An account for a call, as {@link RunAccounts} takes it. */
export interface CallAccount {
  provider: string
  accountId: string
  /** The account as the page sent it. Absent: the vault has it. */
  held?: Identity | undefined
}

/** A call whose tool is known, and which of the equal ones of its turn it is. */
export type NumberedCall = CallRequest & { tool: JudgedTool | undefined; nth: Nth }

/** The broker's door, for one run of an agent. */
export interface RunAccounts {
  /** Account ids by provider, of accounts that stay in a vault, as the page chose them. */
  references: ReadonlyMap<string, string>
  /** All accounts of the run, several of a provider. Absent: those that the page chose, one of each. */
  choices?: readonly RunAccount[]
  /** Ids of accounts that calls of this turn have chosen, by provider. Absent: those of this context. */
  chosen?: Map<string, Set<string>>
  /**
   * Permission for one call. Undefined if this agent may not be given the account, or its access has ended.
   */
  authorize(account: CallAccount, call: NumberedCall): Promise<OpenCall | { done: unknown } | undefined>
  /** What the person and their rules say of a call before it is made. Undefined where `authorize` decides. */
  askAhead?(account: CallAccount, call: NumberedCall): Promise<Forecast | undefined>
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
  /** Absent: the app brought an account without one. */
  readonly accountId?: string
  /** What its person calls the account, made safe to show; its id, if the page did not say. */
  readonly label?: string
  /** Aborted when its person stops it. */
  readonly signal?: AbortSignal
  /**
   * A fresh token, until the call ends.
   *
   * @param options.forceRefresh true if the provider refused the last one.
   * @throws AuthorizationRequired if there is none, or it lacks the scopes.
   */
  token(options?: { forceRefresh?: boolean | undefined }): Promise<AgentToken>
  /**
   * Ends it. What a write answered is remembered, so that it is not made twice.
   *
   * @param failure why it came to nothing, for its person's activity.
   */
  end(ending: Ending, failure?: Failure): Promise<void>
}

/** What {@link AgentContext.getToken} takes. */
export interface TokenRequest extends RequireOptions {
  /**
   * The strongest thing that is done with the token.
   *
   * @default unknown, so the person is asked first
   */
  effect?: Effect
  /** Id or label of one of {@link AgentContext.accountsOf}. Absent: the account that the person chose. */
  account?: string | undefined
  /** True to get a new token because the provider refused the last one. */
  forceRefresh?: boolean | undefined
}

/** What would become of a call, also where its account is missing. */
export type Outlook = Forecast | { word: 'missing'; need: AuthorizationRequired }

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
  /** The accounts that the page chose, by provider. */
  readonly #held = new Map<string, AgentToken>()
  readonly #choice: Choice
  /** The tokens of `oauthTokens`, as identities. */
  readonly #identities: readonly Identity[]
  readonly #accounts: RunAccounts | undefined
  readonly #numbers = createCallNumbers()
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
    const chosen = [...this.#held.values()].map((token) => token.toIdentity())
    this.#choice = createChoice({ ...accounts, held: chosen, named: accounts?.chosen })
    const received = [...chosen, ...this.#choice.all.flatMap(({ held }) => held ?? [])]
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

  /** The accounts that the page chose, one of each provider, without secrets. {@link AgentContext.accountsOf} has all. */
  get accounts(): readonly ContextAccount[] {
    const kept = [...(this.#accounts?.references ?? [])].map(([provider, accountId]) => ({ provider, accountId }))
    const held = [...this.#held.values()].map((token) => token.toIdentity())
    return [...held.map(({ provider, accountId, scopes }) => ({ provider, accountId, scopes })), ...kept]
  }

  /**
   * The accounts of one provider that a tool may be told to use, with names that are safe to show to a model. An account
   * without an id is not among them: it cannot be named.
   */
  accountsOf(provider: string): readonly AccountChoice[] {
    return this.#choice.offered(provider)
  }

  /**
   * The id of the account that a call would be made with. Undefined if there is none, or it has no id.
   *
   * @throws LatchkeyError `invalid_request` as {@link AgentContext.authorize} does.
   */
  accountFor(provider: string, call: Pick<CallRequest, 'account' | 'choose'> = {}): string | undefined {
    return this.#choice.find(provider, call)?.accountId
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
   * Permission for one call of a tool with an account of one provider, by the rules of the person.
   *
   * @throws LatchkeyError `invalid_request` for an `account` that the run does not have, and if none is named of several that
   *   there are to choose from. Its message lists them.
   * @throws AuthorizationRequired if there is no account, or it lacks the scopes.
   * @throws ApprovalRequired if the person is asked first; NotAllowed if they do not allow it.
   */
  async authorize(provider: string, call: CallRequest = {}): Promise<AuthorizedCall> {
    const { scopes } = call
    const found = this.#choice.find(provider, call)
    const account = this.#callAccount(provider, found, call)
    const name = this.accountsOf(provider).find(({ accountId }) => accountId === found?.accountId)
    const whose = {
      ...(found?.accountId !== undefined && { accountId: found.accountId }),
      ...(name && { label: name.label }),
    }
    const without = () => missing(provider, found, call)
    if (!account) throw without()
    const accept = (token: AgentToken | undefined) => {
      if (token && hasScopes(token.toIdentity(), scopes)) return token
      throw without()
    }
    if (!this.#accounts) {
      return {
        args: call.args,
        ...whose,
        token: async ({ forceRefresh } = {}) => accept(forceRefresh ? undefined : this.#held.get(provider)),
        end: async () => {},
      }
    }
    const tool = await toolOf(call)
    const opened = await this.#numbers.take([provider, found?.accountId, tool?.name, call.args], call.place, (nth) =>
      this.#accounts?.authorize(account, { ...call, tool, nth }),
    )
    if (!opened) throw without()
    if (call.choose && call.account !== undefined) this.#choice.remember(provider, account.accountId)
    const none = { token: () => Promise.reject(without()), end: async () => {} }
    // What was too large to keep is a word.
    if ('done' in opened) return { done: { result: opened.done ?? DONE }, args: call.args, ...whose, ...none }
    return {
      args: opened.args,
      ...whose,
      signal: opened.signal,
      token: async (options = {}) => {
        if (account.held && options.forceRefresh) throw without()
        return accept(this.#keep(provider, await opened.open(options)))
      },
      end: opened.end,
    }
  }

  /**
   * What the person and their rules say of a call before it is made: nothing begins, and the person is asked if they must
   * be. Undefined where only the call itself says what becomes of it.
   */
  async askAhead(provider: string, call: CallRequest = {}): Promise<Outlook | undefined> {
    const found = this.#choice.find(provider, call)
    const account = this.#callAccount(provider, found, call)
    if (!account) return { word: 'missing', need: missing(provider, found, call) }
    if (!this.#accounts?.askAhead) return undefined
    const tool = await toolOf(call)
    const nth = this.#numbers.at([provider, found?.accountId, tool?.name, call.args], call.place)
    return this.#accounts.askAhead(account, { ...call, tool, nth })
  }

  /** An account as its call takes it. Undefined if there is none, or it lacks the scopes. */
  #callAccount(provider: string, found: Reachable | undefined, { scopes }: CallRequest): CallAccount | undefined {
    if (!found) return undefined
    const { accountId = provider, held } = found
    if (!held) return { provider, accountId }
    return hasScopes(held, scopes) ? { provider, accountId, held } : undefined
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
    const token = await call.token({ forceRefresh }).catch(async (error) => {
      await call.end('unsent')
      throw error
    })
    // What is done with it is not seen here.
    await call.end({})
    return token
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

const toolOf = async ({ tool }: CallRequest) => (typeof tool === 'function' ? tool() : tool)

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

const missing = (provider: string, found: Reachable | undefined, { scopes, toolName }: CallRequest) =>
  new AuthorizationRequired({ provider, scopes, accountId: found?.accountId, toolName })
