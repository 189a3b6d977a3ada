import { github } from '@latchkey/core/providers/github'
import { type AgentContext, withAccount } from '@latchkey/server'
import { connectCard } from '@latchkey/server/runtimes/mcp-apps'
import type { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const provider = github()
const card = connectCard({ providers: [provider], url: 'https://app.example.com/connect' })

const listRepositories = withAccount(
  { provider, toolName: 'list_repositories', title: 'List repositories', effect: 'read' },
  async (_input: object, account) => {
    const response = await account.fetch('/user/repos')
    return { content: [{ type: 'text' as const, text: await response.text() }] }
  },
)

/** The tools of one person: `context` is theirs. */
export function addTools(server: McpServer, context: AgentContext): void {
  card.register(server)
  const config = { description: 'Lists repositories', inputSchema: z.object({}), _meta: card.toolMeta }
  server.registerTool('list_repositories', config, (input) =>
    context.run(() => card.orCard(listRepositories)(input, {})),
  )
}
