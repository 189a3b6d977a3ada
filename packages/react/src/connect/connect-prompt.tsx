'use client'
import { type ConnectedAccount, type ConnectRequest, defaultAccount, type Provider } from '@latchkey/core'
import { labelsPerson } from '@latchkey/core/internal'
import { useEffect, useRef, useState } from 'react'
import { isUsable, useKit, useProvider, useSnapshot } from '../hooks.ts'
import { ScopeItems } from '../parts/scope-items.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Button, SmallButton } from '../ui/button.tsx'
import { LiveRegion } from '../ui/live-region.tsx'
import { descriptionOf } from '../use-first-messages.ts'
import { useMessages } from '../use-messages.ts'
import { ConnectControl } from './connect-control.tsx'
import { useConnectPlace } from './connect-notice.tsx'
import { Later, PagePrompt, PromptFrame } from './page-prompt.tsx'
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
  /**
   * Called when the person does without it: adds *Not now*. Where the request was fulfilled from the start it adds *Continue*,
   * too, which calls `onConnected`: the agent may need the account for a reason that the page does not know.
   */
  onDecline?: () => void
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

function Prompt(props: ConnectPromptProps & { provider: Provider }) {
  const { provider, request, onConnected, onDecline, className } = props
  const { client } = useKit()
  const messages = useMessages()
  const { name } = provider
  const place = useRef<HTMLElement>(null)
  const [started, setStarted] = useState<ConnectIntent>()
  const { ready, account, wanted, fulfilled, paused, narrow } = useWanted(provider, request)

  // A token is replaced by the next one, so what was granted before is asked for again along with the new.
  const scopes = provider.kind !== 'api-key' ? [...(account?.scopes ?? provider.scopes), ...wanted] : []
  const intent = {
    ...(account && { accountId: account.id }),
    ...(wanted.length > 0 && { scopes: [...new Set(scopes)] }),
  }
  const { status, notice, keptFocus } = useConnectPlace(place, { provider, ...intent, ...started }, fulfilled?.id)

  // A tool of this page waits for it, so it has to hear of a no.
  const waiting = useSnapshot((snapshot) => snapshot.requests.includes(request))

  const [wasThere, setWasThere] = useState<boolean>()
  if (ready && wasThere === undefined) setWasThere(fulfilled !== undefined)
  const asked = useRef(false)
  const told = useRef(false)
  useEffect(() => {
    if (ready && !fulfilled) asked.current = true
    if (!fulfilled || !asked.current || told.current) return
    told.current = true
    onConnected?.(fulfilled)
  }, [ready, fulfilled, onConnected])

  const frame = { ref: place, provider, className }
  const isNamed = fulfilled && labelsPerson(provider, fulfilled)
  if (fulfilled)
    return (
      <PromptFrame
        {...frame}
        status="connected"
        done={isNamed ? messages.promptConnected(name, fulfilled.label) : messages.promptSignedIn(name)}
        below={
          <>
            {keptFocus}
            {wasThere && onDecline && (
              <div className="latchkey-later">
                <Later name={name} onPress={onDecline} />
                <SmallButton
                  kind="primary"
                  label={messages.promptGoOnShort}
                  name={messages.promptGoOn(name)}
                  onPress={() => onConnected?.(fulfilled)}
                />
              </div>
            )}
          </>
        }
      >
        {isNamed && <Avatar account={fulfilled} />}
      </PromptFrame>
    )
  const tool = request.toolName && /^[\w.-]{1,64}$/.test(request.toolName) ? request.toolName : undefined
  const line = paused ? messages.pausedPrompt : descriptionOf(messages, provider)
  return (
    <PromptFrame
      {...frame}
      status={status === 'connecting' ? status : 'disconnected'}
      title={(narrow ? messages.promptMore : messages.promptTitle)(name, tool)}
      line={wanted.length === 0 && line}
      below={
        <>
          {keptFocus}
          {notice}
          {(waiting || onDecline) && (
            <div className="latchkey-later">
              <Later
                name={name}
                onPress={() => {
                  if (waiting) client.cancelRequest(provider.id)
                  onDecline?.()
                }}
              />
            </div>
          )}
        </>
      }
    >
      {ready && paused && (
        <Button
          className="latchkey-connect"
          kind="primary"
          aria-label={messages.resume(name)}
          onClick={() => client.unpause(paused.id).catch(() => {})}
        >
          {messages.resumeShort}
        </Button>
      )}
      {ready && !paused && (
        <ConnectControl
          provider={provider}
          onStart={setStarted}
          {...(narrow && { words: { label: messages.grantShort, name: messages.grant(name) } })}
          {...intent}
        />
      )}
      {!ready && <span className="latchkey-bone" aria-hidden="true" />}
      {wanted.length > 0 && (
        <div className="latchkey-asks">
          <p className="latchkey-line">{messages.promptScopes}</p>
          <ul className="latchkey-scopes">
            <ScopeItems provider={provider} scopes={wanted} />
          </ul>
        </div>
      )}
    </PromptFrame>
  )
}

/** The account that a request is about, and whether it is what was asked for. */
function useWanted(provider: Provider, request: ConnectRequest) {
  const ready = useSnapshot((snapshot) => snapshot.status === 'ready')
  const account = useSnapshot(
    (snapshot) => snapshot.accounts[request.accountId ?? ''] ?? defaultAccount(snapshot, provider.id),
  )
  const wanted = knownScopes(provider, request)
  const granted = wanted.every((scope) => account?.scopes.includes(scope))
  const fulfilled = granted && isUsable(account) ? account : undefined
  // Paused and nothing else: no window is needed to have it back.
  const paused = granted && account?.status === 'paused' ? account : undefined
  // It works, and can do too little.
  const narrow = !granted && isUsable(account)
  return { ready, account, wanted, fulfilled, paused, narrow }
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
