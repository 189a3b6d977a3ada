'use client'
import type { ConnectedAccount, DisconnectReceipt, Provider } from '@latchkey/core'
import { useState } from 'react'
import { useDisconnect } from '../hooks.ts'
import { useMessages } from '../messages/en.ts'
import { QuestionDialog } from './question-dialog.tsx'
import { Receipt } from './receipt.tsx'

export interface DisconnectQuestionProps {
  provider: Provider
  account: ConnectedAccount | undefined
  receipt: 'shown' | 'left'
  theme: string | undefined
  onDisconnected: ((receipt: DisconnectReceipt) => void) | undefined
  onClose: () => void
  onClosed: (() => void) | undefined
}

/** What was confirmed, and what became of it once that is known. */
interface Ending {
  receipt: DisconnectReceipt | undefined
}

/** The open dialog of a `DisconnectDialog`, or of a card: a module of its own, so it is only loaded on intent. */
export function DisconnectQuestion(props: DisconnectQuestionProps) {
  const { provider, account, receipt, theme, onDisconnected, onClose, onClosed } = props
  const { name } = provider
  const messages = useMessages()
  const { disconnect } = useDisconnect()
  const [ending, setEnding] = useState<Ending>()
  const confirm = async () => {
    if (!account) return
    if (receipt === 'left') onClose()
    else setEnding({ receipt: undefined })
    const result = await disconnect(account.id)
    if (receipt === 'shown') setEnding({ receipt: result })
    onDisconnected?.(result)
  }
  const about = provider.kind === 'api-key' ? messages.disconnectKeyBody : messages.disconnectBody
  const cancel = { label: messages.cancelShort, kind: 'secondary', choose: onClose } as const
  const question = !ending
    ? account && {
        title: messages.disconnectTitle(name),
        body: about(name, account.label),
        answers: [cancel, { label: messages.disconnectShort, kind: 'danger', choose: confirm } as const],
      }
    : ending.receipt
      ? {
          title: messages.disconnectedTitle(name),
          body: <Receipt provider={provider} receipt={ending.receipt} account={undefined} />,
          answers: [{ ...cancel, label: messages.done }],
        }
      : { title: messages.disconnectTitle(name), body: messages.disconnecting, answers: [cancel], busy: true }
  return question && <QuestionDialog {...question} theme={theme} onClose={onClose} onClosed={onClosed} />
}
