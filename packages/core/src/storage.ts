/**
 * Where accounts rest: three methods, sync or async, so anything with get, set and remove fits. Values are strings
 * that hold readable account facts and sealed secrets.
 */
export interface StateStorage {
  getItem(key: string): string | null | Promise<string | null>
  setItem(key: string, value: string): void | Promise<void>
  removeItem(key: string): void | Promise<void>
  /** All keys. Without it Latchkey keeps a list of its accounts under `<prefix>:index`. */
  keys?(): string[] | Promise<string[]>
  /** Calls back when another tab changed a key (`null`: possibly all). Returns what ends it. */
  subscribe?(listener: (key: string | null) => void): () => void
  /** `tab`: other tabs do not see it. Default: `origin`. */
  scope?: 'origin' | 'tab'
  /** `plain`: secrets are written as they are. Default: `sealed`. */
  secrets?: 'sealed' | 'plain'
}

function webStorage(area: 'localStorage' | 'sessionStorage'): Required<Omit<StateStorage, 'scope' | 'secrets'>> {
  // The getter itself throws where storage is forbidden, so it is asked anew inside each call.
  const store = () => globalThis[area]
  return {
    getItem: (key) => store().getItem(key),
    setItem: (key, value) => store().setItem(key, value),
    removeItem: (key) => store().removeItem(key),
    keys: () => Object.keys(store()),
    subscribe(listener) {
      const heard = (event: StorageEvent) => {
        if (event.storageArea === null || event.storageArea === store()) listener(event.key)
      }
      globalThis.addEventListener?.('storage', heard)
      return () => globalThis.removeEventListener?.('storage', heard)
    },
  }
}

export interface LocalStorageOptions {
  /**
   * Writes secrets as plain text, readable by every script of the origin and by anyone with the disk. For debugging;
   * warned about once.
   */
  dangerouslyPlaintext?: boolean
}

/** This browser's localStorage: the default. Accounts survive a reload; secrets are sealed. */
export function localStorageStore(options: LocalStorageOptions = {}): StateStorage {
  return { ...webStorage('localStorage'), secrets: options.dangerouslyPlaintext ? 'plain' : 'sealed' }
}

/** This tab's sessionStorage: accounts survive a reload of the tab, and end with it. */
export function sessionStorageStore(): StateStorage {
  return { ...webStorage('sessionStorage'), scope: 'tab' }
}

/** This page's memory: nothing is written anywhere. */
export function memoryStore(): StateStorage {
  const items = new Map<string, string>()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    keys: () => [...items.keys()],
    scope: 'tab',
    secrets: 'plain',
  }
}
