import { SpiffeError } from './errors.ts'

const SCHEME = 'spiffe://'
const MAX_ID = 2048
const MAX_TRUST_DOMAIN = 255
const TRUST_DOMAIN = /^[a-z0-9._-]+$/
const SEGMENT = /^[a-zA-Z0-9._-]+$/

/**
 * The name of a workload: `spiffe://<trust domain>/<path>`. It is parsed from the raw string and never normalized, because
 * a URL parser would turn `/a/../b` into `/b` and so make two spellings of one name.
 *
 * @see SPIFFE-ID §2
 */
export class SpiffeId {
  /** The trust domain's name, without scheme: `acme.com`. */
  readonly trustDomain: string
  /** Empty for the trust domain itself, else begins with a slash. */
  readonly path: string

  private constructor(trustDomain: string, path: string) {
    this.trustDomain = trustDomain
    this.path = path
    Object.freeze(this)
  }

  /** Reads an ID. Throws `invalid_id`. */
  static parse(text: string): SpiffeId {
    if (typeof text !== 'string' || text === '') throw invalid('A SPIFFE ID cannot be empty.')
    if (Buffer.byteLength(text) > MAX_ID) throw invalid(`A SPIFFE ID has at most ${MAX_ID} bytes.`)
    if (!text.startsWith(SCHEME)) throw invalid('A SPIFFE ID begins with "spiffe://", in lower case.')
    const rest = text.slice(SCHEME.length)
    const slash = rest.indexOf('/')
    const trustDomain = slash < 0 ? rest : rest.slice(0, slash)
    const path = slash < 0 ? '' : rest.slice(slash)
    checkTrustDomain(trustDomain)
    checkPath(path)
    return new SpiffeId(trustDomain, path)
  }

  /** The ID as it is, or read from its text. */
  static from(id: SpiffeId | string): SpiffeId {
    return id instanceof SpiffeId ? id : SpiffeId.parse(id)
  }

  /** The ID of a path that is empty or begins with a slash. */
  static fromPath(trustDomain: string, path: string): SpiffeId {
    if (path !== '' && !path.startsWith('/')) throw invalid('The path of a SPIFFE ID begins with a slash.')
    return SpiffeId.parse(`${SCHEME}${parseTrustDomain(trustDomain)}${path}`)
  }

  /** The ID of path segments, each checked by itself, so that none can smuggle in a slash. */
  static fromSegments(trustDomain: string, ...segments: string[]): SpiffeId {
    for (const segment of segments) checkSegment(segment)
    return SpiffeId.fromPath(trustDomain, segments.map((segment) => `/${segment}`).join(''))
  }

  memberOf(trustDomain: string): boolean {
    return this.trustDomain === parseTrustDomain(trustDomain)
  }

  equals(other: SpiffeId): boolean {
    return this.trustDomain === other.trustDomain && this.path === other.path
  }

  toString(): string {
    return `${SCHEME}${this.trustDomain}${this.path}`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A trust domain's name, from the name itself or from any SPIFFE ID of it. Throws `invalid_id`. */
export function parseTrustDomain(text: string): string {
  if (typeof text === 'string' && text.includes(':/')) return SpiffeId.parse(text).trustDomain
  checkTrustDomain(text)
  return text
}

/** Says whether a peer whose identity is proven may go on. */
export type Authorizer = (id: SpiffeId) => boolean

/** Whoever is proven to be anybody, of any trust domain whose bundle is known. */
export function authorizeAny(): Authorizer {
  return () => true
}

/** Exactly this workload. */
export function authorizeId(id: SpiffeId | string): Authorizer {
  return authorizeOneOf(id)
}

/** One of these workloads. */
export function authorizeOneOf(...ids: readonly (SpiffeId | string)[]): Authorizer {
  const allowed = new Set(ids.map((id) => SpiffeId.from(id).toString()))
  return (id) => allowed.has(id.toString())
}

/** Any workload of this trust domain. */
export function authorizeMemberOf(trustDomain: string): Authorizer {
  const name = parseTrustDomain(trustDomain)
  return (id) => id.trustDomain === name
}

function checkTrustDomain(name: string) {
  if (typeof name !== 'string' || name === '') throw invalid('The trust domain is missing.')
  if (!TRUST_DOMAIN.test(name))
    throw invalid('A trust domain has only lower-case letters, digits, dots, dashes and underscores.')
  if (name.length > MAX_TRUST_DOMAIN) throw invalid(`A trust domain has at most ${MAX_TRUST_DOMAIN} bytes.`)
}

function checkPath(path: string) {
  if (path === '') return
  for (const segment of path.slice(1).split('/')) checkSegment(segment)
}

function checkSegment(segment: string) {
  if (segment === '') throw invalid('The path of a SPIFFE ID has no empty segment and no slash at its end.')
  if (segment === '.' || segment === '..') throw invalid('The path of a SPIFFE ID has no dot segments.')
  if (!SEGMENT.test(segment))
    throw invalid('The path of a SPIFFE ID has only letters, digits, dots, dashes and underscores.')
}

function invalid(message: string): SpiffeError {
  return new SpiffeError('invalid_id', message)
}
