// The root: the broker and the agent's side. It loads no sandbox, database driver, child process or MCP SDK; those have
// entries of their own. Named exports only, by hand.

export {
  type AccountFetch,
  type AccountFetchInit,
  type AccountFetchOptions,
  createAccountFetch,
  type NamedFetchInit,
  type OnUse,
  type UsedAccount,
  type UseEntry,
} from './agent/account-fetch.ts'
export { currentIdentities, withIdentities } from './agent/bind.ts'
export { type AccountChoice, offerAccounts, type RunAccount } from './agent/choice.ts'
export {
  AgentContext,
  type AgentContextOptions,
  type AuthorizedCall,
  type CallAccount,
  type CallRequest,
  type ContextAccount,
  getIdentity,
  type NumberedCall,
  type RunAccounts,
  requireIdentity,
  type TokenRequest,
} from './agent/context.ts'
export type { ApiOptions } from './agent/credentials-fetch.ts'
export {
  EnterpriseCredentials,
  type EnterpriseCredentialsOptions,
  type EnterpriseTokenRequest,
} from './agent/enterprise-credentials.ts'
export { getIdentityEnv, type IdentityEnvOptions } from './agent/environment.ts'
export type { OAuthClientOptions } from './agent/oauth-client.ts'
export type { CallPlace } from './agent/place.ts'
export { AuthorizationRequired, type RequireOptions } from './agent/required.ts'
export {
  ServiceCredentials,
  type ServiceCredentialsOptions,
  type ServiceTokenRequest,
} from './agent/service-credentials.ts'
export { AgentToken, type OAuthToken } from './agent/token.ts'
export { type CallApproval, type ComingCall, orAsk, toolApproval } from './agent/tool-approval.ts'
export { type ToolAccount, type WithAccountOptions, withAccount } from './agent/with-account.ts'
export { type AgentRun, type Broker, createBroker, type VaultBroker } from './broker/broker.ts'
export type { BrokerOptions } from './broker/options.ts'
export type { VaultOwner } from './broker/request.ts'
export { type BrokerClient, clientsFromEnv, providersFromEnv } from './env.ts'
export type { AllowRule } from './outbound/allow-rules.ts'
export {
  createGuardedFetch,
  GuardError,
  type GuardedFetch,
  type GuardOptions,
  type StreamLimits,
} from './outbound/guarded-fetch.ts'
export { isPublicAddress } from './outbound/public-address.ts'
export { createRedactor, type Redactor, secretsOf } from './outbound/redact/redactor.ts'
export type { AgentPolicy } from './use/agents.ts'
export { ApprovalRequired, NotAllowed } from './use/answers.ts'
export type { AccountUse } from './use/door.ts'
export type { Ending, Failure } from './use/endings.ts'
export type { Forecast } from './use/overseer.ts'
export type { PresenceCall, PresenceHooks } from './use/presence.ts'
export type { ScheduledRun } from './use/scheduled.ts'
export type { OpenCall } from './use/source.ts'
export type { AccountTool, JudgedTool } from './use/tools.ts'
