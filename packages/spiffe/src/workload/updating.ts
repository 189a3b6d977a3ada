import { setMaxListeners } from 'node:events'
import { waitFor, withDeadline } from '../ids/deadline.ts'
import { asSpiffeError, SpiffeError } from '../ids/errors.ts'

/** The `error` event of a source: a message was discarded, a stream ended or an identity was withdrawn. The source goes on. */
export class SourceErrorEvent extends Event {
  readonly error: SpiffeError

  constructor(error: SpiffeError) {
    super('error')
    this.error = error
  }
}

/**
 * State that keeps itself up to date. It fires `updated` after each change, and `error` ({@link SourceErrorEvent}) after a
 * failure that it survives. {@link close} ends it and leaves no handle.
 */
export abstract class Updating extends EventTarget {
  readonly #closing = new AbortController()
  readonly #waiting = new Set<(error: SpiffeError | undefined) => void>()
  #failure: SpiffeError | undefined

  constructor() {
    super()
    // Every channel and server listens here, so many listeners are no leak.
    setMaxListeners(0, this)
  }

  /** True after {@link close}. */
  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborts with `closed`. */
  protected get closing(): AbortSignal {
    return this.#closing.signal
  }

  /**
   * Resolves with the next update.
   *
   * @throws {@link SpiffeError} `closed` when the source closes, `cancelled` or `timeout` when the signal aborts, or the
   * error after which the source cannot go on
   */
  waitUntilUpdated(signal?: AbortSignal): Promise<void> {
    return withDeadline<void>({ signals: [this.closing, signal] }, (resolve, reject) => {
      if (this.#failure) throw this.#failure
      const done = (error: SpiffeError | undefined) => (error ? reject(error) : resolve())
      this.#waiting.add(done)
      return () => this.#waiting.delete(done)
    })
  }

  /** Ends the streams and the connection. The state can no longer be read; calls that wait reject with `closed`. */
  close(): void {
    if (!this.closed) this.#closing.abort(new SpiffeError('closed', 'This source is closed.'))
  }

  [Symbol.dispose](): void {
    this.close()
  }

  protected checkOpen(): void {
    if (this.closed) throw this.closing.reason
  }

  protected updated(): void {
    if (this.closed) return
    this.#release(undefined)
    this.dispatchEvent(new Event('updated'))
  }

  protected failed(error: SpiffeError): void {
    if (!this.closed) this.dispatchEvent(new SourceErrorEvent(error))
  }

  /** Keeps a watch. Unless the source is closed, its end is final: present and later calls that wait reject with it. */
  protected keep(watch: Promise<never>): void {
    watch.catch((reason: unknown) => {
      if (this.closed) return
      const error = asSpiffeError(reason, 'misuse', 'A callback that the app gave to this source has thrown.')
      // An error of our own has been an `error` event already.
      if (error !== reason) this.failed(error)
      this.#failure = error
      this.#release(error)
    })
  }

  #release(error: SpiffeError | undefined) {
    for (const done of [...this.#waiting]) done(error)
  }
}

/** Milliseconds to wait for an answer, or for the first update of a source. */
export const TIMEOUT = 30_000

/** Waits until a new source is ready, and closes it if that fails. What made it wait is the cause of a `timeout`. */
export async function opened<S extends Updating>(
  source: S,
  isReady: () => boolean,
  { signal, timeout = TIMEOUT }: { signal?: AbortSignal | undefined; timeout?: number | undefined },
): Promise<S> {
  let last: SpiffeError | undefined
  const remember = ({ error }: SourceErrorEvent) => {
    last = error
  }
  source.addEventListener('error', remember as (event: Event) => void)
  const ready = async () => {
    while (!isReady()) await source.waitUntilUpdated(signal)
  }
  try {
    await waitFor(ready(), { timeout, late: 'The first update took too long.' })
    return source
  } catch (error) {
    source.close()
    const { code, message } = error as SpiffeError
    throw code === 'timeout' && last ? new SpiffeError(code, message, { cause: last }) : error
  } finally {
    source.removeEventListener('error', remember as (event: Event) => void)
  }
}
