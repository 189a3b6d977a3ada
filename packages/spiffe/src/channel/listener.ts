import type { TLSSocket } from 'node:tls'
import type { Authorizer } from '../ids/authorize.ts'
import { pause } from '../ids/deadline.ts'
import { SpiffeError } from '../ids/errors.ts'
import type { SpiffeId } from '../ids/spiffe-id.ts'
import type { Peer } from '../tls/peer.ts'
import { createServer, listening } from '../tls/server.ts'
import type { X509Provider } from '../workload/sources.ts'
import { PROTOCOL, readMessages, writeMessage } from './frames.ts'

/** A request of another agent. */
export interface IncomingRequest {
  /** What to do. Any text: the caller chooses it. */
  action: string
  /** A JSON value, not checked further; undefined if the caller sent none. */
  payload: unknown
  /** The caller, by its verified certificate. */
  peer: SpiffeId
  /** Aborts when the caller no longer waits or its connection ends. */
  signal: AbortSignal
}

/** Options of {@link listen}. */
export interface ListenOptions {
  /** Which callers to accept. */
  authorize: Authorizer
  /**
   * Does the request and returns the answer, a JSON value. The caller gets the message of a thrown {@link SpiffeError}. Of
   * any other error it learns only that there was one.
   */
  handle: (request: IncomingRequest) => unknown
  /** @default a free port */
  port?: number
  /** @default '127.0.0.1' */
  host?: string
  /** Called with the reason when a caller is refused. */
  onRefused?: (error: SpiffeError) => void
  /** Called with what `handle` threw. */
  onError?: (error: unknown, request: IncomingRequest) => void
}

/** An agent that listens. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** The callers connected now. */
  readonly peers: readonly SpiffeId[]
  /**
   * Takes no more requests, waits for the answers that are due, at most `grace` milliseconds, and drops the connections.
   * `grace` is 5,000 unless told otherwise.
   */
  close(options?: { grace?: number }): Promise<void>
}

/**
 * How many requests of one connection are handled at once. More are left unread until some are answered and the caller has
 * read the answers.
 */
const MAX_UNDER_WAY = 1024

/**
 * Serves requests of other agents. Each caller is verified and authorized before its first byte is read.
 *
 * @throws {@link SpiffeError} if the source has no SVID
 */
export async function listen(source: X509Provider, options: ListenOptions): Promise<Listener> {
  const callers = new Map<TLSSocket, Caller>()
  let closing = false
  let idle = () => {}
  const serving = createServer(
    source,
    {
      authorize: options.authorize,
      alpn: [PROTOCOL],
      ...(options.onRefused ? { onRefused: options.onRefused } : {}),
    },
    (socket, peer) => {
      // A handshake that began before `close()` may end after it.
      if (closing || socket.alpnProtocol !== PROTOCOL || !peer) return void socket.destroy()
      callers.set(socket, new Caller(socket, peer, options, () => idle()))
      socket.once('close', () => callers.delete(socket))
    },
    (socket) => callers.get(socket)?.sendAway(),
  )
  const address = await listening(serving.server, options.port, options.host)
  return {
    ...address,
    get peers() {
      return [...callers.values()].map(({ peer }) => peer.id)
    },
    async close({ grace = 5000 } = {}) {
      const closed = new Promise<void>((resolve) => serving.server.close(() => resolve()))
      closing = true
      for (const caller of callers.values()) caller.close()
      const done = new AbortController()
      const answered = new Promise<void>((resolve) => {
        idle = () => {
          if (![...callers.values()].some((caller) => caller.busy)) resolve()
        }
        idle()
      })
      // The connections are dropped after the last answers have left this process.
      const sent = answered.then(() => Promise.all([...callers.keys()].map(ended)))
      await Promise.race([sent, pause(grace, [done.signal])])
      done.abort()
      await Promise.all([serving.close(), closed])
    },
  }
}

function ended(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.end(() => resolve())
  })
}

class Caller {
  readonly peer: Peer
  readonly #socket: TLSSocket
  readonly #options: ListenOptions
  readonly #underWay = new Map<number, AbortController>()
  readonly #onIdle: () => void
  #closing = false

  constructor(socket: TLSSocket, peer: Peer, options: ListenOptions, onIdle: () => void) {
    this.peer = peer
    this.#socket = socket
    this.#options = options
    this.#onIdle = onIdle
    socket.setNoDelay(true)
    socket.once('close', () => {
      for (const one of this.#underWay.values()) one.abort()
      this.#underWay.clear()
      onIdle()
    })
    socket.on('drain', () => this.#pace())
    readMessages(socket, (message) => this.#onMessage(message))
    writeMessage(socket, { hello: 1 })
  }

  get busy(): boolean {
    return this.#underWay.size > 0
  }

  /** Asks the caller to come back on a new connection. */
  sendAway() {
    writeMessage(this.#socket, { goaway: true })
  }

  /** Takes no more requests. Those under way are answered. */
  close() {
    this.#closing = true
    this.sendAway()
  }

  #onMessage({ id, action, payload, cancel }: Record<string, unknown>) {
    if (typeof cancel === 'number') return this.#underWay.get(cancel)?.abort()
    if (typeof id !== 'number' || typeof action !== 'string' || this.#underWay.has(id))
      return void this.#socket.destroy()
    if (this.#closing) return writeMessage(this.#socket, { id, error: { message: 'It is closing.' } })
    const control = new AbortController()
    this.#underWay.set(id, control)
    this.#pace()
    this.#answer(id, { action, payload, peer: this.peer.id, signal: control.signal })
  }

  #pace() {
    if (this.#underWay.size >= MAX_UNDER_WAY || this.#socket.writableNeedDrain) this.#socket.pause()
    else this.#socket.resume()
  }

  async #answer(id: number, request: IncomingRequest) {
    try {
      const result = await this.#options.handle(request)
      this.#finish(id, () => writeMessage(this.#socket, { id, result }))
    } catch (error) {
      // The message of another error may contain a token or a path. Ours are written for the caller.
      const message = error instanceof SpiffeError ? error.message : 'Something went wrong there.'
      this.#finish(id, () => writeMessage(this.#socket, { id, error: { message } }))
      this.#options.onError?.(error, request)
    }
  }

  #finish(id: number, write: () => void) {
    if (!this.#underWay.has(id)) return
    write()
    this.#underWay.delete(id)
    this.#pace()
    if (!this.busy) this.#onIdle()
  }
}
