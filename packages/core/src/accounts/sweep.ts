import { type AccountStore, PENDING } from './account-store.ts'
import type { Row } from './secret-store.ts'

/** Longer than storage takes to reach another tab. */
const LEFT_FOR = 60_000

/** A row that another tab may still be waiting for, or a turn that a tab did not end. */
type Leftover = Row & { until?: number }

/**
 * Rows whose account is gone, marks of disconnected ones among them, and turns that no tab ended: noted first, and
 * removed a minute later. Not at once, because another tab's account may not have arrived here.
 *
 * @returns how many are left.
 */
export async function sweep({ store, storage, records, writer, database }: AccountStore): Promise<number> {
  const now = Date.now()
  const since = ({ orphan = now, until = now }: Leftover) => Math.min(now, orphan, until)
  let left = 0
  for (const kind of ['secrets', 'leases'] as const) {
    for (const id of (await database?.keys(kind)) ?? []) {
      if (kind === 'secrets' && (store.getState().accounts[id] || (await writer.has(id)))) continue
      const kept = await database?.change<Leftover>(kind, id, (row) =>
        row && now - since(row) <= LEFT_FOR ? { ...row, orphan: since(row) } : undefined,
      )
      if (kept) left += 1
    }
  }
  // What the next start looks at.
  const pending = (await records.names()).some((name) => name.startsWith(PENDING))
  if (left === 0 && !pending && Object.keys(store.getState().accounts).length === 0)
    await storage.removeItem(records.key('v'))
  return left
}
