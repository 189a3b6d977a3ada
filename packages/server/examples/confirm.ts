import type { Provider } from '@latchkey/core'
import { type AccountTool, createBroker } from '@latchkey/server'
import type { KeyProvider, VaultStore, WebhookOptions } from '@latchkey/server/vault'
import { type Passkey, passkeyConfirm } from '@latchkey/server/webauthn'

/** The passkeys in the app's own database. People make them in its settings. */
export interface Passkeys {
  ofUser(user: string): Promise<readonly Passkey[]>
  setCounter(id: string, counter: number): Promise<void>
}

interface App {
  /** Where people open the app, such as `https://app.example`. */
  origin: string
  provider: Provider
  tools: readonly AccountTool[]
  authenticate: (request: Request) => Promise<string | null>
  passkeys: Passkeys
  oversight: { store: VaultStore; keys: KeyProvider; webhooks: readonly WebhookOptions[] }
}

/** A broker whose people confirm with a passkey what cannot be undone. */
export const createConfirmingBroker = ({ origin, provider, tools, authenticate, passkeys, oversight }: App) =>
  createBroker({
    providers: [provider],
    authenticate,
    allowedOrigins: [origin],
    agents: { assistant: { name: 'Assistant', tools } },
    oversight,
    confirm: passkeyConfirm({
      rpID: new URL(origin).hostname,
      origin,
      passkeys: ({ user }) => passkeys.ofUser(user),
      used: (_owner, id, counter) => passkeys.setCounter(id, counter),
    }),
  })
