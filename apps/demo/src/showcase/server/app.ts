import { createHash } from 'node:crypto'
import type { McpServers } from '@latchkey/core/mcp'
import { type AgentPolicy, type BrokerClient, createGuardedFetch } from '@latchkey/server'
import { createMcpProxy } from '@latchkey/server/mcp'
import type { Vault } from '@latchkey/server/vault'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Config, McpExample } from '../../agent.ts'
import { type Declared, declareTools } from '../../declared.ts'
import { type BaseUrls, createProviders } from '../../providers.ts'
import { createServer } from '../../server.ts'
import { createSessions } from '../../session.ts'
import { AGENTS, type DemoAgent, mayHave } from '../agents.ts'
import { offerChoices } from './account-tools.ts'
import type { Colleague } from './colleague.ts'
import { createCommands, createMcpTools, readMcpRequest } from './mcp-tools.ts'
import type { AgentModel } from './model.ts'
import { createCarelessTool, createTools, type MetricsService } from './tools.ts'

export interface AppOptions {
  /** Origins of the demo's pages, which may call the server. */
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
  /** Signs the ids of sessions and chats. */
  sessionSecret?: string
  /** The stand-in MCP servers. They are on this machine, so the guarded fetch needs an exception for them. */
  mcp?: { origins: string[]; servers: McpExample[]; clientMetadataUrl: string }
  /** The server's own `mcpServers`, whose `command` entries it runs. Never from a page. */
  mcpConfig?: McpServers
}

/** The tutorial's server with more tools: MCP servers, programs, metrics and a second agent. */
export function createApp(options: AppOptions): Hono {
  const { origins, baseUrls, clients, agent, metrics, colleague, vault, sessionSecret, mcp, mcpConfig } = options
  const providers = createProviders(baseUrls)
  const declared = declareTools(providers)
  // Browsers send the cookies of one port to all others, so the port is part of the name.
  const origin = new URL(origins[0] ?? '')
  const secure = origin.protocol === 'https:'
  const sessions = createSessions(`latchkey_demo_${origin.port}`, { secure, secret: sessionSecret })

  const guard = { dangerouslyAllowOrigins: mcp?.origins ?? [] }
  const guardedFetch = createGuardedFetch(guard)
  const commands = mcpConfig ? createCommands(mcpConfig) : []

  const tools = {
    ...createTools(declared, metrics, colleague),
    ...(agent.isScripted && createCarelessTool(declared)),
  }
  const server = createServer({
    providers: Object.values(providers),
    clients,
    authenticate: sessions.find,
    allowedOrigins: origins,
    // With a vault the server keeps the accounts, without it the browser.
    vault,
    mcp: createMcpProxy(guard),
    model: agent.model,
    chatSecret: sessionSecret,
    agents: Object.fromEntries(AGENTS.map((agent) => [agent.id, policyOf(agent, Object.values(declared))])),
    tools,
    moreTools(body) {
      const mcpRequest = readMcpRequest(body, Object.keys(providers))
      if (!mcpRequest) {
        throw new HTTPException(400, {
          message: 'MCP servers are named by their URL and an id of their own, and nothing else.',
        })
      }
      return async () => ({
        ...offerChoices(tools, declared),
        ...(await createMcpTools(mcpRequest, commands, guardedFetch)),
      })
    },
  })

  return new Hono()
    .get('/api/config', async (c) => {
      const session = await sessions.start(c)
      const config: Config = {
        baseUrls,
        person: createHash('sha256').update(session).digest('base64url'),
        model: agent.name,
        vault: vault?.storeType,
        mcpServers: mcp?.servers ?? [],
        clientMetadataUrl: mcp?.clientMetadataUrl ?? '',
      }
      return c.json(config)
    })
    .route('/', server)
}

/** An agent as the broker knows it: whose accounts it may be given, and the tools that work with them. */
const policyOf = (agent: DemoAgent, tools: Declared[keyof Declared][]): AgentPolicy => ({
  name: agent.name,
  ...(agent.parent && { parent: agent.parent }),
  ...(agent.providers && { providers: agent.providers }),
  tools: tools.filter(({ provider }) => mayHave(agent, provider.id)),
})
