import { mcpClient } from '@latchkey/core/runtimes/mcp-client'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'
import { Client } from '@modelcontextprotocol/client'

/** What this client waits for. `page` only for a server of your own app. */
export const waits = mcpClient({ page: 'https://app.example/agents' })

/** Connect it with `transportOf(client)`, as below. */
export const client = new Client({ name: 'my-app', version: '1' }, { capabilities: { elicitation: { url: {} } } })
client.setRequestHandler('elicitation/create', waits.elicit)
client.setNotificationHandler('notifications/elicitation/complete', waits.complete)

/** A call of the model. It has an answer once the person has done what the server wants first. */
export const callTool = (id: string, name: string, input: Record<string, unknown>) =>
  waits.call(() => client.callTool({ name, arguments: input, _meta: { 'latchkey/call': id } }, { timeout: 600_000 }))

export const Waiting = () => useRequests(waits).map((request) => <RuntimePrompt key={request.id} request={request} />)
