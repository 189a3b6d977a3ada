'use client'
import {
  type ConnectedAccount as AccountFacts,
  accountsOf,
  type CardStatus,
  cardStatus,
  type DisconnectReceipt,
  defaultAccount,
  type Provider,
  type ProviderState,
  providerState,
  type Reason,
  type Snapshot,
} from '@latchkey/core'
import {
  type ComponentPropsWithoutRef,
  type ForwardedRef,
  forwardRef,
  memo,
  useCallback,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react'
import { ConnectControl, type ConnectIntent } from '../connect/connect-control.tsx'
import { ConnectNotice } from '../connect/connect-notice.tsx'
import { useProvider, useSnapshot } from '../hooks.ts'
import * as Account from '../parts/account.tsx'
import { cardReason, SubjectContext } from '../parts/context.tsx'
import { useSpokenStatus } from '../parts/spoken-status.ts'
import { useKeptFocus } from '../ui/focus.ts'
import { Dots } from '../ui/icons.tsx'
import { later } from '../ui/lazy.ts'
import { LiveRegion, useAnnounce } from '../ui/live-region.tsx'
import { Notice, NoticeButton } from '../ui/notice.tsx'
import { descriptionOf, useLanguage, useMessages } from '../use-messages.ts'
import { AccountRow } from './account-row.tsx'

// Part of what the question before a disconnect has loaded already.
const useReceipt = /* @__PURE__ */ later(async () => (await import('../dialogs/questions.lazy.tsx')).Receipt)

interface CardLook {
  /**
   * `card`: all there is to know. `inline`: one line, which grows into the card when there is something to do or its
   * button is pressed. Default: `card`.
   */
  layout?: 'card' | 'inline'
  /** Level of the heading with the provider's name. @default 3 */
  headingLevel?: 2 | 3 | 4 | 5 | 6
}

/** Props of {@link AccountCard}. */
export type AccountCardProps = Omit<ComponentPropsWithoutRef<'article'>, 'children'> &
  CardLook & {
    /** Provider id. */
    provider: string
  }

/**
 * One provider's card: connect, see who is connected and what was granted, reconnect, disconnect. Renders an `article`
 * with `data-status` (a `CardStatus`) and `data-provider`; nothing for a provider that the page does not know.
 */
export const AccountCard = /* @__PURE__ */ memo(
  /* @__PURE__ */ forwardRef<HTMLElement, AccountCardProps>(function AccountCard(
    { provider: providerId, ...props },
    ref,
  ) {
    const provider = useProvider(providerId)
    if (!provider) return null
    return (
      <LiveRegion>
        <Card {...props} provider={provider} forwardedRef={ref} />
      </LiveRegion>
    )
  }),
)

/** Everything a card shows, in one subscription: with many providers there are many cards. */
interface CardFacts {
  status: CardStatus
  reason: Reason | undefined
  state: ProviderState
  accounts: readonly AccountFacts[]
  defaultId: string | undefined
}

/** A selector of a card's facts that answers with its last answer while they are the same ones. */
function cardFacts(providerId: string): (snapshot: Snapshot) => CardFacts {
  let last: CardFacts | undefined
  return (snapshot) => {
    const status = cardStatus(snapshot, providerId)
    const reason = cardReason(snapshot, providerId, status)
    const state = providerState(snapshot, providerId)
    const accounts = accountsOf(snapshot, providerId)
    const defaultId = defaultAccount(snapshot, providerId)?.id
    const same =
      last?.status === status &&
      last.reason === reason &&
      last.state === state &&
      last.defaultId === defaultId &&
      last.accounts.length === accounts.length &&
      last.accounts.every((account, index) => account === accounts[index])
    if (!last || !same) last = { status, reason, state, accounts, defaultId }
    return last
  }
}

function useCardFacts(providerId: string): CardFacts {
  return useSnapshot(useMemo(() => cardFacts(providerId), [providerId]))
}

function hand<T>(node: T | null, ref: ForwardedRef<T> | undefined) {
  if (typeof ref === 'function') ref(node)
  else if (ref) ref.current = node
}

/** An account that was disconnected here, and what became of its access. */
interface Farewell {
  account: AccountFacts
  several: boolean
  receipt: DisconnectReceipt
}

export type CardProps = Omit<ComponentPropsWithoutRef<'article'>, 'children'> &
  CardLook & {
    provider: Provider
    forwardedRef?: ForwardedRef<HTMLElement>
  }

/** The card of a provider that is at hand already; announces through the `LiveRegion` around it. */
export const Card = /* @__PURE__ */ memo(function Card(props: CardProps) {
  const { provider, layout = 'card', headingLevel = 3, forwardedRef, className, ...rest } = props
  const messages = useMessages()
  const { name } = provider
  const { status, reason, state, accounts, defaultId } = useCardFacts(provider.id)
  const [farewells, setFarewells] = useState<readonly Farewell[]>([])
  const [started, setStarted] = useState<ConnectIntent>()
  const [same, setSame] = useState<string>()
  const [shown, setShown] = useState(false)
  const card = useRef<HTMLElement>(null)
  const titleId = useId()
  const [Receipt, loadReceipt] = useReceipt()
  const announce = useAnnounce()
  const setCard = useCallback(
    (node: HTMLElement | null) => {
      card.current = node
      hand(node, forwardedRef)
    },
    [forwardedRef],
  )

  const unconfigured = accounts.length === 0 && state.error?.code === 'not_configured'
  const broken = accounts.find((account) => account.status === 'needs-reconnect' || account.status === 'error')
  const several = accounts.length > 1
  const intent: ConnectIntent =
    started ?? (broken ? { accountId: broken.id, accountLabel: several ? broken.label : undefined } : {})
  // What became of the last account is of no interest once the next is on its way.
  const moved = status === 'connecting' || (accounts.length > 0 && farewells.some((farewell) => !farewell.several))
  if (farewells.length > 0 && moved) setFarewells([])
  if (same && status === 'connecting') setSame(undefined)

  const eventful = Boolean(state.reason || state.error || state.changed) || status === 'connecting'
  const inline = layout === 'inline'
  const line = inline && !shown && !eventful && !same && farewells.length === 0
  const words = accounts.map((account) => account.status).join(' ')
  useKeptFocus(card, `${status} ${state.reason} ${state.changed?.to.id} ${words} ${defaultId} ${line}`)
  useSpokenStatus(name, status, accounts, state.reason)

  // Who signs in without being asked for a name is the person who did so before.
  const onAdded: NonNullable<ConnectIntent['onConnected']> = ({ account }) => {
    if (accounts.some(({ id }) => id === account.id)) setSame(account.label)
  }
  const account = accounts.find(({ id }) => id === defaultId)
  const Heading = `h${headingLevel}` as const
  return (
    <SubjectContext.Provider value={{ provider, account, status, reason }}>
      <article
        aria-labelledby={titleId}
        aria-busy={status === 'loading' || undefined}
        {...rest}
        ref={setCard}
        {...useLanguage()}
        className={['latchkey latchkey-card', className].filter(Boolean).join(' ')}
        data-status={status}
        data-provider={provider.id}
        data-layout={line ? 'inline' : undefined}
      >
        <div className="latchkey-head">
          <Account.Icon className="latchkey-mark" />
          <div className="latchkey-title">
            <Heading id={titleId} className="latchkey-name" tabIndex={-1}>
              {name}
            </Heading>
            {line ? (
              account && (
                <p className="latchkey-line">{several ? messages.accountCount(accounts.length) : account.label}</p>
              )
            ) : (
              <p className="latchkey-line">{descriptionOf(messages, provider)}</p>
            )}
          </div>
          {status === 'loading' && <span className="latchkey-bone" aria-hidden="true" />}
          {unconfigured && (
            <span className="latchkey-status" data-status="disconnected">
              {messages.notConfigured}
            </span>
          )}
          {status !== 'loading' && status !== 'disconnected' && <Account.Status className="latchkey-status" />}
          {status !== 'loading' && accounts.length === 0 && <ConnectControl provider={provider} onStart={setStarted} />}
          {line && broken && <ConnectControl provider={provider} {...intent} onStart={setStarted} />}
          {inline && accounts.length > 0 && (
            <button
              type="button"
              className="latchkey-button latchkey-dots"
              data-kind="quiet"
              aria-label={messages.details(name)}
              aria-expanded={!line}
              onClick={() => setShown(line)}
            >
              <Dots />
            </button>
          )}
        </div>
        {!line &&
          accounts.map((account) => (
            <AccountRow
              key={account.id}
              subject={{
                provider,
                account,
                status: state.status === 'idle' ? account.status : status,
                reason: account.reason,
              }}
              several={several}
              isDefault={account.id === defaultId}
              card={card}
              onStart={setStarted}
              onAdded={onAdded}
              onReceipt={(receipt) => {
                loadReceipt()
                setFarewells((others) => [...others, { account, several, receipt }])
                announce(receipt.status === 'revoked' ? messages.spoken.revoked(name) : messages.spoken.removed(name))
              }}
            />
          ))}
        {eventful && <ConnectNotice provider={provider} alone={accounts.length > 0 && !broken} {...intent} />}
        {same && (
          <Notice actions={<NoticeButton onClick={() => setSame(undefined)}>{messages.dismiss}</NoticeButton>}>
            {messages.sameAccount(name, same)}
          </Notice>
        )}
        {Receipt &&
          farewells.map((farewell) => (
            <Receipt
              key={farewell.account.id}
              provider={provider}
              receipt={farewell.receipt}
              account={farewell.several ? farewell.account.label : undefined}
              onDismiss={() => setFarewells((all) => all.filter((other) => other !== farewell))}
            />
          ))}
      </article>
    </SubjectContext.Provider>
  )
})
