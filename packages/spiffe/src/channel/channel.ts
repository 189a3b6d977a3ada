import type { TLSSocket } from 'node:tls'
import { asSpiffeError, cancelled, SpiffeError } from '../ids/errors.ts'
import { type Authorizer, authorizeId, SpiffeId } from '../ids/spiffe-id.ts'
import { callAt, connect, type Peer, peerOf, sameSvid, standing } from '../tls/tls.ts'
import type { X509Provider } from '../workload/x509-source.ts'
import type { X509Svid } from '../x509/svid.ts'
import { PROTOCOL, readMessages, writeMessage } from './frames.ts'

/** Where an agent listens. A SPIFFE ID says who it is, never where. */
export interface Address {
  host: string
  port: number
}

export interface ChannelOptions {
  address: Address
  /** Whom to accept there. Default: exactly the id the channel is for. */
  authorize?: Authorizer | undefined
  /** Milliseconds that a request may take, connecting included. Default: 60,000. */
  timeout?: number | undefined
}

export interface AgentRequest {
  action: string
  /** Anything JSON can say. */
  payload?: unknown
}

export interface RequestOptions {
  signal?: AbortSignal
  /** Milliseconds, instead of the channel's. */
  timeout?: number
}

const REQUEST_TIMEOUT = 60_000
const HELLO_TIMEOUT = 10_000

/**
 * A channel to one agent: requests over mutual TLS. It connects when there is something to say. After a rotation the next
 * request goes over a new connection with the new SVID, while the old one finishes what it has begun; no connection outlives
 * either end's SVID.
 */
export class SecureChannel {
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

  /** Connects now rather than with the first request. @returns who is there. */
  async connect(): Promise<Peer> {
    return (await this.#usable()).peer
  }

  /**
   * Asks the other agent to do something, and resolves with its answer. Rejects with `request_failed` when the agent says
   * no, and with `unavailable` when the connection breaks: then it is not known whether it was done, so nothing is repeated.
   */
  async request<Answer = unknown>(request: AgentRequest, options: RequestOptions = {}): Promise<Answer> {
    const { action, payload } = request
    if (typeof action !== 'string' || action === '') throw new SpiffeError('misuse', 'A request names its action.')
    const timeout = options.timeout ?? this.#options.timeout ?? REQUEST_TIMEOUT
    const connection = await bounded(this.#usable(), timeout, options.signal)
    return (await connection.request({ action, payload }, timeout, options.signal)) as Answer
  }

  /** Ends the connections. Requests under way reject with `closed`. */
  close(): void {
    this.#closing.abort()
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
    const socket = await connect(this.#source, {
      ...address,
      authorize,
      alpn: [PROTOCOL],
      signal: this.#closing.signal,
    })
    const connection = await Connection.over(socket, svid, this.#closing.signal)
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
    let svid: X509Svid | undefined
    try {
      svid = this.#source.svid
    } catch {
      // Withdrawn: we are nobody any more, and must not go on speaking as who we were.
    }
    for (const connection of this.#connections) {
      const now = svid ? standing(connection.socket, this.#source) : 'untrusted'
      if (now === 'untrusted')
        connection.destroy(new SpiffeError('untrusted', 'The trust behind this connection has ended.'))
      else if (now === 'outdated' || !connection.fits(svid as X509Svid)) connection.retire()
    }
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
      for (const { reject } of this.#waiting.values()) reject(error)
    })
    // New requests move to a new connection a little before this one must end, so that none is cut off.
    const end = Math.min(svid.notAfter, this.peer.notAfter)
    const now = Date.now()
    socket.once(
      'close',
      callAt(end - Math.min(30_000, (end - now) / 10), () => this.retire()),
    )
  }

  /** Waits until the other end has said that we may go on. */
  static over(socket: TLSSocket, svid: X509Svid, signal: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection(socket, svid)
      const fail = (error: SpiffeError) => {
        clean()
        connection.destroy(error)
        reject(error)
      }
      const stop = () => fail(closed())
      const early = () =>
        fail(
          new SpiffeError('unauthorized', 'The other agent refused this connection.', {
            next: 'See that its authorizer admits this workload, and that each side has the bundle of the other.',
          }),
        )
      const timer = setTimeout(() => fail(new SpiffeError('timeout', 'The other agent says nothing.')), HELLO_TIMEOUT)
      const clean = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        socket.off('close', early)
      }
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop, { once: true })
      socket.once('close', early)
      readMessages(socket, (message) => {
        if (message.hello === 1) {
          clean()
          resolve(connection)
        } else connection.#onMessage(message)
      })
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
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled(signal))
      if (this.socket.destroyed) return reject(this.#reason ?? new SpiffeError('unavailable', 'The connection broke.'))
      const id = this.#next++
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', stop)
        this.#waiting.delete(id)
        if (this.#retired) this.retire()
      }
      const give = (error: SpiffeError) => {
        done()
        if (!this.socket.destroyed) writeMessage(this.socket, { cancel: id })
        reject(error)
      }
      const stop = () => give(cancelled(signal as AbortSignal))
      const timer = setTimeout(() => give(new SpiffeError('timeout', 'The other agent took too long.')), timeout)
      signal?.addEventListener('abort', stop, { once: true })
      this.#waiting.set(id, {
        resolve(result) {
          done()
          resolve(result)
        },
        reject(error) {
          done()
          reject(error)
        },
      })
      try {
        writeMessage(this.socket, { id, ...request })
      } catch (error) {
        done()
        reject(asSpiffeError(error, 'misuse', 'This payload cannot be said in JSON.'))
      }
    })
  }

  /** No new requests here; the connection ends once the last one is answered. */
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
    // An answer nobody waits for any more.
    if (!waiting) return
    if (message.error === undefined) return waiting.resolve(message.result)
    const said = (message.error as { message?: unknown } | null)?.message
    const sentence = typeof said === 'string' ? said.slice(0, 500) : 'It did not say why.'
    waiting.reject(new SpiffeError('request_failed', `The other agent did not do this. ${sentence}`))
  }
}

/** Waits no longer than the caller does; what is being made is left to the others who wait for it. */
function bounded<T>(promise: Promise<T>, timeout: number, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(cancelled(signal as AbortSignal))
    const timer = setTimeout(() => reject(new SpiffeError('timeout', 'The connection took too long.')), timeout)
    signal?.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    })
    if (signal?.aborted) stop()
  })
}

function closed(): SpiffeError {
  return new SpiffeError('closed', 'This channel is closed.')
}
