import { sqlStore } from './sql.ts'
import type { VaultStore } from './store.ts'

/** Stores rows in memory, for tests and first steps. They are lost when the process ends. */
export function memoryStore(): VaultStore {
  // Loaded by a store that needs it, so that the others come without SQLite.
  const engine = import('./sqlite-engine.ts').then(({ sqliteEngine }) => sqliteEngine(':memory:'))
  return sqlStore({
    type: 'memory',
    within: async (...work) => (await engine).within(...work),
    close: async () => (await engine).close(),
  })
}
