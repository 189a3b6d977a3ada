import { github } from '@latchkey/core/providers/github'
import { type AccountTool, type AgentContext, withAccount } from '@latchkey/server'
import { openAiCalls } from '@latchkey/server/runtimes/openai-agents'
import { Agent, type Model, RunState, run, tool } from '@openai/agents'
import { z } from 'zod'

const declared: AccountTool = {
  provider: github(),
  toolName: 'create_issue',
  title: 'Create an issue',
  effect: 'write',
}

/** What the page of a paused run sends back: its state, which the app kept, and the answers by the ids of the pauses. */
type Paused = { state: string; answers: Record<string, { approved: boolean; reason?: string }> }

/** One request of a chat: a new question, or the answers that a paused run waits for. */
export async function ask(context: AgentContext, model: Model, input: string | Paused) {
  const calls = openAiCalls()
  const createIssue = tool({
    ...calls.tool(
      'create_issue',
      withAccount(declared, async ({ repo, title }: { repo: string; title: string }, account) => {
        const response = await account.fetch(`/repos/${repo}/issues`, {
          method: 'POST',
          body: JSON.stringify({ title }),
        })
        return `It answered ${response.status}.`
      }),
    ),
    description: "Creates an issue in one of the person's repositories.",
    parameters: z.object({ repo: z.string(), title: z.string() }),
  })
  const agent = new Agent({ name: 'assistant', model, tools: [createIssue] })
  return context.run(async () => {
    const from = async ({ state, answers }: Paused) => {
      const paused = await RunState.fromString(agent, state)
      await calls.resume(paused, answers)
      return paused
    }
    const result = await run(agent, typeof input === 'string' ? input : await from(input))
    return { text: result.finalOutput, pauses: calls.pauses(result.interruptions), state: result.state.toString() }
  })
}
