import { github } from '@latchkey/core/providers/github'
import { type AccountTool, createBroker, orAsk, withAccount } from '@latchkey/server'
import { tool } from 'ai'
import { z } from 'zod'

/** What the person reads, and what their rules are about. The broker and the tool itself take the same declaration. */
const listRepos: AccountTool = {
  provider: github(),
  toolName: 'list_repos',
  title: 'List repositories',
  effect: 'read',
}
const openIssue: AccountTool = {
  provider: github(),
  toolName: 'open_issue',
  title: 'Open an issue',
  effect: 'write',
  scopes: ['repo'],
  // What the person may change before they say yes.
  edit: ['title', 'body'],
}

export const createAgentsBroker = (authenticate: (request: Request) => Promise<string | null>) =>
  createBroker({
    providers: [github()],
    authenticate,
    allowedOrigins: ['https://app.example'],
    agents: {
      assistant: { name: 'Assistant', providers: ['github'], tools: [listRepos, openIssue] },
      // It never gets more than its parent.
      reporter: { name: 'Reporter', parent: 'assistant', tools: [openIssue] },
    },
  })

/** Inside of `orAsk`, a tool that needs its person answers with what it needs. The page shows a card for that. */
export const tools = {
  list_repos: tool({
    description: 'Lists your repositories on GitHub.',
    inputSchema: z.object({}),
    execute: orAsk(
      withAccount(listRepos, async (_input: object, account) => {
        const response = await account.fetch('/user/repos')
        return z.array(z.object({ full_name: z.string() })).parse(await response.json())
      }),
    ),
  }),
  open_issue: tool({
    description: 'Opens an issue in a repository on GitHub.',
    inputSchema: z.object({ repo: z.string(), title: z.string(), body: z.string() }),
    execute: orAsk(
      withAccount(openIssue, async ({ repo, ...issue }: { repo: string; title: string; body: string }, account) => {
        const response = await account.fetch(`/repos/${repo}/issues`, { method: 'POST', body: JSON.stringify(issue) })
        return z.object({ html_url: z.string() }).parse(await response.json())
      }),
    ),
  }),
}

/** Answers a message. Its id and that of its chat come out of the app's own records. */
export async function reply<Answer>(
  request: Request,
  broker: ReturnType<typeof createAgentsBroker>,
  { message, chat }: { message: string; chat: string },
  answer: (body: object) => Promise<Answer>,
): Promise<Answer> {
  const { context, body } = await broker.agentContext(request, await request.json(), {
    agent: 'assistant',
    run: message,
    chat,
  })
  return context.run(() => answer(body))
}
