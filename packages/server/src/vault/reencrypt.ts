import { LatchkeyError } from '@latchkey/core'
import type { VaultStore } from '../stores/store.ts'
import type { KeyProvider } from './keys.ts'
import { seal, unseal } from './seal.ts'

const BATCH = 100

/** How many rows were encrypted again, and how many could not be decrypted. */
export interface Reencryption {
  rewritten: number
  failed: number
  /** Why rows could not be decrypted, in words, and how many each is true of. */
  reasons: Readonly<Record<string, number>>
}

/**
 * Encrypts with the current key what another key encrypted, while everything goes on. Only accounts: flows and documents
 * are over within 24 hours.
 */
export async function reencrypt(store: VaultStore, keys: KeyProvider): Promise<Reencryption> {
  const failed = new Set<string>()
  const reasons: Record<string, number> = {}
  let rewritten = 0
  const current = keys.current()
  for (const tenant of await store.tenants()) {
    // What does not open is found again and again: room for it, and as much for others.
    for (let left = 0, isMore = true; isMore; ) {
      const limit = BATCH + 2 * left
      const rows = await store.sealedOtherwise(tenant, current, limit)
      const before = left
      let moved = 0
      for (const row of rows) {
        const name = JSON.stringify([row.tenant, row.user, row.account])
        if (failed.has(name)) continue
        let plain: string
        try {
          plain = await unseal(keys, row)
        } catch (error) {
          failed.add(name)
          left += 1
          const reason = error instanceof LatchkeyError ? error.message : 'The key provider failed.'
          reasons[reason] = (reasons[reason] ?? 0) + 1
          continue
        }
        // A row that changed meanwhile was sealed with the current key by that change.
        const resealed = await seal(keys, row, plain)
        if (await store.put({ ...row, ...resealed, rev: row.rev + 1 }, row.rev)) moved += 1
      }
      rewritten += moved
      isMore = rows.length === limit && moved + left > before
    }
  }
  return { rewritten, failed: failed.size, reasons }
}
