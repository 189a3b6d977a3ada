import { inspect } from 'node:util'
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import { SpiffeError } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'

/** The signature algorithms that a JWT-SVID may use. @see JWT-SVID §2.1 */
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512']

/**
 * A JWT-SVID. It is a bearer token, so its text is in a private field and appears in no log.
 *
 * @see JWT-SVID §2
 */
export class JwtSvid {
  /** The workload: `sub`. */
  readonly id: SpiffeId
  /** `aud`, as a list. */
  readonly audience: readonly string[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Milliseconds since the epoch, if the token has `iat`. */
  readonly issuedAt: number | undefined
  /** The operator's name for this identity's use. Empty if there is none. */
  readonly hint: string
  /** All claims. */
  readonly claims: Readonly<JWTPayload>
  readonly #token: string

  /** Checks nothing: use `verifyJwtSvid` or a source. @internal */
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

  /** ID, audience, hint and end, without the token. */
  toJSON() {
    const expiresAt = new Date(this.expiresAt).toISOString()
    return { id: this.id.toString(), audience: this.audience, hint: this.hint, expiresAt }
  }

  [inspect.custom](): string {
    return `JwtSvid ${inspect(this.toJSON())}`
  }
}

/**
 * Reads a token that came from the Workload API. The signature is not checked, because the Workload API is trusted for it.
 * Everything else is.
 *
 * @param now milliseconds since the epoch.
 * @throws {@link SpiffeError} `invalid_token`
 */
export function readJwtSvid(token: string, audience: string | readonly string[], hint = '', now = Date.now()): JwtSvid {
  const { id, claims } = parseJwtSvid(token, audience, now)
  return new JwtSvid(token, id, claims, hint)
}

/** Checks everything but the signature. */
export function parseJwtSvid(token: string, audience: string | readonly string[], now: number) {
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

/** The error of a token that is not a JWT-SVID. */
export function invalid(why: string): SpiffeError {
  return new SpiffeError('invalid_token', `This is not a JWT-SVID. ${why}`)
}
