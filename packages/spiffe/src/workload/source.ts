import { setMaxListeners } from 'node:events'
import { cancelled, SpiffeError } from '../ids/errors.ts'
import { WorkloadApiClient, type WorkloadApiOptions } from './client.ts'

export interface SourceOptions extends WorkloadApiOptions {
  /** A client to share. The source does not close it. Default: one of its own. */
  client?: WorkloadApiClient
  /** Gives up waiting for the first update. */
  signal?: AbortSignal
}

/** A message was discarded, a stream broke, an identity was withdrawn. The source goes on by itself. */
export class SourceErrorEvent extends Event {
  readonly error: SpiffeError

  constructor(error: SpiffeError) {
    super('error')
    this.error = error
  }
}

/**
 * State that keeps itself up to date. Events: `updated` after each change, `error` ({@link SourceErrorEvent}) when something
 * went wrong that it survives. Open from its making until {@link close}, which leaves no handle.
 */
export abstract class Updating extends EventTarget {
  readonly #closing = new AbortController()
  readonly #waiting = new Set<(error: SpiffeError | undefined) => void>()
  #failure: SpiffeError | undefined

  constructor() {
    super()
    // Every channel and server listens here: many are no leak.
    setMaxListeners(0, this)
  }

  /** True after {@link close}. */
  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborts when the source is closed. */
  protected get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Resolves with the next update. Rejects when the source closes or cannot go on, or when the signal aborts. */
  waitUntilUpdated(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(closed())
      if (this.#failure) return reject(this.#failure)
      if (signal?.aborted) return reject(cancelled(signal))
      const stop = () => done(cancelled(signal as AbortSignal))
      const done = (error: SpiffeError | undefined) => {
        this.#waiting.delete(done)
        signal?.removeEventListener('abort', stop)
        if (error) reject(error)
        else resolve()
      }
      this.#waiting.add(done)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** Ends the streams and the connection. Whoever waits is told `closed`; the state can no longer be read. */
  close(): void {
    if (this.closed) return
    this.#closing.abort()
    this.#release(closed())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  protected checkOpen(): void {
    if (this.closed) throw closed()
  }

  protected updated(): void {
    if (this.closed) return
    this.#release(undefined)
    this.dispatchEvent(new Event('updated'))
  }

  protected failed(error: SpiffeError): void {
    if (!this.closed) this.dispatchEvent(new SourceErrorEvent(error))
  }

  /** Keeps a watch; an end that is not ours is final, and told to whoever waits or comes later. */
  protected keep(watch: Promise<never>): void {
    watch.catch((error: SpiffeError) => {
      if (this.closed) return
      this.#failure = error
      this.#release(error)
    })
  }

  #release(error: SpiffeError | undefined) {
    for (const done of [...this.#waiting]) done(error)
  }
}

/** State that the Workload API keeps up to date. */
export abstract class Source extends Updating {
  readonly client: WorkloadApiClient
  readonly #ownsClient: boolean

  protected constructor({ client, ...options }: SourceOptions) {
    super()
    this.client = client ?? new WorkloadApiClient(options)
    this.#ownsClient = client === undefined
  }

  override close(): void {
    if (this.closed) return
    super.close()
    if (this.#ownsClient) this.client.close()
  }
}

/** Waits for the first update of a source just made, and closes it if that does not come. */
export async function opened<S extends Updating>(
  source: S,
  isReady: () => boolean,
  signal: AbortSignal | undefined,
): Promise<S> {
  try {
    while (!isReady()) await source.waitUntilUpdated(signal)
    return source
  } catch (error) {
    source.close()
    throw error
  }
}

function closed(): SpiffeError {
  return new SpiffeError('closed', 'This source is closed.')
}
