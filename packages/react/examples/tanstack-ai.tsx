import type { LatchkeyClient } from '@latchkey/core'
import { identitiesFetch } from '@latchkey/core/runtimes/fetch'
import { type TanStackChat, tanStackAi } from '@latchkey/core/runtimes/tanstack-ai'
import { RuntimePrompt, useRequests } from '@latchkey/react/agents'
import { fetchServerSentEvents } from '@tanstack/ai-client'

const API = '/api/chat'

/** Made once, for `useChat({ connection })` of `@tanstack/ai-react`. Each request has the accounts that are there by then. */
export const createConnection = (client: LatchkeyClient) =>
  fetchServerSentEvents(API, { fetchClient: identitiesFetch(client, { url: API, agent: 'assistant' }) })

/** What `useChat` returns, as far as it is needed here. */
type Chat = TanStackChat & { interruptErrors: readonly unknown[]; retryInterrupts(): void }

/** What a chat waits for. TanStack keeps answers that could not be sent. */
export const Waiting = ({ chat }: { chat: Chat }) => (
  <>
    {useRequests(tanStackAi(chat)).map((request) => (
      <RuntimePrompt key={request.id} request={request} />
    ))}
    {chat.interruptErrors.length > 0 && (
      <button type="button" onClick={() => chat.retryInterrupts()}>
        Send the answers again
      </button>
    )}
  </>
)
