'use client'
import type { ConnectedAccount, Provider, ProviderState } from '@latchkey/core'
import {
  type ComponentPropsWithoutRef,
  type ForwardedRef,
  forwardRef,
  memo,
  type ReactNode,
  type RefObject,
  useId,
  useImperativeHandle,
  useRef,
  useState,
} from 'react'
import type { News } from '../connect/card-events.lazy.tsx'
import { ConnectControl, useConnectControl } from '../connect/connect-control.tsx'
import { isEventful, useKeptFocus } from '../connect/connect-notice.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { useCardFacts, useKit, useProvider, useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import { useSpokenStatus } from '../parts/spoken-status.ts'
import { StatusWord } from '../parts/status-word.tsx'
import { Tag } from '../parts/tag.tsx'
import { Button, classes, MoreButton } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { descriptionOf, useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { AccountRow } from './account-row.tsx'

const useEvents = /* @__PURE__ */ later(() => import('../connect/events.lazy.ts'), 'CardEvents')
const useSwitch = /* @__PURE__ */ later(() => import('./account-line.lazy.tsx'), 'AgentSwitch', true)
const useServerMore = /* @__PURE__ */ later(() => import('./remove-server.lazy.tsx'), 'ServerMore', true)
const useBusy = /* @__PURE__ */ later(() => import('../connect/events.lazy.ts'), 'BusyRow')

/** Props of {@link AccountCard}. */
export type AccountCardProps = Omit<ComponentPropsWithoutRef<'article'>, 'children'> & {
  /** Provider id. */
  provider: string
  /**
   * `card`: a row for each account. `inline`: one short line, which grows into the card when there is something to do or
   * its button is pressed.
   *
   * @default `card`
   */
  layout?: 'card' | 'inline'
  /** An agent's id: the card has a switch then, whether this agent uses what is connected. See `useAgentAccounts`. */
  agent?: string
  /** Level of the heading with the provider's name. @default 3 */
  headingLevel?: 2 | 3 | 4 | 5 | 6
}

/**
 * One provider's card: connect, see who is connected, reconnect, and a menu with everything else. Renders an `article`
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

type CardProps = Omit<AccountCardProps, 'provider'> & {
  provider: Provider
  /** Counts what makes the card's receipts old news. */
  epoch?: number
  forwardedRef?: ForwardedRef<HTMLElement>
}

/** The card of a provider that is at hand already; announces through the `LiveRegion` around it. */
export const Card = /* @__PURE__ */ memo(function Card(props: CardProps) {
  const { provider, layout = 'card', agent, headingLevel = 3, epoch, forwardedRef, className, ...rest } = props
  const messages = useFirstMessages()
  const { name } = provider
  const [status, state, account, ...accounts] = useCardFacts(provider.id)
  const [news, setNews] = useState<readonly News[]>([])
  const [seen, setSeen] = useState(epoch)
  const [started, setStarted] = useState<ConnectIntent>()
  const [shown, setShown] = useState(false)
  const card = useRef<HTMLElement>(null)
  const titleId = useId()
  const { client, icons } = useKit()
  useImperativeHandle(forwardedRef, () => card.current as HTMLElement)

  const none = accounts.length < 1
  const several = accounts.length > 1
  const broken = accounts.find((account) => account.status === 'needs-reconnect')
  const intent: ConnectIntent =
    started ?? (broken ? { accountId: broken.id, accountLabel: several ? broken.label : undefined } : {})

  // By then it is old; and the last account's receipt goes once there is an account again.
  const isOver = ({ account, alone }: News) => alone && accounts.some((one) => one !== account)
  if (epoch !== seen) setSeen(epoch)
  if (news.length > 0 && (epoch !== seen || status === 'connecting' || news.some(isOver))) setNews([])

  const eventful = isEventful(state) || news.length > 0
  const [Events] = useEvents(eventful)
  const [KeptFocus] = useKeptFocus(true)
  const connecting = status === 'connecting' && provider.kind !== 'api-key'
  const [Busy] = useBusy(connecting)
  const [Switch] = useSwitch(agent !== undefined)
  const isServer = provider.kind === 'mcp'
  const [ServerMore] = useServerMore(isServer)
  const inline = layout === 'inline'
  const line = inline && !shown && !eventful
  const statuses = accounts.map((account) => account.status)
  useSpokenStatus(name, status, accounts, state.reason)

  const Heading = `h${headingLevel}` as const
  const heading = (content: ReactNode) => (
    <Heading id={titleId} className="latchkey-name" tabIndex={-1}>
      {content}
    </Heading>
  )
  const busy = connecting && Busy && <Busy provider={provider} intent={intent} />
  const use = agent && Switch && <Switch provider={provider} agent={agent} />
  return (
    <article
      aria-labelledby={titleId}
      aria-busy={status === 'loading' || undefined}
      {...rest}
      ref={card}
      {...useLanguage()}
      className={classes('latchkey latchkey-card', className)}
      data-slot="card"
      data-status={status}
      data-provider={provider.id}
      data-layout={line ? 'inline' : undefined}
    >
      {(none || several) && (
        <div className="latchkey-row" data-slot="row">
          <span className="latchkey-mark" data-slot="mark">
            {brandMark(provider, icons)}
          </span>
          <div className="latchkey-title" data-slot="name">
            {heading(name)}
            {isServer && <Tag>MCP</Tag>}
          </div>
          {busy || <Idle provider={provider} state={state} count={accounts.length} line={line} onStart={setStarted} />}
          {several && use}
          {inline && several && (
            <MoreButton aria-label={messages.more(name)} aria-expanded={!line} onClick={() => setShown(line)} />
          )}
        </div>
      )}
      {!none && !(line && several) && (
        <Accounts
          provider={provider}
          accounts={accounts}
          defaultId={account?.id}
          heading={heading}
          busy={!several && busy}
          use={!several && use}
          card={card}
          onStart={setStarted}
          // What was said before of accounts that are there may not hold any more.
          onLeave={(account) =>
            setNews([
              ...news.filter(({ receipt }) => receipt),
              { account, alone: !several, receipt: client.disconnect(account.id) },
            ])
          }
          onTwice={(account) => setNews([{ account }])}
        />
      )}
      {KeptFocus && (
        <KeptFocus
          card={card}
          situation={`${status} ${state.reason} ${state.changed?.to.id} ${statuses} ${account?.id} ${line}`}
          pending={eventful && !Events}
        />
      )}
      {isServer && ServerMore && <ServerMore provider={provider} card={card} bare={none && !busy} />}
      {eventful && Events && (
        <Events
          provider={provider}
          intent={intent}
          card={card}
          alone={!none && !broken}
          news={news}
          onSeen={(seen) => setNews(news.filter((one) => one !== seen))}
        />
      )}
    </article>
  )
})

interface IdleProps {
  provider: Provider
  state: ProviderState
  count: number
  /** All in one line. */
  line: boolean
  onStart: (intent: ConnectIntent) => void
}

/** Line and action of a provider without an account, or with several, while nothing is under way. */
function Idle({ provider, state: { status, error }, count, line, onStart }: IdleProps) {
  const messages = useFirstMessages()
  // The first one is what the page is about; after that it is one of many things that a person may do.
  const first = useSnapshot(({ accounts }) => Object.keys(accounts).length < 1)
  const words =
    count > 0 ? (
      messages.accountCount(count)
    ) : error?.code === 'not_configured' ? (
      <StatusWord status="disconnected" word={messages.notConfigured} />
    ) : (
      !line && descriptionOf(messages, provider)
    )
  return (
    <>
      {words && (
        <p className="latchkey-line" data-slot="line">
          {words}
        </p>
      )}
      {status === 'loading' ? (
        <span className="latchkey-bone">{messages.status.loading}</span>
      ) : (
        !count && <ConnectControl provider={provider} kind={first ? 'primary' : 'secondary'} onStart={onStart} />
      )}
    </>
  )
}

interface AccountsProps {
  provider: Provider
  accounts: readonly ConnectedAccount[]
  defaultId: string | undefined
  heading: (name: ReactNode) => ReactNode
  busy: ReactNode
  use: ReactNode
  card: RefObject<HTMLElement | null>
  onStart: (intent: ConnectIntent) => void
  onLeave: (account: ConnectedAccount) => void
  /** Called with the account that was to be added and is connected already. */
  onTwice: (account: ConnectedAccount) => void
}

/** A provider's accounts, a row each, and the way to one more. */
function Accounts({ provider, accounts, defaultId, onTwice, ...row }: AccountsProps) {
  const messages = useFirstMessages()
  // A provider that asks for no name signs in the same person again.
  const onConnected: NonNullable<ConnectIntent['onConnected']> = ({ account }) => {
    if (accounts.some(({ id }) => id === account.id)) onTwice(account)
  }
  const another = useConnectControl(provider, { onConnected }, { onStart: row.onStart })
  return (
    <>
      {accounts.map((one) => (
        <AccountRow
          key={one.id}
          {...row}
          provider={provider}
          account={one}
          others={accounts.filter((other) => other !== one)}
          isDefault={one.id === defaultId}
          onAdd={another.press}
        />
      ))}
      {another.below}
      {accounts.length > 1 && (
        <div className="latchkey-another" data-slot="foot">
          <Button kind="quiet" size="small" {...another.props}>
            {messages.addAnother(provider.name)}
          </Button>
        </div>
      )}
    </>
  )
}
