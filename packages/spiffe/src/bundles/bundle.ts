import { createPublicKey, type KeyObject } from 'node:crypto'
import { SpiffeError } from '../ids/errors.ts'
import { parseTrustDomain } from '../ids/spiffe-id.ts'
import { type Certificate, readCertificate, readCertificates, readPem } from '../x509/certificate.ts'

/** What a {@link Bundle} is made of. */
export interface BundleContents {
  /** Roots. */
  x509Authorities?: readonly Certificate[]
  /** Public keys by key id. */
  jwtAuthorities?: ReadonlyMap<string, KeyObject>
  /** A number that grows with each change, if the publisher has one. */
  sequence?: number | undefined
  /** How often to look for a newer one, in seconds. */
  refreshHint?: number | undefined
}

/** Bundles by trust domain: a {@link BundleSet}, a source or a federated bundle. */
export interface BundleProvider {
  /** The bundle of this trust domain, given by its name, if it is known. */
  getBundle(trustDomain: string): Bundle | undefined
}

/**
 * The roots and keys that one trust domain signs with. A bundle never changes; a newer state is a new bundle. Keys of two
 * trust domains are never merged, because each could then issue IDs of the other.
 *
 * @see SPIFFE Trust Domain and Bundle §4 · SPIFFE Federation §4.2
 */
export class Bundle implements BundleProvider {
  /** The trust domain's name. */
  readonly trustDomain: string
  /** Roots of X509-SVIDs, each once. */
  readonly x509Authorities: readonly Certificate[]
  /** Public keys of JWT-SVIDs by key id. */
  readonly jwtAuthorities: ReadonlyMap<string, KeyObject>
  /** A number that grows with each change, if the publisher has one. */
  readonly sequence: number | undefined
  /** How often to look for a newer one, in seconds, if the publisher says it. */
  readonly refreshHint: number | undefined

  constructor(trustDomain: string, contents: BundleContents = {}) {
    this.trustDomain = parseTrustDomain(trustDomain)
    this.x509Authorities = unique(contents.x509Authorities ?? [])
    this.jwtAuthorities = new Map(contents.jwtAuthorities)
    this.sequence = contents.sequence
    this.refreshHint = contents.refreshHint
    Object.freeze(this)
  }

  /**
   * Reads the JWKS form. An empty `keys` is a bundle too: it trusts nothing.
   *
   * @throws {@link SpiffeError} `invalid_bundle` or `invalid_certificate`
   */
  static parse(trustDomain: string, document: string | Uint8Array): Bundle {
    return parseDocument(trustDomain, jsonOf(document), 'spiffe')
  }

  /**
   * Reads the JWKS that the Workload API sends: JWT keys, which have no `use` if the agent is old.
   *
   * @throws {@link SpiffeError} `invalid_bundle`
   */
  static parseJwt(trustDomain: string, document: string | Uint8Array): Bundle {
    return parseDocument(trustDomain, jsonOf(document), 'jwt')
  }

  /**
   * Reads X.509 authorities from concatenated DER, as the Workload API sends them.
   *
   * @throws {@link SpiffeError} `invalid_certificate`
   */
  static parseX509(trustDomain: string, der: Uint8Array): Bundle {
    return new Bundle(trustDomain, { x509Authorities: readCertificates(der) })
  }

  /**
   * Reads X.509 authorities from PEM.
   *
   * @throws {@link SpiffeError} `invalid_bundle` or `invalid_certificate`
   */
  static parsePem(trustDomain: string, pem: string): Bundle {
    const x509Authorities = readPem(pem)
    if (x509Authorities.length === 0) throw invalid('There is no certificate in it.')
    return new Bundle(trustDomain, { x509Authorities })
  }

  /** True if it has no keys. Then all SVIDs of the trust domain are refused. */
  get empty(): boolean {
    return this.x509Authorities.length === 0 && this.jwtAuthorities.size === 0
  }

  getBundle(trustDomain: string): Bundle | undefined {
    return trustDomain === this.trustDomain ? this : undefined
  }

  /** The JWKS form. */
  marshal(): string {
    const keys = [
      ...this.x509Authorities.map(({ x509, raw }) => ({
        use: 'x509-svid',
        ...x509.publicKey.export({ format: 'jwk' }),
        x5c: [raw.toString('base64')],
      })),
      ...[...this.jwtAuthorities].map(([kid, key]) => ({ use: 'jwt-svid', ...key.export({ format: 'jwk' }), kid })),
    ]
    return JSON.stringify({ keys, spiffe_sequence: this.sequence, spiffe_refresh_hint: this.refreshHint })
  }

  /** True for the same trust domain with the same keys, in any order, sequence and refresh hint. */
  equals(other: Bundle): boolean {
    return this.trustDomain === other.trustDomain && inOrder(this) === inOrder(other)
  }
}

/** Bundles by trust domain. */
export class BundleSet implements BundleProvider, Iterable<Bundle> {
  readonly #bundles: ReadonlyMap<string, Bundle>

  constructor(bundles: Iterable<Bundle> = []) {
    this.#bundles = new Map([...bundles].map((bundle) => [bundle.trustDomain, bundle]))
  }

  /**
   * Reads a bundle map: `{ trust_domains: { "acme.com": { keys } } }`. One invalid entry makes the whole map invalid.
   *
   * @throws {@link SpiffeError} `invalid_bundle`, `invalid_certificate` or `invalid_id`
   * @see SPIFFE Trust Domain and Bundle §5
   */
  static parse(document: string | Uint8Array): BundleSet {
    const { trust_domains: domains } = jsonOf(document)
    if (!isObject(domains)) throw invalid('A bundle map has "trust_domains".')
    return new BundleSet(
      Object.entries(domains).map(([name, value]) => {
        if (!isObject(value)) throw invalid('An entry of the map is not a bundle.')
        return parseDocument(name, value, 'spiffe')
      }),
    )
  }

  getBundle(trustDomain: string): Bundle | undefined {
    return this.#bundles.get(trustDomain)
  }

  /** The number of trust domains. */
  get size(): number {
    return this.#bundles.size
  }

  /** The trust domains' names. */
  get trustDomains(): string[] {
    return [...this.#bundles.keys()]
  }

  [Symbol.iterator](): Iterator<Bundle> {
    return this.#bundles.values()
  }

  /** The bundle map. */
  marshal(): string {
    const entries = [...this].map((bundle) => [bundle.trustDomain, JSON.parse(bundle.marshal())])
    return JSON.stringify({ trust_domains: Object.fromEntries(entries) })
  }
}

/** Asks several providers in order: the first bundle found is used. Bundles are not merged. */
export function firstOf(...providers: readonly BundleProvider[]): BundleProvider {
  return {
    getBundle(trustDomain) {
      for (const provider of providers) {
        const bundle = provider.getBundle(trustDomain)
        if (bundle) return bundle
      }
      return undefined
    },
  }
}

type Json = Record<string, unknown>

function parseDocument(trustDomain: string, document: Json, form: 'spiffe' | 'jwt'): Bundle {
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: refreshHint } = document
  if (!Array.isArray(keys)) throw invalid('It has no "keys".')
  const x509Authorities: Certificate[] = []
  const jwtAuthorities = new Map<string, KeyObject>()
  for (const jwk of keys) {
    if (!isObject(jwk)) throw invalid('An entry of "keys" is not a key.')
    if (jwk.use === 'x509-svid' && form === 'spiffe') x509Authorities.push(authorityOf(jwk))
    else if (jwk.use === 'jwt-svid' || (jwk.use === undefined && form === 'jwt')) {
      if (typeof jwk.kid !== 'string' || jwk.kid === '') throw invalid('A JWT key has no key id.')
      const key = keyOf(jwk)
      if (key) jwtAuthorities.set(jwk.kid, key)
    }
  }
  return new Bundle(trustDomain, {
    x509Authorities,
    jwtAuthorities,
    sequence: wholeNumber(sequence, 'spiffe_sequence'),
    refreshHint: wholeNumber(refreshHint, 'spiffe_refresh_hint'),
  })
}

/** The certificate of an entry, which is the first of its `x5c`. @see X509-SVID §6.2 */
function authorityOf({ x5c }: Json): Certificate {
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (typeof first !== 'string') throw invalid('An X.509 key has no certificate.')
  return readCertificate(Buffer.from(first, 'base64'))
}

/** The public key of an entry. Undefined for an unknown kind of key, which must be skipped (§4.1.3). */
function keyOf(jwk: Json): KeyObject | undefined {
  if (jwk.kty !== 'RSA' && jwk.kty !== 'EC') return undefined
  const { kty, n, e, crv, x, y } = jwk
  try {
    return createPublicKey({ key: JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })), format: 'jwk' })
  } catch (cause) {
    throw new SpiffeError('invalid_bundle', 'A key of the bundle cannot be read.', { cause })
  }
}

function wholeNumber(value: unknown, name: string): number | undefined {
  if (value === undefined || value === null) return undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(`Its "${name}" is not a whole number.`)
  return value as number
}

function jsonOf(document: string | Uint8Array): Json {
  let value: unknown
  try {
    value = JSON.parse(
      typeof document === 'string' ? document : new TextDecoder('utf-8', { fatal: true }).decode(document),
    )
  } catch {
    throw invalid('It is not JSON.')
  }
  if (!isObject(value)) throw invalid('It is not a JSON object.')
  return value
}

/** The JWKS form with its keys sorted: some publishers send them in another order each time. */
function inOrder(bundle: Bundle): string {
  const { keys, ...rest } = JSON.parse(bundle.marshal()) as { keys: unknown[] }
  return JSON.stringify({ ...rest, keys: keys.map((key) => JSON.stringify(key)).sort() })
}

function unique(certificates: readonly Certificate[]): readonly Certificate[] {
  return [...new Map(certificates.map((one) => [one.x509.fingerprint256, one])).values()]
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(why: string): SpiffeError {
  return new SpiffeError('invalid_bundle', `This is not a SPIFFE bundle. ${why}`)
}
