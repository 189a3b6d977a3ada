'use client'
import { forwardRef, useEffect } from 'react'
import type { DetailsProps } from './details.tsx'
import { later } from './later.ts'
import { About, type AboutProps } from './subject.tsx'

const useDetails = later(async () => (await import('./on-intent.tsx')).Details)

export type AccountDetailsProps = DetailsProps & AboutProps

/**
 * The facts about an account: who, since when, what was granted in plain words and, on demand, as the provider spells
 * it, and until when. Renders a `dl` once its code is loaded, or nothing without an account.
 */
export const AccountDetails = forwardRef<HTMLDListElement, AccountDetailsProps>(function AccountDetails(
  { provider, accountId, ...props },
  ref,
) {
  const [Details, loadDetails] = useDetails()
  useEffect(loadDetails, [loadDetails])
  return (
    <About provider={provider} accountId={accountId}>
      {Details && <Details {...props} forwardedRef={ref} />}
    </About>
  )
})
