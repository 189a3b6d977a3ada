// The messages of the Workload API that its client reads and writes, in the wire form of Protocol Buffers. They use only
// strings, bytes and maps of them, so reading the wire form by hand is less code than a library and its generated files.

import { SpiffeError } from '../ids/errors.ts'

/** An identity as the Workload API sends it. Certificates, key (PKCS#8) and bundle are DER. @see workloadapi.proto, message X509SVID */
export interface X509SvidMessage {
  spiffeId: string
  x509Svid: Uint8Array
  x509SvidKey: Uint8Array
  bundle: Uint8Array
  hint: string
}

/**
 * The X.509-SVIDs of a workload, and the bundles of federated trust domains by trust domain.
 *
 * @see workloadapi.proto, message X509SVIDResponse
 */
export interface X509SvidResponse {
  svids: X509SvidMessage[]
  federatedBundles: Map<string, Uint8Array>
}

/**
 * Asks for JWT-SVIDs for an audience.
 *
 * @see workloadapi.proto, message JWTSVIDRequest
 */
export interface JwtSvidRequest {
  audience: string[]
  /** Empty for any identity of the workload. */
  spiffeId: string
}

/**
 * One JWT-SVID of an answer.
 *
 * @see workloadapi.proto, message JWTSVID
 */
export interface JwtSvidMessage {
  spiffeId: string
  /** The token. */
  svid: string
  hint: string
}

/**
 * Asks the Workload API to validate a JWT-SVID.
 *
 * @see workloadapi.proto, message ValidateJWTSVIDRequest
 */
export interface ValidateJwtSvidRequest {
  audience: string
  /** The token. */
  svid: string
}

export const VARINT = 0
export const FIXED64 = 1
const DELIMITED = 2
const FIXED32 = 5

interface Field {
  number: number
  bytes: Uint8Array
  value: number
}

/** All fields of a message in order. The reader skips those it does not know. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const none = new Uint8Array()
  const varint = (): number => {
    let value = 0
    for (let factor = 1, length = 0; length < 10; factor *= 128, length++) {
      const byte = bytes[at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw malformed()
  }
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw malformed()
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    if (number === 0) throw malformed()
    const type = tag % 8
    if (type === VARINT) yield { number, bytes: none, value: varint() }
    else if (type === DELIMITED) yield { number, bytes: take(varint()), value: 0 }
    else if (type === FIXED64) yield { number, bytes: take(8), value: 0 }
    else if (type === FIXED32) yield { number, bytes: take(4), value: 0 }
    else throw malformed()
  }
}

function malformed(): SpiffeError {
  return new SpiffeError('malformed_response', 'A message of the Workload API cannot be read.')
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A field as text. */
export function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw malformed()
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80)
  return Buffer.from([...bytes, value])
}

/** A length-delimited field; an empty one is left out, as proto3 does, unless it is an entry of a list. */
export function field(number: number, content: string | Uint8Array, keepEmpty = false): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  if (bytes.length === 0 && !keepEmpty) return Buffer.alloc(0)
  return Buffer.concat([varint(number * 8 + DELIMITED), varint(bytes.length), bytes])
}

function readEntry(bytes: Uint8Array, into: Map<string, Uint8Array>) {
  let key = ''
  let value: Uint8Array = new Uint8Array()
  for (const one of fieldsOf(bytes)) {
    if (one.number === 1) key = text(one.bytes)
    if (one.number === 2) value = one.bytes
  }
  into.set(key, value)
}

export function encodeJwtSvidRequest({ audience, spiffeId }: JwtSvidRequest): Buffer {
  return Buffer.concat([...audience.map((one) => field(1, one, true)), field(2, spiffeId)])
}

export function encodeValidateJwtSvidRequest({ audience, svid }: ValidateJwtSvidRequest): Buffer {
  return Buffer.concat([field(1, audience), field(2, svid)])
}

export function decodeX509SvidResponse(bytes: Uint8Array): X509SvidResponse {
  const message: X509SvidResponse = { svids: [], federatedBundles: new Map() }
  for (const one of fieldsOf(bytes)) {
    if (one.number === 1) message.svids.push(readX509Svid(one.bytes))
    if (one.number === 3) readEntry(one.bytes, message.federatedBundles)
  }
  return message
}

function readX509Svid(bytes: Uint8Array): X509SvidMessage {
  const none = new Uint8Array()
  const svid: X509SvidMessage = { spiffeId: '', x509Svid: none, x509SvidKey: none, bundle: none, hint: '' }
  for (const one of fieldsOf(bytes)) {
    if (one.number === 1) svid.spiffeId = text(one.bytes)
    if (one.number === 2) svid.x509Svid = one.bytes
    if (one.number === 3) svid.x509SvidKey = one.bytes
    if (one.number === 4) svid.bundle = one.bytes
    if (one.number === 5) svid.hint = text(one.bytes)
  }
  return svid
}

/** Bundles by trust domain: field 2 of X509BundlesResponse, field 1 of JWTBundlesResponse. */
export function decodeBundles(bytes: Uint8Array, number: 1 | 2): Map<string, Uint8Array> {
  const bundles = new Map<string, Uint8Array>()
  for (const one of fieldsOf(bytes)) if (one.number === number) readEntry(one.bytes, bundles)
  return bundles
}

export function decodeJwtSvidResponse(bytes: Uint8Array): JwtSvidMessage[] {
  const svids: JwtSvidMessage[] = []
  for (const one of fieldsOf(bytes)) {
    if (one.number !== 1) continue
    const svid: JwtSvidMessage = { spiffeId: '', svid: '', hint: '' }
    for (const inner of fieldsOf(one.bytes)) {
      if (inner.number === 1) svid.spiffeId = text(inner.bytes)
      if (inner.number === 2) svid.svid = text(inner.bytes)
      if (inner.number === 3) svid.hint = text(inner.bytes)
    }
    svids.push(svid)
  }
  return svids
}

/** The SPIFFE ID that the Workload API read from a token. The claims are read from the token itself. */
export function decodeValidatedId(bytes: Uint8Array): string {
  let spiffeId = ''
  for (const one of fieldsOf(bytes)) if (one.number === 1) spiffeId = text(one.bytes)
  return spiffeId
}

/** Paths of the RPCs. The service has no package name. */
export const RPC = {
  x509Svid: '/SpiffeWorkloadAPI/FetchX509SVID',
  x509Bundles: '/SpiffeWorkloadAPI/FetchX509Bundles',
  jwtSvid: '/SpiffeWorkloadAPI/FetchJWTSVID',
  jwtBundles: '/SpiffeWorkloadAPI/FetchJWTBundles',
  validateJwtSvid: '/SpiffeWorkloadAPI/ValidateJWTSVID',
} as const

/** The header on every call. A request that was forged through a proxy or a browser lacks it. @see SPIFFE Workload Endpoint §5 */
export const SECURITY_HEADER = 'workload.spiffe.io'
