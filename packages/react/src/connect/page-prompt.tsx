'use client'
import { type CardStatus, type ConnectedAccount, defaultAccount, type Provider } from '@latchkey/core'
import { isPageOf } from '@latchkey/core/internal'
import { forwardRef, type ReactNode, useId } from 'react'
import { useKit, useSnapshot } from '../hooks.ts'
import { Button, classes, SmallButton } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useLanguage } from '../use-first-messages.ts'
import { useMessages } from '../use-messages.ts'

interface PagePromptProps {
  provider: Provider
  /** https, or of the server's own origin where that is on this machine; anything else is not shown. */
  url: string
  onConnected?: (account: ConnectedAccount) => void
  onDecline?: () => void
  /** Added to the classes of the outermost element. */
  className?: string
}

/** Asks the person to visit a page of an MCP server's own (URL-mode elicitation), and shows whose page it really is. No other provider has pages. */
export function PagePrompt({ provider, url, onConnected, onDecline, className }: PagePromptProps) {
  const messages = useMessages()
  const account = useSnapshot((snapshot) => defaultAccount(snapshot, provider.id))
  if (!('mcp' in provider) || !isPageOf(url, provider.mcp.url)) return null
  const { host } = new URL(url)
  return (
    <PromptFrame
      provider={provider}
      className={className}
      title={messages.promptPage(provider.name, host)}
      below={
        onDecline && (
          <div className="latchkey-later">
            <Later name={provider.name} onPress={onDecline} />
          </div>
        )
      }
    >
      <div className="latchkey-actions latchkey-page">
        <a className="latchkey-button" data-kind="primary" href={url} target="_blank" rel="noopener noreferrer">
          {messages.openPage(host)}
        </a>
        {account && onConnected && <Button onClick={() => onConnected(account)}>{messages.pageDone}</Button>}
      </div>
    </PromptFrame>
  )
}

interface PromptFrameProps {
  /** Whose mark it has. Absent: `mark`. */
  provider?: Provider
  mark?: ReactNode
  className: string | undefined
  status?: CardStatus
  /** What is asked for. */
  title?: string
  /** What is said in place of a title once there is nothing to ask for. */
  done?: string
  /** A line below the title. */
  line?: ReactNode
  /** Beside the title, or below it where the look says so. */
  children: ReactNode
  below?: ReactNode
}

/** The card of a prompt: the provider's mark, what is asked for, and how to answer. */
export const PromptFrame = /* @__PURE__ */ forwardRef<HTMLElement, PromptFrameProps>(function PromptFrame(props, ref) {
  const { provider, mark, className, status, title, done, line, children, below } = props
  const { icons } = useKit()
  const titleId = useId()
  return (
    <article
      {...useLanguage()}
      ref={ref}
      className={classes('latchkey latchkey-prompt', className)}
      aria-labelledby={titleId}
      data-status={status}
      data-provider={provider?.id}
    >
      <div className="latchkey-head">
        <span className="latchkey-mark">{provider ? brandMark(provider, icons) : mark}</span>
        <div className="latchkey-title">
          <p id={titleId} className={done ? 'latchkey-done' : 'latchkey-name'} tabIndex={done ? -1 : undefined}>
            {done ?? title}
          </p>
          {line && <p className="latchkey-line">{line}</p>}
        </div>
        {children}
      </div>
      {below}
    </article>
  )
})

/** A person may do without what is asked for. `name` says what that is. */
export function Later({ name, onPress }: { name: string; onPress: () => void }) {
  const { promptLaterShort, promptLater } = useMessages()
  return <SmallButton label={promptLaterShort} name={promptLater(name)} onPress={onPress} />
}
