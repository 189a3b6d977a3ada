// The root: the broker and the agent's side. It loads no sandbox, database driver, child process or MCP SDK; those have
// entries of their own. Named exports only, by hand.

export {
  type AccountFetch,
  type AccountFetchInit,
  type AccountFetchOptions,
  createAccountFetch,
  type OnUse,
  type UsedAccount,
  type UseEntry,
} from './agent/account-fetch.ts'
export {
  AgentContext,
  type AgentContextOptions,
  AgentToken,
  type OAuthToken,
  type TokenRequest,
  type TokenSource,
} from './agent/context.ts'
export {
  AuthorizationRequired,
  bindIdentities,
  currentIdentities,
  getIdentity,
  getIdentityEnv,
  type IdentityEnvOptions,
  type RequireOptions,
  requireIdentity,
  takeIdentities,
  withIdentities,
} from './agent/identities.ts'
export { type AccountReference, parseConnectedAccounts, takeConnectedAccounts } from './agent/references.ts'
export {
  ServiceCredentials,
  type ServiceCredentialsOptions,
  type ServiceTokenRequest,
} from './agent/service-credentials.ts'
export { type ToolAccount, type WithAccountOptions, withAccount } from './agent/with-account.ts'
export {
  type Broker,
  type BrokerClient,
  type BrokerOptions,
  createBroker,
  type TokenSourceOptions,
  type VaultAccess,
  type VaultOwner,
} from './broker/broker.ts'
export { clientsFromEnv, providersFromEnv } from './env.ts'
export type { AllowRule } from './outbound/allow-rules.ts'
export {
  createGuardedFetch,
  GuardError,
  type GuardedFetch,
  type GuardOptions,
  type StreamLimits,
} from './outbound/guarded-fetch.ts'
export { isPublicAddress } from './outbound/public-address.ts'
export { createRedactor, type Redactor } from './outbound/redact/redactor.ts'
export { secretsOf } from './outbound/redact/secrets.ts'
export type { AgentPolicy, ResolveOptions } from './use/door.ts'
