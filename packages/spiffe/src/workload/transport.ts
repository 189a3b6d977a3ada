import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { type Limits, withDeadline } from '../ids/deadline.ts'
import { SpiffeError, type SpiffeErrorCode } from '../ids/errors.ts'
import { SECURITY_HEADER } from './messages.ts'

/** Calls of the Workload API, as bytes over gRPC. */
export class Transport {
  readonly #target: string
  readonly #closing = new AbortController()
  #client: Client | undefined

  /** @param target a gRPC target. The connection is made with the first call. */
  constructor(target: string) {
    this.#target = target
  }

  /** Aborts with `closed`. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Ends every call with `closed` and drops the connection. */
  close() {
    this.#closing.abort(new SpiffeError('closed', 'The Workload API client is closed.'))
    this.#reset()
  }

  /**
   * Reads a stream until it ends, then resolves with undefined. `done` ends it earlier and gives the value. Rejects with
   * what `onMessage` threw.
   */
  stream<Value>(
    rpc: string,
    limits: Limits,
    onMessage: (bytes: Uint8Array, done: (value: Value) => void) => void,
  ): Promise<Value | undefined> {
    return withDeadline<Value | undefined>(this.#within(limits), (resolve, reject) => {
      const client = this.#connect()
      const call = client.makeServerStreamRequest(rpc, () => Buffer.alloc(0), bytesOf, {}, header())
      let open = true
      call.on('data', (bytes: Uint8Array) => {
        if (!open) return
        try {
          onMessage(bytes, resolve)
        } catch (error) {
          reject(error)
        }
      })
      call.on('error', (error: ServiceError) => {
        // A call that we cancelled ends with an error too. Its connection is good, and other calls may use it.
        if (open) reject(this.#translate(error, client))
      })
      call.on('end', () => resolve(undefined))
      return () => {
        open = false
        call.cancel()
      }
    })
  }

  /** Sends one request and resolves with the answer. */
  unary(rpc: string, request: Buffer, limits: Limits): Promise<Uint8Array> {
    return withDeadline<Uint8Array>(this.#within(limits), (resolve, reject) => {
      const client = this.#connect()
      let open = true
      const call = client.makeUnaryRequest(rpc, bytesOf, bytesOf, request, header(), (error, bytes) => {
        if (!open) return
        if (error) reject(this.#translate(error, client))
        else resolve(bytes as Uint8Array)
      })
      return () => {
        open = false
        call.cancel()
      }
    })
  }

  #within(limits: Limits): Limits {
    return { ...limits, signals: [this.closing, ...(limits.signals ?? [])] }
  }

  #connect(): Client {
    this.#client ??= new Client(this.#target, credentials.createInsecure(), {
      // The agent is on this machine, so a proxy of the environment is not used.
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
      // gRPC's own backoff would be added to ours, and shared subchannels would share it among clients.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config_disable_resolution': 1,
    })
    return this.#client
  }

  #reset() {
    this.#client?.close()
    this.#client = undefined
  }

  #translate(error: ServiceError, client: Client): SpiffeError {
    const code = CODES[error.code] ?? 'unavailable'
    // The next attempt makes a new connection: the socket file may have been replaced.
    if (code === 'unavailable' && client === this.#client) this.#reset()
    const cause = Object.assign(new Error(error.details), { name: 'Status', code: status[error.code] })
    return new SpiffeError(code, SENTENCES[code] ?? 'The Workload API cannot be reached.', { cause })
  }
}

const CODES: Partial<Record<status, SpiffeErrorCode>> = {
  [status.INVALID_ARGUMENT]: 'invalid_argument',
  [status.UNIMPLEMENTED]: 'unimplemented',
  [status.PERMISSION_DENIED]: 'permission_denied',
  [status.DEADLINE_EXCEEDED]: 'timeout',
}

const SENTENCES: Partial<Record<SpiffeErrorCode, string>> = {
  invalid_argument: 'The Workload API refused the request as malformed.',
  unimplemented: 'The Workload API does not offer this.',
  permission_denied: 'The Workload API has no identity for this workload.',
  timeout: 'The Workload API took too long.',
}

const bytesOf = (bytes: Buffer): Buffer => bytes

function header(): Metadata {
  const metadata = new Metadata()
  metadata.set(SECURITY_HEADER, 'true')
  return metadata
}
