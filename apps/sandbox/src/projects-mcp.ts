// An MCP server that agents start as a child process (stdio), with the person's token in its environment.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { z } from 'zod'

const { GITHUB_TOKEN, GITHUB_API_URL = 'https://api.github.com' } = process.env
const Repositories = z.array(z.object({ full_name: z.string(), stargazers_count: z.number().optional() }))

const server = new McpServer({ name: 'Sandbox Projects', version: '1.0.0' })
server.registerTool(
  'survey_projects',
  { title: 'Survey projects', description: 'Surveys the projects of the person on GitHub.', inputSchema: z.object({}) },
  async () => {
    const response = await fetch(`${GITHUB_API_URL}/user/repos?per_page=30`, {
      headers: { authorization: `Bearer ${GITHUB_TOKEN}`, accept: 'application/json' },
    })
    if (!response.ok) throw new Error(`GitHub answered with status ${response.status}.`)
    const names = Repositories.parse(await response.json()).map(({ full_name }) => `- ${full_name}`)
    return { content: [{ type: 'text', text: names.join('\n') }] }
  },
)
await server.connect(new StdioServerTransport())
