import type { Broker } from '@latchkey/server'
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  type LanguageModel,
  streamText,
  toUIMessageStream,
  type UIMessage,
} from 'ai'
import { createListRepos } from './agent-context.ts'

/** On the server: the chat, whose tools act for the person who asks. */
export async function chat(request: Request, broker: Broker, model: LanguageModel) {
  // First of all the accounts leave the body. What remains can be logged and stored.
  const { context, body } = await broker.agentContext(request, await request.json(), { agent: 'assistant' })
  const messages = await convertToModelMessages(body.messages as UIMessage[])

  // The answer is read later: its tools keep the accounts of this request.
  return context.respond(() => {
    const { stream } = streamText({ model, messages, tools: { list_repos: createListRepos() } })
    return createUIMessageStreamResponse({ stream: toUIMessageStream({ stream }) })
  })
}
