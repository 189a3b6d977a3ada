import { LatchkeyError } from '@latchkey/core'
import { type AllowRule, allowRules } from '../outbound/allow-rules.ts'
import { AGENT_POLICY, secretOf, sendAs, sendRenewing } from '../outbound/api-request.ts'
import type { AgentContext, AgentToken, TokenRequest } from './context.ts'
import { AuthorizationRequired, type RequireOptions } from './identities.ts'

/** One use of an account, or an attempt, for an audit log. Holds no secret, and of an address no query. */
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
  /** What the provider answered. */
  status?: number
  /** Why it was refused. */
  reason?: string
}

/** Told of each use of an account. */
export type OnUse = (entry: UseEntry) => void

/** An account that a run has used. */
export interface UsedAccount {
  /** Provider id. */
  provider: string
  accountId?: string
}

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

/** What a call of {@link AccountFetch} may say. */
export type AccountFetchInit = Pick<RequestInit, 'method' | 'body' | 'signal'> & { headers?: HeadersInit }

/** Like `fetch`, for the APIs of some providers only, and with the account added. */
export type AccountFetch = (url: string, init?: AccountFetchInit) => Promise<Response>

/** Milliseconds. */
const TIMEOUT = 30_000

/**
 * A `fetch` that adds a person's token to a request, so that the caller never holds it. It goes to the exact origin of a
 * provider's own API, over https (or at the provider's own `baseUrl`), for the methods and paths of its rule. Anything
 * else is refused before a name is looked up, and recorded. Redirects are handed back, not followed. Credentials of the
 * caller's own are dropped. The answer is redacted, and at most 4 MB long.
 *
 * A token that is not accepted is renewed once where the context can do that; then the call asks for the account.
 *
 * @throws LatchkeyError `access_denied` when the call is not allowed, `network` when the provider cannot be reached.
 * @throws AuthorizationRequired when the account is missing or not accepted any more.
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
      (forceRefresh) => openToken(context, provider.id, { scopes, toolName, forceRefresh }, record),
      async (token) => {
        accountId = token.accountId
        const secret = secretOf(provider, token.toIdentity())
        // A key without its other half is as good as none.
        if (!secret) throw new AuthorizationRequired({ provider: provider.id })
        const timeout = AbortSignal.timeout(TIMEOUT)
        const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout
        const response = await sendAs(secret, { ...init, url, method, signal, fetch }, AGENT_POLICY)
        record({ action: 'used', provider: provider.id, accountId, status: response.status })
        return response
      },
    )
    if (answer) return answer
    record({ action: 'missing', provider: provider.id })
    throw new AuthorizationRequired({
      provider: provider.id,
      ...(scopes && { scopes: [...scopes] }),
      ...(accountId !== undefined && { accountId }),
      ...(toolName && { toolName }),
    })
  }
}

type Entry = { [Key in keyof Omit<UseEntry, 'at' | 'userId'>]?: UseEntry[Key] | undefined }

export type RecordUse = (entry: Entry & Pick<UseEntry, 'action'>) => void

/** Fills in what the entries of one call have in common; members that are undefined are left out. */
export function recorderOf(context: AgentContext, onUse: OnUse | undefined, common: Entry): RecordUse {
  return (entry) => {
    const known = Object.entries({ ...common, ...entry }).filter(([, value]) => value !== undefined)
    onUse?.({ at: Date.now(), userId: context.userId, ...Object.fromEntries(known) } as UseEntry)
  }
}

/** The token of an account; one that is missing is recorded. @throws AuthorizationRequired */
export async function openToken(
  context: AgentContext,
  provider: string,
  request: RequireOptions & TokenRequest,
  record: RecordUse,
): Promise<AgentToken> {
  try {
    return await context.getToken(provider, request)
  } catch (error) {
    if (error instanceof AuthorizationRequired) record({ action: 'missing', provider })
    throw error
  }
}

/** An address for the log. Its query may carry data out. */
function withoutQuery(address: string): string {
  if (!URL.canParse(address)) return 'not an address'
  const { origin, protocol, host, pathname } = new URL(address)
  return (origin === 'null' ? `${protocol}//${host}` : origin) + pathname.slice(0, 200)
}
