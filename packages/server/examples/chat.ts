import { AgentContext, bindIdentities, takeIdentities } from '@latchkey/server'
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
export async function chat(request: Request, userId: string, model: LanguageModel) {
  // First of all the tokens leave the body. What remains can be logged and stored.
  const { identities, body } = takeIdentities(await request.json())
  const messages = await convertToModelMessages(body.messages as UIMessage[])

  return AgentContext.fromIdentities(identities, { userId }).run(() => {
    const { stream } = streamText({ model, messages, tools: { list_repos: createListRepos() } })
    // The answer is read later: bound, its tools keep the accounts of this request.
    return bindIdentities(createUIMessageStreamResponse({ stream: toUIMessageStream({ stream }) }))
  })
}
