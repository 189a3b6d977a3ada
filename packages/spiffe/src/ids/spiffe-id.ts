import { SpiffeError } from './errors.ts'

const SCHEME = 'spiffe://'
const MAX_ID = 2048
const MAX_TRUST_DOMAIN = 255
const TRUST_DOMAIN = /^[a-z0-9._-]+$/
const SEGMENT = /^[a-zA-Z0-9._-]+$/

/**
 * The name of a workload: `spiffe://<trust domain>/<path>`. It is parsed from the raw string and never normalized, because
 * a URL parser would turn `/a/../b` into `/b` and so accept two spellings of one name.
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

  /**
   * Reads an ID from its text.
   *
   * @throws {@link SpiffeError} `invalid_id`
   */
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

  /**
   * Returns an ID unchanged, and reads a text.
   *
   * @throws {@link SpiffeError} `invalid_id`
   */
  static from(id: SpiffeId | string): SpiffeId {
    return id instanceof SpiffeId ? id : SpiffeId.parse(id)
  }

  /**
   * Makes an ID from a trust domain and a path. The path is empty or begins with a slash.
   *
   * @throws {@link SpiffeError} `invalid_id`
   */
  static fromPath(trustDomain: string, path: string): SpiffeId {
    if (path !== '' && !path.startsWith('/')) throw invalid('The path of a SPIFFE ID begins with a slash.')
    return SpiffeId.parse(`${SCHEME}${parseTrustDomain(trustDomain)}${path}`)
  }

  /**
   * Makes an ID from path segments. Each segment is checked alone, so none of them can contain a slash.
   *
   * @throws {@link SpiffeError} `invalid_id`
   */
  static fromSegments(trustDomain: string, ...segments: string[]): SpiffeId {
    for (const segment of segments) checkSegment(segment)
    return SpiffeId.fromPath(trustDomain, segments.map((segment) => `/${segment}`).join(''))
  }

  /** True if the ID belongs to this trust domain, given by its name or by any ID in it. */
  memberOf(trustDomain: string): boolean {
    return this.trustDomain === parseTrustDomain(trustDomain)
  }

  /** True for the same trust domain and the same path. */
  equals(other: SpiffeId): boolean {
    return this.trustDomain === other.trustDomain && this.path === other.path
  }

  /** The ID as text: `spiffe://<trust domain><path>`. */
  toString(): string {
    return `${SCHEME}${this.trustDomain}${this.path}`
  }

  /** The ID as text. */
  toJSON(): string {
    return this.toString()
  }
}

/**
 * A trust domain's name, from the name itself or from any SPIFFE ID in it.
 *
 * @throws {@link SpiffeError} `invalid_id`
 */
export function parseTrustDomain(text: string): string {
  if (typeof text === 'string' && text.includes(':/')) return SpiffeId.parse(text).trustDomain
  checkTrustDomain(text)
  return text
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
