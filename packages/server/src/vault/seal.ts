import { randomBytes } from 'node:crypto'
import { decrypt, encrypt, KEY, type KeyProvider, unavailable } from './keys.ts'

/** What a sealed secret belongs to. It cannot be decrypted beside any other names or facts. */
export interface SealContext {
  tenant: string
  user: string
  provider: string
  /** The account, or what else the row is of. */
  account: string
  /** The readable text of the row. A key provider never sees it. */
  facts?: string
}

export interface Sealed {
  kid: string
  sealed: Uint8Array
}

const VERSION = 2

/** Seals with a data key of its own, which only the key provider can unwrap. @see NIST SP 800-38D §8.2.2 */
export async function seal(keys: KeyProvider, context: SealContext, plain: string): Promise<Sealed> {
  const kid = keys.current()
  const data = randomBytes(KEY)
  const wrapped = await keys.wrap(kid, data, bind(context, kid))
  const head = Buffer.from([VERSION, wrapped.length >> 8, wrapped.length])
  const body = encrypt(data, Buffer.from(plain), bind(context, kid, context.facts))
  return { kid, sealed: Buffer.concat([head, wrapped, body]) }
}

/** @throws LatchkeyError `secret_unavailable` for an unknown key id, and for bytes that belong elsewhere. */
export async function unseal(keys: KeyProvider, row: SealContext & Sealed): Promise<string> {
  const { kid, sealed, facts } = row
  const all = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  if (all.length < 3 || all[0] !== VERSION) throw unavailable('The vault holds a row that it did not write.')
  const end = 3 + all.readUInt16BE(1)
  const data = await keys.unwrap(kid, all.subarray(3, end), bind(row, kid))
  return decrypt(data, all.subarray(end), bind(row, kid, facts)).toString()
}

/** Unambiguous, whatever the names hold. */
const bind = ({ tenant, user, provider, account }: SealContext, ...more: (string | undefined)[]) =>
  Buffer.from(JSON.stringify([tenant, user, provider, account, ...more]))
