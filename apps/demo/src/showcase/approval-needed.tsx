import { type AgentRequest, readApprovalNotice } from '@latchkey/core/agents'
import { pausedCalls } from '@latchkey/core/runtimes/ai-sdk'
import { RequestCard, useOversight, useRequests } from '@latchkey/react/agents'
import { isToolUIPart } from 'ai'
import { useEffect, useRef, useState } from 'react'
import type { AgentMessage } from './agent-message.ts'

/**
 * Ids of the requests that an answer waits for: of calls before which the AI SDK paused, and of tools that answered with a
 * notice because they cannot be asked before they are called, such as those of an MCP server.
 */
export function approvalsIn(message: AgentMessage): string[] {
  const noticed = message.parts.flatMap((part) =>
    isToolUIPart(part) ? (readApprovalNotice(part.output)?.request ?? []) : [],
  )
  return [...new Set([...pausedCalls(message).map(({ request }) => request), ...noticed])]
}

interface ApprovalNeededProps {
  /** Id of the request. */
  id: string
  /** Called once, when the person has answered: here, in the inbox or in another tab. */
  onAnswered: ((request: AgentRequest) => void) | undefined
}

/** Asks in the chat whether a call may be made. */
export function ApprovalNeeded({ id, onAnswered }: ApprovalNeededProps) {
  const oversight = useOversight()
  const isWaiting = useRequests().some((one) => one.id === id)
  const [request, setRequest] = useState<AgentRequest>()
  // biome-ignore lint/correctness/useExhaustiveDependencies: once it no longer waits, it is asked for again.
  useEffect(() => {
    // One that is over is not shown: its answer is in the chat.
    oversight.request(id).then(setRequest, () => {})
  }, [oversight, id, isWaiting])

  const told = useRef(false)
  useEffect(() => {
    if (!request || request.state === 'waiting' || !onAnswered || told.current) return
    told.current = true
    onAnswered(request)
  }, [request, onAnswered])
  const place = useRef<HTMLDivElement>(null)
  const isShown = request !== undefined
  // It comes after the answer that it belongs to.
  useEffect(() => {
    if (isShown) place.current?.scrollIntoView({ block: 'nearest' })
  }, [isShown])
  return <div ref={place}>{request && <RequestCard request={request} onAnswered={setRequest} />}</div>
}
