import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js'
import type { Bundle } from '../bundles/bundle.ts'
import {
  type Codec,
  emptyRequest,
  type JwtSvidMessage,
  type JwtSvidRequest,
  jwtBundlesResponse,
  jwtSvidRequest,
  jwtSvidResponse,
  RPC,
  SECURITY_HEADER,
  type ValidateJwtSvidRequest,
  validateJwtSvidRequest,
  validateJwtSvidResponse,
  type X509SvidMessage,
  x509BundlesResponse,
  x509SvidResponse,
} from '../workload/messages.ts'

type Rpc = keyof typeof RPC
type StreamRpc = 'x509Svid' | 'x509Bundles' | 'jwtBundles'

/** A call that arrived, and what it carried. */
export interface FakeCall {
  rpc: Rpc
  /** The value of the security header, if it was there. */
  header: string | undefined
}

export interface FakeWorkloadApiOptions {
  /** A socket file in a new folder, or a port of 127.0.0.1. Default: `unix`. */
  transport?: 'unix' | 'tcp'
}

/**
 * A Workload API in this process, over a real socket. Setters push to the streams that are open and answer those that open
 * later; faults are asked for by name. Calls without the security header are refused, as the real one does.
 */
export class FakeWorkloadApi {
  readonly calls: FakeCall[] = []
  /** Answers FetchJWTSVID. */
  jwtSvids: (request: JwtSvidRequest) => JwtSvidMessage[] | Promise<JwtSvidMessage[]> = () => []
  /** Answers ValidateJWTSVID. */
  validate: (request: ValidateJwtSvidRequest) => { spiffeId: string; claims: Record<string, unknown> } = () => ({
    spiffeId: '',
    claims: {},
  })
  #server: Server | undefined
  #address = ''
  readonly #folder: string | undefined
  readonly #state = new Map<StreamRpc, Buffer>()
  readonly #streams = new Map<StreamRpc, Set<ServerWritableStream<unknown, unknown>>>()
  readonly #faults = new Map<Rpc, { code: status; left: number }>()
  readonly #watching = new Set<() => void>()

  private constructor(folder: string | undefined) {
    this.#folder = folder
  }

  static async start({ transport = 'unix' }: FakeWorkloadApiOptions = {}): Promise<FakeWorkloadApi> {
    const folder = transport === 'unix' ? mkdtempSync(path.join(tmpdir(), 'workload-')) : undefined
    const api = new FakeWorkloadApi(folder)
    if (folder) api.#address = `unix://${path.join(folder, 'api.sock')}`
    await api.restart()
    return api
  }

  /** For `{ address }` or `SPIFFE_ENDPOINT_SOCKET`. */
  get address(): string {
    return this.#address
  }

  /** How many streams of this RPC are open. */
  streams(rpc: StreamRpc): number {
    return this.#streams.get(rpc)?.size ?? 0
  }

  /** The whole state of FetchX509SVID: identities, the first being the default, and bundles of other trust domains. */
  setX509(svids: X509SvidMessage[], federated: Bundle[] = []): void {
    const federatedBundles = new Map(federated.map((bundle) => [`spiffe://${bundle.trustDomain}`, derOf(bundle)]))
    this.push('x509Svid', x509SvidResponse.encode({ svids, crl: [], federatedBundles }))
  }

  setX509Bundles(bundles: Bundle[]): void {
    const map = new Map(bundles.map((bundle) => [`spiffe://${bundle.trustDomain}`, derOf(bundle)]))
    this.push('x509Bundles', x509BundlesResponse.encode({ crl: [], bundles: map }))
  }

  setJwtBundles(bundles: Bundle[]): void {
    const map = new Map(bundles.map((bundle) => [`spiffe://${bundle.trustDomain}`, Buffer.from(bundle.marshal())]))
    this.push('jwtBundles', jwtBundlesResponse.encode({ bundles: map }))
  }

  /** Sends bytes as they are, right or wrong. */
  push(rpc: StreamRpc, message: Buffer): void {
    this.#state.set(rpc, message)
    for (const stream of this.#streams.get(rpc) ?? []) stream.write(message)
  }

  /** Answers the next calls of an RPC with a status; without `times`, all until {@link heal}. Open streams end with it. */
  fail(rpc: Rpc, code: status, times = Number.POSITIVE_INFINITY): void {
    this.#faults.set(rpc, { code, left: times })
    if (rpc === 'jwtSvid' || rpc === 'validateJwtSvid') return
    for (const stream of [...(this.#streams.get(rpc) ?? [])]) stream.emit('error', { code, details: 'as told' })
  }

  heal(rpc: Rpc): void {
    this.#faults.delete(rpc)
  }

  /** Ends all streams well, as an agent does that shuts down in order. */
  endStreams(): void {
    for (const streams of this.#streams.values()) for (const stream of [...streams]) stream.end()
  }

  /** Breaks all connections; the socket file goes. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    server.forceShutdown()
    // forceShutdown ends the connections; this waits for the listener.
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
  }

  /** Listens again at the same address, with the same state. */
  async restart(): Promise<void> {
    await this.stop()
    this.#streams.clear()
    const server = new Server()
    this.#serve(server)
    const target = this.#address.startsWith('unix:')
      ? this.#address.replace('unix://', 'unix:')
      : this.#address.replace('tcp://', '') || '127.0.0.1:0'
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(target, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    )
    if (this.#address === '') this.#address = `tcp://127.0.0.1:${port}`
    this.#server = server
  }

  /** Stops for good. */
  async close(): Promise<void> {
    await this.stop()
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Resolves as soon as this holds; asked again after each call that comes or goes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        const once = () => {
          this.#watching.delete(once)
          resolve()
        }
        this.#watching.add(once)
      })
    }
  }

  #changed() {
    for (const once of [...this.#watching]) once()
  }

  #serve(server: Server) {
    for (const rpc of ['x509Svid', 'x509Bundles', 'jwtBundles'] as const) {
      const open: handleServerStreamingCall<unknown, unknown> = (call) => {
        const refusal = this.#arrived(rpc, call.metadata)
        if (refusal) return void call.emit('error', refusal)
        const streams = this.#streams.get(rpc) ?? new Set()
        this.#streams.set(rpc, streams.add(call))
        const gone = () => {
          streams.delete(call)
          this.#changed()
        }
        call.on('cancelled', gone)
        call.on('error', gone)
        call.on('finish', gone)
        const state = this.#state.get(rpc)
        if (state) call.write(state)
        this.#changed()
      }
      server.register(RPC[rpc], open, asIs, emptyRequest.decode, 'serverStream')
    }
    const fetchJwt: handleUnaryCall<JwtSvidRequest, Buffer> = async (call, callback) => {
      const refusal = this.#arrived('jwtSvid', call.metadata)
      if (refusal) return callback(refusal)
      callback(null, jwtSvidResponse.encode({ svids: await this.jwtSvids(call.request) }))
    }
    const validate: handleUnaryCall<ValidateJwtSvidRequest, Buffer> = (call, callback) => {
      const refusal = this.#arrived('validateJwtSvid', call.metadata)
      if (refusal) return callback(refusal)
      callback(null, validateJwtSvidResponse.encode(this.validate(call.request)))
    }
    register(server, RPC.jwtSvid, fetchJwt, jwtSvidRequest)
    register(server, RPC.validateJwtSvid, validate, validateJwtSvidRequest)
  }

  #arrived(rpc: Rpc, metadata: Metadata) {
    const header = metadata.get(SECURITY_HEADER)[0]?.toString()
    this.calls.push({ rpc, header })
    this.#changed()
    if (header !== 'true') return { code: status.INVALID_ARGUMENT, details: 'security header missing from request' }
    const fault = this.#faults.get(rpc)
    if (!fault) return undefined
    if (--fault.left <= 0) this.#faults.delete(rpc)
    return { code: fault.code, details: 'as told' }
  }
}

function register<Request>(
  server: Server,
  rpc: string,
  handler: handleUnaryCall<Request, Buffer>,
  codec: Codec<Request>,
) {
  server.register(rpc, handler, asIs, codec.decode, 'unary')
}

const asIs = (message: unknown): Buffer => message as Buffer

function derOf(bundle: Bundle): Buffer {
  return Buffer.concat(bundle.x509Authorities.map(({ raw }) => raw))
}
