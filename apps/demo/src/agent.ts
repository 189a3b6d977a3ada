import type { BaseUrls } from './providers.ts'

/** Which accounts an agent may use is kept by the agent's id. An app with several agents gives each its own. */
export const AGENT_ID = 'assistant'

/** What the page is told by `GET /api/config`: nothing that the whole world may not know. */
export interface Config {
  baseUrls: BaseUrls
  /** Name of the language model. */
  model: string
  /** Where the server keeps accounts; absent when the browser does. */
  vault?: string
  /** How this app introduces itself to MCP servers. */
  clientMetadataUrl: string
  /** `mcpServers` JSON of the stand-ins, to paste. */
  mcpExample: string
}
