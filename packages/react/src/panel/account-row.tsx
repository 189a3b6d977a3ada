'use client'
import type { ConnectedAccount as AccountFacts, DisconnectReceipt, Provider } from '@latchkey/core'
import { useQuery } from '@tanstack/react-query'
import { type RefObject, useId, useRef, useState } from 'react'
import { ConnectControl, type ConnectIntent } from '../connect/connect-control.tsx'
import * as Account from '../parts/account.tsx'
import { type Subject, SubjectContext } from '../parts/context.tsx'
import { ScopeItems } from '../parts/scope-items.tsx'
import { useKit } from '../provider.tsx'
import { firstStop } from '../ui/focus.ts'
import { Dots } from '../ui/icons.tsx'
import { later } from '../ui/lazy.ts'
import { useMessages } from '../use-messages.ts'

const useQuestion = /* @__PURE__ */ later(
  async () => (await import('../dialogs/questions.lazy.tsx')).DisconnectQuestion,
)
const useMore = /* @__PURE__ */ later(async () => (await import('./account-more.lazy.tsx')).AccountMore)

const HOUR = 3_600_000

export interface AccountRowProps {
  subject: Subject & { account: AccountFacts }
  /** The provider has other accounts, so actions name theirs. */
  several: boolean
  isDefault: boolean
  card: RefObject<HTMLElement | null>
  onStart: (intent: ConnectIntent) => void
  onAdded: NonNullable<ConnectIntent['onConnected']>
  onReceipt: (receipt: DisconnectReceipt) => void
}

/** One account in its card: who it is, how it is, what it may do, and what can be done about it. */
export function AccountRow({ subject, several, isDefault, card, onStart, onAdded, onReceipt }: AccountRowProps) {
  const { provider, account } = subject
  const { name } = provider
  const messages = useMessages()
  const { client } = useKit()
  const [asking, setAsking] = useState(false)
  const [open, setOpen] = useState(false)
  const [Question, loadQuestion] = useQuestion()
  const [More, loadMore] = useMore()
  const trigger = useRef<HTMLButtonElement>(null)
  const moreId = useId()
  const label = several ? account.label : undefined
  const usable = account.status === 'connected' || account.status === 'expiring'
  const paused = account.status === 'paused'
  const missing = usable ? account.missingScopes : []
  useFreshProfile(provider, account)

  const fullName = account.name ?? account.label
  const handle = [account.username, account.email, account.label].find((word) => word && word !== fullName)
  const control = { provider, accountId: account.id, accountLabel: label, onStart }
  return (
    <SubjectContext.Provider value={subject}>
      <div className="latchkey-account" data-status={subject.status} data-provider={provider.id}>
        <Account.Avatar className="latchkey-avatar" />
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
          <Account.Reason className="latchkey-why" />
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
            onClick={() => {
              loadQuestion()
              setAsking(true)
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
            onPointerEnter={loadMore}
            onFocus={loadMore}
            onClick={() => {
              loadMore()
              setOpen(!open)
            }}
          >
            <Dots />
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
        {open && More && (
          <More
            id={moreId}
            provider={provider}
            account={account}
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
    </SubjectContext.Provider>
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
