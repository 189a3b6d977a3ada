import { useChat } from '@ai-sdk/react'
import type { AgentRequest } from '@latchkey/core/agents'
import { approvalResponse, pausedCalls } from '@latchkey/core/runtimes/ai-sdk'
import { AccountsMenu } from '@latchkey/react'
import { StopButton } from '@latchkey/react/agents'
import type { ChatStatus } from 'ai'
import { type Ref, type RefObject, useEffect, useRef, useState } from 'react'
import { Connected, type Ready } from './account-needed.tsx'
import { AgentChoice, useAgent } from './agent-choice.tsx'
import type { AgentMessage } from './agent-message.ts'
import type { DemoAgent } from './agents.ts'
import { Composer, type Draft, suggestionsOf } from './composer.tsx'
import type { Conversation } from './conversations.ts'
import { Message } from './message.tsx'

interface ChatProps {
  conversation: Conversation
  draft: Ref<Draft>
  /** Another conversation with the same agent. */
  onNew: () => void
  onChooseAgent: (agent: DemoAgent) => void
  onManage: () => void
}

/** The conversation with the agent. */
export function Chat({ conversation: { chat, wasCut }, draft, onNew, onChooseAgent, onManage }: ChatProps) {
  const agent = useAgent()
  const { messages, sendMessage, regenerate, addToolApprovalResponse, stop, status, error } = useChat({ chat })
  const busy = status === 'submitted' || status === 'streaming'
  const [isCut, setIsCut] = useState(wasCut)
  if (busy && isCut) setIsCut(false)
  const log = useRef<HTMLDivElement>(null)
  useScrollToEnd(log, messages, status)

  /** The accounts that were connected for a question, by the question's id: its answer is replaced then. */
  const [connected, setConnected] = useState<Record<string, string[]>>({})

  // Two tools can wait for one account. The first to report it sends the message again; the second does nothing.
  const resumed = useRef<string>(undefined)
  const resume = async (messageId: string, { account, visitedPage }: Ready) => {
    const question = messages[messages.findIndex(({ id }) => id === messageId) - 1]?.id
    if (question && account) setConnected((all) => ({ ...all, [question]: [...(all[question] ?? []), account] }))
    if (resumed.current === messageId) return
    resumed.current = messageId
    keepFocus()
    await stop()
    // A server can ask for the same page again, so each visit sends the message again.
    if (visitedPage) resumed.current = undefined
    await regenerate({ body: visitedPage ? { visitedPages: [visitedPage] } : {} })
  }

  /** The pressed button disappears with what it answers, so its focus moves to the conversation. */
  const keepFocus = () => {
    if (document.activeElement === document.body || log.current?.contains(document.activeElement)) log.current?.focus()
  }

  // A call before which the AI SDK paused goes on by itself, once all of the answer's calls are answered. Of any other the
  // answer is given anew.
  const answered = (message: AgentMessage, request: AgentRequest) => {
    const call = pausedCalls(message).find((one) => one.request === request.id)
    const response = call && approvalResponse(call, request)
    if (!call) return resume(message.id, {})
    keepFocus()
    if (response) return addToolApprovalResponse(response)
  }

  // A new question stops the answer to the old one.
  const send = async (text: string) => {
    await stop()
    await sendMessage({ text })
  }

  return (
    <section className="chat" aria-label="Chat">
      <div className="chat-head">
        <AgentChoice onChoose={onChooseAgent} />
        {messages.length > 0 && (
          <button type="button" className="text-button" onClick={onNew}>
            New chat
          </button>
        )}
        <StopButton />
      </div>
      {/* aria-busy, so that screen readers read an answer when it is complete. */}
      <div
        ref={log}
        className="log"
        role="log"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label="Conversation"
        aria-busy={busy}
        // A form that opens in an answer is shown with its buttons, not only with the field that has the focus.
        onFocus={({ target }) => target.closest('form')?.scrollIntoView({ block: 'nearest' })}
      >
        {messages.length === 0 && <Welcome />}
        {messages.flatMap((message) => [
          <Message
            key={message.id}
            message={message}
            // Only the last answer can be given again.
            onAccountReady={message === messages.at(-1) ? (ready) => resume(message.id, ready) : undefined}
            onAnswered={message === messages.at(-1) ? (request) => answered(message, request) : undefined}
          />,
          ...[...new Set(connected[message.id])].map((account) => (
            <Connected key={`${message.id} ${account}`} account={account} />
          )),
        ])}
        {status === 'submitted' && (
          <p className="thinking">
            <span className="spinner" aria-hidden="true" /> Thinking…
          </p>
        )}
        {error && (
          <div className="notice" role="alert">
            <p>
              {navigator.onLine
                ? `The ${agent.name.toLowerCase()} couldn't answer.`
                : "You're offline. Try again when you're back online."}
            </p>
            <button type="button" className="button" onClick={() => regenerate()}>
              Try again
            </button>
          </div>
        )}
        {isCut && (
          <div className="notice">
            <p>This page was left before the answer was complete.</p>
            {/* What was done already is not done twice: it is the same turn. */}
            <button type="button" className="button" onClick={() => regenerate()}>
              Answer again
            </button>
          </div>
        )}
      </div>
      <Composer
        draft={draft}
        suggestions={messages.length === 0 ? suggestionsOf(agent.id) : []}
        busy={busy}
        onSend={send}
        onStop={stop}
        placeholder={`Ask the ${agent.name.toLowerCase()}…`}
      >
        <AccountsMenu agent={agent.id} className="carried" onManage={onManage} />
      </Composer>
    </section>
  )
}

/** What a conversation shows before its first message. */
export function Welcome() {
  const { providers } = useAgent()
  return (
    <div className="welcome">
      <h2>Ask about your work</h2>
      <p>
        {providers
          ? "I can use Gmail. If I need your account, or want to change something, I'll ask."
          : "I can use GitHub, Gmail and Kaggle. If I need an account, or want to change something, I'll ask."}
      </p>
    </div>
  )
}

/** Keeps the end of the conversation in view, unless the person has scrolled up. */
function useScrollToEnd(log: RefObject<HTMLDivElement | null>, messages: AgentMessage[], status: ChatStatus) {
  const atEnd = useRef(true)
  useEffect(() => {
    const node = log.current
    const onScroll = () => {
      if (node) atEnd.current = node.scrollHeight - node.scrollTop - node.clientHeight < 80
    }
    node?.addEventListener('scroll', onScroll)
    return () => node?.removeEventListener('scroll', onScroll)
  }, [log])
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is shown for the status is at the end, too.
  useEffect(() => {
    if (messages.length === 0) return
    const asked = messages.at(-1)?.role === 'user'
    if (atEnd.current || asked) log.current?.scrollTo({ top: log.current.scrollHeight })
  }, [log, messages, status])
}
