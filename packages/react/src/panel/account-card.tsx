'use client'
import type { Provider } from '@latchkey/core'
import {
  type ComponentPropsWithoutRef,
  type ForwardedRef,
  forwardRef,
  memo,
  useId,
  useImperativeHandle,
  useRef,
  useState,
} from 'react'
import type { Farewell } from '../connect/card-events.lazy.tsx'
import { ConnectControl } from '../connect/connect-control.tsx'
import { isEventful } from '../connect/connect-notice.tsx'
import type { ConnectIntent } from '../connect/start.ts'
import { useCardFacts, useKit, useProvider } from '../hooks.ts'
import { later } from '../later.tsx'
import { useSpokenStatus } from '../parts/spoken-status.ts'
import { StatusWord } from '../parts/status-word.tsx'
import { Button, classes } from '../ui/button.tsx'
import { useKeptFocus } from '../ui/focus.ts'
import { brandMark, Dots } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { descriptionOf, useFirstMessages, useLanguage } from '../use-first-messages.ts'
import { AccountRow } from './account-row.tsx'

const useEvents = /* @__PURE__ */ later(() => import('../connect/events.lazy.ts'), 'CardEvents')

/** Props of {@link AccountCard}. */
export type AccountCardProps = Omit<ComponentPropsWithoutRef<'article'>, 'children'> & {
  /** Provider id. */
  provider: string
  /**
   * `card`: all there is to know. `inline`: one line, which grows into the card when there is something to do or its
   * button is pressed.
   *
   * @default `card`
   */
  layout?: 'card' | 'inline'
  /** Level of the heading with the provider's name. @default 3 */
  headingLevel?: 2 | 3 | 4 | 5 | 6
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

type CardProps = Omit<AccountCardProps, 'provider'> & {
  provider: Provider
  forwardedRef?: ForwardedRef<HTMLElement>
}

/** The card of a provider that is at hand already; announces through the `LiveRegion` around it. */
export const Card = /* @__PURE__ */ memo(function Card(props: CardProps) {
  const { provider, layout = 'card', headingLevel = 3, forwardedRef, className, ...rest } = props
  const messages = useFirstMessages()
  const { name } = provider
  const [status, state, account, ...accounts] = useCardFacts(provider.id)
  const [farewells, setFarewells] = useState<readonly Farewell[]>([])
  const [started, setStarted] = useState<ConnectIntent>()
  const [duplicateLabel, setDuplicateLabel] = useState<string>()
  const [shown, setShown] = useState(false)
  const card = useRef<HTMLElement>(null)
  const titleId = useId()
  const { icons } = useKit()
  useImperativeHandle(forwardedRef, () => card.current as HTMLElement)

  const unconfigured = accounts.length === 0 && state.error?.code === 'not_configured'
  const broken = accounts.find((account) => account.status === 'needs-reconnect')
  const several = accounts.length > 1
  const intent: ConnectIntent =
    started ?? (broken ? { accountId: broken.id, accountLabel: several ? broken.label : undefined } : {})
  // A receipt goes once the next account is on its way.
  const moved = status === 'connecting' || (accounts.length > 0 && farewells.some((farewell) => !farewell.several))
  if (farewells.length > 0 && moved) setFarewells([])
  if (duplicateLabel && status === 'connecting') setDuplicateLabel(undefined)

  const eventful = isEventful(state) || duplicateLabel !== undefined || farewells.length > 0
  const [Events] = useEvents(eventful)
  const inline = layout === 'inline'
  const line = inline && !shown && !eventful
  const words = accounts.map((account) => account.status).join(' ')
  useKeptFocus(
    card,
    `${status} ${state.reason} ${state.changed?.to.id} ${words} ${account?.id} ${line}`,
    eventful && !Events,
  )
  useSpokenStatus(name, status, accounts, state.reason)

  // A provider that asks for no name signs in the same person again.
  const onAdded: NonNullable<ConnectIntent['onConnected']> = ({ account }) => {
    if (accounts.some(({ id }) => id === account.id)) setDuplicateLabel(account.label)
  }
  const who = several ? messages.accountCount(accounts.length) : account?.label
  const lineBelow = line ? who : descriptionOf(messages, provider)
  const Heading = `h${headingLevel}` as const
  return (
    <article
      aria-labelledby={titleId}
      aria-busy={status === 'loading' || undefined}
      {...rest}
      ref={card}
      {...useLanguage()}
      className={classes('latchkey latchkey-card', className)}
      data-status={status}
      data-provider={provider.id}
      data-layout={line ? 'inline' : undefined}
    >
      <div className="latchkey-head">
        <span className="latchkey-mark">{brandMark(provider.id, name, icons)}</span>
        <div className="latchkey-title">
          <Heading id={titleId} className="latchkey-name" tabIndex={-1}>
            {name}
          </Heading>
          {(!line || account) && <p className="latchkey-line">{lineBelow}</p>}
        </div>
        {status === 'loading' && <span className="latchkey-bone" aria-hidden="true" />}
        {unconfigured && <StatusWord status="disconnected" word={messages.notConfigured} />}
        {status !== 'loading' && status !== 'disconnected' && <StatusWord status={status} />}
        {status !== 'loading' && accounts.length === 0 && <ConnectControl provider={provider} onStart={setStarted} />}
        {line && broken && <ConnectControl provider={provider} {...intent} onStart={setStarted} />}
        {inline && accounts.length > 0 && (
          <Button
            className="latchkey-dots"
            kind="quiet"
            aria-label={messages.details(name)}
            aria-expanded={!line}
            onClick={() => setShown(line)}
          >
            <Dots />
          </Button>
        )}
      </div>
      {!line &&
        accounts.map((one) => (
          <AccountRow
            key={one.id}
            provider={provider}
            account={one}
            status={state.status === 'idle' ? one.status : status}
            several={several}
            isDefault={one.id === account?.id}
            card={card}
            onStart={setStarted}
            onAdded={onAdded}
            onReceipt={(receipt) => setFarewells((others) => [...others, { account: one, several, receipt }])}
          />
        ))}
      {eventful && Events && (
        <Events
          provider={provider}
          intent={intent}
          alone={accounts.length > 0 && !broken}
          duplicateLabel={duplicateLabel}
          onDuplicateSeen={() => setDuplicateLabel(undefined)}
          farewells={farewells}
          onFarewellSeen={(seen) => setFarewells((all) => all.filter((other) => other !== seen))}
        />
      )}
    </article>
  )
})
