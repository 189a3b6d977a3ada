import { useChat } from '@ai-sdk/react'
import { type Provider, readConnectRequest } from '@latchkey/core'
import { createOversight } from '@latchkey/core/agents'
import { approvalResponse, identitiesBody, pausedCalls } from '@latchkey/core/runtimes/ai-sdk'
import { ConnectedAccounts, ConnectPrompt, LatchkeyProvider, useLatchkey } from '@latchkey/react'
import { OversightProvider, RequestCard, useRequests } from '@latchkey/react/agents'
import {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses as isAnswered,
  isToolUIPart,
} from 'ai'
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
  const { messages, sendMessage, regenerate, addToolApprovalResponse } = useChat({
    transport,
    sendAutomaticallyWhen: isAnswered,
  })
  // Before a call that the person is asked about, the agent pauses. The card has their answer, and the agent goes on.
  const paused = pausedCalls(messages.at(-1))
  const requests = useRequests().filter(({ id }) => paused.some(({ request }) => request === id))
  return (
    <section aria-label="Chat">
      <div role="log" aria-label="Conversation">
        {messages.map(({ id, role, parts }) => (
          <article key={id} aria-label={role === 'user' ? 'You' : 'Assistant'}>
            {parts.map((part, index) => {
              // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end.
              if (part.type === 'text') return <p key={index}>{part.text}</p>
              if (!isToolUIPart(part)) return null
              // A tool that lacks an account answers with a request for it.
              const request = readConnectRequest(part.output)
              const again = () => regenerate()
              return request && <ConnectPrompt key={part.toolCallId} request={request} onConnected={again} />
            })}
          </article>
        ))}
        {requests.map((request) => (
          <RequestCard
            key={request.id}
            request={request}
            onAnswered={(answered) => {
              const call = paused.find((one) => one.request === request.id)
              const response = call && approvalResponse(call, answered)
              if (response) addToolApprovalResponse(response)
            }}
          />
        ))}
      </div>
      <form
        action={(form) => {
          sendMessage({ text: String(form.get('text')) })
        }}
      >
        <input name="text" aria-label="Message" placeholder="List my repositories" required />
        <button type="submit">Send</button>
      </form>
    </section>
  )
}
