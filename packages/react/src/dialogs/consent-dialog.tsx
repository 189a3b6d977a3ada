'use client'
import { later } from '../later.tsx'
import { useControllable } from '../ui/controllable.ts'
import type { UseConsentOptions } from './consent-items.ts'

const useQuestion = /* @__PURE__ */ later(() => import('./questions.lazy.tsx'), 'ConsentQuestion')

/** Props of {@link ConsentDialog}. */
export interface ConsentDialogProps extends UseConsentOptions {
  /** The account's label, when it is given more than it has. */
  account?: string
  /** Whether it is open, where the app decides that. */
  open?: boolean
  /** Whether it is open when it is mounted. @default true */
  defaultOpen?: boolean
  /** Called when it opens or closes. */
  onOpenChange?: (open: boolean) => void
  /**
   * Called in the click, with what to pass to `connect(provider, { scopes })`. Call that before any `await`: browsers
   * open a window in the click only. The dialog closes.
   */
  onContinue: (scopes: readonly string[]) => void
  /** Called when the dialog is gone: moves the focus. @default Back to where it was. */
  onClosed?: () => void
}

/**
 * Asks what an agent may do at a provider, before the provider's own page does. `ConnectButton`, `ConnectPrompt` and
 * the panel open it by themselves where the `LatchkeyProvider` says `consent`.
 */
export function ConsentDialog({ open, defaultOpen = true, onOpenChange, onContinue, ...props }: ConsentDialogProps) {
  const [shown, setShown] = useControllable(open, defaultOpen, onOpenChange)
  const [Question] = useQuestion(shown)
  return (
    shown &&
    Question && (
      <Question
        {...props}
        onContinue={(scopes) => {
          setShown(false)
          onContinue(scopes)
        }}
        onClose={() => setShown(false)}
      />
    )
  )
}
