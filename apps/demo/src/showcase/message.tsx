import type { AgentRequest } from '@latchkey/core/agents'
import { useLatchkey } from '@latchkey/react'
import { isToolUIPart } from 'ai'
import { AccountNeeded, type Ready, requestsIn } from './account-needed.tsx'
import { useAgent } from './agent-choice.tsx'
import type { AgentMessage } from './agent-message.ts'
import { ApprovalNeeded, approvalsIn } from './approval-needed.tsx'
import { ToolCall } from './tool-call.tsx'

interface MessageProps {
  message: AgentMessage
  /** Called when what a tool waited for is there. */
  onAccountReady: ((ready: Ready) => void) | undefined
  /** Called when the person has said whether a call may be made. */
  onAnswered: ((request: AgentRequest) => void) | undefined
}

/** One message: its text, the tools that were called, and what they wait for. */
export function Message({ message, onAccountReady, onAnswered }: MessageProps) {
  const client = useLatchkey()
  const agent = useAgent()
  return (
    <article className="message" data-role={message.role} aria-label={message.role === 'user' ? 'You' : agent.name}>
      {message.parts.map((part, index) => {
        if (isToolUIPart(part)) return <ToolCall key={part.toolCallId} part={part} goesOn={onAnswered !== undefined} />
        // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end.
        if (part.type === 'text') return <Prose key={index} text={part.text} />
        return null
      })}
      {approvalsIn(message).map((id) => (
        <ApprovalNeeded key={id} id={id} onAnswered={onAnswered} />
      ))}
      {requestsIn(message.parts, client.providers).map((request) => (
        <AccountNeeded key={`${request.provider} ${request.url ?? ''}`} request={request} onReady={onAccountReady} />
      ))}
    </article>
  )
}

/** Text with lists. The model is told to use no other markup. */
function Prose({ text }: { text: string }) {
  const blocks = text.split(/\n(?!- )/)
  return (
    <div className="prose">
      {blocks.map((block, index) => {
        const [paragraph, ...items] = block.split(/(?:^|\n)- /)
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: text is only ever added at the end.
          <div key={index}>
            {paragraph && <p>{paragraph}</p>}
            {items.length > 0 && (
              <ul>
                {items.map((item, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: as above.
                  <li key={at}>{item}</li>
                ))}
              </ul>
            )}
          </div>
        )
      })}
    </div>
  )
}
