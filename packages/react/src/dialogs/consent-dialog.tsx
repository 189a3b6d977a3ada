'use client'
import { useKit } from '../provider.tsx'
import { brandMark } from '../ui/icons.tsx'
import type { UseConsentOptions } from './consent-items.ts'
import { ConsentQuestion } from './consent-question.tsx'

export interface ConsentDialogProps extends UseConsentOptions {
  /** The account's label, when it is given more than it has. */
  account?: string
  /** The `data-theme` around what opened it: a dialog is in the body, where it could not inherit it. */
  theme?: string
  /**
   * Called in the click, with what to pass to `connect(provider, { scopes })`. Call that before any `await`: browsers
   * open a window in the click only.
   */
  onContinue: (scopes: readonly string[]) => void
  /** Called when it is closed without an answer. */
  onClose: () => void
  /** Called when the dialog is gone: moves the focus. Default: it goes back to where it was. */
  onClosed?: () => void
}

/**
 * Asks what an agent may do at a provider, before the provider's own page does. Mount it to open it. `ConnectButton`,
 * `ConnectPrompt` and the panel open it by themselves where the `LatchkeyProvider` says `consent`.
 *
 * A component of its own, and not another name of the dialog, for the same reason as `ApiKeyForm`.
 */
export function ConsentDialog(props: ConsentDialogProps) {
  const { icons } = useKit()
  const { id, name } = props.provider
  return <ConsentQuestion {...props} mark={brandMark(id, name, icons)} />
}
