import { randomUUID } from 'node:crypto'
import { chmodSync, closeSync, existsSync, linkSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { LatchkeyError } from '@latchkey/core'
import { sqlStore } from './sql.ts'
import { fault, openSqlite, sqliteEngine, storageError } from './sqlite-engine.ts'
import type { VaultStore } from './store.ts'

/**
 * Stores rows in one file, with the SQLite that is part of Node. A write is on disk before its promise resolves. Several
 * processes of one machine may share the file; for several machines use `postgresStore`.
 *
 * @throws LatchkeyError `storage_unavailable` for a file that cannot be used, or that is empty: it was a vault before.
 */
export function sqliteStore(file: string): VaultStore {
  try {
    if (file !== ':memory:') {
      create(file)
      // A file that another program made, with the log and index that SQLite keeps beside it.
      for (const one of [file, `${file}-wal`, `${file}-shm`]) if (existsSync(one)) makePrivate(one)
    }
    return sqlStore(sqliteEngine(file))
  } catch (error) {
    throw storageError(file, error)
  }
}

/** Makes a vault where there is none. It gets its name when it is complete, so no process ever meets an empty file. */
function create(file: string): void {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true, mode: 0o700 })
  // SQLite would write the log of a vault that is gone into a new one. Looked for first: another process may be creating.
  const isLeft = existsSync(`${file}-wal`)
  if (existsSync(file)) {
    if (statSync(file).size > 0) return
    throw fault(file, 'is empty. If it was in use, restore it from a backup. If not, delete it, and it is made anew.')
  }
  if (isLeft)
    throw fault(file, 'is gone, but its log is there. Restore the vault, or delete the file that ends in -wal.')
  const fresh = `${file}.${randomUUID()}`
  try {
    // Created before SQLite creates it, with a mode that other users of the machine cannot read.
    closeSync(openSync(fresh, 'wx', 0o600))
    openSqlite(fresh).close()
    linkSync(fresh, file)
  } catch (error) {
    // Another process was first.
    if (!existsSync(file)) throw error
  } finally {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(fresh + end, { force: true })
  }
}

/** Takes other users' rights to a file away. @throws LatchkeyError `misuse` if this process may not. */
function makePrivate(file: string): void {
  // Windows has no such rights.
  if (process.platform === 'win32' || (statSync(file).mode & 0o077) === 0) return
  try {
    chmodSync(file, 0o600)
  } catch (cause) {
    const message = `Other users of this machine can read the vault's file ${file}. Run chmod 600 on it, as its owner.`
    throw new LatchkeyError('misuse', message, { cause })
  }
}
