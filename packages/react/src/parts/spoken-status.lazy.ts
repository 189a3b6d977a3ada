import type { CardStatus } from '@latchkey/core'
import type { MessageOverrides } from '../messages/messages.ts'
import { allMessages } from '../use-messages.ts'

interface Change {
  /** The provider's name. */
  name: string
  status: CardStatus
  reason: string | undefined
  /** The newest account. */
  label: string
}

/** The sentence for a status that is new; undefined where there is nothing to say. */
export function spokenStatus(own: MessageOverrides | undefined, { name, status, reason, label }: Change) {
  const { spoken, status: words } = allMessages(own)
  if (status === 'connecting') {
    if (reason === 'finishing') return undefined
    if (reason === 'popup_closed') return spoken.windowClosed(name)
    return (reason === 'embedded' ? spoken.embedded : spoken.connecting)(name)
  }
  if (reason === 'popup_blocked') return spoken.windowBlocked(name)
  if (reason === 'access_denied') return spoken.denied(name)
  // An MCP server that does not say who signed in.
  if (status === 'connected' && label !== name) return spoken.connected(name, label)
  return status === 'disconnected' || status === 'loading' ? undefined : spoken.attention(name, words[status])
}
