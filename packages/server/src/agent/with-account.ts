import { LatchkeyError } from '@latchkey/core'
import { ALL_CALLS, type AllowRule } from '../outbound/allow-rules.ts'
import { createRedactor, secretsOf } from '../outbound/redact/redactor.ts'
import { type Failure, failureOfStatus } from '../use/endings.ts'
import { type AccountTool, judgedTool } from '../use/tools.ts'
import { type AccountFetchInit, accountFetch, type OnUse, openToken, recorded, recorderOf } from './account-fetch.ts'
import { bindIdentities } from './bind.ts'
import { takeName } from './choice.ts'
import { AgentContext, type AuthorizedCall, type CallRequest, openedIn } from './context.ts'
import { failureOf, saysError } from './failure.ts'
import { placeOf } from './place.ts'
import { AuthorizationRequired, isRequest, withoutRequest } from './required.ts'
import { askedAhead, ofToolCall } from './tool-approval.ts'

/** Options of {@link withAccount}: the tool, and how it is run. {@link ToolAccount.fetch} needs the provider itself. */
export interface WithAccountOptions extends AccountTool {
  /**
   * `choose`: the input may name an account, as `account`: a label or id of `context.accountsOf`. The tool's function and the
   * person's rules about arguments do not see this member. Unnamed, it is the only account, or the one account that calls
   * before it have named in this turn. Otherwise the tool refuses, and lists the accounts: it does not guess. The schema of
   * the input gets the member from `offerAccounts`.
   *
   * @default the account that the person chose
   */
  account?: 'choose'
  /**
   * Calls that {@link ToolAccount.fetch} may make.
   *
   * @default ['* /**'], every call to the provider's API
   */
  allow?: AllowRule['allow']
  /** Called for every use of the account, and for every call whose account is missing. */
  onUse?: OnUse
  /**
   * Used by {@link ToolAccount.fetch}.
   *
   * @default globalThis.fetch
   */
  fetch?: typeof globalThis.fetch
}

/** The account that a tool runs with. The token is not a property, so no copy, JSON or console output contains it. */
export interface ToolAccount {
  readonly provider: string
  readonly accountId: string | undefined
  /** What the person calls the account, made safe to show to a model; its id, if the page did not say. */
  readonly label: string | undefined
  readonly scopes: readonly string[]
  /** Aborted when its person stops the call. {@link ToolAccount.fetch} ends by itself. */
  readonly signal: AbortSignal | undefined
  /** The token, for this call only. */
  getToken(): Promise<string>
  /** Calls the provider's API as this person: a path below `apiBaseUrl`, or a full URL of the API. */
  fetch(path: string, init?: AccountFetchInit): Promise<Response>
}

/**
 * Gives a tool the account of the person that it runs for: a tool of the AI SDK, of an MCP server, or any other that is
 * called as `execute(input, options)`. The token is redacted from what the tool returns or throws.
 *
 * ```ts
 * execute: withAccount({ provider: github(), toolName: 'list_repositories', effect: 'read' }, async (_input, account) => {
 *   const response = await account.fetch('/user/repos')
 *   return await response.json()
 * })
 * ```
 *
 * What it does is judged by the rules of the person, before anything is opened. The returned function rejects with
 * {@link AuthorizationRequired} if the account is missing or lacks a scope, with `ApprovalRequired` if the person is asked
 * first, and with `NotAllowed` if they do not allow it. The JSON of the first two is what a page shows a card for. A write
 * that was made already in this turn of the person is not made again: it answers what it answered. With `account: 'choose'`
 * it rejects with a LatchkeyError `invalid_request` if the input does not say which of several accounts to use.
 */
export function withAccount<Input, Options, Output>(
  options: WithAccountOptions,
  fn: (input: Input, account: ToolAccount, options: Options) => AsyncGenerator<Output>,
): (input: Input, options: Options) => AsyncIterable<Output>
export function withAccount<Input, Options, Output>(
  options: WithAccountOptions,
  fn: (input: Input, account: ToolAccount, options: Options) => Output | Promise<Output>,
): (input: Input, options: Options) => Promise<Output>
export function withAccount<Input, Options>(
  options: WithAccountOptions,
  fn: (input: Input, account: ToolAccount, options: Options) => unknown,
): (input: Input, options: Options) => unknown {
  const { allow = ALL_CALLS, scopes, toolName, onUse } = options
  const provider = typeof options.provider === 'string' ? undefined : options.provider
  const id = provider ? provider.id : String(options.provider)
  const tool = judgedTool(options)
  const choose = options.account === 'choose'

  const callOf = (input: unknown, options: unknown, asCalled = toolName): CallRequest => {
    const { name, rest } = choose ? takeName(input) : { name: undefined, rest: input }
    const place = placeOf(options, input, asCalled)
    return { scopes, toolName, tool, args: rest, account: name, choose, place }
  }

  /** Gets the account for one call of the tool, and what redacts the account's secrets from the result. */
  async function open(input: Input, callOptions: Options) {
    const context = AgentContext.current()
    const record = recorderOf(context, onUse, { toolName, provider: id })
    const { call, token } = await recorded(record, id, () => context.authorize(id, callOf(input, callOptions)))
      .then(async (call) => ({
        call,
        token: call.done ? undefined : await openToken(call, options.provider, options, record).catch(unsent(call)),
      }))
      .catch((error) => {
        throw ofToolCall(error, callOptions)
      })
    if (token) record({ action: 'used', accountId: token.accountId })
    let isSent = false
    const seen = createSeen()
    const fetchAs =
      provider &&
      accountFetch(
        { ...options, context, rules: [{ provider, allow, scopes }], onUse: seen.by(onUse) },
        async ({ init }) => ({ call, init }),
      )
    const account: ToolAccount = {
      provider: id,
      accountId: token?.accountId,
      label: call.label,
      scopes: token?.scopes ?? [],
      signal: call.signal,
      async getToken() {
        isSent = true
        seen.unseen()
        return (await call.token()).access_token
      },
      async fetch(path, init) {
        isSent = true
        seen.begin()
        if (fetchAs) return fetchAs(path.startsWith('/') ? provider.apiBaseUrl + path : path, init)
        const message = 'account.fetch needs the provider itself: withAccount({ provider: github() }).'
        throw new LatchkeyError('misuse', message)
      },
    }
    /** Made for each use, because the token may have been renewed since. Of other accounts the token is secret. */
    const clean = async <T>(value: T): Promise<T> => {
      if (isRequest(value)) return value
      const known = openedIn(context).map((one) => (one.provider === id ? one : { ...one, fields: {} }))
      return createRedactor(secretsOf(known, provider && [provider])).later(withoutRequest(value))
    }
    /** A refused token did nothing, nor did a tool that never asked for it. Anything else may have happened. */
    const failed = async (error: unknown): Promise<unknown> => {
      const isUnsent = !isSent || error instanceof AuthorizationRequired
      await call.end(isUnsent ? 'unsent' : 'unknown', seen.failureOf(error))
      return clean(error)
    }
    const done = (result: unknown) => call.end({ result }, seen.failureIn(result))
    return { call, account, clean, done, failed, input: call.args as Input }
  }

  async function* generate(given: Input, callOptions: Options) {
    const { call, account, clean, done, failed, input } = await open(given, callOptions)
    if (call.done) {
      yield call.done.result
      return
    }
    try {
      let last: unknown
      for await (const value of fn(input, account, callOptions) as AsyncIterable<unknown>) {
        last = await clean(value)
        yield last
      }
      await done(last)
    } catch (error) {
      throw await failed(error)
    } finally {
      // Its reader may stop early.
      await call.end('unknown', 'cancelled')
    }
  }
  async function run(given: Input, callOptions: Options) {
    const { call, account, clean, done, failed, input } = await open(given, callOptions)
    if (call.done) return call.done.result
    try {
      const result = await clean(await fn(input, account, callOptions))
      await done(result)
      return result
    } catch (error) {
      throw await failed(error)
    }
  }
  const isGenerator = Object.prototype.toString.call(fn) === '[object AsyncGeneratorFunction]'
  const execute = (input: Input, callOptions: Options) =>
    isGenerator ? bindIdentities(generate(input, callOptions)) : run(input, callOptions)
  return askedAhead(execute, (input, options) =>
    AgentContext.current().askAhead(id, callOf(input, options, options.toolName)),
  )
}

/**
 * What the API answered to the requests of one call. A tool that returns has done its work, whatever it made of a refusal
 * among the answers. One that got nothing but refusals has nothing to return: most hand the last one on as if it were a
 * result.
 */
function createSeen() {
  let last: number | undefined
  let isAnswered = false
  let hasChanged = false
  const refused = () => (last === undefined ? undefined : failureOfStatus(last))
  return {
    begin() {
      last = undefined
    },
    /** What is done with a token is not seen. */
    unseen() {
      isAnswered = true
      hasChanged = true
    },
    by:
      (onUse: OnUse | undefined): OnUse =>
      (entry) => {
        const { status, method = 'GET' } = entry
        if (status !== undefined) {
          last = status
          isAnswered ||= status < 400
          hasChanged ||= status < 400 && method !== 'GET' && method !== 'HEAD'
        }
        onUse?.(entry)
      },
    failureIn: (result: unknown): Failure | undefined =>
      isAnswered && !saysError(result) ? undefined : (refused() ?? (saysError(result) ? 'tool_error' : undefined)),
    /** A refusal is the end of it, unless something was changed before. */
    failureOf: (error: unknown): Failure => (hasChanged ? undefined : refused()) ?? failureOf(error),
  }
}

/** Ends a call whose token could not be had, and throws why. */
const unsent = (call: AuthorizedCall) => async (error: unknown) => {
  await call.end('unsent', failureOf(error))
  throw error
}
