import { AccountDetails } from '@latchkey/react'

export function GmailPage() {
  return <AccountDetails provider="gmail" />
}
