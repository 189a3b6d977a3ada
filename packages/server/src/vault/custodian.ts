import type { ConnectedAccount } from '@latchkey/core'
import { isUsable, pausedStatus } from '@latchkey/core/server'
import type { AccountRow, Owner } from '../stores/store.ts'
import { type Connections, createConnections } from './connect.ts'
import { createDisconnector, type Disconnector } from './disconnect.ts'
import { createRefresher, type Refresher } from './refresh.ts'
import { changeOf, type Upkeep } from './upkeep.ts'
import { insideOf, type Vault } from './vault.ts'

/** All that happens to an account in the vault but its use. */
export interface Custodian extends Connections, Refresher, Disconnector, Pick<Vault, 'list' | 'find' | 'audit'> {
  /** Facts of a row, as they are for the providers of today. */
  factsOf(row: AccountRow): ConnectedAccount
  /** Stops the use of an account, or ends that. Undefined if there is no such account. */
  pause(owner: Owner, id: string, paused: boolean): Promise<ConnectedAccount | undefined>
  /** @throws LatchkeyError `secret_unavailable` if the vault's keys do not open what it holds. */
  tryKeys(): Promise<void>
}

export function createCustodian({ vault, ...rest }: Omit<Upkeep, 'vault'> & { vault: Vault }): Custodian {
  const upkeep = { vault: insideOf(vault), ...rest }
  /** Facts as they are for the providers of today. */
  const now = (account: ConnectedAccount): ConnectedAccount => {
    const reason = isUsable(account.status) ? changeOf(upkeep, account) : undefined
    return reason ? { ...account, status: 'needs-reconnect', reason } : account
  }
  return {
    audit: vault.audit,
    factsOf: (row) => now(upkeep.vault.factsOf(row)),
    list: async (owner) => (await vault.list(owner)).map(now),
    async find(owner, id) {
      const account = await vault.find(owner, id)
      return account && now(account)
    },
    tryKeys: upkeep.vault.tryKeys,
    pause: (owner, id, paused) =>
      upkeep.vault.write(owner, id, async (row) => {
        if (!row) return undefined
        const { account, secret } = await upkeep.vault.openRow(row)
        return { account: { ...account, status: pausedStatus(account, paused) }, secret }
      }),
    ...createConnections(upkeep),
    ...createRefresher(upkeep),
    ...createDisconnector(upkeep),
  }
}
