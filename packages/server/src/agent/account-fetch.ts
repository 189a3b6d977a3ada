import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { isFor, limited } from '@latchkey/core/server'
import { type AllowRule, allowRules } from '../outbound/allow-rules.ts'
import { AGENT_POLICY, secretOf, sendAs, sendRenewing } from '../outbound/api-request.ts'
import {
  type AgentContext,
  type AgentToken,
  AuthorizationRequired,
  type OpenRequest,
  type RequireOptions,
} from './context.ts'

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
  /** @default globalThis.fetch */
  fetch?: typeof globalThis.fetch | undefined
}

/** Request options of {@link AccountFetch}. */
export type AccountFetchInit = Pick<RequestInit, 'method' | 'body' | 'signal'> & { headers?: HeadersInit }

/** Like `fetch`, but only for the allowed APIs, and with the account's token added. */
export type AccountFetch = (url: string, init?: AccountFetchInit) => Promise<Response>

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
 * @throws LatchkeyError `access_denied` if no rule allows the call, `network` if the provider cannot be reached.
 * @throws AuthorizationRequired if the account is missing or its token is refused.
 */
export function createAccountFetch(options: AccountFetchOptions): AccountFetch {
  const { context, toolName, onUse, fetch } = options
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
    let accountId: string | undefined
    const answer = await sendRenewing(
      (forceRefresh) => openToken(context, provider, { scopes, toolName, forceRefresh }, record),
      async (token) => {
        accountId = token.accountId
        const secret = secretOf(provider, token.toIdentity())
        // A key that lacks a field counts as missing.
        if (!secret) throw new AuthorizationRequired({ provider: provider.id })
        const ask = limited({ fetch, limit: TIMEOUT })
        const send = (to: string | URL, sent?: RequestInit) => ask(String(to), sent)
        const response = await sendAs(secret, { ...init, url, method, fetch: send }, AGENT_POLICY)
        record({ action: 'used', provider: provider.id, accountId, status: response.status })
        return response
      },
    )
    if (answer) return answer
    record({ action: 'missing', provider: provider.id })
    throw new AuthorizationRequired({ provider: provider.id, scopes, accountId, toolName })
  }
}

export type RecordUse = (entry: Omit<UseEntry, 'at' | 'userId'>) => void

/** Adds the fields that all entries of one call share. */
export const recorderOf =
  ({ userId }: AgentContext, onUse: OnUse | undefined, common: Partial<UseEntry>): RecordUse =>
  (entry) =>
    onUse?.({ at: Date.now(), userId, ...common, ...entry })

/**
 * The token of an account. A missing account is recorded, and so is one of a provider that has moved: a page that was
 * open meanwhile still sends it. @throws AuthorizationRequired
 */
export async function openToken(
  context: AgentContext,
  provider: Provider | string,
  request: RequireOptions & OpenRequest,
  record: RecordUse,
): Promise<AgentToken> {
  const id = typeof provider === 'string' ? provider : provider.id
  try {
    const token = await context.getToken(id, request)
    if (typeof provider === 'string' || !token.resource || isFor(provider, token.resource)) return token
    throw new AuthorizationRequired({
      provider: id,
      accountId: token.accountId,
      scopes: request.scopes,
      toolName: request.toolName,
    })
  } catch (error) {
    if (error instanceof AuthorizationRequired) record({ action: 'missing', provider: id })
    throw error
  }
}

/** A URL for the log, without its query, which may contain private data. */
function withoutQuery(address: string): string {
  if (!URL.canParse(address)) return 'not an address'
  const { origin, protocol, host, pathname } = new URL(address)
  return (origin === 'null' ? `${protocol}//${host}` : origin) + pathname.slice(0, 200)
}
