import type { McpServers } from '@latchkey/core/mcp'
import { AgentContext, ApprovalRequired, AuthorizationRequired, type GuardedFetch } from '@latchkey/server'
import { AuthenticatedMcpClient, McpCommand, type McpTool } from '@latchkey/server/mcp'
import { dynamicTool, jsonSchema, type ToolSet } from 'ai'
import { z } from 'zod'

// Strict: a request may name URLs only. A request with a command is refused, because its sender could run any program.
// Commands come from this server's own configuration (createCommands).
const Request = z.object({
  mcpServers: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[a-z0-9-]{1,64}$/),
        name: z.string().max(64),
        url: z.url({ protocol: /^https?$/ }).max(2048),
      }),
    )
    .max(16)
    .default([]),
  /** Pages of MCP servers that the person has visited, as the page says. */
  visitedPages: z.array(z.url().max(2048)).max(16).default([]),
})

/**
 * The MCP servers of a chat request. Their URLs are untrusted, so only the guarded fetch calls them. One with the id of a
 * provider of this app is refused.
 */
export function readMcpRequest(body: unknown, providers: readonly string[]) {
  const { data } = Request.safeParse(body)
  return data?.mcpServers.some(({ id }) => providers.includes(id)) ? undefined : data
}

/** What the tools of the programs do. Of a tool that is not named here, its person is asked. */
const EFFECTS = { survey_projects: 'read' } as const

/** The programs that this server's own configuration names; `${GITHUB_TOKEN}` becomes the person's in each call. */
export const createCommands = ({ servers }: McpServers) =>
  servers.filter(({ kind }) => kind === 'command').map((entry) => new McpCommand(entry, { effects: EFFECTS }))

interface Source {
  id: string
  name: string
  /** Id of the provider whose account the server needs. */
  account: string
  /** The provider's name. */
  accountName: string
  client: Pick<AuthenticatedMcpClient, 'listTools' | 'callTool'>
}

/** A program has the same tools for every person, so they are listed once. */
const listed = new WeakMap<McpCommand, McpTool[]>()

/**
 * The tools of the request's MCP servers and of the server's own commands, called as the person. A server whose account
 * is missing has one tool, which asks for the account.
 */
export async function createMcpTools(
  { mcpServers, visitedPages }: NonNullable<ReturnType<typeof readMcpRequest>>,
  commands: readonly McpCommand[],
  fetch: GuardedFetch,
): Promise<ToolSet> {
  const sources = [
    ...mcpServers.map((server): Source => {
      const client = new AuthenticatedMcpClient(server, { fetch, visited: visitedPages })
      return { ...server, account: server.id, accountName: server.name, client }
    }),
    ...commands.map((command): Source => {
      const [account = command.id] = command.accounts
      const listTools = async () => {
        const tools = listed.get(command) ?? (await command.listTools())
        listed.set(command, tools)
        return tools
      }
      const callTool: Source['client']['callTool'] = (...call) => command.callTool(...call)
      return { id: command.id, name: command.name, account, accountName: account, client: { listTools, callTool } }
    }),
  ]
  const all = await Promise.all(
    sources.map(async ({ id, name, account, accountName, client }): Promise<[string, ToolSet[string]][]> => {
      const describe = (toolName: string, title: string, description: string, schema?: object) => {
        const tool = dynamicTool({
          title,
          description,
          metadata: { provider: account },
          inputSchema: jsonSchema(schema ?? { type: 'object', properties: {} }),
          execute: async (input) => {
            try {
              const { content } = await client.callTool(toolName, (input ?? {}) as Record<string, unknown>)
              const text = content.map((part) => part.text ?? '').join('\n')
              const used = AgentContext.current().accounts.find(({ provider }) => provider === account)
              return { accountId: used?.accountId, text }
            } catch (error) {
              if (error instanceof ApprovalRequired) return error.notice
              if (!(error instanceof AuthorizationRequired)) throw error
              const message = error.request.url
                ? `${name} has a page for you to visit first.`
                : `Connect ${accountName} and I'll continue.`
              return { ...error.request, message }
            }
          },
        })
        return [`${id}__${toolName}`, tool] as [string, ToolSet[string]]
      }
      try {
        const tools = await client.listTools()
        return tools.map(({ name: toolName, title = toolName, description = '', inputSchema }) =>
          describe(toolName, title, description, inputSchema),
        )
      } catch (error) {
        if (!(error instanceof AuthorizationRequired)) return []
        const title = `Use the tools of ${name}`
        return [describe('connect', title, `Asks the person to connect ${accountName}, for the tools of ${name}.`)]
      }
    }),
  )
  return Object.fromEntries(all.flat())
}
