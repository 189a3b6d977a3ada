import { github } from '@latchkey/core/providers/github'
import { withAccount } from '@latchkey/server'

/** What the tool of every runtime does: it acts for the person, who is asked first. */
export const createIssue = withAccount(
  { provider: github(), toolName: 'create_issue', title: 'Create an issue', effect: 'write' },
  async ({ repo, title }: { repo: string; title: string }, account) => {
    const response = await account.fetch(`/repos/${repo}/issues`, { method: 'POST', body: JSON.stringify({ title }) })
    return `It answered ${response.status}.`
  },
)
