import type { Socket } from 'node:net'
import {
  type CallCredentials,
  ChannelCredentials,
  type ChannelOptions,
  credentials,
  type Server,
  ServerCredentials,
} from '@grpc/grpc-js'
import type { Authorizer } from '../ids/spiffe-id.ts'
import { connect, createServer, listening, type Peer } from '../tls/tls.ts'
import type { X509Provider } from '../workload/x509-source.ts'

/** Credentials for a gRPC channel: mutual TLS with the SVID of the moment, on each connection anew. */
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

export interface GrpcServing {
  readonly host: string
  readonly port: number
  /** Who makes this call. */
  peerOf(call: { getPeer(): string }): Peer | undefined
  close(): Promise<void>
}

/** Serves a gRPC server by mutual TLS: it is handed only connections whose peer is proven and authorized. */
export async function serveGrpc(
  server: Server,
  source: X509Provider,
  options: { authorize: Authorizer; host?: string; port?: number },
): Promise<GrpcServing> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  // gRPC names a peer by its address, which is unique among the connections that are open.
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
