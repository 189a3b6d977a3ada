import { SpiffeError } from '../ids/errors.ts'
import type { Certificate, Constraint, NameConstraintsOf } from './certificate.ts'

/** Signatures by MD5 and SHA-1, which can be forged. */
const BROKEN_SIGNATURES = new Set([
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10045.4.1',
  '1.3.14.3.2.29',
])
const MAX_DEPTH = 8
/** The peer chooses the certificates, so the number of signatures to check is limited. */
const MAX_CHECKS = 64

/**
 * Finds the path from a leaf to one of the roots.
 *
 * @param now milliseconds since the epoch.
 * @throws {@link SpiffeError} `untrusted`
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
  // An old root may lack the extension. A certificate that has it must be allowed to sign certificates.
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

/** A URI constraint is a host, or a domain if it begins with a dot. A DNS constraint covers its subdomains too. */
function isWithin(name: string, base: string, kind: 'uri' | 'dns'): boolean {
  if (base === '') return true
  if (base.startsWith('.')) return name.endsWith(base)
  return name === base || (kind === 'dns' && name.endsWith(`.${base}`))
}
