import { isObject } from '../json.ts'
import { type AgentRuntime, type RuntimeAnswer, readNeed, resumeOf } from './requests.ts'

/** A task of A2A, as far as it is read. */
export interface A2aTask {
  status?: { state: number | string; message?: { parts: readonly unknown[] } | undefined } | undefined
}

/** What a page has of a task, and how it sends a message of it. */
export interface A2aChat {
  task: A2aTask | undefined
  /** Sends a message with these data parts, with the ids of the task and its context. */
  send(data: readonly object[]): unknown
}

/** As the JavaScript SDK has them, and as JSON has them. @see A2A 1.0 §4.1.3 */
const WAITING: readonly unknown[] = [6, 8, 'TASK_STATE_INPUT_REQUIRED', 'TASK_STATE_AUTH_REQUIRED']

/**
 * What a task of A2A waits for: data of its status message that says what a tool needs. All is answered in one message, since the
 * first one wakes the task.
 *
 * ```tsx
 * const requests = useRequests(a2a({ task, send }))
 * ```
 */
export const a2a = ({ task, send }: A2aChat): AgentRuntime => ({
  takes: 'all',
  find: () =>
    (WAITING.includes(task?.status?.state) ? (task?.status?.message?.parts ?? []) : []).flatMap((part, at) => {
      const need = readNeed(dataOf(part))
      return need ? [{ ...need, id: `${at}` }] : []
    }),
  answer: (answers: readonly RuntimeAnswer[]) => send(answers.map(resumeOf)),
})

/** The data of a part: `{ content: { $case: 'data', value } }` in the SDK, `{ data }` in JSON. */
function dataOf(part: unknown): unknown {
  if (!isObject(part)) return undefined
  return isObject(part.content) && part.content.$case === 'data' ? part.content.value : part.data
}
