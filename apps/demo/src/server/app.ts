import type { McpServers } from '@latchkey/core/mcp'
import {
  AgentContext,
  type BrokerClient,
  bindIdentities,
  createBroker,
  createGuardedFetch,
  takeConnectedAccounts,
  takeIdentities,
} from '@latchkey/server'
import { createMcpProxy } from '@latchkey/server/mcp'
import type { Vault } from '@latchkey/server/vault'
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
import { AGENT_ID, type AgentMessage, type Config } from '../agent.ts'
import { type BaseUrls, createProviders } from '../providers.ts'
import type { Colleague } from './colleague.ts'
import { createCommands, createMcpTools, readMcpRequest } from './mcp-tools.ts'
import type { AgentModel } from './model.ts'
import { createSessions } from './session.ts'
import { createTools, type MetricsService } from './tools.ts'

export interface AppOptions {
  /** Origins of the pages that may call: the demo's own. */
  origins: string[]
  baseUrls: BaseUrls
  /** The app's registration at each provider, with its secret. */
  clients: Record<string, BrokerClient>
  agent: AgentModel
  /** A service that the agent calls as itself, with a service account. */
  metrics?: MetricsService
  /** Another agent, which this one calls as itself. */
  colleague?: Colleague
  /** Keeps tokens and keys here instead of in the browser. */
  vault?: Vault
  /** What session ids are signed with. */
  sessionSecret?: string
  /** The stand-in MCP servers, which are on this machine and would not be asked otherwise. */
  mcp?: { origins: string[]; example: string; clientMetadataUrl: string }
  /** `mcpServers` of this server's own: its `command` entries are run here. Never what a page sends. */
  mcpConfig?: McpServers
}

const INSTRUCTIONS = `You are a helpful assistant with access to the person's own accounts through tools.
When a tool answers "authorization_required", say in one sentence which account is needed; the app shows a button for it.
Answer in plain text without Markdown. Start the items of a list with "- ".`

/** The server of an agent web UI: a token broker, and a chat whose tools act for the person who asks. */
export function createApp({
  origins,
  baseUrls,
  clients,
  agent,
  metrics,
  colleague,
  vault,
  sessionSecret,
  mcp,
  mcpConfig,
}: AppOptions): Hono {
  const app = new Hono()
  const providers = createProviders(baseUrls)
  const tools = createTools(providers, metrics, colleague)
  // Browsers send the cookies of one port to all others, so the port is part of the name.
  const origin = new URL(origins[0] ?? '')
  const secure = origin.protocol === 'https:'
  const sessions = createSessions(`latchkey_demo_${origin.port}`, { secure, secret: sessionSecret })

  const guard = { dangerouslyAllowOrigins: mcp?.origins ?? [] }
  const guardedFetch = createGuardedFetch(guard)
  const commands = mcpConfig ? createCommands(mcpConfig) : []

  const broker = createBroker({
    providers: Object.values(providers),
    clients,
    authenticate: sessions.find,
    allowedOrigins: origins,
    // The whole difference between the two kinds of custody.
    vault,
    mcp: createMcpProxy(guard),
  })
  app.all('/api/latchkey/*', (c) => broker(c.req.raw))

  app.get('/api/config', (c) => {
    sessions.start(c)
    const config: Config = {
      baseUrls,
      model: agent.name,
      vault: vault?.store.type,
      mcpExample: mcp?.example ?? '',
      clientMetadataUrl: mcp?.clientMetadataUrl ?? '',
    }
    return c.json(config)
  })

  app.post('/api/chat', csrf({ origin: origins }), async (c) => {
    const userId = sessions.find(c.req.raw)
    if (!userId) return c.json({ message: 'Reload the page: its session has ended.' }, 401)

    // First of all, the tokens leave the body. What remains is safe to log, to store and to hand around.
    const { identities: sent, body: rest } = takeIdentities(await c.req.json())
    // References to accounts in the vault become tokens here, for this session's own accounts only.
    const { connectedAccounts, body } = takeConnectedAccounts(rest)
    const kept = await broker.resolveAccounts(c.req.raw, connectedAccounts, { agent: AGENT_ID })
    const identities = [...sent, ...kept]
    const chat = await safeValidateUIMessages<AgentMessage>({ messages: body.messages, tools })
    if (!chat.success) return c.json({ message: 'These are not messages of this chat.' }, 400)
    const mcpRequest = readMcpRequest(body)
    if (!mcpRequest) return c.json({ message: 'MCP servers are named by their URL, and nothing else.' }, 400)
    const messages = await convertToModelMessages(chat.data, { tools, ignoreIncompleteToolCalls: true })

    // An app with users passes theirs.
    return AgentContext.fromIdentities(identities, { userId }).run(async () => {
      const all = { ...tools, ...(await createMcpTools(mcpRequest, commands, guardedFetch)) }
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
