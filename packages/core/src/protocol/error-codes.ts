import type { ErrorCode } from '../errors.ts'

/** @see RFC 6749 §4.1.2.1, §5.2 · RFC 6750 §3.1 · RFC 8707 §2 · OpenID Connect Core 1.0 §3.1.2.6 */
const CODES_OF_SERVERS = new Set<string>([
  'access_denied',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'invalid_token',
  'insufficient_scope',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
])

/** A server's `error` member as one of our codes: known ones verbatim, unknown ones as `fallback`. */
export function codeFromServer(error: unknown, fallback: ErrorCode): ErrorCode {
  return typeof error === 'string' && CODES_OF_SERVERS.has(error) ? (error as ErrorCode) : fallback
}
