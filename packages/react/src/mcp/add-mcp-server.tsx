'use client'
import { useRef, useState } from 'react'
import { useProvider } from '../hooks.ts'
import { later } from '../later.tsx'
import { Button, classes } from '../ui/button.tsx'
import { LiveRegion, useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'
import type { Offer } from './add-server.lazy.tsx'

const useDialog = /* @__PURE__ */ later(() => import('./add-server.lazy.tsx'), 'AddServer')

/** Props of {@link AddMcpServer}. */
export interface AddMcpServerProps extends Offer {
  /** Added to the classes of the outermost element. */
  className?: string
}

/**
 * Adds MCP servers: a button with a dialog that takes a URL, or the `mcpServers` JSON of an agent. It shows the hosts that
 * would be asked, and asks none before the person agrees. A server that the page lists already is not added again: its
 * card gets the focus. One whose name a provider or another server's account has is refused.
 */
export function AddMcpServer({ className, ...props }: AddMcpServerProps) {
  return (
    <LiveRegion>
      <div className={classes('latchkey latchkey-add', className)}>
        <Adding {...props} />
      </div>
    </LiveRegion>
  )
}

function Adding({ onAdd, examples }: AddMcpServerProps) {
  const messages = useMessages()
  const announce = useAnnounce()
  const [Dialog, loadDialog] = useDialog()
  const [open, setOpen] = useState(false)
  /** A server that was to be added and is in the list. */
  const [listed, setListed] = useState('')
  const isListed = useProvider(listed) !== undefined
  const trigger = useRef<HTMLButtonElement>(null)
  /** Where the focus goes when the dialog is gone. */
  const goal = useRef<string>(undefined)

  const leaveAt = (providerId: string) => {
    goal.current = providerId
    setOpen(false)
  }
  return (
    <>
      <Button
        ref={trigger}
        aria-haspopup="dialog"
        onIntent={loadDialog}
        onClick={() => {
          goal.current = undefined
          setListed('')
          setOpen(true)
        }}
      >
        {messages.addServerButton}
      </Button>
      {isListed && <p className="latchkey-line">{messages.addServerListed}</p>}
      {open && Dialog && (
        <Dialog
          examples={examples}
          onAdd={(added) => {
            onAdd(added)
            leaveAt(added.providers[0]?.id ?? '')
          }}
          onListed={(providerId) => {
            setListed(providerId)
            announce(messages.addServerListed)
            leaveAt(providerId)
          }}
          onClose={() => setOpen(false)}
          onClosed={() => {
            // A card that was just added is there with the next paint.
            requestAnimationFrame(() => (cardOf(goal.current) ?? trigger.current)?.focus())
          }}
        />
      )}
    </>
  )
}

/** The first thing of a provider's card that can have the focus, and starts nothing. */
const cardOf = (providerId: string | undefined) =>
  providerId
    ? document.querySelector<HTMLElement>(
        `.latchkey-card[data-provider="${CSS.escape(providerId)}"] :is(.latchkey-opener, .latchkey-name)`,
      )
    : undefined
