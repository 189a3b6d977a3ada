import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { Bundle, BundleSet } from '../bundles/bundle.ts'
import { asSpiffeError, cancelled, SpiffeError, type SpiffeErrorCode, throwIfAborted } from '../ids/errors.ts'
import { parseTrustDomain, SpiffeId } from '../ids/spiffe-id.ts'
import { type JwtSvid, readJwtSvid } from '../jwt/svid.ts'
import { X509Svid } from '../x509/svid.ts'
import { endpointOf } from './endpoint.ts'
import {
  type Codec,
  emptyRequest,
  type JwtBundlesResponse,
  jwtBundlesResponse,
  jwtSvidRequest,
  jwtSvidResponse,
  RPC,
  SECURITY_HEADER,
  validateJwtSvidRequest,
  validateJwtSvidResponse,
  type X509BundlesResponse,
  type X509SvidResponse,
  x509BundlesResponse,
  x509SvidResponse,
} from './messages.ts'

/** How many milliseconds to wait before retry number `attempt`, which counts from 1. */
export type Backoff = (attempt: number) => number

/** One second more with each attempt, up to thirty. A message that arrives begins the count anew. */
export const linearBackoff: Backoff = (attempt) => Math.min(attempt, 30) * 1000

export interface WorkloadApiOptions {
  /** `unix:///path` or `tcp://IP:port`. Default: the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  address?: string
  /** Default: {@link linearBackoff}. */
  backoff?: Backoff
}

/** Who this workload is and whom it can trust: one message, which replaces whatever came before. */
export interface X509Context {
  readonly svids: readonly X509Svid[]
  readonly bundles: BundleSet
}

export interface Watcher<State> {
  onUpdate(state: State): void
  /** A message was discarded or a stream ended. The watch goes on, unless `watch…` itself rejects. */
  onError?(error: SpiffeError): void
}

export interface JwtSvidParams {
  audience: string
  extraAudiences?: readonly string[]
  /** Which of the workload's identities. Default: any; the agent lists the default first. */
  subject?: SpiffeId | string | undefined
}

/** Errors that another attempt cannot mend. @see SPIFFE Workload Endpoint §6 */
const FINAL: ReadonlySet<SpiffeErrorCode> = new Set(['invalid_argument', 'unimplemented', 'closed', 'cancelled'])

/** Milliseconds after which a stream counts as one that worked. */
const STEADY = 1000

const CODES: Partial<Record<status, SpiffeErrorCode>> = {
  [status.INVALID_ARGUMENT]: 'invalid_argument',
  [status.UNIMPLEMENTED]: 'unimplemented',
  [status.PERMISSION_DENIED]: 'permission_denied',
  [status.DEADLINE_EXCEEDED]: 'timeout',
}

/**
 * A client of the Workload API: one-time fetches, and watches that outlive the agent's restarts.
 *
 * @see SPIFFE Workload API
 */
export class WorkloadApiClient {
  readonly #target: string
  readonly #backoff: Backoff
  readonly #closing = new AbortController()
  #client: Client | undefined

  constructor({ address, backoff = linearBackoff }: WorkloadApiOptions = {}) {
    this.#target = endpointOf(address)
    this.#backoff = backoff
  }

  /** Ends every call and watch, and drops the connection. */
  close() {
    this.#closing.abort()
    this.#reset()
  }

  /** The default X509-SVID: the first. */
  async fetchX509Svid(signal?: AbortSignal): Promise<X509Svid> {
    return (await this.fetchX509Svids(signal))[0] as X509Svid
  }

  async fetchX509Svids(signal?: AbortSignal): Promise<readonly X509Svid[]> {
    return (await this.fetchX509Context(signal)).svids
  }

  async fetchX509Context(signal?: AbortSignal): Promise<X509Context> {
    return readX509Context(await this.#first(RPC.x509Svid, x509SvidResponse, signal))
  }

  async fetchX509Bundles(signal?: AbortSignal): Promise<BundleSet> {
    return readX509Bundles(await this.#first(RPC.x509Bundles, x509BundlesResponse, signal))
  }

  async fetchJwtBundles(signal?: AbortSignal): Promise<BundleSet> {
    return readJwtBundles(await this.#first(RPC.jwtBundles, jwtBundlesResponse, signal))
  }

  /** A JWT-SVID for this audience: the first, if the workload has several identities. */
  async fetchJwtSvid(params: JwtSvidParams, signal?: AbortSignal): Promise<JwtSvid> {
    return (await this.fetchJwtSvids(params, signal))[0] as JwtSvid
  }

  async fetchJwtSvids(params: JwtSvidParams, signal?: AbortSignal): Promise<readonly JwtSvid[]> {
    const { audience, extraAudiences = [], subject } = params
    if (typeof audience !== 'string' || audience === '')
      throw new SpiffeError('misuse', 'A JWT-SVID is made for an audience, and none is given.')
    const spiffeId = subject === undefined ? '' : SpiffeId.from(subject).toString()
    const request = { audience: [audience, ...extraAudiences], spiffeId }
    const { svids } = await this.#unary(RPC.jwtSvid, jwtSvidRequest, jwtSvidResponse, request, signal)
    if (svids.length === 0) throw malformed('It has no JWT-SVID.')
    return withoutRepeatedHints(svids).map(({ spiffeId: said, svid: token, hint }) => {
      const svid = readJwtSvid(token, audience, hint)
      if (said !== svid.id.toString() || (spiffeId !== '' && said !== spiffeId))
        throw malformed('A JWT-SVID is of another identity than asked for.')
      return svid
    })
  }

  /** Lets the agent check a token. @returns what the token says. */
  async validateJwtSvid(token: string, audience: string, signal?: AbortSignal): Promise<JwtSvid> {
    const request = { audience, svid: token }
    const answer = await this.#unary(
      RPC.validateJwtSvid,
      validateJwtSvidRequest,
      validateJwtSvidResponse,
      request,
      signal,
    )
    const svid = readJwtSvid(token, audience)
    if (answer.spiffeId !== svid.id.toString()) throw malformed('The agent read another identity from the token.')
    return svid
  }

  /** Follows SVIDs and bundles until the signal aborts or an error is final, with which it rejects. */
  watchX509Context(watcher: Watcher<X509Context>, signal: AbortSignal): Promise<never> {
    return this.#watch(RPC.x509Svid, x509SvidResponse, readX509Context, watcher, signal)
  }

  watchX509Bundles(watcher: Watcher<BundleSet>, signal: AbortSignal): Promise<never> {
    return this.#watch(RPC.x509Bundles, x509BundlesResponse, readX509Bundles, watcher, signal)
  }

  watchJwtBundles(watcher: Watcher<BundleSet>, signal: AbortSignal): Promise<never> {
    return this.#watch(RPC.jwtBundles, jwtBundlesResponse, readJwtBundles, watcher, signal)
  }

  async #watch<Message, State>(
    rpc: string,
    codec: Codec<Message>,
    read: (message: Message) => State,
    watcher: Watcher<State>,
    signal: AbortSignal,
  ): Promise<never> {
    let attempt = 0
    for (;;) {
      let received = false
      const opened = performance.now()
      const error = await this.#stream(rpc, codec, signal, (message) => {
        attempt = 0
        received = true
        let state: State
        try {
          state = read(message)
        } catch (cause) {
          // The state before it stays: half of a message is worse than an old one.
          watcher.onError?.(asSpiffeError(cause, 'malformed_response', 'A message of the Workload API was discarded.'))
          return
        }
        watcher.onUpdate(state)
      })
      if (signal.aborted) throw cancelled(signal)
      if (error?.code === 'closed') throw error
      if (error) watcher.onError?.(error)
      if (error && FINAL.has(error.code)) throw error
      // A stream that worked and ended is opened again at once (SPIFFE Workload API §4.1); one that ends as soon as it
      // has begun is not, or agent and workload would keep each other busy.
      if (received && error?.code !== 'permission_denied' && performance.now() - opened >= STEADY) continue
      await pause(this.#backoff(++attempt), AbortSignal.any([signal, this.#closing.signal]))
    }
  }

  /** Reads a stream to its end. Resolves with the error it ended with, if any; rejects only with what `onMessage` threw. */
  #stream<Message>(
    rpc: string,
    codec: Codec<Message>,
    signal: AbortSignal | undefined,
    onMessage: (message: Message) => void,
  ): Promise<SpiffeError | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return resolve(closed())
      if (signal?.aborted) return resolve(cancelled(signal))
      const client = this.#connect()
      const { encode } = emptyRequest
      const call = client.makeServerStreamRequest(rpc, encode, bytesOf, {}, header())
      const cancel = () => call.cancel()
      const end = (error: SpiffeError | undefined) => {
        signal?.removeEventListener('abort', cancel)
        this.#closing.signal.removeEventListener('abort', cancel)
        if (this.#closing.signal.aborted) resolve(closed())
        else if (signal?.aborted) resolve(cancelled(signal))
        else resolve(error)
      }
      signal?.addEventListener('abort', cancel, { once: true })
      this.#closing.signal.addEventListener('abort', cancel, { once: true })
      call.on('data', (bytes: Uint8Array) => {
        if (signal?.aborted || this.#closing.signal.aborted) return
        try {
          onMessage(codec.decode(bytes))
        } catch (error) {
          call.cancel()
          reject(error)
        }
      })
      call.on('error', (error: ServiceError) => end(this.#translate(error, client)))
      call.on('end', () => end(undefined))
    })
  }

  /** The first message of a stream. */
  async #first<Message>(rpc: string, codec: Codec<Message>, signal: AbortSignal | undefined): Promise<Message> {
    throwIfAborted(signal)
    const enough = new AbortController()
    let first: Message | undefined
    const both = signal ? AbortSignal.any([signal, enough.signal]) : enough.signal
    const error = await this.#stream(rpc, codec, both, (message) => {
      first ??= message
      enough.abort()
    })
    throwIfAborted(signal)
    if (first !== undefined) return first
    throw error?.code !== 'cancelled' && error
      ? error
      : new SpiffeError('unavailable', 'The Workload API sent nothing.')
  }

  #unary<Request, Response>(
    rpc: string,
    request: Codec<Request>,
    response: Codec<Response>,
    message: Request,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(closed())
      if (signal?.aborted) return reject(cancelled(signal))
      const client = this.#connect()
      const call = client.makeUnaryRequest(rpc, request.encode, bytesOf, message, header(), (error, bytes) => {
        signal?.removeEventListener('abort', cancel)
        this.#closing.signal.removeEventListener('abort', cancel)
        if (this.#closing.signal.aborted) return reject(closed())
        if (signal?.aborted) return reject(cancelled(signal))
        if (error) return reject(this.#translate(error, client))
        try {
          resolve(response.decode(bytes as Uint8Array))
        } catch (cause) {
          reject(cause)
        }
      })
      const cancel = () => call.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
      this.#closing.signal.addEventListener('abort', cancel, { once: true })
    })
  }

  #connect(): Client {
    this.#client ??= new Client(this.#target, credentials.createInsecure(), {
      // The agent is on this machine: no proxy of the environment has a part in this.
      'grpc.enable_http_proxy': 0,
      'grpc.enable_retries': 0,
      // gRPC's own waiting between connections would be added to ours, and be shared with other clients.
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
    // A new connection at the next attempt, whatever gRPC thinks of the old one: the socket file may be another by now.
    if (code === 'unavailable' && client === this.#client) this.#reset()
    const said = { code: status[error.code], name: 'Status', message: error.details } as const
    return new SpiffeError(code, SENTENCES[code] ?? 'The Workload API cannot be reached.', {
      cause: Object.assign(new Error(said.message), { name: said.name, code: said.code }),
    })
  }
}

const SENTENCES: Partial<Record<SpiffeErrorCode, string>> = {
  invalid_argument: 'The Workload API refused the request as malformed.',
  unimplemented: 'The Workload API does not offer this.',
  permission_denied: 'The Workload API has no identity for this workload.',
  timeout: 'The Workload API took too long.',
}

const bytesOf = (bytes: Buffer): Uint8Array => bytes

function header(): Metadata {
  const metadata = new Metadata()
  metadata.set(SECURITY_HEADER, 'true')
  return metadata
}

function closed(): SpiffeError {
  return new SpiffeError('closed', 'The Workload API client is closed.')
}

function malformed(why: string): SpiffeError {
  return new SpiffeError('malformed_response', `A message of the Workload API was discarded. ${why}`)
}

/** Of several with the same hint the first counts (SPIFFE Workload API §5.2.1). */
function withoutRepeatedHints<T extends { hint: string }>(list: readonly T[]): T[] {
  const seen = new Set<string>()
  return list.filter(({ hint }) => hint === '' || (!seen.has(hint) && seen.add(hint)))
}

function readX509Context({ svids, federatedBundles }: X509SvidResponse): X509Context {
  if (svids.length === 0) throw malformed('It has no X509-SVID.')
  const bundles = new Map<string, Bundle>()
  const read = withoutRepeatedHints(svids).map((message) => {
    const svid = X509Svid.parseRaw(message.x509Svid, message.x509SvidKey, message.hint)
    if (message.spiffeId !== svid.id.toString()) throw malformed('A certificate is of another identity than it says.')
    if (message.bundle.length === 0) throw malformed('An X509-SVID comes without its bundle.')
    const bundle = Bundle.parseX509(svid.id.trustDomain, message.bundle)
    bundles.set(bundle.trustDomain, bundle)
    return svid
  })
  for (const [name, der] of federatedBundles) {
    const bundle = Bundle.parseX509(parseTrustDomain(name), der)
    // What the agent says of our own trust domain stands with the SVIDs; a federated entry may not replace it.
    if (!bundles.has(bundle.trustDomain)) bundles.set(bundle.trustDomain, bundle)
  }
  return { svids: read, bundles: new BundleSet(bundles.values()) }
}

function readX509Bundles({ bundles }: X509BundlesResponse): BundleSet {
  return new BundleSet([...bundles].map(([name, der]) => Bundle.parseX509(parseTrustDomain(name), der)))
}

function readJwtBundles({ bundles }: JwtBundlesResponse): BundleSet {
  return new BundleSet([...bundles].map(([name, jwks]) => Bundle.parseJwt(parseTrustDomain(name), jwks)))
}

/** Waits, or rejects as soon as the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled(signal))
    const stop = () => {
      clearTimeout(timer)
      reject(cancelled(signal))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    signal.addEventListener('abort', stop, { once: true })
  })
}
