import { type McpProvider, mcpServers } from '@latchkey/core/mcp'

const KEY = 'demo:mcp-servers'

/** The MCP servers that were added to this agent, as JSON without secrets. */
export function loadServers(): McpProvider[] {
  try {
    return mcpServers(localStorage.getItem(KEY) ?? '{}').providers
  } catch {
    return []
  }
}

/** Stores servers for the next visit, and returns all of them. */
export function saveServers(providers: readonly McpProvider[]): McpProvider[] {
  const all = [...loadServers().filter(({ id }) => providers.every((one) => one.id !== id)), ...providers]
  const entries = all.map(({ id, mcp: { url }, client: { client_id } }) => [
    id,
    { url, auth: { type: 'oauth2', ...(client_id && { clientId: client_id }) } },
  ])
  localStorage.setItem(KEY, JSON.stringify({ mcpServers: Object.fromEntries(entries) }))
  return loadServers()
}
