import { checkTurn, createGuard, type Turn } from './guard.ts'
import {
  type AccountRow,
  type AuditEntry,
  type AuditHash,
  type AuditRow,
  DOCUMENTS_PER_KIND,
  type DocumentRow,
  type FirstReads,
  FLOWS_PER_USER,
  type FlowRow,
  GENESIS,
  type LastUseRow,
  type Owner,
  type PersonRows,
  type VaultStore,
} from './store.ts'

/**
 * Runs one statement. What a row has no value for is left out of it. Statements run in the order of their calls, so one need
 * not wait for the answer of another.
 */
export type Sql = <Row>(text: string, values?: unknown[]) => Promise<Row[]>

/** A database. No state outlives a transaction, so connection poolers work. */
export interface SqlEngine {
  type: string
  /**
   * Runs in one transaction that sees the rows of this tenant only. `single`: the work is one statement, which needs no
   * explicit transaction unless the tenant must be set first.
   *
   * @param act may call `commit` after its last statement, to save the wait for its answer. If one fails, all are undone.
   */
  within<T>(tenant: string, act: (sql: Sql, commit: () => void) => Promise<T>, single?: 'single'): Promise<T>
  /**
   * Where accounts of all tenants are found that are due before `$1`, at most `$2` of each tenant.
   *
   * @default the table itself
   */
  dueRows?: string
  close(): Promise<void>
}

/** Ends a transaction, so that nothing of it is written, for a reason that is not the database's: its cause. */
export class Undone extends Error {}

/** The database's clock, in milliseconds since the epoch. */
export const NOW = 'CAST(extract(epoch FROM now()) * 1000 AS BIGINT)'

const COLUMNS = 'tenant, user_id AS "user", provider, account, facts, sealed, kid, rev, due_at AS "dueAt"'
const CONTENT = 'provider = $4, facts = $5, sealed = $6, kid = $7, rev = $8, due_at = $9'
const PERSON = 'tenant = $1 AND user_id = $2'
const KEY = `${PERSON} AND account = $3`
const DOCUMENT = 'kind, id, sealed, kid, expires_at AS "expiresAt"'
/** Whether a row was not put back after it was removed. */
export const LIVE = `NOT EXISTS (SELECT 1 FROM latchkey_removed AS r WHERE r.tenant = latchkey_accounts.tenant
  AND r.user_id = latchkey_accounts.user_id AND r.account = latchkey_accounts.account AND r.rev >= latchkey_accounts.rev)`

/**
 * A store in standard SQL: single rows by primary key, compare-and-set by revision, leases that expire. Where databases
 * differ, statements are as PostgreSQL wants them.
 */
export function sqlStore(engine: SqlEngine): VaultStore {
  const { type } = engine
  const guard = createGuard()
  const within: SqlEngine['within'] = async (...work) => {
    guard.check()
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
      guard.close()
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
      within(tenant, async (sql, commit) => {
        const answers = await append(sql, tenant, entries, hash)
        commit()
        await Promise.all(answers)
      }),
    readAudit(tenant, { user, agent, account, after = 0, before, limit }) {
      const values: unknown[] = [before ?? after, limit]
      const only = (column: string, value: unknown) =>
        value === undefined ? '' : `AND ${column} = $${values.push(value) + 1} `
      // Columns that the database makes of the event hold a word as it stands there, as JSON.
      const json = (word: string | undefined) => word && JSON.stringify(word)
      const which = only('user_id', user) + only('agent', json(agent)) + only('account', json(account))
      return rows<AuditRow>(
        tenant,
        `SELECT tenant, seq, at, user_id AS "user", event, hash FROM latchkey_audit
         WHERE tenant = $1 AND seq ${before === undefined ? '>' : '<'} $2 ${which}
         ORDER BY seq ${before === undefined ? 'ASC' : 'DESC'} LIMIT $3`,
        values,
      )
    },
    async auditHead(tenant) {
      const heads = 'SELECT seq, hash FROM latchkey_audit_heads WHERE tenant = $1'
      return (await rows<AuditHead>(tenant, heads))[0]
    },
    lastUses: ({ tenant, user }) =>
      rows<LastUseRow>(
        tenant,
        `SELECT account, agent, tool, first_at AS "firstAt", last_at AS "lastAt" FROM latchkey_uses WHERE ${PERSON}
         ORDER BY last_at DESC LIMIT 1000`,
        [user],
      ),
    async asPerson(owner, now, work, reads = {}) {
      try {
        const turn = { isOver: false }
        return await within(owner.tenant, (sql, commit) =>
          inTurn({ sql, commit, owner, at: now, turn, reads }, (rows) => guard.run(turn, async () => work(rows))),
        )
      } catch (error) {
        throw error instanceof Undone ? error.cause : error
      }
    },
    forgetPerson: ({ tenant, user }) =>
      within(tenant, async (sql) => {
        // Keeps `now`. Locks the row, which is there if any document is.
        await sql(`UPDATE latchkey_people SET rules = NULL WHERE ${PERSON}`, [tenant, user])
        await sql(`DELETE FROM latchkey_documents WHERE ${PERSON}`, [tenant, user])
        await sql(`DELETE FROM latchkey_uses WHERE ${PERSON}`, [tenant, user])
      }),
  }
}

/** The clock may have gone back. */
const USED = `INSERT INTO latchkey_uses (tenant, user_id, account, agent, tool, first_at, last_at)
  VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (tenant, user_id, account, agent, tool) DO UPDATE
  SET last_at = excluded.last_at WHERE excluded.last_at > latchkey_uses.last_at`

type AuditHead = Pick<AuditRow, 'seq' | 'hash'>

/** Appends to a tenant's log, in the transaction of these statements. The last of them are sent, and their answers left. */
async function append(
  sql: Sql,
  tenant: string,
  entries: readonly AuditEntry[],
  hash: AuditHash,
): Promise<Promise<unknown>[]> {
  // Changes nothing, and locks the row until the transaction ends.
  const [head] = await sql<AuditHead>(
    `INSERT INTO latchkey_audit_heads (tenant, seq, hash) VALUES ($1, 0, '${GENESIS}')
     ON CONFLICT (tenant) DO UPDATE SET seq = latchkey_audit_heads.seq RETURNING seq, hash`,
    [tenant],
  )
  const insert = 'INSERT INTO latchkey_audit (tenant, seq, at, user_id, event, hash) VALUES ($1, $2, $3, $4, $5, $6)'
  let { seq, hash: previous } = head as AuditHead
  const written = entries.flatMap(({ at, user, event, used }) => {
    seq += 1
    previous = hash(previous, { tenant, seq, at, user, event })
    const row = sql(insert, [tenant, seq, at, user, event, previous])
    return used ? [row, sql(USED, [tenant, user, used.account, used.agent, used.tool, at])] : [row]
  })
  const move = 'UPDATE latchkey_audit_heads SET seq = $2, hash = $3 WHERE tenant = $1'
  return [...written, sql(move, [tenant, seq, previous])]
}

/** A transaction of a person. */
interface PersonTurn {
  sql: Sql
  commit(): void
  owner: Owner
  at: number
  turn: Turn
  reads: FirstReads
}

/**
 * Locks a person's row, and runs work on what is stored of them.
 *
 * @throws Undone for an error of the work, and as it is for one of the database.
 */
async function inTurn<T>(given: PersonTurn, work: (rows: PersonRows) => Promise<T>): Promise<T> {
  const { sql, commit, owner, at, turn, reads } = given
  const key = [owner.tenant, owner.user]
  let failed: { error: unknown } | undefined
  const pending: Promise<unknown>[] = []
  /** Work that the transaction ends with, also if nobody waits for it. */
  const during = <Result>(mine: Promise<Result>): Promise<Result> => {
    pending.push(
      mine.catch((error) => {
        failed ??= { error }
      }),
    )
    return mine
  }
  // Before the head of the audit log, which may be locked inside: everybody locks them in this order.
  const locked = sql<Person>(
    `INSERT INTO latchkey_people (tenant, user_id, now) VALUES ($1, $2, $3) ON CONFLICT (tenant, user_id) DO UPDATE
     SET now = CASE WHEN excluded.now > latchkey_people.now THEN excluded.now ELSE latchkey_people.now END
     RETURNING now, rules, (SELECT min(expires_at) FROM latchkey_documents AS d
       WHERE d.tenant = latchkey_people.tenant AND d.user_id = latchkey_people.user_id) AS "nextEnd"`,
    [...key, at],
  )
  // Sent with it, and read once it is locked.
  const { account, document } = reads
  const early: Early = {
    account: account === undefined ? undefined : during(sql(SELECT_ACCOUNT, [...key, account])),
    document: document && during(sql(SELECT_DOCUMENT, [...key, document.kind, document.id])),
  }
  const [person] = await locked
  const { now, rules, nextEnd = Number.POSITIVE_INFINITY } = person as Person
  // A part of them: the next transactions delete the rest.
  if (nextEnd <= now) {
    const over = `SELECT kind, id FROM latchkey_documents WHERE ${PERSON} AND expires_at <= $3 LIMIT 100`
    void during(sql(`DELETE FROM latchkey_documents WHERE ${PERSON} AND (kind, id) IN (${over})`, [...key, now]))
  }
  let undone: Undone | undefined
  const { rows, sent } = personRows(given, { now, rules }, early, during)
  const result = await work(rows).catch((cause) => {
    undone = new Undone('The work failed.', { cause })
  })
  turn.isOver = true
  await sent()
  if (!failed && !undone) commit()
  await Promise.all(pending)
  // Even if the work went on: the database has undone all of it.
  if (failed) throw failed.error
  if (undone) throw undone
  return result as T
}

/** A person's row, and when the first of their documents is over. */
type Person = Pick<PersonRows, 'now' | 'rules'> & { nextEnd?: number }

/** What was read with the lock. */
interface Early {
  account: Promise<AccountRow[]> | undefined
  /** Until a document is written. */
  document: Promise<DocumentRow[]> | undefined
}

const SELECT_ACCOUNT = `SELECT ${COLUMNS} FROM latchkey_accounts WHERE ${LIVE} AND ${KEY}`
const SELECT_DOCUMENT = `SELECT ${DOCUMENT} FROM latchkey_documents WHERE ${PERSON} AND kind = $3 AND id = $4`

/** The rows of a person. `sent` resolves when every statement was sent. */
function personRows(
  { sql, owner: { tenant, user }, turn, reads }: PersonTurn,
  { now, rules }: Pick<PersonRows, 'now' | 'rules'>,
  early: Early,
  during: <Result>(mine: Promise<Result>) => Promise<Result>,
): { rows: PersonRows; sent: () => Promise<unknown> } {
  const next = async <Result>(act: () => Promise<Result>): Promise<Result> => {
    checkTurn(turn)
    return during(act())
  }
  /** A statement whose first values are the person. */
  const run = <Row>(text: string, values: unknown[]) => next(() => sql<Row>(text, [tenant, user, ...values]))
  /** One chain has one end. */
  let appended: Promise<unknown> = Promise.resolve()
  const rows: PersonRows = {
    now,
    rules,
    account: async (id) =>
      (
        await next(() => (id === reads.account && early.account) || sql<AccountRow>(SELECT_ACCOUNT, [tenant, user, id]))
      )[0],
    async document(kind, id) {
      const isEarly = kind === reads.document?.kind && id === reads.document.id
      const [row] = await next(
        () => (isEarly && early.document) || sql<DocumentRow>(SELECT_DOCUMENT, [tenant, user, kind, id]),
      )
      return row && row.expiresAt > now ? row : undefined
    },
    documents: (kind) =>
      run<DocumentRow>(
        `SELECT ${DOCUMENT} FROM latchkey_documents WHERE ${PERSON} AND kind = $3 AND expires_at > $4
         ORDER BY id LIMIT ${DOCUMENTS_PER_KIND}`,
        [kind, now],
      ),
    async putRules(written) {
      await run(`UPDATE latchkey_people SET rules = $3 WHERE ${PERSON}`, [written])
    },
    putDocument: ({ kind, id, sealed, kid, expiresAt }) =>
      next(async () => {
        early.document = undefined
        const written = sql(
          `INSERT INTO latchkey_documents (tenant, user_id, kind, id, sealed, kid, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, user_id, kind, id) DO UPDATE
           SET sealed = excluded.sealed, kid = excluded.kid, expires_at = excluded.expires_at`,
          [tenant, user, kind, id, sealed, kid, expiresAt],
        )
        // Those that expire first, and never the one that was just written.
        const trimmed = sql(
          `DELETE FROM latchkey_documents WHERE ${PERSON} AND kind = $3 AND id <> $4 AND (expires_at, id) <= (
             SELECT expires_at, id FROM latchkey_documents WHERE ${PERSON} AND kind = $3 AND id <> $4
             ORDER BY expires_at DESC, id DESC LIMIT 1 OFFSET ${DOCUMENTS_PER_KIND - 1})`,
          [tenant, user, kind, id],
        )
        await Promise.all([written, trimmed])
      }),
    async removeDocument(kind, id) {
      early.document = undefined
      await run(`DELETE FROM latchkey_documents WHERE ${PERSON} AND kind = $3 AND id = $4`, [kind, id])
    },
    appendAudit: (entries, hash) =>
      next(() => {
        const mine = appended.then(async () => {
          for (const answer of await append(sql, tenant, entries, hash)) void during(answer)
        })
        appended = mine.catch(() => {})
        return mine
      }),
  }
  return { rows, sent: () => appended }
}

/** A row as an object of JavaScript, without what is NULL. */
export function plainRow(row: Readonly<Record<string, unknown>>): object {
  const plain: Record<string, unknown> = {}
  for (const name in row) if (row[name] !== null) plain[name] = row[name]
  return plain
}

/** A word of an audit event, as it stands in its JSON. Not decoded: not every database can hold each character of JSON. */
const wordOf = (name: string) => `substring(event from '"${name}":("(?:[^"\\\\]|\\\\.)*")')`

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
  [
    `CREATE TABLE latchkey_people (
      tenant TEXT NOT NULL, user_id TEXT NOT NULL, now BIGINT NOT NULL, rules TEXT, PRIMARY KEY (tenant, user_id))`,
    `CREATE TABLE latchkey_documents (
      tenant TEXT NOT NULL, user_id TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, sealed BYTES NOT NULL,
      kid TEXT NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (tenant, user_id, kind, id))`,
    'CREATE INDEX latchkey_documents_end ON latchkey_documents (tenant, user_id, kind, expires_at, id)',
  ],
  [
    `CREATE TABLE latchkey_uses (
      tenant TEXT NOT NULL, user_id TEXT NOT NULL, account TEXT NOT NULL, agent TEXT NOT NULL, tool TEXT NOT NULL,
      first_at BIGINT NOT NULL, last_at BIGINT NOT NULL, PRIMARY KEY (tenant, user_id, account, agent, tool))`,
  ],
  [
    'CREATE INDEX latchkey_documents_over ON latchkey_documents (tenant, user_id, expires_at)',
    ...['agent', 'account'].flatMap((name) => [
      `ALTER TABLE latchkey_audit ADD COLUMN ${name} TEXT GENERATED ALWAYS AS (${wordOf(name)}) STORED`,
      `CREATE INDEX latchkey_audit_${name} ON latchkey_audit (tenant, user_id, ${name}, seq)`,
    ]),
  ],
]
