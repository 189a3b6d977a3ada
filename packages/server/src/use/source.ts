import { type Identity, LatchkeyError } from '@latchkey/core'
import { NotAllowed } from './answers.ts'
import type { Call, Door } from './door.ts'
import type { Ending, Failure } from './endings.ts'
import type { Forecast } from './overseer.ts'

/** A call that may be made now. */
export interface OpenCall {
  /** What the call is made with. */
  readonly args: unknown
  /** Aborted when its person stops it. */
  readonly signal: AbortSignal
  /**
   * A fresh secret, or undefined if access to the account has ended.
   *
   * @param options.forceRefresh true if the API refused the last token.
   */
  open(options?: { forceRefresh?: boolean | undefined }): Promise<Identity | undefined>
  /** @param failure why it came to nothing, for the log. */
  end(ending: Ending, failure?: Failure): Promise<void>
}

/** Accounts, for agents and their tools. */
export interface AccountSource {
  /**
   * Permission for one call, or what it answered if it was made already. Undefined if the app gives this agent no such
   * account, or there is none.
   *
   * @throws NotAllowed, ApprovalRequired
   */
  authorize(call: Call): Promise<OpenCall | { done: unknown } | undefined>
  /** What the person and their rules say of a call before it is made. Undefined where {@link AccountSource.authorize} decides. */
  askAhead(call: Call): Promise<Forecast | undefined>
}

const PASSING = ['network', 'server_error', 'temporarily_unavailable', 'storage_unavailable', 'cancelled']

export const createSource = (door: Door): AccountSource => ({
  async authorize(call) {
    const use = await door.authorize(call).catch(leftOut)
    if (!use || 'done' in use) return use
    return {
      args: use.args,
      signal: use.signal,
      open: (options) => door.open(use, options).catch(leftOut),
      end: (ending, failure) => door.end(use, ending, failure),
    }
  },
  askAhead: (call) => door.askAhead(call),
})

/**
 * A refusal leaves the account out. What another sign-in does not help is thrown: a person's no, or a provider that is
 * away.
 */
function leftOut(error: unknown): undefined {
  const isRefusal = error instanceof LatchkeyError && !(error instanceof NotAllowed)
  if (!isRefusal || error.retryAfter !== undefined || PASSING.includes(error.code)) throw error
}
