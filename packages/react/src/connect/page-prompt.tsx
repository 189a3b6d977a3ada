'use client'
import { type ConnectedAccount, defaultAccount, type Provider } from '@latchkey/core'
import { isPageOf } from '@latchkey/core/internal'
import { useId } from 'react'
import { useKit, useSnapshot } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { brandMark } from '../ui/icons.tsx'
import { useMessages } from '../use-messages.ts'

interface PagePromptProps {
  provider: Provider
  /** https, or of the server's own origin where that is on this machine; anything else is not shown. */
  url: string
  onConnected?: (account: ConnectedAccount) => void
  /** Added to the classes of the outermost element. */
  className?: string
}

/** Asks the person to visit a page of an MCP server's own (URL-mode elicitation), and shows whose page it really is. */
export function PagePrompt({ provider, url, onConnected, className }: PagePromptProps) {
  const { icons } = useKit()
  const messages = useMessages()
  const titleId = useId()
  const account = useSnapshot((snapshot) => defaultAccount(snapshot, provider.id))
  if (!isPageOf(url, 'mcp' in provider ? provider.mcp.url : undefined)) return null
  const { host } = new URL(url)
  return (
    <article
      className={['latchkey latchkey-prompt', className].filter(Boolean).join(' ')}
      aria-labelledby={titleId}
      data-provider={provider.id}
    >
      <div className="latchkey-head">
        <span className="latchkey-mark">{brandMark(provider.id, provider.name, icons)}</span>
        <div className="latchkey-title">
          <p id={titleId} className="latchkey-name">
            {messages.promptPage(provider.name, host)}
          </p>
        </div>
        <div className="latchkey-actions latchkey-page">
          <a className="latchkey-button" data-kind="primary" href={url} target="_blank" rel="noopener noreferrer">
            {messages.openPage(host)}
          </a>
          {account && onConnected && <Button onClick={() => onConnected(account)}>{messages.pageDone}</Button>}
        </div>
      </div>
    </article>
  )
}
