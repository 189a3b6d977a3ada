// The public surface of @latchkey/core: named exports only, by hand.

export type { DisconnectReceipt } from './accounts/account-store.ts'
export type { LatchkeyOptions } from './accounts/page.ts'
export type { AccountTarget, TokenOptions } from './accounts/tokens.ts'
export { createLatchkey, importIdentities, type LatchkeyClient } from './client.ts'
export type { ChangeChoice } from './connect/adopt.ts'
export type { ConnectKeyOptions } from './connect/api-key.ts'
export type { ConnectOptions, ConnectOutcome } from './connect/flow.ts'
export type { RequestOutcome } from './connect/pending-requests.ts'
export type { AccountReference, ClientActions, IdentityOptions, KeyVerdict } from './engine.ts'
export { type ErrorCode, LatchkeyError, type LatchkeyErrorOptions, type NextAction, redact } from './errors.ts'
export { type ConnectRequest, type Identity, parseIdentities, readConnectRequest } from './identities.ts'
export type { RevokedToken } from './protocol/token-endpoint.ts'
export {
  type ApiKeyOptions,
  type ApiKeyProvider,
  apiKey,
  defineProvider,
  type KeyField,
  type KeyFields,
  type KeyScheme,
  type OAuthFactoryOptions,
  type OAuthOptions,
  type OAuthProvider,
  type OidcOptions,
  oauth,
  oidc,
  type ProfileSource,
  type Provider,
  type ScopeMeaning,
} from './provider.ts'
export {
  type AccountStatus,
  accountsOf,
  type CardStatus,
  type ConnectedAccount,
  type Custody,
  cardStatus,
  defaultAccount,
  type McpServerFacts,
  type ProviderState,
  providerState,
  type Reason,
  type Snapshot,
} from './snapshot.ts'
export { localStorageStore, memoryStore, type StateStorage, sessionStorageStore } from './storage.ts'
