import { isObject } from '@latchkey/core/server'

/** The wire form of an account in the vault. It names the account and is useless without the session. */
export interface AccountReference {
  /** Provider id. */
  provider: string
  accountId: string
  status?: string
  scopes?: string[]
}

const MAX = 32
const PROVIDER = /^[a-z0-9._-]{1,64}$/
const ACCOUNT = /^[a-z0-9-]+\.[\w-]{22}$/

/** Reads references from untrusted input. Malformed ones are left out. */
export function parseConnectedAccounts(value: unknown): AccountReference[] {
  if (!Array.isArray(value)) return []
  return value.slice(0, MAX).flatMap((entry): AccountReference[] => {
    if (!isObject(entry)) return []
    const { provider, accountId, status, scopes } = entry
    if (typeof provider !== 'string' || !PROVIDER.test(provider)) return []
    if (typeof accountId !== 'string' || !ACCOUNT.test(accountId)) return []
    return [
      {
        provider,
        accountId,
        ...(typeof status === 'string' && { status: status.slice(0, 32) }),
        ...(Array.isArray(scopes) && { scopes: scopes.filter((scope) => typeof scope === 'string').slice(0, 100) }),
      },
    ]
  })
}

/**
 * Removes the references from the body of an agent run: from the top level (AG-UI, AI SDK) or from `params.metadata` (A2A,
 * ACP). Pass them to `broker.resolveAccounts`, which returns the identities that this user's agent may use.
 */
export function takeConnectedAccounts<Body>(body: Body): { connectedAccounts: AccountReference[]; body: Body } {
  if (!isObject(body)) return { connectedAccounts: [], body }
  const { connectedAccounts: top, ...rest }: Record<string, unknown> = body
  const { params } = rest
  const metadata = isObject(params) ? params.metadata : undefined
  let nested: unknown
  if (isObject(params) && isObject(metadata) && 'connectedAccounts' in metadata) {
    const { connectedAccounts, ...others } = metadata
    nested = connectedAccounts
    rest.params = { ...params, metadata: others }
  }
  const found = [...parseConnectedAccounts(nested), ...parseConnectedAccounts(top)]
  return { connectedAccounts: found, body: rest as Body }
}
