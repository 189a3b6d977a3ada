import { type BrokerOptions, createBroker, toolApproval } from '@latchkey/server'
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  type InferUITools,
  isStepCount,
  type LanguageModel,
  safeValidateUIMessages,
  streamText,
  type ToolSet,
  toUIMessageStream,
  type UIDataTypes,
  type UIMessage,
} from 'ai'
import { type Context, Hono } from 'hono'
import { csrf } from 'hono/csrf'
import { AGENT_ID, chatPath, newChatPath, turnOf } from './agent.ts'
import { createChats } from './chats.ts'

type Message = UIMessage<unknown, UIDataTypes, InferUITools<ToolSet>>

/** The broker's options, the model and its tools. */
export interface ServerOptions extends BrokerOptions<string> {
  authenticate: (request: Request) => Promise<string | null>
  model: LanguageModel
  tools: ToolSet
  /** Makes extra tools for one request. They run as the person who sent it. */
  moreTools?: (body: Record<string, unknown>) => () => Promise<ToolSet>
  /** Signs the ids of chats. @default random, so chats end with this process */
  chatSecret?: string | undefined
}

const INSTRUCTIONS = `You have access to the person's own accounts through tools.
When a tool answers "authorization_required" or "approval_required", the app asks the person. Write nothing about it.
Answer in plain text without Markdown. Start the items of a list with "- ".`

/** The server of an agent web UI: a token broker, and a chat whose tools act for the person who sent the message. */
export function createServer({ model, tools, moreTools, chatSecret, ...options }: ServerOptions): Hono {
  const app = new Hono()
  const { agents = { [AGENT_ID]: { name: 'Assistant' } } } = options
  const broker = createBroker({ ...options, agents })
  broker.start()
  app.all('/api/latchkey/*', (c) => broker(c.req.raw))

  /** What an agent is called, and what the one is that it works for. */
  const called = (id: string): string => {
    const { name = id, parent } = agents[id] ?? {}
    return parent ? `${name}, a helper of ${called(parent)}` : name
  }
  const chats = createChats(chatSecret)
  const noSession = (c: Context) => c.json({ message: 'Reload the page: its session has ended.' }, 401)
  const startChat = async (c: Context, agent: string) => {
    const userId = await options.authenticate(c.req.raw)
    return userId ? c.json({ chat: chats.start(userId, agent) }) : noSession(c)
  }

  const answer = async (c: Context, agent: string) => {
    const userId = await options.authenticate(c.req.raw)
    if (!userId) return noSession(c)

    const sent = await c.req.json()
    // What a person allows in one chat holds in no other. So the page says which of its chats it is, and this server whether
    // it is one.
    const chat = chats.find(userId, agent, sent.chat)
    if (sent.chat !== undefined && !chat) return c.json({ message: 'This is no chat of this session.' }, 403)
    // Take the accounts out of the body first. The rest can be logged and stored.
    const { context, body } = await broker.agentContext(userId, sent, { agent, ...turnOf(sent), ...(chat && { chat }) })
    const read = await safeValidateUIMessages<Message>({ messages: body.messages, tools })
    if (!read.success) return c.json({ message: 'These are not messages of this chat.' }, 400)
    const messages = await convertToModelMessages(read.data, { tools, ignoreIncompleteToolCalls: true })
    const makeTools = moreTools?.(body)
    // The answer is read after this function returns. respond() keeps the accounts for its tools.
    return context.respond(async () => {
      const all = { ...tools, ...(await makeTools?.()) }
      // The agent pauses before a call that the person is asked about.
      const loop = { toolApproval, stopWhen: isStepCount(5), abortSignal: c.req.raw.signal }
      const instructions = `You are ${called(agent)}.\n${INSTRUCTIONS}`
      const { stream } = streamText({ model, instructions, messages, tools: all, ...loop })
      return createUIMessageStreamResponse({ stream: toUIMessageStream({ stream, tools: all }) })
    })
  }
  const guard = csrf({ origin: [...options.allowedOrigins] })
  for (const agent of Object.keys(agents)) {
    app.post(newChatPath(agent), guard, (c) => startChat(c, agent))
    app.post(chatPath(agent), guard, (c) => answer(c, agent))
  }
  return app
}
