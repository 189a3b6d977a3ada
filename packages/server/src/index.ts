// The public surface of @latchkey/server: named exports only, by hand.
export type { Audit, AuditEvent, AuditRecord, AuditVerdict } from './audit.ts'
export {
  type Broker,
  type BrokerClient,
  type BrokerOptions,
  createBroker,
  type VaultAccess,
  type VaultOwner,
} from './broker.ts'
export type { AgentPolicy, Disconnection, ResolveOptions } from './custodian.ts'
export { clientsFromEnv, providersFromEnv } from './env.ts'
export { type KeyProvider, keysFromEnv, type LocalKeys, localKeys } from './envelope.ts'
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
export { type AccountReference, parseConnectedAccounts, takeConnectedAccounts } from './references.ts'
export type { AccountRow, AuditEntry, AuditRow, FlowRow, Owner, VaultStore } from './store.ts'
export { memoryStore } from './store-memory.ts'
export { migratePostgres, type PostgresOptions, postgresStore } from './store-postgres.ts'
export { sqliteStore } from './store-sqlite.ts'
export { createVault, type Opened, type Vault, type VaultOptions, type VaultSecret, vaultFromEnv } from './vault.ts'
export { verifyWebhook, type WebhookEvent, type WebhookOptions } from './webhooks.ts'
