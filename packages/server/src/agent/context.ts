import { type ConnectRequest, type Identity, LatchkeyError, type Provider, readConnectRequest } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'
import { isObject } from '@latchkey/core/server'
import { secretsOf } from '../outbound/redact/redactor.ts'
import type { Ending } from '../use/door.ts'
import type { Forecast } from '../use/overseer.ts'
import type { OpenCall } from '../use/source.ts'
import { type JudgedTool, judgedTool } from '../use/tools.ts'
import { bindIdentities, currentIdentities, withIdentities } from './bind.ts'
import { type AccountChoice, choiceNamed, choicesOf, type RunAccount, unnamed } from './choice.ts'
import type { CallPlace } from './place.ts'
import { createTripwire, type Tripwire } from './tripwire.ts'

/** An account's token with its facts, as a vault or database returns it. */
export interface OAuthToken extends Omit<Identity, 'provider' | 'accessToken' | 'scopes' | 'label'> {
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
export type NumberedCall = CallRequest & { tool: JudgedTool | undefined; nth: number }

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
  /** Id or label of one of {@link AgentContext.accountsOf}. Absent: the account that the person chose. */
  account?: string | undefined
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

/** An account that calls are made with. Without a token it is in the vault. */
interface Reachable {
  provider: string
  accountId: string | undefined
  label?: string | undefined
  token?: AgentToken | undefined
  /** The page chose it among those of its provider. */
  isChosen: boolean
  /** A tool may be told to use it. */
  isOffered: boolean
}

/** All accounts of a run: those that the page chose, then the others. */
function reachable(held: ReadonlyMap<string, AgentToken>, accounts: RunAccounts | undefined): readonly Reachable[] {
  const { references = new Map<string, string>(), choices = [] } = accounts ?? {}
  const chosen = [
    ...[...references].map(([provider, accountId]) => ({ provider, accountId })),
    ...[...held]
      .filter(([provider]) => !references.has(provider))
      .map(([provider, token]) => ({ provider, accountId: token.accountId, token })),
  ]
  const isSame = (one: Pick<Reachable, 'provider' | 'accountId'>, { provider, accountId }: RunAccount) =>
    one.provider === provider && one.accountId === accountId
  const others = choices.filter((one) => !chosen.some((other) => isSame(other, one)) && (!one.held || isSafe(one.held)))
  return [
    ...chosen.map((one): Reachable => {
      const choice = choices.find((other) => isSame(one, other))
      // An old page sends no choices.
      const isOffered = choice !== undefined || !choices.some(({ provider }) => provider === one.provider)
      return { ...one, label: choice?.label, isChosen: true, isOffered }
    }),
    ...others.map(({ provider, accountId, label, held: identity }) => {
      const token = identity && new AgentToken(provider, oauthTokenOf(identity))
      return { provider, accountId, label, token, isChosen: false, isOffered: true }
    }),
  ]
}

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
  /** All accounts of the run. */
  readonly #all: readonly Reachable[]
  /** Ids of accounts that calls have chosen, by provider. */
  readonly #named: Map<string, Set<string>>
  /** The tokens of `oauthTokens`, as identities. */
  readonly #identities: readonly Identity[]
  readonly #accounts: RunAccounts | undefined
  /** Numbers of equal calls that were made, by their JSON. */
  readonly #made = new Map<string, Set<number>>()
  /** The runtime's ids of equal calls of one step, in their order. */
  readonly #steps = new Map<string, string[]>()
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
    this.#all = reachable(this.#held, accounts)
    this.#named = accounts?.chosen ?? new Map()
    const received = [...this.#held.values(), ...this.#all.flatMap(({ token }) => token ?? [])].map((token) =>
      token.toIdentity(),
    )
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
    const all = this.#all.filter((one) => one.provider === provider && one.isOffered)
    return choicesOf(all.flatMap(({ accountId, label }) => (accountId === undefined ? [] : [{ accountId, label }])))
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
    const { scopes, toolName } = call
    const found = this.#accountFor(provider, call)
    const account = this.#callAccount(provider, found, call)
    const name = this.accountsOf(provider).find(({ accountId }) => accountId === found?.accountId)
    const label = name ? { label: name.label } : {}
    const missing = () => new AuthorizationRequired({ provider, scopes, accountId: found?.accountId, toolName })
    if (!account) throw missing()
    const accept = (token: AgentToken | undefined) => {
      if (token && hasScopes(token.toIdentity(), scopes)) return token
      throw missing()
    }
    if (!this.#accounts) {
      return {
        args: call.args,
        ...label,
        token: async ({ forceRefresh } = {}) => accept(forceRefresh ? undefined : found?.token),
        end: async () => {},
      }
    }
    const tool = await toolOf(call)
    const opened = await this.#numbered([provider, found?.accountId, tool?.name, call.args], call.place, (nth) =>
      this.#accounts?.authorize(account, { ...call, tool, nth }),
    )
    if (!opened) throw missing()
    if (call.choose && call.account !== undefined) this.#remember(provider, account.accountId)
    const none = { token: () => Promise.reject(missing()), end: async () => {} }
    // What was too large to keep is a word.
    if ('done' in opened) return { done: { result: opened.done ?? DONE }, args: call.args, ...none }
    return {
      args: opened.args,
      ...label,
      signal: opened.signal,
      token: async (options = {}) => {
        if (account.held && options.forceRefresh) throw missing()
        return accept(this.#keep(provider, await opened.open(options)))
      },
      end: opened.end,
    }
  }

  /**
   * What the person and their rules say of a call before it is made: nothing begins, and the person is asked if they must
   * be. Undefined where only the call itself says what becomes of it, as where there is no account.
   */
  async askAhead(provider: string, call: CallRequest = {}): Promise<Forecast | undefined> {
    const found = this.#accountFor(provider, call)
    const account = this.#callAccount(provider, found, call)
    if (!account || !this.#accounts?.askAhead) return undefined
    const tool = await toolOf(call)
    const key = JSON.stringify([provider, found?.accountId, tool?.name, call.args])
    const nth = call.place ? this.#nthAt(key, call.place) : 1
    return this.#accounts.askAhead(account, { ...call, tool, nth })
  }

  /** An account as its call takes it. Undefined if there is none, or it lacks the scopes. */
  #callAccount(provider: string, found: Reachable | undefined, { scopes }: CallRequest): CallAccount | undefined {
    if (!found) return undefined
    const { accountId = provider, token } = found
    if (!token) return { provider, accountId }
    const held = token.toIdentity()
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
    const token = await call.token({ forceRefresh })
    // What is done with it is not seen here.
    await call.end({})
    return token
  }

  /** The account that a call is made with, by its name, by what was chosen before, or by the choice of the page. */
  #accountFor(provider: string, { account, choose }: CallRequest): Reachable | undefined {
    const all = this.#all.filter((one) => one.provider === provider)
    const offered = all.filter(({ isOffered }) => isOffered)
    if (account !== undefined && all.length > 0) {
      const { accountId } = choiceNamed(provider, account, this.accountsOf(provider))
      return all.find((one) => one.accountId === accountId)
    }
    if (!choose) return all.find(({ isChosen }) => isChosen)
    if (offered.length < 2) return offered[0]
    const [before, other] = this.#named.get(provider) ?? []
    const found = other === undefined && offered.find(({ accountId }) => accountId === before)
    if (before !== undefined && found) return found
    throw unnamed(provider, this.accountsOf(provider))
  }

  #remember(provider: string, accountId: string): void {
    this.#named.set(provider, (this.#named.get(provider) ?? new Set()).add(accountId))
  }

  /** The number of a call by its place: the same in every request of its turn. */
  #nthAt(key: string, { toolCallId, before, step }: CallPlace): number {
    if (step === undefined) return before + 1
    const ids = this.#steps.get(`${step} ${key}`) ?? []
    this.#steps.set(`${step} ${key}`, ids)
    if (!ids.includes(toolCallId)) ids.push(toolCallId)
    return before + 1 + ids.indexOf(toolCallId)
  }

  /** Numbers calls that are made. One that has no place and is not made gives its number back. */
  async #numbered<T>(
    call: unknown,
    place: CallPlace | undefined,
    act: (nth: number) => Promise<T> | undefined,
  ): Promise<T | undefined> {
    const key = JSON.stringify(call)
    const taken = this.#made.get(key) ?? new Set()
    this.#made.set(key, taken)
    if (place) {
      const nth = this.#nthAt(key, place)
      taken.add(nth)
      return act(nth)
    }
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

const toolOf = async ({ tool }: CallRequest) => (typeof tool === 'function' ? tool() : tool)

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
