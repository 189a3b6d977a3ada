'use client'
import type { DisconnectReceipt } from '@latchkey/core'
import { useState } from 'react'
import { QuestionDialog } from '../dialogs/questions.lazy.tsx'
import { Receipt } from '../dialogs/receipt.lazy.tsx'
import { useAccounts, useDisconnect, useProviders } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'

/** An account that was disconnected with all others, and its receipt. */
interface Farewell {
  id: string
  provider: string
  label: string
  receipt: DisconnectReceipt
}

export interface DisconnectAllProps {
  /** The question is open. */
  asking: boolean
  onClose: () => void
  onClosed: () => void
}

/** Asks once before all accounts are disconnected, then shows a receipt for each. Loaded on intent. */
export function DisconnectAll({ asking, onClose, onClosed }: DisconnectAllProps) {
  const messages = useMessages()
  const announce = useAnnounce()
  const providers = useProviders()
  const accounts = useAccounts()
  const { disconnectAll } = useDisconnect()
  const [farewells, setFarewells] = useState<readonly Farewell[]>([])
  // Receipts go once there is an account again.
  if (farewells.length > 0 && accounts.length > 0) setFarewells([])

  const confirm = async () => {
    onClose()
    const gone = accounts
    const receipts = await disconnectAll()
    announce(messages.spoken.disconnectedAll(gone.length))
    setFarewells(
      gone.flatMap(({ id, provider, label }) => {
        const receipt = receipts[id]
        return receipt ? [{ id, provider, label, receipt }] : []
      }),
    )
  }
  return (
    <>
      {farewells.length > 0 && (
        <div className="latchkey-farewells">
          <div>
            {farewells.map(({ id, provider: providerId, label, receipt }) => {
              const provider = providers.find((candidate) => candidate.id === providerId)
              return provider && <Receipt key={id} provider={provider} receipt={receipt} account={label} />
            })}
          </div>
          <Button size="small" onClick={() => setFarewells([])}>
            {messages.dismiss}
          </Button>
        </div>
      )}
      {asking && (
        <QuestionDialog
          title={messages.disconnectAllTitle}
          body={messages.disconnectAllBody(accounts.length)}
          answers={[
            { label: messages.cancelShort, kind: 'secondary', choose: onClose },
            { label: messages.disconnectAll, kind: 'danger', choose: confirm },
          ]}
          onClose={onClose}
          onClosed={onClosed}
        />
      )}
    </>
  )
}
