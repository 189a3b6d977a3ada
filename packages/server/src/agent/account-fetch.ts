import { createHash } from 'node:crypto'
import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { isFor, limited } from '@latchkey/core/server'
import { type AllowRule, allowRules } from '../outbound/allow-rules.ts'
import { AGENT_POLICY, secretOf, sendAs, sendRenewing } from '../outbound/api-request.ts'
import { failureOfStatus } from '../use/endings.ts'
import { effectOfMethod, judgedTool } from '../use/tools.ts'
import type { AgentContext, AuthorizedCall, TokenRequest } from './context.ts'
import { failureOf } from './failure.ts'
import { AuthorizationRequired } from './required.ts'
import type { AgentToken } from './token.ts'

/** One use of an account, or an attempt, for an audit log. It contains no secret and no query string. */
export interface UseEntry {
  /** Milliseconds since the epoch. */
  at: number
  userId: string
  action: 'used' | 'refused' | 'missing'
  toolName?: string
  provider?: string
  accountId?: string
  method?: string
  url?: string
  /** The provider's HTTP status. */
  status?: number
  /** The reason for a refusal. */
  reason?: string
}

/** Called for each use of an account. */
export type OnUse = (entry: UseEntry) => void

/** An account that a run has used. */
export type UsedAccount = Pick<Identity, 'provider' | 'accountId'>

/** Options of {@link createAccountFetch}. */
export interface AccountFetchOptions {
  rules: readonly AllowRule[]
  /** Whose accounts are used. */
  context: AgentContext
  toolName?: string | undefined
  onUse?: OnUse | undefined
  /**
   * `choose`: a request that names none of several accounts is refused, and the error lists them. Unless one account was named
   * before in this turn.
   *
   * @default the account that the person chose, for a request that names none
   */
  account?: 'choose' | undefined
  /** @default globalThis.fetch */
  fetch?: typeof globalThis.fetch | undefined
}

/** Request options of {@link AccountFetch}. */
export type AccountFetchInit = Pick<RequestInit, 'method' | 'body' | 'signal'> & { headers?: HeadersInit }

/** Like `fetch`, but only for the allowed APIs, and with the account's token added. */
export type AccountFetch = (url: string, init?: NamedFetchInit) => Promise<Response>

/** Request options that may name the account. */
export type NamedFetchInit = AccountFetchInit & {
  /** A label or id of `context.accountsOf`. */
  account?: string | undefined
}

/** Whose answer a response is. */
const answerers = new WeakMap<Response, string>()

/** The account that an answer was made with. */
export const accountOf = (response: Response): string | undefined => answerers.get(response)

/** Milliseconds. */
const TIMEOUT = 30_000

/**
 * A `fetch` that adds a person's token to a request, so that the caller never holds it. It calls only the exact origin of a
 * provider's API, over https (or the provider's `baseUrl`), with the methods and paths that a rule allows. Any other call is
 * refused before DNS lookup, and recorded. Redirects are returned, not followed. Credentials that the caller sets are
 * dropped. The answer is redacted, and at most 4 MB.
 *
 * If the API refuses the token, it is renewed once, if the context can. If that fails, {@link AuthorizationRequired} is
 * thrown.
 *
 * @throws LatchkeyError `access_denied` if no rule allows the call, `network` if the provider cannot be reached,
 *   `invalid_request` for an account that there is not, or is not named where it has to be.
 * @throws AuthorizationRequired if the account is missing or its token is refused.
 */
export function createAccountFetch(options: AccountFetchOptions): AccountFetch {
  const { context, toolName = 'fetch' } = options
  const choose = options.account === 'choose'
  return accountFetch(options, async ({ provider, scopes, method, url, init: { account, ...init } }) => {
    const tool = judgedTool({
      provider,
      // A method is a tool: what was said of one is not said of another.
      toolName: `${toolName}.${method}`,
      title: `Call ${provider.name}`,
      effect: effectOfMethod(method),
      scopes,
    })
    const { body, type, shown } = await readBody(init.body)
    const args = { method, path: url.pathname + url.search, ...(shown !== undefined && { body: shown }) }
    const headers = new Headers(init.headers)
    if (type && !headers.has('content-type')) headers.set('content-type', type)
    return {
      call: await context.authorize(provider.id, { scopes, toolName, tool, args, account, choose }),
      init: { ...init, headers, body },
      ends: true,
    }
  })
}

/** One request, as it is judged. */
interface AskedRequest {
  provider: Provider
  scopes: readonly string[] | undefined
  method: string
  url: URL
  init: NamedFetchInit
}

/** Permission for a request. `ends`: the call ends with this request. */
interface Permission {
  call: AuthorizedCall
  init: AccountFetchInit
  ends?: boolean
}

/** {@link createAccountFetch} with the permission that `permit` gets for each request. */
export function accountFetch(
  options: AccountFetchOptions,
  permit: (request: AskedRequest) => Promise<Permission>,
): AccountFetch {
  const { context, toolName, onUse } = options
  const judge = allowRules(options.rules)

  return async (address, init = {}) => {
    const method = (init.method ?? 'GET').toUpperCase()
    const record = recorderOf(context, onUse, { toolName, method, url: withoutQuery(address) })
    const verdict = judge(method, address)
    if ('reason' in verdict) {
      record({ action: 'refused', reason: verdict.reason })
      throw new LatchkeyError('access_denied', `This call is not allowed: ${verdict.reason}`, { next: 'none' })
    }
    const { url, rule } = verdict
    const { provider, scopes } = rule
    const permission = await recorded(record, provider.id, () => permit({ provider, scopes, method, url, init }))
    const { call, ends } = permission
    const whose = (answer: Response) => {
      if (call.accountId !== undefined) answerers.set(answer, call.accountId)
      return answer
    }
    if (call.done) return whose(answered(call.done.result))
    const request = { ...permission.init, url, method }
    let status: number | undefined
    const noted: RecordUse = (entry) => {
      status = entry.status ?? status
      record(entry)
    }
    try {
      const answer = await send(options, { provider, scopes, call, request, record: noted })
      const result = method === 'GET' || method === 'HEAD' ? {} : { result: await kept(answer) }
      // The status is all that is known of it.
      if (ends) await call.end(result, failureOfStatus(answer.status))
      return whose(answer)
    } catch (error) {
      // A refused token did nothing. Anything else may have happened.
      const isRefused = error instanceof AuthorizationRequired
      const failure = (isRefused && status !== undefined && failureOfStatus(status)) || failureOf(error)
      if (ends) await call.end(isRefused ? 'unsent' : 'unknown', failure)
      throw error
    }
  }
}

/** What one request is sent with. */
interface Sending {
  provider: Provider
  scopes: readonly string[] | undefined
  call: AuthorizedCall
  request: AccountFetchInit & { url: URL; method: string }
  record: RecordUse
}

async function send(
  { toolName, fetch }: AccountFetchOptions,
  { provider, scopes, call, request, record }: Sending,
): Promise<Response> {
  const signals = [request.signal, call.signal].filter((one) => one !== undefined && one !== null)
  const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined
  let accountId: string | undefined
  const answer = await sendRenewing(
    (forceRefresh) => openToken(call, provider, { scopes, toolName, forceRefresh }, record),
    async (token) => {
      accountId = token.accountId
      const secret = secretOf(provider, token.toIdentity())
      // A key that lacks a field counts as missing.
      if (!secret) throw new AuthorizationRequired({ provider: provider.id })
      const ask = limited({ fetch, limit: TIMEOUT })
      const sendTo = (to: string | URL, sent?: RequestInit) => ask(String(to), sent)
      const response = await sendAs(secret, { ...request, signal, fetch: sendTo }, AGENT_POLICY)
      record({ action: 'used', provider: provider.id, accountId, status: response.status })
      return response
    },
  )
  if (answer) return answer
  record({ action: 'missing', provider: provider.id })
  throw new AuthorizationRequired({ provider: provider.id, scopes, accountId, toolName })
}

/** A body that its person can be shown, and that can be compared. What is not text is told by its digest. */
async function readBody(body: RequestInit['body']): Promise<{ body?: BodyInit; type?: string; shown?: string }> {
  if (body === undefined || body === null) return {}
  if (typeof body === 'string') return { body, shown: body }
  const read = new Response(body)
  const bytes = await read.bytes()
  const type = read.headers.get('content-type') ?? undefined
  const shown = `SHA-256 ${createHash('sha256').update(bytes).digest('base64url')}`
  return { body: bytes, shown, ...(type && { type }) }
}

/** An answer as the ledger keeps it. */
const kept = async (answer: Response) => ({
  status: answer.status,
  type: answer.headers.get('content-type'),
  body: await answer.clone().text(),
})

/** What the same request answered before, in this turn of its person. */
function answered(result: unknown): Response {
  const { status = 200, type, body = '' } = (result ?? {}) as { status?: number; type?: string | null; body?: string }
  return new Response(status === 204 || status === 304 ? null : body, {
    status,
    headers: type ? { 'content-type': type } : {},
  })
}

export type RecordUse = (entry: Omit<UseEntry, 'at' | 'userId'>) => void

/** Adds the fields that all entries of one call share. */
export const recorderOf =
  ({ userId }: AgentContext, onUse: OnUse | undefined, common: Partial<UseEntry>): RecordUse =>
  (entry) =>
    onUse?.({ at: Date.now(), userId, ...common, ...entry })

/** Records an account that is missing. */
export async function recorded<T>(record: RecordUse, provider: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AuthorizationRequired) record({ action: 'missing', provider })
    throw error
  }
}

/**
 * The token of a call. A missing account is recorded, and so is one of a provider that has moved: a page that was open
 * meanwhile still sends it. @throws AuthorizationRequired
 */
export const openToken = (
  call: AuthorizedCall,
  provider: Provider | string,
  { scopes, toolName, forceRefresh }: TokenRequest,
  record: RecordUse,
): Promise<AgentToken> => {
  const id = typeof provider === 'string' ? provider : provider.id
  return recorded(record, id, async () => {
    const token = await call.token({ forceRefresh })
    if (typeof provider === 'string' || !token.resource || isFor(provider, token.resource)) return token
    throw new AuthorizationRequired({ provider: id, accountId: token.accountId, scopes, toolName })
  })
}

/** A URL for the log, without its query, which may contain private data. */
function withoutQuery(address: string): string {
  if (!URL.canParse(address)) return 'not an address'
  const { origin, protocol, host, pathname } = new URL(address)
  return (origin === 'null' ? `${protocol}//${host}` : origin) + pathname.slice(0, 200)
}
