import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { MIGRATIONS, type Sql, sqlStore } from './sql.ts'
import type { VaultStore } from './store.ts'

/**
 * Stores rows in one file, with the SQLite that is part of Node. A write is on disk before its promise resolves. Several
 * processes of one machine may share the file; for several machines use `postgresStore`.
 */
export function sqliteStore(file: string): VaultStore {
  if (file !== ':memory:') {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true, mode: 0o700 })
    // Created before SQLite creates it, with a mode that other users of the machine cannot read.
    closeSync(openSync(file, 'a', 0o600))
  }
  const database = new DatabaseSync(file, { timeout: 10_000 })
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON')
  migrate(database)

  const prepared = new Map<string, StatementSync>()
  const sql: Sql = async (text, values = []) => {
    let statement = prepared.get(text)
    if (!statement) {
      statement = database.prepare(text.replace(/\$(\d+)/g, '?$1'))
      prepared.set(text, statement)
    }
    return statement.all(...(values as SQLInputValue[])) as Record<string, unknown>[]
  }

  // There is one connection, so transactions run one after another.
  let tail: Promise<unknown> = Promise.resolve()
  return sqlStore({
    type: 'sqlite',
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    forUpdate: '',
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
  })
}

function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const row = database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (row.user_version > MIGRATIONS.length) throw new Error('The vault was written by a newer version of Latchkey.')
    for (const statement of MIGRATIONS.slice(row.user_version).flat()) {
      database.exec(statement.replaceAll('BYTES', 'BLOB'))
    }
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
