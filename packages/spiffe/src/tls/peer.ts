import type { Duplex } from 'node:stream'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { BundleProvider } from '../bundles/bundle.ts'
import type { Authorizer } from '../ids/authorize.ts'
import { callAt } from '../ids/deadline.ts'
import { SpiffeError } from '../ids/errors.ts'
import type { SpiffeId } from '../ids/spiffe-id.ts'
import { type Certificate, readCertificate } from '../x509/certificate.ts'
import { verifyX509Svid } from '../x509/svid.ts'

/** The other end of a connection, by its verified certificate. */
export interface Peer {
  readonly id: SpiffeId
  /** When its SVID ends, in milliseconds since the epoch. */
  readonly notAfter: number
}

const peers = new WeakMap<Duplex, Peer & { readonly chain: readonly Certificate[] }>()

/** The peer of a connection that this package made or accepted. */
export function peerOf(socket: Duplex): Peer | undefined {
  return peers.get(socket)
}

/**
 * Verifies the peer's certificate. OpenSSL has verified that the peer holds its key. The chain is verified here, by the
 * bundle of the trust domain that the certificate names: with one list of all roots, each trust domain could issue IDs of
 * the others.
 *
 * @throws {@link SpiffeError} `untrusted`, `unauthorized` or the codes of `verifyX509Svid`
 */
export function identify(socket: TLSSocket, bundles: BundleProvider, authorize: Authorizer): Peer {
  const chain = chainOf(socket)
  if (chain.length === 0) throw new SpiffeError('untrusted', 'The other end has shown no certificate.')
  const { id } = verifyX509Svid(chain, bundles)
  if (authorize(id) !== true)
    throw new SpiffeError('unauthorized', `The other end is ${id}, which is not who may be there.`)
  const peer = { id, notAfter: (chain[0] as Certificate).notAfter, chain }
  peers.set(socket, peer)
  return peer
}

/**
 * The certificates that the peer sent. `getPeerX509Certificate` is not used: on the client's side it removes the leaf from
 * the connection's own list, so that a second caller gets no certificate or another one.
 */
function chainOf(socket: TLSSocket): Certificate[] {
  const chain: Certificate[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next?.raw && chain.length < 10) {
    const certificate = readCertificate(next.raw)
    if (chain.includes(certificate)) break
    chain.push(certificate)
    next = next.issuerCertificate
  }
  return chain
}

/** Milliseconds in which a peer whose root was withdrawn can finish its requests. */
const GRACE = 5000
/** The connections in their grace. */
const leaving = new WeakSet<TLSSocket>()

/**
 * Verifies the peer of a live connection again, by the present bundles. If they have no roots of its trust domain, the
 * connection ends at once. If they no longer accept its certificate, such as after its root was withdrawn, `onOutdated` is
 * called, and the connection ends after a grace of five seconds unless the certificate is accepted again.
 */
export function verifyAgain(socket: TLSSocket, bundles: BundleProvider, onOutdated: () => void) {
  const now = standing(socket, bundles)
  if (now === 'untrusted') return distrust(socket)
  if (now === 'trusted' || leaving.has(socket)) return
  leaving.add(socket)
  setTimeout(() => {
    leaving.delete(socket)
    if (standing(socket, bundles) !== 'trusted') distrust(socket)
  }, GRACE).unref()
  onOutdated()
}

/** `untrusted` without roots of the peer's trust domain, `outdated` if they would not accept the peer's certificate. */
function standing(socket: Duplex, bundles: BundleProvider): 'trusted' | 'outdated' | 'untrusted' {
  const peer = peers.get(socket)
  try {
    const bundle = peer && bundles.getBundle(peer.id.trustDomain)
    if (!peer || !bundle || bundle.x509Authorities.length === 0) return 'untrusted'
  } catch {
    // The source is closed, so it is not known any more whom to trust.
    return 'untrusted'
  }
  try {
    verifyX509Svid(peer.chain, bundles)
    return 'trusted'
  } catch {
    return 'outdated'
  }
}

/** Ends a connection because its peer, or our own identity, is no longer trusted. */
export function distrust(socket: TLSSocket) {
  socket.destroy(new SpiffeError('untrusted', 'The trust behind this connection has ended.'))
}

/** Ends a connection when the first of the certificates behind it ends. Times are in milliseconds since the epoch. */
export function capAge(socket: TLSSocket, ...ends: number[]) {
  const stop = callAt(Math.min(...ends), () =>
    socket.destroy(new SpiffeError('closed', 'An SVID of this connection has expired.')),
  )
  socket.once('close', stop)
}
