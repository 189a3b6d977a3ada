import type { Broker } from '@latchkey/server'
import { orSuspend } from '@latchkey/server/runtimes/mastra'
import { Mastra } from '@mastra/core'
import { Agent } from '@mastra/core/agent'
import type { MastraModelConfig } from '@mastra/core/llm'
import type { InMemoryStore } from '@mastra/core/storage'
import { createTool } from '@mastra/core/tools'
import { z } from 'zod'
import { createIssue } from './create-issue.ts'

/** An agent is suspended only with a storage. */
export function createAgent(model: MastraModelConfig, storage: InMemoryStore) {
  const agent = new Agent({
    ...{ id: 'assistant', name: 'Assistant', instructions: 'Help the person.', model },
    tools: {
      createIssue: createTool({
        ...{ id: 'create_issue', description: "Creates an issue in one of the person's repositories." },
        inputSchema: z.object({ repo: z.string(), title: z.string() }),
        execute: orSuspend(createIssue),
      }),
    },
  })
  new Mastra({ agents: { agent }, storage })
  return agent
}

/** What the page sends: a question with an id of its own, or an answer to the run that waits. */
type Sent = { turn: string } & ({ text: string } | { runId: string; answer: { approved: boolean; reason?: string } })

/** The chat's route. */
export async function chat(request: Request, broker: Broker, agent: ReturnType<typeof createAgent>) {
  const sent: Sent = await request.json()
  const { context } = await broker.agentContext(request, sent, { agent: 'assistant', run: sent.turn })
  const result = await context.run(() =>
    'answer' in sent ? agent.resumeGenerate(sent.answer, { runId: sent.runId }) : agent.generate(sent.text),
  )
  // A run's id names the run: keep which person began it, and resume it for nobody else.
  const { text, runId, suspendPayload } = result
  return Response.json({ text, runId, waits: suspendPayload?.suspendPayload })
}
