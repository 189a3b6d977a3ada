import { constants } from 'node:crypto'
import https from 'node:https'
import { isIP, type Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import tls, {
  type DetailedPeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls'
import { Bundle, type BundleProvider } from '../bundles/bundle.ts'
import { asSpiffeError, cancelled, SpiffeError } from '../ids/errors.ts'
import type { Authorizer, SpiffeId } from '../ids/spiffe-id.ts'
import type { X509Provider } from '../workload/x509-source.ts'
import { type Certificate, readCertificate, toPem } from '../x509/certificate.ts'
import { checkLeaf, verifyX509Svid, type X509Svid } from '../x509/svid.ts'

/** The other end of a connection, as its certificate proved it. */
export interface Peer {
  readonly id: SpiffeId
  /** When its SVID ends, in milliseconds since the epoch. */
  readonly notAfter: number
}

const MIN_VERSION = 'TLSv1.2'
const HANDSHAKE_TIMEOUT = 10_000

/** True for two readings of one SVID: the Workload API repeats it with every change of a bundle. */
export function sameSvid(one: X509Svid, other: X509Svid): boolean {
  return one === other || (one.certificates[0] as Certificate).raw.equals((other.certificates[0] as Certificate).raw)
}

const contexts = new WeakMap<X509Svid, SecureContext>()
const peers = new WeakMap<Duplex, Peer & { readonly chain: readonly Certificate[] }>()

/** Who is at the other end of a connection that this package has made or accepted. */
export function peerOf(socket: Duplex): Peer | undefined {
  return peers.get(socket)
}

/** The key, only for as long as OpenSSL needs to read it. */
function keyMaterial(svid: X509Svid): SecureContextOptions {
  const { key, certificates } = svid.marshal()
  return {
    key,
    cert: certificates,
    minVersion: MIN_VERSION,
    // No session is ever resumed: a resumed one would skip the check against the bundles of now.
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

/**
 * Proves who is at the other end. OpenSSL has proven that they hold the key of the certificate; which certificates count is
 * decided here, by the bundle of the trust domain that the certificate names, because a list of all bundles' roots would
 * let each trust domain speak for the others.
 */
function identify(socket: TLSSocket, bundles: BundleProvider, authorize: Authorizer, now?: number): Peer {
  const chain = chainOf(socket)
  if (chain.length === 0) throw new SpiffeError('untrusted', 'The other end has shown no certificate.')
  const { id } = verifyX509Svid(chain, bundles, now === undefined ? {} : { now })
  if (authorize(id) !== true)
    throw new SpiffeError('unauthorized', `The other end is ${id}, which is not who may be there.`)
  const peer = { id, notAfter: (chain[0] as Certificate).notAfter, chain }
  peers.set(socket, peer)
  return peer
}

/**
 * The certificates that the other end has sent. Not by `getPeerX509Certificate`, which on the client's side takes the leaf
 * out of the connection's own list: whoever asked after us would get no certificate, or another one.
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

/** What the present bundles say of the peer of a live connection. */
export function standing(socket: Duplex, bundles: BundleProvider): 'trusted' | 'outdated' | 'untrusted' {
  const peer = peers.get(socket)
  const bundle = peer && bundles.getBundle(peer.id.trustDomain)
  if (!peer || !bundle || bundle.x509Authorities.length === 0) return 'untrusted'
  try {
    verifyX509Svid(peer.chain, bundles)
    return 'trusted'
  } catch {
    return 'outdated'
  }
}

/** Calls back at a time that may be further away than a timer can count. Holds nothing open. */
export function callAt(time: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout
  const arm = () => {
    const left = time - Date.now()
    timer = setTimeout(left > 2 ** 30 ? arm : callback, Math.max(0, Math.min(left, 2 ** 30))).unref()
  }
  arm()
  return () => clearTimeout(timer)
}

/** A connection proves who is there for as long as both certificates hold, and no longer. */
function capAge(socket: TLSSocket, ...ends: number[]) {
  const stop = callAt(Math.min(...ends), () =>
    socket.destroy(new SpiffeError('closed', 'An SVID of this connection has expired.')),
  )
  socket.once('close', stop)
}

export interface ConnectOptions {
  host?: string
  port?: number
  /** A connected stream to run TLS over, instead of host and port. */
  socket?: Duplex
  /** Whom to talk to. */
  authorize: Authorizer
  /** Protocols to offer (RFC 7301). */
  alpn?: readonly string[]
  /**
   * `svid`: the server proves a SPIFFE ID. `web`: it proves its host name to the Web PKI, or to the given roots in PEM, and
   * `authorize` is not asked.
   */
  server?: 'svid' | 'web' | { ca: string }
  /** False to show no certificate of ours: TLS, not mutual TLS. */
  present?: boolean
  signal?: AbortSignal | undefined
  /** Milliseconds. Default: 10,000. */
  timeout?: number
}

/**
 * Connects by mutual TLS with the present SVID, and resolves once the server is proven and authorized. The client of
 * TLS 1.3 is done before the server has judged the client, so a refusal of ours shows at the first read.
 */
export function connect(source: X509Provider | BundleProvider, options: ConnectOptions): Promise<TLSSocket> {
  const { host, port, socket: underlying, authorize, alpn, server = 'svid', present = true, signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(signal))
    let svid: X509Svid | undefined
    let context: SecureContext | undefined
    try {
      if (present) {
        if (!('svid' in source)) throw new SpiffeError('misuse', 'A source without an SVID cannot do mutual TLS.')
        svid = source.svid
        context = contextOf(svid)
      }
      if (server !== 'svid' && svid) {
        const roots = server === 'web' ? {} : { ca: server.ca }
        context = tls.createSecureContext({ ...keyMaterial(svid), ...roots })
      }
    } catch (error) {
      return reject(error)
    }
    const web = server !== 'svid'
    const socket = tls.connect({
      ...(underlying ? { socket: underlying } : { host: host ?? '127.0.0.1', port: port ?? 0 }),
      ...(context ? { secureContext: context } : typeof server === 'object' ? { ca: server.ca } : {}),
      // Whom a SPIFFE certificate names is not a host, so nothing of the address is told or compared.
      ...(web && host && isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: web,
      minVersion: MIN_VERSION,
      ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
    })
    const fail = (error: Error) => {
      clean()
      socket.on('error', () => {})
      socket.destroy()
      reject(asSpiffeError(error, 'unavailable', 'The connection could not be made.'))
    }
    const stop = () => fail(cancelled(signal as AbortSignal))
    const early = () => fail(new SpiffeError('unavailable', 'The other end closed the connection.'))
    const timer = setTimeout(
      () => fail(new SpiffeError('timeout', 'The handshake took too long.')),
      options.timeout ?? HANDSHAKE_TIMEOUT,
    )
    const clean = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      socket.off('error', fail)
      socket.off('close', early)
    }
    signal?.addEventListener('abort', stop, { once: true })
    socket.on('error', fail)
    socket.on('close', early)
    socket.once('secureConnect', () => {
      try {
        const end = web ? Number.POSITIVE_INFINITY : identify(socket, source, authorize).notAfter
        const cap = Math.min(end, svid?.notAfter ?? Number.POSITIVE_INFINITY)
        if (cap !== Number.POSITIVE_INFINITY) capAge(socket, cap)
      } catch (error) {
        return fail(error as Error)
      }
      clean()
      resolve(socket)
    })
  })
}

export interface ServerOptions {
  /** Who may connect. */
  authorize: Authorizer
  alpn?: readonly string[]
  /** False to ask clients for no certificate: TLS, not mutual TLS. */
  requestClient?: boolean
  /** A certificate of the Web PKI to show instead of the SVID; clients still prove SPIFFE IDs. */
  web?: { cert: string; key: string }
  /** A connection was refused, and why. */
  onRefused?: (error: SpiffeError) => void
}

/** A TLS server that follows the source: new handshakes use the new SVID, and peers no longer trusted are dropped. */
export interface SvidServer {
  readonly server: tls.Server
  /** The proven connections that are open. */
  readonly connections: ReadonlySet<TLSSocket>
  /** Stops listening, drops the connections, forgets the source. */
  close(): Promise<void>
}

/**
 * A server whose connections are all proven and authorized before `onConnection` sees them.
 *
 * @param onOutdated a live peer whose certificate the present bundle would not accept again, such as after a new root.
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
  // Those still in their handshake as well, or closing would wait for them.
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
      // Withdrawn: nobody is here any more. Later handshakes fail where they ask for the SVID.
      for (const socket of connections) socket.destroy()
      return
    }
    if (svid && !(shown && sameSvid(svid, shown))) {
      server.setSecureContext(keyMaterial(svid))
      shown = svid
    }
    if (!requestClient) return
    for (const socket of connections) {
      const now = standing(socket, source)
      if (now === 'untrusted') socket.destroy()
      if (now === 'outdated') onOutdated(socket)
    }
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

/** Listens, and says where. */
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

/**
 * Options for `tls.connect`, `https.request` or `new https.Agent`, as of now, for peers of one trust domain. They do not
 * follow rotation; {@link httpsAgent} does.
 */
export function tlsOptions(
  source: X509Provider,
  { authorize, trustDomain }: { authorize: Authorizer; trustDomain?: string },
) {
  const { svid } = source
  const domain = trustDomain ?? svid.id.trustDomain
  const bundle = source.getBundle(domain) ?? new Bundle(domain)
  return {
    ...keyMaterial(svid),
    ca: [toPem(bundle.x509Authorities)],
    rejectUnauthorized: true,
    checkServerIdentity(_host: string, { raw }: { raw: Buffer }): Error | undefined {
      try {
        // OpenSSL has built the path to this bundle's roots already; what is left are the rules for the leaf.
        const { id } = identityOfLeaf(raw, domain)
        return authorize(id) === true ? undefined : new SpiffeError('unauthorized', `The server is ${id}.`)
      } catch (error) {
        return error as Error
      }
    },
  }
}

function identityOfLeaf(raw: Buffer, trustDomain: string): { id: SpiffeId } {
  const leaf = readCertificate(raw)
  const id = checkLeaf(leaf)
  if (id.trustDomain !== trustDomain) throw new SpiffeError('untrusted', 'The server is of another trust domain.')
  return { id }
}

export interface AgentOptions extends https.AgentOptions {
  authorize: Authorizer
}

/** An `https.Agent` whose connections use the SVID of the moment. Pooled ones are not reused after a rotation. */
export function httpsAgent(source: X509Provider, { authorize, ...options }: AgentOptions): https.Agent {
  return new SvidAgent(source, authorize, options)
}

class SvidAgent extends https.Agent {
  readonly #source: X509Provider
  readonly #authorize: Authorizer

  constructor(source: X509Provider, authorize: Authorizer, options: https.AgentOptions) {
    super({ keepAlive: true, ...options, maxCachedSessions: 0 })
    this.#source = source
    this.#authorize = authorize
  }

  override getName(options?: https.RequestOptions): string {
    let serial = 'none'
    try {
      serial = this.#source.svid.certificates[0]?.x509.fingerprint256 ?? serial
    } catch {
      // Without an identity no connection is made; the error comes from there.
    }
    return `${super.getName(options)}:${serial}`
  }

  override createConnection(
    options: https.RequestOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    connect(this.#source, {
      host: options.host ?? options.hostname ?? '127.0.0.1',
      port: Number(options.port ?? 443),
      authorize: this.#authorize,
    }).then(
      (socket) => callback?.(null, socket),
      (error) => callback?.(error, undefined as unknown as Duplex),
    )
    return undefined
  }
}

/** What undici's `connect` option takes, by shape. */
export type Connector = (
  options: { hostname: string; port: string; protocol: string },
  callback: (...args: [error: null, socket: TLSSocket] | [error: Error, socket: null]) => void,
) => void

/** `new undici.Agent({ connect: undiciConnector(source, { authorize }) })`: the SVID of the moment for each connection. */
export function undiciConnector(source: X509Provider, { authorize }: { authorize: Authorizer }): Connector {
  return ({ hostname, port, protocol }, callback) => {
    if (protocol !== 'https:') {
      callback(new SpiffeError('misuse', 'An SVID proves nothing without TLS: the URL must be https.'), null)
      return
    }
    const host = hostname.replace(/^\[|\]$/g, '')
    connect(source, { host, port: Number(port || 443), authorize, alpn: ['http/1.1'] }).then(
      (socket) => callback(null, socket),
      (error) => callback(error, null),
    )
  }
}
