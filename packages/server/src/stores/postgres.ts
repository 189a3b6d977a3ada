import { LatchkeyError } from '@latchkey/core'
import { asLatchkeyError } from '@latchkey/core/server'
import type pg from 'pg'
import { LIVE, MIGRATIONS, NOW, plainRow, sqlStore, Undone } from './sql.ts'
import type { VaultStore } from './store.ts'

/** How to reach a PostgreSQL database. */
export interface PostgresOptions {
  /** `postgres://…`; the role must be neither superuser nor have BYPASSRLS. */
  url: string
  /**
   * Creates missing tables. Set it to false if another role runs `migratePostgres`.
   *
   * @default true
   */
  migrate?: boolean
  /**
   * Maximum connections of this process.
   *
   * @default 10
   */
  connections?: number
}

/**
 * Stores rows in PostgreSQL, for several machines, or in another database with its protocol. It needs primary keys,
 * transactions and row-level security. A transaction sees only the rows of the tenant that it named.
 */
export function postgresStore({ url, migrate = true, connections = 10 }: PostgresOptions): VaultStore {
  let opened: Promise<pg.Pool> | undefined
  async function open(): Promise<pg.Pool> {
    const pool = await connect(url, connections)
    try {
      if (migrate) await runMigrations(pool)
      await refuseBypass(pool)
      return pool
    } catch (error) {
      opened = undefined
      await pool.end()
      throw error
    }
  }

  return sqlStore({
    type: 'postgres',
    dueRows: 'latchkey_due($1, $2)',
    async within(tenant, act, single) {
      opened ??= open()
      try {
        return await transaction(await opened, tenant, (client, commit) =>
          act(async (text, values) => {
            const answer = client.query(text, values)
            if (single) commit()
            return (await answer).rows.map(plainRow) as never
          }, commit),
        )
      } catch (cause) {
        if (cause instanceof Undone) throw cause
        throw asLatchkeyError(cause, 'storage_unavailable', 'The PostgreSQL database of the vault could not be used.')
      }
    },
    async close() {
      const pool = await opened?.catch(() => undefined)
      opened = undefined
      await pool?.end()
    },
  })
}

/** Milliseconds: for a connection, and for the answer to a statement. */
const LIMIT = 10_000

/** Whether the server itself refused a statement. A connection that was cut, or that nothing answers on, says nothing. */
const isAnswer = (error: unknown) => error instanceof Error && 'severity' in error

/**
 * Runs in one transaction that sees the rows of this tenant only. Its first statement does not wait for the answer to BEGIN,
 * and after its last one `commit` may be called before that has an answer: one that failed is not committed.
 */
async function transaction<T>(
  pool: pg.Pool,
  tenant: string,
  act: (client: pg.PoolClient, commit: () => void) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken = false
  let committed: Promise<unknown> | undefined
  const commit = () => {
    committed ??= client.query('COMMIT')
    committed.catch(() => {})
  }
  try {
    // The settings end with the transaction, so the next one on this connection has no tenant. The server gives up a
    // statement before its answer would be too late, so that none waits for a lock without a client. And it ends the
    // transaction of a process that has stopped, which others would wait for.
    const begun = client.query(`BEGIN; SELECT set_config('latchkey.tenant', ${client.escapeLiteral(tenant)}, true),
      set_config('statement_timeout', '${LIMIT - 1000}', true),
      set_config('idle_in_transaction_session_timeout', '${LIMIT}', true)`)
    begun.catch(() => {})
    const result = await act(client, commit)
    await begun
    commit()
    await committed
    return result
  } catch (error) {
    // Only a server that answers is asked to roll back. Any other does so when the connection closes.
    const rolledBack =
      (error instanceof Undone || isAnswer(error)) &&
      client.query('ROLLBACK').then(
        () => true,
        () => false,
      )
    broken = !(await rolledBack)
    throw error
  } finally {
    client.release(broken)
  }
}

/**
 * Creates or updates the tables as their owner and grants another role access. That role can append to the audit log, but
 * not change or delete its entries, and cannot disable row-level security.
 */
export async function migratePostgres({ url, grantTo }: { url: string; grantTo?: string }): Promise<void> {
  const pool = await connect(url, 1)
  try {
    await runMigrations(pool)
    if (grantTo === undefined) return
    const role = (await import('pg')).escapeIdentifier(grantTo)
    await pool.query(`
      GRANT SELECT, INSERT ON latchkey_tenants, latchkey_audit TO ${role};
      GRANT SELECT ON latchkey_migrations TO ${role};
      GRANT SELECT, INSERT, UPDATE ON latchkey_audit_heads, latchkey_removed, latchkey_people TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON latchkey_accounts, latchkey_flows, latchkey_documents, latchkey_uses TO ${role}`)
  } finally {
    await pool.end()
  }
}

async function connect(url: string, max: number): Promise<pg.Pool> {
  const { Pool, types } = await import('pg')
  const pool = new Pool({
    connectionString: url,
    max,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: LIMIT,
    query_timeout: LIMIT,
    // A statement is sent before the one before it has an answer.
    pipeline: true,
    // Without this, a BIGINT is text.
    types: { getTypeParser: (id, format) => (id === types.builtins.INT8 ? Number : types.getTypeParser(id, format)) },
  })
  // The pool replaces a connection that breaks. If it was in use, its query fails; if the server is down, the next one
  // does. Without these listeners the error would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

const OWN = "tenant = current_setting('latchkey.tenant', true)"

const secured = (table: string) => [
  `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
  `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`,
]
const owned = (table: string) => [...secured(table), `CREATE POLICY own ON ${table} USING (${OWN}) WITH CHECK (${OWN})`]

/**
 * SQL for PostgreSQL only, one list per version. The log has no policy for UPDATE or DELETE, so these find no row, even as
 * its owner.
 */
const SECURITY: readonly (readonly string[])[] = [
  [
    ...['latchkey_accounts', 'latchkey_flows', 'latchkey_audit_heads'].flatMap(owned),
    ...secured('latchkey_audit'),
    `CREATE POLICY read ON latchkey_audit FOR SELECT USING (${OWN})`,
    `CREATE POLICY append ON latchkey_audit FOR INSERT WITH CHECK (${OWN})`,
  ],
  owned('latchkey_removed'),
  [
    // It runs as its caller, and sees one tenant after another: a transaction for each would be thousands in every round.
    `CREATE FUNCTION latchkey_due(before BIGINT, most BIGINT) RETURNS SETOF latchkey_accounts LANGUAGE plpgsql AS $$
      DECLARE one TEXT;
      BEGIN
        FOR one IN SELECT tenant FROM latchkey_tenants LOOP
          PERFORM set_config('latchkey.tenant', one, true);
          RETURN QUERY SELECT * FROM latchkey_accounts WHERE ${LIVE} AND tenant = one AND due_at < before
            ORDER BY due_at LIMIT most;
        END LOOP;
        PERFORM set_config('latchkey.tenant', '', true);
      END $$`,
    // A flow that expired is of no use to anybody, and its tenant may never come back: any transaction may delete it.
    ...['SELECT', 'DELETE'].map(
      (verb) => `CREATE POLICY expired_${verb} ON latchkey_flows FOR ${verb} USING (expires_at <= ${NOW})`,
    ),
  ],
  ['latchkey_people', 'latchkey_documents'].flatMap(owned),
  owned('latchkey_uses'),
]

async function runMigrations(pool: pg.Pool): Promise<void> {
  // Two processes that start together may both find no table. The second one to create it fails and looks again.
  const create = 'CREATE TABLE IF NOT EXISTS latchkey_migrations (version INTEGER PRIMARY KEY)'
  await pool.query(create).catch((error) => (isAnswer(error) ? pool.query(create) : Promise.reject(error)))
  for (const [at, statements] of MIGRATIONS.entries()) {
    await transaction(pool, '', async (client) => {
      // The process that writes the row runs the migration. The others wait here until it is done.
      const mine = await client.query('INSERT INTO latchkey_migrations (version) VALUES ($1) ON CONFLICT DO NOTHING', [
        at + 1,
      ])
      if (!mine.rowCount) return
      for (const statement of [...statements, ...(SECURITY[at] ?? [])]) {
        await client.query(statement.replaceAll('BYTES', 'BYTEA'))
      }
    })
  }
}

async function refuseBypass(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query(
    'SELECT rolname, rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user',
  )
  if (!rows[0]?.bypasses) return
  throw new LatchkeyError(
    'misuse',
    `The database role "${rows[0].rolname}" bypasses row-level security. Use one that is neither superuser nor BYPASSRLS.`,
    { next: 'configure' },
  )
}
