import type { BaseUrls } from './providers.ts'

/** The person's choice of accounts is stored by agent id. An app with several agents gives each its own. */
export const AGENT_ID = 'assistant'

/** Where an agent is talked to. Each has an address of its own, so that no body and no model says which one it is. */
export const chatPath = (agent: string) => (agent === AGENT_ID ? '/api/chat' : `/api/chat/${agent}`)

/** Where a chat with an agent is started. */
export const newChatPath = (agent: string) => `/api/chats/${agent}`

/** The answer of `GET /api/config`. Everyone may read it. */
export interface Config {
  baseUrls: BaseUrls
  /** What the page keeps belongs to this person. It gives no right. */
  person: string
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

/**
 * The person's turn of a chat request: the id of their last message, which stays when the answer is made again. What was
 * done in a turn is not done twice.
 */
export function turnOf({ messages }: { messages?: { id?: unknown; role?: unknown }[] }): { run?: string } {
  const id = Array.isArray(messages) ? messages.findLast((one) => one?.role === 'user')?.id : undefined
  return typeof id === 'string' ? { run: id } : {}
}
