'use client'
import type { ConnectedAccount, DisconnectReceipt, Provider, ProviderState } from '@latchkey/core'
import { labelsPerson } from '@latchkey/core/internal'
import { Content, Description, Overlay, Portal, Root, Title } from '@radix-ui/react-dialog'
import { type ReactNode, useContext, useEffect, useId, useRef, useState } from 'react'
import { useDisconnect, useKit, useProvider } from '../hooks.ts'
import { Layer } from '../parts/layer.tsx'
import { Button, classes } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useMessages } from '../use-messages.ts'
import { type ConsentItem, type UseConsentOptions, useConsent } from './consent-items.ts'
import { ConsentMoreContext, readOnlyOf } from './consent-more.ts'
import { Receipt } from './receipt.lazy.tsx'

interface Answer {
  label: string
  kind: 'primary' | 'secondary' | 'danger'
  choose: () => void
}

interface FrameProps {
  /** Something is being carried out: nothing closes it. */
  busy?: boolean
  /** A click beside it does not close it: for questions that no click asked for. */
  firm?: boolean
  /** Called when it is closed without an answer. */
  onClose: () => void
  /** Called when the dialog is gone: moves the focus. @default back to where it was */
  onClosed?: (() => void) | undefined
}

/** An open modal dialog. */
export function Frame(props: FrameProps & { className?: string; children: ReactNode }) {
  const { className, busy, firm, onClose, onClosed, children } = props
  const home = useRef<Element>(null)
  return (
    <Root open onOpenChange={(open) => !open && !busy && onClose()}>
      <Layer Portal={Portal}>
        <Overlay className="latchkey-overlay" />
        <Content
          className={classes('latchkey-dialog', className)}
          aria-busy={busy || undefined}
          onInteractOutside={(event) => firm && event.preventDefault()}
          onOpenAutoFocus={() => {
            home.current = document.activeElement
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (onClosed) onClosed()
            else if (home.current instanceof HTMLElement) home.current.focus()
          }}
        >
          {children}
        </Content>
      </Layer>
    </Root>
  )
}

interface QuestionDialogProps extends FrameProps {
  /** The question. */
  title: string
  /** What will happen. */
  body: ReactNode
  /** In this order; the first one has the focus, so it should be harmless. */
  answers: readonly Answer[]
}

/** Asks before something is done. Loaded on intent. */
export function QuestionDialog({ title, body, answers, ...frame }: QuestionDialogProps) {
  const { busy } = frame
  const actions = useRef<HTMLDivElement>(null)
  const asked = useRef(title)
  useEffect(() => {
    if (asked.current === title) return
    asked.current = title
    // What had the focus was an answer to the question before.
    actions.current?.querySelector('button')?.focus()
  }, [title])
  return (
    <Frame {...frame}>
      <Title className="latchkey-heading">{title}</Title>
      <Description asChild className="latchkey-description">
        <div aria-live="polite">{body}</div>
      </Description>
      <div ref={actions} className="latchkey-actions">
        {answers.map(({ label, kind, choose }) => (
          <Button key={label} kind={kind} aria-disabled={busy || undefined} onClick={() => busy || choose()}>
            {label}
          </Button>
        ))}
      </div>
    </Frame>
  )
}

type Closing = Pick<FrameProps, 'onClose' | 'onClosed'>

interface DisconnectQuestionProps extends Closing {
  provider: Provider
  account: ConnectedAccount | undefined
  /** The provider's other accounts, which stay. */
  others?: readonly ConnectedAccount[]
  /** Disconnects, in place of the dialog, which closes. */
  onConfirm?: () => void
  receipt?: 'shown' | 'left'
  onDisconnected?: ((receipt: DisconnectReceipt) => void) | undefined
}

/** The open dialog of a `DisconnectDialog`, or of a card. */
export function DisconnectQuestion(props: DisconnectQuestionProps) {
  const { provider, account, others = [], onConfirm, receipt = 'shown', onDisconnected, ...closing } = props
  const { name } = provider
  const messages = useMessages()
  const { disconnect } = useDisconnect()
  // A confirmed disconnect, with its receipt once that is known.
  const [ending, setEnding] = useState<{ label: string; receipt: DisconnectReceipt | undefined }>()
  const confirm = async () => {
    if (!account) return
    if (onConfirm || receipt === 'left') closing.onClose()
    else setEnding({ label: account.label, receipt: undefined })
    if (onConfirm) return onConfirm()
    const result = await disconnect(account.id)
    if (receipt === 'shown') setEnding({ label: account.label, receipt: result })
    onDisconnected?.(result)
  }
  const named = account && labelsPerson(provider, account)
  const about = provider.kind === 'api-key' ? messages.disconnectKeyBody : messages.disconnectBody
  const cancel = { label: messages.cancelShort, kind: 'secondary', choose: closing.onClose } as const
  const question = !ending
    ? account && {
        title: named ? messages.disconnectTitle(name, account.label) : messages.disconnectServerTitle(name),
        body: [
          about(name, named ? account.label : name),
          others.length > 0 && messages.disconnectOthers(others.map(({ label }) => label)),
        ]
          .filter(Boolean)
          .join(' '),
        answers: [cancel, { label: messages.disconnectShort, kind: 'danger', choose: confirm } as const],
      }
    : ending.receipt
      ? {
          title: messages.disconnectedTitle(name),
          body: <Receipt provider={provider} receipt={ending.receipt} account={undefined} />,
          answers: [{ ...cancel, label: messages.done }],
        }
      : {
          title: messages.disconnectTitle(name, ending.label),
          body: messages.disconnecting,
          answers: [cancel],
          busy: true,
        }
  return question && <QuestionDialog {...question} {...closing} />
}

interface DifferentAccountQuestionProps extends Closing {
  /** Provider id. */
  provider: string
  changed: NonNullable<ProviderState['changed']>
}

/** The open dialog of a `DifferentAccountDialog`, or of a card. */
export function DifferentAccountQuestion({ provider, changed, ...closing }: DifferentAccountQuestionProps) {
  const { from, to } = changed
  const { client } = useKit()
  const messages = useMessages()
  const answer = (choice: 'keep-both' | 'replace' | 'cancel') => () => {
    closing.onClose()
    // What fails is in the provider's state, where its card shows it.
    client.resolveChange(provider, choice).catch(() => {})
  }
  return (
    <QuestionDialog
      firm
      title={messages.changedTitle(to.label)}
      body={messages.changedBody(from.label, to.label)}
      answers={[
        { label: messages.cancelShort, kind: 'secondary', choose: answer('cancel') },
        { label: messages.replace(from.label), kind: 'secondary', choose: answer('replace') },
        { label: messages.keepBoth, kind: 'primary', choose: answer('keep-both') },
      ]}
      {...closing}
    />
  )
}

interface ConsentQuestionProps extends UseConsentOptions, Closing {
  /** The account's label, when it is given more than it has. */
  account?: string | undefined
  onContinue: (scopes: readonly string[]) => void
}

/** The open dialog of a `ConsentDialog` or of a connect button. */
export function ConsentQuestion(props: ConsentQuestionProps) {
  const { provider: providerId, granted = [], account, onContinue, onClose, onClosed } = props
  const { icons } = useKit()
  const provider = useProvider(providerId)
  const name = provider?.name ?? providerId
  const messages = useMessages()
  const { items, setChosen, scopes } = useConsent(props)
  const more = useContext(ConsentMoreContext)
  // An account that has more already does not get less by asking for less.
  const readOnly = granted.length === 0 ? readOnlyOf(provider, props.asked) : undefined
  const nothingId = useId()
  const of = (kind: ConsentItem['kind']) => items.filter((item) => item.kind === kind)
  const label = granted.length > 0 ? messages.consentMore : messages.consentChoice
  return (
    <Frame className="latchkey-consent" onClose={onClose} onClosed={onClosed}>
      <div className="latchkey-consent-head">
        <span className="latchkey-mark">{provider && brandMark(provider, icons)}</span>
        <Title className="latchkey-heading">{messages.consentTitle(name)}</Title>
      </div>
      <div className="latchkey-consent-body">
        <Group label={messages.consentGranted} items={of('granted')} />
        <Group label={messages.consentNeeded} items={of('required')} />
        <Group label={label} items={of('optional')} setChosen={setChosen} />
        {more({ provider: providerId, scopes: scopes ?? granted, account })}
      </div>
      <Description className="latchkey-hint">{messages.consentBody(name, account)}</Description>
      <p id={nothingId} className="latchkey-consent-nothing" role="status">
        {!scopes && messages.consentNothing}
      </p>
      <div className="latchkey-actions">
        <Button onClick={onClose}>{messages.cancelShort}</Button>
        {readOnly && <Button onClick={() => onContinue(readOnly)}>{messages.consentReadOnly}</Button>}
        <Button
          kind="primary"
          // Not disabled: it can be reached, and says what is missing.
          aria-disabled={!scopes || undefined}
          aria-describedby={scopes ? undefined : nothingId}
          // No await in here: the window opens in this very click.
          onClick={() => scopes && onContinue(scopes)}
        >
          {messages.consentContinue(name)}
        </Button>
      </div>
    </Frame>
  )
}

interface GroupProps {
  label: string
  items: readonly ConsentItem[]
  /** Makes a choice of it. */
  setChosen?: (scope: string, chosen: boolean) => void
}

function Group({ label, items, setChosen }: GroupProps) {
  const messages = useMessages()
  const labelId = useId()
  if (items.length === 0) return null
  const words = (item: ConsentItem): ReactNode => (
    <>
      <span>{item.label}</span>
      {item.sensitive && <em>{messages.sensitive}</em>}
    </>
  )
  return (
    <section aria-labelledby={labelId}>
      <h3 id={labelId}>{label}</h3>
      <ul className={setChosen ? 'latchkey-choices' : 'latchkey-scopes'}>
        {items.map((item) => (
          <li key={item.scope} data-sensitive={item.sensitive || undefined}>
            {setChosen ? (
              <label>
                <input
                  type="checkbox"
                  checked={item.chosen}
                  onChange={(event) => setChosen(item.scope, event.currentTarget.checked)}
                />
                {words(item)}
              </label>
            ) : (
              words(item)
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
