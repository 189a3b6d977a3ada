import { type DisconnectReceipt, LatchkeyError } from '@latchkey/core'
import { bindingChange } from '@latchkey/core/server'
import type { Owner } from '../stores/store.ts'
import type { Upkeep } from './upkeep.ts'

/** Ends accounts, here and at their providers. */
export interface Disconnector {
  /** Undefined if there is no such account. */
  disconnect(owner: Owner, id: string): Promise<DisconnectReceipt | undefined>
  /** Ends every account of a user, and deletes their rules and documents. Resolves to a receipt per account id. */
  deleteUser(owner: Owner): Promise<Record<string, DisconnectReceipt>>
}

/** Accounts of a user that are deleted at once. */
const AT_ONCE = 8

/** Removes an account, then revokes it at its provider. Undefined if there is no such account. */
export async function disconnect(
  { vault, providers, endpointOf }: Upkeep,
  owner: Owner,
  id: string,
): Promise<DisconnectReceipt | undefined> {
  const removed = await vault.remove(owner, id)
  if (!removed) return undefined
  const { account, secret } = removed
  const provider = providers.get(account.provider)
  const receipt = { status: 'removed', manageUrl: provider?.manageUrl } as const
  const event = { action: 'revoke', provider: account.provider, account: id } as const
  if (provider?.kind !== 'oauth' || !secret?.token || bindingChange(provider, account)) {
    await vault.audit.record(owner, { ...event, outcome: 'allowed', reason: 'removed' })
    return receipt
  }
  try {
    const revoked = await endpointOf(provider).revoke(secret.token)
    await vault.audit.record(owner, { ...event, outcome: 'allowed', reason: revoked.status })
    return revoked.status === 'revoked' ? revoked : receipt
  } catch (cause) {
    const error = new LatchkeyError('temporarily_unavailable', `${provider.name} could not be told.`, { cause })
    await vault.audit.record(owner, { ...event, outcome: 'failed', reason: error.code })
    return { ...receipt, error }
  }
}

export function createDisconnector(upkeep: Upkeep): Disconnector {
  const { vault } = upkeep
  return {
    disconnect: (owner, id) => disconnect(upkeep, owner, id),
    async deleteUser(owner) {
      // First, so that whoever finishes a flow from now on finds it.
      await vault.markDeleted(owner)
      const receipts: Record<string, DisconnectReceipt> = {}
      // A list has a limit, so until one has nothing new.
      for (;;) {
        const found = (await vault.list(owner)).filter(({ id }) => !receipts[id])
        if (found.length === 0) break
        const next = found.values()
        const worker = async () => {
          for (const { id } of next) receipts[id] = (await disconnect(upkeep, owner, id)) ?? { status: 'removed' }
        }
        await Promise.all(Array.from({ length: AT_ONCE }, worker))
      }
      await vault.store.forgetPerson(owner)
      return receipts
    },
  }
}
