'use client'
import { LatchkeyError } from '@latchkey/core'
import { type McpServerEntry, type McpServers, mcpServers } from '@latchkey/core/mcp'
import { type FormEvent, useId, useState } from 'react'
import { useMessages } from './messages.ts'

export interface AddMcpServerProps {
  /** What the person agreed to. Add `providers` to those of the page, and hand `servers` to the agent. */
  onAdd: (added: McpServers) => void
  /** Added to the classes of the outermost element. */
  className?: string
}

/**
 * Adds MCP servers: by a URL, or by the `mcpServers` JSON of an agent. It shows the hosts that would be asked, and asks
 * nobody anything before the person agrees.
 */
export function AddMcpServer({ onAdd, className }: AddMcpServerProps) {
  const messages = useMessages()
  const inputId = useId()
  const errorId = useId()
  const [text, setText] = useState('')
  const [error, setError] = useState<string>()
  const [found, setFound] = useState<McpServers>()

  const read = (event: FormEvent) => {
    event.preventDefault()
    try {
      setFound(readServers(text))
      setError(undefined)
    } catch (thrown) {
      if (!(thrown instanceof LatchkeyError)) throw thrown
      setError(thrown.message)
    }
  }
  const close = () => {
    setFound(undefined)
    setText('')
  }
  return (
    <form className={['latchkey latchkey-add', className].filter(Boolean).join(' ')} onSubmit={read}>
      {found ? (
        <>
          <p className="latchkey-name">{messages.addServerAsk(found.servers.length)}</p>
          <ul className="latchkey-scopes">
            {found.servers.map((server) => (
              <li key={server.id}>
                <b>{server.name}</b> <span>{placeOf(server)}</span>
              </li>
            ))}
          </ul>
          <p className="latchkey-warning">{messages.addServerWarning}</p>
          <div className="latchkey-actions">
            <button type="button" className="latchkey-button" data-kind="secondary" onClick={close}>
              {messages.cancelShort}
            </button>
            <button
              type="button"
              className="latchkey-button"
              data-kind="primary"
              onClick={() => {
                onAdd(found)
                close()
              }}
            >
              {messages.addServerConfirm}
            </button>
          </div>
        </>
      ) : (
        <>
          <label className="latchkey-name" htmlFor={inputId}>
            {messages.addServer}
          </label>
          <textarea
            id={inputId}
            className="latchkey-input"
            rows={3}
            spellCheck={false}
            placeholder={messages.addServerLabel}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            aria-invalid={error !== undefined}
            aria-describedby={error === undefined ? undefined : errorId}
          />
          {error !== undefined && (
            <p id={errorId} className="latchkey-warning" role="alert">
              {error}
            </p>
          )}
          <div className="latchkey-actions">
            <button type="submit" className="latchkey-button" data-kind="primary" disabled={text.trim() === ''}>
              {messages.addServerNext}
            </button>
          </div>
        </>
      )}
    </form>
  )
}

function readServers(text: string): McpServers {
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) return mcpServers(trimmed)
  const name = URL.canParse(trimmed) ? new URL(trimmed).host : 'server'
  return mcpServers({ [name]: { url: trimmed } })
}

/** Where a server really is: its host, whatever it calls itself. */
const placeOf = ({ url, command }: McpServerEntry) => (url ? new URL(url).host : command)
