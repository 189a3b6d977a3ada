import { isObject } from '../json.ts'
import { type AgentRuntime, readNeed, resumeOf } from './requests.ts'

/** An event of a session of Google's ADK, as far as it is read. */
export interface AdkEvent {
  content?: {
    parts?: readonly {
      text?: string
      functionCall?: { id?: string; name?: string; args?: Record<string, unknown> }
      functionResponse?: { id?: string }
    }[]
  }
}

/** A message that answers what an agent of ADK waits for: the `newMessage` of a run. */
export interface AdkAnswer {
  role: 'user'
  parts: { functionResponse: { id: string; name: string; response: Record<string, unknown> } }[]
}

/** A session of ADK, as its page has it. */
export interface AdkSession {
  /** All of them, the first one first: those of the session, and those that its runs have sent since. */
  readonly events: readonly AdkEvent[]
  /** Begins a run with a message. */
  send(newMessage: AdkAnswer): unknown
}

const NAME = 'adk_request_confirmation'

/**
 * What an agent of Google's ADK waits for: a confirmation whose payload says what a tool needs. All others are left to the app. All that
 * wait are answered in one message, since ADK looks for answers in the last one only.
 *
 * ```tsx
 * const requests = useRequests(adk({ events, send }))
 * ```
 */
export const adk = ({ events, send }: AdkSession): AgentRuntime => ({
  takes: 'all',
  find: () => {
    const parts = events.flatMap(({ content }) => content?.parts ?? [])
    const answered = new Set(parts.map(({ functionResponse }) => functionResponse?.id))
    return parts.flatMap(({ functionCall }) => {
      const { id, name, args }: NonNullable<typeof functionCall> = functionCall ?? {}
      if (id === undefined || name !== NAME || answered.has(id)) return []
      const confirmation = args?.toolConfirmation
      const need = isObject(confirmation) && readNeed(confirmation.payload)
      return need ? [{ ...need, id }] : []
    })
  },
  answer: (answers) =>
    send({
      role: 'user',
      parts: answers.map((one) => ({
        functionResponse: {
          ...{ id: one.request.id, name: NAME },
          response: { confirmed: one.approved, payload: resumeOf(one) },
        },
      })),
    }),
})
