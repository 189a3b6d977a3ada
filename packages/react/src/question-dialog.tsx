'use client'
import { Content, Description, Overlay, Portal, Root, Title } from '@radix-ui/react-dialog'

export interface Answer {
  label: string
  kind: 'primary' | 'secondary' | 'danger'
  choose: () => void
}

export interface QuestionDialogProps {
  /** The question. */
  title: string
  /** What will happen. */
  body: string
  /** In this order; the first one has the focus, so it should be harmless. */
  answers: readonly Answer[]
  /** The `data-theme` around the card: a dialog is in the body, where it could not inherit it. */
  theme: string | undefined
  /** A click beside it does not close it: for questions that nobody asked for by a click. */
  firm?: boolean
  /** Called when it is closed without an answer. */
  onClose: () => void
  /** Called when the dialog is gone: where the focus should go. */
  onClosed: () => void
}

/** Asks before something is done. A module of its own, so it is only loaded when somebody might be asked. */
export function QuestionDialog({ title, body, answers, theme, firm, onClose, onClosed }: QuestionDialogProps) {
  return (
    <Root open onOpenChange={(open) => !open && onClose()}>
      <Portal>
        <div className="latchkey latchkey-layer" data-theme={theme}>
          <Overlay className="latchkey-overlay" />
          <Content
            className="latchkey-dialog"
            onInteractOutside={(event) => firm && event.preventDefault()}
            onCloseAutoFocus={(event) => {
              event.preventDefault()
              onClosed()
            }}
          >
            <Title className="latchkey-heading">{title}</Title>
            <Description className="latchkey-description">{body}</Description>
            <div className="latchkey-actions">
              {answers.map(({ label, kind, choose }) => (
                <button key={label} type="button" className="latchkey-button" data-kind={kind} onClick={choose}>
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
