import {
  type BrokerClient,
  bindIdentities,
  createBroker,
  createGuardedFetch,
  createMcpProxy,
  takeIdentities,
  withIdentities,
} from '@latchkey/server'
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  isStepCount,
  safeValidateUIMessages,
  streamText,
  toUIMessageStream,
} from 'ai'
import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import type { AgentMessage, Config } from '../agent.ts'
import { type BaseUrls, createProviders } from '../providers.ts'
import { createMcpTools, readServers } from './mcp-tools.ts'
import type { AgentModel } from './model.ts'
import { createSessions } from './session.ts'
import { createTools } from './tools.ts'

export interface AppOptions {
  /** Origins of the pages that may call: the demo's own. */
  origins: string[]
  baseUrls: BaseUrls
  /** The app's registration at each provider, with its secret. */
  clients: Record<string, BrokerClient>
  agent: AgentModel
  /** The stand-in MCP servers, which are on this machine and would not be asked otherwise. */
  mcp?: { origins: string[]; example: string; clientMetadataUrl: string }
}

const INSTRUCTIONS = `You are a helpful assistant with access to the person's own accounts through tools.
When a tool answers "authorization_required", say in one sentence which account is needed; the app shows a button for it.
Answer in plain text without Markdown. Start the items of a list with "- ".`

/** The server of an agent web UI: a token broker, and a chat whose tools act for the person who asks. */
export function createApp({ origins, baseUrls, clients, agent, mcp }: AppOptions): Hono {
  const app = new Hono()
  const providers = createProviders(baseUrls)
  const tools = createTools(providers)
  // Browsers send the cookies of one port to all others, so the port is part of the name.
  const sessions = createSessions(`latchkey_demo_${new URL(origins[0] ?? '').port}`)

  const guard = { dangerouslyAllowOrigins: mcp?.origins ?? [] }
  const guardedFetch = createGuardedFetch(guard)

  const broker = createBroker({
    providers: Object.values(providers),
    clients,
    authenticate: sessions.find,
    allowedOrigins: origins,
    mcp: createMcpProxy(guard),
  })
  app.all('/api/latchkey/*', (c) => broker(c.req.raw))

  app.get('/api/config', (c) => {
    sessions.start(c)
    const config: Config = {
      baseUrls,
      model: agent.name,
      mcpExample: mcp?.example ?? '',
      clientMetadataUrl: mcp?.clientMetadataUrl ?? '',
    }
    return c.json(config)
  })

  app.post('/api/chat', csrf({ origin: origins }), async (c) => {
    if (!sessions.find(c.req.raw)) return c.json({ message: 'Reload the page: its session has ended.' }, 401)

    // First of all, the tokens leave the body. What remains is safe to log, to store and to hand around.
    const { identities, body } = takeIdentities(await c.req.json())
    const chat = await safeValidateUIMessages<AgentMessage>({ messages: body.messages, tools })
    if (!chat.success) return c.json({ message: 'These are not messages of this chat.' }, 400)
    const messages = await convertToModelMessages(chat.data, { tools, ignoreIncompleteToolCalls: true })

    return withIdentities(identities, async () => {
      const all = { ...tools, ...(await createMcpTools(readServers(body.mcpServers), guardedFetch)) }
      const { stream } = streamText({
        model: agent.model,
        instructions: INSTRUCTIONS,
        messages,
        tools: all,
        stopWhen: isStepCount(5),
        abortSignal: c.req.raw.signal,
      })
      // The answer is still being read when this function is long done: bound, its tools keep their identities.
      return bindIdentities(createUIMessageStreamResponse({ stream: toUIMessageStream({ stream, tools: all }) }))
    })
  })

  return app
}
