'use client'
import { forwardRef } from 'react'
import { classes } from '../ui/button.tsx'
import * as Account from './account.tsx'
import { About, type AboutProps, type PartProps } from './context.tsx'

/** Props of {@link StatusBadge}. */
export type StatusBadgeProps = Omit<PartProps<'span'>, 'asChild' | 'children'> &
  AboutProps & {
    /** Also says why, as a sentence, where there is a reason. @default false */
    withReason?: boolean
  }

/**
 * An account's status: its word in its colour, after a shape of its own, so that it needs no colour to be told apart.
 * Without `accountId` the provider's card status. Renders a `span`; the word is in a `span` with `data-status`.
 */
export const StatusBadge = /* @__PURE__ */ forwardRef<HTMLSpanElement, StatusBadgeProps>(function StatusBadge(
  { provider, accountId, withReason, className, ...props },
  ref,
) {
  return (
    <About provider={provider} accountId={accountId}>
      <span {...props} ref={ref} className={classes('latchkey latchkey-badge', className)}>
        <Account.Status className="latchkey-status" />
        {withReason && <Account.Reason className="latchkey-why" />}
      </span>
    </About>
  )
})
