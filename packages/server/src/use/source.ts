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

const PASSING = ['network', 'server_error', 'temporarily_unavailable', 'storage_unavailable']

export function createSource(door: Door, custodian: Pick<Custodian, 'recheck'>): AccountSource {
  /** Finds out whether an account still works. Returns false if it has ended. */
  async function renewed({ owner, accountId }: Call): Promise<boolean> {
    const after = await custodian.recheck(owner, accountId).catch(leftOut)
    return after?.status === 'connected'
  }

  return {
    async open(call, { forceRefresh } = {}) {
      const use = await door.authorize(call).catch(leftOut)
      if (!use || (forceRefresh && !(await renewed(call)))) return undefined
      return door.open(use).catch(leftOut)
    },
  }
}

/** A refusal leaves the account out. What another sign-in does not help, such as a provider that is away, is thrown. */
function leftOut(error: unknown): undefined {
  if (!(error instanceof LatchkeyError) || error.retryAfter !== undefined || PASSING.includes(error.code)) throw error
}
