import path from 'node:path'
import { type Identity, keyScheme, type Provider } from '@latchkey/core'
import { keyAuthorization } from '@latchkey/core/token'
import { AgentContext, AuthorizationRequired, requireIdentity, ServiceCredentials } from '@latchkey/server'
import { createCodeMode } from '@latchkey/server/code-mode'
import { Skill } from '@latchkey/server/skills'
import { type InferUITools, tool } from 'ai'
import { z } from 'zod'
import type { Providers } from '../providers.ts'
import type { Colleague } from './colleague.ts'

const READ_MAIL = 'https://www.googleapis.com/auth/gmail.readonly'

/** The types of the tools' input and output, as messages in the browser hold them. */
export type AgentTools = InferUITools<ReturnType<typeof createTools>>

/**
 * What the agent can do. No tool takes a token: each asks for the identity of the person it runs for, so a token is
 * never part of a tool's input or output, and the model never sees one.
 */
export function createTools({ github, gmail, kaggle }: Providers, service?: MetricsService, colleague?: Colleague) {
  const metrics =
    service &&
    new ServiceCredentials({
      clientId: service.client.client_id,
      clientSecret: service.client.client_secret,
      issuer: service.url,
      scopes: ['metrics.read'],
      origins: [service.url],
    })

  const basics = {
    list_repositories: tool({
      title: 'List repositories',
      description: 'Lists the repositories of the person on GitHub.',
      // The page shows this provider's mark beside the call.
      metadata: { provider: github.id },
      inputSchema: z.object({}),
      execute: (_input, { abortSignal }) =>
        asPerson(github, { toolName: 'list_repositories' }, async (identity) => {
          const path = '/user/repos?per_page=30&sort=updated'
          return { repositories: await callApi(github, identity, path, Repositories, { signal: abortSignal }) }
        }),
    }),

    search_mail: tool({
      title: 'Search mail',
      description: "Searches the person's mail in Gmail.",
      metadata: { provider: gmail.id },
      inputSchema: z.object({
        query: z.string().describe('What to search for, as typed into the search box of Gmail'),
      }),
      execute: ({ query }, { abortSignal }) =>
        asPerson(gmail, { toolName: 'search_mail', scopes: [READ_MAIL] }, async (identity) => {
          const init = { signal: abortSignal }
          const search = new URLSearchParams({ q: query, maxResults: '10' })
          const found = await callApi(gmail, identity, `/users/me/messages?${search}`, FoundMessages, init)
          const read = ({ id }: { id: string }) =>
            callApi(gmail, identity, `/users/me/messages/${encodeURIComponent(id)}?${HEADERS}`, Message, init)
          return { messages: await Promise.all(found.messages.map(read)) }
        }),
    }),

    list_datasets: tool({
      title: 'List datasets',
      description: 'Lists the datasets of the person on Kaggle.',
      metadata: { provider: kaggle.id },
      inputSchema: z.object({}),
      execute: (_input, { abortSignal }) =>
        asPerson(kaggle, { toolName: 'list_datasets' }, (identity) =>
          callApi(kaggle, identity, '/datasets.DatasetApiService/ListDatasets', Datasets, {
            method: 'POST',
            body: JSON.stringify({ group: 'DATASET_SELECTION_GROUP_MY' }),
            signal: abortSignal,
          }),
        ),
    }),
  }

  const codeMode = createCodeMode({ tools: basics, rules: [{ provider: github }] })
  /** Runs that wait for an account, by person and code: asked to run the same again, they go on where they stopped. */
  const paused = new Map<string, string>()

  async function runCode(source: string, abortSignal: AbortSignal | undefined) {
    const key = `${AgentContext.current().userId} ${source}`
    const continuation = paused.get(key)
    paused.delete(key)
    const run = { source, ...(abortSignal && { abortSignal }) }
    const result = await codeMode.run({ ...run, ...(continuation && { continuation }) })
    if (result.status === 'completed') {
      const { value, logs, accounts } = result
      return { accountId: accounts[0]?.accountId, accounts, value: value ?? null, logs }
    }
    if (paused.size > 1000) paused.clear()
    paused.set(key, result.continuation)
    const [request] = result.requests
    return { ...request, toolName: 'run_code', message: 'The code needs an account to go on.' }
  }

  return {
    ...basics,

    run_datasets_skill: tool({
      title: 'Datasets skill',
      description: 'Runs the skill (a Python script) that lists the datasets of the person on Kaggle.',
      metadata: { provider: kaggle.id },
      inputSchema: z.object({}),
      execute: (_input, { abortSignal }) =>
        orAsk({ toolName: 'run_datasets_skill' }, kaggle.name, async () => {
          const skill = await Skill.load(DATASETS_SKILL)
          const { exitCode, stdout, stderr, accounts } = await skill.run({
            env: { KAGGLE_API_URL: kaggle.apiBaseUrl },
            ...(abortSignal && { signal: abortSignal }),
          })
          if (exitCode !== 0) throw new Error(stderr.trim().split('\n').at(-1) || 'The skill failed.')
          return { accountId: accounts[0]?.accountId, datasets: Datasets.shape.datasets.parse(JSON.parse(stdout)) }
        }),
    }),

    run_code: tool({
      title: 'Run code',
      description: `Runs JavaScript that calls tools (await tools.list_repositories({}), ...) and fetches from ${github.apiBaseUrl} as the person. The account is added by itself. It returns its result.`,
      metadata: { provider: github.id },
      inputSchema: z.object({ code: z.string().describe('The body of an async function, ending with a return') }),
      execute: ({ code }, { abortSignal }) => runCode(code, abortSignal),
    }),

    get_metrics: tool({
      title: 'Metrics',
      description: "Reads the service's own metrics, with the agent's service account instead of anybody's own.",
      inputSchema: z.object({}),
      async execute(_input, { abortSignal }) {
        if (!metrics || !service) throw new Error('There is no metrics service here.')
        const response = await metrics.fetch(`${service.url}/api/metrics`, { signal: abortSignal ?? null })
        if (!response.ok) throw new Error(`The metrics service answered with status ${response.status}.`)
        return Metrics.parse(await response.json())
      },
    }),

    ask_data_processor: tool({
      title: 'Data processor',
      description: 'Asks another agent, the data processor, to summarize a table. It says which agent called which.',
      inputSchema: z.object({
        action: z.enum(['summarize']),
        table: z.string().describe('Name of the table: orders or visits'),
      }),
      async execute({ action, table }, { abortSignal }) {
        if (!colleague) throw new Error('There is no data processor here.')
        return colleague.ask(action, table, abortSignal && { signal: abortSignal })
      },
    }),
  }
}

/** A service that the agent calls as itself. */
export interface MetricsService {
  url: string
  client: { client_id: string; client_secret: string }
}

const DATASETS_SKILL = path.join(import.meta.dirname, '../../skills/list-datasets')

// What the tools hand on of each answer. Everything else is left out: a model needs no more, and pays for every word.
const Repositories = z.array(
  z.object({ full_name: z.string(), description: z.string().nullable(), private: z.boolean() }),
)

const HEADERS = 'format=metadata&metadataHeaders=From&metadataHeaders=Subject&metadataHeaders=Date'
// Gmail leaves the list out when it is empty.
const FoundMessages = z.object({ messages: z.array(z.object({ id: z.string() })).default([]) })
const Message = z
  .object({
    snippet: z.string(),
    payload: z.object({ headers: z.array(z.object({ name: z.string(), value: z.string() })) }),
  })
  .transform(({ snippet, payload }) => {
    const header = (name: string) => payload.headers.find((one) => one.name.toLowerCase() === name)?.value ?? ''
    return { subject: header('subject'), from: header('from'), date: header('date'), snippet }
  })

const Datasets = z.object({
  datasets: z.array(z.object({ ref: z.string(), title: z.string(), subtitle: z.string().default('') })).default([]),
})

const Metrics = z
  .object({ service_account: z.string(), metrics: z.array(z.object({ name: z.string(), value: z.number() })) })
  .transform(({ service_account, metrics }) => ({ serviceAccount: service_account, metrics }))

/**
 * Runs a tool's work with the person's account and says which one it was. An account that is missing, lacks a scope or
 * is not accepted any more becomes the tool's answer: a `ConnectRequest`, which the page turns into a button.
 */
async function asPerson<T extends object>(
  provider: Provider,
  needs: { toolName: string; scopes?: string[] },
  work: (identity: Identity) => Promise<T>,
) {
  return orAsk(needs, provider.name, async () => {
    const identity = requireIdentity(provider.id, needs)
    return { accountId: identity.accountId, ...(await work(identity)) }
  })
}

async function orAsk<T>(needs: { toolName: string; scopes?: string[] }, name: string, work: () => Promise<T>) {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof AuthorizationRequired)) throw error
    return { ...error.request, ...needs, message: `This needs your ${name} account.` }
  }
}

/**
 * One call to a provider's API as this person. Models and people read what a tool throws, so these errors say what
 * happened and carry nothing of the request.
 */
async function callApi<T>(
  provider: Provider,
  identity: Identity,
  path: string,
  schema: z.ZodType<T>,
  init: RequestInit,
): Promise<T> {
  const { name, value } = authorization(provider, identity)
  let response: Response
  try {
    response = await fetch(provider.apiBaseUrl + path, {
      ...init,
      headers: { accept: 'application/json', 'content-type': 'application/json', [name]: value },
      // A redirect could carry the token to another host.
      redirect: 'error',
    })
  } catch {
    throw new Error(`${provider.name} could not be reached.`)
  }
  if (response.status === 401) {
    throw new AuthorizationRequired({ provider: provider.id, accountId: identity.accountId })
  }
  if (!response.ok) throw new Error(`${provider.name} answered with status ${response.status}.`)
  const answer = schema.safeParse(await response.json().catch(() => undefined))
  if (!answer.success) throw new Error(`${provider.name} gave an answer that could not be understood.`)
  return answer.data
}

/** The header that carries an identity: a bearer token, or whatever this kind of API key asks for. */
function authorization(provider: Provider, { accessToken, fields }: Identity) {
  if (provider.kind !== 'api-key') return { name: 'authorization', value: `Bearer ${accessToken}` }
  const [primary] = provider.fields
  const key = { ...fields, [primary?.name ?? 'key']: accessToken }
  const scheme = keyScheme(provider, key)
  if (!scheme) throw new AuthorizationRequired({ provider: provider.id })
  return keyAuthorization(scheme, key)
}
