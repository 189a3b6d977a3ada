import { type ErrorCode, LatchkeyError, type NextAction } from '../errors.ts'
import { codeFromServer } from './error-codes.ts'
import { type Answer, isAway, retryAfter } from './http.ts'

/** Codes of ours that a broker may answer with, beside those of OAuth. */
const OUR_CODES = [
  'not_configured',
  'state_mismatch',
  'issuer_mismatch',
  'account_changed',
  'malformed_response',
] as const
const NEXT: Partial<Record<ErrorCode, NextAction>> = { invalid_token: 'edit-key', account_changed: 'reconnect' }

/** What a broker says instead of an answer, as an error. Loads when there is one. */
export function refusal(response: Response, answer: Answer | undefined, route: string): LatchkeyError {
  // The server has ended it, or never had it.
  if (response.status === 404 && route.startsWith('accounts/')) {
    // It names the account: a session of the app that has ended has the same code, and names none.
    return new LatchkeyError('login_required', 'This account is not connected any more.', {
      account: route.slice('accounts/'.length),
    })
  }
  const fallback = isAway(response) ? 'temporarily_unavailable' : 'malformed_response'
  const wait = retryAfter(response)
  const said = answer?.error
  const code = OUR_CODES.find((one) => one === said) ?? codeFromServer(said, fallback)
  const words = typeof answer?.message === 'string' ? answer.message.slice(0, 300) : undefined
  const what = answer ? `refused: ${code}` : `answered with status ${response.status}`
  // A broker that reports what a service said has a code for it, and 500 and 429 for itself alone.
  const isApps = code !== said || response.status === 500 || response.status === 429
  return new LatchkeyError(code, words ?? `The app's broker ${what}.`, {
    retryAfter: wait,
    next: NEXT[code] ?? (wait === undefined ? undefined : 'wait'),
    source: isApps ? 'app' : undefined,
  })
}
