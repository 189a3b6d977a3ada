import { hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { LatchkeyError } from '@latchkey/core'
import type { Activity, Decision, Effect, Preset } from '@latchkey/core/agents'
import {
  type AuditEntry,
  type AuditHash,
  type AuditRow,
  GENESIS,
  type Owner,
  type VaultStore,
} from '../stores/store.ts'

/** What happened to an account. Names and reasons only: there is no field that a secret could be put into. */
export interface AuditEvent {
  action:
    | 'connect'
    | 'refresh'
    | 'use'
    /** A use ended, and not well. */
    | 'end'
    | 'revoke'
    | 'deny'
    | 'tamper'
    /** Its person was asked, and answered. */
    | 'ask'
    | 'answer'
    /** Its person changed a rule, stopped agents or accounts, and let them go on. */
    | 'rule'
    | 'stop'
    | 'resume'
    /** A secret was about to leave a run, in an answer or in what is stored. */
    | 'leak'
  provider?: string
  account?: string
  agent?: string
  tool?: string
  /** Of a use and of its end: the same id, which no other use has. */
  use?: string
  /** What the tool calls, as the app declares it. */
  route?: string
  /** Host that the secret was handed out for. */
  host?: string
  effect?: Effect
  /** What the person's rules said. */
  decision?: Decision
  /** What said it: `preset:trusted`, `rule:` and its id, … */
  rule?: string
  /** What its person chose for an agent and an account. */
  preset?: Preset
  /** How long what its person said holds. `ended`: from now on it does not. */
  lease?: 'once' | 'chat' | 'always' | 'ended'
  /** When it ends by itself. ISO 8601, UTC. */
  until?: string
  /** Id of the request that its person was asked or answered. */
  request?: string
  /** Names of the arguments that its person changed: those that the app declares, and no values. */
  edited?: string
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
  /**
   * What agents did with one user's accounts, and what the user said of it, newest first.
   *
   * @param page.before the `next` of the page before.
   * @param page.limit at most 200. Default: 50.
   */
  activity(owner: Owner, page?: ActivityPage): Promise<{ uses: Activity[]; next?: number }>
  /** The whole log of a tenant as JSON lines. */
  exportLines(tenant: string): AsyncIterable<string>
  /** @param head a digest that was copied elsewhere, and has to be in the log still. */
  verify(tenant: string, options?: { head?: string }): Promise<AuditVerdict>
}

/** Which part of a user's activity. */
export interface ActivityPage {
  before?: number | undefined
  limit?: number | undefined
  /** Of one agent. */
  agent?: string | undefined
  /** Of one account. */
  account?: string | undefined
}

/** Actions that a person looks for. Refreshes are the vault's own. */
const SHOWN: readonly AuditEvent['action'][] = [
  'use',
  'end',
  'deny',
  'ask',
  'answer',
  'rule',
  'stop',
  'resume',
  'leak',
  'connect',
  'revoke',
]
const MAX_ACTIVITY = 200

const FIELDS = [
  ...(['action', 'use', 'provider', 'account', 'agent', 'tool', 'route', 'host'] as const),
  ...(['effect', 'decision', 'rule', 'preset', 'lease', 'until', 'request', 'edited'] as const),
  ...(['outcome', 'reason'] as const),
]
const MAX_FIELD = 200
const PAGE = 1000

/** Chains an entry to the one before. */
export const auditHash: AuditHash = (previous, { tenant, seq, at, user, event }) =>
  hash('sha256', JSON.stringify([previous, tenant, seq, at, user, event]))

/** An event as it is stored. @param at milliseconds since the epoch */
export function auditEntry(user: string, at: number, event: AuditEvent): AuditEntry {
  const kept: Partial<Record<(typeof FIELDS)[number], string>> = {}
  for (const name of FIELDS) kept[name] = event[name]?.slice(0, MAX_FIELD)
  const { action, account, agent, tool = '' } = kept
  return {
    ...{ at, user, event: JSON.stringify(kept) },
    ...(action === 'use' && account && agent && { used: { account, agent, tool } }),
  }
}

/** An entry as its person is shown it. Undefined for what only the vault needs to know. */
export function shownUse(row: AuditRow): Activity | undefined {
  const { user: _, hash: __, ...entry } = toRecord(row)
  return SHOWN.includes(entry.action) ? entry : undefined
}

/**
 * Goes through a whole log, a batch at a time. In between, the process does other work.
 *
 * @param see gets each entry that is as it was written, up to the first that is not.
 * @throws LatchkeyError `cancelled` if the signal is aborted.
 */
export async function checkChain(
  store: Pick<VaultStore, 'readAudit' | 'auditHead'>,
  tenant: string,
  see: (row: AuditRow) => void,
  signal?: AbortSignal,
): Promise<{ isWhole: boolean; entries: number; head: string }> {
  // Read first: entries that are added meanwhile only come after it.
  const head = await store.auditHead(tenant)
  let previous = GENESIS
  let entries = 0
  let reached = false
  for await (const row of pages(store, tenant, signal)) {
    const { hash, ...rest } = row
    if (row.seq !== entries + 1 || auditHash(previous, rest) !== hash) {
      return { isWhole: false, entries, head: previous }
    }
    previous = hash
    entries += 1
    reached ||= head?.seq === row.seq && head.hash === hash
    see(row)
  }
  // The head is written with the first entry: a log without one was cut, or began just now.
  if (!head) reached = entries === 0 || ((await store.auditHead(tenant))?.seq ?? 0) >= entries
  return { isWhole: reached, entries, head: previous }
}

async function* pages(
  store: Pick<VaultStore, 'readAudit'>,
  tenant: string,
  signal?: AbortSignal,
): AsyncIterable<AuditRow> {
  for (let after = 0; ; ) {
    const rows = await store.readAudit(tenant, { after, limit: PAGE })
    yield* rows
    if (rows.length < PAGE) return
    after = rows.at(-1)?.seq ?? 0
    // A store in this process may never wait for anything, and a check of a long log takes seconds.
    await setImmediate()
    if (signal?.aborted) throw new LatchkeyError('cancelled', 'The check of the log was ended.', { next: 'none' })
  }
}

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

  return {
    record: ({ tenant, user }, event) => append(tenant, auditEntry(user, Date.now(), event)),
    async query({ tenant, user }, { after, limit = 100 } = {}) {
      return (await store.readAudit(tenant, { user, after, limit: Math.min(limit, PAGE) })).map(toRecord)
    },
    async activity({ tenant, user }, { before = Number.MAX_SAFE_INTEGER, limit = 50, agent, account } = {}) {
      const most = Math.min(limit, MAX_ACTIVITY)
      const uses: Activity[] = []
      // More than a page at first: what the vault does for itself is left out.
      for (let [end, size] = [before, 2 * most]; ; size = PAGE) {
        const rows = await store.readAudit(tenant, { user, agent, account, before: end, limit: size })
        for (const entry of rows.map(shownUse)) {
          if (!entry) continue
          const isWanted = (agent ?? entry.agent) === entry.agent && (account ?? entry.account) === entry.account
          if (!isWanted) continue
          if (uses.length === most) return { uses, next: (uses.at(-1) as Activity).seq }
          uses.push(entry)
        }
        if (rows.length < size) return { uses }
        end = rows.at(-1)?.seq ?? 0
      }
    },
    async *exportLines(tenant) {
      for await (const row of pages(store, tenant)) yield `${JSON.stringify(toRecord(row))}\n`
    },
    async verify(tenant, { head: anchor } = {}) {
      let anchored = anchor === undefined
      const { isWhole, entries, head } = await checkChain(store, tenant, ({ hash }) => {
        anchored ||= hash === anchor
      })
      return isWhole && anchored ? { ok: true, entries, head } : { ok: false, entries, brokenAt: entries + 1 }
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
