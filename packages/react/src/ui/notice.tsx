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
    <div className="latchkey-notice" data-tone={tone} role={tone === 'error' ? 'alert' : undefined}>
      {busy && <span className="latchkey-spinner" aria-hidden="true" />}
      <p>{children}</p>
      {actions && <div className="latchkey-actions">{actions}</div>}
    </div>
  )
}

/** A small button of a notice. `label` is its accessible name where the visible word is too short to be one. */
export function NoticeButton(props: { label?: string; onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      className="latchkey-button"
      data-kind="secondary"
      data-size="small"
      aria-label={props.label}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  )
}
