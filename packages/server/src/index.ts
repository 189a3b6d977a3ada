// The public surface of @latchkey/server: named exports only, by hand.
export {
  AgentContext,
  type AgentContextOptions,
  AgentToken,
  type OAuthToken,
  type TokenRequest,
  type TokenSource,
} from './agent-context.ts'
export { type Broker, type BrokerClient, type BrokerOptions, createBroker } from './broker.ts'
export {
  type CodeMode,
  type CodeModeOptions,
  type CodeResult,
  type CodeRun,
  type CodeTool,
  createCodeMode,
  type UsedAccount,
} from './code-mode.ts'
export {
  createEgress,
  type Egress,
  type EgressInit,
  type EgressOptions,
  type EgressRule,
  type OnUse,
  type UseEntry,
} from './egress.ts'
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
export { type McpServerEntry, type McpServersConfig, type ResolveOptions, resolveMcpServers } from './mcp-servers.ts'
export { createRedactor, type Redactor, secretsOf } from './redact.ts'
export {
  ServiceCredentials,
  type ServiceCredentialsOptions,
  type ServiceTokenRequest,
} from './service-credentials.ts'
export { type RunSkillOptions, Skill, type SkillLimits, type SkillManifest, type SkillResult } from './skills.ts'
export { type ToolAccount, type WithAccountOptions, withAccount } from './with-account.ts'
