'use client'
import { accountsOf, type ConnectedAccount, type DisconnectReceipt, type Provider } from '@latchkey/core'
import { type RefObject, useEffect, useState } from 'react'
import { Receipt } from '../dialogs/receipt.lazy.tsx'
import { useKit, useSnapshot } from '../hooks.ts'
import { StatusWord } from '../parts/status-word.tsx'
import { SmallButton } from '../ui/button.tsx'
import { isHere } from '../ui/kept-focus.lazy.ts'
import { useAnnounce } from '../ui/live-region.tsx'
import { Notice } from '../ui/notice.tsx'
import { useConnect } from '../use-connect.ts'
import { useMessages } from '../use-messages.ts'
import { ConnectNotice } from './connect-notice.lazy.tsx'
import { type ConnectIntent, useStart } from './start.ts'

/** Something that happened to an account in its card. */
export interface News {
  account: ConnectedAccount
  /**
   * It is being disconnected, or was. Absent: it was to be added, and is connected already. Rejects only if the code that
   * disconnects could not be loaded.
   */
  receipt?: Promise<DisconnectReceipt>
  /** Its provider had no other account. */
  alone?: boolean
}

interface BusyRowProps {
  provider: Provider
  /** What the connect under way is about. */
  intent: ConnectIntent
}

/** Line and actions of a row while a window is waited for. */
export function BusyRow({ provider, intent }: BusyRowProps) {
  const messages = useMessages()
  const { name } = provider
  const { reason, cancel } = useConnect(provider.id)
  const start = useStart(provider, intent)
  const isClosed = reason === 'popup_closed'
  const words = {
    popup_closed: messages.popupClosed,
    finishing: messages.finishing(name),
    popup_blocked: messages.status.connecting,
    embedded: messages.status.connecting,
  }
  const front = isClosed
    ? { label: messages.tryAgainShort, name: messages.tryAgain(name) }
    : !reason && { label: messages.showWindowShort, name: messages.showWindow(name) }
  return (
    <>
      <p className="latchkey-line" data-slot="line">
        <StatusWord
          status={isClosed ? 'needs-reconnect' : 'connecting'}
          word={words[reason as keyof typeof words] ?? messages.waiting(name)}
        />
      </p>
      <div className="latchkey-actions" data-slot="action">
        {/* Where a window is open already, the client brings it to the front. */}
        {front && <SmallButton {...front} className="latchkey-connect" onPress={() => start()} />}
        <SmallButton label={messages.cancelShort} name={messages.cancelConnect(name)} onPress={cancel} />
      </div>
    </>
  )
}

interface CardEventsProps {
  provider: Provider
  /** What the last connect was about. */
  intent: ConnectIntent
  card: RefObject<HTMLElement | null>
  /** No button of the card starts that again. */
  alone: boolean
  news: readonly News[]
  onSeen: (seen: News) => void
}

/** What a card says of things that happened: a connect that did not go well, an account added twice, receipts. */
export function CardEvents(props: CardEventsProps) {
  const { provider, intent, card, alone, news, onSeen } = props
  useFocusOnAdded(provider, card)
  return (
    <>
      <ConnectNotice provider={provider} alone={alone} inRow {...intent} />
      {news.map((one) => {
        const { account, alone = false, receipt } = one
        const common = { provider, account, onDismiss: () => onSeen(one) }
        return receipt ? (
          <Farewell key={account.id} {...common} alone={alone} receipt={receipt} />
        ) : (
          <Duplicate key={account.id} {...common} />
        )
      })}
    </>
  )
}

/** Puts the focus on the account that a connect has added to a card, unless the person went on elsewhere meanwhile. */
function useFocusOnAdded(provider: Provider, card: RefObject<HTMLElement | null>) {
  const { client } = useKit()
  const { status } = useConnect(provider.id)
  const connecting = status === 'connecting'
  useEffect(() => {
    if (!connecting) return
    const ids = () => accountsOf(client.getSnapshot(), provider.id).map(({ id }) => id)
    const before = ids()
    const place = card.current
    // At the end of the connect, when the new row is there and this may be gone already.
    return () => {
      const added = ids().find((id) => !before.includes(id))
      if (!added || !place || !isHere(place)) return
      place.querySelector<HTMLElement>(`[data-account="${CSS.escape(added)}"] .latchkey-opener`)?.focus()
    }
  }, [client, provider.id, connecting, card])
}

interface NewsProps {
  provider: Provider
  account: ConnectedAccount
  onDismiss: () => void
}

/** An account that was to be added is connected already. Nothing once it is gone. */
function Duplicate({ provider, account, onDismiss }: NewsProps) {
  const messages = useMessages()
  const isThere = useSnapshot(({ accounts }) => account.id in accounts)
  if (!isThere) return null
  return (
    <Notice actions={<SmallButton label={messages.dismiss} onPress={onDismiss} />}>
      {messages.sameAccount(provider.name, account.label)}
    </Notice>
  )
}

/** A disconnect: that it is under way, then its receipt, which is said too. */
function Farewell(props: NewsProps & { alone: boolean; receipt: Promise<DisconnectReceipt> }) {
  const { provider, account, alone, receipt: promise, onDismiss } = props
  const messages = useMessages()
  const announce = useAnnounce()
  const [receipt, setReceipt] = useState<DisconnectReceipt | 'failed'>()
  useEffect(() => {
    promise.then(setReceipt, () => setReceipt('failed'))
  }, [promise])
  useEffect(() => {
    if (!receipt || receipt === 'failed') return
    const { spoken } = messages
    announce((receipt.status === 'revoked' ? spoken.revoked : spoken.removed)(provider.name))
  }, [announce, messages, receipt, provider.name])
  if (!receipt) {
    return <Notice busy>{provider.kind === 'api-key' ? messages.disconnecting : messages.revoking}</Notice>
  }
  if (receipt !== 'failed') {
    const label = alone ? undefined : account.label
    return <Receipt provider={provider} receipt={receipt} account={label} onDismiss={onDismiss} />
  }
  const reload = <SmallButton label={messages.reload} onPress={() => location.reload()} />
  return (
    <Notice tone="error" actions={reload}>
      {messages.loadFailed}
    </Notice>
  )
}
