import { type AgentRequest, readApprovalNotice } from '@latchkey/core/agents'
import { RequestCard, useOversight } from '@latchkey/react/agents'
import { isToolUIPart } from 'ai'
import { useEffect, useState } from 'react'
import type { AgentMessage } from './agent-message.ts'

/** Ids of the requests that the tools of an answer wait for. */
export const approvalsIn = (parts: AgentMessage['parts']): string[] => [
  ...new Set(parts.flatMap((part) => (isToolUIPart(part) ? (readApprovalNotice(part.output)?.request ?? []) : []))),
]

/** Asks in the chat whether a call may be made. `onAnswered` gives the answer anew, in which the call is made once. */
export function ApprovalNeeded({ id, onAnswered }: { id: string; onAnswered: (() => void) | undefined }) {
  const oversight = useOversight()
  const [request, setRequest] = useState<AgentRequest>()
  useEffect(() => {
    // One that is over is not shown: its answer is in the chat.
    oversight.request(id).then(setRequest, () => {})
  }, [oversight, id])
  return request ? <RequestCard request={request} onAnswered={onAnswered && (() => onAnswered())} /> : null
}
