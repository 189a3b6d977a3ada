import { LatchkeyError } from '../errors.ts'

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

/** A random value in base64url: a state, a nonce or a verifier, of 43 characters. @see RFC 7636 §4.1 */
export const randomValue = (bytes = 32): string => base64url(crypto.getRandomValues(new Uint8Array(bytes)))

/** The browser's cryptography, which a page has only over https, and on this machine. @see Secure Contexts §3.1 */
export function webCrypto(): SubtleCrypto {
  if (crypto.subtle) return crypto.subtle
  const message = 'This page needs https: browsers give no cryptography to a page on plain http, except on localhost.'
  throw new LatchkeyError('misuse', message)
}

/** SHA-256 in base64url: the challenge of a verifier. @see RFC 7636 §4.2 */
export const s256 = async (text: string): Promise<string> =>
  base64url(new Uint8Array(await webCrypto().digest('SHA-256', new TextEncoder().encode(text))))
