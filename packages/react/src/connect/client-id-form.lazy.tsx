'use client'
import type { OAuthProvider } from '@latchkey/core'
import { isMcp, type Mcp } from '@latchkey/core/mcp'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { useLatchkey } from '../hooks.ts'
import { Button } from '../ui/button.tsx'
import { Problem, verbatim } from '../ui/field.tsx'
import { useMessages } from '../use-messages.ts'

interface ClientIdFormProps {
  provider: OAuthProvider
  /** Called in the click, once the id is kept: a window can be opened. */
  onSaved: () => void
}

const PRINTABLE = /^[\x20-\x7e]{1,2048}$/

/**
 * Takes the id of this app at an authorization server without dynamic registration, and keeps it for that server.
 * A client id is no secret; there is no field for one, since a browser could not keep it. @see RFC 6749 §2.2
 */
export function ClientIdForm({ provider, onSaved }: ClientIdFormProps) {
  const client = useLatchkey()
  const messages = useMessages()
  const { name } = provider
  const [found, setFound] = useState<{ mcp: Mcp; issuer: string }>()
  const [problem, setProblem] = useState<string>()
  const [copied, setCopied] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const baseId = useId()

  useEffect(() => {
    let over = false
    const discover = async () => {
      const mcp = await client.mcp()
      if (!isMcp(provider)) return
      const { server } = await mcp.discover(provider)
      if (!over) setFound({ mcp, issuer: server.issuer })
    }
    discover().catch(() => !over && setProblem(messages.clientIdUnreachable(name)))
    return () => {
      over = true
    }
  }, [client, provider, name, messages])

  const save = (event: FormEvent) => {
    event.preventDefault()
    const client_id = input.current?.value.trim() ?? ''
    if (!found) return
    if (!PRINTABLE.test(client_id)) {
      setProblem(client_id ? messages.clientIdWrong : messages.clientIdMissing)
      return input.current?.focus()
    }
    const { registrations, redirectUri } = found.mcp
    // Not waited for: the window has to open in this click, and it is read only after the server was asked again.
    registrations
      .remember({
        issuer: found.issuer,
        client_id,
        method: 'pre-registered',
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirectUri],
      })
      .catch(() => {})
    onSaved()
  }
  const errorId = `${baseId}-error`
  return (
    <form className="latchkey-client-id" aria-labelledby={`${baseId}-title`} noValidate onSubmit={save}>
      <p id={`${baseId}-title`} className="latchkey-name">
        {messages.clientIdTitle(name)}
      </p>
      {found && (
        <>
          <p className="latchkey-line">{messages.clientIdBody(new URL(found.issuer).host)}</p>
          <p className="latchkey-line latchkey-copy">
            <span>
              {messages.clientIdRedirect}: <code dir="ltr">{found.mcp.redirectUri}</code>
            </span>
            <Button
              kind="quiet"
              size="small"
              onClick={() =>
                navigator.clipboard.writeText(found.mcp.redirectUri).then(
                  () => setCopied(true),
                  () => {},
                )
              }
            >
              {copied ? messages.copied : messages.copyShort}
            </Button>
          </p>
          <div className="latchkey-field">
            <label htmlFor={`${baseId}-input`}>{messages.clientIdLabel}</label>
            <div className="latchkey-control">
              <input
                ref={input}
                id={`${baseId}-input`}
                name="client_id"
                dir="ltr"
                {...verbatim}
                aria-invalid={problem !== undefined || undefined}
                aria-describedby={problem === undefined ? undefined : errorId}
                onInput={() => setProblem(undefined)}
              />
            </div>
          </div>
        </>
      )}
      <Problem id={errorId} sentence={problem} />
      {found && (
        <div className="latchkey-actions">
          <Button type="submit" kind="primary" aria-label={messages.connect(name)}>
            {messages.connectShort}
          </Button>
        </div>
      )}
    </form>
  )
}
