'use client'
import type { DisconnectReceipt } from '@latchkey/core'
import { Slot } from '@radix-ui/react-slot'
import type { ReactNode } from 'react'
import { later } from '../later.tsx'
import { About, type AboutProps, useSubject } from '../parts/context.tsx'
import { useControllable } from '../ui/controllable.ts'

const useQuestion = /* @__PURE__ */ later(() => import('./questions.lazy.tsx'), 'DisconnectQuestion')

/** Props of {@link DisconnectDialog}. */
export type DisconnectDialogProps = AboutProps & {
  /** A button that opens it. Without one, `open` does. */
  children?: ReactNode
  /** Whether it is open, where the app decides that. @default it decides by itself */
  open?: boolean
  /** Whether it is open when it is mounted. @default false */
  defaultOpen?: boolean
  /** Called when it opens or closes. */
  onOpenChange?: (open: boolean) => void
  /** Called with the receipt: whether the access was revoked or only removed here. */
  onDisconnected?: (receipt: DisconnectReceipt) => void
  /**
   * `shown`: the dialog stays and shows the receipt. `left`: it closes at once and leaves that to `onDisconnected`.
   *
   * @default `shown`
   */
  receipt?: 'shown' | 'left'
  /** Called when the dialog is gone: moves the focus. @default back to where it was */
  onClosed?: () => void
}

/**
 * Asks before an account is disconnected, and says whether its access was revoked or only removed here. Renders its
 * trigger and, while it is open, a modal dialog at the end of the body.
 */
export function DisconnectDialog({ provider, accountId, ...props }: DisconnectDialogProps) {
  return (
    <About provider={provider} accountId={accountId}>
      <Dialog {...props} />
    </About>
  )
}

function Dialog(props: Omit<DisconnectDialogProps, keyof AboutProps>) {
  const { children, open, defaultOpen = false, onOpenChange, onDisconnected, receipt = 'shown', onClosed } = props
  const { provider, account } = useSubject('DisconnectDialog')
  const [shown, setShown] = useControllable(open, defaultOpen, onOpenChange)
  const [Question, loadQuestion] = useQuestion(shown)
  return (
    <>
      {children !== undefined && (
        <Slot
          aria-haspopup="dialog"
          onPointerEnter={loadQuestion}
          onFocus={loadQuestion}
          onClick={() => setShown(true)}
        >
          {children}
        </Slot>
      )}
      {shown && Question && (
        <Question
          provider={provider}
          account={account}
          receipt={receipt}
          onDisconnected={onDisconnected}
          onClose={() => setShown(false)}
          onClosed={onClosed}
        />
      )}
    </>
  )
}
