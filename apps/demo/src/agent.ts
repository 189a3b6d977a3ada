import type { BaseUrls } from './providers.ts'

/** The person's choice of accounts is stored by agent id. An app with several agents gives each its own. */
export const AGENT_ID = 'assistant'

/** The answer of `GET /api/config`. Everyone may read it. */
export interface Config {
  baseUrls: BaseUrls
  /** Name of the language model. */
  model: string
  /** The store of the server's vault; absent if the browser keeps the accounts. */
  vault?: string
  /** URL of this app's client ID metadata document, for MCP servers. */
  clientMetadataUrl: string
  /** MCP servers to try. */
  mcpServers: McpExample[]
}

/** An MCP server to try. */
export interface McpExample {
  name: string
  url: string
  /** Of a client that is registered there already. A server without it registers the app by itself. */
  clientId?: string
}
