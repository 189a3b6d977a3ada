import { ConnectPrompt, usePendingRequests } from '@latchkey/react'

/** In the chat: what the tools that run in this page wait for. */
export function WaitingTools() {
  return usePendingRequests().map((request) => <ConnectPrompt key={request.provider} request={request} />)
}
