// The public surface of @latchkey/core/mcp: named exports only, by hand.
export { type Challenge, parseChallenges, readChallenge } from './challenge.ts'
export type { At, Mcp } from './mcp-accounts.ts'
export {
  type McpAuthOptions,
  type McpAuthProvider,
  type McpOAuthClientProvider,
  mcpAuthProvider,
  mcpFetch,
  mcpOAuthClientProvider,
  mcpTransport,
} from './mcp-auth.ts'
export {
  type Ask,
  authorizationServerMetadata,
  discoverMcp,
  type McpAuthorizationServer,
  type McpDiscovery,
  metadataUrls,
} from './mcp-discovery.ts'
export {
  cleanName,
  fillReferences,
  type McpOptions,
  type McpReference,
  type McpServerAuth,
  type McpServerConfig,
  type McpServerEntry,
  type McpServers,
  mcp,
  mcpServers,
} from './mcp-servers.ts'
export { isMcp, type McpProvider } from './provider.ts'
export {
  type AppMetadata,
  type AuthMethod,
  checkClientMetadata,
  checkClientMetadataUrl,
  createRegistrations,
  type RegisteredClient,
  type RegisterOptions,
  type Registration,
  type RegistrationMethod,
  type RegistrationSupport,
  type Registrations,
  type RegistrationsOptions,
  supports,
} from './registration.ts'
