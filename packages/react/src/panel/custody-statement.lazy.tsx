'use client'
import type { Custody } from '@latchkey/core'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import { Button } from '../ui/button.tsx'
import { whenIdle } from '../ui/idle.ts'
import { useFirstMessages } from '../use-first-messages.ts'

/** Loaded with the first account: a page that is offline loads nothing more. */
const useOfflineNote = /* @__PURE__ */ later(() => import('./account-line.lazy.tsx'), 'OfflineNote', true)
const useInfo = /* @__PURE__ */ later(() => import('./custody-info.lazy.tsx'), 'CustodyInfo')

/** One line that says where secrets rest, and the button that says what this means. Loaded once the page is painted. */
export function CustodyStatement({ custody }: { custody: Custody }) {
  const messages = useFirstMessages()
  const [Info, loadInfo] = useInfo()
  const [open, setOpen] = useState(false)
  const trigger = useRef<HTMLButtonElement>(null)
  const some = useSnapshot(({ accounts }) => Object.keys(accounts).length > 0)
  const offline = useSyncExternalStore(
    followNetwork,
    () => !navigator.onLine,
    () => false,
  )
  const [Offline] = useOfflineNote(some)
  useEffect(() => {
    const panel = trigger.current?.closest('.latchkey-panel')
    const check = () => import('./theme-check.lazy.ts').then(({ checkTheme }) => panel && checkTheme(panel))
    return whenIdle(() => void check().catch(() => {}))
  }, [])
  return (
    <>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M5 7V5a3 3 0 0 1 6 0v2m-7.5 0h9v6.5h-9z" />
      </svg>
      {offline && some && Offline ? <Offline /> : <p>{messages.custody[custody]}</p>}
      <Button
        ref={trigger}
        className="latchkey-dots"
        kind="quiet"
        aria-label={messages.custodyMore}
        aria-haspopup="dialog"
        aria-expanded={open}
        onIntent={loadInfo}
        onClick={() => setOpen(!open)}
      >
        <i aria-hidden="true">i</i>
      </Button>
      {open && Info && <Info custody={custody} trigger={trigger} onClose={() => setOpen(false)} />}
    </>
  )
}

function followNetwork(changed: () => void): () => void {
  const stop = new AbortController()
  addEventListener('online', changed, stop)
  addEventListener('offline', changed, stop)
  return () => stop.abort()
}
