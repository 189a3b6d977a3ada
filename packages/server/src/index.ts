// The public surface of @latchkey/server: named exports only, by hand.
export { type Broker, type BrokerClient, type BrokerOptions, createBroker } from './broker.ts'
export { createGuardedFetch, GuardError, type GuardedFetch, type GuardOptions, isPublicAddress } from './fetch-guard.ts'
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
  createMcpProxy,
  type McpProxy,
  type McpTarget,
  type McpTool,
  type McpToolResult,
} from './mcp.ts'
