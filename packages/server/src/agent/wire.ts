import { type Identity, parseIdentities } from '@latchkey/core'
import { isObject } from '@latchkey/core/server'

const MAX = 32
const PROVIDER = /^[a-z0-9._-]{1,64}$/
const ACCOUNT = /^[a-z0-9-]+\.[\w-]{22}$/

/** The accounts that a page sends with an agent run, and the rest of the body. */
export interface Taken<Body> {
  /** Accounts that the browser keeps, with their tokens. One per provider. */
  identities: Identity[]
  /** Accounts that the vault keeps: account ids by provider. They are useless without the session. */
  references: Map<string, string>
  body: Body
}

/**
 * Takes `identities` and `connectedAccounts` out of the body of an agent run, so that the rest can be logged and stored.
 * They are read from the top level (AG-UI, AI SDK) and from `params.metadata` (A2A, ACP). If both have an entry for one
 * provider, the top level wins. A reference wins over a token. Malformed entries are dropped. The original body is never
 * changed.
 */
export function takeAccounts<Body>(body: Body): Taken<Body> {
  if (!isObject(body)) return { identities: [], references: new Map(), body }
  const { identities, connectedAccounts, ...rest }: Record<string, unknown> = body
  const { params } = rest
  const metadata = isObject(params) && isObject(params.metadata) ? params.metadata : undefined
  const { identities: nested, connectedAccounts: nestedReferences, ...others } = metadata ?? {}
  if (metadata) rest.params = { ...(params as object), metadata: others }
  const references = new Map([...readReferences(nestedReferences), ...readReferences(connectedAccounts)])
  const found = new Map([...parseIdentities(nested), ...parseIdentities(identities)].map((one) => [one.provider, one]))
  return {
    identities: [...found.values()].filter(({ provider }) => !references.has(provider)),
    references,
    body: rest as Body,
  }
}

function readReferences(value: unknown): [provider: string, accountId: string][] {
  if (!Array.isArray(value)) return []
  return value.slice(0, MAX).flatMap((entry): [string, string][] => {
    if (!isObject(entry)) return []
    const { provider, accountId } = entry
    if (typeof provider !== 'string' || !PROVIDER.test(provider)) return []
    return typeof accountId === 'string' && ACCOUNT.test(accountId) ? [[provider, accountId]] : []
  })
}
