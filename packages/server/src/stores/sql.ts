import { LatchkeyError } from '@latchkey/core'
import { type AccountRow, type AuditRow, type FlowRow, GENESIS, type VaultStore } from './store.ts'

/** Runs one statement. What a row has no value for is left out of it. */
export type Sql = <Row>(text: string, values?: unknown[]) => Promise<Row[]>

/** A database. No state outlives a transaction, so connection poolers work. */
export interface SqlEngine {
  type: string
  /**
   * Runs in one transaction that sees the rows of this tenant only. `single`: the work is one statement, which needs no
   * explicit transaction unless the tenant must be set first.
   */
  within<T>(tenant: string, act: (sql: Sql) => Promise<T>, single?: 'single'): Promise<T>
  /**
   * Where accounts of all tenants are found that are due before `$1`, at most `$2` of each tenant.
   *
   * @default the table itself
   */
  dueRows?: string
  close(): Promise<void>
}

/** The database's clock, in milliseconds since the epoch. */
export const NOW = 'CAST(extract(epoch FROM now()) * 1000 AS BIGINT)'

const COLUMNS = 'tenant, user_id AS "user", provider, account, facts, sealed, kid, rev, due_at AS "dueAt"'
const CONTENT = 'provider = $4, facts = $5, sealed = $6, kid = $7, rev = $8, due_at = $9'
const KEY = 'tenant = $1 AND user_id = $2 AND account = $3'
/** A person answers one at a time. */
const FLOWS_PER_USER = 50
/** Whether a row was not put back after it was removed. */
export const LIVE = `NOT EXISTS (SELECT 1 FROM latchkey_removed AS r WHERE r.tenant = latchkey_accounts.tenant
  AND r.user_id = latchkey_accounts.user_id AND r.account = latchkey_accounts.account AND r.rev >= latchkey_accounts.rev)`

/**
 * A store in standard SQL: single rows by primary key, compare-and-set by revision, leases that expire. Where databases
 * differ, statements are as PostgreSQL wants them.
 */
export function sqlStore(engine: SqlEngine): VaultStore {
  const { type } = engine
  let isClosed = false
  /** Not after it was closed: that would open the database again, and nobody would close it. */
  const within: SqlEngine['within'] = async (...work) => {
    if (isClosed) throw new LatchkeyError('temporarily_unavailable', 'The vault is closed.')
    return engine.within(...work)
  }

  /** Runs a statement whose first value is the tenant. */
  const rows = <Row = AccountRow>(tenant: string, text: string, values: unknown[] = []) =>
    within(tenant, (sql) => sql<Row>(text, [tenant, ...values]), 'single')

  /** Accounts that are not removed. */
  const select = (tenant: string, condition: string, values: unknown[]) =>
    rows(tenant, `SELECT ${COLUMNS} FROM latchkey_accounts WHERE ${LIVE} AND ${condition}`, values)

  return {
    type,
    close: () => {
      isClosed = true
      return engine.close()
    },
    get: async ({ tenant, user }, account) => (await select(tenant, KEY, [user, account]))[0],
    list: ({ tenant, user }) => select(tenant, 'tenant = $1 AND user_id = $2 ORDER BY account LIMIT 1000', [user]),
    async put({ tenant, user, account, provider, facts, sealed, kid, rev, dueAt }, previous) {
      const values = [user, account, provider, facts, sealed, kid, rev, dueAt ?? null]
      if (previous !== undefined) {
        const update = `UPDATE latchkey_accounts SET ${CONTENT} WHERE ${KEY} AND rev = $10 AND ${LIVE} RETURNING rev`
        return (await rows(tenant, update, [...values, previous])).length > 0
      }
      return within(tenant, async (sql) => {
        await sql('INSERT INTO latchkey_tenants (tenant) VALUES ($1) ON CONFLICT DO NOTHING', [tenant])
        const written = await sql(
          `INSERT INTO latchkey_accounts (tenant, user_id, account, provider, facts, sealed, kid, rev, due_at)
           SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
           WHERE NOT EXISTS (SELECT 1 FROM latchkey_removed WHERE ${KEY} AND rev >= $8)
           ON CONFLICT (tenant, user_id, account) DO UPDATE SET ${CONTENT}, lease_by = NULL, lease_until = NULL
           WHERE NOT (${LIVE}) RETURNING rev`,
          [tenant, ...values],
        )
        return written.length > 0
      })
    },
    remove: ({ tenant, user }, account) =>
      within(tenant, async (sql) => {
        const key = [tenant, user, account]
        const [row] = await sql<AccountRow>(`DELETE FROM latchkey_accounts WHERE ${KEY} RETURNING ${COLUMNS}`, key)
        if (!row) return undefined
        const [removed] = await sql(
          `INSERT INTO latchkey_removed (tenant, user_id, account, rev) VALUES ($1, $2, $3, $4)
           ON CONFLICT (tenant, user_id, account) DO UPDATE SET rev = excluded.rev
           WHERE latchkey_removed.rev < excluded.rev RETURNING rev`,
          [...key, row.rev],
        )
        return removed ? row : undefined
      }),
    async removed({ tenant, user }, account) {
      const removed = `SELECT rev FROM latchkey_removed WHERE ${KEY}`
      return (await rows(tenant, removed, [user, account]))[0]?.rev
    },
    async lease({ tenant, user }, account, holder, seconds) {
      const taken = await rows(
        tenant,
        `UPDATE latchkey_accounts SET lease_by = $4, lease_until = ${NOW} + $5
         WHERE ${KEY} AND ${LIVE} AND (lease_until IS NULL OR lease_until <= ${NOW}) RETURNING ${COLUMNS}`,
        [user, account, holder, seconds * 1000],
      )
      return taken[0]
    },
    async release({ tenant, user }, account, holder) {
      const release = `UPDATE latchkey_accounts SET lease_by = NULL, lease_until = NULL WHERE ${KEY} AND lease_by = $4`
      await rows(tenant, release, [user, account, holder])
    },
    due(before, limit) {
      const { dueRows = `latchkey_accounts WHERE ${LIVE} AND due_at < $1` } = engine
      const due = `SELECT ${COLUMNS} FROM ${dueRows} ORDER BY due_at LIMIT $2`
      return within('', (sql) => sql<AccountRow>(due, [before, limit]), 'single')
    },
    sealedOtherwise: (tenant, kid, limit) => select(tenant, 'tenant = $1 AND kid <> $2 LIMIT $3', [kid, limit]),
    async tenants() {
      const all = 'SELECT tenant FROM latchkey_tenants ORDER BY tenant'
      return (await within('', (sql) => sql<{ tenant: string }>(all), 'single')).map(({ tenant }) => tenant)
    },
    putFlow: ({ tenant, user, id, session, sealed, kid, expiresAt }, at) =>
      within(tenant, async (sql) => {
        await sql(
          `INSERT INTO latchkey_flows (tenant, id, user_id, session, sealed, kid, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [tenant, id, user, session, sealed, kid, expiresAt],
        )
        await sql(
          `DELETE FROM latchkey_flows WHERE tenant = $1 AND user_id = $2 AND id <> $3 AND (expires_at, id) <= (
             SELECT expires_at, id FROM latchkey_flows WHERE tenant = $1 AND user_id = $2
             ORDER BY expires_at DESC, id DESC LIMIT 1 OFFSET ${FLOWS_PER_USER})`,
          [tenant, user, id],
        )
        // A part of them: the next flows delete the rest.
        await sql(
          `DELETE FROM latchkey_flows WHERE (tenant, id) IN (
             SELECT tenant, id FROM latchkey_flows WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100)`,
          [at],
        )
      }),
    takeFlow: ({ tenant, user }, id, session, at) =>
      within(tenant, async (sql) => {
        const [taken] = await sql<FlowRow>(
          `DELETE FROM latchkey_flows WHERE tenant = $1 AND id = $2 AND expires_at > $3 AND user_id = $4 AND session = $5
           RETURNING tenant, user_id AS "user", id, session, sealed, kid, expires_at AS "expiresAt"`,
          [tenant, id, at, user, session],
        )
        if (taken) return taken
        const left = 'SELECT id FROM latchkey_flows WHERE tenant = $1 AND id = $2 AND expires_at > $3'
        return (await sql(left, [tenant, id, at])).length > 0 ? 'foreign' : undefined
      }),
    appendAudit: (tenant, entries, hash) =>
      within(tenant, async (sql) => {
        // Changes nothing, and locks the row until the transaction ends.
        const [head] = await sql<AuditHead>(
          `INSERT INTO latchkey_audit_heads (tenant, seq, hash) VALUES ($1, 0, '${GENESIS}')
           ON CONFLICT (tenant) DO UPDATE SET seq = latchkey_audit_heads.seq RETURNING seq, hash`,
          [tenant],
        )
        let { seq, hash: previous } = head as AuditHead
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
      rows<AuditRow>(
        tenant,
        `SELECT tenant, seq, at, user_id AS "user", event, hash FROM latchkey_audit WHERE tenant = $1 AND seq > $2
         ${user === undefined ? '' : 'AND user_id = $4 '}ORDER BY seq LIMIT $3`,
        user === undefined ? [after, limit] : [after, limit, user],
      ),
    async auditHead(tenant) {
      const heads = 'SELECT seq, hash FROM latchkey_audit_heads WHERE tenant = $1'
      return (await rows<AuditHead>(tenant, heads))[0]
    },
  }
}

type AuditHead = Pick<AuditRow, 'seq' | 'hash'>

/** A row as an object of JavaScript, without what is NULL. */
export const plainRow = (row: object): object =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))

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
  [
    'CREATE INDEX latchkey_accounts_due_first ON latchkey_accounts (due_at)',
    'CREATE INDEX latchkey_flows_user ON latchkey_flows (tenant, user_id, expires_at, id)',
    'CREATE INDEX latchkey_flows_end ON latchkey_flows (expires_at)',
  ],
]
