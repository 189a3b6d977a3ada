import { type ConnectedAccount, type Identity, LatchkeyError } from '@latchkey/core'
import { isUsable } from '@latchkey/core/server'
import type { Owner } from '../stores/store.ts'
import type { Custodian } from '../vault/custodian.ts'
import type { Call, Door, ResolveOptions } from './door.ts'

/** An account's token with its facts, as a vault or database returns it. */
export interface OAuthToken {
  /** @see RFC 6749 §5.1 */
  access_token: string
  /** Granted scopes, if known. */
  scopes?: readonly string[]
  /** Milliseconds since the epoch. */
  expiresAt?: number
  accountId?: string
  /** The other fields of an API key. */
  fields?: Readonly<Record<string, string>>
}

/** What a fresh token must have. */
export interface TokenRequest {
  scopes?: readonly string[]
  /**
   * Which account of the provider.
   *
   * @default the one that was connected last
   */
  accountId?: string
  /** True to get a new token because the provider refused the last one. */
  forceRefresh?: boolean
}

/** Accounts in the vault, for agents and their tools. What an agent may not use is left out. */
export interface AccountSource {
  /** The identities behind references. */
  resolve(owner: Owner, references: readonly AccountChoice[], about: ResolveOptions): Promise<Identity[]>
  /** What a tool of this user runs with: the account that is asked for, or else the newest that can be used. */
  token(owner: Owner, provider: string, request: TokenRequest, about: ResolveOptions): Promise<OAuthToken | undefined>
}

type AccountChoice = Pick<Call, 'provider' | 'accountId'>

export function createSource(door: Door, custodian: Pick<Custodian, 'list' | 'find' | 'recheck'>): AccountSource {
  /** The account that was connected last, of those that can be used. */
  async function newest(owner: Owner, provider: string): Promise<ConnectedAccount | undefined> {
    const accounts = (await custodian.list(owner)).filter((account) => account.provider === provider)
    const usable = accounts.filter(({ status }) => isUsable(status))
    // An account that only time has ended is tried once more, so that its end is stored.
    const ended = accounts.filter(({ reason }) => reason === 'expired')
    return (usable.length > 0 ? usable : ended).sort((one, other) => other.connectedAt - one.connectedAt)[0]
  }

  /** Finds out whether an account still works. Returns false if it has ended. */
  async function renewed({ owner, provider, accountId }: Call): Promise<boolean> {
    const before = await custodian.find(owner, accountId)
    const after = await custodian.recheck(owner, accountId)
    if (after?.status !== 'connected') return false
    if (!after.renewable || after.rev !== before?.rev) return true
    // The API refused the token, and the provider could not say whether it has ended: no reason to sign in again.
    throw new LatchkeyError('temporarily_unavailable', `${after.label} could not be renewed right now.`, {
      provider,
      account: accountId,
    })
  }

  return {
    async resolve(owner, references, about) {
      // One per provider, as a request carries them: the last one wins.
      const wanted = new Map(references.map((reference) => [reference.provider, reference]))
      const found = await Promise.all(
        [...wanted.values()].map(async ({ provider, accountId }) => {
          const call = { owner, provider, accountId, ...about }
          return door.authorize(call).then(door.open).catch(leftOut)
        }),
      )
      return found.filter((identity) => identity !== undefined)
    },
    async token(owner, provider, { accountId: chosen, forceRefresh }, about) {
      const accountId = chosen ?? (await newest(owner, provider))?.id
      if (accountId === undefined) return undefined
      const call = { owner, provider, accountId, ...about }
      const use = await door.authorize(call).catch(leftOut)
      if (!use || (forceRefresh && !(await renewed(call)))) return undefined
      const identity = await door.open(use).catch(leftOut)
      if (!identity) return undefined
      const { accessToken, scopes, expiresAt, fields } = identity
      return {
        access_token: accessToken,
        accountId,
        ...(scopes && { scopes }),
        ...(expiresAt !== undefined && { expiresAt }),
        ...(fields && { fields }),
      }
    },
  }
}

/** A refusal leaves the account out. Any other error, such as an audit log that cannot be written, is thrown. */
function leftOut(error: unknown): undefined {
  if (!(error instanceof LatchkeyError)) throw error
}
