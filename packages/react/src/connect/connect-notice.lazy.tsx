'use client'
import {
  type LatchkeyError,
  type OAuthProvider,
  type Provider,
  type ProviderState,
  providerState,
} from '@latchkey/core'
import { type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react'
import { useKit, useSnapshot } from '../hooks.ts'
import { later } from '../later.tsx'
import type { Messages } from '../messages/messages.ts'
import { Button, SmallButton } from '../ui/button.tsx'
import { firstStop } from '../ui/focus.ts'
import { useAnnounce } from '../ui/live-region.tsx'
import { Notice } from '../ui/notice.tsx'
import { useConnect } from '../use-connect.ts'
import { errorSentence, useMessages } from '../use-messages.ts'
import { type ConnectIntent, connectWords, useStart } from './start.ts'

const useClientIdForm = /* @__PURE__ */ later(() => import('./client-id-form.lazy.tsx'), 'ClientIdForm')
const useDifferent = /* @__PURE__ */ later(() => import('../dialogs/questions.lazy.tsx'), 'DifferentAccountQuestion')

export type ConnectNoticeProps = ConnectIntent & {
  provider: Provider
  /** The button that starts the same thing is not there: the notice has to have one. */
  alone?: boolean
  /** A row above says that a window is waited for, and has the ways on. */
  inRow?: boolean
}

/** Milliseconds after which a person who waits is offered other ways. */
const LONG = 60_000

/** Whether a connect has waited for its window for long. */
function useLongWait(waiting: boolean): boolean {
  const [long, setLong] = useState(false)
  useEffect(() => {
    if (!waiting) return
    const timer = setTimeout(() => setLong(true), LONG)
    return () => {
      clearTimeout(timer)
      setLong(false)
    }
  }, [waiting])
  return long
}

/** What is going on with a provider's connect, and the way on from there. Nothing when nothing is. */
export function ConnectNotice({ provider, alone, inRow, ...intent }: ConnectNoticeProps) {
  const messages = useMessages()
  const { name } = provider
  const { client } = useKit()
  const { status, reason, error, cancel } = useConnect(provider.id)
  const changed = useSnapshot((snapshot) => providerState(snapshot, provider.id).changed)
  const start = useStart(provider, intent)
  const [link, setLink] = useState<'copied' | 'failed'>()
  const blocked = reason === 'popup_blocked'
  const waiting = status === 'connecting' && !reason && provider.kind !== 'api-key'
  const long = useLongWait(waiting)
  // A link is of interest while its flow is.
  if (link && status !== 'connecting' && !blocked) setLink(undefined)
  if (status === 'loading') return null
  if (changed) return <ChangedNotice provider={provider} changed={changed} />

  const stop = <SmallButton label={messages.cancelShort} name={messages.cancelConnect(name)} onPress={cancel} />
  const isClosed = reason === 'popup_closed'
  const words = isClosed
    ? { label: messages.tryAgainShort, name: messages.tryAgain(name) }
    : waiting
      ? { label: messages.showWindowShort, name: messages.showWindow(name) }
      : connectWords(messages, name, intent)
  const openAgain = <SmallButton {...words} onPress={() => start()} />
  const copy = () => {
    const { scopes, accountId } = intent
    copyText(client.connectLink(provider.id, { scopes, accountId })).then(
      () => setLink('copied'),
      () => setLink('failed'),
    )
  }
  const waysOn = (
    <>
      <SmallButton label={messages.openInNewTab} onPress={() => start('tab')} />
      <SmallButton label={messages.openInThisTab} onPress={() => start('redirect')} />
      <SmallButton label={messages.copyLink} onPress={copy} />
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
            {status === 'connecting' && !inRow && stop}
          </>
        }
      >
        {messages.embedded}
      </Notice>
    )
  }
  if (status === 'connecting') {
    if (provider.kind === 'api-key') return null
    const isCopied = link === 'copied'
    const isFinishing = reason === 'finishing'
    const offersMore = !isCopied && (blocked || long)
    if (inRow && !offersMore && !aboutLink) return null
    const sentence = blocked
      ? messages.popupBlocked
      : offersMore
        ? messages.stillWaiting(name)
        : isClosed
          ? messages.popupClosed
          : (isFinishing ? messages.finishing : messages.waiting)(name)
    return (
      <Notice
        busy={!inRow && !offersMore && !isClosed}
        actions={
          (offersMore || !inRow) && (
            <>
              {!inRow && !isCopied && !isFinishing && openAgain}
              {offersMore && waysOn}
              {!inRow && stop}
            </>
          )
        }
      >
        {aboutLink ?? sentence}
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
  const tryAgain = <SmallButton label={messages.tryAgainShort} name={messages.tryAgain(name)} onPress={() => start()} />
  if (reason === 'access_denied' || error?.code === 'access_denied') {
    return <Notice actions={alone && tryAgain}>{messages.denied(name)}</Notice>
  }
  if (error?.code === 'not_configured') {
    // A server without dynamic registration may still know this app, by an id that its developer has.
    return provider.kind === 'mcp' && !provider.client.client_id ? (
      <ClientIdNotice provider={provider} onSaved={() => start()} />
    ) : (
      <Notice>{messages.notConfiguredHint(name)}</Notice>
    )
  }
  if (!error || error.code === 'cancelled') return null
  const { next } = error
  const byWindow = provider.kind !== 'api-key'
  const offersAgain = next === 'retry' ? alone || !inRow : alone && (next === 'connect' || next === 'reconnect')
  return (
    <ErrorNotice sentence={sentenceOf(messages, error, provider)} name={name} error={error}>
      {next === 'reload' && <SmallButton label={messages.reload} onPress={() => location.reload()} />}
      {byWindow && ((next === 'redirect' && waysOn) || (offersAgain && tryAgain))}
    </ErrorNotice>
  )
}

/** What to tell a person about a connect that failed. The address of an MCP server may be the person's own mistake. */
function sentenceOf(messages: Messages, error: LatchkeyError, { name, kind }: Provider): string {
  const isServer = kind === 'mcp' && error.code === 'network' && error.source !== 'app' && navigator.onLine !== false
  return isServer ? messages.serverUnreachable(name) : errorSentence(messages, error, name)
}

interface ErrorNoticeProps {
  sentence: string
  /** The provider's. */
  name: string
  error: LatchkeyError
  /** The ways on. */
  children: ReactNode
}

/** What went wrong. What only a developer can use of it is behind a button: the code, and the server's own words. */
function ErrorNotice({ sentence, name, error, children }: ErrorNoticeProps) {
  const messages = useMessages()
  const [shown, setShown] = useState(false)
  const id = useId()
  const { code, detail } = error
  return (
    <Notice
      tone="error"
      actions={
        <>
          {children}
          <Button
            className="latchkey-raw"
            kind="quiet"
            size="small"
            aria-expanded={shown}
            aria-controls={shown ? id : undefined}
            onClick={() => setShown(!shown)}
          >
            {messages.detailsShort}
          </Button>
        </>
      }
    >
      {sentence}
      {shown && (
        <span id={id} className="latchkey-detail">
          {messages.errorCode(code)}
          {detail && <> · {messages.serverSaid(name, detail)}</>}
        </span>
      )}
    </Notice>
  )
}

/** Asks for the client id of this app at a server without dynamic registration. */
function ClientIdNotice({ provider, onSaved }: { provider: OAuthProvider; onSaved: () => void }) {
  const messages = useMessages()
  const [Form] = useClientIdForm(true)
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

// Cards and prompts of one provider see the same change, and only one of them asks.
const asked = new WeakSet<Change>()

/** A reconnect came back as another person: asks what to do about it. */
function ChangedNotice({ provider, changed }: { provider: Provider; changed: Change }) {
  const { from, to } = changed
  const messages = useMessages()
  const announce = useAnnounce()
  const [asking, setAsking] = useState<{ home: Element | null }>()
  const [Dialog, loadDialog] = useDifferent()
  const trigger = useRef<HTMLButtonElement>(null)
  const ask = useCallback(() => {
    loadDialog()
    setAsking({ home: trigger.current?.closest('.latchkey') ?? null })
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
          <Button ref={trigger} size="small" aria-haspopup="dialog" onClick={ask}>
            {messages.choose}
          </Button>
        }
      >
        {messages.changed(from.label, to.label)}
      </Notice>
      {asking && Dialog && (
        <Dialog
          provider={provider.id}
          changed={changed}
          onClose={() => setAsking(undefined)}
          onClosed={() => (trigger.current ?? firstStop(asking.home))?.focus()}
        />
      )}
    </>
  )
}
