import { github } from '@latchkey/core/providers/github'
import { type AccountTool, type Broker, withAccount } from '@latchkey/server'
import { type McpState, orElicit } from '@latchkey/server/runtimes/mcp-server'
import type { Vault } from '@latchkey/server/vault'
import {
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  McpServer,
  type ServerContext,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/server'
import { z } from 'zod'

const declared: AccountTool = {
  provider: github(),
  toolName: 'create_issue',
  title: 'Create an issue',
  effect: 'write',
}

const createIssue = withAccount(declared, async ({ repo, title }: { repo: string; title: string }, account) => {
  const response = await account.fetch(`/repos/${repo}/issues`, { method: 'POST', body: JSON.stringify({ title }) })
  return { content: [{ type: 'text' as const, text: `It answered ${response.status}.` }] }
})

/** Whom the access token is of, as your route has verified it. */
const personOf = ({ http }: ServerContext) => `${http?.authInfo?.extra?.sub}`

/** Your route calls `fetch(request, { authInfo })` of it. `key` is a secret of 32 bytes, the same in all processes. */
export function createMcpServer(broker: Broker<{ user: string }>, vault: Vault, key: string) {
  const { mint, verify } = createRequestStateCodec<McpState>({ key, bind: personOf })
  const options = {
    page: 'https://app.example/agents',
    async context(call: ServerContext) {
      const user = personOf(call)
      const accounts = await vault.list({ tenant: 'default', user })
      const body = { connectedAccounts: accounts.map(({ id, provider }) => ({ provider, accountId: id })) }
      return (await broker.agentContext({ user }, body, { agent: 'assistant' })).context
    },
    ...{ mint, inputRequired, UrlElicitationRequiredError },
  }
  return createMcpHandler(() => {
    const server = new McpServer({ name: 'issues', version: '1' }, { requestState: { verify } })
    const inputSchema = z.object({ repo: z.string(), title: z.string() })
    server.registerTool('create_issue', { inputSchema }, orElicit(createIssue, options))
    return server
  })
}
