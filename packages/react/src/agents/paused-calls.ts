'use client'
import type { AgentRequest } from '@latchkey/core/agents'
import { approvalResponse, type PausedCall, pausedCalls } from '@latchkey/core/runtimes/ai-sdk'
import { useQueries } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { OPTIONS, PACE, useOverseen, useRequestsQuery } from './oversight.tsx'

/** What `useChat` of the AI SDK returns, as far as it is needed. */
export interface ChatWithPauses {
  messages: readonly { parts: readonly unknown[] }[]
  addToolApprovalResponse(response: { id: string; approved: boolean; reason?: string }): unknown
}

/** A call of a tool that waits, with what its person is asked. */
export interface PausedRequest extends PausedCall {
  /** For a `RequestCard`. Absent until it is known, and for a request that is not this person's. */
  asked: AgentRequest | undefined
}

/**
 * The calls that a chat of the AI SDK waits for, and lets it go on when their person has answered: on a card here, in the
 * inbox or in another tab. The SDK is told once of each answer. It goes on with
 * `sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses`.
 *
 * ```tsx
 * const chat = useChat({ transport, sendAutomaticallyWhen })
 * const paused = usePausedCalls(chat)
 * return paused.map(({ request, asked }) => asked && <RequestCard key={request} request={asked} />)
 * ```
 *
 * @throws Error outside of an OversightProvider.
 */
export function usePausedCalls({ messages, addToolApprovalResponse }: ChatWithPauses): PausedRequest[] {
  const { oversight, key } = useOverseen()
  const calls = pausedCalls(messages.at(-1))
  const { data: waiting } = useRequestsQuery()
  const asked = useQueries({
    queries: calls.map(({ request }) => ({
      ...OPTIONS,
      queryKey: [...key, 'request', request],
      queryFn: () => oversight.request(request),
      // What was on the card stays there until more is known.
      initialData: () => waiting?.find(({ id }) => id === request),
      initialDataUpdatedAt: 0,
      // The list has those that wait. It may be older than the request.
      enabled: waiting?.every(({ id }) => id !== request) === true,
      refetchInterval: ({ state }: { state: { data: AgentRequest | undefined } }) =>
        state.data && state.data.state !== 'waiting' ? (false as const) : PACE,
    })),
  })
  const paused = calls.map((call, at): PausedRequest => {
    return { ...call, asked: waiting?.find(({ id }) => id === call.request) ?? asked[at]?.data }
  })

  // What was told is no longer paused with the next render of the chat, which may be later than the next of ours.
  const told = useRef(new Set<string>())
  useEffect(() => {
    for (const call of paused) {
      const response = call.asked && approvalResponse(call, call.asked)
      if (!response || told.current.has(call.approvalId)) continue
      told.current.add(call.approvalId)
      addToolApprovalResponse(response)
    }
  })
  return paused
}
