import type { TLSSocket } from 'node:tls'
import { SpiffeError } from '../ids/errors.ts'
import type { Authorizer, SpiffeId } from '../ids/spiffe-id.ts'
import { createServer, listening, type Peer } from '../tls/tls.ts'
import type { X509Provider } from '../workload/x509-source.ts'
import { PROTOCOL, readMessages, writeMessage } from './frames.ts'

/** A request that reached this agent, and who makes it. */
export interface IncomingRequest {
  action: string
  payload: unknown
  /** The caller, as its certificate proved it in the handshake. */
  peer: SpiffeId
  /** Aborts when the caller no longer waits. */
  signal: AbortSignal
}

export interface ListenOptions {
  /** Who may call. */
  authorize: Authorizer
  /**
   * Does what is asked, and returns the answer. A thrown {@link SpiffeError} tells its message to the caller; of anything
   * else thrown the caller learns only that it happened.
   */
  handle: (request: IncomingRequest) => unknown
  /** Default: a free port. */
  port?: number
  /** Default: `127.0.0.1`. */
  host?: string
  /** A caller was refused, and why. */
  onRefused?: (error: SpiffeError) => void
  /** What {@link handle} threw. */
  onError?: (error: unknown, request: IncomingRequest) => void
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** The callers connected now. */
  readonly peers: readonly SpiffeId[]
  /** Takes no more requests, waits for those under way, at most `grace` milliseconds (5,000), and ends. */
  close(options?: { grace?: number }): Promise<void>
}

/** Requests of one connection that may be under way at once; more are left unread until some are answered. */
const MAX_UNDER_WAY = 1024

/** Serves channels of other agents, each proven before its first byte is read. */
export async function listen(source: X509Provider, options: ListenOptions): Promise<Listener> {
  const callers = new Map<TLSSocket, Caller>()
  let idle = () => {}
  const serving = createServer(
    source,
    {
      authorize: options.authorize,
      alpn: [PROTOCOL],
      ...(options.onRefused ? { onRefused: options.onRefused } : {}),
    },
    (socket, peer) => {
      if (socket.alpnProtocol !== PROTOCOL || !peer) return void socket.destroy()
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
      for (const caller of callers.values()) caller.sendAway()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, grace)
      })
      const answered = new Promise<void>((resolve) => {
        idle = () => {
          if (![...callers.values()].some((caller) => caller.busy)) resolve()
        }
        idle()
      })
      // The last answers must leave this process too, before the connections are dropped.
      const sent = answered.then(() => Promise.all([...callers.keys()].map(ended)))
      await Promise.race([sent, late])
      clearTimeout(timer)
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

  #onMessage({ id, action, payload, cancel }: Record<string, unknown>) {
    if (typeof cancel === 'number') return this.#underWay.get(cancel)?.abort()
    if (typeof id !== 'number' || typeof action !== 'string' || this.#underWay.has(id))
      return void this.#socket.destroy()
    const control = new AbortController()
    this.#underWay.set(id, control)
    if (this.#underWay.size >= MAX_UNDER_WAY) this.#socket.pause()
    this.#answer(id, { action, payload, peer: this.peer.id, signal: control.signal })
  }

  async #answer(id: number, request: IncomingRequest) {
    try {
      const result = await this.#options.handle(request)
      this.#finish(id, () => writeMessage(this.#socket, { id, result }))
    } catch (error) {
      // Another's message may hold a token or a path; ours are written to be told.
      const message = error instanceof SpiffeError ? error.message : 'Something went wrong there.'
      this.#finish(id, () => writeMessage(this.#socket, { id, error: { message } }))
      this.#options.onError?.(error, request)
    }
  }

  #finish(id: number, write: () => void) {
    if (!this.#underWay.has(id)) return
    write()
    this.#underWay.delete(id)
    this.#socket.resume()
    if (!this.busy) this.#onIdle()
  }
}
