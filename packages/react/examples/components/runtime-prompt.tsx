import { type AiSdkChat, aiSdk } from '@latchkey/core/runtimes/ai-sdk'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'

/** What a chat waits for, also after a reload. With an answer, given here or anywhere, it goes on by itself. */
export const Waiting = ({ chat }: { chat: AiSdkChat }) =>
  useRequests(aiSdk(chat)).map((request) => <RuntimePrompt key={request.id} request={request} />)
