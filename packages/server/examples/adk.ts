import { type BaseLlm, FunctionTool, InMemoryRunner, LlmAgent } from '@google/adk'
import { github } from '@latchkey/core/providers/github'
import type { AdkAnswer } from '@latchkey/core/runtimes/adk'
import { type AccountTool, type AgentContext, withAccount } from '@latchkey/server'
import { callAgain, orConfirm } from '@latchkey/server/runtimes/adk'
import { z } from 'zod'

const declared: AccountTool = {
  provider: github(),
  toolName: 'create_issue',
  title: 'Create an issue',
  effect: 'write',
}

const createIssue = new FunctionTool({
  ...{ name: 'create_issue', description: "Creates an issue in one of the person's repositories." },
  parameters: z.object({ repo: z.string(), title: z.string() }),
  ...orConfirm(
    withAccount(declared, async ({ repo, title }: { repo: string; title: string }, account) => {
      const response = await account.fetch(`/repos/${repo}/issues`, { method: 'POST', body: JSON.stringify({ title }) })
      return `It answered ${response.status}.`
    }),
  ),
})

/** Made once. It waits where the person is asked, or has to connect an account. */
export const runnerOf = (model: string | BaseLlm) =>
  new InMemoryRunner({
    agent: new LlmAgent({ name: 'assistant', model, tools: [createIssue], beforeModelCallback: callAgain }),
  })

/** A question of a person, or their answers to what waits. */
export type Message = { role: 'user'; parts: { text: string }[] } | AdkAnswer

/** One request of a chat. Its page adds the events to those that it has. */
export const ask = (context: AgentContext, runner: InMemoryRunner, sessionId: string, newMessage: Message) =>
  context.run(async () => {
    const events = []
    for await (const event of runner.runAsync({ userId: context.userId, sessionId, newMessage })) events.push(event)
    return events
  })
