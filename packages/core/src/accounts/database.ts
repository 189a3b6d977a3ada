import { once } from '../once.ts'

const STORES = ['keys', 'secrets', 'leases'] as const
type Store = (typeof STORES)[number]

/** What Latchkey keeps in IndexedDB: the sealing key, per account the newest secret, and turns where locks are missing. */
export interface Database {
  get<T>(store: Store, key: string): Promise<T | undefined>
  /** Writes unless the key is taken; false when it is. */
  add(store: Store, key: string, value: unknown): Promise<boolean>
  /** Reads and writes in one transaction; what `next` returns is kept, `undefined` deletes. */
  change<T>(store: Store, key: string, next: (value: T | undefined) => T | undefined): Promise<T | undefined>
  keys(store: Store): Promise<string[]>
  /** Empties everything. */
  clear(): Promise<void>
}

/** What a connection that was closed fails with: `InvalidStateError` at a new transaction, the others in the middle of one. */
const CLOSED = ['InvalidStateError', 'AbortError', 'UnknownError']

/** Opens the database of this name on first use. Every call rejects where IndexedDB is missing or forbidden. */
export function openDatabase(name: string): Database {
  const connect = () =>
    new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 2)
      request.onupgradeneeded = () => {
        const { result } = request
        for (const store of STORES) if (!result.objectStoreNames.contains(store)) result.createObjectStore(store)
      }
      request.onsuccess = () => {
        // A later version in another tab may need to upgrade; this tab opens again when it needs to.
        request.result.onversionchange = () => {
          request.result.close()
          open = once(connect)
        }
        // The browser may close it at any time, such as when it cleans up or its storage process ended.
        request.result.onclose = () => {
          open = once(connect)
        }
        resolve(request.result)
      }
      request.onerror = () => reject(request.error)
    })
  let open = once(connect)
  type Act<T> = (store: IDBObjectStore) => IDBRequest<T>
  /** Again once over a new connection, if it was closed under way: a token may exist nowhere but in this write. */
  async function run<T>(store: Store, mode: IDBTransactionMode, act: Act<T>): Promise<T> {
    const used = open
    return attempt(store, mode, act).catch((error) => {
      if (!CLOSED.includes(error?.name)) throw error
      if (open === used) open = once(connect)
      return attempt(store, mode, act)
    })
  }
  async function attempt<T>(store: Store, mode: IDBTransactionMode, act: Act<T>): Promise<T> {
    const transaction = (await open()).transaction(store, mode, { durability: 'strict' })
    return new Promise<T>((resolve, reject) => {
      const request = act(transaction.objectStore(store))
      // Only a completed transaction is on disk.
      transaction.oncomplete = () => resolve(request.result)
      transaction.onabort = () => reject(transaction.error)
    })
  }
  return {
    get: (store, key) => run(store, 'readonly', (objects) => objects.get(key)),
    add: (store, key, value) =>
      run(store, 'readwrite', (objects) => objects.add(value, key)).then(
        () => true,
        (error) => {
          if (error?.name === 'ConstraintError') return false
          throw error
        },
      ),
    async change<T>(store: Store, key: string, next: (value: T | undefined) => T | undefined) {
      let kept: T | undefined
      await run(store, 'readwrite', (objects) => {
        const request: IDBRequest<T | undefined> = objects.get(key)
        request.onsuccess = () => {
          kept = next(request.result)
          if (kept === undefined) objects.delete(key)
          else if (kept !== request.result) objects.put(kept, key)
        }
        return request
      })
      return kept
    },
    keys: (store) => run(store, 'readonly', (objects) => objects.getAllKeys()) as Promise<string[]>,
    async clear() {
      for (const store of STORES) await run(store, 'readwrite', (objects) => objects.clear())
    },
  }
}
