'use client'
import { Slot } from '@radix-ui/react-slot'
import { forwardRef } from 'react'
import { useMessages } from '../use-messages.ts'
import { type PartProps, useSubject } from './context.tsx'

/** Since when the account is connected, as a date. Renders a `time`, or nothing without an account. */
export const Since = /* @__PURE__ */ forwardRef<HTMLTimeElement, PartProps<'time'>>(function Since(
  { asChild, children, ...props },
  ref,
) {
  const { account } = useSubject('Since')
  const { locale } = useMessages()
  if (!account) return null
  const date = new Date(account.connectedAt)
  const Node = asChild ? Slot : 'time'
  return (
    <Node dateTime={date.toISOString()} {...props} ref={ref}>
      {children ?? new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(date)}
    </Node>
  )
})

/**
 * The scopes as the provider spells them. Renders a `ul` with a `code` per scope (`data-extra` on those that were
 * not asked for), or nothing when the account has no scopes.
 */
export const RawScopes = /* @__PURE__ */ forwardRef<HTMLUListElement, PartProps<'ul'>>(function RawScopes(
  { asChild, children, ...props },
  ref,
) {
  const { provider, account } = useSubject('RawScopes')
  const messages = useMessages()
  if (!account?.scopes.length) return null
  const Node = asChild ? Slot : 'ul'
  return (
    <Node aria-label={messages.rawScopes(provider.name)} {...props} ref={ref}>
      {children ??
        account.scopes.map((scope) => (
          <li key={scope} data-extra={account.extraScopes?.includes(scope) || undefined}>
            <code>{scope}</code>
          </li>
        ))}
    </Node>
  )
})
