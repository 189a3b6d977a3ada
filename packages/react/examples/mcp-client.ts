import type { LatchkeyClient } from '@latchkey/core'
import { mcpFetch, mcpTransport } from '@latchkey/core/mcp'

// @modelcontextprotocol/client 2: new StreamableHTTPClientTransport(url, transportOf(client))
export const transportOf = (client: LatchkeyClient) => mcpTransport(client, 'linear')

// Any transport that takes a fetch, @modelcontextprotocol/sdk 1 too: new StreamableHTTPClientTransport(url, { fetch })
export const fetchOf = (client: LatchkeyClient) => mcpFetch(client, 'linear')
