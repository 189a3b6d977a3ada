'use client'
import { type ProviderState, providerState } from '@latchkey/core'
import { useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import { useControllable } from '../ui/controllable.ts'

const useQuestion = /* @__PURE__ */ later(() => import('./questions.lazy.tsx'), 'DifferentAccountQuestion')

/** Props of {@link DifferentAccountDialog}. */
export interface DifferentAccountDialogProps {
  /** Provider id. */
  provider: string
  /** Whether it is open, where the app decides that. @default it decides by itself */
  open?: boolean
  /** Whether it opens as soon as there is something to ask. @default true */
  defaultOpen?: boolean
  /** Called when it opens or closes. */
  onOpenChange?: (open: boolean) => void
  /** Called when the dialog is gone: moves the focus. @default back to where it was */
  onClosed?: () => void
}

/**
 * A reconnect came back as another person: asks whether to keep both, replace the one
 * by the other, or change nothing. Escape only puts the question off. Renders nothing while there is nothing to ask.
 */
export function DifferentAccountDialog(props: DifferentAccountDialogProps) {
  const changed = useSnapshot((snapshot) => providerState(snapshot, props.provider).changed)
  return changed && <Dialog {...props} changed={changed} />
}

function Dialog(props: DifferentAccountDialogProps & { changed: NonNullable<ProviderState['changed']> }) {
  const { provider, changed, open, defaultOpen = true, onOpenChange, onClosed } = props
  const [shown, setShown] = useControllable(open, defaultOpen, onOpenChange)
  const [Question] = useQuestion(true)
  return (
    shown &&
    Question && <Question provider={provider} changed={changed} onClose={() => setShown(false)} onClosed={onClosed} />
  )
}
