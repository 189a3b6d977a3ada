import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { inspect } from 'node:util'
import { SpiffeError } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'
import { type Certificate, readCertificate, readCertificates, readPem, toPem } from './certificate.ts'
import { findPath } from './path.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_USAGE = '2.5.29.37.0'

/**
 * A workload's own X509-SVID: its certificates, leaf first, and its private key. The key is a `KeyObject` in a private field,
 * so it appears in no log and no JSON.
 *
 * @see X509-SVID §2
 */
export class X509Svid {
  /** The workload. */
  readonly id: SpiffeId
  /** The chain, leaf first. */
  readonly certificates: readonly Certificate[]
  /** The operator's name for this identity's use, when there are several. Empty if there is none. */
  readonly hint: string
  readonly #privateKey: KeyObject

  private constructor(certificates: readonly Certificate[], privateKey: KeyObject, hint: string) {
    const [leaf, ...signers] = certificates
    if (!leaf) throw invalid('It has no certificate.')
    this.id = checkLeaf(leaf)
    for (const { isCa, keyUsage } of signers) {
      if (!isCa) throw invalid('A signing certificate is not a CA.')
      if (!keyUsage?.keyCertSign) throw invalid('A signing certificate may not sign certificates.')
    }
    if (!leaf.x509.checkPrivateKey(privateKey)) throw invalid('Its private key belongs to another certificate.')
    this.certificates = certificates
    this.hint = hint
    this.#privateKey = privateKey
    Object.freeze(this)
  }

  /**
   * Reads certificates and a PKCS#8 key from PEM.
   *
   * @throws {@link SpiffeError} `invalid_svid`, `invalid_certificate` or `invalid_id`
   */
  static parse(certificatesPem: string, keyPem: string, hint = ''): X509Svid {
    return new X509Svid(
      readPem(certificatesPem),
      keyOf(() => createPrivateKey(keyPem)),
      hint,
    )
  }

  /**
   * Reads concatenated certificates and a PKCS#8 key from DER, as the Workload API sends them.
   *
   * @throws {@link SpiffeError} `invalid_svid`, `invalid_certificate` or `invalid_id`
   */
  static parseRaw(certificates: Uint8Array, key: Uint8Array, hint = ''): X509Svid {
    const privateKey = keyOf(() => createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' }))
    return new X509Svid(readCertificates(certificates), privateKey, hint)
  }

  /** The key of the leaf. */
  get privateKey(): KeyObject {
    return this.#privateKey
  }

  /** When the leaf ends, in milliseconds since the epoch. */
  get notAfter(): number {
    return (this.certificates[0] as Certificate).notAfter
  }

  /** The chain and the key as PEM, for tools that read files. The holder of the key can act as this workload. */
  marshal(): { certificates: string; key: string } {
    const key = this.#privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
    return { certificates: toPem(this.certificates), key }
  }

  /** The concatenated chain and the PKCS#8 key as DER. */
  marshalRaw(): { certificates: Buffer; key: Buffer } {
    const key = this.#privateKey.export({ format: 'der', type: 'pkcs8' })
    return { certificates: Buffer.concat(this.certificates.map(({ raw }) => raw)), key }
  }

  /** ID, hint and end, without the key. */
  toJSON() {
    return { id: this.id.toString(), hint: this.hint, notAfter: new Date(this.notAfter).toISOString() }
  }

  [inspect.custom](): string {
    return `X509Svid ${inspect(this.toJSON())}`
  }
}

/** What {@link verifyX509Svid} proved. */
export interface VerifiedX509Svid {
  readonly id: SpiffeId
  /** From the leaf to the root that signed the chain. */
  readonly path: readonly Certificate[]
}

/** Options of {@link verifyX509Svid}. */
export interface VerifyOptions {
  /**
   * The time to judge by, in milliseconds since the epoch.
   *
   * @default Date.now()
   */
  now?: number
}

/** The roots of each trust domain, such as a `BundleSet` or a source has them. */
export interface X509Authorities {
  getBundle(trustDomain: string): { readonly x509Authorities: readonly Certificate[] } | undefined
}

/**
 * Verifies a certificate chain and returns whose it is: the leaf keeps the rules for an SVID, and a path leads to the roots
 * of the ID's own trust domain. Roots of other trust domains are not tried.
 *
 * @throws {@link SpiffeError} `invalid_svid`, `invalid_id`, `invalid_certificate` or `untrusted`
 * @see X509-SVID §5 · RFC 5280 §6.1
 */
export function verifyX509Svid(
  chain: readonly (Certificate | X509Certificate | Uint8Array)[],
  bundles: X509Authorities,
  { now = Date.now() }: VerifyOptions = {},
): VerifiedX509Svid {
  const [leaf, ...intermediates] = chain.map((one) => ('uris' in one ? one : readCertificate(one)))
  if (!leaf) throw invalid('It has no certificate.')
  const id = checkLeaf(leaf)
  const bundle = bundles.getBundle(id.trustDomain)
  if (!bundle) throw new SpiffeError('untrusted', `No bundle of the trust domain ${id.trustDomain} is known.`)
  return { id, path: findPath(leaf, intermediates, bundle.x509Authorities, now) }
}

/**
 * The SPIFFE ID of a certificate: its only URI name.
 *
 * @throws {@link SpiffeError} `invalid_svid` or `invalid_id`
 * @see X509-SVID §2
 */
export function idFromCertificate(certificate: Certificate | X509Certificate): SpiffeId {
  const { uris } = 'uris' in certificate ? certificate : readCertificate(certificate)
  const [uri] = uris
  if (uri === undefined) throw invalid('It has no URI name.')
  if (uris.length !== 1) throw invalid('It has more than one URI name.')
  return SpiffeId.parse(uri)
}

/** Checks the rules for a leaf. @see X509-SVID §3.1, §4, §5.2 */
export function checkLeaf(leaf: Certificate): SpiffeId {
  const id = idFromCertificate(leaf)
  if (id.path === '') throw invalid('The name of a trust domain is not the name of a workload.')
  if (leaf.isCa) throw invalid('A CA may not pose as a workload.')
  if (!leaf.keyUsage?.critical) throw invalid('Its key usage is missing or not critical.')
  if (!leaf.keyUsage.digitalSignature) throw invalid('Its key may not sign handshakes.')
  if (leaf.keyUsage.keyCertSign) throw invalid('Its key may sign certificates.')
  if (leaf.keyUsage.crlSign) throw invalid('Its key may sign revocation lists.')
  const usages = leaf.extendedKeyUsage
  if (usages && !usages.includes(ANY_USAGE) && !(usages.includes(SERVER_AUTH) && usages.includes(CLIENT_AUTH)))
    throw invalid('Its extended key usage lacks server or client authentication.')
  return id
}

/** @throws {@link SpiffeError} without the cause, which may quote the key. */
function keyOf(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    throw invalid('Its private key cannot be read.')
  }
}

function invalid(why: string): SpiffeError {
  return new SpiffeError('invalid_svid', `This is not an X509-SVID. ${why}`)
}
