// The server's side of the Workload API's messages, for the fake of it.

import {
  FIXED64,
  field,
  fieldsOf,
  type JwtSvidMessage,
  type JwtSvidRequest,
  text,
  VARINT,
  type ValidateJwtSvidRequest,
  type X509SvidResponse,
} from '../workload/messages.ts'

/** A whole state of FetchX509SVID as bytes, for {@link FakeWorkloadApi.push}. */
export function encodeX509SvidResponse({ svids, federatedBundles }: X509SvidResponse): Buffer {
  const identities = svids.map((svid) => [
    field(1, svid.spiffeId),
    field(2, svid.x509Svid),
    field(3, svid.x509SvidKey),
    field(4, svid.bundle),
    field(5, svid.hint),
  ])
  return Buffer.concat([
    ...identities.map((fields) => field(1, Buffer.concat(fields), true)),
    encodeBundles(federatedBundles, 3),
  ])
}

/** Bundles by trust domain: field 3 of X509SVIDResponse, field 2 of X509BundlesResponse, field 1 of JWTBundlesResponse. */
export function encodeBundles(bundles: Map<string, Uint8Array>, number: 1 | 2 | 3): Buffer {
  return Buffer.concat(
    [...bundles].map(([key, value]) => field(number, Buffer.concat([field(1, key), field(2, value)]), true)),
  )
}

export function decodeJwtSvidRequest(bytes: Uint8Array): JwtSvidRequest {
  const message: JwtSvidRequest = { audience: [], spiffeId: '' }
  for (const one of fieldsOf(bytes)) {
    if (one.number === 1) message.audience.push(text(one.bytes))
    if (one.number === 2) message.spiffeId = text(one.bytes)
  }
  return message
}

export function encodeJwtSvidResponse(svids: readonly JwtSvidMessage[]): Buffer {
  return Buffer.concat(
    svids.map((svid) =>
      field(1, Buffer.concat([field(1, svid.spiffeId), field(2, svid.svid), field(3, svid.hint)]), true),
    ),
  )
}

export function decodeValidateJwtSvidRequest(bytes: Uint8Array): ValidateJwtSvidRequest {
  const message: ValidateJwtSvidRequest = { audience: '', svid: '' }
  for (const one of fieldsOf(bytes)) {
    if (one.number === 1) message.audience = text(one.bytes)
    if (one.number === 2) message.svid = text(one.bytes)
  }
  return message
}

export function encodeValidateJwtSvidResponse(spiffeId: string, claims: Record<string, unknown>): Buffer {
  return Buffer.concat([field(1, spiffeId), field(2, encodeStruct(claims), true)])
}

/** JSON as messages. @see google/protobuf/struct.proto */
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
