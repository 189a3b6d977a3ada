import { tool } from 'ai'
import { z } from 'zod'
import { Datasets, FoundMessages, HEADERS, Message, Repositories } from './answers.ts'
import { asPerson } from './as-person.ts'
import type { Providers } from './providers.ts'

const READ_MAIL = ['https://www.googleapis.com/auth/gmail.readonly']

/** What the agent can do. No tool takes a token: each calls its API as the person that it runs for. */
export const createTools = ({ github, gmail, kaggle }: Providers) => ({
  list_repositories: tool({
    title: 'List repositories',
    description: 'Lists the repositories of the person on GitHub.',
    metadata: { provider: github.id }, // The page shows this provider's mark beside the call.
    inputSchema: z.object({}),
    execute: asPerson(
      { provider: github, toolName: 'list_repositories', effect: 'read' },
      async (_input: object, read) => ({
        repositories: await read('/user/repos?per_page=30&sort=updated', Repositories),
      }),
    ),
  }),

  search_mail: tool({
    title: 'Search mail',
    description: "Searches the person's mail in Gmail.",
    metadata: { provider: gmail.id },
    inputSchema: z.object({ query: z.string().describe('What to search for, as typed into the search box of Gmail') }),
    execute: asPerson(
      { provider: gmail, toolName: 'search_mail', effect: 'read', scopes: READ_MAIL },
      async ({ query }: { query: string }, read) => {
        const search = new URLSearchParams({ q: query, maxResults: '10' })
        const { messages } = await read(`/users/me/messages?${search}`, FoundMessages)
        const readMessage = ({ id }: { id: string }) =>
          read(`/users/me/messages/${encodeURIComponent(id)}?${HEADERS}`, Message)
        return { messages: await Promise.all(messages.map(readMessage)) }
      },
    ),
  }),

  list_datasets: tool({
    title: 'List datasets',
    description: 'Lists the datasets of the person on Kaggle.',
    metadata: { provider: kaggle.id },
    inputSchema: z.object({}),
    execute: asPerson({ provider: kaggle, toolName: 'list_datasets', effect: 'read' }, (_input: object, read) =>
      read('/datasets.DatasetApiService/ListDatasets', Datasets, { group: 'DATASET_SELECTION_GROUP_MY' }),
    ),
  }),
})
