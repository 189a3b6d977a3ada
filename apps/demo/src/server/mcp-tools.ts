import { AuthenticatedMcpClient, AuthorizationRequired, type GuardedFetch, getIdentity } from '@latchkey/server'
import { dynamicTool, jsonSchema, type ToolSet } from 'ai'
import { z } from 'zod'

const Servers = z
  .array(z.object({ id: z.string().regex(/^[a-z0-9-]{1,64}$/), name: z.string().max(64), url: z.url().max(2048) }))
  .max(16)
  .catch([])

/** The MCP servers that a chat request names: somebody else's addresses, so they are asked by the guarded fetch only. */
export const readServers = (value: unknown) => Servers.parse(value)

/**
 * The tools of the request's MCP servers, called as the person. One that nobody is signed in to has one tool, which
 * asks for the sign-in.
 */
export async function createMcpTools(servers: z.infer<typeof Servers>, fetch: GuardedFetch): Promise<ToolSet> {
  const all = await Promise.all(
    servers.map(async (server): Promise<[string, ToolSet[string]][]> => {
      const { id, name } = server
      const client = new AuthenticatedMcpClient(server, { fetch })
      const describe = (toolName: string, title: string, description: string, schema?: object) => {
        const tool = dynamicTool({
          title,
          description,
          metadata: { provider: id },
          inputSchema: jsonSchema(schema ?? { type: 'object', properties: {} }),
          execute: async (input) => {
            try {
              const { content } = await client.callTool(toolName, (input ?? {}) as Record<string, unknown>)
              const text = content.map((part) => part.text ?? '').join('\n')
              return { accountId: getIdentity(id)?.accountId, text }
            } catch (error) {
              if (!(error instanceof AuthorizationRequired)) throw error
              return { ...error.request, message: `This needs your ${name} account.` }
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
        return [describe('connect', name, `Asks the person to sign in to ${name}, whose tools can be used then.`)]
      }
    }),
  )
  return Object.fromEntries(all.flat())
}
