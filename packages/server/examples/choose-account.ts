import { github } from '@latchkey/core/providers/github'
import { type AccountTool, type AgentContext, offerAccounts, withAccount } from '@latchkey/server'
import { type JSONSchema7, jsonSchema, tool } from 'ai'
import { z } from 'zod'

const listRepos: AccountTool = { provider: github(), toolName: 'list_repos', effect: 'read' }
const input = z.object({ sort: z.enum(['created', 'updated']).default('updated'), account: z.string().optional() })

/** A tool that can be told which account to use. Make it for each run: every person has accounts of their own. */
export const createListRepos = (context: AgentContext, fetch?: typeof globalThis.fetch) =>
  tool({
    description: "Lists the repositories of one of the person's GitHub accounts.",
    // The model is offered the labels and ids of this person's accounts.
    inputSchema: jsonSchema<z.output<typeof input>>(
      offerAccounts(z.toJSONSchema(input, { io: 'input' }) as JSONSchema7, context.accountsOf('github')),
      {
        validate(given) {
          const { success, data, error } = input.safeParse(given)
          return success ? { success, value: data } : { success, error }
        },
      },
    ),
    execute: withAccount(
      { ...listRepos, account: 'choose', ...(fetch && { fetch }) },
      async ({ sort }: { sort: string }, account) => {
        const response = await account.fetch(`/user/repos?sort=${sort}`)
        const repos = z.array(z.object({ full_name: z.string() })).parse(await response.json())
        // The model learns whose they are, and can name the same account in its next call.
        return { accountId: account.accountId, account: account.label, repos }
      },
    ),
  })
