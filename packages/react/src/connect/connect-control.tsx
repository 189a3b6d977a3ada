'use client'
import {
  type ConnectOptions,
  type ConnectOutcome,
  defaultAccount,
  type OAuthProvider,
  type Provider,
  type ProviderState,
  providerState,
} from '@latchkey/core'
import { type MouseEvent, type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react'
import { type ConnectResult, neverRejecting, useConnect, useSnapshot } from '../hooks.ts'
import { errorSentence, useMessages } from '../messages/en.ts'
import { useKit } from '../provider.tsx'
import { firstStop } from '../ui/focus.ts'
import { brandMark } from '../ui/icons.tsx'
import { later } from '../ui/lazy.ts'
import { useAnnounce } from '../ui/live-region.tsx'

const useForm = /* @__PURE__ */ later(async () => (await import('./key-form.tsx')).KeyForm)
const useConsentQuestion = /* @__PURE__ */ later(async () => (await import('./on-intent.tsx')).ConsentQuestion)
const useClientIdForm = /* @__PURE__ */ later(async () => (await import('./on-intent.tsx')).ClientIdForm)
const useDifferent = /* @__PURE__ */ later(async () => (await import('./on-intent.tsx')).DifferentAccountQuestion)

/** What a connect is about. */
export interface ConnectIntent {
  /** The account to connect again. */
  accountId?: string
  /** The account's name for the button, when the provider has several. */
  accountLabel?: string
  /** Scopes to ask for. Default: the provider's. */
  scopes?: readonly string[]
  /**
   * Whether one more account is meant.
   *
   * @default 'add-account' when neither scopes nor an account are named
   */
  intent?: ConnectOptions['intent']
  /** Called when an account was connected here. */
  onConnected?: (outcome: Extract<ConnectOutcome, { status: 'connected' }>) => void
}

/** Starts the intent's flow in this very tick. */
function useStart(provider: Provider, { accountId, scopes, intent, onConnected }: ConnectIntent) {
  const { client, keep } = useKit()
  return (mode?: ConnectOptions['mode'], chosen = scopes, meant = intent): Promise<ConnectResult> => {
    const added =
      meant ?? (accountId || chosen || !defaultAccount(client.getSnapshot(), provider.id) ? undefined : 'add-account')
    const options: ConnectOptions = {
      ...(mode && (mode === 'redirect' ? { mode, keep: keep() } : { mode })),
      ...(added && { intent: added }),
    }
    const result = neverRejecting(
      () =>
        accountId && !chosen
          ? client.reconnect(accountId, mode && options)
          : client.connect(provider.id, chosen ? { ...options, scopes: chosen, accountId } : options),
      provider.id,
    )
    result.then((outcome) => outcome.status === 'connected' && onConnected?.(outcome))
    return result
  }
}

/** What there is to decide before a window opens. Nothing when the app does not want it asked, or all was agreed before. */
function useConsentFor(provider: Provider, { accountId, scopes }: ConnectIntent, wanted: boolean | undefined) {
  const { consent } = useKit()
  // Scopes without an account are added to the default one: that is how the client understands it.
  const account = useSnapshot((snapshot) =>
    accountId ? snapshot.accounts[accountId] : scopes && defaultAccount(snapshot, provider.id),
  )
  if (!(wanted ?? consent) || provider.kind === 'api-key') return {}
  const granted = account?.scopes ?? []
  const asked = scopes ?? (account ? granted : provider.scopes)
  if (asked.some((scope) => !granted.includes(scope)))
    return { question: { provider, asked, granted, account: account?.label } }
  // What was left out before is not asked for again behind a person's back.
  return { scopes: account && granted.length > 0 ? granted : undefined }
}

export interface ControlOptions {
  /** Asks what the agent may do before the window opens. Default: what the LatchkeyProvider says. */
  consent?: boolean
  /** Called in the click that starts it. */
  onStart?: (intent: ConnectIntent) => void
}

/** What a connect button does: its handlers and ARIA, and the dialog or form that it opens. */
export function useConnectControl(provider: Provider, intent: ConnectIntent, { consent, onStart }: ControlOptions) {
  const { icons } = useKit()
  const { status, prepare } = useConnect(provider.id)
  const start = useStart(provider, intent)
  const { question, scopes } = useConsentFor(provider, intent, consent)
  const [Form, loadForm] = useForm()
  const [Consent, loadConsent] = useConsentQuestion()
  const [open, setOpen] = useState(false)
  const [asking, setAsking] = useState<{ theme: string | undefined; home: Element | null }>()
  const button = useRef<HTMLElement>(undefined)
  const formId = useId()
  const takesKey = provider.kind === 'api-key'

  const foresee = () => {
    prepare()
    if (takesKey) loadForm()
    if (question) loadConsent()
  }
  const press = ({ currentTarget }: MouseEvent<HTMLElement>) => {
    button.current = currentTarget
    // Where a window is open already, the client brings it to the front.
    if (question && status !== 'connecting') {
      loadConsent()
      return setAsking({ theme: themeAround(currentTarget), home: currentTarget.closest('.latchkey') })
    }
    onStart?.(scopes ? { ...intent, scopes } : intent)
    if (!takesKey) return void start(undefined, scopes)
    loadForm()
    setOpen(!open)
  }
  const agree = (chosen: readonly string[]) => {
    setAsking(undefined)
    // Without an account and scopes of its own it was one more that was meant, and it still is.
    const meant = intent.intent ?? (intent.accountId || intent.scopes ? undefined : 'add-account')
    onStart?.({ ...intent, scopes: chosen, intent: meant })
    void start(undefined, chosen, meant)
  }
  // The button may have given way to what became of it.
  const refocus = (home?: Element | null) => (button.current?.isConnected ? button.current : firstStop(home))?.focus()
  return {
    open,
    props: {
      'aria-haspopup': question && ('dialog' as const),
      'aria-expanded': takesKey ? open : undefined,
      'aria-controls': takesKey && open ? formId : undefined,
      onPointerEnter: foresee,
      onFocus: foresee,
      onClick: press,
    },
    below: (
      <>
        {takesKey && open && Form && (
          <Form
            id={formId}
            provider={provider}
            accountId={intent.accountId}
            focusOnMount
            onConnected={(outcome) => {
              setOpen(false)
              intent.onConnected?.(outcome)
            }}
            onCancel={() => {
              setOpen(false)
              refocus()
            }}
          />
        )}
        {asking && question && Consent && (
          <Consent
            {...question}
            mark={brandMark(provider.id, provider.name, icons)}
            theme={asking.theme}
            onContinue={agree}
            onClose={() => setAsking(undefined)}
            onClosed={() => refocus(asking.home)}
          />
        )}
      </>
    ),
  }
}

export type ConnectControlProps = ConnectIntent &
  ControlOptions & {
    provider: Provider
    kind?: 'primary' | 'secondary' | 'quiet'
    /** The visible word and the accessible name. Default: those of connecting, or of connecting again. */
    words?: readonly [visible: string, name: string]
    className?: string
  }

/** The button of a card, and what it opens. */
export function ConnectControl(props: ConnectControlProps) {
  const { provider, kind = 'primary', words, className = 'latchkey-connect', consent, onStart, ...intent } = props
  const messages = useMessages()
  const { status, error } = useConnect(provider.id)
  const control = useConnectControl(provider, intent, { consent, onStart })
  // The way on is in the notice while a window is open; a form stays, and says so itself.
  if (status === 'connecting' && provider.kind !== 'api-key') return null
  if (error?.code === 'not_configured') return null

  const [visible, name] =
    words ??
    (intent.accountId === undefined
      ? [messages.connectShort, messages.connect(provider.name)]
      : [messages.reconnectShort, messages.reconnect(provider.name, intent.accountLabel)])
  return (
    <>
      <button
        type="button"
        className={`latchkey-button ${className}`}
        data-kind={control.open ? 'secondary' : kind}
        aria-label={name}
        {...control.props}
      >
        {visible}
      </button>
      {control.below}
    </>
  )
}

export type ConnectNoticeProps = ConnectIntent & {
  provider: Provider
  /** The button that starts the same thing is not there: the notice has to have one. */
  alone?: boolean
}

/** What is going on with a provider's connect, and the way on from there. Nothing when nothing is. */
export function ConnectNotice({ provider, alone, ...intent }: ConnectNoticeProps) {
  const messages = useMessages()
  const { name } = provider
  const { client } = useKit()
  const { status, reason, error, cancel } = useConnect(provider.id)
  const changed = useSnapshot((snapshot) => providerState(snapshot, provider.id).changed)
  const start = useStart(provider, intent)
  const [link, setLink] = useState<'copied' | 'failed'>()
  const blocked = reason === 'popup_blocked' || error?.code === 'popup_blocked'
  // A link is of interest while its flow is.
  if (link && status !== 'connecting' && !blocked) setLink(undefined)
  if (status === 'loading') return null
  if (changed) return <ChangedNotice provider={provider} changed={changed} />

  const stop = (
    <NoticeButton label={messages.cancelConnect(name)} onClick={cancel}>
      {messages.cancelShort}
    </NoticeButton>
  )
  const openAgain = (
    <NoticeButton
      label={intent.accountId ? messages.reconnect(name, intent.accountLabel) : messages.connect(name)}
      onClick={() => start()}
    >
      {intent.accountId ? messages.reconnectShort : messages.connectShort}
    </NoticeButton>
  )
  const copy = () => {
    const { scopes, accountId } = intent
    copyText(client.connectLink(provider.id, { scopes, accountId })).then(
      () => setLink('copied'),
      () => setLink('failed'),
    )
  }
  const waysOn = (
    <>
      <NoticeButton onClick={() => start('tab')}>{messages.openInNewTab}</NoticeButton>
      <NoticeButton onClick={() => start('redirect')}>{messages.openInThisTab}</NoticeButton>
      <NoticeButton onClick={copy}>{messages.copyLink}</NoticeButton>
    </>
  )
  const aboutLink = link && (link === 'copied' ? messages.linkCopied : messages.linkNotCopied)

  if (reason === 'embedded') {
    return (
      <Notice
        tone="warning"
        actions={
          <>
            <a
              className="latchkey-button"
              data-kind="secondary"
              data-size="small"
              href={location.href}
              target="_blank"
              rel="noopener noreferrer"
            >
              {messages.openOwnTab}
            </a>
            {status === 'connecting' && openAgain}
            {status === 'connecting' && stop}
          </>
        }
      >
        {messages.embedded(name)}
      </Notice>
    )
  }
  if (status === 'connecting') {
    if (provider.kind === 'api-key') return null
    if (link === 'copied' || (reason !== 'popup_closed' && reason !== 'popup_blocked')) {
      return (
        <Notice busy actions={stop}>
          {aboutLink ?? messages.waiting(name)}
        </Notice>
      )
    }
    return (
      <Notice
        actions={
          <>
            {openAgain}
            {blocked && waysOn}
            {stop}
          </>
        }
      >
        {reason === 'popup_closed' ? messages.popupClosed : messages.popupBlocked}
      </Notice>
    )
  }
  if (blocked) {
    return (
      <Notice tone="warning" actions={waysOn}>
        {aboutLink ?? messages.popupBlocked}
      </Notice>
    )
  }
  const tryAgain = (
    <NoticeButton label={messages.tryAgain(name)} onClick={() => start()}>
      {messages.tryAgainShort}
    </NoticeButton>
  )
  if (reason === 'access_denied' || error?.code === 'access_denied') {
    return <Notice actions={alone && tryAgain}>{messages.denied(name)}</Notice>
  }
  if (error?.code === 'not_configured') {
    // A server that registers nobody by itself may still know this app: by an id that somebody has.
    return provider.kind === 'mcp' && !provider.client.client_id ? (
      <ClientIdNotice provider={provider} onSaved={() => start()} />
    ) : (
      <Notice>{messages.notConfiguredHint(name)}</Notice>
    )
  }
  if (!error || error.code === 'cancelled') return null
  const { next } = error
  const byWindow = provider.kind !== 'api-key'
  const offersAgain = next === 'retry' || (alone && (next === 'connect' || next === 'reconnect'))
  return (
    <Notice tone="error" actions={byWindow && ((next === 'redirect' && waysOn) || (offersAgain && tryAgain))}>
      {errorSentence(messages, error, name)}
      {error.detail && <span className="latchkey-detail">{messages.serverSaid(name, error.detail)}</span>}
    </Notice>
  )
}

/** Asks for the client id of this app at a server that registers nobody by itself. */
function ClientIdNotice({ provider, onSaved }: { provider: OAuthProvider; onSaved: () => void }) {
  const messages = useMessages()
  const [Form, loadForm] = useClientIdForm()
  useEffect(loadForm, [loadForm])
  return Form ? (
    <Form provider={provider} onSaved={onSaved} />
  ) : (
    <Notice>{messages.notConfiguredHint(provider.name)}</Notice>
  )
}

/** Puts text that is still to come on the clipboard. Safari wants the promise, in the click's own tick. */
async function copyText(text: Promise<string>): Promise<void> {
  if (typeof ClipboardItem === 'undefined') return navigator.clipboard.writeText(await text)
  const blob = text.then((known) => new Blob([known], { type: 'text/plain' }))
  await Promise.all([blob, navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })])])
}

type Change = NonNullable<ProviderState['changed']>

// Cards and prompts of one provider see the same change; one of them asks.
const asked = new WeakSet<Change>()

/** Somebody else signed in than the account that was connected again: asks what to do about it. */
function ChangedNotice({ provider, changed }: { provider: Provider; changed: Change }) {
  const { from, to } = changed
  const messages = useMessages()
  const announce = useAnnounce()
  const [asking, setAsking] = useState<{ theme: string | undefined; home: Element | null }>()
  const [Dialog, loadDialog] = useDifferent()
  const trigger = useRef<HTMLButtonElement>(null)
  const ask = useCallback(() => {
    loadDialog()
    setAsking({ theme: themeAround(trigger.current), home: trigger.current?.closest('.latchkey') ?? null })
  }, [loadDialog])
  useEffect(() => {
    if (asked.has(changed)) return
    asked.add(changed)
    announce(messages.spoken.changed(changed.to.label))
    ask()
  }, [changed, ask, announce, messages])

  return (
    <>
      <Notice
        tone="warning"
        actions={
          <button
            ref={trigger}
            type="button"
            className="latchkey-button"
            data-kind="secondary"
            data-size="small"
            aria-haspopup="dialog"
            onClick={ask}
          >
            {messages.choose}
          </button>
        }
      >
        {messages.changed(from.label, to.label)}
      </Notice>
      {asking && Dialog && (
        <Dialog
          provider={provider.id}
          changed={changed}
          theme={asking.theme}
          onClose={() => setAsking(undefined)}
          onClosed={() => (trigger.current ?? firstStop(asking.home))?.focus()}
        />
      )}
    </>
  )
}

/** The `data-theme` around a node. */
export function themeAround(node: Element | null): string | undefined {
  return node?.closest<HTMLElement>('[data-theme]')?.dataset.theme
}

interface NoticeProps {
  tone?: 'quiet' | 'warning' | 'error' | 'success'
  busy?: boolean
  actions?: ReactNode
  children: ReactNode
}

/** One line about what happened, with what can be done about it. */
export function Notice({ tone = 'quiet', busy, actions, children }: NoticeProps) {
  return (
    <div className="latchkey-notice" data-tone={tone} role={tone === 'error' ? 'alert' : undefined}>
      {busy && <span className="latchkey-spinner" aria-hidden="true" />}
      <p>{children}</p>
      {actions && <div className="latchkey-actions">{actions}</div>}
    </div>
  )
}

/** A small button of a notice. `label` is its accessible name where the visible word is too short to be one. */
export function NoticeButton(props: { label?: string; onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      className="latchkey-button"
      data-kind="secondary"
      data-size="small"
      aria-label={props.label}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  )
}
