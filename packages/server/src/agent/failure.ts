import { type ErrorCode, LatchkeyError } from '@latchkey/core'
import type { Failure } from '../use/endings.ts'
import { AuthorizationRequired } from './required.ts'

/** Codes that say why a call came to nothing. An error of a tool may hold any text as its code. */
const CODES: readonly ErrorCode[] = [
  ...(['access_denied', 'invalid_grant', 'invalid_request', 'invalid_target', 'invalid_token'] as const),
  ...(['insufficient_scope', 'login_required', 'server_error', 'temporarily_unavailable', 'cancelled'] as const),
  ...(['timeout', 'malformed_response', 'network', 'storage_unavailable', 'secret_unavailable'] as const),
  ...(['not_configured', 'misuse'] as const),
]

/** What an error says of a call, in a word. Its message is a tool's or an API's, so it is not read. */
export function failureOf(error: unknown): Failure {
  if (error instanceof AuthorizationRequired) return 'login_required'
  if (error instanceof LatchkeyError) return CODES.includes(error.code) ? error.code : 'tool_error'
  const { name } = (error ?? {}) as { name?: unknown }
  if (name === 'AbortError') return 'cancelled'
  return name === 'TimeoutError' ? 'timeout' : 'tool_error'
}

/** Whether a tool says itself that it failed. @see MCP 2025-11-25, Tools: Error Handling */
export const saysError = (result: unknown): boolean =>
  (result as { isError?: unknown } | null | undefined)?.isError === true
