/** Every code a {@link SpiffeError} can carry. */
export type SpiffeErrorCode =
  | 'invalid_id'
  | 'invalid_address'
  | 'invalid_certificate'
  | 'invalid_svid'
  | 'invalid_token'
  | 'invalid_bundle'
  | 'malformed_response'
  | 'untrusted'
  | 'unauthorized'
  | 'permission_denied'
  | 'invalid_argument'
  | 'unimplemented'
  | 'unavailable'
  | 'request_failed'
  | 'not_configured'
  | 'timeout'
  | 'cancelled'
  | 'closed'
  | 'misuse'

export interface SpiffeErrorOptions {
  /** What to do next, as a sentence. */
  next?: string
  cause?: unknown
}

/**
 * The one error class of this package: why (`code`), what happened (`message`), what to do (`next`). No message quotes a
 * key or a token, and a cause is reduced to its name and message, because errors of TLS and gRPC carry options and
 * metadata.
 */
export class SpiffeError extends Error {
  readonly code: SpiffeErrorCode
  readonly next: string | undefined

  constructor(code: SpiffeErrorCode, message: string, options: SpiffeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: bare(options.cause) })
    this.name = 'SpiffeError'
    this.code = code
    this.next = options.next
  }

  toJSON() {
    const { code, message, next } = this
    return { code, message, next }
  }
}

/** What was thrown, as a SpiffeError: ours as it is, the rest wrapped. */
export function asSpiffeError(error: unknown, code: SpiffeErrorCode, message: string): SpiffeError {
  return error instanceof SpiffeError ? error : new SpiffeError(code, message, { cause: error })
}

/** Throws what an aborted signal stands for. */
export function throwIfAborted(signal: AbortSignal | undefined) {
  if (signal?.aborted) throw cancelled(signal)
}

/** The error of a caller that no longer waits. */
export function cancelled(signal: AbortSignal): SpiffeError {
  const timedOut = (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError'
  return timedOut
    ? new SpiffeError('timeout', 'This took longer than the caller was willing to wait.')
    : new SpiffeError('cancelled', 'The caller no longer waits for this.')
}

function bare(cause: unknown): unknown {
  if (cause instanceof SpiffeError) return cause
  if (!(cause instanceof Error)) return undefined
  const { code } = cause as { code?: unknown }
  const copy = new Error(cause.message)
  copy.name = cause.name
  if (typeof code === 'string' || typeof code === 'number') Object.assign(copy, { code })
  return copy
}
