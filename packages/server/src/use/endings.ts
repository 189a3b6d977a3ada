import type { ErrorCode } from '@latchkey/core'
import type { Effect } from '@latchkey/core/agents'

/** How a call ended. `unsent`: nothing was sent, so it may be made again. `unknown`: it may have happened. */
export type Ending = { result?: unknown } | 'unsent' | 'unknown'

/**
 * Why a call came to nothing: a code of ours, or the status that the API answered with. `cancelled`: it was stopped.
 * `tool_error`: its tool failed. Never an API's own words, which may hold secrets.
 */
export type Failure = ErrorCode | `http_${number}` | 'tool_error' | 'unknown'

/**
 * Why the log says that a use failed. `unsent`: nothing was sent. `cut`: it was stopped while it was under way, so it may
 * have happened. `unknown`: it may have happened.
 */
export type EndReason = Failure | 'unsent' | 'cut'

/** A status that is no success. @see RFC 9110 §15.5, §15.6 */
export const failureOfStatus = (status: number): Failure | undefined => (status < 400 ? undefined : `http_${status}`)

/** Failures after which nobody knows what a service did. */
const UNSURE: readonly Failure[] = ['network', 'timeout', 'cancelled']

/**
 * What the log says of an end. Undefined: it ended well.
 *
 * @param failure a call that has a result may have failed all the same.
 */
export function reasonOf(
  effect: Effect | undefined,
  ending: Ending,
  failure: Failure | undefined,
  isStopped: boolean,
): EndReason | undefined {
  const hasResult = typeof ending === 'object'
  if (hasResult && !failure) return undefined
  const why = isStopped && !hasResult ? 'cancelled' : (failure ?? (ending === 'unsent' ? 'unsent' : 'tool_error'))
  // A read that did not end well did nothing, and an API that answers says what it did.
  if (effect === 'read' || ending === 'unsent' || why.startsWith('http_')) return why
  if (ending !== 'unknown' && !UNSURE.includes(why as Failure)) return why
  return why === 'cancelled' ? 'cut' : 'unknown'
}
