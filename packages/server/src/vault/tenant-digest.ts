import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { LatchkeyError } from '@latchkey/core'
import canonicalize from 'canonicalize'
import type { VaultStore } from '../stores/store.ts'
import { documentsOf } from './documents.ts'
import { KEY, type KeyProvider } from './keys.ts'

/** The same text for the same JSON value. Undefined for what JSON has no word for. @see RFC 8785 */
export function canonicalJson(value: unknown): string | undefined {
  try {
    return canonicalize(value)
  } catch (cause) {
    throw new LatchkeyError('invalid_request', 'The arguments are no JSON.', { next: 'none', cause })
  }
}

/** Digest of a canonical text, in base64url. */
export type TenantDigest = (text: string) => string

/** Documents of nobody: they belong to the tenant. */
interface TenantDocuments {
  /** In base64. Its id is that of the key that it is sealed with. */
  key: string
}

/**
 * Digests under a key of the tenant, since few arguments can be guessed: without the key a digest would tell them. The key
 * is made once, and is the same in all processes that share the store.
 */
export function createTenantDigests(
  store: Pick<VaultStore, 'asPerson'>,
  keys: KeyProvider,
): (tenant: string) => Promise<TenantDigest> {
  const loaded = new Map<string, Promise<KeyObject>>()

  const load = (tenant: string, kid: string) => {
    const nobody = { tenant, user: '' }
    return store.asPerson(nobody, Date.now(), async (rows) => {
      const documents = documentsOf<TenantDocuments>(rows, nobody, keys)
      const mine = await documents.read('key', kid)
      if (mine) return createSecretKey(mine.content, 'base64')
      // After a rotation it is the same, sealed anew. What no key opens has no digests any more that could be compared.
      const [key = randomBytes(KEY).toString('base64')] = await documents.all('key')
      await documents.write('key', kid, key, Number.MAX_SAFE_INTEGER)
      return createSecretKey(key, 'base64')
    })
  }

  return async (tenant) => {
    const kid = keys.current()
    const name = JSON.stringify([tenant, kid])
    let loading = loaded.get(name)
    if (!loading) {
      loading = load(tenant, kid)
      loaded.set(name, loading)
      loading.catch(() => loaded.delete(name))
    }
    const key = await loading
    return (text) => createHmac('sha256', key).update(text).digest('base64url')
  }
}
