import { inspect } from 'node:util'
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import type { BundleProvider } from '../bundles/bundle.ts'
import { SpiffeError } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'

/** @see JWT-SVID §2.1 */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512']

/** A JWT-SVID: a bearer token, so the text is behind a private field and shows in no log. @see JWT-SVID */
export class JwtSvid {
  readonly id: SpiffeId
  readonly audience: readonly string[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly issuedAt: number | undefined
  readonly hint: string
  readonly claims: Readonly<JWTPayload>
  readonly #token: string

  /** Use {@link verifyJwtSvid}, or a source; made here, nothing is checked. @internal */
  constructor(token: string, id: SpiffeId, claims: JWTPayload, hint = '') {
    this.id = id
    this.audience = [claims.aud ?? []].flat()
    this.expiresAt = (claims.exp as number) * 1000
    this.issuedAt = claims.iat === undefined ? undefined : claims.iat * 1000
    this.hint = hint
    this.claims = claims
    this.#token = token
    Object.freeze(this)
  }

  /** The token itself, for the `Authorization` header. */
  get token(): string {
    return this.#token
  }

  toJSON() {
    const expiresAt = new Date(this.expiresAt).toISOString()
    return { id: this.id.toString(), audience: this.audience, hint: this.hint, expiresAt }
  }

  [inspect.custom](): string {
    return `JwtSvid ${inspect(this.toJSON())}`
  }
}

export interface VerifyJwtOptions {
  /** Milliseconds since the epoch. Default: now. */
  now?: number
}

/**
 * Proves whose token this is and that it is meant for us: signed by a key of the trust domain of its own `sub`. Throws
 * `invalid_token`, or `untrusted` when no such key is known.
 *
 * @param audience one of these must be in `aud`.
 * @see JWT-SVID §3, §4
 */
export async function verifyJwtSvid(
  token: string,
  bundles: BundleProvider,
  audience: string | readonly string[],
  { now = Date.now() }: VerifyJwtOptions = {},
): Promise<JwtSvid> {
  const { id, kid } = read(token, audience, now)
  if (kid === undefined) throw invalid('It names no key.')
  const bundle = bundles.getBundle(id.trustDomain)
  if (!bundle) throw new SpiffeError('untrusted', `No bundle of the trust domain ${id.trustDomain} is known.`)
  const key = bundle.jwtAuthorities.get(kid)
  if (!key) throw new SpiffeError('untrusted', 'The key of this token is not one of its trust domain.')
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ALGORITHMS, currentDate: new Date(now) })
    return new JwtSvid(token, id, payload)
  } catch (cause) {
    // jose's errors carry the claims; the name says enough.
    throw new SpiffeError('invalid_token', 'This is not a JWT-SVID. Its signature or its times do not hold.', {
      cause: new Error((cause as Error).name),
    })
  }
}

/** Reads a token that came from the Workload API, whose word is taken for the signature. Everything else is checked. */
export function readJwtSvid(token: string, audience: string | readonly string[], hint = '', now = Date.now()): JwtSvid {
  const { id, claims } = read(token, audience, now)
  return new JwtSvid(token, id, claims, hint)
}

function read(token: string, audience: string | readonly string[], now: number) {
  // The JSON form of a JWS can carry several signatures and unprotected headers (JWT-SVID §2).
  if (typeof token !== 'string' || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalid('It is not a compact JWS.')
  let header: ReturnType<typeof decodeProtectedHeader>
  let claims: JWTPayload
  try {
    header = decodeProtectedHeader(token)
    claims = decodeJwt(token)
  } catch {
    throw invalid('It cannot be decoded.')
  }
  if (!ALGORITHMS.includes(header.alg ?? '')) throw invalid('Its algorithm is not allowed.')
  if (header.typ !== undefined && header.typ !== 'JWT' && header.typ !== 'JOSE') throw invalid('Its type is another.')
  if (header.crit !== undefined) throw invalid('It has critical headers that are not understood.')
  if (typeof claims.sub !== 'string') throw invalid('It has no subject.')
  if (typeof claims.exp !== 'number') throw invalid('It never expires.')
  if (claims.exp * 1000 <= now) throw invalid('It has expired.')
  if (typeof claims.nbf === 'number' && claims.nbf * 1000 > now) throw invalid('It is not valid yet.')
  const ours = [audience].flat()
  const theirs = [claims.aud ?? []].flat()
  if (!theirs.some((one) => ours.includes(one))) throw invalid('It is meant for another audience.')
  let id: SpiffeId
  try {
    id = SpiffeId.parse(claims.sub)
  } catch {
    throw invalid('Its subject is not a SPIFFE ID.')
  }
  return { id, claims, kid: header.kid === '' ? undefined : header.kid }
}

function invalid(why: string): SpiffeError {
  return new SpiffeError('invalid_token', `This is not a JWT-SVID. ${why}`)
}
