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

/** Opens the database of this name on first use. Every call rejects where IndexedDB is missing or forbidden. */
export function openDatabase(name: string): Database {
  let opening: Promise<IDBDatabase> | undefined
  const open = () => {
    opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 2)
      request.onupgradeneeded = () => {
        const { result } = request
        for (const store of STORES) if (!result.objectStoreNames.contains(store)) result.createObjectStore(store)
      }
      request.onsuccess = () => {
        // A later version in another tab may need to upgrade; this tab opens again when it needs to.
        request.result.onversionchange = () => {
          request.result.close()
          opening = undefined
        }
        resolve(request.result)
      }
      request.onerror = () => reject(request.error)
    })
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }
  async function run<T>(
    store: string,
    mode: IDBTransactionMode,
    act: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const transaction = (await open()).transaction(store, mode, { durability: 'strict' })
    return new Promise((resolve, reject) => {
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

/** Seals secrets at rest. */
export interface Seal {
  seal(text: string, context: string): Promise<string>
  /** @returns undefined for anything that was not sealed here, in this context, and left untouched since. */
  unseal(sealed: string, context: string): Promise<string | undefined>
  /** Lets go of the key: the next call reads it, or makes another. */
  forget(): void
}

/** Secrets as they are, for storage that asks for it. */
export const plainSeal: Seal = {
  seal: async (text) => text,
  unseal: async (text) => text,
  forget() {},
}

const IV_BYTES = 12

/**
 * AES-256-GCM with a key that WebCrypto never exports, kept in IndexedDB. A copy of the storage without this browser's
 * profile is worthless; a script in the page can still use the key, as it can use the page.
 */
export function keySeal(database: Database): Seal {
  let pending: Promise<CryptoKey> | undefined
  async function load(): Promise<CryptoKey> {
    const kept = await database.get<CryptoKey>('keys', 'seal')
    if (kept) return kept
    const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
    // Two tabs may make one at once: the first stays, the loser reads it.
    if (await database.add('keys', 'seal', made)) return made
    return (await database.get<CryptoKey>('keys', 'seal')) as CryptoKey
  }
  const key = () => {
    pending ??= load()
    pending.catch(() => {
      pending = undefined
    })
    return pending
  }
  const parameters = (iv: Uint8Array<ArrayBuffer>, context: string) => ({
    name: 'AES-GCM',
    iv,
    additionalData: new TextEncoder().encode(context),
  })
  return {
    async seal(text, context) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const sealed = await crypto.subtle.encrypt(parameters(iv, context), await key(), new TextEncoder().encode(text))
      return btoa(String.fromCharCode(...iv, ...new Uint8Array(sealed)))
    },
    async unseal(sealed, context) {
      try {
        const bytes = Uint8Array.from(atob(sealed), (char) => char.charCodeAt(0))
        const iv = bytes.subarray(0, IV_BYTES)
        const text = await crypto.subtle.decrypt(parameters(iv, context), await key(), bytes.subarray(IV_BYTES))
        return new TextDecoder().decode(text)
      } catch {
        return undefined
      }
    },
    forget() {
      pending = undefined
    },
  }
}
