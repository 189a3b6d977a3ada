import { useChat } from '@ai-sdk/react'
import type { Provider } from '@latchkey/core'
import { createOversight } from '@latchkey/core/agents'
import { aiSdk, identitiesBody } from '@latchkey/core/runtimes/ai-sdk'
import { ConnectedAccounts, LatchkeyProvider, useLatchkey } from '@latchkey/react'
import { OversightProvider, RuntimePrompt, useRequests } from '@latchkey/react/agents'
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses as isAnswered } from 'ai'
import { useState } from 'react'
import { AGENT_ID } from './agent.ts'

const oversight = createOversight({ broker: '/api/latchkey' })

/** An agent web UI: a chat, and the accounts that its agent may use. */
export function Page({ providers, vault }: { providers: Provider[]; vault: boolean }) {
  return (
    <LatchkeyProvider broker="/api/latchkey" providers={providers} custody={vault ? 'vault' : undefined}>
      <OversightProvider oversight={oversight}>
        <main>
          <Chat />
          <ConnectedAccounts />
        </main>
      </OversightProvider>
    </LatchkeyProvider>
  )
}

function Chat() {
  const client = useLatchkey()
  // Made once: the body is a function, so every request gets fresh tokens.
  const [transport] = useState(
    () => new DefaultChatTransport({ api: '/api/chat', body: identitiesBody(client, { agent: AGENT_ID }) }),
  )
  const chat = useChat({ transport, sendAutomaticallyWhen: isAnswered })
  // What the agent waits for: an account, or the person's word before a call. With the answer, it goes on by itself.
  const requests = useRequests(aiSdk(chat))
  return (
    <section aria-label="Chat">
      <div role="log" aria-label="Conversation">
        {chat.messages.map(({ id, role, parts }) => (
          <article key={id} aria-label={role === 'user' ? 'You' : 'Assistant'}>
            {parts.map((part, index) => {
              // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end.
              return part.type === 'text' && <p key={index}>{part.text}</p>
            })}
          </article>
        ))}
        {requests.map((request) => (
          <RuntimePrompt key={request.id} request={request} />
        ))}
      </div>
      <form
        action={(form) => {
          chat.sendMessage({ text: String(form.get('text')) })
        }}
      >
        <input name="text" aria-label="Message" placeholder="List my repositories" required />
        <button type="submit">Send</button>
      </form>
    </section>
  )
}
