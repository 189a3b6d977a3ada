import { AccountCard } from '@latchkey/react'

/** Anywhere inside of LatchkeyProvider. */
export function GitHubSettings() {
  return <AccountCard provider="github" headingLevel={2} />
}
