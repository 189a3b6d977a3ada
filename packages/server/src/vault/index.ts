// `@latchkey/server/vault`: where the server keeps accounts, its keys, its audit log and its webhooks.

export { memoryStore } from '../stores/memory.ts'
export type {
  AccountRow,
  AuditEntry,
  AuditHash,
  AuditRow,
  DocumentRow,
  FirstReads,
  FlowRow,
  LastUseRow,
  Owner,
  PersonRows,
  VaultStore,
} from '../stores/store.ts'
export type { AccountFacts } from './accounts.ts'
export type { Audit, AuditEvent, AuditRecord, AuditVerdict } from './audit.ts'
export { type KeyProvider, keysFromEnv, type LocalKeys, localKeys } from './keys.ts'
export type { Reencryption } from './reencrypt.ts'
export { createVault, type Vault, type VaultOptions, vaultFromEnv } from './vault.ts'
export {
  type AccountEvent,
  type ExpiryEvent,
  type RequestEvent,
  verifyWebhook,
  type WebhookEvent,
  type WebhookOptions,
} from './webhooks.ts'
