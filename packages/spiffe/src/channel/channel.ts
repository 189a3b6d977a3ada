import type { TLSSocket } from 'node:tls'
import { type Authorizer, authorizeId } from '../ids/authorize.ts'
import { callAt, waitFor, withDeadline } from '../ids/deadline.ts'
import { asSpiffeError, SpiffeError } from '../ids/errors.ts'
import { SpiffeId } from '../ids/spiffe-id.ts'
import { connect, sameSvid } from '../tls/connect.ts'
import { type Peer, peerOf } from '../tls/peer.ts'
import type { X509Provider } from '../workload/sources.ts'
import type { X509Svid } from '../x509/svid.ts'
import { PROTOCOL, readMessages, writeMessage } from './frames.ts'

/** Where an agent listens. Its SPIFFE ID does not say that. */
export interface Address {
  host: string
  port: number
}

/** Options of {@link SecureChannel}. */
export interface ChannelOptions {
  address: Address
  /**
   * Which agents to accept there.
   *
   * @default the id that the channel is for
   */
  authorize?: Authorizer | undefined
  /**
   * Milliseconds that a request may take, and that connecting for it may take.
   *
   * @default 60_000
   */
  timeout?: number | undefined
}

/** A request to another agent. */
export interface AgentRequest {
  /** What to do, in the other agent's words. Not empty. */
  action: string
  /** A JSON value. A request has at most 4 MiB. */
  payload?: unknown
}

/** Options of {@link SecureChannel.request}. */
export interface RequestOptions {
  /** Ends the request. The other agent's signal aborts too. */
  signal?: AbortSignal
  /**
   * Milliseconds.
   *
   * @default the channel's timeout
   */
  timeout?: number
}

const REQUEST_TIMEOUT = 60_000
const HELLO_TIMEOUT = 10_000

/**
 * A channel to one agent: requests over mutual TLS. It connects with the first request. After a rotation the next request
 * uses a new connection with the new SVID, while the old connection finishes its requests. No connection outlives the SVID of
 * either end.
 */
export class SecureChannel {
  /** The agent that the channel is for. */
  readonly id: SpiffeId
  readonly #source: X509Provider
  readonly #options: ChannelOptions
  readonly #connections = new Set<Connection>()
  readonly #follow = () => this.#onUpdated()
  #current: Connection | undefined
  #dialing: Promise<Connection> | undefined
  readonly #closing = new AbortController()

  constructor(source: X509Provider, id: SpiffeId | string, options: ChannelOptions) {
    this.id = SpiffeId.from(id)
    this.#source = source
    this.#options = options
    source.addEventListener('updated', this.#follow)
  }

  /**
   * Connects before the first request, and resolves with the other agent.
   *
   * @throws {@link SpiffeError} `unauthorized` or `untrusted` if one side refuses the other, `unavailable`, `timeout`, `closed`
   */
  async connect(): Promise<Peer> {
    return (await this.#usable()).peer
  }

  /**
   * Sends a request and resolves with the answer. A request is never repeated: after `unavailable` it is not known whether
   * the other agent has done it.
   *
   * @throws {@link SpiffeError} `request_failed` if the other agent refuses, `unavailable` if the connection breaks, `misuse`
   * for a payload that is not JSON or too long, `timeout`, `cancelled`, `closed`, or the codes of {@link connect}
   */
  async request<Answer = unknown>(request: AgentRequest, options: RequestOptions = {}): Promise<Answer> {
    const { action, payload } = request
    if (typeof action !== 'string' || action === '') throw new SpiffeError('misuse', 'A request names its action.')
    const timeout = options.timeout ?? this.#options.timeout ?? REQUEST_TIMEOUT
    const connection = await waitFor(this.#usable(), {
      signals: [options.signal],
      timeout,
      late: 'The connection took too long.',
    })
    return (await connection.request({ action, payload }, timeout, options.signal)) as Answer
  }

  /** Ends the connections. Requests under way reject with `closed`. */
  close(): void {
    this.#closing.abort(closed())
    this.#source.removeEventListener('updated', this.#follow)
    for (const connection of this.#connections) connection.destroy(closed())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #usable(): Promise<Connection> {
    if (this.#closing.signal.aborted) throw closed()
    const { svid } = this.#source
    if (this.#current?.fits(svid)) return this.#current
    this.#dialing ??= this.#dial(svid).finally(() => {
      this.#dialing = undefined
    })
    return this.#dialing
  }

  async #dial(svid: X509Svid): Promise<Connection> {
    const { address, authorize = authorizeId(this.id) } = this.#options
    const { signal } = this.#closing
    let outdated = () => {}
    const socket = await connect(this.#source, { ...address, authorize, alpn: [PROTOCOL], signal }, () => outdated())
    const connection = await Connection.over(socket, svid, signal)
    outdated = () => connection.retire()
    this.#connections.add(connection)
    connection.onClose(() => this.#connections.delete(connection))
    const before = this.#current
    this.#current = connection
    before?.retire()
    if (this.#closing.signal.aborted) {
      connection.destroy(closed())
      throw closed()
    }
    return connection
  }

  #onUpdated() {
    let svid: X509Svid
    try {
      svid = this.#source.svid
    } catch {
      // The identity was withdrawn, and `connect` has ended its connections.
      return
    }
    for (const connection of this.#connections) if (!connection.fits(svid)) connection.retire()
  }
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: SpiffeError): void
}

class Connection {
  readonly socket: TLSSocket
  readonly peer: Peer
  readonly #svid: X509Svid
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #retired = false
  #reason: SpiffeError | undefined

  private constructor(socket: TLSSocket, svid: X509Svid) {
    this.socket = socket
    this.#svid = svid
    this.peer = peerOf(socket) as Peer
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      this.#reason ??= asSpiffeError(error, 'unavailable', 'The connection broke.')
    })
    socket.on('close', () => {
      this.#retired = true
      const error = this.#reason ?? new SpiffeError('unavailable', 'The other agent closed the connection.')
      for (const { reject } of [...this.#waiting.values()]) reject(error)
    })
    // New requests move to a new connection shortly before this one must end, so that none is cut off.
    const end = Math.min(svid.notAfter, this.peer.notAfter)
    const now = Date.now()
    socket.once(
      'close',
      callAt(end - Math.min(30_000, (end - now) / 10), () => this.retire()),
    )
  }

  /** Waits until the other end has accepted us. */
  static over(socket: TLSSocket, svid: X509Svid, signal: AbortSignal): Promise<Connection> {
    const limits = { signals: [signal], timeout: HELLO_TIMEOUT, late: 'The other agent sends nothing.' }
    const connection = new Connection(socket, svid)
    return withDeadline<Connection>(limits, (resolve, reject) => {
      const early = () =>
        reject(
          new SpiffeError('unauthorized', 'The other agent refused this connection.', {
            next: 'See that its authorizer admits this workload, and that each side has the bundle of the other.',
          }),
        )
      socket.once('close', early)
      readMessages(socket, (message) => {
        if (message.hello === 1) resolve(connection)
        else connection.#onMessage(message)
      })
      return () => socket.off('close', early)
    }).catch((error) => {
      connection.destroy(error)
      throw error
    })
  }

  fits(svid: X509Svid): boolean {
    return !this.#retired && sameSvid(svid, this.#svid)
  }

  onClose(callback: () => void) {
    if (this.socket.closed) callback()
    else this.socket.once('close', callback)
  }

  request(request: AgentRequest, timeout: number, signal: AbortSignal | undefined): Promise<unknown> {
    const limits = { signals: [signal], timeout, late: 'The other agent took too long.' }
    return withDeadline<unknown>(limits, (resolve, reject) => {
      if (this.socket.destroyed) throw this.#reason ?? new SpiffeError('unavailable', 'The connection broke.')
      const id = this.#next++
      try {
        writeMessage(this.socket, { id, ...request })
      } catch (error) {
        throw asSpiffeError(error, 'misuse', 'The payload cannot be written as JSON.')
      }
      this.#waiting.set(id, { resolve, reject })
      return () => {
        // Still waiting: the caller has given up, or the connection is gone.
        if (this.#waiting.delete(id) && !this.socket.destroyed) writeMessage(this.socket, { cancel: id })
        if (this.#retired) this.retire()
      }
    })
  }

  /** Takes no new requests. The connection ends after the last answer. */
  retire() {
    this.#retired = true
    if (this.#waiting.size === 0) this.socket.destroy()
  }

  destroy(error: SpiffeError) {
    this.#reason ??= error
    this.#retired = true
    this.socket.destroy()
  }

  #onMessage(message: Record<string, unknown>) {
    if (message.goaway === true) return this.retire()
    const waiting = typeof message.id === 'number' ? this.#waiting.get(message.id) : undefined
    // Nobody waits for this answer: the caller has given up.
    if (!waiting) return
    this.#waiting.delete(message.id as number)
    if (message.error === undefined) return waiting.resolve(message.result)
    const said = (message.error as { message?: unknown } | null)?.message
    const sentence = typeof said === 'string' ? said.slice(0, 500) : 'It did not say why.'
    waiting.reject(new SpiffeError('request_failed', `The other agent did not do this. ${sentence}`))
  }
}

function closed(): SpiffeError {
  return new SpiffeError('closed', 'This channel is closed.')
}
