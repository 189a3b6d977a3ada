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

/** What a {@link SpiffeError} carries besides its code and message. */
export interface SpiffeErrorOptions {
  /** What to do next, as a sentence. */
  next?: string
  /** What was caught. Only its name, message and code are kept. */
  cause?: unknown
}

/**
 * The error class of this package. `code` is the reason, `message` says what happened, `next` says what to do. No message
 * quotes a key or a token. A cause keeps only its name, message and code, because errors of TLS and gRPC carry options and
 * metadata.
 */
export class SpiffeError extends Error {
  readonly code: SpiffeErrorCode
  /** What to do, as a sentence. */
  readonly next: string | undefined

  constructor(code: SpiffeErrorCode, message: string, options: SpiffeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: bare(options.cause) })
    this.name = 'SpiffeError'
    this.code = code
    this.next = options.next
  }

  /** Code, message and next step. The cause is left out. */
  toJSON() {
    const { code, message, next } = this
    return { code, message, next }
  }
}

/** Returns a SpiffeError unchanged, and wraps every other error as the cause of a new one. */
export function asSpiffeError(error: unknown, code: SpiffeErrorCode, message: string): SpiffeError {
  return error instanceof SpiffeError ? error : new SpiffeError(code, message, { cause: error })
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
