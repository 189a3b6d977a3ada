import { once } from '../once.ts'
import type { Database } from './database.ts'

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
  async function load(): Promise<CryptoKey> {
    const kept = await database.get<CryptoKey>('keys', 'seal')
    if (kept) return kept
    const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
    // Two tabs may make one at once: the first stays, the loser reads it.
    if (await database.add('keys', 'seal', made)) return made
    return (await database.get<CryptoKey>('keys', 'seal')) as CryptoKey
  }
  let key = once(load)
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
      key = once(load)
    },
  }
}
