'use client'
import type { ConnectedAccount, DisconnectReceipt, Provider } from '@latchkey/core'
import { useEffect } from 'react'
import { Receipt } from '../dialogs/receipt.lazy.tsx'
import { SmallButton } from '../ui/button.tsx'
import { useAnnounce } from '../ui/live-region.tsx'
import { Notice } from '../ui/notice.tsx'
import { useMessages } from '../use-messages.ts'
import { ConnectNotice } from './connect-notice.lazy.tsx'
import type { ConnectIntent } from './start.ts'

/** An account that was disconnected here, and its receipt. */
export interface Farewell {
  account: ConnectedAccount
  /** Its provider had other accounts. */
  several: boolean
  receipt: DisconnectReceipt
}

interface CardEventsProps {
  provider: Provider
  /** What the last connect was about. */
  intent: ConnectIntent
  /** No button of the card starts that again. */
  alone: boolean
  /** The account that was to be added and is connected already. */
  duplicateLabel: string | undefined
  onDuplicateSeen: () => void
  farewells: readonly Farewell[]
  onFarewellSeen: (farewell: Farewell) => void
}

/** What a card says of things that happened: a connect under way or failed, an account added twice, receipts. */
export function CardEvents(props: CardEventsProps) {
  const { provider, intent, alone, duplicateLabel, onDuplicateSeen, farewells, onFarewellSeen } = props
  const messages = useMessages()
  return (
    <>
      <ConnectNotice provider={provider} alone={alone} {...intent} />
      {duplicateLabel && (
        <Notice actions={<SmallButton label={messages.dismiss} onPress={onDuplicateSeen} />}>
          {messages.sameAccount(provider.name, duplicateLabel)}
        </Notice>
      )}
      {farewells.map((farewell) => (
        <SpokenReceipt
          key={farewell.account.id}
          provider={provider}
          farewell={farewell}
          onDismiss={() => onFarewellSeen(farewell)}
        />
      ))}
    </>
  )
}

function SpokenReceipt(props: { provider: Provider; farewell: Farewell; onDismiss: () => void }) {
  const { provider, farewell, onDismiss } = props
  const { account, several, receipt } = farewell
  const { spoken } = useMessages()
  const announce = useAnnounce()
  useEffect(() => {
    announce((receipt.status === 'revoked' ? spoken.revoked : spoken.removed)(provider.name))
  }, [announce, spoken, receipt, provider.name])
  const label = several ? account.label : undefined
  return <Receipt provider={provider} receipt={receipt} account={label} onDismiss={onDismiss} />
}
