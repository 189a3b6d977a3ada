import type { Broker } from '@latchkey/server'
import { openAiCalls } from '@latchkey/server/runtimes/openai-agents'
import { Agent, type Model, RunState, run, tool } from '@openai/agents'
import { z } from 'zod'
import { createIssue } from './create-issue.ts'

/** What the page sends: a question with an id of its own, or the answers by the ids of its pauses. */
type Sent = { turn: string } & ({ text: string } | { answers: Record<string, { approved: boolean; reason?: string }> })

/** The chat's route. `states` keeps what is paused, by person and turn. */
export async function chat(request: Request, broker: Broker, model: Model, states: Map<string, string>) {
  const sent: Sent = await request.json()
  const { context } = await broker.agentContext(request, sent, { agent: 'assistant', run: sent.turn })
  const calls = openAiCalls()
  const agent = new Agent({
    ...{ name: 'assistant', model },
    tools: [
      tool({
        ...calls.tool('create_issue', createIssue),
        description: "Creates an issue in one of the person's repositories.",
        parameters: z.object({ repo: z.string(), title: z.string() }),
      }),
    ],
  })
  const key = `${context.userId} ${sent.turn}`
  return context.run(async () => {
    const goOn = async (answers: Parameters<typeof calls.resume>[1]) => {
      const paused = await RunState.fromString(agent, states.get(key) ?? '')
      await calls.resume(paused, answers)
      return run(agent, paused)
    }
    const result = await ('answers' in sent ? goOn(sent.answers) : run(agent, sent.text))
    states.set(key, result.state.toString())
    return Response.json({ text: result.finalOutput, pauses: calls.pauses(result.interruptions) })
  })
}
