'use client'
import { type ComponentPropsWithoutRef, forwardRef, type ReactNode, useId } from 'react'
import { AccountCard } from './account-card.tsx'
import { useProviders, useSnapshot } from './hooks.ts'
import { LiveRegion } from './live-region.tsx'
import { useMessages } from './messages.ts'

export type ConnectedAccountsProps = Omit<ComponentPropsWithoutRef<'section'>, 'title' | 'children'> & {
  /** Default: "Connected Accounts". */
  title?: ReactNode
  /** The line below the title; `null` for none. */
  description?: ReactNode
}

/** The panel: a region named by its heading, with a card per provider. Renders a `section`. */
export const ConnectedAccounts = forwardRef<HTMLElement, ConnectedAccountsProps>(function ConnectedAccounts(
  { title, description, className, ...props },
  ref,
) {
  const messages = useMessages()
  const providers = useProviders()
  const persistence = useSnapshot((snapshot) => snapshot.persistence)
  const headingId = useId()
  const line = description === undefined ? messages.description : description
  return (
    <section
      aria-labelledby={headingId}
      {...props}
      ref={ref}
      className={['latchkey latchkey-panel', className].filter(Boolean).join(' ')}
    >
      <LiveRegion>
        <h2 id={headingId} className="latchkey-heading">
          {title ?? messages.title}
        </h2>
        {line && <p className="latchkey-description">{line}</p>}
        {persistence === 'unavailable' && <p className="latchkey-warning">{messages.notPersistent}</p>}
        <ul className="latchkey-cards">
          {providers.map((provider) => (
            <li key={provider.id}>
              <AccountCard provider={provider.id} />
            </li>
          ))}
        </ul>
      </LiveRegion>
    </section>
  )
})
