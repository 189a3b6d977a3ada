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
  type JwtSvidMessage,
  type JwtSvidRequest,
  RPC,
  SECURITY_HEADER,
  type ValidateJwtSvidRequest,
  type X509SvidMessage,
} from '../workload/messages.ts'
import {
  decodeJwtSvidRequest,
  decodeValidateJwtSvidRequest,
  encodeBundles,
  encodeJwtSvidResponse,
  encodeValidateJwtSvidResponse,
  encodeX509SvidResponse,
} from './messages.ts'

type Rpc = keyof typeof RPC
type StreamRpc = 'x509Svid' | 'x509Bundles' | 'jwtBundles'

/** A call that arrived, and what it carried. */
export interface FakeCall {
  rpc: Rpc
  /** The value of the security header, if it was there. */
  header: string | undefined
}

/** Options of {@link FakeWorkloadApi.start}. */
export interface FakeWorkloadApiOptions {
  /**
   * A socket file in a new folder, or a port of 127.0.0.1.
   *
   * @default 'unix'
   */
  transport?: 'unix' | 'tcp'
}

/**
 * A Workload API in this process, over a real socket. A setter's state is pushed to the streams that are open and sent to
 * those that open later. `fail` makes an RPC fail. Calls without the security header are refused, as a real agent does.
 */
export class FakeWorkloadApi {
  /** The calls so far, refused ones included. */
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

  /** Makes one and listens. */
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
    this.push('x509Svid', encodeX509SvidResponse({ svids, federatedBundles }))
  }

  /** The whole state of FetchX509Bundles. */
  setX509Bundles(bundles: Bundle[]): void {
    const map = new Map(bundles.map((bundle) => [`spiffe://${bundle.trustDomain}`, derOf(bundle)]))
    this.push('x509Bundles', encodeBundles(map, 2))
  }

  /** The whole state of FetchJWTBundles. */
  setJwtBundles(bundles: Bundle[]): void {
    const map = new Map(bundles.map((bundle) => [`spiffe://${bundle.trustDomain}`, Buffer.from(bundle.marshal())]))
    this.push('jwtBundles', encodeBundles(map, 1))
  }

  /** Sends these bytes as the state of an RPC, valid or not. */
  push(rpc: StreamRpc, message: Buffer): void {
    this.#state.set(rpc, message)
    for (const stream of this.#streams.get(rpc) ?? []) stream.write(message)
  }

  /** Answers the next calls of an RPC with a status: `times` calls, or all until {@link heal}. Open streams end with it. */
  fail(rpc: Rpc, code: status, times = Number.POSITIVE_INFINITY): void {
    this.#faults.set(rpc, { code, left: times })
    if (rpc === 'jwtSvid' || rpc === 'validateJwtSvid') return
    for (const stream of [...(this.#streams.get(rpc) ?? [])]) stream.emit('error', { code, details: 'as told' })
  }

  /** Ends what {@link fail} began. */
  heal(rpc: Rpc): void {
    this.#faults.delete(rpc)
  }

  /** Ends all streams without an error, as an agent does when it shuts down. */
  endStreams(): void {
    for (const streams of this.#streams.values()) for (const stream of [...streams]) stream.end()
  }

  /** Stops listening, breaks all connections and removes the socket file. */
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

  /** Stops and removes the folder of the socket. */
  async close(): Promise<void> {
    await this.stop()
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Resolves as soon as the condition holds. It is checked after each call that begins or ends. */
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
      server.register(RPC[rpc], open, asIs, () => ({}), 'serverStream')
    }
    const fetchJwt: handleUnaryCall<JwtSvidRequest, Buffer> = async (call, callback) => {
      const refusal = this.#arrived('jwtSvid', call.metadata)
      if (refusal) return callback(refusal)
      callback(null, encodeJwtSvidResponse(await this.jwtSvids(call.request)))
    }
    const validate: handleUnaryCall<ValidateJwtSvidRequest, Buffer> = (call, callback) => {
      const refusal = this.#arrived('validateJwtSvid', call.metadata)
      if (refusal) return callback(refusal)
      const { spiffeId, claims } = this.validate(call.request)
      callback(null, encodeValidateJwtSvidResponse(spiffeId, claims))
    }
    server.register(RPC.jwtSvid, fetchJwt, asIs, decodeJwtSvidRequest, 'unary')
    server.register(RPC.validateJwtSvid, validate, asIs, decodeValidateJwtSvidRequest, 'unary')
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

const asIs = (message: unknown): Buffer => message as Buffer

function derOf(bundle: Bundle): Buffer {
  return Buffer.concat(bundle.x509Authorities.map(({ raw }) => raw))
}
