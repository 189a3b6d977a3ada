import { isObject } from '@latchkey/core/server'
import { AuthorizationRequired } from '../required.ts'
import { isNeed, type PauseNeed } from './pause.ts'

/** States of a task that waits. @see A2A 1.0 §4.1.3 */
const INPUT_REQUIRED = 6
const AUTH_REQUIRED = 8

/** The status of a task of A2A, with a message of its agent. */
export interface A2aPause {
  state: typeof INPUT_REQUIRED | typeof AUTH_REQUIRED
  timestamp: string
  message: {
    messageId: string
    contextId: string
    taskId: string
    /** The agent. */
    role: 2
    parts: { content: { $case: 'data'; value: PauseNeed }; metadata: undefined; filename: string; mediaType: string }[]
    metadata: undefined
    extensions: string[]
    referenceTaskIds: string[]
  }
}

/**
 * The status of a task where tools need something of its person: what `withAccount` has thrown, as data of a message. Null if an
 * error is something else.
 *
 * ```ts
 * const status = pausedStatus(errors, requestContext)
 * if (status) eventBus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }))
 * ```
 *
 * The page shows it with `a2a` of `@latchkey/core/runtimes/a2a`, and sends the answers as a message of the same task. Then call the tool
 * again, as `orPause(execute, answeredBy(answersIn(message)))`.
 *
 * @param errors one for each call that waits
 */
export function pausedStatus(
  errors: readonly unknown[],
  { contextId, taskId }: { contextId: string; taskId: string },
): A2aPause | null {
  if (errors.length === 0 || !errors.every(isNeed)) return null
  return {
    state: errors.some((error) => error instanceof AuthorizationRequired) ? AUTH_REQUIRED : INPUT_REQUIRED,
    timestamp: new Date().toISOString(),
    message: {
      ...{ messageId: crypto.randomUUID(), contextId, taskId, role: 2 },
      parts: errors.map((error) => ({
        ...{ content: { $case: 'data', value: error.toJSON() }, metadata: undefined },
        ...{ filename: '', mediaType: 'application/json' },
      })),
      ...{ metadata: undefined, extensions: [], referenceTaskIds: [] },
    },
  }
}

/** The answers in a message of the person. They only wake the task. */
export const answersIn = (message: { parts: readonly { content?: unknown }[] }): unknown[] =>
  message.parts.flatMap(({ content }) => (isObject(content) && content.$case === 'data' ? [content.value] : []))
