'use client'
import { LatchkeyError } from '@latchkey/core'
import { type McpServerEntry, type McpServers, mcpServers } from '@latchkey/core/mcp'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { Button } from '../ui/button.tsx'
import { useMessages } from '../use-messages.ts'

/** Props of {@link AddMcpServer}. */
export interface AddMcpServerProps {
  /** What the person agreed to. Add `providers` to those of the page, and hand `servers` to the agent. */
  onAdd: (added: McpServers) => void
  /** Added to the classes of the outermost element. */
  className?: string
}

/** What is asked about a server. Its headers and environment may hold secrets, so they stay in the text field. */
interface Asked {
  id: string
  name: string
  /** Its host, whatever name it gives itself, or its program. */
  place: string | undefined
  kind: McpServerEntry['kind']
}

/**
 * Adds MCP servers: by a URL, or by the `mcpServers` JSON of an agent. It shows the hosts that would be asked, and asks
 * none before the person agrees.
 */
export function AddMcpServer({ onAdd, className }: AddMcpServerProps) {
  const messages = useMessages()
  const baseId = useId()
  const field = useRef<HTMLTextAreaElement>(null)
  const question = useRef<HTMLParagraphElement>(null)
  const [empty, setEmpty] = useState(true)
  const [error, setError] = useState<string>()
  const [asked, setAsked] = useState<readonly Asked[]>()
  // Also by the keyboard: what had the focus is gone.
  useEffect(() => {
    if (asked) question.current?.focus()
  }, [asked])

  const read = (event: FormEvent) => {
    event.preventDefault()
    if (empty) return
    try {
      const { servers } = readServers(field.current?.value ?? '')
      setError(undefined)
      setAsked(
        servers.map(({ id, name, kind, url, command }) => ({ id, name, kind, place: url ? hostOf(url) : command })),
      )
    } catch (thrown) {
      if (!(thrown instanceof LatchkeyError)) throw thrown
      setError(inWords(thrown.message, field.current?.value ?? ''))
      field.current?.focus()
    }
  }
  const back = () => {
    setAsked(undefined)
    requestAnimationFrame(() => field.current?.focus())
  }
  const add = () => {
    const node = field.current
    if (!node) return
    onAdd(readServers(node.value))
    node.value = ''
    setEmpty(true)
    back()
  }
  const errorId = `${baseId}-error`
  const hintId = `${baseId}-hint`
  return (
    <form className={['latchkey latchkey-add', className].filter(Boolean).join(' ')} noValidate onSubmit={read}>
      {/* Hidden, not gone, while its servers are asked about: the text is nowhere else. */}
      <div className="latchkey-add-entry" hidden={asked !== undefined}>
        <label className="latchkey-name" htmlFor={`${baseId}-text`}>
          {messages.addServer}
        </label>
        <p id={hintId} className="latchkey-line">
          {messages.addServerLabel}
        </p>
        <textarea
          ref={field}
          id={`${baseId}-text`}
          className="latchkey-input"
          rows={3}
          dir="ltr"
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          placeholder="https://mcp.example.com/mcp"
          onInput={({ currentTarget }) => {
            setEmpty(currentTarget.value.trim() === '')
            setError(undefined)
          }}
          aria-invalid={error !== undefined || undefined}
          aria-describedby={error === undefined ? hintId : `${errorId} ${hintId}`}
        />
        {error !== undefined && (
          <p id={errorId} className="latchkey-problem" role="alert">
            {error}
          </p>
        )}
        <div className="latchkey-actions">
          <Button type="submit" kind="primary" disabled={empty}>
            {messages.addServerNext}
          </Button>
        </div>
      </div>
      {asked && (
        <fieldset className="latchkey-add-question" aria-labelledby={`${baseId}-question`}>
          <p ref={question} id={`${baseId}-question`} className="latchkey-name" tabIndex={-1}>
            {messages.addServerAsk(asked.length)}
          </p>
          <ul className="latchkey-places">
            {asked.map(({ id, name, place, kind }) => (
              <li key={id}>
                <b>
                  <bdi>{place}</bdi>
                </b>
                <span className="latchkey-line">
                  {name !== place && <bdi>{name}</bdi>}
                  {kind !== 'oauth' && <span className="latchkey-tag">{messages.serverKinds[kind]}</span>}
                </span>
              </li>
            ))}
          </ul>
          <p className="latchkey-warning">{messages.addServerWarning}</p>
          <div className="latchkey-actions">
            <Button onClick={back}>{messages.cancelShort}</Button>
            <Button kind="primary" onClick={add}>
              {messages.addServerConfirm}
            </Button>
          </div>
        </fieldset>
      )}
    </form>
  )
}

function readServers(text: string): McpServers {
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) return mcpServers(trimmed)
  const name = URL.canParse(trimmed) ? hostOf(trimmed) : 'server'
  return mcpServers({ [name]: { url: trimmed } })
}

const hostOf = (url: string) => new URL(url).host

/** Where in the JSON a mistake is says nothing to who entered an address. */
function inWords(message: string, text: string): string {
  if (text.trim().startsWith('{')) return message
  const sentence = message.replace(/^mcpServers\S*: /, '')
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1)
}
