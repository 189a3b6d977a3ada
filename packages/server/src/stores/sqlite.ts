import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
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
  }
  return sqlStore(sqliteEngine(file))
}
