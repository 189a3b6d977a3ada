'use client'
import { useRef, useState } from 'react'
import { later } from '../later.tsx'
import { MoreButton } from '../ui/button.tsx'
import { firstStop } from '../ui/focus.ts'
import { useFirstMessages } from '../use-first-messages.ts'

const useDisconnectAll = /* @__PURE__ */ later(() => import('./disconnect-all.lazy.tsx'), 'DisconnectAll')

interface HeadingMenuProps {
  /** There are several accounts. Without, the button is gone, and what came of its menu stays. */
  several: boolean
  /** Called when all accounts are disconnected at once. */
  onLeft: () => void
}

/** The menu beside the panel's heading: the way out of everything at once. Loaded with the second account. */
export function HeadingMenu({ several, onLeft }: HeadingMenuProps) {
  const messages = useFirstMessages()
  const [DisconnectAll, loadDisconnectAll] = useDisconnectAll()
  const [open, setOpen] = useState<boolean>()
  const trigger = useRef<HTMLButtonElement>(null)
  const panel = useRef<Element>(null)
  return (
    <>
      {several && (
        <MoreButton
          ref={trigger}
          aria-label={messages.moreShort}
          aria-haspopup="menu"
          aria-expanded={open === true}
          onIntent={loadDisconnectAll}
          onClick={({ currentTarget }) => {
            panel.current = currentTarget.closest('.latchkey-panel')
            setOpen(!open)
          }}
        />
      )}
      {open !== undefined && DisconnectAll && (
        <DisconnectAll
          open={open}
          onClose={() => setOpen(false)}
          trigger={trigger}
          onLeft={onLeft}
          onGone={() => (trigger.current ?? firstStop(panel.current))?.focus()}
        />
      )}
    </>
  )
}
