// `@latchkey/server/mcp`: MCP servers as a person, on the server.

export { createMcpProxy, type McpProxy } from '../../outbound/mcp-proxy.ts'
export {
  AuthenticatedMcpClient,
  type AuthenticatedMcpClientOptions,
  type McpCredentials,
} from './client.ts'
export { McpCommand, type McpCommandOptions, type ResolveMcpServersOptions, resolveMcpServers } from './command.ts'
export type { McpTarget, McpTool, McpToolResult, SessionOptions } from './session.ts'
export { type McpVaultOptions, mcpForVault } from './vault.ts'
