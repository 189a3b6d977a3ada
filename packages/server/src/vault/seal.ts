import { randomBytes } from 'node:crypto'
import { decrypt, encrypt, KEY, type KeyProvider, unavailable } from './keys.ts'

/** What a sealed secret belongs to. Ciphertext that is moved under another name does not open. */
export interface SealContext {
  tenant: string
  user: string
  provider: string
  /** The account, or what else the row is of. */
  account: string
}

export interface Sealed {
  kid: string
  bytes: Uint8Array
}

/** Seals with a data key of its own, which only the key provider can unwrap. @see NIST SP 800-38D §8.2.2 */
export async function seal(keys: KeyProvider, context: SealContext, plain: string): Promise<Sealed> {
  const kid = keys.current()
  const data = randomBytes(KEY)
  const bound = bind(context, kid)
  const wrapped = await keys.wrap(kid, data, bound)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(wrapped.length)
  return { kid, bytes: Buffer.concat([VERSION, length, wrapped, encrypt(data, Buffer.from(plain), bound)]) }
}

/** @throws LatchkeyError `secret_unavailable` for a key id nobody knows, and for bytes that belong elsewhere. */
export async function unseal(keys: KeyProvider, context: SealContext, { kid, bytes }: Sealed): Promise<string> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (all.length < 3 || all[0] !== VERSION[0]) throw unavailable('The vault holds a row that it did not write.')
  const end = 3 + all.readUInt16BE(1)
  const bound = bind(context, kid)
  const data = await keys.unwrap(kid, all.subarray(3, end), bound)
  return decrypt(data, all.subarray(end), bound).toString()
}

const VERSION = Buffer.from([1])

/** Unambiguous, whatever the names hold. */
const bind = ({ tenant, user, provider, account }: SealContext, kid: string) =>
  Buffer.from(JSON.stringify([tenant, user, provider, account, kid]))
