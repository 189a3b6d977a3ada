'use client'
import type { ProviderState } from '@latchkey/core'
import { useMessages } from '../messages/en.ts'
import { useKit } from '../provider.tsx'
import { QuestionDialog } from './question-dialog.tsx'

export interface DifferentAccountQuestionProps {
  /** Provider id. */
  provider: string
  changed: NonNullable<ProviderState['changed']>
  theme: string | undefined
  onClose: () => void
  onClosed: (() => void) | undefined
}

/** The open dialog of a `DifferentAccountDialog`, or of a card: a module of its own, so it is only loaded when needed. */
export function DifferentAccountQuestion(props: DifferentAccountQuestionProps) {
  const { provider, changed, theme, onClose, onClosed } = props
  const { from, to } = changed
  const { client } = useKit()
  const messages = useMessages()
  const answer = (choice: 'keep-both' | 'replace' | 'cancel') => () => {
    onClose()
    // What fails is in the provider's state, where its card shows it.
    client.resolveChange(provider, choice).catch(() => {})
  }
  return (
    <QuestionDialog
      firm
      title={messages.changedTitle(to.label)}
      body={messages.changedBody(from.label, to.label)}
      answers={[
        { label: messages.keepBoth, kind: 'primary', choose: answer('keep-both') },
        { label: messages.replace(from.label), kind: 'secondary', choose: answer('replace') },
        { label: messages.cancelShort, kind: 'secondary', choose: answer('cancel') },
      ]}
      theme={theme}
      onClose={onClose}
      onClosed={onClosed}
    />
  )
}
