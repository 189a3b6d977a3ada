'use client'
import type { CardStatus, ConnectedAccount, DisconnectReceipt, Provider } from '@latchkey/core'
import { useQuery } from '@tanstack/react-query'
import { type RefObject, useId, useRef, useState } from 'react'
import { ConnectControl } from '../connect/connect-control.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { isUsable, useKit } from '../hooks.ts'
import { later } from '../later.tsx'
import { AccountNames } from '../parts/account-names.tsx'
import { ScopeItems } from '../parts/scope-items.tsx'
import { StatusWord } from '../parts/status-word.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Button } from '../ui/button.tsx'
import { firstStop } from '../ui/focus.ts'
import { Dots } from '../ui/icons.tsx'
import { useFirstMessages, whyOf } from '../use-first-messages.ts'

const useQuestion = /* @__PURE__ */ later(() => import('../dialogs/questions.lazy.tsx'), 'DisconnectQuestion')
const useEnd = /* @__PURE__ */ later(() => import('./account-more.lazy.tsx'), 'AccountEnd')
const useMore = /* @__PURE__ */ later(() => import('./account-more.lazy.tsx'), 'AccountMore')

const HOUR = 3_600_000

export interface AccountRowProps {
  provider: Provider
  account: ConnectedAccount
  /** Its own status, or what its provider is doing. */
  status: CardStatus
  /** The provider has other accounts, so actions name theirs. */
  several: boolean
  isDefault: boolean
  card: RefObject<HTMLElement | null>
  onStart: (intent: ConnectIntent) => void
  onAdded: NonNullable<ConnectIntent['onConnected']>
  onReceipt: (receipt: DisconnectReceipt) => void
}

/** One account in its card: who it is, how it is, what it may do, and what can be done about it. */
export function AccountRow(props: AccountRowProps) {
  const { provider, account, status, several, isDefault, card, onStart, onAdded, onReceipt } = props
  const { name } = provider
  const messages = useFirstMessages()
  const { client } = useKit()
  const [asking, setAsking] = useState(false)
  const [open, setOpen] = useState(false)
  const [Question, loadQuestion] = useQuestion()
  const [More, loadMore] = useMore()
  const trigger = useRef<HTMLButtonElement>(null)
  const moreId = useId()
  const label = several ? account.label : undefined
  const paused = account.status === 'paused'
  const missing = isUsable(account) ? account.missingScopes : []
  const why = whyOf(messages, name, status, account.reason)
  const subject = { provider, account, status, reason: account.reason }
  const [End] = useEnd(account.status === 'expiring')
  useFreshProfile(provider, account)

  const control = { provider, accountId: account.id, accountLabel: label, onStart }
  return (
    <div className="latchkey-account" data-status={status} data-provider={provider.id}>
      <Avatar account={account} />
      <div className="latchkey-who">
        <p className="latchkey-identity">
          <AccountNames account={account} />
          {provider.kind === 'api-key' && <span className="latchkey-tag">{messages.apiKeyBadge}</span>}
          {several && isDefault && <span className="latchkey-tag">{messages.isDefault}</span>}
        </p>
        {several && <StatusWord status={status} />}
        {why && (
          <span className="latchkey-why" data-reason={account.reason}>
            {why}
          </span>
        )}
        {account.status === 'expiring' && End && <End {...subject} />}
      </div>
      {account.status !== 'connected' && !paused && (
        <ConnectControl {...control} kind={account.status === 'expiring' ? 'secondary' : 'primary'} />
      )}
      {paused && (
        <Button
          className="latchkey-connect"
          aria-label={messages.resume(name, label)}
          onClick={() => client.unpause(account.id)}
        >
          {messages.resumeShort}
        </Button>
      )}
      <div className="latchkey-tools">
        <Button
          ref={trigger}
          className="latchkey-disconnect"
          kind="quiet"
          aria-label={messages.disconnect(name, label)}
          aria-haspopup="dialog"
          onIntent={loadQuestion}
          onClick={() => setAsking(true)}
        >
          {messages.disconnectShort}
        </Button>
        <Button
          className="latchkey-dots"
          kind="quiet"
          aria-label={messages.more(name, label)}
          aria-expanded={open}
          aria-controls={open ? moreId : undefined}
          onIntent={loadMore}
          onClick={() => setOpen(!open)}
        >
          <Dots />
        </Button>
      </div>
      {account.scopes.length > 0 && (
        <ul className="latchkey-scopes" aria-label={messages.access(name)}>
          <ScopeItems provider={provider} scopes={account.scopes} />
        </ul>
      )}
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
            words={{ label: messages.grantShort, name: messages.grant(name, label) }}
            // A token is replaced by the next one, so what was granted before is asked for again along with the new.
            scopes={[...new Set([...account.scopes, ...missing])]}
          />
        </div>
      )}
      {open && More && (
        <More
          id={moreId}
          Connect={ConnectControl}
          subject={subject}
          label={label}
          promotable={several && !isDefault}
          onStart={onStart}
          onAdded={onAdded}
          onDone={() => setOpen(false)}
        />
      )}
      {asking && Question && (
        <Question
          provider={provider}
          account={account}
          receipt="left"
          onDisconnected={onReceipt}
          onClose={() => setAsking(false)}
          onClosed={() => (trigger.current ?? firstStop(card.current))?.focus()}
        />
      )}
    </div>
  )
}

/** Reads name and picture again once they are an hour old. The cache is given the account's id and nothing else. */
function useFreshProfile(provider: Provider, account: ConnectedAccount) {
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
