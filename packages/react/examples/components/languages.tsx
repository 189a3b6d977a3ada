import { github } from '@latchkey/core/providers/github'
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { german } from '@latchkey/react/messages/de'

export function Settings() {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={[github()]} messages={german}>
      <ConnectedAccounts />
    </LatchkeyProvider>
  )
}
