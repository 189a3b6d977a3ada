import { type ProviderConfig, providersFromConfig } from '@latchkey/core/providers'
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'

const config: Record<string, ProviderConfig> = {
  github: { type: 'oauth', scopes: ['read:user', 'repo'] },
  kaggle: { type: 'token' },
}
const { providers, tokens } = providersFromConfig(config)

export function Settings() {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={providers} tokens={tokens}>
      <ConnectedAccounts />
    </LatchkeyProvider>
  )
}
