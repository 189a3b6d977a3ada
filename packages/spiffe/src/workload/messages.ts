// The messages of the Workload API in Protocol Buffers' wire form. They are few and use only strings, bytes, maps of them
// and one Struct, so a reader of the wire form is smaller than a library and its generated code.

import { SpiffeError } from '../ids/errors.ts'

/** @see workloadapi.proto, message X509SVID */
export interface X509SvidMessage {
  spiffeId: string
  x509Svid: Uint8Array
  x509SvidKey: Uint8Array
  bundle: Uint8Array
  hint: string
}

export interface X509SvidResponse {
  svids: X509SvidMessage[]
  crl: Uint8Array[]
  federatedBundles: Map<string, Uint8Array>
}

export interface X509BundlesResponse {
  crl: Uint8Array[]
  bundles: Map<string, Uint8Array>
}

export interface JwtSvidRequest {
  audience: string[]
  spiffeId: string
}

export interface JwtSvidMessage {
  spiffeId: string
  svid: string
  hint: string
}

export interface JwtSvidResponse {
  svids: JwtSvidMessage[]
}

export interface JwtBundlesResponse {
  bundles: Map<string, Uint8Array>
}

export interface ValidateJwtSvidRequest {
  audience: string
  svid: string
}

export interface ValidateJwtSvidResponse {
  spiffeId: string
  claims: Record<string, unknown>
}

/** A message to and from bytes, with its defaults where fields are absent. */
export interface Codec<Message> {
  encode(message: Message): Buffer
  decode(bytes: Uint8Array): Message
}

const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2
const FIXED32 = 5

type Field = { number: number; bytes: Uint8Array; value: number }

/** Every field of a message, in order; unknown ones are the reader's to pass over. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
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

function text(bytes: Uint8Array): string {
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
function field(number: number, content: string | Uint8Array, keepEmpty = false): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  if (bytes.length === 0 && !keepEmpty) return Buffer.alloc(0)
  return Buffer.concat([varint(number * 8 + DELIMITED), varint(bytes.length), bytes])
}

function entries(number: number, map: Map<string, Uint8Array>): Buffer[] {
  return [...map].map(([key, value]) => field(number, Buffer.concat([field(1, key), field(2, value)]), true))
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

/** The requests that say nothing. */
export const emptyRequest: Codec<object> = { encode: () => Buffer.alloc(0), decode: () => ({}) }

export const x509SvidResponse: Codec<X509SvidResponse> = {
  encode({ svids, crl, federatedBundles }) {
    return Buffer.concat([
      ...svids.map((svid) =>
        field(
          1,
          Buffer.concat([
            field(1, svid.spiffeId),
            field(2, svid.x509Svid),
            field(3, svid.x509SvidKey),
            field(4, svid.bundle),
            field(5, svid.hint),
          ]),
          true,
        ),
      ),
      ...crl.map((one) => field(2, one, true)),
      ...entries(3, federatedBundles),
    ])
  },
  decode(bytes) {
    const message: X509SvidResponse = { svids: [], crl: [], federatedBundles: new Map() }
    for (const one of fieldsOf(bytes)) {
      if (one.number === 1) message.svids.push(readX509Svid(one.bytes))
      if (one.number === 2) message.crl.push(one.bytes)
      if (one.number === 3) readEntry(one.bytes, message.federatedBundles)
    }
    return message
  },
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

export const x509BundlesResponse: Codec<X509BundlesResponse> = {
  encode: ({ crl, bundles }) => Buffer.concat([...crl.map((one) => field(1, one, true)), ...entries(2, bundles)]),
  decode(bytes) {
    const message: X509BundlesResponse = { crl: [], bundles: new Map() }
    for (const one of fieldsOf(bytes)) {
      if (one.number === 1) message.crl.push(one.bytes)
      if (one.number === 2) readEntry(one.bytes, message.bundles)
    }
    return message
  },
}

export const jwtSvidRequest: Codec<JwtSvidRequest> = {
  encode: ({ audience, spiffeId }) =>
    Buffer.concat([...audience.map((one) => field(1, one, true)), field(2, spiffeId)]),
  decode(bytes) {
    const message: JwtSvidRequest = { audience: [], spiffeId: '' }
    for (const one of fieldsOf(bytes)) {
      if (one.number === 1) message.audience.push(text(one.bytes))
      if (one.number === 2) message.spiffeId = text(one.bytes)
    }
    return message
  },
}

export const jwtSvidResponse: Codec<JwtSvidResponse> = {
  encode: ({ svids }) =>
    Buffer.concat(
      svids.map((svid) =>
        field(1, Buffer.concat([field(1, svid.spiffeId), field(2, svid.svid), field(3, svid.hint)]), true),
      ),
    ),
  decode(bytes) {
    const message: JwtSvidResponse = { svids: [] }
    for (const one of fieldsOf(bytes)) {
      if (one.number !== 1) continue
      const svid: JwtSvidMessage = { spiffeId: '', svid: '', hint: '' }
      for (const inner of fieldsOf(one.bytes)) {
        if (inner.number === 1) svid.spiffeId = text(inner.bytes)
        if (inner.number === 2) svid.svid = text(inner.bytes)
        if (inner.number === 3) svid.hint = text(inner.bytes)
      }
      message.svids.push(svid)
    }
    return message
  },
}

export const jwtBundlesResponse: Codec<JwtBundlesResponse> = {
  encode: ({ bundles }) => Buffer.concat(entries(1, bundles)),
  decode(bytes) {
    const message: JwtBundlesResponse = { bundles: new Map() }
    for (const one of fieldsOf(bytes)) if (one.number === 1) readEntry(one.bytes, message.bundles)
    return message
  },
}

export const validateJwtSvidRequest: Codec<ValidateJwtSvidRequest> = {
  encode: ({ audience, svid }) => Buffer.concat([field(1, audience), field(2, svid)]),
  decode(bytes) {
    const message: ValidateJwtSvidRequest = { audience: '', svid: '' }
    for (const one of fieldsOf(bytes)) {
      if (one.number === 1) message.audience = text(one.bytes)
      if (one.number === 2) message.svid = text(one.bytes)
    }
    return message
  },
}

export const validateJwtSvidResponse: Codec<ValidateJwtSvidResponse> = {
  encode: ({ spiffeId, claims }) => Buffer.concat([field(1, spiffeId), field(2, encodeStruct(claims), true)]),
  decode(bytes) {
    const message: ValidateJwtSvidResponse = { spiffeId: '', claims: {} }
    for (const one of fieldsOf(bytes)) {
      if (one.number === 1) message.spiffeId = text(one.bytes)
      if (one.number === 2) message.claims = decodeStruct(one.bytes)
    }
    return message
  },
}

// google.protobuf.Struct: JSON as messages. Depth is limited, since a message of nested lists would exhaust the stack.
const MAX_DEPTH = 64

function encodeStruct(object: Record<string, unknown>): Buffer {
  return Buffer.concat(
    Object.entries(object).map(([key, value]) =>
      field(1, Buffer.concat([field(1, key), field(2, encodeValue(value), true)]), true),
    ),
  )
}

function encodeValue(value: unknown): Buffer {
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9, 2 * 8 + FIXED64)
    bytes.writeDoubleLE(value, 1)
    return bytes
  }
  if (typeof value === 'string') return field(3, value, true)
  if (typeof value === 'boolean') return Buffer.from([4 * 8 + VARINT, value ? 1 : 0])
  if (Array.isArray(value)) return field(6, Buffer.concat(value.map((one) => field(1, encodeValue(one), true))), true)
  if (typeof value === 'object' && value !== null) return field(5, encodeStruct(value as Record<string, unknown>), true)
  return Buffer.from([1 * 8 + VARINT, 0])
}

function decodeStruct(bytes: Uint8Array, depth = 0): Record<string, unknown> {
  const pairs: [string, unknown][] = []
  for (const one of fieldsOf(bytes)) {
    if (one.number !== 1) continue
    const pair: [string, unknown] = ['', null]
    for (const inner of fieldsOf(one.bytes)) {
      if (inner.number === 1) pair[0] = text(inner.bytes)
      if (inner.number === 2) pair[1] = decodeValue(inner.bytes, depth + 1)
    }
    pairs.push(pair)
  }
  return Object.fromEntries(pairs)
}

function decodeValue(bytes: Uint8Array, depth: number): unknown {
  if (depth > MAX_DEPTH) throw malformed()
  let value: unknown = null
  for (const one of fieldsOf(bytes)) {
    if (one.number === 1) value = null
    if (one.number === 2) {
      if (one.bytes.length !== 8) throw malformed()
      value = Buffer.from(one.bytes).readDoubleLE(0)
    }
    if (one.number === 3) value = text(one.bytes)
    if (one.number === 4) value = one.value !== 0
    if (one.number === 5) value = decodeStruct(one.bytes, depth)
    if (one.number === 6) {
      const list: unknown[] = []
      for (const inner of fieldsOf(one.bytes)) if (inner.number === 1) list.push(decodeValue(inner.bytes, depth + 1))
      value = list
    }
  }
  return value
}

/** Paths of the RPCs. The service stands in no package. */
export const RPC = {
  x509Svid: '/SpiffeWorkloadAPI/FetchX509SVID',
  x509Bundles: '/SpiffeWorkloadAPI/FetchX509Bundles',
  jwtSvid: '/SpiffeWorkloadAPI/FetchJWTSVID',
  jwtBundles: '/SpiffeWorkloadAPI/FetchJWTBundles',
  validateJwtSvid: '/SpiffeWorkloadAPI/ValidateJWTSVID',
} as const

/** The header that proves a call was meant for the Workload API, and not tricked out of some proxy. */
export const SECURITY_HEADER = 'workload.spiffe.io'
