'use client'
import { forwardRef } from 'react'
import { later } from '../later.tsx'
import { About, type AboutProps } from '../parts/context.tsx'
import type { DetailsProps } from './account-details.lazy.tsx'

const useDetails = /* @__PURE__ */ later(() => import('./account-details.lazy.tsx'), 'Details')

/** Props of {@link AccountDetails}. */
export type AccountDetailsProps = DetailsProps & AboutProps

/**
 * The facts about an account: who, since when, until when, what it can read and change in plain words and, on demand,
 * its id and the scopes as the provider spells them. Renders a `dl` once its code is loaded, or nothing without an account.
 */
export const AccountDetails = /* @__PURE__ */ forwardRef<HTMLDListElement, AccountDetailsProps>(function AccountDetails(
  { provider, accountId, ...props },
  ref,
) {
  const [Details] = useDetails(true)
  return (
    <About provider={provider} accountId={accountId}>
      {Details && <Details {...props} forwardedRef={ref} />}
    </About>
  )
})
