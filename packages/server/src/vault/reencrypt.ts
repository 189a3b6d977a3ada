import type { VaultStore } from '../stores/store.ts'
import type { KeyProvider } from './keys.ts'
import { seal, unseal } from './seal.ts'

const BATCH = 100

/** How many rows were encrypted again, and how many could not be decrypted. */
export interface Reencryption {
  rewritten: number
  failed: number
}

/** Encrypts with the current key what another key encrypted, while everything goes on. */
export async function reencrypt(store: VaultStore, keys: KeyProvider): Promise<Reencryption> {
  const failed = new Set<string>()
  let rewritten = 0
  const current = keys.current()
  for (const tenant of await store.tenants()) {
    for (;;) {
      const rows = await store.sealedOtherwise(tenant, current, BATCH)
      let moved = 0
      for (const row of rows) {
        try {
          const resealed = await seal(keys, row, await unseal(keys, row))
          // A row that changed meanwhile was sealed with the current key by that change.
          if (await store.put({ ...row, ...resealed, rev: row.rev + 1 }, row.rev)) moved += 1
        } catch {
          failed.add(JSON.stringify([row.tenant, row.user, row.account]))
        }
      }
      rewritten += moved
      // What does not open would be found again and again.
      if (rows.length < BATCH || moved === 0) break
    }
  }
  return { rewritten, failed: failed.size }
}
