import { type Identity, LatchkeyError } from '@latchkey/core'
import type { Custodian } from '../vault/custodian.ts'
import type { Call, Door } from './door.ts'

/** Accounts in the vault, for agents and their tools. */
export interface AccountSource {
  /**
   * A fresh secret for one call, or undefined if the agent may not use the account or its access has ended.
   *
   * @param options.forceRefresh true if the API refused the last token.
   */
  open(call: Call, options?: { forceRefresh?: boolean | undefined }): Promise<Identity | undefined>
}

export function createSource(door: Door, custodian: Pick<Custodian, 'find' | 'recheck'>): AccountSource {
  /** Finds out whether an account still works. Returns false if it has ended. */
  async function renewed({ owner, provider, accountId }: Call): Promise<boolean> {
    const before = await custodian.find(owner, accountId)
    const after = await custodian.recheck(owner, accountId).catch(leftOut)
    if (after?.status !== 'connected') return false
    if (!after.renewable || after.rev !== before?.rev) return true
    // The API refused the token, and the provider could not say whether it has ended: no reason to sign in again.
    throw new LatchkeyError('temporarily_unavailable', `${after.label} could not be renewed right now.`, {
      provider,
      account: accountId,
    })
  }

  return {
    async open(call, { forceRefresh } = {}) {
      const use = await door.authorize(call).catch(leftOut)
      if (!use || (forceRefresh && !(await renewed(call)))) return undefined
      return door.open(use).catch(leftOut)
    },
  }
}

/** A refusal leaves the account out. Any other error, such as a vault that cannot be read, is thrown: it asks for no login. */
function leftOut(error: unknown): undefined {
  if (!(error instanceof LatchkeyError) || error.code === 'storage_unavailable') throw error
}
