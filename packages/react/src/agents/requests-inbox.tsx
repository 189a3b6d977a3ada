'use client'
import type { AgentRequest } from '@latchkey/core/agents'
import { useId, useState } from 'react'
import { LiveRegion } from '../ui/live-region.tsx'
import { useLanguage } from '../use-first-messages.ts'
import { useAgentMessages, useHasWords, useRequestsQuery } from './oversight.tsx'
import { Bones, Failed, type Level } from './parts.tsx'
import { RequestCard } from './request-card.tsx'

/** Props of {@link RequestsInbox}. */
export interface RequestsInboxProps {
  /** Level of the heading. Cards have the next one. @default 2 */
  headingLevel?: 2 | 3 | 4 | 5
}

/** Everything that waits for the person's answer, the oldest first. What is answered here stays until the page is left. */
export function RequestsInbox({ headingLevel = 2 }: RequestsInboxProps) {
  const words = useAgentMessages()
  const hasWords = useHasWords()
  const { data, isError, refetch } = useRequestsQuery()
  const [answered, setAnswered] = useState<readonly AgentRequest[]>([])
  const titleId = useId()
  const Heading = `h${headingLevel}` as const
  const waiting = data ?? []
  // Where it was, so that nothing moves under a finger.
  const shown = [...answered, ...waiting.filter(({ id }) => answered.every((one) => one.id !== id))].sort(
    (a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id),
  )
  return (
    <LiveRegion>
      <section
        {...useLanguage()}
        className="latchkey latchkey-inbox"
        aria-labelledby={titleId}
        aria-busy={(!data && !isError) || undefined}
      >
        <div className="latchkey-top">
          <Heading id={titleId} className="latchkey-heading">
            {hasWords && words.inbox}
            {waiting.length > 0 && <span className="latchkey-tag">{waiting.length}</span>}
          </Heading>
        </div>
        {(!data && !isError) || !hasWords ? (
          <Bones />
        ) : !data ? (
          <Failed onRetry={() => void refetch()} />
        ) : shown.length === 0 ? (
          <p className="latchkey-empty">{words.inboxEmpty}</p>
        ) : (
          <ul className="latchkey-cards" aria-labelledby={titleId}>
            {shown.map((request) => (
              <li key={request.id}>
                <RequestCard
                  request={request}
                  headingLevel={(headingLevel + 1) as Level}
                  onAnswered={(done) => setAnswered((before) => [...before, done])}
                />
              </li>
            ))}
          </ul>
        )}
      </section>
    </LiveRegion>
  )
}
