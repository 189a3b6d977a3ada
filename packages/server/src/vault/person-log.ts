import { LatchkeyError } from '@latchkey/core'
import type { Activity, LastUses, LogVerdict } from '@latchkey/core/agents'
import type { Owner, VaultStore } from '../stores/store.ts'
import { checkChain, shownUse } from './audit.ts'

/** The audit log as one person may see it. Every query names tenant and user: nothing is sorted out afterwards. */
export interface PersonLog {
  /** Checks the whole log of the tenant, and says of it only what concerns the person. */
  check(owner: Owner, signal?: AbortSignal): Promise<LogVerdict>
  lastUses(owner: Owner): Promise<LastUses>
  /** The number of the newest entry of a tenant. */
  head(tenant: string): Promise<number>
  /** What came after an entry, the oldest first, and the number of the last entry that was looked at. */
  after(
    owner: Owner,
    seq: number,
    limit: number,
  ): Promise<{ uses: Activity[]; last: number | undefined; isAll: boolean }>
}

export function createPersonLog(store: Pick<VaultStore, 'readAudit' | 'auditHead' | 'lastUses'>): PersonLog {
  const checking = new Set<string>()
  let running: Promise<unknown> = Promise.resolve()

  return {
    async check(owner, signal) {
      const who = JSON.stringify([owner.tenant, owner.user])
      if (checking.has(who)) {
        const message = 'The log is being checked already. Wait until that is done.'
        throw new LatchkeyError('temporarily_unavailable', message, { next: 'wait', retryAfter: 5 })
      }
      checking.add(who)
      // One after another: each goes through the whole log, and there is other work to do.
      const mine = running.then(() => verdictOf(store, owner, signal)).finally(() => checking.delete(who))
      running = mine.catch(() => {})
      return mine
    },
    async lastUses(owner) {
      const rows = await store.lastUses(owner)
      return {
        uses: rows.map(({ account, agent, tool, lastAt }) => ({ account, agent, ...(tool && { tool }), at: lastAt })),
        ...(rows.length > 0 && rows.length < MOST_USES && { since: Math.min(...rows.map(({ firstAt }) => firstAt)) }),
      }
    },
    head: async (tenant) => (await store.auditHead(tenant))?.seq ?? 0,
    async after({ tenant, user }, seq, limit) {
      const rows = await store.readAudit(tenant, { user, after: seq, limit })
      return {
        uses: rows.map(shownUse).filter((use) => use !== undefined),
        last: rows.at(-1)?.seq,
        isAll: rows.length < limit,
      }
    },
  }
}

/** A store gives no more of them. */
const MOST_USES = 1000

/** No digest of the log is among it: of two that follow each other, what is between them can be guessed. */
async function verdictOf(
  store: Pick<VaultStore, 'readAudit' | 'auditHead'>,
  { tenant, user }: Owner,
  signal: AbortSignal | undefined,
): Promise<LogVerdict> {
  let entries = 0
  let since: string | undefined
  let until: string | undefined
  const { isWhole } = await checkChain(
    store,
    tenant,
    (row) => {
      const use = row.user === user ? shownUse(row) : undefined
      if (!use) return
      // A use is one entry to its person, however it ended.
      if (use.action !== 'end') entries += 1
      since ??= use.at
      until = use.at
    },
    signal,
  )
  return { ok: isWhole, entries, ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
}
