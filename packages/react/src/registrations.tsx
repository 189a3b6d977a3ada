'use client'
import type { Registration } from '@latchkey/core/mcp'
import { useCallback, useEffect, useId, useState } from 'react'
import { useLatchkey } from './context.tsx'
import { useMessages } from './messages.ts'

export interface RegistrationsProps {
  /** Added to the classes of the outermost element. */
  className?: string
}

/** This app at the authorization servers of MCP servers: as which client, how it came to be, until when; and an end to it. */
export function Registrations({ className }: RegistrationsProps) {
  const client = useLatchkey()
  const messages = useMessages()
  const headingId = useId()
  const [list, setList] = useState<readonly Registration[]>()

  useEffect(() => {
    let over = false
    let unsubscribe = () => {}
    client.mcp().then(({ registrations }) => {
      if (over) return
      const read = () => registrations.list().then((found) => !over && setList(found))
      unsubscribe = registrations.subscribe(read)
      read()
    })
    return () => {
      over = true
      unsubscribe()
    }
  }, [client])
  const remove = useCallback(
    (issuer: string) => client.mcp().then(({ registrations }) => registrations.delete(issuer)),
    [client],
  )

  return (
    <section
      className={['latchkey latchkey-registrations', className].filter(Boolean).join(' ')}
      aria-labelledby={headingId}
    >
      <h3 id={headingId} className="latchkey-heading">
        {messages.registrations}
      </h3>
      {list?.length === 0 && <p className="latchkey-line">{messages.registrationsEmpty}</p>}
      <ul className="latchkey-cards">
        {list?.map(({ issuer, client_id, method, client_secret_expires_at: expires }) => (
          <li key={issuer} data-issuer={issuer}>
            <p className="latchkey-name">{new URL(issuer).host}</p>
            <p className="latchkey-line">{messages.registrationMethods[method]}</p>
            <p className="latchkey-line">
              <code>{client_id}</code>
            </p>
            {expires !== undefined && (
              <p className="latchkey-line">
                {messages.registrationExpires(new Date(expires * 1000).toLocaleDateString())}
              </p>
            )}
            <button
              type="button"
              className="latchkey-button"
              data-kind="secondary"
              aria-label={messages.deleteRegistration(new URL(issuer).host)}
              onClick={() => remove(issuer)}
            >
              {messages.deleteRegistrationShort}
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
