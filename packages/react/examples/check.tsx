import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { createFakeClient } from '@latchkey/react/testing'
import '@latchkey/react/styles.css'

const client = createFakeClient()

/** The panel without a server: everything that it connects is made up. */
export function Check() {
  return (
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
    </LatchkeyProvider>
  )
}
