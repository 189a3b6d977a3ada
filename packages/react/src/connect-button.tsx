'use client'
import type { ConnectOutcome, Provider } from '@latchkey/core'
import { type ReactNode, useId, useRef, useState } from 'react'
import { useKit } from './context.tsx'
import { type ConnectResult, neverRejecting, useConnect, useProvider } from './hooks.ts'
import { later } from './later.ts'
import { LiveRegion } from './live-region.tsx'
import { errorSentence, useMessages } from './messages.ts'

const useForm = later(async () => (await import('./key-form.tsx')).KeyForm)

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
  const { client } = useKit()
  return (mode?: 'redirect'): Promise<ConnectResult> => {
    const options = mode && { mode }
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

export type ConnectControlProps = ConnectIntent & { provider: Provider; kind?: 'primary' | 'secondary' }

/** The button, and for providers of kind `api-key` the form that it opens in place. */
export function ConnectControl({ provider, kind = 'primary', ...intent }: ConnectControlProps) {
  const messages = useMessages()
  const { status, error, prepare } = useConnect(provider.id)
  const start = useStart(provider, intent)
  const [Form, loadForm] = useForm()
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const formId = useId()
  const again = intent.accountId !== undefined
  const takesKey = provider.kind === 'api-key'
  // The way on is in the notice while a window is open; a form stays, and says so itself.
  if (status === 'connecting' && !takesKey) return null
  if (error?.code === 'not_configured') return null

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
        className="latchkey-button latchkey-connect"
        data-kind={open ? 'secondary' : kind}
        aria-label={again ? messages.reconnect(provider.name, intent.accountLabel) : messages.connect(provider.name)}
        aria-expanded={takesKey ? open : undefined}
        aria-controls={takesKey && open ? formId : undefined}
        onPointerEnter={foresee}
        onFocus={foresee}
        onClick={() => {
          if (!takesKey) return void start()
          loadForm()
          setOpen(!open)
        }}
      >
        {again ? messages.reconnectShort : messages.connectShort}
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

export type ConnectNoticeProps = ConnectIntent & { provider: Provider }

/** What is going on with a provider's connect, and the way on from there. Nothing when nothing is. */
export function ConnectNotice({ provider, ...intent }: ConnectNoticeProps) {
  const messages = useMessages()
  const { name } = provider
  const { status, reason, error, cancel } = useConnect(provider.id)
  const start = useStart(provider, intent)
  if (status === 'loading') return null

  const stop = (
    <NoticeButton label={messages.cancelConnect(name)} onClick={cancel}>
      {messages.cancelShort}
    </NoticeButton>
  )
  if (status === 'connecting') {
    if (provider.kind === 'api-key') return null
    if (reason !== 'popup_closed' && reason !== 'popup_blocked') {
      return (
        <Notice busy actions={stop}>
          {messages.waiting(name)}
        </Notice>
      )
    }
    return (
      <Notice
        actions={
          <>
            <NoticeButton
              label={intent.accountId ? messages.reconnect(name, intent.accountLabel) : messages.connect(name)}
              onClick={() => start()}
            >
              {intent.accountId ? messages.reconnectShort : messages.connectShort}
            </NoticeButton>
            {stop}
          </>
        }
      >
        {reason === 'popup_closed' ? messages.popupClosed : messages.popupBlocked}
      </Notice>
    )
  }
  if (reason === 'popup_blocked' || error?.code === 'popup_blocked') {
    return (
      <Notice
        tone="warning"
        actions={<NoticeButton onClick={() => start('redirect')}>{messages.openInThisTab}</NoticeButton>}
      >
        {messages.popupBlocked}
      </Notice>
    )
  }
  if (reason === 'access_denied' || error?.code === 'access_denied') return <Notice>{messages.denied(name)}</Notice>
  if (error?.code === 'not_configured') return <Notice>{messages.notConfiguredHint(name)}</Notice>
  if (!error || error.code === 'cancelled') return null
  return (
    <Notice
      tone="error"
      actions={
        error.next === 'redirect' && (
          <NoticeButton onClick={() => start('redirect')}>{messages.openInThisTab}</NoticeButton>
        )
      }
    >
      {errorSentence(messages, error, name)}
      {error.detail && <span className="latchkey-detail">{messages.serverSaid(name, error.detail)}</span>}
    </Notice>
  )
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
