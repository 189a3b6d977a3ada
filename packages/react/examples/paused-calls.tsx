import type { AgentRequest } from '@latchkey/core/agents'
import { approvalResponse, type PausedCall, pausedCalls } from '@latchkey/core/runtimes/ai-sdk'
import { RequestCard, useOversight, useRequests } from '@latchkey/react/agents'
import { useEffect, useState } from 'react'

/** `addToolApprovalResponse` of `useChat`, where `sendAutomaticallyWhen` goes on when all are answered. */
type Respond = (response: NonNullable<ReturnType<typeof approvalResponse>>) => unknown

/** What the last message of the chat waits for, also after a reload. */
export const PausedCalls = ({ message, respond }: { message: { parts: readonly unknown[] }; respond: Respond }) =>
  pausedCalls(message).map((call) => <Paused key={call.approvalId} call={call} respond={respond} />)

function Paused({ call, respond }: { call: PausedCall; respond: Respond }) {
  const oversight = useOversight()
  const [found, setFound] = useState<AgentRequest>()
  // It may be answered here, in the inbox or in another tab. Then it leaves the list.
  const listed = useRequests().find(({ id }) => id === call.request)
  const isListed = listed !== undefined
  useEffect(() => {
    if (!isListed) oversight.request(call.request).then(setFound, () => {})
  }, [oversight, call.request, isListed])
  const request = found?.state === 'waiting' ? (listed ?? found) : (found ?? listed)
  useEffect(() => {
    const response = request && approvalResponse(call, request)
    if (response) void respond(response)
  }, [call, request, respond])
  return request && <RequestCard request={request} onAnswered={setFound} />
}
