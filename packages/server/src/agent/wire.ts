import { type Identity, parseIdentities } from '@latchkey/core'
import { isObject, readIdentity } from '@latchkey/core/server'
import type { RunAccount } from './choice.ts'

const MAX = 32
/** Of all providers together. */
const MAX_ACCOUNTS = 100
const PROVIDER = /^[a-z0-9._-]{1,64}$/
const ACCOUNT = /^[a-z0-9-]+\.[\w-]{22}$/
/** An account that the browser keeps has the id that the page gives it. A model sees it. */
const HELD = /^[\w.-]{1,100}$/

/** The accounts that a page sends with an agent run, and the rest of the body. */
export interface Taken<Body> {
  /** Accounts that the browser keeps, with their tokens. One per provider: the one that its person chose. */
  identities: Identity[]
  /** Accounts that the vault keeps: account ids by provider. They are useless without the session. */
  references: Map<string, string>
  /** All accounts that the agent may be told to use. An old page sends none of these. */
  choices: RunAccount[]
  body: Body
}

/**
 * Takes `identities`, `connectedAccounts` and `accounts` out of the body of an agent run, so that the rest can be logged and
 * stored. They are read from the top level (AG-UI, AI SDK) and from `params.metadata` (A2A, ACP). If both have an entry for
 * one provider, the top level wins. A reference wins over a token. Malformed entries are dropped. The original body is never
 * changed.
 */
export function takeAccounts<Body>(body: Body): Taken<Body> {
  if (!isObject(body)) return { identities: [], references: new Map(), choices: [], body }
  const { identities, connectedAccounts, accounts, ...rest }: Record<string, unknown> = body
  const { params } = rest
  const metadata = isObject(params) && isObject(params.metadata) ? params.metadata : undefined
  const {
    identities: nested,
    connectedAccounts: nestedReferences,
    accounts: nestedAccounts,
    ...others
  } = metadata ?? {}
  if (metadata) rest.params = { ...(params as object), metadata: others }
  const references = new Map([...readReferences(nestedReferences), ...readReferences(connectedAccounts)])
  const found = new Map([...parseIdentities(nested), ...parseIdentities(identities)].map((one) => [one.provider, one]))
  return {
    identities: [...found.values()].filter(({ provider }) => !references.has(provider)),
    references,
    choices: readChoices(accounts ?? nestedAccounts),
    body: rest as Body,
  }
}

function readReferences(value: unknown): [provider: string, accountId: string][] {
  if (!Array.isArray(value)) return []
  return value.slice(0, MAX).flatMap((entry): [string, string][] => {
    const reference = readReference(entry)
    return reference ? [[reference.provider, reference.accountId]] : []
  })
}

function readReference(entry: unknown): Pick<RunAccount, 'provider' | 'accountId'> | undefined {
  if (!isObject(entry)) return undefined
  const { provider, accountId } = entry
  if (typeof provider !== 'string' || !PROVIDER.test(provider)) return undefined
  return typeof accountId === 'string' && ACCOUNT.test(accountId) ? { provider, accountId } : undefined
}

/** An account is in there once. As above, a reference wins over a token. */
function readChoices(value: unknown): RunAccount[] {
  if (!Array.isArray(value)) return []
  const read = value.slice(0, MAX_ACCOUNTS).flatMap((entry) => readChoice(entry) ?? [])
  const keyOf = ({ provider, accountId }: RunAccount) => `${provider} ${accountId}`
  const kept = new Set(read.filter(({ held }) => !held).map(keyOf))
  return [...new Map(read.filter((one) => !one.held || !kept.has(keyOf(one))).map((one) => [keyOf(one), one])).values()]
}

/** An entry with a token is an account that the browser keeps. One without is a reference. */
function readChoice(entry: unknown): RunAccount | undefined {
  if (!isObject(entry)) return undefined
  const label = typeof entry.label === 'string' ? { label: entry.label.slice(0, 1024) } : {}
  if (entry.accessToken === undefined) {
    const reference = readReference(entry)
    return reference && { ...reference, ...label }
  }
  const held = readIdentity(entry)
  if (held?.accountId === undefined || !HELD.test(held.accountId)) return undefined
  return { provider: held.provider, accountId: held.accountId, ...label, held }
}
