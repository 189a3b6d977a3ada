import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomBytes } from 'node:crypto'
import { LatchkeyError } from '@latchkey/core'

/**
 * Where keys that encrypt keys live: in this process ({@link localKeys}), or in a KMS that wraps and unwraps for it. It
 * never sees what is in the vault, only the data key of one row.
 */
export interface KeyProvider {
  /** Id of the key that new rows are made with. Rows of another one are made anew by `vault.reencrypt()`. */
  current(): string
  /** Whether it has this key, where that is known without a request. Accounts of a lost key then say so before their use. */
  has?(kid: string): boolean
  /** Encrypts a data key under this key id. `context` has to be there again, byte by byte, to unwrap it. */
  wrap(kid: string, key: Uint8Array, context: Uint8Array): Promise<Uint8Array> | Uint8Array
  /** @throws LatchkeyError `secret_unavailable` for a key id it does not have, or another context. */
  unwrap(kid: string, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array> | Uint8Array
}

/** Encryption keys in this process. */
export interface LocalKeys extends KeyProvider {
  /** Adds a key and makes new rows with it from now on. Returns its id. */
  rotate(key: string): string
  /** Forgets a key. What is still sealed with it cannot be read any more. */
  drop(kid: string): void
}

/** Bytes of a key. */
export const KEY = 32
const IV = 12
const TAG = 16

export const unavailable = (message: string, cause?: unknown) =>
  new LatchkeyError('secret_unavailable', message, { next: 'none', cause })

/**
 * Keys of this process, 256 bits each, as base64 or base64url: the first makes new rows, the others still read. An id
 * of one's own is written before the key, `2026-11:…`; without one the id comes from the key itself.
 *
 * @throws LatchkeyError `misuse` for a key that is too short, repeats one byte, is not base64, or has the id of
 *   another key.
 */
export function localKeys(...given: string[]): LocalKeys {
  const keys = new Map<string, Buffer>()
  const add = (text: string) => {
    const { kid, key } = parseKey(text)
    if (keys.get(kid)?.equals(key) === false) {
      const message = `TOKEN_ENCRYPTION_KEY has two keys with the id "${kid}". Give one of them an id of its own.`
      throw new LatchkeyError('misuse', message)
    }
    keys.set(kid, key)
    return kid
  }
  const find = (kid: string) => {
    const key = keys.get(kid)
    if (!key) throw unavailable(`The vault has no key "${kid.slice(0, 64)}". Add it to TOKEN_ENCRYPTION_KEY.`)
    return key
  }
  if (given.length === 0) throw weak('is missing')
  let [current = ''] = given.map(add)
  return {
    current: () => current,
    has: (kid) => keys.has(kid),
    wrap: (kid, key, context) => encrypt(find(kid), key, context),
    unwrap: (kid, wrapped, context) => decrypt(find(kid), wrapped, context),
    rotate(key) {
      current = add(key)
      return current
    },
    drop(kid) {
      if (kid === current) throw new LatchkeyError('misuse', 'The key that new rows are made with cannot be dropped.')
      keys.delete(kid)
    },
  }
}

/** Keys out of the environment: `TOKEN_ENCRYPTION_KEY`, several with commas between, the current one first. */
export function keysFromEnv(env: Readonly<Record<string, string | undefined>> = process.env): LocalKeys {
  const listed = (env.TOKEN_ENCRYPTION_KEY ?? '').split(',').map((key) => key.trim())
  return localKeys(...listed.filter(Boolean))
}

function weak(what: string): LatchkeyError {
  return new LatchkeyError(
    'misuse',
    `TOKEN_ENCRYPTION_KEY ${what}. It has to be 32 random bytes in base64: run \`openssl rand -base64 32\`.`,
  )
}

function parseKey(text: string): { kid: string; key: Buffer } {
  const [, named, encoded = ''] = /^(?:([\w.-]{1,64}):)?(.*)$/s.exec(text) ?? []
  // Buffer.from skips what is not base64 without a word.
  if (!/^[\w+/-]+={0,2}$/.test(encoded)) throw weak('is not base64')
  const key = Buffer.from(encoded, 'base64')
  if (key.length !== KEY) throw weak(`holds ${key.length} bytes`)
  // 32 random bytes have fewer than 16 different values once in 10^13 times; a repeated pattern always has.
  if (new Set(key).size < 16) throw weak('is not random')
  const digest = createHash('sha256').update('latchkey key id').update(key).digest('base64url')
  return { kid: named ?? `k${digest.slice(0, 10)}`, key }
}

// As a key object, which Node takes four times as fast as bytes.
export function encrypt(key: Uint8Array, plain: Uint8Array, context: Uint8Array): Buffer {
  const iv = randomBytes(IV)
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), iv, { authTagLength: TAG }).setAAD(context)
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

export function decrypt(key: Uint8Array, bytes: Uint8Array, context: Uint8Array): Buffer {
  try {
    if (bytes.length < IV + TAG) throw new RangeError('too short')
    const tag = bytes.subarray(bytes.length - TAG)
    const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), bytes.subarray(0, IV), {
      authTagLength: TAG,
    })
    decipher.setAAD(context).setAuthTag(tag)
    return Buffer.concat([decipher.update(bytes.subarray(IV, -TAG)), decipher.final()])
  } catch (cause) {
    throw unavailable('A row of the vault does not open: it was changed, or belongs to another account.', cause)
  }
}
