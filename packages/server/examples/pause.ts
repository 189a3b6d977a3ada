import { type Broker, toolApproval } from '@latchkey/server'
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  isStepCount,
  type LanguageModel,
  streamText,
  toUIMessageStream,
  type UIMessage,
} from 'ai'
import { tools } from './agents.ts'

/** Answers a message, and goes on with its answer after a pause. Its id and that of its chat come out of the app's records. */
export async function chat(
  request: Request,
  broker: Broker,
  model: LanguageModel,
  { message, chat }: { message: string; chat: string },
) {
  const about = { agent: 'assistant', run: message, chat }
  const { context, body } = await broker.agentContext(request, await request.json(), about)
  const messages = await convertToModelMessages(body.messages as UIMessage[], { tools })

  return context.respond(() => {
    const { stream } = streamText({ model, messages, tools, toolApproval, stopWhen: isStepCount(5) })
    return createUIMessageStreamResponse({ stream: toUIMessageStream({ stream, tools }) })
  })
}
