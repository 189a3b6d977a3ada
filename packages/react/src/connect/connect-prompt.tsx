'use client'
import {
  type ConnectedAccount,
  type ConnectRequest,
  cardStatus,
  defaultAccount,
  type Provider,
  providerState,
} from '@latchkey/core'
import { useEffect, useId, useRef, useState } from 'react'
import { useKit, useProvider, useProviderAccounts, useSnapshot } from '../hooks.ts'
import { ScopeItems } from '../parts/scope-items.tsx'
import { useSpokenStatus } from '../parts/spoken-status.ts'
import { Avatar } from '../ui/avatar.tsx'
import { Button } from '../ui/button.tsx'
import { useKeptFocus } from '../ui/focus.ts'
import { brandMark } from '../ui/icons.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { descriptionOf, useLanguage } from '../use-first-messages.ts'
import { useMessages } from '../use-messages.ts'
import { ConnectControl } from './connect-control.tsx'
import { useConnectNotice } from './connect-notice.tsx'
import { PagePrompt } from './page-prompt.tsx'
import type { ConnectIntent } from './start.ts'

/** Props of {@link ConnectPrompt}. */
export interface ConnectPromptProps {
  /**
   * What a tool answered, or one of `usePendingRequests()`, which can be said no to. It is controlled by tools and models, so
   * only what this page's providers know is shown.
   */
  request: ConnectRequest
  /** Called once when the request comes to be fulfilled, here or anywhere; not when it was so from the start. */
  onConnected?: (account: ConnectedAccount) => void
  /** Added to the classes of the outermost element. */
  className?: string
}

/** Asks for an account in the chat, where a tool lacked it. Renders nothing for a provider that the page does not know. */
export function ConnectPrompt({ request, ...props }: ConnectPromptProps) {
  const provider = useProvider(request.provider)
  if (!provider) return null
  return (
    <LiveRegion>
      {request.mode === 'url' && request.url ? (
        <PagePrompt provider={provider} url={request.url} {...props} />
      ) : (
        <Prompt provider={provider} request={request} {...props} />
      )}
    </LiveRegion>
  )
}

function Prompt({ provider, request, onConnected, className }: ConnectPromptProps & { provider: Provider }) {
  const { client, icons } = useKit()
  const messages = useMessages()
  const language = useLanguage()
  const { name } = provider
  const titleId = useId()
  const card = useRef<HTMLElement>(null)
  const [started, setStarted] = useState<ConnectIntent>()
  const accounts = useProviderAccounts(provider.id)
  const status = useSnapshot((snapshot) => cardStatus(snapshot, provider.id))
  const { reason } = useSnapshot((snapshot) => providerState(snapshot, provider.id))
  useSpokenStatus(name, status, accounts, reason)
  const ready = useSnapshot((snapshot) => snapshot.status === 'ready')
  const account = useSnapshot(
    (snapshot) => snapshot.accounts[request.accountId ?? ''] ?? defaultAccount(snapshot, provider.id),
  )
  const wanted = knownScopes(provider, request)
  const fulfilled =
    (account?.status === 'connected' || account?.status === 'expiring') &&
    wanted.every((scope) => account.scopes.includes(scope))

  // A token is replaced by the next one, so what was granted before is asked for again along with the new.
  const scopes = provider.kind !== 'api-key' ? [...(account?.scopes ?? provider.scopes), ...wanted] : []
  const intent = {
    ...(account && { accountId: account.id }),
    ...(wanted.length > 0 && { scopes: [...new Set(scopes)] }),
  }
  const { notice, pending } = useConnectNotice({ provider, ...intent, ...started })
  useKeptFocus(card, `${status} ${reason} ${fulfilled}`, pending && !fulfilled)

  // A tool of this page waits for it, so it has to hear of a no.
  const waiting = useSnapshot((snapshot) => snapshot.requests.includes(request))

  // Paused and nothing else: no window is needed to have it back.
  const paused =
    account?.status === 'paused' && wanted.every((scope) => account.scopes.includes(scope)) ? account : undefined

  const asked = useRef(false)
  const told = useRef(false)
  useEffect(() => {
    if (ready && !fulfilled) asked.current = true
    if (!fulfilled || !account || !asked.current || told.current) return
    told.current = true
    onConnected?.(account)
  }, [ready, fulfilled, account, onConnected])

  const tool = request.toolName && /^[\w.-]{1,64}$/.test(request.toolName) ? request.toolName : undefined
  const mark = <span className="latchkey-mark">{brandMark(provider.id, name, icons)}</span>
  const frame = ['latchkey latchkey-prompt', className].filter(Boolean).join(' ')
  if (fulfilled && account) {
    return (
      <article
        ref={card}
        {...language}
        className={frame}
        aria-labelledby={titleId}
        data-status="connected"
        data-provider={provider.id}
      >
        <div className="latchkey-head">
          {mark}
          <div className="latchkey-title">
            <p id={titleId} className="latchkey-done" tabIndex={-1}>
              {messages.promptConnected(name, account.label)}
            </p>
          </div>
          <Avatar account={account} />
        </div>
      </article>
    )
  }
  return (
    <article
      {...language}
      ref={card}
      className={frame}
      aria-labelledby={titleId}
      data-status={status === 'connecting' ? status : 'disconnected'}
      data-provider={provider.id}
    >
      <div className="latchkey-head">
        {mark}
        <div className="latchkey-title">
          <p id={titleId} className="latchkey-name">
            {messages.promptTitle(name, tool)}
          </p>
          {wanted.length === 0 && (
            <p className="latchkey-line">{paused ? messages.pausedPrompt : descriptionOf(messages, provider)}</p>
          )}
        </div>
        {ready && paused ? (
          <Button
            className="latchkey-connect"
            kind="primary"
            aria-label={messages.resume(name)}
            onClick={() => client.unpause(paused.id)}
          >
            {messages.resumeShort}
          </Button>
        ) : ready ? (
          <ConnectControl provider={provider} onStart={setStarted} {...intent} />
        ) : (
          <span className="latchkey-bone" aria-hidden="true" />
        )}
        {wanted.length > 0 && (
          <div className="latchkey-asks">
            <p className="latchkey-line">{messages.promptScopes}</p>
            <ul className="latchkey-scopes">
              <ScopeItems provider={provider} scopes={wanted} />
            </ul>
          </div>
        )}
      </div>
      {notice}
      {waiting && (
        <div className="latchkey-later">
          <Button
            size="small"
            aria-label={messages.promptLater(name)}
            onClick={() => client.cancelRequest(provider.id)}
          >
            {messages.promptLaterShort}
          </Button>
        </div>
      )}
    </article>
  )
}

/** The scopes of a request that this page's provider has words for; others are not asked for. */
function knownScopes(provider: Provider, request: ConnectRequest): string[] {
  if (provider.kind === 'api-key') return []
  // An MCP server's scopes have no words of ours: their names are shown as they are.
  if (provider.kind === 'mcp')
    return (request.scopes ?? []).filter((scope) => /^[\w.:/-]{1,80}$/.test(scope)).slice(0, 20)
  const canonical = (request.scopes ?? []).map((scope) => provider.scopeAliases?.[scope] ?? scope)
  return canonical.filter((scope) => Object.hasOwn(provider.scopeMeanings, scope))
}
