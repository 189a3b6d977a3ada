import type { LatchkeyClient } from '@latchkey/core'
import { type AiSdkChat, aiSdk } from '@latchkey/core/runtimes/ai-sdk'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

/** The `body` of `useAgentChat`: references only, since the agent stores it. */
export const referencesBody = (client: LatchkeyClient) => async () => ({
  connectedAccounts: await client.getConnectedAccounts({ agent: 'assistant' }),
})

/** What a chat waits for. `chat` is what `useAgentChat` of `@cloudflare/ai-chat/react` returns. */
export const Waiting = ({ chat }: { chat: AiSdkChat & { isStreaming: boolean } }) =>
  // The agent may go on without a request of this page, which `status` does not say.
  useRequests(aiSdk({ ...chat, ...(chat.isStreaming && { status: 'streaming' }) })).map((request) => (
    <RuntimePrompt key={request.id} request={request} />
  ))
