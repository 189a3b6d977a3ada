// `@latchkey/server/mcp`: MCP servers as a person, on the server.

export { createMcpProxy, type McpProxy } from '../../outbound/mcp-proxy.ts'
export {
  AuthenticatedMcpClient,
  type AuthenticatedMcpClientOptions,
  type McpTarget,
  type McpTool,
  type McpToolResult,
} from './client.ts'
export { McpCommand, type McpCommandOptions, type ResolveMcpServersOptions, resolveMcpServers } from './command.ts'
export { type McpVaultOptions, mcpForVault } from './vault.ts'
