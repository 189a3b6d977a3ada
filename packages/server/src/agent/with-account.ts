import { LatchkeyError, type Provider } from '@latchkey/core'
import { ALL_CALLS, type AllowRule } from '../outbound/allow-rules.ts'
import { createRedactor, secretsOf } from '../outbound/redact/redactor.ts'
import { type AccountFetchInit, createAccountFetch, type OnUse, openToken, recorderOf } from './account-fetch.ts'
import { bindIdentities } from './bind.ts'
import { AgentContext, AuthorizationRequired, isRequest, openedIn, withoutRequest } from './context.ts'

/** Options of {@link withAccount}. */
export interface WithAccountOptions {
  /** The provider, or its id. {@link ToolAccount.fetch} needs the provider itself. */
  provider: Provider | string
  /** Scopes that the tool needs. */
  scopes?: readonly string[]
  /** Shown to the person when the account is missing. */
  toolName?: string
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
  readonly scopes: readonly string[]
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
 * execute: withAccount({ provider: github(), scopes: ['repo'] }, async (_input, account) => {
 *   const response = await account.fetch('/user/repos')
 *   return await response.json()
 * })
 * ```
 *
 * The returned function rejects with {@link AuthorizationRequired} if the account is missing or lacks a scope. The error's
 * JSON is a `ConnectRequest`.
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
  /** Gets the account for one call of the tool, and what redacts the account's secrets from the result. */
  async function open(callOptions: Options) {
    const context = AgentContext.current()
    const { allow = ALL_CALLS, scopes, toolName, onUse } = options
    const provider = typeof options.provider === 'string' ? undefined : options.provider
    const id = provider ? provider.id : String(options.provider)
    const record = recorderOf(context, onUse, { toolName, provider: id })
    const token = await openToken(context, options.provider, options, record).catch((error) => {
      const toolCallId = (callOptions as { toolCallId?: unknown } | undefined)?.toolCallId
      if (!(error instanceof AuthorizationRequired) || typeof toolCallId !== 'string') throw error
      throw new AuthorizationRequired({ ...error.request, toolCallId })
    })
    record({ action: 'used', accountId: token.accountId })
    const accountFetch = provider && createAccountFetch({ ...options, context, rules: [{ provider, allow, scopes }] })
    const account: ToolAccount = {
      provider: id,
      accountId: token.accountId,
      scopes: token.scopes,
      async getToken() {
        return (await context.getToken(id, options)).access_token
      },
      async fetch(path, init) {
        if (accountFetch) return accountFetch(path.startsWith('/') ? provider.apiBaseUrl + path : path, init)
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
    return { account, clean }
  }

  async function* generate(input: Input, callOptions: Options) {
    const { account, clean } = await open(callOptions)
    try {
      for await (const value of fn(input, account, callOptions) as AsyncIterable<unknown>) yield await clean(value)
    } catch (error) {
      throw await clean(error)
    }
  }
  const isGenerator = Object.prototype.toString.call(fn) === '[object AsyncGeneratorFunction]'
  if (isGenerator) return (input, callOptions) => bindIdentities(generate(input, callOptions))
  return async (input, callOptions) => {
    const { account, clean } = await open(callOptions)
    try {
      return await clean(await fn(input, account, callOptions))
    } catch (error) {
      throw await clean(error)
    }
  }
}
