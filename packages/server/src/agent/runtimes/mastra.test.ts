// Real agents of Mastra with a scripted model, over a real broker, vault and API.
import { inspect } from 'node:util'
import { readNeed, resumeOf } from '@latchkey/core/runtimes/requests'
import { Mastra } from '@mastra/core'
import { Agent } from '@mastra/core/agent'
import type { MastraModelConfig } from '@mastra/core/llm'
import { InMemoryStore } from '@mastra/core/storage'
import { createTool } from '@mastra/core/tools'
import { MockLanguageModelV3 } from 'ai/test'
import { z } from 'zod'
import { openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type ToolName } from '../../../fixtures/runtime-contract.ts'
import { orSuspend } from './mastra.ts'

const bench = await openBench()

let made = 0
const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
}

/** Does these steps for each message of the person, and ends with a word. */
const scripted = (steps: readonly Call[][]) =>
  new MockLanguageModelV3({
    doGenerate: async ({ prompt }) => {
      const turn = prompt.slice(prompt.findLastIndex(({ role }) => role === 'user') + 1)
      const step = steps[turn.filter(({ role }) => role === 'assistant').length] ?? []
      const calls = step.map(([toolName, text, toolCallId = `call-${++made}`]) => ({
        ...{ type: 'tool-call' as const, toolCallId, toolName, input: JSON.stringify({ text }) },
      }))
      const unified = calls.length > 0 ? ('tool-calls' as const) : ('stop' as const)
      return {
        content: calls.length > 0 ? calls : [{ type: 'text' as const, text: 'Done.' }],
        ...{ finishReason: { unified, raw: undefined }, usage: USAGE, warnings: [] },
      }
    },
  })

runtimeContract('Mastra', bench, ({ steps, tools, request }) => {
  const model = scripted(steps)
  const toolOf = (id: ToolName) =>
    createTool({
      ...{ id, description: id, inputSchema: z.object({ text: z.string() }) },
      execute: orSuspend(tools[id]),
    })
  const storage = new InMemoryStore()
  const agent = new Agent({
    id: 'sender',
    name: 'Sender',
    instructions: 'Send.',
    model: model as unknown as MastraModelConfig,
    tools: { send: toolOf('send'), look: toolOf('look'), mail: toolOf('mail') },
  })
  new Mastra({ agents: { agent }, storage, logger: false })
  type Result = Awaited<ReturnType<typeof agent.generate>>
  let result: Result | undefined
  const ask = async (act: () => Promise<Result>) => {
    result = await request(act)
  }
  return {
    say: (text) => ask(() => agent.generate(text, { maxSteps: 8 })),
    runtime: () => ({
      find: () => {
        const need = readNeed(JSON.parse(JSON.stringify(result?.suspendPayload?.suspendPayload ?? null)))
        return need ? [{ ...need, id: result?.runId ?? '' }] : []
      },
      answer: ([answer]) =>
        ask(() => agent.resumeGenerate(answer && resumeOf(answer), { runId: answer?.request.id ?? '' })),
    }),
    read: () => JSON.stringify(model.doGenerateCalls.map(({ prompt }) => prompt)),
    kept: () => inspect([storage, result?.messages, result?.steps], { depth: 12, maxStringLength: null }),
  }
})
