import { type AccountRow, type AuditRow, type FlowRow, GENESIS, type Owner, type VaultStore } from './store.ts'

export type Sql = (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>

/** What differs between the databases. No state outlives a transaction, so connection poolers work. */
export interface SqlEngine {
  type: string
  /**
   * Runs in one transaction that sees the rows of this tenant only. `single`: the work is one statement, which needs no
   * explicit transaction unless the tenant must be set first.
   */
  within<T>(tenant: string, act: (sql: Sql) => Promise<T>, single?: 'single'): Promise<T>
  /** An SQL expression for the database's clock, in milliseconds since the epoch. */
  now: string
  /** The suffix of a SELECT that locks the row until the transaction ends. */
  forUpdate: string
  close(): Promise<void>
}

const COLUMNS = 'tenant, user_id, provider, account, facts, sealed, kid, rev, due_at'
const KEY = 'tenant = $1 AND user_id = $2 AND account = $3'
/** Whether a row was not put back after it was removed. */
const LIVE = `NOT EXISTS (SELECT 1 FROM latchkey_removed AS r WHERE r.tenant = latchkey_accounts.tenant
  AND r.user_id = latchkey_accounts.user_id AND r.account = latchkey_accounts.account AND r.rev >= latchkey_accounts.rev)`

/** A store in standard SQL: single rows by primary key, compare-and-set by revision, leases that expire. */
export function sqlStore({ type, within, now, forUpdate, close }: SqlEngine): VaultStore {
  const rows = (tenant: string, text: string, values: unknown[]) =>
    within(tenant, async (sql) => (await sql(text, [tenant, ...values])).map(accountRow), 'single')
  const known = new Set<string>()

  return {
    type,
    close,
    async get({ tenant, user }, account) {
      return (
        await rows(tenant, `SELECT ${COLUMNS} FROM latchkey_accounts WHERE ${KEY} AND ${LIVE}`, [user, account])
      )[0]
    },
    list: ({ tenant, user }) =>
      rows(
        tenant,
        `SELECT ${COLUMNS} FROM latchkey_accounts WHERE tenant = $1 AND user_id = $2 AND ${LIVE}
         ORDER BY account LIMIT 1000`,
        [user],
      ),
    async put(row, previous) {
      const { tenant, user, provider, account, facts, sealed, kid, rev, dueAt } = row
      const values = [user, account, provider, facts, sealed, kid, rev, dueAt ?? null]
      if (previous !== undefined) {
        const written = await rows(
          tenant,
          `UPDATE latchkey_accounts SET provider = $4, facts = $5, sealed = $6, kid = $7, rev = $8, due_at = $9
           WHERE ${KEY} AND rev = $10 AND ${LIVE} RETURNING ${COLUMNS}`,
          [...values, previous],
        )
        return written.length > 0
      }
      const written = await within(tenant, async (sql) => {
        if (!known.has(tenant)) {
          await sql('INSERT INTO latchkey_tenants (tenant) VALUES ($1) ON CONFLICT DO NOTHING', [tenant])
        }
        const removed = await revisionOf(sql, row, account)
        if (removed !== undefined && removed >= rev) return []
        return sql(
          `INSERT INTO latchkey_accounts (tenant, user_id, account, provider, facts, sealed, kid, rev, due_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (tenant, user_id, account) DO UPDATE SET provider = excluded.provider, facts = excluded.facts,
             sealed = excluded.sealed, kid = excluded.kid, rev = excluded.rev, due_at = excluded.due_at,
             lease_by = NULL, lease_until = NULL
           WHERE latchkey_accounts.rev <= $10 RETURNING rev`,
          [tenant, ...values, removed ?? -1],
        )
      })
      // Only now is it certain that the tenant's row exists.
      known.add(tenant)
      return written.length > 0
    },
    remove: ({ tenant, user }, account) =>
      within(tenant, async (sql) => {
        const [row] = await sql(`DELETE FROM latchkey_accounts WHERE ${KEY} RETURNING ${COLUMNS}`, [
          tenant,
          user,
          account,
        ])
        if (!row) return undefined
        const [removed] = await sql(
          `INSERT INTO latchkey_removed (tenant, user_id, account, rev) VALUES ($1, $2, $3, $4)
           ON CONFLICT (tenant, user_id, account) DO UPDATE SET rev = excluded.rev
           WHERE latchkey_removed.rev < excluded.rev RETURNING rev`,
          [tenant, user, account, row.rev],
        )
        return removed && accountRow(row)
      }),
    removed: (owner, account) => within(owner.tenant, (sql) => revisionOf(sql, owner, account), 'single'),
    async lease({ tenant, user }, account, holder, seconds) {
      const taken = await rows(
        tenant,
        `UPDATE latchkey_accounts SET lease_by = $4, lease_until = ${now} + $5
         WHERE ${KEY} AND ${LIVE} AND (lease_until IS NULL OR lease_until <= ${now}) RETURNING ${COLUMNS}`,
        [user, account, holder, seconds * 1000],
      )
      return taken[0]
    },
    async release({ tenant, user }, account, holder) {
      await rows(
        tenant,
        `UPDATE latchkey_accounts SET lease_by = NULL, lease_until = NULL WHERE ${KEY} AND lease_by = $4
         RETURNING ${COLUMNS}`,
        [user, account, holder],
      )
    },
    due: (tenant, before, limit) =>
      rows(
        tenant,
        `SELECT ${COLUMNS} FROM latchkey_accounts WHERE tenant = $1 AND due_at < $2 AND ${LIVE}
         ORDER BY due_at LIMIT $3`,
        [before, limit],
      ),
    sealedOtherwise: (tenant, kid, limit) =>
      rows(tenant, `SELECT ${COLUMNS} FROM latchkey_accounts WHERE tenant = $1 AND kid <> $2 AND ${LIVE} LIMIT $3`, [
        kid,
        limit,
      ]),
    tenants: () =>
      within('', async (sql) =>
        (await sql('SELECT tenant FROM latchkey_tenants ORDER BY tenant')).map(({ tenant }) => String(tenant)),
      ),
    putFlow: ({ tenant, user, id, session, sealed, kid, expiresAt }, at) =>
      within(tenant, async (sql) => {
        await sql('DELETE FROM latchkey_flows WHERE tenant = $1 AND expires_at <= $2', [tenant, at])
        await sql(
          `INSERT INTO latchkey_flows (tenant, id, user_id, session, sealed, kid, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [tenant, id, user, session, sealed, kid, expiresAt],
        )
      }),
    takeFlow: ({ tenant, user }, id, session, at) =>
      within(tenant, async (sql) => {
        const taken = await sql(
          `DELETE FROM latchkey_flows WHERE tenant = $1 AND id = $2 AND user_id = $3 AND session = $4
           AND expires_at > $5 RETURNING tenant, user_id, id, session, sealed, kid, expires_at`,
          [tenant, id, user, session, at],
        )
        if (taken[0]) return flowRow(taken[0])
        const left = await sql('SELECT id FROM latchkey_flows WHERE tenant = $1 AND id = $2 AND expires_at > $3', [
          tenant,
          id,
          at,
        ])
        return left.length > 0 ? 'foreign' : undefined
      }),
    appendAudit: (tenant, entries, hash) =>
      within(tenant, async (sql) => {
        await sql(
          `INSERT INTO latchkey_audit_heads (tenant, seq, hash) VALUES ($1, 0, '${GENESIS}') ON CONFLICT DO NOTHING`,
          [tenant],
        )
        const [head] = await sql(`SELECT seq, hash FROM latchkey_audit_heads WHERE tenant = $1${forUpdate}`, [tenant])
        let seq = Number(head?.seq)
        let previous = String(head?.hash)
        for (const { at, user, event } of entries) {
          seq += 1
          previous = hash(previous, { tenant, seq, at, user, event })
          await sql(
            'INSERT INTO latchkey_audit (tenant, seq, at, user_id, event, hash) VALUES ($1, $2, $3, $4, $5, $6)',
            [tenant, seq, at, user, event, previous],
          )
        }
        await sql('UPDATE latchkey_audit_heads SET seq = $2, hash = $3 WHERE tenant = $1', [tenant, seq, previous])
      }),
    readAudit: (tenant, { user, after = 0, limit }) =>
      within(tenant, async (sql) => {
        const found = await sql(
          `SELECT tenant, seq, at, user_id, event, hash FROM latchkey_audit WHERE tenant = $1 AND seq > $2
           ${user === undefined ? '' : 'AND user_id = $4 '}ORDER BY seq LIMIT $3`,
          user === undefined ? [tenant, after, limit] : [tenant, after, limit, user],
        )
        return found.map(auditRow)
      }),
    auditHead: (tenant) =>
      within(tenant, async (sql) => {
        const [head] = await sql('SELECT seq, hash FROM latchkey_audit_heads WHERE tenant = $1', [tenant])
        return head && { seq: Number(head.seq), hash: String(head.hash) }
      }),
  }
}

async function revisionOf(sql: Sql, { tenant, user }: Owner, account: string): Promise<number | undefined> {
  const [row] = await sql(`SELECT rev FROM latchkey_removed WHERE ${KEY}`, [tenant, user, account])
  return row && Number(row.rev)
}

function accountRow(row: Record<string, unknown>): AccountRow {
  const { tenant, user_id, provider, account, facts, sealed, kid, rev, due_at } = row
  return {
    tenant: String(tenant),
    user: String(user_id),
    provider: String(provider),
    account: String(account),
    facts: String(facts),
    sealed: sealed as Uint8Array,
    kid: String(kid),
    rev: Number(rev),
    ...(due_at !== null && { dueAt: Number(due_at) }),
  }
}

function flowRow({ tenant, user_id, id, session, sealed, kid, expires_at }: Record<string, unknown>): FlowRow {
  return {
    tenant: String(tenant),
    user: String(user_id),
    id: String(id),
    session: String(session),
    sealed: sealed as Uint8Array,
    kid: String(kid),
    expiresAt: Number(expires_at),
  }
}

function auditRow({ tenant, seq, at, user_id, event, hash }: Record<string, unknown>): AuditRow {
  return {
    tenant: String(tenant),
    seq: Number(seq),
    at: Number(at),
    user: String(user_id),
    event: String(event),
    hash: String(hash),
  }
}

/** The tables, one list of statements per version. Only standard SQL; the databases differ in type names only. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    'CREATE TABLE latchkey_tenants (tenant TEXT PRIMARY KEY)',
    `CREATE TABLE latchkey_accounts (
      tenant TEXT NOT NULL, user_id TEXT NOT NULL, account TEXT NOT NULL, provider TEXT NOT NULL, facts TEXT NOT NULL,
      sealed BYTES NOT NULL, kid TEXT NOT NULL, rev BIGINT NOT NULL, due_at BIGINT, lease_by TEXT, lease_until BIGINT,
      PRIMARY KEY (tenant, user_id, account))`,
    'CREATE INDEX latchkey_accounts_due ON latchkey_accounts (tenant, due_at)',
    'CREATE INDEX latchkey_accounts_kid ON latchkey_accounts (tenant, kid)',
    `CREATE TABLE latchkey_flows (
      tenant TEXT NOT NULL, id TEXT NOT NULL, user_id TEXT NOT NULL, session TEXT NOT NULL, sealed BYTES NOT NULL,
      kid TEXT NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (tenant, id))`,
    `CREATE TABLE latchkey_audit (
      tenant TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, user_id TEXT NOT NULL, event TEXT NOT NULL,
      hash TEXT NOT NULL, PRIMARY KEY (tenant, seq))`,
    'CREATE INDEX latchkey_audit_user ON latchkey_audit (tenant, user_id, seq)',
    'CREATE TABLE latchkey_audit_heads (tenant TEXT PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL)',
  ],
  [
    `CREATE TABLE latchkey_removed (
      tenant TEXT NOT NULL, user_id TEXT NOT NULL, account TEXT NOT NULL, rev BIGINT NOT NULL,
      PRIMARY KEY (tenant, user_id, account))`,
  ],
]
