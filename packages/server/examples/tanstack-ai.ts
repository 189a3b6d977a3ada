import { github } from '@latchkey/core/providers/github'
import { type AccountTool, type Broker, withAccount } from '@latchkey/server'
import { pauseFor, toolNeeds } from '@latchkey/server/runtimes/tanstack-ai'
import {
  type AnyTextAdapter,
  chat,
  chatParamsFromRequestBody,
  defineInterrupt,
  toolDefinition,
  toServerSentEventsResponse,
} from '@tanstack/ai'
import { z } from 'zod'

const declared: AccountTool = {
  provider: github(),
  toolName: 'create_issue',
  title: 'Create an issue',
  effect: 'write',
}

const createIssue = toolDefinition({
  name: 'create_issue',
  description: "Creates an issue in one of the person's repositories.",
  inputSchema: z.object({ repo: z.string(), title: z.string() }),
}).server(
  // By its type TanStack may call a tool without a context, so the tool takes anything for one.
  withAccount(declared, async ({ repo, title }, account, _context: unknown) => {
    const response = await account.fetch(`/repos/${repo}/issues`, { method: 'POST', body: JSON.stringify({ title }) })
    return `It answered ${response.status}.`
  }),
)

const needs = defineInterrupt(toolNeeds)

/** The chat's route, also for the answers of the person that a run waits for. */
export async function chatRoute(request: Request, broker: Broker, adapter: AnyTextAdapter) {
  // Take the accounts out of the body first. The rest can be logged and stored.
  const { context, body } = await broker.agentContext(request, await request.json(), { agent: 'assistant' })
  const { messages, threadId, runId, parentRunId, resume } = await chatParamsFromRequestBody(body)

  return context.respond(() =>
    toServerSentEventsResponse(
      chat({
        ...{ adapter, messages, threadId, runId, parentRunId, resume },
        ...{ tools: [createIssue], interrupts: [needs], middleware: [pauseFor(needs)] },
      }),
    ),
  )
}
