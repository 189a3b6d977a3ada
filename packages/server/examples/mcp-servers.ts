import type { AgentContext } from '@latchkey/server'
import { resolveMcpServers } from '@latchkey/server/mcp'

/** An MCP configuration with references to accounts, and no token. */
export const config = {
  mcpServers: {
    github: {
      command: 'npx',
      args: ['-y', '@modelcontextprotocol/server-github'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to an account.
      env: { GITHUB_TOKEN: '${GITHUB_TOKEN}' },
    },
    datasets: {
      url: 'https://mcp.example/datasets',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to an account.
      headers: { Authorization: 'Bearer ${KAGGLE_TOKEN}' },
    },
  },
}

/** The servers of one person, ready to be started or connected to. A header carries an account to a listed origin only. */
export const serversOf = (context: AgentContext) =>
  resolveMcpServers(config, { context, headerOrigins: { kaggle: ['https://mcp.example'] } })
