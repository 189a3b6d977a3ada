import { AgentContext, offerAccounts } from '@latchkey/server'
import { jsonSchema, type Tool, type ToolSet, tool } from 'ai'
import { z } from 'zod'
import { Draft, FoundDrafts, HEADERS, Issue, Repositories } from '../../answers.ts'
import { asPerson } from '../../as-person.ts'
import type { Declared } from '../../declared.ts'

const IssueInput = z.object({
  repository: z
    .string()
    .regex(/^[\w.-]+\/[\w.-]+$/)
    .describe('Owner and name, such as octocat/hello-world'),
  title: z.string().min(1),
  body: z.string().default(''),
})

const DraftInput = z.object({
  id: z.string().describe('Id of the draft, from list_drafts'),
  subject: z.string().describe('Its subject, as list_drafts has it. The person reads it before they say yes.'),
})

const draftPath = (id: string) => `/users/me/drafts/${encodeURIComponent(id)}`

/** Tools that need more than the tutorial's, or that change something: their person is asked first. */
export const createAccountTools = (declared: Declared) => ({
  list_private_repositories: tool({
    title: declared.list_private_repositories.title,
    description: 'Lists the private repositories of the person on GitHub.',
    metadata: { provider: declared.list_private_repositories.provider.id },
    inputSchema: z.object({}),
    execute: asPerson(declared.list_private_repositories, async (_input: object, call) => ({
      repositories: await call('/user/repos?visibility=private&per_page=30', Repositories),
    })),
  }),

  open_issue: tool({
    title: declared.open_issue.title,
    description: 'Opens an issue in a repository on GitHub.',
    metadata: { provider: declared.open_issue.provider.id },
    inputSchema: IssueInput,
    execute: asPerson(declared.open_issue, async ({ repository, ...body }: z.infer<typeof IssueInput>, call) => ({
      repository,
      issue: await call(`/repos/${repository}/issues`, Issue, { body }),
    })),
  }),

  list_drafts: tool({
    title: declared.list_drafts.title,
    description: "Lists the person's drafts in Gmail.",
    metadata: { provider: declared.list_drafts.provider.id },
    inputSchema: z.object({}),
    execute: asPerson(declared.list_drafts, async (_input: object, call) => {
      const { drafts } = await call('/users/me/drafts?maxResults=20', FoundDrafts)
      return { drafts: await Promise.all(drafts.map(({ id }) => call(`${draftPath(id)}?${HEADERS}`, Draft))) }
    }),
  }),

  delete_draft: tool({
    title: declared.delete_draft.title,
    description: 'Deletes a draft in Gmail for good.',
    metadata: { provider: declared.delete_draft.provider.id },
    inputSchema: DraftInput,
    execute: asPerson(declared.delete_draft, async ({ id, subject }: z.infer<typeof DraftInput>, call) => {
      // The person said yes to this subject.
      const draft = await call(`${draftPath(id)}?${HEADERS}`, Draft)
      if (draft.subject !== subject) throw new Error('This draft has another subject. Nothing was deleted.')
      await call(draftPath(id), z.undefined(), { method: 'DELETE' })
      return { deleted: { id, subject } }
    }),
  }),
})

/**
 * Tools whose input may name one of the person's accounts. Which there are is known for one request, so this is called for
 * each, in its context.
 */
export function offerChoices(tools: ToolSet, declared: Declared): ToolSet {
  const choosing = Object.values(declared).filter((one) => 'account' in one)
  return Object.fromEntries(
    choosing.flatMap(({ toolName, provider }): [string, Tool][] => {
      const one = tools[toolName]
      const input = one?.inputSchema
      if (!one || !(input instanceof z.ZodObject)) return []
      const accounts = AgentContext.current().accountsOf(provider.id)
      const schema = offerAccounts(z.toJSONSchema(input), accounts)
      const inputSchema = jsonSchema(schema as Parameters<typeof jsonSchema>[0], {
        validate: (value) => {
          const read = input.loose().safeParse(value)
          return read.success ? { success: true, value: read.data } : { success: false, error: read.error }
        },
      })
      return [[toolName, { ...one, inputSchema } as Tool]]
    }),
  )
}
