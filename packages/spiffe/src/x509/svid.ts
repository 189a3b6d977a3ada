import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { inspect } from 'node:util'
import type { BundleProvider } from '../bundles/bundle.ts'
import { SpiffeError } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'
import { type Certificate, findPath, readCertificate, readCertificates, readPem, toPem } from './certificate.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_USAGE = '2.5.29.37.0'

/**
 * A workload's own X509-SVID: its certificates, leaf first, and the private key. The key is a `KeyObject` behind a private
 * field, so that neither logging nor JSON can show it.
 *
 * @see X509-SVID
 */
export class X509Svid {
  readonly id: SpiffeId
  readonly certificates: readonly Certificate[]
  /** The operator's word for what this identity is for, when there are several. */
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

  /** Reads certificates and a PKCS#8 key from PEM. Throws `invalid_svid` or `invalid_certificate`. */
  static parse(certificatesPem: string, keyPem: string, hint = ''): X509Svid {
    return new X509Svid(
      readPem(certificatesPem),
      keyOf(() => createPrivateKey(keyPem)),
      hint,
    )
  }

  /** Reads concatenated certificates and a PKCS#8 key from DER, as the Workload API sends them. */
  static parseRaw(certificates: Uint8Array, key: Uint8Array, hint = ''): X509Svid {
    const privateKey = keyOf(() => createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' }))
    return new X509Svid(readCertificates(certificates), privateKey, hint)
  }

  get privateKey(): KeyObject {
    return this.#privateKey
  }

  /** When the leaf ends, in milliseconds since the epoch. */
  get notAfter(): number {
    return (this.certificates[0] as Certificate).notAfter
  }

  /** PEM of the chain and of the key, for tools that read files. Whoever holds the key is this workload. */
  marshal(): { certificates: string; key: string } {
    const key = this.#privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
    return { certificates: toPem(this.certificates), key }
  }

  marshalRaw(): { certificates: Buffer; key: Buffer } {
    const key = this.#privateKey.export({ format: 'der', type: 'pkcs8' })
    return { certificates: Buffer.concat(this.certificates.map(({ raw }) => raw)), key }
  }

  toJSON() {
    return { id: this.id.toString(), hint: this.hint, notAfter: new Date(this.notAfter).toISOString() }
  }

  [inspect.custom](): string {
    return `X509Svid ${inspect(this.toJSON())}`
  }
}

export interface VerifiedX509Svid {
  readonly id: SpiffeId
  /** From the leaf to the root that vouches for it. */
  readonly path: readonly Certificate[]
}

export interface VerifyOptions {
  /** Milliseconds since the epoch. Default: now. */
  now?: number
}

/**
 * Proves whose certificate this is: the rules for a leaf, then a path to the bundle of the ID's own trust domain, and of no
 * other. Throws `invalid_svid` or `untrusted`.
 *
 * @see X509-SVID §5 · RFC 5280 §6.1
 */
export function verifyX509Svid(
  chain: readonly (Certificate | X509Certificate | Uint8Array)[],
  bundles: BundleProvider,
  { now = Date.now() }: VerifyOptions = {},
): VerifiedX509Svid {
  const [leaf, ...intermediates] = chain.map((one) => ('uris' in one ? one : readCertificate(one)))
  if (!leaf) throw invalid('It has no certificate.')
  const id = checkLeaf(leaf)
  const bundle = bundles.getBundle(id.trustDomain)
  if (!bundle) throw new SpiffeError('untrusted', `No bundle of the trust domain ${id.trustDomain} is known.`)
  return { id, path: findPath(leaf, intermediates, bundle.x509Authorities, now) }
}

/** The SPIFFE ID of a certificate: its one and only URI name. Throws `invalid_svid` or `invalid_id`. */
export function idFromCertificate(certificate: Certificate | X509Certificate): SpiffeId {
  const { uris } = 'uris' in certificate ? certificate : readCertificate(certificate)
  const [uri] = uris
  if (uri === undefined) throw invalid('It has no URI name.')
  if (uris.length !== 1) throw invalid('It has more than one URI name.')
  return SpiffeId.parse(uri)
}

/** @see X509-SVID §3.1, §4, §5.2 */
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

function keyOf(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    // The cause may quote the input, which is a key.
    throw invalid('Its private key cannot be read.')
  }
}

function invalid(why: string): SpiffeError {
  return new SpiffeError('invalid_svid', `This is not an X509-SVID. ${why}`)
}
