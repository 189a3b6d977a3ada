import type { Socket } from 'node:net'
import {
  type CallCredentials,
  ChannelCredentials,
  type ChannelOptions,
  credentials,
  type Server,
  ServerCredentials,
} from '@grpc/grpc-js'
import type { Authorizer } from '../ids/authorize.ts'
import { connect } from '../tls/connect.ts'
import type { Peer } from '../tls/peer.ts'
import { createServer, listening } from '../tls/server.ts'
import type { X509Provider } from '../workload/sources.ts'

/** Credentials for a gRPC channel: mutual TLS. Each connection uses the present SVID. */
export function grpcCredentials(source: X509Provider, { authorize }: { authorize: Authorizer }): ChannelCredentials {
  return new SvidChannelCredentials(source, authorize)
}

type Connector = ReturnType<ChannelCredentials['_createSecureConnector']>

class SvidChannelCredentials extends ChannelCredentials {
  readonly #source: X509Provider
  readonly #authorize: Authorizer

  constructor(source: X509Provider, authorize: Authorizer) {
    super()
    this.#source = source
    this.#authorize = authorize
  }

  override _isSecure(): boolean {
    return true
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this
  }

  override _createSecureConnector(_target: unknown, _options: ChannelOptions, call?: CallCredentials): Connector {
    return {
      connect: async (socket: Socket) => {
        const secured = await connect(this.#source, { socket, authorize: this.#authorize, alpn: ['h2'] })
        return { socket: secured, secure: true }
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => call ?? credentials.createEmpty(),
      destroy: () => {},
    }
  }
}

/** A gRPC server that listens. */
export interface GrpcServing {
  readonly host: string
  readonly port: number
  /** The caller. Undefined after the call's connection has closed. */
  peerOf(call: { getPeer(): string }): Peer | undefined
  /** Stops listening and drops the connections. */
  close(): Promise<void>
}

/**
 * Serves a gRPC server by mutual TLS. It gets only connections whose peer is verified and authorized. It listens on
 * `127.0.0.1` and a free port unless told otherwise.
 *
 * @throws {@link SpiffeError} if the source has no SVID
 */
export async function serveGrpc(
  server: Server,
  source: X509Provider,
  options: { authorize: Authorizer; host?: string; port?: number },
): Promise<GrpcServing> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  // gRPC knows a peer by its address, which is unique among the open connections.
  const callers = new Map<string, Peer>()
  const serving = createServer(source, { authorize: options.authorize, alpn: ['h2'] }, (socket, peer) => {
    const name = `${socket.remoteAddress}:${socket.remotePort}`
    if (peer) callers.set(name, peer)
    socket.once('close', () => callers.delete(name))
    injector.injectConnection(socket)
  })
  const address = await listening(serving.server, options.port, options.host)
  return {
    ...address,
    peerOf: (call) => callers.get(call.getPeer()),
    close() {
      injector.destroy()
      return serving.close()
    },
  }
}
