import { tool } from 'ai'
import { z } from 'zod'
import { Datasets, FoundMessages, HEADERS, Message, Repositories } from './answers.ts'
import { asPerson } from './as-person.ts'
import type { Declared } from './declared.ts'

/** What the agent can do. No tool takes a token: each calls its API as the person that it runs for. */
export const createTools = ({ list_repositories, search_mail, list_datasets }: Declared) => ({
  list_repositories: tool({
    title: list_repositories.title,
    description: 'Lists the repositories of the person on GitHub.',
    metadata: { provider: list_repositories.provider.id }, // The page shows this provider's mark beside the call.
    inputSchema: z.object({}),
    execute: asPerson(list_repositories, async (_input: object, call) => ({
      repositories: await call('/user/repos?per_page=30&sort=updated', Repositories),
    })),
  }),

  search_mail: tool({
    title: search_mail.title,
    description: "Searches the person's mail in Gmail.",
    metadata: { provider: search_mail.provider.id },
    inputSchema: z.object({ query: z.string().describe('What to search for, as typed into the search box of Gmail') }),
    execute: asPerson(search_mail, async ({ query }: { query: string }, call) => {
      const search = new URLSearchParams({ q: query, maxResults: '10' })
      const { messages } = await call(`/users/me/messages?${search}`, FoundMessages)
      const read = ({ id }: { id: string }) => call(`/users/me/messages/${encodeURIComponent(id)}?${HEADERS}`, Message)
      return { messages: await Promise.all(messages.map(read)) }
    }),
  }),

  list_datasets: tool({
    title: list_datasets.title,
    description: 'Lists the datasets of the person on Kaggle.',
    metadata: { provider: list_datasets.provider.id },
    inputSchema: z.object({}),
    execute: asPerson(list_datasets, (_input: object, call) =>
      call('/datasets.DatasetApiService/ListDatasets', Datasets, { body: { group: 'DATASET_SELECTION_GROUP_MY' } }),
    ),
  }),
})
