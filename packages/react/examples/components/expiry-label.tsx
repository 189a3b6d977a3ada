import { ExpiryLabel } from '@latchkey/react'

export function Expiry() {
  return <ExpiryLabel provider="github" when="expiring" />
}
