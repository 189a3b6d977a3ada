// The public surface of @latchkey/core: named exports only, by hand.
export {
  type Account,
  type AccountStatus,
  accountsOf,
  type CardStatus,
  type Custody,
  cardStatus,
  defaultAccount,
  LOADING,
  type ProviderState,
  providerState,
  type Reason,
  type Snapshot,
} from './accounts.ts'
export {
  type AccountReference,
  createLatchkey,
  type IdentityOptions,
  type KeyVerdict,
  type LatchkeyClient,
  type TokenOptions,
  type TokenTarget,
} from './client.ts'
export type { ChangeChoice, ConnectOptions, ConnectOutcome } from './connecting.ts'
export { type ErrorCode, LatchkeyError, type LatchkeyErrorOptions, type NextAction, redact } from './errors.ts'
export { type ConnectRequest, type Identity, isPageOf, parseIdentities, readConnectRequest } from './identities.ts'
export type { LatchkeyOptions } from './keeper.ts'
export {
  type ApiKeyOptions,
  type ApiKeyProvider,
  apiKey,
  defineProvider,
  envName,
  type KeyField,
  type KeyFields,
  type KeyScheme,
  keyScheme,
  type OAuthFactoryOptions,
  type OAuthOptions,
  type OAuthProvider,
  type OidcOptions,
  oauth,
  oidc,
  type ProfileSource,
  type Provider,
  readKeyFile,
  type ScopeMeaning,
} from './provider.ts'
export type { DisconnectReceipt } from './renewal.ts'
export type { RequestOutcome } from './requests.ts'
export { localStorageStore, memoryStore, type StateStorage, sessionStorageStore } from './storage.ts'
export type { RevokedToken } from './token.ts'
