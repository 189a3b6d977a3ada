'use client'
import {
  type Account as AccountFacts,
  type CardStatus,
  cardStatus,
  type DisconnectReceipt,
  defaultAccount,
  type Provider,
  providerState,
} from '@latchkey/core'
import { useQuery } from '@tanstack/react-query'
import { memo, type RefObject, useEffect, useId, useRef, useState } from 'react'
import * as Account from './account.tsx'
import { Avatar } from './avatar.tsx'
import {
  ConnectControl,
  type ConnectIntent,
  ConnectNotice,
  firstStop,
  Notice,
  NoticeButton,
  themeAround,
} from './connect-button.tsx'
import { useKit } from './context.tsx'
import { useDisconnect, useProvider, useProviderAccounts, useSnapshot } from './hooks.ts'
import { later } from './later.ts'
import { LiveRegion, useAnnounce } from './live-region.tsx'
import { useMessages } from './messages.ts'
import { Receipt } from './receipt.tsx'
import { ScopeItems } from './scope-items.tsx'

const useQuestion = later(async () => (await import('./question-dialog.tsx')).QuestionDialog)

const HOUR = 3_600_000

export interface AccountCardProps {
  /** Provider id. */
  provider: string
  /** Added to the classes of the outermost element. */
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

/** An account that was disconnected here, and what became of its access. */
interface Farewell {
  account: AccountFacts
  several: boolean
  receipt: DisconnectReceipt
}

function Card({ provider, className }: { provider: Provider; className: string | undefined }) {
  const messages = useMessages()
  const { name } = provider
  const accounts = useProviderAccounts(provider.id)
  const status = useSnapshot((snapshot) => cardStatus(snapshot, provider.id))
  const state = useSnapshot((snapshot) => providerState(snapshot, provider.id))
  const defaultId = useSnapshot((snapshot) => defaultAccount(snapshot, provider.id)?.id)
  const [farewells, setFarewells] = useState<readonly Farewell[]>([])
  const [started, setStarted] = useState<ConnectIntent>()
  const [same, setSame] = useState<string>()
  const card = useRef<HTMLElement>(null)
  const titleId = useId()
  const announce = useAnnounce()
  const words = accounts.map((account) => account.status).join(' ')
  useKeptFocus(card, `${status} ${state.reason} ${state.changed?.to.id} ${words} ${defaultId}`)
  useSpokenStatus(name, status, accounts, state.reason)

  const unconfigured = accounts.length === 0 && state.error?.code === 'not_configured'
  const broken = accounts.find((account) => account.status === 'needs-reconnect' || account.status === 'error')
  const several = accounts.length > 1
  const intent: ConnectIntent =
    started ?? (broken ? { accountId: broken.id, accountLabel: several ? broken.label : undefined } : {})
  // What became of the last account is of no interest once the next is on its way.
  const moved = status === 'connecting' || (accounts.length > 0 && farewells.some((farewell) => !farewell.several))
  if (farewells.length > 0 && moved) setFarewells([])
  if (same && status === 'connecting') setSame(undefined)

  // Who signs in without being asked for a name is the person who did so before.
  const onAdded: NonNullable<ConnectIntent['onConnected']> = ({ account }) => {
    if (accounts.some(({ id }) => id === account.id)) setSame(account.label)
  }
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
          {status !== 'loading' && accounts.length === 0 && <ConnectControl provider={provider} onStart={setStarted} />}
        </div>
        {accounts.map((account) => (
          <AccountRow
            key={account.id}
            provider={provider}
            account={account}
            several={several}
            isDefault={account.id === defaultId}
            card={card}
            onStart={setStarted}
            onAdded={onAdded}
            onReceipt={(receipt) => {
              setFarewells((others) => [...others, { account, several, receipt }])
              announce(receipt.status === 'revoked' ? messages.spoken.revoked(name) : messages.spoken.removed(name))
            }}
          />
        ))}
        <ConnectNotice provider={provider} alone={accounts.length > 0 && !broken} {...intent} />
        {same && (
          <Notice actions={<NoticeButton onClick={() => setSame(undefined)}>{messages.dismiss}</NoticeButton>}>
            {messages.sameAccount(name, same)}
          </Notice>
        )}
        {farewells.map((farewell) => (
          <Receipt
            key={farewell.account.id}
            provider={provider}
            receipt={farewell.receipt}
            account={farewell.several ? farewell.account.label : undefined}
            onDismiss={() => setFarewells((all) => all.filter((other) => other !== farewell))}
          />
        ))}
      </article>
    </Account.Root>
  )
}

interface AccountRowProps {
  provider: Provider
  account: AccountFacts
  several: boolean
  isDefault: boolean
  card: RefObject<HTMLElement | null>
  onStart: (intent: ConnectIntent) => void
  onAdded: NonNullable<ConnectIntent['onConnected']>
  onReceipt: (receipt: DisconnectReceipt) => void
}

function AccountRow({ provider, account, several, isDefault, card, onStart, onAdded, onReceipt }: AccountRowProps) {
  const messages = useMessages()
  const { client } = useKit()
  const { name } = provider
  const { disconnect } = useDisconnect()
  const [asking, setAsking] = useState<{ theme: string | undefined }>()
  const [open, setOpen] = useState(false)
  const [Question, loadQuestion] = useQuestion()
  const trigger = useRef<HTMLButtonElement>(null)
  const moreId = useId()
  const label = several ? account.label : undefined
  const usable = account.status === 'connected' || account.status === 'expiring'
  const paused = account.status === 'paused'
  const missing = usable ? account.missingScopes : []
  useFreshProfile(provider, account)

  const fullName = account.name ?? account.label
  const handle = [account.username, account.email, account.label].find((word) => word && word !== fullName)
  const why = paused ? messages.paused : account.reason && messages.reasons[account.reason]?.(name)
  const control = { provider, accountId: account.id, accountLabel: label, onStart }

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
            {several && isDefault && <span className="latchkey-tag">{messages.isDefault}</span>}
          </p>
        </Account.Identity>
        {several && <Account.Status className="latchkey-status" />}
        {why && <p className="latchkey-why">{why}</p>}
        <Account.Expiry className="latchkey-why" />
      </div>
      {account.status !== 'connected' && !paused && (
        <ConnectControl {...control} kind={account.status === 'expiring' ? 'secondary' : 'primary'} />
      )}
      {paused && (
        <button
          type="button"
          className="latchkey-button latchkey-connect"
          data-kind="secondary"
          aria-label={messages.resume(name, label)}
          onClick={() => client.unpause(account.id)}
        >
          {messages.resumeShort}
        </button>
      )}
      <div className="latchkey-tools">
        <button
          ref={trigger}
          type="button"
          className="latchkey-button latchkey-disconnect"
          data-kind="quiet"
          aria-label={messages.disconnect(name, label)}
          aria-haspopup="dialog"
          onPointerEnter={loadQuestion}
          onFocus={loadQuestion}
          onClick={({ currentTarget }) => {
            loadQuestion()
            setAsking({ theme: themeAround(currentTarget) })
          }}
        >
          {messages.disconnectShort}
        </button>
        <button
          type="button"
          className="latchkey-button latchkey-dots"
          data-kind="quiet"
          aria-label={messages.more(name, label)}
          aria-expanded={open}
          aria-controls={open ? moreId : undefined}
          onClick={() => setOpen(!open)}
        >
          <svg viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">
            <path d="M3 6.6a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8m5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8m5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8" />
          </svg>
        </button>
      </div>
      <Account.Scopes className="latchkey-scopes" />
      {missing.length > 0 && (
        <div className="latchkey-missing">
          <p>{messages.missing(name)}</p>
          <ul>
            <ScopeItems provider={provider} scopes={missing} />
          </ul>
          <ConnectControl
            {...control}
            kind="secondary"
            className="latchkey-grant"
            words={[messages.grantShort, messages.grant(name, label)]}
            // A token is replaced by the next one, so what was granted before is asked for again along with the new.
            scopes={[...new Set([...account.scopes, ...missing])]}
          />
        </div>
      )}
      {open && (
        <div id={moreId} className="latchkey-more">
          {several && !isDefault && (
            <button
              type="button"
              className="latchkey-button"
              data-kind="secondary"
              data-size="small"
              aria-label={messages.makeDefault(account.label)}
              onClick={() => {
                setOpen(false)
                client.setDefault(account.id)
              }}
            >
              {messages.makeDefaultShort}
            </button>
          )}
          {usable && (
            <button
              type="button"
              className="latchkey-button"
              data-kind="secondary"
              data-size="small"
              aria-label={messages.pause(name, label)}
              onClick={() => {
                setOpen(false)
                client.pause(account.id)
              }}
            >
              {messages.pauseShort}
            </button>
          )}
          <ConnectControl
            provider={provider}
            kind="secondary"
            className="latchkey-add"
            words={[messages.addAnother(name), messages.addAnother(name)]}
            onStart={onStart}
            onConnected={(outcome) => {
              setOpen(false)
              onAdded(outcome)
            }}
          />
        </div>
      )}
      {asking && Question && (
        <Question
          title={messages.disconnectTitle(name)}
          body={(provider.kind === 'api-key' ? messages.disconnectKeyBody : messages.disconnectBody)(
            name,
            account.label,
          )}
          answers={[
            { label: messages.cancelShort, kind: 'secondary', choose: () => setAsking(undefined) },
            { label: messages.disconnectShort, kind: 'danger', choose: confirm },
          ]}
          theme={asking.theme}
          onClose={() => setAsking(undefined)}
          onClosed={() => (trigger.current ?? firstStop(card.current))?.focus()}
        />
      )}
    </Account.Root>
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

/** Keeps the focus in its row, else in the card, when the button that had it went away with its state. */
function useKeptFocus(card: RefObject<HTMLElement | null>, situation: string) {
  const inside = useRef<Element>(undefined)
  useEffect(() => {
    const follow = (event: FocusEvent) => {
      const target = event.target as Element
      inside.current = card.current?.contains(target) ? (target.closest('.latchkey-account') ?? target) : undefined
    }
    document.addEventListener('focusin', follow)
    return () => document.removeEventListener('focusin', follow)
  }, [card])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the situation is what may have taken the button away.
  useEffect(() => {
    const { activeElement, body } = document
    if (!inside.current || (activeElement && activeElement !== body)) return
    const row = inside.current.isConnected ? inside.current : undefined
    firstStop(row, card.current)?.focus()
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
      announce(
        reason === 'popup_closed'
          ? spoken.windowClosed(name)
          : reason === 'embedded'
            ? spoken.embedded(name)
            : spoken.connecting(name),
      )
    else if (reason === 'popup_blocked') announce(spoken.windowBlocked(name))
    else if (reason === 'access_denied') announce(spoken.denied(name))
    else if (status === 'connected') announce(spoken.connected(name, label))
    else if (status !== 'disconnected' && status !== 'loading') announce(spoken.attention(name, words[status]))
  }, [status, reason, name, label, announce, spoken, words])
}
