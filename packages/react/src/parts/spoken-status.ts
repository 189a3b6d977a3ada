'use client'
import type { CardStatus, ConnectedAccount } from '@latchkey/core'
import { useEffect, useRef } from 'react'
import { useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'

/** Says what became of a provider, whenever it becomes something else. */
export function useSpokenStatus(
  name: string,
  status: CardStatus,
  accounts: readonly ConnectedAccount[],
  reason: string | undefined,
) {
  const { spoken, status: words } = useMessages()
  const announce = useAnnounce()
  const label = accounts[accounts.length - 1]?.label ?? ''
  const last = useRef({ status, reason })
  useEffect(() => {
    const before = last.current
    last.current = { status, reason }
    if (before.status === 'loading' || (before.status === status && before.reason === reason)) return
    if (status === 'connecting')
      announce(
        reason === 'popup_closed'
          ? spoken.windowClosed(name)
          : reason === 'embedded'
            ? spoken.embedded(name)
            : spoken.connecting(name),
      )
    else if (reason === 'popup_blocked') announce(spoken.windowBlocked(name))
    else if (reason === 'access_denied') announce(spoken.denied(name))
    else if (status === 'connected') announce(spoken.connected(name, label))
    else if (status !== 'disconnected' && status !== 'loading') announce(spoken.attention(name, words[status]))
  }, [status, reason, name, label, announce, spoken, words])
}
