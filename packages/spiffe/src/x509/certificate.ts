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
 * What an X.509 certificate says, read from its DER. Node's own fields are not enough: its `keyUsage` holds extended
 * usages only, and its `subjectAltName` is one string in which a DNS name can pose as a URI.
 *
 * @see RFC 5280 §4.2.1
 */
export interface Certificate {
  /** Node's view, for signatures and public keys. */
  readonly x509: X509Certificate
  readonly raw: Buffer
  /** The URI names of the subject alternative name extension. */
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  readonly isCa: boolean
  /** How many CA certificates may follow below. */
  readonly pathLength: number | undefined
  readonly keyUsage: CertificateKeyUsage | undefined
  /** Object identifiers of the extended usages, if the extension is there. */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly constraints: NameConstraintsOf | undefined
  /** Critical extensions nobody here processes; a path with one is refused (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[]
  readonly signatureAlgorithm: string
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
}

export interface CertificateKeyUsage {
  readonly critical: boolean
  readonly digitalSignature: boolean
  readonly keyCertSign: boolean
  readonly crlSign: boolean
}

interface NameConstraintsOf {
  readonly permitted: readonly Constraint[]
  readonly excluded: readonly Constraint[]
}

/** One subtree; `kind` is `other` for the kinds of name nobody here can compare. */
interface Constraint {
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

/** Reading one takes about as long as checking four signatures, and the same few come again with each handshake. */
const read = new Map<string, Certificate>()
const MAX_READ = 256

/** Reads a certificate from DER. Throws `invalid_certificate`. */
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

/** Reads certificates that stand one after the other, without padding, as the Workload API sends them. */
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

/** Reads the certificates of a PEM text, in their order; other blocks are passed over. */
export function readPem(pem: string): Certificate[] {
  return [...pem.matchAll(PEM)].map(([, body]) => readCertificate(Buffer.from(body ?? '', 'base64')))
}

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

/** Signatures by MD5 and SHA-1, which can be forged. */
const BROKEN_SIGNATURES = new Set([
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10045.4.1',
  '1.3.14.3.2.29',
])
const MAX_DEPTH = 8
/** A peer picks the certificates it sends, so how many signatures it can make us check has an end. */
const MAX_CHECKS = 64

/**
 * The path from a leaf to one of the roots, or `untrusted`.
 *
 * @see RFC 5280 §6.1
 */
export function findPath(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  roots: readonly Certificate[],
  now: number,
): Certificate[] {
  checkOnPath(leaf, now)
  let checks = 0
  let reason: SpiffeError | undefined
  const search = (path: readonly Certificate[]): Certificate[] | undefined => {
    const last = path[path.length - 1] as Certificate
    for (const candidate of [...roots, ...intermediates]) {
      const isRoot = roots.includes(candidate)
      if (path.includes(candidate) || !last.x509.checkIssued(candidate.x509)) continue
      if (++checks > MAX_CHECKS) throw new SpiffeError('untrusted', 'This chain has too many certificates.')
      if (!last.x509.verify(candidate.x509.publicKey)) continue
      try {
        checkIssuer(candidate, path, isRoot, now)
      } catch (error) {
        reason = error as SpiffeError
        continue
      }
      const longer = [...path, candidate]
      if (isRoot) return longer
      const found = longer.length < MAX_DEPTH ? search(longer) : undefined
      if (found) return found
    }
    return undefined
  }
  const path = search([leaf])
  if (!path) throw reason ?? new SpiffeError('untrusted', 'No root of the trust domain has signed this chain.')
  return path
}

function checkOnPath(certificate: Certificate, now: number) {
  if (now < certificate.notBefore) throw new SpiffeError('untrusted', 'A certificate of the chain is not valid yet.')
  if (now > certificate.notAfter) throw new SpiffeError('untrusted', 'A certificate of the chain has expired.')
  if (certificate.unknownCritical.length > 0)
    throw new SpiffeError('untrusted', 'A certificate of the chain has a critical extension that is not understood.')
}

/** @see RFC 5280 §6.1.4 (k) to (o) · X509-SVID §3.2, §4 */
function checkIssuer(issuer: Certificate, below: readonly Certificate[], isRoot: boolean, now: number) {
  checkOnPath(issuer, now)
  const last = below[below.length - 1] as Certificate
  if (BROKEN_SIGNATURES.has(last.signatureAlgorithm))
    throw new SpiffeError('untrusted', 'A certificate of the chain is signed with a broken algorithm.')
  if (!issuer.isCa) throw new SpiffeError('untrusted', 'A signing certificate is not a CA.')
  // An anchor of old age may lack the extension; whoever has it must be allowed to sign.
  if (issuer.keyUsage ? !issuer.keyUsage.keyCertSign : !isRoot)
    throw new SpiffeError('untrusted', 'A signing certificate may not sign certificates.')
  const between = below.length - 1
  if (issuer.pathLength !== undefined && between > issuer.pathLength)
    throw new SpiffeError('untrusted', 'The chain is longer than one of its CAs allows.')
  if (issuer.constraints) for (const one of below) checkConstraints(issuer.constraints, one)
}

/** @see RFC 5280 §4.2.1.10 · X509-SVID §4.2 */
function checkConstraints({ permitted, excluded }: NameConstraintsOf, { uris, dnsNames }: Certificate) {
  if ([...permitted, ...excluded].some(({ kind }) => kind === 'other'))
    throw new SpiffeError('untrusted', 'A CA constrains a kind of name that is not understood.')
  const hosts = uris.map((uri) => /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1] ?? '')
  for (const [kind, names] of [
    ['uri', hosts],
    ['dns', dnsNames],
  ] as const) {
    const allowed = permitted.filter((one) => one.kind === kind)
    const denied = excluded.filter((one) => one.kind === kind)
    for (const name of names) {
      const within = ({ base }: Constraint) => isWithin(name.toLowerCase(), base.toLowerCase(), kind)
      if ((allowed.length > 0 && !allowed.some(within)) || denied.some(within))
        throw new SpiffeError('untrusted', 'A name is outside of what its CA may vouch for.')
    }
  }
}

/** A URI constraint is a host, or a domain if it begins with a dot; a DNS constraint covers its own subdomains. */
function isWithin(name: string, base: string, kind: 'uri' | 'dns'): boolean {
  if (base === '') return true
  if (base.startsWith('.')) return name.endsWith(base)
  return name === base || (kind === 'dns' && name.endsWith(`.${base}`))
}
