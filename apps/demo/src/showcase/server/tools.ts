import path from 'node:path'
import { AgentContext, orAsk, ServiceCredentials } from '@latchkey/server'
import { createCodeMode } from '@latchkey/server/code-mode'
import { Skill } from '@latchkey/server/skills'
import { type InferUITools, tool } from 'ai'
import { z } from 'zod'
import { Datasets } from '../../answers.ts'
import { needOf } from '../../as-person.ts'
import type { Declared } from '../../declared.ts'
import { createTools as createBasicTools } from '../../tools.ts'
import { createAccountTools } from './account-tools.ts'
import type { Colleague } from './colleague.ts'

/** The types of the tools' input and output, as messages in the browser hold them. */
export type AgentTools = InferUITools<ReturnType<typeof createTools>>

/**
 * The agent's tools. Each gets the account of the person that it runs for, so a token is never part of a tool's input or
 * output, and the model never sees one.
 */
export function createTools(declared: Declared, service?: MetricsService, colleague?: Colleague) {
  const github = declared.list_repositories.provider
  const kaggle = declared.list_datasets.provider
  const metrics =
    service &&
    new ServiceCredentials({
      clientId: service.client.client_id,
      clientSecret: service.client.client_secret,
      issuer: service.url,
      scopes: ['metrics.read'],
      origins: [service.url],
    })

  const basics = createBasicTools(declared)
  const codeMode = createCodeMode({ tools: basics, rules: [{ provider: github }] })
  /** Paused runs, by person and code. The same code resumes where it stopped. */
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
    return { ...request, toolName: 'run_code', message: "Connect the account and I'll continue." }
  }

  return {
    ...basics,
    ...createAccountTools(declared),

    run_datasets_skill: tool({
      title: 'Run the datasets skill',
      description: 'Runs the skill (a Python script) that lists the datasets of the person on Kaggle.',
      metadata: { provider: kaggle.id },
      inputSchema: z.object({}),
      execute: orAsk(async (_input: object, { abortSignal }: { abortSignal?: AbortSignal | undefined }) => {
        const skill = await Skill.load(DATASETS_SKILL)
        const { exitCode, stdout, stderr, accounts } = await skill.run({
          effect: 'read',
          env: { KAGGLE_API_URL: kaggle.apiBaseUrl },
          ...(abortSignal && { signal: abortSignal }),
        })
        if (exitCode !== 0) throw new Error(stderr.trim().split('\n').at(-1) || 'The skill failed.')
        return { accountId: accounts[0]?.accountId, datasets: Datasets.shape.datasets.parse(JSON.parse(stdout)) }
      }, needOf(kaggle.name)),
    }),

    run_code: tool({
      title: 'Run code',
      description: `Runs JavaScript that calls tools (await tools.list_repositories({}), ...) and fetches from ${github.apiBaseUrl} as the person. The account is added by itself. It returns its result.`,
      metadata: { provider: github.id },
      inputSchema: z.object({ code: z.string().describe('The body of an async function, ending with a return') }),
      execute: ({ code }, { abortSignal }) => runCode(code, abortSignal),
    }),

    get_metrics: tool({
      title: 'Read the metrics',
      description: "Reads the service's own metrics, with the agent's service account instead of anybody's own.",
      inputSchema: z.object({}),
      async execute(_input, { abortSignal }) {
        if (!metrics || !service) throw new Error('This demo runs without a metrics service.')
        const response = await metrics.fetch(`${service.url}/api/metrics`, { signal: abortSignal ?? null })
        if (!response.ok) throw new Error(`The metrics service answered with status ${response.status}.`)
        return Metrics.parse(await response.json())
      },
    }),

    ask_data_processor: tool({
      title: 'Ask the data processor',
      description: 'Asks another agent, the data processor, to summarize a table. It says which agent called which.',
      inputSchema: z.object({
        action: z.enum(['summarize']),
        table: z.string().describe('Name of the table: orders or visits'),
      }),
      async execute({ action, table }, { abortSignal }) {
        if (!colleague) throw new Error('This demo runs without a data processor.')
        return colleague.ask(action, table, abortSignal && { signal: abortSignal })
      },
    }),
  }
}

/**
 * A tool that its developer wrote without care: its answer has the token that it was given. It is there to show that no
 * token reaches the page, and only where no real model reads what tools answer.
 */
export const createCarelessTool = ({ list_repositories: { provider } }: Declared) => ({
  show_diagnostics: tool({
    title: 'Show diagnostics',
    description: 'Shows how GitHub is called.',
    metadata: { provider: provider.id },
    inputSchema: z.object({}),
    execute: orAsk(async (_input: object, _options: object) => {
      const request = { toolName: 'show_diagnostics', effect: 'read' } as const
      const token = await AgentContext.current().getToken(provider.id, request)
      return { accountId: token.accountId, authorization: `Bearer ${token.access_token}` }
    }, needOf(provider.name)),
  }),
})

/** A service that the agent calls with its service account. */
export interface MetricsService {
  url: string
  client: { client_id: string; client_secret: string }
}

const DATASETS_SKILL = path.join(import.meta.dirname, '../../../skills/list-datasets')

const Metrics = z
  .object({ service_account: z.string(), metrics: z.array(z.object({ name: z.string(), value: z.number() })) })
  .transform(({ service_account, metrics }) => ({ serviceAccount: service_account, metrics }))
