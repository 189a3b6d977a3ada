import { constants } from 'node:crypto'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import tls, { type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'
import type { BundleProvider } from '../bundles/bundle.ts'
import type { Authorizer } from '../ids/authorize.ts'
import { withDeadline } from '../ids/deadline.ts'
import { asSpiffeError, SpiffeError } from '../ids/errors.ts'
import type { X509Provider } from '../workload/sources.ts'
import type { Certificate } from '../x509/certificate.ts'
import type { X509Svid } from '../x509/svid.ts'
import { capAge, distrust, identify, verifyAgain } from './peer.ts'

export const MIN_VERSION = 'TLSv1.2'
/** Milliseconds. */
export const HANDSHAKE_TIMEOUT = 10_000

/** True for the same certificate: the Workload API sends the SVID again with every change of a bundle. */
export function sameSvid(one: X509Svid, other: X509Svid): boolean {
  return one === other || (one.certificates[0] as Certificate).raw.equals((other.certificates[0] as Certificate).raw)
}

const contexts = new WeakMap<X509Svid, SecureContext>()

/** Certificate and key for OpenSSL. The exported key is not kept. */
export function keyMaterial(svid: X509Svid): SecureContextOptions {
  const { key, certificates } = svid.marshal()
  return {
    key,
    cert: certificates,
    minVersion: MIN_VERSION,
    // No session is resumed: a resumed one would skip the verification by the present bundles.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

function contextOf(svid: X509Svid): SecureContext {
  const known = contexts.get(svid)
  if (known) return known
  const context = tls.createSecureContext(keyMaterial(svid))
  contexts.set(svid, context)
  return context
}

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** @default '127.0.0.1' */
  host?: string
  port?: number
  /** A connected stream to run TLS over, instead of host and port. */
  socket?: Duplex
  /** Which servers to accept. */
  authorize: Authorizer
  /** Protocols to offer (RFC 7301). */
  alpn?: readonly string[]
  /**
   * `svid`: the server proves a SPIFFE ID. `web`: it proves its host name to the Web PKI, or to the given roots in PEM, and
   * `authorize` is not called.
   *
   * @default 'svid'
   */
  server?: 'svid' | 'web' | { ca: string }
  /**
   * False to show no certificate of ours: TLS, not mutual TLS.
   *
   * @default true
   */
  present?: boolean
  /** Ends the attempt. */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds until the server must be verified.
   *
   * @default 10_000
   */
  timeout?: number
}

/**
 * Connects by mutual TLS with the present SVID, and resolves after the server is verified and authorized. With TLS 1.3 the
 * client is done before the server has judged it, so a refusal by the server appears at the first read. The connection ends
 * when the source withdraws the SVID or the server's trust domain, and five seconds after it withdraws the server's root.
 *
 * @param onOutdated called when the server's root was withdrawn, five seconds before the connection ends.
 * @throws {@link SpiffeError} `untrusted` or `unauthorized` for the server, `unavailable`, `timeout`, `cancelled`, or the
 * codes of `verifyX509Svid` and of the source
 */
export function connect(
  source: X509Provider | BundleProvider,
  options: ConnectOptions,
  onOutdated: () => void = () => {},
): Promise<TLSSocket> {
  const { authorize, server = 'svid', present = true, signal, timeout = HANDSHAKE_TIMEOUT } = options
  const limits = { signals: [signal], timeout, late: 'The handshake took too long.' }
  return withDeadline<TLSSocket>(limits, (resolve, reject) => {
    if (present && !('svid' in source))
      throw new SpiffeError('misuse', 'A source without an SVID cannot do mutual TLS.')
    const svid = present && 'svid' in source ? source.svid : undefined
    const socket = tls.connect(tlsOptionsOf(svid, options))
    const fail = (error: Error) => reject(asSpiffeError(error, 'unavailable', 'The connection could not be made.'))
    const early = () => fail(new SpiffeError('unavailable', 'The other end closed the connection.'))
    socket.on('error', fail)
    socket.on('close', early)
    socket.once('secureConnect', () => {
      try {
        const end = server === 'svid' ? identify(socket, source, authorize).notAfter : Number.POSITIVE_INFINITY
        const cap = Math.min(end, svid?.notAfter ?? Number.POSITIVE_INFINITY)
        if (cap !== Number.POSITIVE_INFINITY) capAge(socket, cap)
        if ('addEventListener' in source) follow(socket, source, { server, present }, onOutdated)
      } catch (error) {
        return fail(error as Error)
      }
      resolve(socket)
    })
    return (error) => {
      socket.off('error', fail)
      socket.off('close', early)
      if (!error) return
      socket.on('error', () => {})
      socket.destroy()
    }
  })
}

/** Ends a connection when the source withdraws what it relies on. */
function follow(
  socket: TLSSocket,
  source: X509Provider,
  { server, present }: Pick<ConnectOptions, 'server' | 'present'>,
  onOutdated: () => void,
) {
  const onUpdated = () => {
    if (present && !hasSvid(source)) distrust(socket)
    else if (server === 'svid') verifyAgain(socket, source, onOutdated)
  }
  source.addEventListener('updated', onUpdated)
  socket.once('close', () => source.removeEventListener('updated', onUpdated))
}

/** False after the identity was withdrawn. */
function hasSvid(source: X509Provider): boolean {
  try {
    return source.svid !== undefined
  } catch {
    return false
  }
}

function tlsOptionsOf(svid: X509Svid | undefined, options: ConnectOptions): tls.ConnectionOptions {
  const { host, port, socket, alpn, server = 'svid' } = options
  const web = server !== 'svid'
  const roots = typeof server === 'object' ? { ca: server.ca } : {}
  let context = svid && contextOf(svid)
  if (svid && web) context = tls.createSecureContext({ ...keyMaterial(svid), ...roots })
  return {
    ...(socket ? { socket } : { host: host ?? '127.0.0.1', port: port ?? 0 }),
    ...(context ? { secureContext: context } : roots),
    // A SPIFFE certificate names no host, so the host is neither sent nor compared.
    ...(web && host && isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: web,
    minVersion: MIN_VERSION,
    ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
  }
}
