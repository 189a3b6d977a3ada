import type { OAuthProvider, Provider } from '@latchkey/core'
import type { TokenEndpoint } from '@latchkey/core/token'
import { unknown } from './errors.ts'
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

/** @throws LatchkeyError `not_configured` */
export function oauthOf({ providers }: Pick<Upkeep, 'providers'>, id: string): OAuthProvider {
  const provider = providers.get(id)
  if (provider?.kind === 'oauth') return provider
  throw unknown()
}
