'use client'
import type { Registration } from '@latchkey/core/mcp'
import { useEffect, useId, useRef, useState } from 'react'
import { useLatchkey } from '../hooks.ts'
import { later } from '../later.tsx'
import { Button, classes } from '../ui/button.tsx'
import { LiveRegion, useAnnounce } from '../ui/live-region.tsx'
import { useMessages } from '../use-messages.ts'

const useQuestion = /* @__PURE__ */ later(() => import('../dialogs/questions.lazy.tsx'), 'QuestionDialog')

/** Props of {@link Registrations}. */
export interface RegistrationsProps {
  /** Added to the classes of the outermost element. */
  className?: string
}

/** This app at the authorization servers of MCP servers: as which client, how it came to be, until when; and an end to it. */
export function Registrations({ className }: RegistrationsProps) {
  return (
    <LiveRegion>
      <List className={className} />
    </LiveRegion>
  )
}

function List({ className }: RegistrationsProps) {
  const client = useLatchkey()
  const messages = useMessages()
  const announce = useAnnounce()
  const headingId = useId()
  const heading = useRef<HTMLHeadingElement>(null)
  const trigger = useRef<HTMLButtonElement>(undefined)
  const [list, setList] = useState<readonly Registration[]>()
  const [asking, setAsking] = useState<string>()
  const [Question, loadQuestion] = useQuestion()

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

  const remove = async (issuer: string) => {
    setAsking(undefined)
    const { registrations } = await client.mcp()
    await registrations.delete(issuer)
    announce(messages.registrationDeleted(new URL(issuer).host))
    // Its row and its button are gone.
    heading.current?.focus()
  }
  return (
    <section
      className={classes('latchkey latchkey-registrations', className)}
      aria-labelledby={headingId}
      aria-busy={list === undefined || undefined}
    >
      <h3 ref={heading} id={headingId} className="latchkey-heading" tabIndex={-1}>
        {messages.registrations}
      </h3>
      {list?.length === 0 && <p className="latchkey-line">{messages.registrationsEmpty}</p>}
      <ul className="latchkey-cards">
        {list?.map(({ issuer, client_id, method, client_secret_expires_at: expires }) => {
          const { host } = new URL(issuer)
          return (
            <li key={issuer} data-issuer={issuer}>
              <p className="latchkey-name">
                <bdi>{host}</bdi>
              </p>
              <p className="latchkey-line">{messages.registrationMethods[method]}</p>
              <p className="latchkey-line">
                <code>
                  <bdi>{client_id}</bdi>
                </code>
              </p>
              {expires !== undefined && (
                <p className="latchkey-line">
                  {messages.registrationExpires(new Date(expires * 1000).toLocaleDateString(messages.locale))}
                </p>
              )}
              <Button
                size="small"
                aria-label={messages.deleteRegistration(host)}
                aria-haspopup="dialog"
                onIntent={loadQuestion}
                onClick={({ currentTarget }) => {
                  trigger.current = currentTarget
                  setAsking(issuer)
                }}
              >
                {messages.deleteRegistrationShort}
              </Button>
            </li>
          )
        })}
      </ul>
      {asking && Question && (
        <Question
          title={messages.deleteRegistrationTitle(new URL(asking).host)}
          body={messages.deleteRegistrationBody(new URL(asking).host)}
          answers={[
            { label: messages.cancelShort, kind: 'secondary', choose: () => setAsking(undefined) },
            { label: messages.deleteRegistrationShort, kind: 'danger', choose: () => remove(asking) },
          ]}
          onClose={() => setAsking(undefined)}
          onClosed={() => (trigger.current?.isConnected ? trigger.current : heading.current)?.focus()}
        />
      )}
    </section>
  )
}
