'use client'
import { useState } from 'react'
import type { Farewell } from '../connect/card-events.lazy.tsx'
import { QuestionDialog } from '../dialogs/questions.lazy.tsx'
import { Receipt } from '../dialogs/receipt.lazy.tsx'
import { useAccounts, useDisconnect, useProviders } from '../hooks.ts'
import { SmallButton } from '../ui/button.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'

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
    const receipts = await disconnectAll()
    announce(messages.spoken.disconnectedAll(accounts.length))
    setFarewells(
      accounts.flatMap((account) => {
        const receipt = receipts[account.id]
        return receipt ? [{ account, several: true, receipt }] : []
      }),
    )
  }
  return (
    <>
      {farewells.length > 0 && (
        <div className="latchkey-farewells">
          <div>
            {farewells.map(({ account, receipt }) => {
              const provider = providers.find(({ id }) => id === account.provider)
              return (
                provider && <Receipt key={account.id} provider={provider} receipt={receipt} account={account.label} />
              )
            })}
          </div>
          <SmallButton label={messages.dismiss} onPress={() => setFarewells([])} />
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
