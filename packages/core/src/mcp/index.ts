// The public surface of @latchkey/core/mcp: named exports only, by hand.

export type { AppMetadata } from '../accounts/page.ts'
export { cleanName } from '../names.ts'
export { metadataUrls } from '../protocol/discovery.ts'
export { type Challenge, parseChallenges, readChallenge } from '../protocol/www-authenticate.ts'
export { isMcp, type McpProvider } from '../provider.ts'
export type { Mcp } from './accounts.ts'
export {
  type McpAuthOptions,
  type McpAuthProvider,
  type McpOAuthClientProvider,
  mcpAuthProvider,
  mcpFetch,
  mcpOAuthClientProvider,
  mcpTransport,
} from './client.ts'
export {
  fillReferences,
  isSameServer,
  type McpOptions,
  type McpReference,
  type McpServerAuth,
  type McpServerConfig,
  type McpServerEntry,
  type McpServers,
  mcp,
  mcpOptions,
  mcpServers,
} from './config.ts'
export {
  authorizationServerMetadata,
  discoverMcp,
  type McpAuthorizationServer,
  type McpDiscovery,
} from './discovery.ts'
export {
  type AuthMethod,
  checkClientMetadata,
  checkClientMetadataUrl,
  createRegistrations,
  type RegisteredClient,
  type RegisterOptions,
  type Registration,
  type RegistrationMethod,
  type RegistrationStore,
  type RegistrationSupport,
  type Registrations,
  type RegistrationsOptions,
  supports,
} from './registration.ts'
