'use client'
import type { Provider } from '@latchkey/core'
import { type ForeignRequest, ownerOf } from '@latchkey/core/runtimes/foreign'
import { useEffect, useRef, useState } from 'react'
import { useLatchkey } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { LiveRegion, useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'
import { Later, PromptFrame } from './page-prompt.tsx'

/** Props of {@link ForeignPrompt}. */
export interface ForeignPromptProps {
  /** What `readForeignRequest` recognised. A new one of another page begins anew. */
  request: ForeignRequest
  /** Called when the person opens the page. */
  onOpen?: () => void
  /**
   * Called once, when the person is back: let the agent try again. Also where the page has ended, and the person asks for
   * another one.
   */
  onReturn?: () => void
  /** Called when the person does without it: adds *Not now*. */
  onDecline?: () => void
  /**
   * Whether the account is there, asked of the app's server while the person is away and when they are back. `onReturn` is
   * called once it is.
   *
   * @default coming back is enough
   */
  check?: () => Promise<boolean>
  /** Added to the classes of the outermost element. */
  className?: string
}

/**
 * Asks in the chat for an account that another vault keeps, such as Vercel Connect or Composio: it opens that vault's page,
 * and learns nothing but that the person came back. A page that nobody knows is named by its host.
 */
export function ForeignPrompt(props: ForeignPromptProps) {
  return (
    <LiveRegion>
      <Prompt key={props.request.url} {...props} />
    </LiveRegion>
  )
}

/** How often the vault is asked while the person is away, in milliseconds. */
const PACE = 3000

/** `away`: the page was opened. `missing`: the person was back, and the account was not there. */
type Stage = 'asks' | 'away' | 'missing' | 'back'

function Prompt({ request, onOpen, onReturn, onDecline, check, className }: ForeignPromptProps) {
  const messages = useMessages()
  const { providers } = useLatchkey()
  const { url, host, deviceCode } = request
  const { stage, leave, comeBack, finish } = useVisit(host, { onReturn, check })
  const hasEnded = useHasEnded(request.expiresAt)
  const place = useRef<HTMLElement>(null)
  // What had the focus is gone with the question.
  useEffect(() => {
    if (stage !== 'back' || document.activeElement !== document.body) return
    place.current?.querySelector<HTMLElement>('.latchkey-done')?.focus()
  }, [stage])
  const frame = { ref: place, mark: <PageMark />, className }
  if (stage === 'back') {
    return (
      <PromptFrame {...frame} status="connected" done={messages.foreignBack(host)}>
        {null}
      </PromptFrame>
    )
  }
  const owner = ownerOf(request, new Map(providers.flatMap(signInOf)))
  const isAway = stage !== 'asks'
  const line = hasEnded
    ? messages.foreignEnded
    : { asks: undefined, away: messages.foreignAway, missing: messages.foreignMissing }[stage]
  return (
    <PromptFrame
      {...frame}
      status={isAway ? 'connecting' : 'disconnected'}
      title={owner ? messages.promptPage(owner, host) : messages.foreignPage(host)}
      line={line ?? (!owner && messages.foreignUnknown)}
      below={
        onDecline && (
          <div className="latchkey-later">
            <Later name={owner ?? host} onPress={onDecline} />
          </div>
        )
      }
    >
      {deviceCode && !hasEnded && (
        <p className="latchkey-asks latchkey-line">
          {messages.foreignCode} <code className="latchkey-code">{deviceCode}</code>
        </p>
      )}
      <div className="latchkey-actions latchkey-page">
        {hasEnded ? (
          <Button kind="primary" onClick={finish}>
            {messages.foreignAgain}
          </Button>
        ) : (
          <a
            className="latchkey-button"
            data-kind={isAway ? undefined : 'primary'}
            href={url}
            target="_blank"
            rel="noopener noreferrer"
            onClick={() => {
              leave()
              onOpen?.()
            }}
          >
            {messages.openPage(host)}
          </a>
        )}
        {isAway && !hasEnded && <Button onClick={comeBack}>{messages.pageDone}</Button>}
      </div>
    </PromptFrame>
  )
}

/** The person's visit of a page that says nothing of it: they left for it, and came back. */
function useVisit(host: string, { onReturn, check }: Pick<ForeignPromptProps, 'onReturn' | 'check'>) {
  const messages = useMessages()
  const announce = useAnnounce()
  const [stage, setStage] = useState<Stage>('asks')
  const isOver = useRef(false)

  const finish = () => {
    if (isOver.current) return
    isOver.current = true
    setStage('back')
    announce(messages.foreignBack(host))
    onReturn?.()
  }
  const look = async (isBack: boolean) => {
    if (isOver.current) return
    const isThere = check ? await check().catch(() => false) : isBack
    if (isThere) finish()
    else if (isBack && !isOver.current) {
      setStage('missing')
      announce(messages.foreignMissing)
    }
  }
  const latest = useRef(look)
  useEffect(() => {
    latest.current = look
  })

  const isAway = stage === 'away' || stage === 'missing'
  const asks = check !== undefined
  useEffect(() => {
    if (!isAway) return
    const end = new AbortController()
    const { signal } = end
    // A tab that opens behind this one never hides it. Then the button says that they are done.
    let hasLeft = false
    const turn = () => {
      if (!document.hidden && document.hasFocus() && hasLeft) void latest.current(true)
      hasLeft = document.hidden || !document.hasFocus()
    }
    document.addEventListener('visibilitychange', turn, { signal })
    for (const type of ['blur', 'focus']) window.addEventListener(type, turn, { signal })
    const timer = asks ? setInterval(() => void latest.current(false), PACE) : undefined
    return () => {
      end.abort()
      clearInterval(timer)
    }
  }, [isAway, asks])

  return { stage, leave: () => setStage('away'), comeBack: () => void look(true), finish }
}

/** The longest time of a timer, in milliseconds. */
const LONGEST = 2 ** 31 - 1

function useHasEnded(at: number | undefined): boolean {
  const [hasEnded, setHasEnded] = useState(false)
  useEffect(() => {
    if (at === undefined || at - Date.now() > LONGEST) return
    const timer = setTimeout(() => setHasEnded(true), at - Date.now())
    return () => clearTimeout(timer)
  }, [at])
  return hasEnded
}

/** What the sign-in of a provider is called, by the host of its page. */
const signInOf = (provider: Provider): [host: string, name: string][] =>
  provider.kind === 'oauth' && provider.server.authorization_endpoint
    ? [[new URL(provider.server.authorization_endpoint).host, provider.name]]
    : []

/** A page somewhere on the web: nobody's mark. */
const PageMark = () => (
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
    <circle cx="12" cy="12" r="9" />
    <path d="M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18" />
  </svg>
)
