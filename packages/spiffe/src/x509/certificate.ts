import { X509Certificate } from 'node:crypto'
import { AsnParser } from '@peculiar/asn1-schema'
import {
  BasicConstraints,
  ExtendedKeyUsage,
  type GeneralSubtree,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_certificatePolicies,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  KeyUsage,
  KeyUsageFlags,
  NameConstraints,
  Certificate as Schema,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509'
import { SpiffeError } from '../ids/errors.ts'

/**
 * An X.509 certificate, read from its DER. Node's own fields are not enough: its `keyUsage` holds only the extended usages,
 * and its `subjectAltName` is one string, in which a DNS name can look like a URI.
 *
 * @see RFC 5280 §4.2.1
 */
export interface Certificate {
  /** Node's view, for signatures and public keys. */
  readonly x509: X509Certificate
  /** The DER. */
  readonly raw: Buffer
  /** The URI names of the subject alternative name extension. */
  readonly uris: readonly string[]
  /** The DNS names of the subject alternative name extension. */
  readonly dnsNames: readonly string[]
  /** Basic constraints: `cA`. */
  readonly isCa: boolean
  /** Basic constraints: how many CA certificates may stand between this one and the leaf. */
  readonly pathLength: number | undefined
  /** The key usage extension, if present. */
  readonly keyUsage: CertificateKeyUsage | undefined
  /** Object identifiers of the extended key usage extension, if present. */
  readonly extendedKeyUsage: readonly string[] | undefined
  /** The name constraints extension, if present. */
  readonly constraints: NameConstraintsOf | undefined
  /** Critical extensions that this package does not process. A path with one is refused (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[]
  /** The signature algorithm's object identifier. */
  readonly signatureAlgorithm: string
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  /** Milliseconds since the epoch. */
  readonly notAfter: number
}

/** The bits of the key usage extension that SPIFFE has rules for. @see RFC 5280 §4.2.1.3 */
export interface CertificateKeyUsage {
  readonly critical: boolean
  readonly digitalSignature: boolean
  readonly keyCertSign: boolean
  readonly crlSign: boolean
}

export interface NameConstraintsOf {
  readonly permitted: readonly Constraint[]
  readonly excluded: readonly Constraint[]
}

/** One subtree. `kind` is `other` for kinds of names that this package cannot compare. */
export interface Constraint {
  readonly kind: 'uri' | 'dns' | 'other'
  readonly base: string
}

const PROCESSED = new Set<string>([
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_extKeyUsage,
  id_ce_subjectAltName,
  id_ce_nameConstraints,
  id_ce_authorityKeyIdentifier,
  id_ce_certificatePolicies,
])

/** Reading a certificate takes as long as checking four signatures, and each handshake brings the same few again. */
const read = new Map<string, Certificate>()
const MAX_READ = 256

/**
 * Reads a certificate from DER.
 *
 * @throws {@link SpiffeError} `invalid_certificate`
 */
export function readCertificate(der: Uint8Array | X509Certificate): Certificate {
  const raw = der instanceof X509Certificate ? der.raw : Buffer.from(der)
  const key = raw.toString('latin1')
  const known = read.get(key)
  if (known) return known
  let certificate: Certificate
  try {
    certificate = parse(der instanceof X509Certificate ? der : new X509Certificate(raw), raw)
  } catch (cause) {
    throw new SpiffeError('invalid_certificate', 'This is not a certificate that can be read.', { cause })
  }
  if (read.size >= MAX_READ) read.delete(read.keys().next().value as string)
  read.set(key, certificate)
  return certificate
}

/**
 * Reads certificates that follow each other in DER without padding, as the Workload API sends them.
 *
 * @throws {@link SpiffeError} `invalid_certificate`
 */
export function readCertificates(der: Uint8Array): Certificate[] {
  const certificates: Certificate[] = []
  for (let at = 0; at < der.length; ) {
    const end = at + lengthOfSequence(der, at)
    certificates.push(readCertificate(der.subarray(at, end)))
    at = end
  }
  return certificates
}

const PEM = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g

/**
 * Reads the certificates of a PEM text in their order. Other blocks are skipped.
 *
 * @throws {@link SpiffeError} `invalid_certificate`
 */
export function readPem(pem: string): Certificate[] {
  return [...pem.matchAll(PEM)].map(([, body]) => readCertificate(Buffer.from(body ?? '', 'base64')))
}

/** Writes certificates as PEM. */
export function toPem(certificates: readonly Certificate[]): string {
  return certificates.map(({ x509 }) => x509.toString()).join('')
}

/** How many bytes the DER SEQUENCE at this place takes, header included. @see X.690 §8.1.3, §10.1 */
function lengthOfSequence(der: Uint8Array, at: number): number {
  const first = der[at + 1]
  if (der[at] !== 0x30 || first === undefined) throw notDer()
  if (first < 0x80) return 2 + first
  const bytes = first & 0x7f
  if (bytes === 0 || bytes > 3 || at + 2 + bytes > der.length) throw notDer()
  let length = 0
  for (let index = 0; index < bytes; index++) length = length * 256 + (der[at + 2 + index] ?? 0)
  if (at + 2 + bytes + length > der.length) throw notDer()
  return 2 + bytes + length
}

function notDer(): SpiffeError {
  return new SpiffeError('invalid_certificate', 'These bytes are not certificates in DER.')
}

function parse(x509: X509Certificate, raw: Buffer): Certificate {
  const { tbsCertificate, signatureAlgorithm } = AsnParser.parse(raw, Schema)
  const extensions = tbsCertificate.extensions ?? []
  // A second extension of the same kind could be read by one validator and missed by another (RFC 5280 §4.2).
  if (new Set(extensions.map(({ extnID }) => extnID)).size !== extensions.length)
    throw new Error('An extension appears twice.')
  const find = (oid: string) => extensions.find(({ extnID }) => extnID === oid)

  const names = find(id_ce_subjectAltName)
  const alternatives = names ? [...AsnParser.parse(names.extnValue, SubjectAlternativeName)] : []
  const basic = find(id_ce_basicConstraints)
  const constraints = basic && AsnParser.parse(basic.extnValue, BasicConstraints)
  const usage = find(id_ce_keyUsage)
  const bits = usage ? AsnParser.parse(usage.extnValue, KeyUsage).toNumber() : 0
  const extended = find(id_ce_extKeyUsage)
  const subtrees = find(id_ce_nameConstraints)

  return {
    x509,
    raw,
    uris: alternatives.flatMap(({ uniformResourceIdentifier: uri }) => (uri === undefined ? [] : [uri])),
    dnsNames: alternatives.flatMap(({ dNSName }) => (dNSName === undefined ? [] : [dNSName])),
    isCa: constraints?.cA ?? false,
    pathLength: constraints?.pathLenConstraint,
    keyUsage: usage && {
      critical: usage.critical,
      digitalSignature: (bits & KeyUsageFlags.digitalSignature) !== 0,
      keyCertSign: (bits & KeyUsageFlags.keyCertSign) !== 0,
      crlSign: (bits & KeyUsageFlags.cRLSign) !== 0,
    },
    extendedKeyUsage: extended && [...AsnParser.parse(extended.extnValue, ExtendedKeyUsage)],
    constraints: subtrees && readConstraints(subtrees.extnValue.buffer),
    unknownCritical: extensions
      .filter(({ critical, extnID }) => critical && !PROCESSED.has(extnID))
      .map((e) => e.extnID),
    signatureAlgorithm: signatureAlgorithm.algorithm,
    notBefore: tbsCertificate.validity.notBefore.getTime().getTime(),
    notAfter: tbsCertificate.validity.notAfter.getTime().getTime(),
  }
}

function readConstraints(der: ArrayBuffer): NameConstraintsOf {
  const { permittedSubtrees, excludedSubtrees } = AsnParser.parse(der, NameConstraints)
  const read = ({ base }: GeneralSubtree): Constraint => {
    if (base.uniformResourceIdentifier !== undefined) return { kind: 'uri', base: base.uniformResourceIdentifier }
    if (base.dNSName !== undefined) return { kind: 'dns', base: base.dNSName }
    return { kind: 'other', base: '' }
  }
  return { permitted: [...(permittedSubtrees ?? [])].map(read), excluded: [...(excludedSubtrees ?? [])].map(read) }
}
