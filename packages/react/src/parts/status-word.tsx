'use client'
import type { CardStatus } from '@latchkey/core'
import { useFirstMessages } from '../use-first-messages.ts'

/** The word of a status, after its shape. */
export function StatusWord({ status, word }: { status: CardStatus; word?: string }) {
  const messages = useFirstMessages()
  return (
    <span className="latchkey-status" data-slot="status" data-status={status}>
      {word ?? messages.status[status]}
    </span>
  )
}
