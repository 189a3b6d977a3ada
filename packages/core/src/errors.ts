/** The word for what the person can do next; a UI offers it as a button. */
export type NextAction =
  | 'connect'
  | 'reconnect'
  | 'retry'
  | 'redirect'
  | 'edit-key'
  | 'configure'
  | 'unpause'
  | 'choose'
  | 'reload'
  | 'wait'
  | 'none'

/**
 * Every code a {@link LatchkeyError} can carry. Codes of OAuth and OpenID Connect are verbatim, the others are ours.
 *
 * @see RFC 6749 §4.1.2.1, §5.2 · RFC 6750 §3.1 · OpenID Connect Core 1.0 §3.1.2.6
 */
export type ErrorCode =
  | 'access_denied'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'login_required'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'cancelled'
  | 'timeout'
  | 'state_mismatch'
  | 'issuer_mismatch'
  | 'flow_unknown'
  | 'flow_lost'
  | 'account_changed'
  | 'malformed_response'
  | 'network'
  | 'storage_unavailable'
  | 'secret_unavailable'
  | 'not_configured'
  /** There is no MCP server at this address. */
  | 'not_mcp'
  /** An MCP server that asks for no sign-in. */
  | 'no_sign_in'
  | 'misuse'

/** What usually helps, where it is not simply another try. */
const NEXT: Partial<Record<ErrorCode, NextAction>> = {
  access_denied: 'connect',
  invalid_client: 'configure',
  invalid_grant: 'connect',
  invalid_token: 'reconnect',
  insufficient_scope: 'reconnect',
  login_required: 'connect',
  cancelled: 'connect',
  timeout: 'connect',
  state_mismatch: 'connect',
  issuer_mismatch: 'connect',
  flow_unknown: 'connect',
  flow_lost: 'connect',
  account_changed: 'choose',
  secret_unavailable: 'reconnect',
  not_configured: 'configure',
  misuse: 'configure',
}

/** What an error says beside its code and its sentence. */
export interface LatchkeyErrorOptions {
  /** What to do next. Default: what usually helps with this code, `retry` for most. */
  next?: NextAction
  /** Provider id this is about. */
  provider?: string
  /** Account id this is about. */
  account?: string
  /** What a server said, verbatim. Attacker-controlled: it is capped, kept out of `message`, and must never be HTML. */
  detail?: string
  /** Seconds to wait before another try. */
  retryAfter?: number
  /** Who failed: `app` is the server of this app. Absent: the service, or it is not known. */
  source?: 'app'
  cause?: unknown
}

/**
 * The one error class of Latchkey: what happened (`message`), why (`code`), what to do (`next`).
 * Holds no token, code or key: causes are reduced to their name and message before they get here.
 */
export class LatchkeyError extends Error {
  // Declared only, since the constructor sets them: as fields they would be in every page twice.
  declare readonly code: ErrorCode
  declare readonly next: NextAction
  declare readonly provider: string | undefined
  declare readonly account: string | undefined
  /** A server's own words, at most 200 characters. Attacker-controlled text. */
  declare readonly detail: string | undefined
  /** Seconds to wait before another try, as the server asked or as we back off. @see RFC 9110 §10.2.3 */
  declare readonly retryAfter: number | undefined
  /** Who failed: `app` is the server of this app, with its broker. Absent: the service, or it is not known. */
  declare readonly source: 'app' | undefined

  constructor(code: ErrorCode, message: string, options: LatchkeyErrorOptions = {}) {
    super(excerpt(message, 2000), options.cause ? { cause: withoutPayload(options.cause) } : undefined)
    this.name = 'LatchkeyError'
    this.code = code
    this.next = options.next ?? NEXT[code] ?? 'retry'
    this.detail = options.detail && excerpt(options.detail)
    const { provider, account, retryAfter, source } = options
    Object.assign(this, { provider, account, retryAfter, source })
  }

  toJSON() {
    return { ...this, name: undefined, message: this.message }
  }
}

const MASK = '[redacted]'
const NAME = '(?<![\\w.-])(?:[\\w.-]*(?:token|secret|password|verifier|assertion|api[_-]?key)|code|state|key)'
const IN_QUERY = new RegExp(`(${NAME}=)[^&#\\s"'<>]+`, 'gi')
const IN_JSON = new RegExp(`(${NAME}\\\\?["']\\s*:\\s*\\\\?["'])[^"'\\\\]+`, 'gi')
const SHAPED =
  /\b(?:[Bb](?:earer|asic)\s+[\w.~+/=-]{8,}|eyJ[\w-]{4,}(?:\.+[\w-]+)*|(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|sk-|hf_|ya29\.|KGAT_)[\w.-]{4,})/g

/**
 * The one place where text is cleared of secrets: URLs and bodies lose the values of `code`, `state`, keys and tokens,
 * and what looks like a token goes wherever it stands. For whatever is logged or reported; every
 * {@link LatchkeyError} has gone through it.
 */
export function redact(text: string): string {
  return text.replace(IN_QUERY, `$1${MASK}`).replace(IN_JSON, `$1${MASK}`).replace(SHAPED, MASK)
}

/** The beginning of a text, cleared of secrets. It is cut before it is searched: a server decides how long its text is. */
const excerpt = (text: unknown, length = 200) => redact(`${text}`.slice(0, 4 * length)).slice(0, length)

/** An error's own properties can hold a response body or request; only its name and code may travel on. */
function withoutPayload(cause: unknown): unknown {
  if (cause instanceof LatchkeyError) return cause
  if (!(cause instanceof Error)) return undefined
  const { name, code } = cause as Error & { code?: unknown }
  return Object.assign(new Error(excerpt(typeof code === 'string' ? code : name)), { name: excerpt(name) })
}

/** Anything thrown, as a LatchkeyError: ours as it is, the rest with the given code. */
export const asLatchkeyError = (error: unknown, code: ErrorCode, message: string, options?: LatchkeyErrorOptions) =>
  error instanceof LatchkeyError ? error : new LatchkeyError(code, message, { ...options, cause: error })

/** An error about a provider, or about an account and its provider. */
export const errorAbout = (
  { id, provider }: { id: string; provider?: string },
  code: ErrorCode,
  message: string,
  options?: LatchkeyErrorOptions,
): LatchkeyError =>
  new LatchkeyError(code, message, { ...(provider ? { provider, account: id } : { provider: id }), ...options })

/** An error about a provider, whose name begins the sentence. */
export const providerError = (
  provider: { id: string; name: string },
  code: ErrorCode,
  words: string,
  options?: LatchkeyErrorOptions,
): LatchkeyError => errorAbout(provider, code, `${provider.name} ${words}`, options)
