// What follows from a failed refresh, in the browser and in the vault on a server alike. Pure, as the rules of an account,
// and apart from them: few pages need it.
import { type ErrorCode, errorAbout, type LatchkeyError } from '../errors.ts'
import { isRefusal } from '../protocol/error-codes.ts'
import type { ConnectedAccount, Reason } from '../snapshot.ts'

/** What a failed refresh leaves: until then, no one tries again. */
export interface Wait {
  /** When it failed. */
  at: number
  until: number
  failures: number
  /** How many of these failures were a server's no. */
  refusals?: number
  code: ErrorCode
}

/** Milliseconds of the first wait, doubled by each further failure up to the longest. A no is not asked for at once again. */
const FIRST_WAIT = 1000
const FIRST_WAIT_AFTER_NO = 30_000
const LONGEST_WAIT = 5 * 60_000
/** A server that says no so often has ended the grant, whatever it calls that. */
const REFUSALS = 3

/** What follows from a failed refresh: how long to wait, or that the grant has ended. `old`: the wait before, if there was one. */
export function afterFailure({ code, retryAfter = 0 }: LatchkeyError, old: Wait | undefined): Wait | 'ended' {
  const refusals = (old?.refusals ?? 0) + Number(isRefusal(code))
  if (code === 'invalid_grant' || refusals >= REFUSALS) return 'ended'
  const { failures = 0 } = old ?? {}
  const first = isRefusal(code) ? FIRST_WAIT_AFTER_NO : FIRST_WAIT
  const backoff = Math.min(LONGEST_WAIT, first * 2 ** failures) * (0.75 + Math.random() / 2)
  const at = Date.now()
  return { at, until: at + Math.max(backoff, retryAfter * 1000), failures: failures + 1, refusals, code }
}

/** Whether it is too early for another try. A clock that was set back must not make an hour out of a minute. */
export const isWaiting = (wait: Wait | undefined): wait is Wait =>
  wait !== undefined && wait.at <= Date.now() && wait.until > Date.now()

/** Why an account is not refreshed before its wait is over. */
export const waitError = (account: ConnectedAccount, { code, until }: Wait): LatchkeyError =>
  errorAbout(account, code, `${account.label} cannot be refreshed right now.`, {
    next: 'wait',
    retryAfter: Math.ceil((until - Date.now()) / 1000),
  })

/** Why an account whose grant ended with this error needs its person. What was only refused keeps its secret. */
export const endedBy = ({ code }: LatchkeyError): Reason => (code === 'invalid_grant' ? 'revoked' : 'invalid_token')
