'use client'
import {
  type ConnectOptions,
  type ConnectOutcome,
  type Provider,
  type ProviderState,
  providerState,
} from '@latchkey/core'
import { type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react'
import { useKit } from './context.tsx'
import { type ConnectResult, neverRejecting, useConnect, useProvider, useSnapshot } from './hooks.ts'
import { later } from './later.ts'
import { LiveRegion, useAnnounce } from './live-region.tsx'
import { errorSentence, useMessages } from './messages.ts'

const useForm = later(async () => (await import('./key-form.tsx')).KeyForm)
const useQuestion = later(async () => (await import('./question-dialog.tsx')).QuestionDialog)

/** What a connect is about. */
export interface ConnectIntent {
  /** The account to connect again. */
  accountId?: string
  /** The account's name for the button, when the provider has several. */
  accountLabel?: string
  /** Scopes to ask for. Default: the provider's. */
  scopes?: readonly string[]
  /** Called when an account was connected here. */
  onConnected?: (outcome: Extract<ConnectOutcome, { status: 'connected' }>) => void
}

/** Starts the intent's flow in this very tick. */
function useStart(provider: Provider, { accountId, scopes, onConnected }: ConnectIntent) {
  const { client, keep } = useKit()
  return (mode?: ConnectOptions['mode']): Promise<ConnectResult> => {
    const options = mode && (mode === 'redirect' ? { mode, keep: keep() } : { mode })
    const result = neverRejecting(
      () =>
        accountId && !scopes
          ? client.reconnect(accountId, options)
          : client.connect(provider.id, scopes || accountId ? { ...options, scopes, accountId } : options),
      provider.id,
    )
    result.then((outcome) => outcome.status === 'connected' && onConnected?.(outcome))
    return result
  }
}

export type ConnectControlProps = ConnectIntent & {
  provider: Provider
  kind?: 'primary' | 'secondary' | 'quiet'
  /** The visible word and the accessible name. Default: those of connecting, or of connecting again. */
  words?: readonly [visible: string, name: string]
  /** Added to the classes of the outermost element. */
  className?: string
  /** Called in the click that starts it. */
  onStart?: (intent: ConnectIntent) => void
}

/** The button, and for providers of kind `api-key` the form that it opens in place. */
export function ConnectControl(props: ConnectControlProps) {
  const { provider, kind = 'primary', words, className = 'latchkey-connect', onStart, ...intent } = props
  const messages = useMessages()
  const { status, error, prepare } = useConnect(provider.id)
  const start = useStart(provider, intent)
  const [Form, loadForm] = useForm()
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const formId = useId()
  const takesKey = provider.kind === 'api-key'
  // The way on is in the notice while a window is open; a form stays, and says so itself.
  if (status === 'connecting' && !takesKey) return null
  if (error?.code === 'not_configured') return null

  const [visible, name] =
    words ??
    (intent.accountId === undefined
      ? [messages.connectShort, messages.connect(provider.name)]
      : [messages.reconnectShort, messages.reconnect(provider.name, intent.accountLabel)])
  const foresee = () => {
    prepare()
    if (takesKey) loadForm()
  }
  const close = () => {
    setOpen(false)
    button.current?.focus()
  }
  const onConnected: ConnectIntent['onConnected'] = (outcome) => {
    setOpen(false)
    intent.onConnected?.(outcome)
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`latchkey-button ${className}`}
        data-kind={open ? 'secondary' : kind}
        aria-label={name}
        aria-expanded={takesKey ? open : undefined}
        aria-controls={takesKey && open ? formId : undefined}
        onPointerEnter={foresee}
        onFocus={foresee}
        onClick={() => {
          onStart?.(intent)
          if (!takesKey) return void start()
          loadForm()
          setOpen(!open)
        }}
      >
        {visible}
      </button>
      {takesKey && open && Form && (
        <Form
          id={formId}
          provider={provider}
          accountId={intent.accountId}
          focusOnMount
          onConnected={onConnected}
          onCancel={close}
        />
      )}
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
  if (error?.code === 'not_configured') return <Notice>{messages.notConfiguredHint(name)}</Notice>
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
  const { client } = useKit()
  const messages = useMessages()
  const announce = useAnnounce()
  const [asking, setAsking] = useState<{ theme: string | undefined; home: Element | null }>()
  const [Dialog, loadDialog] = useQuestion()
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

  const answer = (choice: 'keep-both' | 'replace' | 'cancel') => () => {
    setAsking(undefined)
    // What fails is in the provider's state, where the card shows it.
    client.resolveChange(provider.id, choice).catch(() => {})
  }
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
          firm
          title={messages.changedTitle(to.label)}
          body={messages.changedBody(from.label, to.label)}
          answers={[
            { label: messages.keepBoth, kind: 'primary', choose: answer('keep-both') },
            { label: messages.replace(from.label), kind: 'secondary', choose: answer('replace') },
            { label: messages.cancelShort, kind: 'secondary', choose: answer('cancel') },
          ]}
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

/** Where a keyboard goes on in a card: connecting or cancelling that, else disconnecting, else its heading. */
const STOPS = ['.latchkey-connect', '[data-tone=quiet] button', '.latchkey-disconnect', 'h3']

export function firstStop(...places: (Element | null | undefined)[]): HTMLElement | undefined {
  for (const place of places) {
    for (const stop of STOPS) {
      const found = place?.querySelector<HTMLElement>(stop)
      if (found) return found
    }
  }
  return undefined
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

export type ConnectButtonProps = ConnectIntent & {
  /** Provider id. */
  provider: string
}

/**
 * A button that connects an account of one provider, with all that can follow from it: waiting, a blocked window, a
 * key form. Renders nothing for a provider that the page does not know.
 */
export function ConnectButton({ provider: providerId, ...intent }: ConnectButtonProps) {
  const provider = useProvider(providerId)
  if (!provider) return null
  return (
    <LiveRegion>
      <div className="latchkey latchkey-stack">
        <ConnectControl provider={provider} {...intent} />
        <ConnectNotice provider={provider} {...intent} />
      </div>
    </LiveRegion>
  )
}
