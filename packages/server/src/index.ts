// The public surface of @latchkey/server: named exports only, by hand.

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
  type CodeMode,
  type CodeModeOptions,
  type CodeResult,
  type CodeRun,
  type CodeTool,
  createCodeMode,
} from './agent/code/code-mode.ts'
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
export {
  AuthenticatedMcpClient,
  type AuthenticatedMcpClientOptions,
  type McpTarget,
  type McpTool,
  type McpToolResult,
} from './agent/mcp/client.ts'
export {
  McpCommand,
  type McpCommandOptions,
  type ResolveMcpServersOptions,
  resolveMcpServers,
} from './agent/mcp/command.ts'
export { type McpVaultOptions, mcpForVault } from './agent/mcp/vault.ts'
export { type AccountReference, parseConnectedAccounts, takeConnectedAccounts } from './agent/references.ts'
export {
  ServiceCredentials,
  type ServiceCredentialsOptions,
  type ServiceTokenRequest,
} from './agent/service-credentials.ts'
export {
  type RunSkillOptions,
  Skill,
  type SkillLimits,
  type SkillManifest,
  type SkillResult,
} from './agent/skills/skills.ts'
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
export { createMcpProxy, type McpProxy } from './broker/mcp-proxy.ts'
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
export { memoryStore } from './stores/memory.ts'
export { migratePostgres, type PostgresOptions, postgresStore } from './stores/postgres.ts'
export { sqliteStore } from './stores/sqlite.ts'
export type { AccountRow, AuditEntry, AuditRow, FlowRow, Owner, VaultStore } from './stores/store.ts'
export type { Audit, AuditEvent, AuditRecord, AuditVerdict } from './vault/audit.ts'
export type { AgentPolicy, Disconnection, ResolveOptions } from './vault/custodian.ts'
export { type KeyProvider, keysFromEnv, type LocalKeys, localKeys } from './vault/seal.ts'
export {
  createVault,
  type Opened,
  type Vault,
  type VaultOptions,
  type VaultSecret,
  vaultFromEnv,
} from './vault/vault.ts'
export { verifyWebhook, type WebhookEvent, type WebhookOptions } from './vault/webhooks.ts'
