import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { LatchkeyError } from '@latchkey/core'
import { MIGRATIONS, NOW, plainRow, type Sql, type SqlEngine } from './sql.ts'

/** Milliseconds to wait for another connection that writes. */
const PATIENCE = 10_000

/** A vault's file cannot be used. The sentence says why, and what to do. */
export const fault = (file: string, words: string, cause?: unknown) =>
  new LatchkeyError('storage_unavailable', `The vault ${file} ${words}`, { cause, next: 'configure' })

/** What an error of SQLite or of the file system means for a vault, by its primary result code or name. */
const FAULTS: Readonly<Record<string, string>> = {
  5: `is kept locked by another process, for more than ${PATIENCE / 1000} s. Try again, or end that process.`,
  8: 'cannot be written: its file, its folder or its disk is read-only. Let this process write them.',
  10: 'cannot be read or written: the disk reports an error. Check the disk.',
  11: 'is damaged. Keep a copy of the file, and restore it from a backup.',
  13: 'cannot be written: the disk is full. What was stored is still there. Free some space.',
  14: 'could not be opened. Let this process read and write its file and its folder.',
}
const SAME: Readonly<Record<string, number>> = {
  26: 11,
  ENOSPC: 13,
  EDQUOT: 13,
  EROFS: 8,
  EACCES: 14,
  EPERM: 14,
  EIO: 10,
}

/** An extended result code has the primary one in its last byte. */
function codeOf(error: unknown): string {
  const { errcode, code } = error as { errcode?: number; code?: string }
  return String(errcode === undefined ? code : errcode & 0xff)
}

/** An error as the vault's fault, where it is one. */
export function storageError(file: string, error: unknown): unknown {
  const code = codeOf(error)
  const words = FAULTS[SAME[code] ?? code]
  return words ? fault(file, words, error) : error
}

/** Opens a database file, or `:memory:`, and brings its tables up to date. */
export function openSqlite(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: PATIENCE })
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON')
    migrate(database, file)
    // From here on a lock is waited for without stopping the process, which may be the one that has it.
    database.exec('PRAGMA busy_timeout = 0')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** A database file, or `:memory:`, as an engine. */
export function sqliteEngine(file: string): SqlEngine {
  const database = openSqlite(file)
  const prepared = new Map<string, StatementSync>()
  const sql: Sql = async <Row>(text: string, values: unknown[] = []) => {
    const statement = prepared.get(text) ?? database.prepare(inSqlite(text))
    prepared.set(text, statement)
    return statement.all(...(values as SQLInputValue[])).map(plainRow) as Row[]
  }

  /** Statements are answered at once, so there is nothing to save. */
  const commit = () => {}
  async function transaction<T>(act: (sql: Sql, commit: () => void) => Promise<T>): Promise<T> {
    database.exec('BEGIN IMMEDIATE')
    try {
      const result = await act(sql, commit)
      database.exec('COMMIT')
      return result
    } catch (error) {
      // SQLite itself rolls some errors back.
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  // There is one connection, so transactions run one after another.
  let tail: Promise<unknown> = Promise.resolve()
  return {
    type: 'sqlite',
    within(_tenant, act, single) {
      const end = Date.now() + PATIENCE
      const turn = async () => {
        for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
          try {
            return await (single ? act(sql, commit) : transaction(act))
          } catch (error) {
            // Another connection writes, and nothing was done here yet.
            if (codeOf(error) !== '5' || Date.now() >= end) throw storageError(file, error)
          }
          await new Promise((resolve) => setTimeout(resolve, wait))
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
    .replace(
      /\(substring\(event from '"(\w+)":.*?'\)\) STORED/,
      "(CASE WHEN json_valid(event) THEN event -> '$1' END) VIRTUAL",
    )

function migrate(database: DatabaseSync, file: string): void {
  const version = () => {
    const { user_version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (user_version > MIGRATIONS.length) throw fault(file, 'was written by a newer version of Latchkey. Use that one.')
    return user_version
  }
  // The usual case takes no lock.
  if (version() === MIGRATIONS.length) return
  database.exec('BEGIN IMMEDIATE')
  try {
    const from = version()
    for (const statement of MIGRATIONS.slice(from).flat()) database.exec(inSqlite(statement))
    if (from === 0) {
      for (const change of ['UPDATE', 'DELETE']) {
        database.exec(`CREATE TRIGGER latchkey_audit_${change.toLowerCase()} BEFORE ${change} ON latchkey_audit
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`)
      }
    }
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}
