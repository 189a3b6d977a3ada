import { type ConnectedAccount, LatchkeyError, type OAuthProvider, type Provider } from '@latchkey/core'
import { bindingChange, isUsable } from '@latchkey/core/server'
import type { TokenEndpoint } from '@latchkey/core/token'
import type { Owner } from '../stores/store.ts'
import type { Opened } from './accounts.ts'
import type { VaultInside } from './vault.ts'

/** What all work on accounts needs. */
export interface Upkeep {
  vault: VaultInside
  providers: ReadonlyMap<string, Provider>
  /** @throws if the provider has no client. */
  endpointOf(provider: OAuthProvider): TokenEndpoint & { client_id: string }
  /** A fetch with a time limit. */
  fetchFor(): typeof globalThis.fetch
}

export const unknown = () =>
  new LatchkeyError('not_configured', 'This provider is not among those of createBroker any more.')

/** @throws LatchkeyError `not_configured` */
export function oauthOf({ providers }: Pick<Upkeep, 'providers'>, id: string): OAuthProvider {
  const provider = providers.get(id)
  if (provider?.kind === 'oauth') return provider
  throw unknown()
}

/** What the audit log says of an error. */
export const failure = (error: unknown) =>
  ({ outcome: 'failed', reason: error instanceof LatchkeyError ? error.code : 'server_error' }) as const

/** Why the secret of an account is not for its provider as it is configured now. */
export function changeOf({ providers }: Pick<Upkeep, 'providers'>, account: ConnectedAccount) {
  const provider = providers.get(account.provider)
  return provider && bindingChange(provider, account)
}

/**
 * Opens an account for use at its provider. If its secret is for another server than the provider's, it becomes
 * needs-reconnect until the provider is back at that server.
 */
export async function openBound(upkeep: Upkeep, owner: Owner, id: string): Promise<Opened | undefined> {
  const { vault } = upkeep
  const opened = await vault.open(owner, id)
  if (!opened) return undefined
  const { status, reason } = opened.account
  const change = changeOf(upkeep, opened.account)
  const was = reason === 'issuer_changed' || reason === 'resource_changed'
  if (change ? !isUsable(status) : !was) return opened
  const account = await vault.mark(owner, id, change ? 'needs-reconnect' : 'connected', change)
  return account && { ...opened, account }
}
