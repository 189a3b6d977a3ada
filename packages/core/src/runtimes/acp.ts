import { isObject } from '../json.ts'
import { type AgentRuntime, readNeed } from './requests.ts'

/** A `session/request_permission` that a client of ACP has not answered yet. */
export interface AcpRequest {
  params: {
    toolCall: { toolCallId: string }
    options: readonly { optionId: string; kind: string }[]
    _meta?: Record<string, unknown> | null | undefined
  }
  /** Answers it, with what its handler returns. */
  respond(answer: { outcome: { outcome: 'selected'; optionId: string } | { outcome: 'cancelled' } }): unknown
}

/**
 * What an agent of ACP waits for: its requests for a permission that say what a tool needs. All others are left to the app.
 *
 * ```tsx
 * const requests = useRequests(acp(permissions))
 * ```
 *
 * @param permissions those that the client's handler of `session/request_permission` has not answered, each with what answers it
 */
export const acp = (permissions: readonly AcpRequest[]): AgentRuntime => ({
  find: () =>
    permissions.flatMap(({ params: { toolCall, _meta } }) => {
      const need = isObject(_meta) && readNeed(_meta['latchkey/need'])
      return need ? [{ ...need, id: toolCall.toolCallId, toolCallId: toolCall.toolCallId }] : []
    }),
  answer: (answers) =>
    Promise.all(
      answers.map(({ request, approved }) => {
        const permission = permissions.find(({ params }) => params.toolCall.toolCallId === request.id)
        const kind = approved ? 'allow_once' : 'reject_once'
        const optionId = permission?.params.options.find((option) => option.kind === kind)?.optionId
        return permission?.respond({ outcome: optionId ? { outcome: 'selected', optionId } : { outcome: 'cancelled' } })
      }),
    ),
})
