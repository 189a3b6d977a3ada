import { type DisconnectReceipt, LatchkeyError } from '@latchkey/core'
import { bindingChange } from '@latchkey/core/server'
import type { Owner } from '../stores/store.ts'
import type { Upkeep } from './upkeep.ts'

/** Ends accounts, here and at their providers. */
export interface Disconnector {
  /** Undefined if there is no such account. */
  disconnect(owner: Owner, id: string): Promise<DisconnectReceipt | undefined>
  /** Ends every account of a user. Resolves to a receipt per account id. */
  deleteUser(owner: Owner): Promise<Record<string, DisconnectReceipt>>
}

export function createDisconnector({ vault, providers, endpointOf }: Upkeep): Disconnector {
  async function disconnect(owner: Owner, id: string): Promise<DisconnectReceipt | undefined> {
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

  return {
    disconnect,
    async deleteUser(owner) {
      const accounts = await vault.list(owner)
      const receipts = accounts.map(
        async ({ id }) => [id, (await disconnect(owner, id)) ?? { status: 'removed' }] as const,
      )
      return Object.fromEntries(await Promise.all(receipts))
    },
  }
}
