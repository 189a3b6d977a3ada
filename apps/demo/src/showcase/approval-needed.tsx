import { type AgentRequest, readApprovalNotice } from '@latchkey/core/agents'
import { pausedCalls } from '@latchkey/core/runtimes/ai-sdk'
import { RequestCard, useRequest, useRequests } from '@latchkey/react/agents'
import { isToolUIPart } from 'ai'
import { useEffect, useEffectEvent, useRef } from 'react'
import type { AgentMessage } from './agent-message.ts'

type Part = AgentMessage['parts'][number]

/**
 * Id of the request that a call waits for, or waited for: the AI SDK paused before it, or its tool answered with a notice
 * because it cannot be asked before it is called, such as one of an MCP server.
 */
export const approvalOf = (part: Part): string | undefined =>
  isToolUIPart(part)
    ? (readApprovalNotice(part.output)?.request ?? pausedCalls({ parts: [part] })[0]?.request)
    : undefined

/** Ids of the requests that an answer waits for. */
export const approvalsIn = ({ parts }: AgentMessage): string[] => [
  ...new Set(parts.flatMap((part) => approvalOf(part) ?? [])),
]

/** A request as it is now, wherever it was answered. */
export function useAsked(id: string) {
  const isListed = useRequests().some((one) => one.id === id)
  const { request, status, retry } = useRequest(id)
  const askAgain = useEffectEvent(retry)
  // biome-ignore lint/correctness/useExhaustiveDependencies: once it no longer waits, it is asked for again.
  useEffect(askAgain, [id, isListed])
  return { request, status }
}

interface ApprovalNeededProps {
  /** Id of the request. */
  id: string
  /** Called once, when the person has answered: here, in the inbox or in another tab. */
  onAnswered: ((request: AgentRequest) => void) | undefined
}

/** Asks in the chat whether a call may be made. */
export function ApprovalNeeded({ id, onAnswered }: ApprovalNeededProps) {
  // One that is over is not shown: its answer is in the chat.
  const { request } = useAsked(id)
  const told = useRef(false)
  const tell = (now: AgentRequest) => {
    if (now.state === 'waiting' || !onAnswered || told.current) return
    told.current = true
    onAnswered(now)
  }
  const onAsked = useEffectEvent(tell)
  useEffect(() => {
    if (request) onAsked(request)
  }, [request])
  const place = useRef<HTMLDivElement>(null)
  const isShown = request !== undefined
  // It comes after the answer that it belongs to.
  useEffect(() => {
    if (isShown) place.current?.scrollIntoView({ block: 'nearest' })
  }, [isShown])
  return <div ref={place}>{request && <RequestCard request={request} onAnswered={tell} />}</div>
}
