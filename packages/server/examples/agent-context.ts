import { github } from '@latchkey/core/providers/github'
import { AgentContext, withAccount } from '@latchkey/server'
import { tool } from 'ai'
import { z } from 'zod'

/** A tool of the AI SDK. It lists the repositories of the person that the agent acts for. */
export const createListRepos = (baseUrl?: string) =>
  tool({
    description: 'Lists your repositories on GitHub.',
    inputSchema: z.object({}),
    execute: withAccount(
      { provider: github({ baseUrl }), toolName: 'list_repos', effect: 'read' },
      async (_input: object, account) => {
        const response = await account.fetch('/user/repos')
        return z.array(z.object({ full_name: z.string() })).parse(await response.json())
      },
    ),
  })

/** The person that the agent acts for in this request. */
export function createContext(userId: string, access_token: string) {
  const ctx = new AgentContext({ userId, oauthTokens: { github: { access_token, scopes: ['read:user'] } } })
  // Where a library wants the token itself: ctx.oauthTokens.github.access_token
  return ctx
}
