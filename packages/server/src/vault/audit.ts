import { createHash } from 'node:crypto'
import { type AuditEntry, type AuditRow, GENESIS, type Owner, type VaultStore } from '../stores/store.ts'

/** What happened to an account. Names and reasons only: there is no field that a secret could be put into. */
export interface AuditEvent {
  action: 'connect' | 'refresh' | 'use' | 'revoke' | 'deny' | 'tamper'
  provider?: string
  account?: string
  agent?: string
  tool?: string
  /** Host that the secret was handed out for. */
  host?: string
  outcome: 'allowed' | 'denied' | 'failed'
  /** A code of ours: why it was denied or failed. */
  reason?: string
}

/** One entry of the audit log, opened. */
export interface AuditRecord extends AuditEvent {
  seq: number
  /** ISO 8601, UTC. */
  at: string
  user: string
  hash: string
}

/** Whether the hash chain of the audit log holds. */
export type AuditVerdict =
  | { ok: true; entries: number; head: string }
  /** The first entry that is not what was written. */
  | { ok: false; entries: number; brokenAt: number }

/**
 * What was done with accounts, and why not: each entry holds the digest of the one before, so one that is changed, put in
 * or taken out shows. Copy `head` somewhere else from time to time, and a rewritten log shows too.
 */
export interface Audit {
  /** Resolves when it is stored: nothing is handed out before. */
  record(owner: Owner, event: AuditEvent): Promise<void>
  /** What concerns one user, oldest first. */
  query(owner: Owner, options?: { after?: number; limit?: number }): Promise<AuditRecord[]>
  /** The whole log of a tenant as JSON lines. */
  exportLines(tenant: string): AsyncIterable<string>
  /** @param head a digest that was copied elsewhere, and has to be in the log still. */
  verify(tenant: string, options?: { head?: string }): Promise<AuditVerdict>
}

const FIELDS = ['action', 'provider', 'account', 'agent', 'tool', 'host', 'outcome', 'reason'] as const
const MAX_FIELD = 200
const PAGE = 1000

const auditHash = (previous: string, { tenant, seq, at, user, event }: Omit<AuditRow, 'hash'>) =>
  createHash('sha256')
    .update(JSON.stringify([previous, tenant, seq, at, user, event]))
    .digest('hex')

export function createAudit(store: VaultStore): Audit {
  interface Queue {
    waiting: AuditEntry[]
    written: Promise<void>
  }
  const queues = new Map<string, Queue>()

  /** Entries that come while others are written are written together: the chain has one end, which all wait for. */
  function append(tenant: string, entry: AuditEntry): Promise<void> {
    const queue = queues.get(tenant) ?? { waiting: [], written: Promise.resolve() }
    queues.set(tenant, queue)
    if (queue.waiting.push(entry) === 1) {
      queue.written = queue.written
        .catch(() => {})
        .then(() => store.appendAudit(tenant, queue.waiting.splice(0), auditHash))
        .finally(() => queue.waiting.length > 0 || queues.delete(tenant))
    }
    return queue.written
  }

  async function* pages(tenant: string): AsyncIterable<AuditRow> {
    for (let after = 0; ; ) {
      const rows = await store.readAudit(tenant, { after, limit: PAGE })
      yield* rows
      if (rows.length < PAGE) return
      after = rows.at(-1)?.seq ?? 0
    }
  }

  return {
    record({ tenant, user }, event) {
      const kept = FIELDS.map((name) => [name, event[name]?.slice(0, MAX_FIELD)])
      return append(tenant, { at: Date.now(), user, event: JSON.stringify(Object.fromEntries(kept)) })
    },
    async query({ tenant, user }, { after, limit = 100 } = {}) {
      return (await store.readAudit(tenant, { user, after, limit: Math.min(limit, PAGE) })).map(toRecord)
    },
    async *exportLines(tenant) {
      for await (const row of pages(tenant)) yield `${JSON.stringify(toRecord(row))}\n`
    },
    async verify(tenant, { head: anchor } = {}) {
      // Read first: entries that are added meanwhile only come after it.
      const head = await store.auditHead(tenant)
      let previous = GENESIS
      let entries = 0
      let reached = false
      let anchored = anchor === undefined
      for await (const row of pages(tenant)) {
        const { hash, ...rest } = row
        if (row.seq !== entries + 1 || auditHash(previous, rest) !== hash) {
          return { ok: false, entries, brokenAt: entries + 1 }
        }
        previous = hash
        entries += 1
        reached ||= head?.seq === row.seq && head.hash === hash
        anchored ||= hash === anchor
      }
      // The head is written with the first entry: a log without one was cut, or began just now.
      if (!head) reached = entries === 0 || ((await store.auditHead(tenant))?.seq ?? 0) >= entries
      return reached && anchored ? { ok: true, entries, head: previous } : { ok: false, entries, brokenAt: entries + 1 }
    },
  }
}

const toRecord = ({ seq, at, user, event, hash }: AuditRow): AuditRecord => ({
  seq,
  at: new Date(at).toISOString(),
  user,
  ...JSON.parse(event),
  hash,
})
