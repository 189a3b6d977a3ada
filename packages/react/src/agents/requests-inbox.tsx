'use client'
import type { AgentRequest } from '@latchkey/core/agents'
import { useEffect, useId, useRef, useState } from 'react'
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

/**
 * Every call that waits for the person's answer, the oldest first. What is answered here stays until the page is left. An
 * account that is missing, or may do too little, is no call: a `ConnectPrompt` asks for it in the chat.
 */
export function RequestsInbox({ headingLevel = 2 }: RequestsInboxProps) {
  const words = useAgentMessages()
  const hasWords = useHasWords()
  const { data, isError, refetch } = useRequestsQuery()
  const [answered, setAnswered] = useState<readonly AgentRequest[]>([])
  const section = useRef<HTMLElement>(null)
  const title = useRef<HTMLHeadingElement>(null)
  const titleId = useId()
  const Heading = `h${headingLevel}` as const
  const waiting = data ?? []
  // Where it was, so that nothing moves under a finger.
  const shown = [...answered, ...waiting.filter(({ id }) => answered.every((one) => one.id !== id))].sort(
    (a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id),
  )
  // A card that was answered has no more to do: the focus, if it was in there, goes to the next one that waits.
  useEffect(() => {
    const cards = [...(section.current?.querySelectorAll<HTMLElement>('article') ?? [])]
    const at = answered.length > 0 ? cards.indexOf(document.activeElement as HTMLElement) : -1
    if (at < 0) return
    const next = [...cards.slice(at + 1), ...cards.slice(0, at)].find(({ dataset }) => dataset.state === 'waiting')
    ;(next ?? title.current)?.focus()
  }, [answered])
  return (
    <LiveRegion>
      <section
        {...useLanguage()}
        ref={section}
        className="latchkey latchkey-inbox"
        aria-labelledby={titleId}
        aria-busy={(!data && !isError) || undefined}
      >
        <div className="latchkey-top">
          <Heading ref={title} id={titleId} tabIndex={-1} className="latchkey-heading">
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
                  apart
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
