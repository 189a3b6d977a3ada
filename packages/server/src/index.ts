// The public surface of @latchkey/server: named exports only, by hand.
export {
  AgentContext,
  type AgentContextOptions,
  AgentToken,
  type OAuthToken,
  type TokenRequest,
  type TokenSource,
} from './agent-context.ts'
export type { Audit, AuditEvent, AuditRecord, AuditVerdict } from './audit.ts'
export {
  type Broker,
  type BrokerClient,
  type BrokerOptions,
  createBroker,
  type TokenSourceOptions,
  type VaultAccess,
  type VaultOwner,
} from './broker.ts'
export {
  type CodeMode,
  type CodeModeOptions,
  type CodeResult,
  type CodeRun,
  type CodeTool,
  createCodeMode,
  type UsedAccount,
} from './code-mode.ts'
export type { AgentPolicy, Disconnection, ResolveOptions } from './custodian.ts'
export {
  createEgress,
  type Egress,
  type EgressInit,
  type EgressOptions,
  type EgressRule,
  type OnUse,
  type UseEntry,
} from './egress.ts'
export { clientsFromEnv, providersFromEnv } from './env.ts'
export { type KeyProvider, keysFromEnv, type LocalKeys, localKeys } from './envelope.ts'
export {
  createGuardedFetch,
  GuardError,
  type GuardedFetch,
  type GuardOptions,
  isPublicAddress,
  type StreamLimits,
} from './fetch-guard.ts'
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
} from './identities.ts'
export {
  AuthenticatedMcpClient,
  type AuthenticatedMcpClientOptions,
  type McpTarget,
  type McpTool,
  type McpToolResult,
} from './mcp-client.ts'
export { McpCommand, type McpCommandOptions, type ResolveMcpServersOptions, resolveMcpServers } from './mcp-command.ts'
export { createMcpProxy, type McpProxy } from './mcp-proxy.ts'
export { type McpVaultOptions, mcpForVault } from './mcp-vault.ts'
export { createRedactor, type Redactor, secretsOf } from './redact.ts'
export { type AccountReference, parseConnectedAccounts, takeConnectedAccounts } from './references.ts'
export {
  ServiceCredentials,
  type ServiceCredentialsOptions,
  type ServiceTokenRequest,
} from './service-credentials.ts'
export { type RunSkillOptions, Skill, type SkillLimits, type SkillManifest, type SkillResult } from './skills.ts'
export type { AccountRow, AuditEntry, AuditRow, FlowRow, Owner, VaultStore } from './store.ts'
export { memoryStore } from './store-memory.ts'
export { migratePostgres, type PostgresOptions, postgresStore } from './store-postgres.ts'
export { sqliteStore } from './store-sqlite.ts'
export { createVault, type Opened, type Vault, type VaultOptions, type VaultSecret, vaultFromEnv } from './vault.ts'
export { verifyWebhook, type WebhookEvent, type WebhookOptions } from './webhooks.ts'
export { type ToolAccount, type WithAccountOptions, withAccount } from './with-account.ts'
