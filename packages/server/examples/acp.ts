import { agent, methods, PROTOCOL_VERSION, type RequestPermissionRequest } from '@agentclientprotocol/sdk'
import type { VaultBroker } from '@latchkey/server'
import { orPermission } from '@latchkey/server/runtimes/acp'
import { createIssue } from './create-issue.ts'

/** An agent of ACP for one person. `accounts`: those of theirs that it may use, as they are now. */
export const createAgent = (
  broker: VaultBroker<string>,
  person: string,
  accounts: () => { provider: string; accountId: string }[],
) =>
  agent({ name: 'assistant' })
    .onRequest(methods.agent.initialize, () => ({ protocolVersion: PROTOCOL_VERSION, agentCapabilities: {} }))
    .onRequest(methods.agent.session.new, () => ({ sessionId: crypto.randomUUID() }))
    .onRequest(methods.agent.session.prompt, async ({ params: { sessionId }, client }) => {
      const turn = { agent: 'assistant', run: crypto.randomUUID(), chat: sessionId }
      const ask = (params: RequestPermissionRequest) => client.request(methods.client.session.requestPermission, params)
      // Made for each try: an account may come while the client is asked.
      const open = async () => (await broker.agentContext(person, { connectedAccounts: accounts() }, turn)).context
      const call = { sessionId, toolCallId: crypto.randomUUID() }
      const text = await orPermission(createIssue, ask, open)({ repo: 'octocat/hello-world', title: 'Hello' }, call)
      const update = { sessionUpdate: 'agent_message_chunk' as const, content: { type: 'text' as const, text } }
      await client.notify(methods.client.session.update, { sessionId, update })
      return { stopReason: 'end_turn' }
    })
