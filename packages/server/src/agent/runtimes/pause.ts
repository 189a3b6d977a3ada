import type { ConnectRequest } from '@latchkey/core'
import type { ApprovalNotice } from '@latchkey/core/agents'
import { isObject } from '@latchkey/core/server'
import { ApprovalRequired } from '../../use/answers.ts'
import type { AgentContext } from '../context.ts'
import { AuthorizationRequired } from '../required.ts'
import { without } from '../tool-approval.ts'

/** What a runtime is paused with: its page shows a card for it. It has no secret, and no argument of the call. */
export type PauseNeed = ConnectRequest | ApprovalNotice

/**
 * Stops a run until its person has answered.
 *
 * @returns what the run was resumed with. Of it only a no for an account counts: of calls the broker has the answer itself.
 *   Undefined: nobody has answered, and the tool rejects with what it needs.
 */
export type Pause<Options> = (need: PauseNeed, options: Options) => unknown

/** A run that begins again is handed the answers that it had, in their order. */
const MOST = 16

/**
 * Lets a tool stop its runtime where it needs something of its person, and go on when that is there: around the function
 * that `withAccount` returns, or the `execute` of an MCP server or a skill. A call that its person refuses rejects with
 * `NotAllowed`, which has their reason; one without its account rejects with a LatchkeyError `access_denied`.
 *
 * @param open makes the context of each try, for a pause that ends in the same request: a context has the accounts that were
 *   there when it was made. @default the context that it is called in
 */
export const orPause =
  <Input, Options, Output>(
    execute: (input: Input, options: Options) => Promise<Output>,
    pause: Pause<Options>,
    open?: () => Promise<Pick<AgentContext, 'run'>>,
  ) =>
  async (input: Input, options: Options): Promise<Output> => {
    const attempt = async () =>
      open ? (await open()).run(() => execute(input, options)) : await execute(input, options)
    const answered = new Set<string>()
    for (let rounds = 0; ; rounds += 1) {
      try {
        return await attempt()
      } catch (error) {
        if (!isNeed(error)) throw error
        const need = error.toJSON()
        const subject = subjectOf(need)
        if (answered.has(subject) || rounds === MOST) throw error
        const answer = await pause(need, options)
        if (answer === undefined) throw error
        const { of = subject, approved, reason }: Record<string, unknown> = isObject(answer) ? answer : {}
        if (of !== subject) continue
        answered.add(subject)
        if (approved === false && error instanceof AuthorizationRequired) throw without(error.request, reason)
      }
    }
  }

/** Whether an error says what a tool needs of its person. */
export const isNeed = (error: unknown): error is AuthorizationRequired | ApprovalRequired =>
  error instanceof AuthorizationRequired || error instanceof ApprovalRequired

/**
 * The pause of a runtime whose run ends with it, and begins again with the answers that its page sends.
 *
 * @param answers what it was resumed with: each a `Resume` of `@latchkey/core/runtimes/requests`. Anything else answers nothing.
 */
export const answeredBy =
  (answers: readonly unknown[]): Pause<unknown> =>
  (need) =>
    answers.find((one) => isObject(one) && one.of === subjectOf(need))

/** Whether what a run was paused with is what it needs now. */
export const isSameNeed = (need: PauseNeed, other: unknown): boolean =>
  isObject(other) && other.type === need.type && subjectOf(need) === subjectOf(other as unknown as PauseNeed)

/** As the page names it: see `subjectOf` of `@latchkey/core/runtimes/requests`. */
export const subjectOf = (need: PauseNeed): string => (need.type === 'approval_required' ? need.request : need.provider)
