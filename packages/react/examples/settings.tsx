import { github, gmail, kaggle } from '@latchkey/core/providers'
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import '@latchkey/react/styles.css'

export function Settings() {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={[github(), gmail(), kaggle()]}>
      <ConnectedAccounts />
    </LatchkeyProvider>
  )
}
