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

/** The chat's route. Its tools act for the person who sent the request. */
export async function chat(request: Request, userId: string, model: LanguageModel) {
  // Take the tokens out of the body first. The rest can be logged and stored.
  const { identities, body } = takeIdentities(await request.json())
  const messages = await convertToModelMessages(body.messages as UIMessage[])

  return AgentContext.fromIdentities(identities, { userId }).run(() => {
    const { stream } = streamText({ model, messages, tools: { list_repos: createListRepos() } })
    // The stream is read after this function returns, so bind the identities of this request to it.
    return bindIdentities(createUIMessageStreamResponse({ stream: toUIMessageStream({ stream }) }))
  })
}
