import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import path from 'node:path'
import { LatchkeyError } from '@latchkey/core'
import { sqlStore } from './sql.ts'
import { sqliteEngine } from './sqlite-engine.ts'
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
    // A file that another program made, with the log and index that SQLite keeps beside it.
    for (const one of [file, `${file}-wal`, `${file}-shm`]) if (existsSync(one)) makePrivate(one)
  }
  return sqlStore(sqliteEngine(file))
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
