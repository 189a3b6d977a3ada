'use client'
import {
  type Account as AccountFacts,
  type CardStatus,
  cardStatus,
  type DisconnectReceipt,
  type Provider,
  providerState,
} from '@latchkey/core'
import { useQuery } from '@tanstack/react-query'
import { memo, type RefObject, useEffect, useId, useRef, useState } from 'react'
import * as Account from './account.tsx'
import { Avatar } from './avatar.tsx'
import { ConnectControl, ConnectNotice, Notice, NoticeButton } from './connect-button.tsx'
import { useKit } from './context.tsx'
import { useDisconnect, useProvider, useProviderAccounts, useSnapshot } from './hooks.ts'
import { later } from './later.ts'
import { LiveRegion, useAnnounce } from './live-region.tsx'
import { type Messages, useMessages } from './messages.ts'

const useDialog = later(async () => (await import('./disconnect-dialog.tsx')).DisconnectDialog)

const HOUR = 3_600_000

export interface AccountCardProps {
  /** Provider id. */
  provider: string
  className?: string
}

/**
 * One provider's card: connect, see who is connected and what was granted, reconnect, disconnect. Renders an `article`
 * with `data-status` (a `CardStatus`) and `data-provider`; nothing for a provider that the page does not know.
 */
export const AccountCard = memo(function AccountCard({ provider: providerId, className }: AccountCardProps) {
  const provider = useProvider(providerId)
  if (!provider) return null
  return (
    <LiveRegion>
      <Card provider={provider} className={className} />
    </LiveRegion>
  )
})

function Card({ provider, className }: { provider: Provider; className: string | undefined }) {
  const messages = useMessages()
  const { name } = provider
  const accounts = useProviderAccounts(provider.id)
  const status = useSnapshot((snapshot) => cardStatus(snapshot, provider.id))
  const state = useSnapshot((snapshot) => providerState(snapshot, provider.id))
  const [receipt, setReceipt] = useState<DisconnectReceipt>()
  const card = useRef<HTMLElement>(null)
  const titleId = useId()
  const announce = useAnnounce()
  useKeptFocus(card, `${status} ${state.reason} ${accounts.length}`)
  useSpokenStatus(name, status, accounts, state.reason)

  const unconfigured = accounts.length === 0 && state.error?.code === 'not_configured'
  const broken = accounts.find((account) => account.status === 'needs-reconnect' || account.status === 'error')
  const intent = broken && {
    accountId: broken.id,
    accountLabel: accounts.length > 1 ? broken.label : undefined,
  }
  // What became of the last account is of no interest once the next is on its way.
  if (receipt && status !== 'disconnected' && accounts.length === 0) setReceipt(undefined)

  return (
    <Account.Root asChild provider={provider.id}>
      <article
        ref={card}
        className={['latchkey latchkey-card', className].filter(Boolean).join(' ')}
        aria-labelledby={titleId}
        aria-busy={status === 'loading' || undefined}
      >
        <div className="latchkey-head">
          <Account.Icon className="latchkey-mark" />
          <div className="latchkey-title">
            <h3 id={titleId} className="latchkey-name" tabIndex={-1}>
              {name}
            </h3>
            <p className="latchkey-line">{provider.description}</p>
          </div>
          {status === 'loading' && <span className="latchkey-bone" aria-hidden="true" />}
          {unconfigured && (
            <span className="latchkey-status" data-status="disconnected">
              {messages.notConfigured}
            </span>
          )}
          {status !== 'loading' && status !== 'disconnected' && <Account.Status className="latchkey-status" />}
          {status !== 'loading' && accounts.length === 0 && <ConnectControl provider={provider} />}
        </div>
        {accounts.map((account) => (
          <AccountRow
            key={account.id}
            provider={provider}
            account={account}
            several={accounts.length > 1}
            card={card}
            onReceipt={(next) => {
              setReceipt(next)
              announce(next.status === 'revoked' ? messages.spoken.revoked(name) : messages.spoken.removed(name))
            }}
          />
        ))}
        <ConnectNotice provider={provider} {...intent} />
        {receipt && (
          <Receipt provider={provider} receipt={receipt} messages={messages} onDismiss={() => setReceipt(undefined)} />
        )}
      </article>
    </Account.Root>
  )
}

interface AccountRowProps {
  provider: Provider
  account: AccountFacts
  several: boolean
  card: RefObject<HTMLElement | null>
  onReceipt: (receipt: DisconnectReceipt) => void
}

function AccountRow({ provider, account, several, card, onReceipt }: AccountRowProps) {
  const messages = useMessages()
  const { disconnect } = useDisconnect()
  const [asking, setAsking] = useState<{ theme: string | undefined }>()
  const [Dialog, loadDialog] = useDialog()
  const trigger = useRef<HTMLButtonElement>(null)
  const label = several ? account.label : undefined
  const needsReconnect = account.status === 'needs-reconnect' || account.status === 'error'
  useFreshProfile(provider, account)

  const fullName = account.name ?? account.label
  const handle = [account.username, account.email, account.label].find((word) => word && word !== fullName)
  const why = account.reason && messages.reasons[account.reason]?.(provider.name)

  const confirm = () => {
    setAsking(undefined)
    disconnect(account.id).then(onReceipt)
  }
  return (
    <Account.Root provider={provider.id} accountId={account.id} className="latchkey-account">
      <Avatar account={account} />
      <div className="latchkey-who">
        <Account.Identity asChild>
          <p className="latchkey-identity">
            <strong>{fullName}</strong>
            {handle && <span className="latchkey-line">{handle}</span>}
            {provider.kind === 'api-key' && <span className="latchkey-tag">{messages.apiKeyBadge}</span>}
          </p>
        </Account.Identity>
        {several && <Account.Status className="latchkey-status" />}
        {why && <p className="latchkey-why">{why}</p>}
        <Account.Expiry className="latchkey-why" />
      </div>
      {needsReconnect && <ConnectControl provider={provider} accountId={account.id} accountLabel={label} />}
      <button
        ref={trigger}
        type="button"
        className="latchkey-button latchkey-disconnect"
        data-kind="quiet"
        aria-label={messages.disconnect(provider.name, label)}
        aria-haspopup="dialog"
        onPointerEnter={loadDialog}
        onFocus={loadDialog}
        onClick={({ currentTarget }) => {
          loadDialog()
          setAsking({ theme: currentTarget.closest<HTMLElement>('[data-theme]')?.dataset.theme })
        }}
      >
        {messages.disconnectShort}
      </button>
      <Account.Scopes className="latchkey-scopes" />
      {asking && Dialog && (
        <Dialog
          title={messages.disconnectTitle(provider.name)}
          body={(provider.kind === 'api-key' ? messages.disconnectKeyBody : messages.disconnectBody)(
            provider.name,
            account.label,
          )}
          theme={asking.theme}
          onConfirm={confirm}
          onClose={() => setAsking(undefined)}
          onClosed={() => (trigger.current ?? firstStop(card.current))?.focus()}
        />
      )}
    </Account.Root>
  )
}

interface ReceiptProps {
  provider: Provider
  receipt: DisconnectReceipt
  messages: Messages
  onDismiss: () => void
}

/** What became of the access, in so many words: "removed" is not "revoked". */
function Receipt({ provider, receipt, messages, onDismiss }: ReceiptProps) {
  const { name } = provider
  const dismiss = <NoticeButton onClick={onDismiss}>{messages.dismiss}</NoticeButton>
  if (receipt.status === 'revoked') {
    return (
      <Notice tone="success" actions={dismiss}>
        {messages.revoked(name)}
      </Notice>
    )
  }
  const manageUrl = receipt.manageUrl ?? provider.manageUrl
  return (
    <Notice tone="warning" actions={dismiss}>
      {receipt.error
        ? messages.removedUntold(name, receipt.error.code === 'network' ? messages.untoldNetwork : messages.untoldOther)
        : (provider.kind === 'api-key' ? messages.removedKey : messages.removed)(name)}{' '}
      {manageUrl && (
        <a className="latchkey-link" href={manageUrl} target="_blank" rel="noopener noreferrer">
          {messages.manage(name)}
        </a>
      )}
    </Notice>
  )
}

/** Reads name and picture again once they are an hour old. The cache is given the account's id and nothing else. */
function useFreshProfile(provider: Provider, account: AccountFacts) {
  const { client } = useKit()
  useQuery({
    queryKey: ['latchkey', 'profile', account.id],
    queryFn: async () => (await client.refreshProfile(account.id)).id,
    enabled: provider.kind === 'oauth' && provider.profile?.cors === true && account.status === 'connected',
    // A new account's profile was read when it was connected.
    initialData: account.id,
    initialDataUpdatedAt: account.connectedAt,
    staleTime: HOUR,
    retry: false,
    throwOnError: false,
    // The store tells of what changed, so this query's own progress need not render anything.
    notifyOnChangeProps: [],
  })
}

/** Where a keyboard goes on in a card: connecting or cancelling that, else disconnecting, else its heading. */
const STOPS = ['.latchkey-connect', '[data-tone=quiet] button', '.latchkey-disconnect', 'h3']

function firstStop(card: HTMLElement | null): HTMLElement | null {
  const found = STOPS.map((selector) => card?.querySelector<HTMLElement>(selector))
  return found.find((node) => node) ?? null
}

/** Keeps the focus in the card when the button that had it went away with the state that it belonged to. */
function useKeptFocus(card: RefObject<HTMLElement | null>, situation: string) {
  const inside = useRef(false)
  useEffect(() => {
    const follow = (event: FocusEvent) => {
      inside.current = card.current?.contains(event.target as Node) ?? false
    }
    document.addEventListener('focusin', follow)
    return () => document.removeEventListener('focusin', follow)
  }, [card])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the situation is what may have taken the button away.
  useEffect(() => {
    const { activeElement, body } = document
    if (inside.current && (!activeElement || activeElement === body)) firstStop(card.current)?.focus()
  }, [card, situation])
}

/** Says what became of the card, whenever it becomes something else. */
function useSpokenStatus(
  name: string,
  status: CardStatus,
  accounts: readonly AccountFacts[],
  reason: string | undefined,
) {
  const { spoken, status: words } = useMessages()
  const announce = useAnnounce()
  const label = accounts[accounts.length - 1]?.label ?? ''
  const last = useRef({ status, reason })
  useEffect(() => {
    const before = last.current
    last.current = { status, reason }
    if (before.status === 'loading' || (before.status === status && before.reason === reason)) return
    if (status === 'connecting')
      announce(reason === 'popup_closed' ? spoken.windowClosed(name) : spoken.connecting(name))
    else if (reason === 'popup_blocked') announce(spoken.windowBlocked(name))
    else if (reason === 'access_denied') announce(spoken.denied(name))
    else if (status === 'connected') announce(spoken.connected(name, label))
    else if (status !== 'disconnected' && status !== 'loading') announce(spoken.attention(name, words[status]))
  }, [status, reason, name, label, announce, spoken, words])
}
