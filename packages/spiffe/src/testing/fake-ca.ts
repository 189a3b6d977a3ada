import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { AsnConvert, AsnSerializer, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'
import { SignJWT } from 'jose'
import { Bundle } from '../bundles/bundle.ts'
import { parseTrustDomain, SpiffeId } from '../ids/spiffe-id.ts'
import type { JwtSvidMessage, X509SvidMessage } from '../workload/messages.ts'
import { type Certificate as ReadCertificate, readCertificate } from '../x509/certificate.ts'
import { X509Svid } from '../x509/svid.ts'

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const HOUR = 3600

/** Options of {@link FakeCa.issue}. */
export interface IssueOptions {
  /**
   * Seconds from now.
   *
   * @default 3600
   */
  ttl?: number
  hint?: string
  /**
   * Seconds from now at which it begins. Clocks differ, so the default is a minute ago.
   *
   * @default -60
   */
  notBefore?: number
}

/** Options of {@link FakeCa.jwt}. */
export interface JwtOptions {
  sub: string
  aud: string | string[]
  /**
   * Seconds from now.
   *
   * @default 300
   */
  ttl?: number
  hint?: string
}

interface Signer {
  certificate: Buffer
  subject: Name
  key: KeyObject
  keyId: Buffer
}

/** A certificate authority of one trust domain, by real cryptography. It makes only valid certificates. */
export class FakeCa {
  readonly trustDomain: string
  readonly #root: Signer
  #issuing: Signer
  #chain: Buffer[] = []
  readonly #jwt = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly jwtKeyId = randomBytes(8).toString('hex')

  constructor(trustDomain: string) {
    this.trustDomain = parseTrustDomain(trustDomain)
    this.#root = makeCa(`${this.trustDomain} root`, this.trustDomain)
    this.#issuing = this.#root
  }

  get root(): ReadCertificate {
    return readCertificate(this.#root.certificate)
  }

  /** Later certificates are signed by a new CA below the present one. */
  addIntermediate(): void {
    this.#issuing = makeCa(`${this.trustDomain} intermediate`, this.trustDomain, this.#issuing)
    this.#chain = [this.#issuing.certificate, ...this.#chain]
  }

  /** This trust domain's bundle, X.509 and JWT. */
  bundle(extra: { sequence?: number; refreshHint?: number } = {}): Bundle {
    const jwtAuthorities = new Map([[this.jwtKeyId, this.#jwt.publicKey]])
    return new Bundle(this.trustDomain, { x509Authorities: [this.root], jwtAuthorities, ...extra })
  }

  /** An X509-SVID, by a path (`/agents/a`) or a whole SPIFFE ID. */
  issue(id: string, options: IssueOptions = {}): X509Svid {
    const { x509Svid, x509SvidKey, hint } = this.x509(id, options)
    return X509Svid.parseRaw(x509Svid, x509SvidKey, hint)
  }

  /** An X509-SVID in the form of the Workload API. */
  x509(id: string, { ttl = HOUR, hint = '', notBefore = -60 }: IssueOptions = {}): X509SvidMessage {
    const spiffeId = (id.startsWith('/') ? SpiffeId.fromPath(this.trustDomain, id) : SpiffeId.parse(id)).toString()
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const leaf = makeCertificate({
      subject: nameOf(''),
      publicKey,
      signer: this.#issuing,
      notBefore,
      notAfter: ttl,
      extensions: [
        extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
        extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
        extension(id_ce_extKeyUsage, new ExtendedKeyUsage([SERVER_AUTH, CLIENT_AUTH])),
        // Critical because the subject is empty (RFC 5280 §4.1.2.6).
        extension(id_ce_subjectAltName, uriName(spiffeId), true),
      ],
    })
    return {
      spiffeId,
      x509Svid: Buffer.concat([leaf, ...this.#chain]),
      x509SvidKey: privateKey.export({ format: 'der', type: 'pkcs8' }),
      bundle: this.#root.certificate,
      hint,
    }
  }

  /** A JWT-SVID in the form of the Workload API. */
  async jwt({ sub, aud, ttl = 300, hint = '' }: JwtOptions): Promise<JwtSvidMessage> {
    const now = Math.floor(Date.now() / 1000)
    const svid = await new SignJWT({ jti: randomBytes(8).toString('hex') })
      .setProtectedHeader({ alg: 'ES256', kid: this.jwtKeyId, typ: 'JWT' })
      .setSubject(sub)
      .setAudience(aud)
      .setIssuedAt(now)
      .setExpirationTime(now + ttl)
      .sign(this.#jwt.privateKey)
    return { spiffeId: sub, svid, hint }
  }
}

function makeCa(name: string, trustDomain: string, signer?: Signer): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = nameOf(`${name} ${randomBytes(4).toString('hex')}`)
  const keyId = keyIdOf(publicKey)
  const certificate = makeCertificate({
    subject,
    publicKey,
    signer: signer ?? { subject, key: privateKey, keyId },
    notBefore: -HOUR,
    notAfter: 24 * HOUR,
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), true),
      extension(id_ce_subjectAltName, uriName(`spiffe://${trustDomain}`)),
    ],
  })
  return { certificate, subject, key: privateKey, keyId }
}

interface CertificateContents {
  subject: Name
  publicKey: KeyObject
  signer: Omit<Signer, 'certificate'>
  notBefore: number
  notAfter: number
  extensions: Extension[]
}

/** @see RFC 5280 §4.1 */
function makeCertificate({ subject, publicKey, signer, notBefore, notAfter, extensions }: CertificateContents): Buffer {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 })
  // The number is signed: the first bit must be 0, or it would be negative.
  const serialNumber = randomBytes(16)
  serialNumber[0] = ((serialNumber[0] as number) & 0x7f) | 0x40
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: bytes(serialNumber),
    signature: algorithm,
    issuer: signer.subject,
    validity: new Validity({ notBefore: inSeconds(notBefore), notAfter: inSeconds(notAfter) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ format: 'der', type: 'spki' }), SubjectPublicKeyInfo),
    extensions: new Extensions([
      ...extensions,
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(bytes(keyIdOf(publicKey)))),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(bytes(signer.keyId)) }),
      ),
    ]),
  })
  const signatureValue = bytes(sign('sha256', Buffer.from(AsnSerializer.serialize(tbs)), signer.key))
  const certificate = new Certificate({ tbsCertificate: tbs, signatureAlgorithm: algorithm, signatureValue })
  return Buffer.from(AsnSerializer.serialize(certificate))
}

function inSeconds(seconds: number): Date {
  return new Date((Math.floor(Date.now() / 1000) + seconds) * 1000)
}

function nameOf(commonName: string): Name {
  if (commonName === '') return new Name([])
  const value = new AttributeValue({ utf8String: commonName })
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])])
}

function uriName(uri: string): SubjectAlternativeName {
  return new SubjectAlternativeName([new GeneralName({ uniformResourceIdentifier: uri })])
}

function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnSerializer.serialize(value)) })
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
}

function bytes(buffer: Buffer): ArrayBuffer {
  return new Uint8Array(buffer).buffer
}
