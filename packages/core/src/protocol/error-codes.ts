import type { ErrorCode } from '../errors.ts'

/** A server's no. Asked the same again, it says no again. @see RFC 6749 §4.1.2.1, §5.2 · RFC 6750 §3.1 · RFC 8707 §2 */
const REFUSALS = [
  'access_denied',
  'invalid_client',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'invalid_token',
  'insufficient_scope',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
]
/** @see OpenID Connect Core 1.0 §3.1.2.6 */
const CODES_OF_SERVERS = new Set([
  ...REFUSALS,
  'invalid_grant',
  'login_required',
  'server_error',
  'temporarily_unavailable',
])

/** Whether an error is a server's no, and neither a failure that passes nor the end of a grant. */
export const isRefusal = (code: ErrorCode): boolean => REFUSALS.includes(code)

/** What servers call a refresh token that is not good any more, where they do not say `invalid_grant`. */
const BAD_REFRESH_TOKEN = /^(bad|invalid|expired|revoked)_refresh_token$/i

/** A server's `error` member as one of our codes: known ones verbatim, unknown ones as `fallback`. */
export function codeFromServer(error: unknown, fallback: ErrorCode): ErrorCode {
  if (typeof error === 'string' && BAD_REFRESH_TOKEN.test(error)) return 'invalid_grant'
  return typeof error === 'string' && CODES_OF_SERVERS.has(error) ? (error as ErrorCode) : fallback
}
