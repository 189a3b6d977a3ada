'use client'
import { forwardRef } from 'react'
import { classes } from '../ui/button.tsx'
import * as Account from './account.tsx'
import { About, type AboutProps } from './context.tsx'

/** Props of {@link ExpiryLabel}. */
export type ExpiryLabelProps = Omit<Account.ExpiryProps, 'asChild' | 'children' | 'when'> &
  AboutProps & {
    /**
     * `expiring`: only when the account ends soon and nothing can renew it. `known`: whenever the account says when its
     * access ends or is renewed.
     *
     * @default `known`
     */
    when?: Account.ExpiryProps['when']
  }

/**
 * When an account's access ends or is renewed, ticking: "Expires in 4 minutes". Renders a `time`, or nothing for an
 * account that does not say. All labels of a page share one timer.
 */
export const ExpiryLabel = /* @__PURE__ */ forwardRef<HTMLTimeElement, ExpiryLabelProps>(function ExpiryLabel(
  { provider, accountId, when = 'known', className, ...props },
  ref,
) {
  return (
    <About provider={provider} accountId={accountId}>
      <Account.Expiry {...props} ref={ref} when={when} className={classes('latchkey latchkey-expiry', className)} />
    </About>
  )
})
