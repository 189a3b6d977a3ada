import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { tool } from '@langchain/core/tools'
import { type BaseCheckpointSaver, Command, interrupt } from '@langchain/langgraph'
import { createReactAgent } from '@langchain/langgraph/prebuilt'
import type { Broker } from '@latchkey/server'
import { orInterrupt } from '@latchkey/server/runtimes/langgraph'
import { z } from 'zod'
import { createIssue } from './create-issue.ts'

/** A graph waits only with a checkpointer. */
export const createAgent = (llm: BaseChatModel, checkpointer: BaseCheckpointSaver) =>
  createReactAgent({
    ...{ llm, checkpointer },
    tools: [
      tool(orInterrupt(createIssue, interrupt), {
        ...{ name: 'create_issue', description: "Creates an issue in one of the person's repositories." },
        schema: z.object({ repo: z.string(), title: z.string() }),
      }),
    ],
  })

/** What the page sends: a question with an id of its own, or what its interrupts are answered with. */
type Sent = { thread: string; turn: string } & ({ text: string } | { resume: Record<string, unknown> })

/** The chat's route. */
export async function chat(request: Request, broker: Broker, agent: ReturnType<typeof createAgent>) {
  const sent: Sent = await request.json()
  const { context } = await broker.agentContext(request, sent, {
    agent: 'assistant',
    run: sent.turn,
    chat: sent.thread,
  })
  // A thread is its person's alone.
  const config = { configurable: { thread_id: `${context.userId} ${sent.thread}` } }
  await context.run(() =>
    'resume' in sent
      ? agent.invoke(new Command({ resume: sent.resume }), config)
      : agent.invoke({ messages: [{ role: 'user', content: sent.text }] }, config),
  )
  const { tasks, values } = await agent.getState(config)
  return Response.json({ messages: values.messages, interrupts: tasks.flatMap((task) => task.interrupts) })
}
