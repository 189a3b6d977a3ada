'use client'
import type { ReactNode } from 'react'

interface NoticeProps {
  tone?: 'quiet' | 'warning' | 'error' | 'success'
  busy?: boolean
  actions?: ReactNode
  children: ReactNode
}

/** One line about what happened, with what can be done about it. */
export function Notice({ tone = 'quiet', busy, actions, children }: NoticeProps) {
  return (
    <div className="latchkey-notice" data-slot="notice" data-tone={tone} role={tone === 'error' ? 'alert' : undefined}>
      {busy && <span className="latchkey-spinner" aria-hidden="true" />}
      <p>{children}</p>
      {actions && <div className="latchkey-actions">{actions}</div>}
    </div>
  )
}
