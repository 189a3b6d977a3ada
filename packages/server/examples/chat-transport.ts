import type { LatchkeyClient } from '@latchkey/core'
import { identitiesBody } from '@latchkey/core/runtimes/ai-sdk'
import { DefaultChatTransport } from 'ai'

/** In the page: `useChat({ transport: createTransport(useLatchkey()) })`, made once. */
export const createTransport = (client: LatchkeyClient) =>
  new DefaultChatTransport({ api: '/api/chat', body: identitiesBody(client, { agent: 'assistant' }) })
