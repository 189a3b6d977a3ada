import { SpiffeError } from './errors.ts'

/** When to stop waiting. */
export interface Limits {
  /** Each of them ends the wait when it aborts. A signal of this package aborts with a {@link SpiffeError}. */
  signals?: readonly (AbortSignal | undefined)[]
  /** Milliseconds. `Infinity` is no limit. */
  timeout?: number | undefined
  /** The message of the `timeout` error. */
  late?: string
}

/** Ends what was begun, after the promise settled. `error` is set unless it resolved. */
type Cleanup = (error: SpiffeError | undefined) => void

/**
 * A promise that settles in time: by `begin`, by a signal or by the timeout, whichever is first. Then the timer and the
 * signals' listeners are removed and the function that `begin` returned is called, once. `begin` is not called if a signal
 * has aborted already.
 */
export function withDeadline<T>(
  { signals = [], timeout, late = 'This took too long.' }: Limits,
  begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => Cleanup | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const watched = signals.filter((signal) => signal !== undefined)
    const aborted = watched.find((signal) => signal.aborted)
    if (aborted) return reject(cancelled(aborted))
    let settled: { error: SpiffeError | undefined } | undefined
    let timer: NodeJS.Timeout | undefined
    let cleanUp: Cleanup | undefined
    const settle = (error?: SpiffeError) => {
      if (settled) return false
      settled = { error }
      clearTimeout(timer)
      for (const signal of watched) signal.removeEventListener('abort', onAbort)
      cleanUp?.(error)
      return true
    }
    const fail = (error: unknown) => {
      if (settle(error as SpiffeError)) reject(error)
    }
    function onAbort(this: AbortSignal) {
      fail(cancelled(this))
    }
    for (const signal of watched) signal.addEventListener('abort', onAbort)
    if (timeout !== undefined && timeout !== Number.POSITIVE_INFINITY)
      timer = setTimeout(() => fail(new SpiffeError('timeout', late)), timeout)
    try {
      cleanUp = begin((value) => {
        if (settle()) resolve(value)
      }, fail)
    } catch (error) {
      fail(error)
    }
    // `begin` may have settled before it returned.
    if (settled) cleanUp?.((settled as { error: SpiffeError | undefined }).error)
  })
}

/** Stops waiting for a promise in time. What it does goes on, for the others who wait for it. */
export function waitFor<T>(promise: Promise<T>, limits: Limits): Promise<T> {
  // If a signal has aborted already, the promise has no listener, and its rejection would be unhandled.
  promise.catch(() => {})
  return withDeadline(limits, (resolve, reject) => void promise.then(resolve, reject))
}

/** Waits. Rejects when a signal aborts. */
export function pause(milliseconds: number, signals: readonly AbortSignal[]): Promise<void> {
  return withDeadline({ signals }, (resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    return () => clearTimeout(timer)
  })
}

/** Calls back at a time that may be further away than a timer can count. It keeps no process alive. */
export function callAt(time: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout
  const arm = () => {
    const left = time - Date.now()
    timer = setTimeout(left > 2 ** 30 ? arm : callback, Math.max(0, Math.min(left, 2 ** 30))).unref()
  }
  arm()
  return () => clearTimeout(timer)
}

/** The error of an aborted signal: its reason if that is ours, else `timeout` or `cancelled`. */
export function cancelled({ reason }: AbortSignal): SpiffeError {
  if (reason instanceof SpiffeError) return reason
  return (reason as { name?: unknown } | undefined)?.name === 'TimeoutError'
    ? new SpiffeError('timeout', 'This took longer than the caller was willing to wait.')
    : new SpiffeError('cancelled', 'The caller no longer waits for this.')
}
