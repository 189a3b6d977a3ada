import { constants } from 'node:crypto'
import type { Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import tls, { type TLSSocket } from 'node:tls'
import type { Authorizer } from '../ids/authorize.ts'
import { asSpiffeError, SpiffeError } from '../ids/errors.ts'
import type { X509Provider } from '../workload/sources.ts'
import type { X509Svid } from '../x509/svid.ts'
import { HANDSHAKE_TIMEOUT, keyMaterial, MIN_VERSION, sameSvid } from './connect.ts'
import { capAge, identify, type Peer, verifyAgain } from './peer.ts'

/** Options of {@link createServer}. */
export interface ServerOptions {
  /** Which clients to accept. */
  authorize: Authorizer
  /** Protocols to accept (RFC 7301). */
  alpn?: readonly string[]
  /**
   * False to ask clients for no certificate: TLS, not mutual TLS.
   *
   * @default true
   */
  requestClient?: boolean
  /** A certificate of the Web PKI to show instead of the SVID. Both are PEM. Clients still prove SPIFFE IDs. */
  web?: { cert: string; key: string }
  /** Called with the reason when a connection is refused. */
  onRefused?: (error: SpiffeError) => void
}

/**
 * A TLS server that follows its source: new handshakes use the new SVID. Peers whose trust domain is no longer known are
 * disconnected at once, peers whose root was withdrawn after five seconds, in which they can finish their requests.
 */
export interface SvidServer {
  /** Not listening yet. */
  readonly server: tls.Server
  /** The open connections of verified peers. */
  readonly connections: ReadonlySet<TLSSocket>
  /** Stops listening, drops the connections and no longer follows the source. */
  close(): Promise<void>
}

/**
 * A TLS server that hands only verified and authorized connections to `onConnection`.
 *
 * @param onOutdated called when the root of a live peer was withdrawn, five seconds before its connection ends.
 * @throws {@link SpiffeError} if the source has no SVID
 */
export function createServer(
  source: X509Provider,
  options: ServerOptions,
  onConnection: (socket: TLSSocket, peer: Peer | undefined) => void,
  onOutdated: (socket: TLSSocket) => void = () => {},
): SvidServer {
  const { authorize, alpn, requestClient = true, web, onRefused } = options
  const connections = new Set<TLSSocket>()
  const material = () =>
    web
      ? ({ ...web, minVersion: MIN_VERSION, secureOptions: constants.SSL_OP_NO_TICKET } as const)
      : keyMaterial(source.svid)
  const server = tls.createServer({
    ...material(),
    requestCert: requestClient,
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
  })
  let shown = web ? undefined : source.svid
  // All connections, also those in their handshake: closing would wait for them.
  const open = new Set<Duplex>()
  server.on('connection', (socket: Duplex) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  const refuse = (socket: Duplex, error: SpiffeError) => {
    socket.on('error', () => {})
    socket.destroy()
    onRefused?.(error)
  }
  server.on('secureConnection', (socket: TLSSocket) => {
    let peer: Peer | undefined
    try {
      const own = web ? undefined : source.svid
      if (requestClient) peer = identify(socket, source, authorize)
      capAge(
        socket,
        peer?.notAfter ?? Number.POSITIVE_INFINITY,
        own ? (shown?.notAfter ?? own.notAfter) : Number.POSITIVE_INFINITY,
      )
    } catch (error) {
      return refuse(socket, asSpiffeError(error, 'untrusted', 'The client could not be proven.'))
    }
    socket.on('error', () => {})
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
    onConnection(socket, peer)
  })
  server.on('tlsClientError', (error) =>
    onRefused?.(new SpiffeError('untrusted', 'A handshake failed.', { cause: error })),
  )
  const follow = () => {
    let svid: X509Svid | undefined
    try {
      svid = web ? undefined : source.svid
    } catch {
      // The identity was withdrawn. Later handshakes fail because there is no SVID.
      for (const socket of connections) socket.destroy()
      return
    }
    if (svid && !(shown && sameSvid(svid, shown))) {
      server.setSecureContext(keyMaterial(svid))
      shown = svid
    }
    if (!requestClient) return
    for (const socket of connections) verifyAgain(socket, source, () => onOutdated(socket))
  }
  source.addEventListener('updated', follow)
  return {
    server,
    connections,
    close() {
      source.removeEventListener('updated', follow)
      for (const socket of [...connections, ...open]) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Listens, and resolves with the address. */
export function listening(server: NetServer, port = 0, host = '127.0.0.1'): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      if (address === null || typeof address === 'string')
        return reject(new SpiffeError('misuse', 'The server listens nowhere.'))
      resolve({ host: address.address, port: address.port })
    })
  })
}
