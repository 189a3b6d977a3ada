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

/** The chat's route. Its tools act for the person who sent the request. */
export async function chat(request: Request, broker: Broker, model: LanguageModel) {
  // Take the accounts out of the body first. The rest can be logged and stored.
  const { context, body } = await broker.agentContext(request, await request.json(), { agent: 'assistant' })
  const messages = await convertToModelMessages(body.messages as UIMessage[])

  return context.respond(() => {
    const { stream } = streamText({ model, messages, tools: { list_repos: createListRepos() } })
    // The stream is read after this function returns. respond() keeps the accounts for its tools.
    return createUIMessageStreamResponse({ stream: toUIMessageStream({ stream }) })
  })
}
