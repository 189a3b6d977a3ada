'use client'
import type { CardStatus, ConnectedAccount } from '@latchkey/core'
import { useEffect, useRef } from 'react'
import { useKit } from '../hooks.ts'
import { useAnnounce } from '../ui/live-region.tsx'
import { withEnglish } from '../use-first-messages.ts'

export const loadSpokenStatus = () => import('./spoken-status.lazy.ts')

/** Says every change of a provider's status to people who listen. */
export function useSpokenStatus(
  name: string,
  status: CardStatus,
  accounts: readonly ConnectedAccount[],
  reason: string | undefined,
) {
  const { messages } = useKit()
  const announce = useAnnounce()
  const label = accounts.at(-1)?.label ?? ''
  const last = useRef({ status, reason })
  useEffect(() => {
    const before = last.current
    last.current = { status, reason }
    if (before.status === 'loading' || (before.status === status && before.reason === reason)) return
    loadSpokenStatus().then(
      ({ spokenStatus }) => {
        const sentence = spokenStatus(messages, { name, status, reason, label })
        if (sentence) announce(sentence)
      },
      () => announce(`${name}: ${withEnglish(messages).status[status]}`),
    )
  }, [status, reason, name, label, announce, messages])
}
