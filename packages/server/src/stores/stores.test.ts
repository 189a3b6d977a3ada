import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type PostgresServer, startPostgres } from '@latchkey/sandbox/postgres'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { storeContract } from '../testing.ts'
import { memoryStore } from './memory.ts'
import { postgresStore } from './postgres.ts'
import { sqliteStore } from './sqlite.ts'
import type { VaultStore } from './store.ts'

let postgres: PostgresServer
let folder: string
beforeAll(async () => {
  postgres = await startPostgres()
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-stores-'))
}, 120_000)
afterAll(async () => {
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
})

describe.each<[string, () => VaultStore]>([
  ['memory', memoryStore],
  ['sqlite', () => sqliteStore(path.join(folder, 'vault.db'))],
  ['postgres', () => postgresStore({ url: postgres.url })],
])('a store in %s', (_name, open) => {
  let store: VaultStore
  beforeAll(() => {
    store = open()
  })
  afterAll(() => store.close())

  it.each(storeContract)('$title', ({ check }) => check(store))
})
