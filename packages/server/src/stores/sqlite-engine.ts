import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { MIGRATIONS, NOW, plainRow, type Sql, type SqlEngine } from './sql.ts'

/** Opens a database file, or `:memory:`. */
export function sqliteEngine(file: string): SqlEngine {
  const database = new DatabaseSync(file, { timeout: 10_000 })
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON')
  migrate(database)
  const prepared = new Map<string, StatementSync>()
  const sql: Sql = async <Row>(text: string, values: unknown[] = []) => {
    const statement = prepared.get(text) ?? database.prepare(inSqlite(text))
    prepared.set(text, statement)
    return statement.all(...(values as SQLInputValue[])).map(plainRow) as Row[]
  }
  // There is one connection, so transactions run one after another.
  let tail: Promise<unknown> = Promise.resolve()
  return {
    type: 'sqlite',
    within(_tenant, act, single) {
      const turn = async () => {
        if (single) return act(sql)
        database.exec('BEGIN IMMEDIATE')
        try {
          const result = await act(sql)
          database.exec('COMMIT')
          return result
        } catch (error) {
          database.exec('ROLLBACK')
          throw error
        }
      }
      const mine = tail.then(turn, turn)
      tail = mine.catch(() => {})
      return mine
    },
    async close() {
      await tail
      if (database.isOpen) database.close()
    },
  }
}

/** What SQLite calls by other names. */
const inSqlite = (text: string) =>
  text
    .replace(/\$(\d+)/g, '?$1')
    .replaceAll(NOW, "CAST(unixepoch('subsec') * 1000 AS INTEGER)")
    .replaceAll('BYTES', 'BLOB')

function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const row = database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (row.user_version > MIGRATIONS.length) throw new Error('The vault was written by a newer version of Latchkey.')
    for (const statement of MIGRATIONS.slice(row.user_version).flat()) database.exec(inSqlite(statement))
    if (row.user_version === 0) {
      for (const change of ['UPDATE', 'DELETE']) {
        database.exec(`CREATE TRIGGER latchkey_audit_${change.toLowerCase()} BEFORE ${change} ON latchkey_audit
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`)
      }
    }
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
