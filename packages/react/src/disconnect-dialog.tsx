'use client'
import { Content, Description, Overlay, Portal, Root, Title } from '@radix-ui/react-dialog'
import { useMessages } from './messages.ts'

export interface DisconnectDialogProps {
  /** The question. */
  title: string
  /** What will happen. */
  body: string
  /** The `data-theme` around the card: a dialog is in the body, where it could not inherit it. */
  theme: string | undefined
  onConfirm: () => void
  onClose: () => void
  /** Called when the dialog is gone: where the focus should go. */
  onClosed: () => void
}

/** Asks before an account is disconnected. A module of its own, so it is only loaded when somebody might ask. */
export function DisconnectDialog({ title, body, theme, onConfirm, onClose, onClosed }: DisconnectDialogProps) {
  const messages = useMessages()
  return (
    <Root open onOpenChange={(open) => !open && onClose()}>
      <Portal>
        <div className="latchkey latchkey-layer" data-theme={theme}>
          <Overlay className="latchkey-overlay" />
          <Content
            className="latchkey-dialog"
            onCloseAutoFocus={(event) => {
              event.preventDefault()
              onClosed()
            }}
          >
            <Title className="latchkey-heading">{title}</Title>
            <Description className="latchkey-description">{body}</Description>
            <div className="latchkey-actions">
              <button type="button" className="latchkey-button" data-kind="secondary" onClick={onClose}>
                {messages.cancelShort}
              </button>
              <button type="button" className="latchkey-button" data-kind="danger" onClick={onConfirm}>
                {messages.disconnectShort}
              </button>
            </div>
          </Content>
        </div>
      </Portal>
    </Root>
  )
}
