import { tool } from '@langchain/core/tools'
import { interrupt } from '@langchain/langgraph'
import { github } from '@latchkey/core/providers/github'
import { type AccountTool, withAccount } from '@latchkey/server'
import { orInterrupt } from '@latchkey/server/runtimes/langgraph'
import { z } from 'zod'

const declared: AccountTool = {
  provider: github(),
  toolName: 'create_issue',
  title: 'Create an issue',
  effect: 'write',
}

/** A tool for LangGraph's `ToolNode`. Its graph waits where the person is asked, or has to connect an account. */
export const createIssue = tool(
  orInterrupt(
    withAccount(declared, async ({ repo, title }: { repo: string; title: string }, account) => {
      const response = await account.fetch(`/repos/${repo}/issues`, { method: 'POST', body: JSON.stringify({ title }) })
      return `It answered ${response.status}.`
    }),
    interrupt,
  ),
  {
    ...{ name: 'create_issue', description: "Creates an issue in one of the person's repositories." },
    schema: z.object({ repo: z.string(), title: z.string() }),
  },
)
