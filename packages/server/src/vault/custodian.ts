import { type Connections, createConnections } from './connect.ts'
import { createDisconnector, type Disconnector } from './disconnect.ts'
import { createRefresher, type Refresher } from './refresh.ts'
import type { Upkeep } from './upkeep.ts'
import { insideOf, type Vault } from './vault.ts'

/** All that happens to an account in the vault but its use. */
export interface Custodian extends Connections, Refresher, Disconnector, Pick<Vault, 'list' | 'find' | 'audit'> {}

export function createCustodian({ vault, ...rest }: Omit<Upkeep, 'vault'> & { vault: Vault }): Custodian {
  const upkeep = { vault: insideOf(vault), ...rest }
  const { list, find, audit } = vault
  return {
    list,
    find,
    audit,
    ...createConnections(upkeep),
    ...createRefresher(upkeep),
    ...createDisconnector(upkeep),
  }
}
