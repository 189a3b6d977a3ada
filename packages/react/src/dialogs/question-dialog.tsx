'use client'
import { Content, Description, Overlay, Portal, Root, Title } from '@radix-ui/react-dialog'
import { type ReactNode, useEffect, useRef } from 'react'
import { useLanguage } from '../messages/en.ts'

export interface Answer {
  label: string
  kind: 'primary' | 'secondary' | 'danger'
  choose: () => void
}

export interface QuestionDialogProps {
  /** The question. */
  title: string
  /** What will happen. */
  body: ReactNode
  /** In this order; the first one has the focus, so it should be harmless. */
  answers: readonly Answer[]
  /** The `data-theme` around the card: a dialog is in the body, where it could not inherit it. */
  theme: string | undefined
  /** A click beside it does not close it: for questions that nobody asked for by a click. */
  firm?: boolean
  /** The answer is being carried out: there is nothing to choose. */
  busy?: boolean
  /** Called when it is closed without an answer. */
  onClose: () => void
  /** Called when the dialog is gone: moves the focus. Default: back to where it was. */
  onClosed?: () => void
}

/** Asks before something is done. A module of its own, so it is only loaded when somebody might be asked. */
export function QuestionDialog({
  title,
  body,
  answers,
  theme,
  firm,
  busy = false,
  onClose,
  onClosed,
}: QuestionDialogProps) {
  const home = useRef<Element>(null)
  const actions = useRef<HTMLDivElement>(null)
  const asked = useRef(title)
  useEffect(() => {
    if (asked.current === title) return
    asked.current = title
    // What had the focus was an answer to the question before.
    actions.current?.querySelector('button')?.focus()
  }, [title])
  return (
    <Root open onOpenChange={(open) => !open && !busy && onClose()}>
      <Portal>
        <div className="latchkey latchkey-layer" {...useLanguage()} data-theme={theme}>
          <Overlay className="latchkey-overlay" />
          <Content
            className="latchkey-dialog"
            aria-busy={busy || undefined}
            onInteractOutside={(event) => firm && event.preventDefault()}
            onOpenAutoFocus={() => {
              home.current = document.activeElement
            }}
            onCloseAutoFocus={(event) => {
              event.preventDefault()
              if (onClosed) onClosed()
              else if (home.current instanceof HTMLElement) home.current.focus()
            }}
          >
            <Title className="latchkey-heading">{title}</Title>
            <Description asChild className="latchkey-description">
              <div aria-live="polite">{body}</div>
            </Description>
            <div ref={actions} className="latchkey-actions">
              {answers.map(({ label, kind, choose }) => (
                <button
                  key={label}
                  type="button"
                  className="latchkey-button"
                  data-kind={kind}
                  aria-disabled={busy || undefined}
                  onClick={() => busy || choose()}
                >
                  {label}
                </button>
              ))}
            </div>
          </Content>
        </div>
      </Portal>
    </Root>
  )
}
