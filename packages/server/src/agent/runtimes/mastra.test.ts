// Real agents of Mastra with a scripted model, over a real broker, vault and API.
import { inspect } from 'node:util'
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import { readNeed } from '@latchkey/core/runtimes/requests'
import { Mastra } from '@mastra/core'
import { Agent } from '@mastra/core/agent'
import type { MastraModelConfig } from '@mastra/core/llm'
import { InMemoryStore } from '@mastra/core/storage'
import { createTool } from '@mastra/core/tools'
import { MockLanguageModelV3 } from 'ai/test'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { withAccount } from '../../index.ts'
import { orSuspend } from './mastra.ts'

const bench = await openBench()
const { upstream } = bench

type Call = [text: string, id?: string]
let made = 0
const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
}

/** Does these steps for each message of the person, and ends with a word. */
const scripted = (steps: Call[][]) =>
  new MockLanguageModelV3({
    doGenerate: async ({ prompt }) => {
      const turn = prompt.slice(prompt.findLastIndex(({ role }) => role === 'user') + 1)
      const step = steps[turn.filter(({ role }) => role === 'assistant').length] ?? []
      const calls = step.map(([text, toolCallId = `call-${++made}`]) => ({
        ...{ type: 'tool-call' as const, toolCallId, toolName: 'send', input: JSON.stringify({ text }) },
      }))
      const unified = calls.length > 0 ? ('tool-calls' as const) : ('stop' as const)
      return {
        content: calls.length > 0 ? calls : [{ type: 'text' as const, text: 'Done.' }],
        ...{ finishReason: { unified, raw: undefined }, usage: USAGE, warnings: [] },
      }
    },
  })

async function open(steps: Call[][], connected = true) {
  const app = openApp(bench)
  if (connected) await connect(app.ask, upstream, 'ada')
  const model = scripted(steps)
  const send = createTool({
    ...{ id: 'send', description: 'Sends a text.', inputSchema: z.object({ text: z.string() }) },
    execute: orSuspend(
      withAccount(
        { ...{ provider: providerAt(upstream.origin), toolName: 'send', title: 'Send', effect: 'write' } },
        async ({ text }: { text: string }, account) =>
          `${(await account.fetch('/send', { method: 'POST', body: JSON.stringify({ text }) })).status} ${text}`,
      ),
    ),
  })
  const storage = new InMemoryStore()
  const agent = new Agent({
    id: 'sender',
    name: 'Sender',
    instructions: 'Send.',
    model: model as unknown as MastraModelConfig,
    tools: { send },
  })
  new Mastra({ agents: { agent }, storage, logger: false })
  type Result = Awaited<ReturnType<typeof agent.generate>>
  let result: Result | undefined
  const request = async (act: () => Promise<Result>) => {
    const context = await app.context()
    result = await context.run(act)
  }
  return {
    ...{ ...app, model, storage },
    say: (text: string) => request(() => agent.generate(text, { maxSteps: 8 })),
    resume: (answer: unknown) => request(() => agent.resumeGenerate(answer, { runId: result?.runId ?? '' })),
    waits: () => readNeed(JSON.parse(JSON.stringify(result?.suspendPayload?.suspendPayload ?? null))),
    answer: (id: string, answer: Answer) => app.ask<{ request: AgentRequest }>(`requests/${id}`, answer),
    prompts: () => JSON.stringify(model.doGenerateCalls.map(({ prompt }) => prompt)),
  }
}
const sent = () =>
  upstream.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/api/'))
    .map(({ body }) => JSON.parse(body).text)

/** Answers what it waits for, and lets it go on. */
async function goOn(chat: Awaited<ReturnType<typeof open>>, answer: Answer = { answer: 'yes' }) {
  const need = chat.waits()
  if (need?.kind === 'call') await chat.answer(need.request, answer)
  await chat.resume({ approved: answer.answer === 'yes' })
}

it('a write waits for its person, and is made once', async () => {
  const chat = await open([[['Hello', 'mine']]])
  await chat.say('Send it')
  expect(sent()).toEqual([])
  expect(chat.waits()).toMatchObject({ kind: 'call', toolCallId: 'mine' })
  await goOn(chat)
  expect(sent()).toEqual(['Hello'])
  expect(chat.waits()).toBeNull()
  expect(chat.prompts()).toContain('200 Hello')
})

it('a write that its person refuses is not made, and the model reads why', async () => {
  const chat = await open([[['Hello']]])
  await chat.say('Send it')
  await goOn(chat, { answer: 'no', reason: 'Not on a Sunday' })
  expect(sent()).toEqual([])
  expect(chat.waits()).toBeNull()
  expect(chat.prompts()).toContain('Not on a Sunday')
})

it('of equal writes of a turn each is asked about, and each is made once', async () => {
  const chat = await open([[['Hello', 'a']], [['Hello', 'b']], [['Hello', 'c']]])
  await chat.say('Send it three times')
  for (const at of [1, 2, 3]) {
    expect(chat.waits()).toMatchObject({ kind: 'call' })
    await goOn(chat)
    expect(sent()).toHaveLength(at)
  }
  expect(chat.waits()).toBeNull()
})

it('of two writes of a step each is asked about, and the allowed one is made once', async () => {
  const chat = await open([[['one'], ['two']]])
  await chat.say('Send both')
  await goOn(chat, { answer: 'no', reason: 'Not this' })
  await goOn(chat)
  expect(sent()).toHaveLength(1)
  expect(chat.waits()).toBeNull()
  expect(chat.prompts()).toContain('Not this')
})

it('a yes that the page made up makes nothing, and the call still waits', async () => {
  const chat = await open([[['Hello']]])
  await chat.say('Send it')
  await chat.resume({ approved: true })
  expect(sent()).toEqual([])
  expect(chat.waits()).toMatchObject({ kind: 'call' })
  await goOn(chat)
  expect(sent()).toEqual(['Hello'])
})

it('an account is asked for, then the call, which is made once', async () => {
  const chat = await open([[['Hello']]], false)
  await chat.say('Send it')
  expect(chat.waits()).toMatchObject({ kind: 'account', connect: { provider: 'acme' } })
  await connect(chat.ask, upstream, 'ada')
  await goOn(chat)
  expect(chat.waits()).toMatchObject({ kind: 'call' })
  await goOn(chat)
  expect(sent()).toEqual(['Hello'])
})

it('an account that its person does without: the model is told, and nothing waits', async () => {
  const chat = await open([[['Hello']]], false)
  await chat.say('Send it')
  await goOn(chat, { answer: 'no' })
  expect(chat.waits()).toBeNull()
  expect(chat.prompts()).toContain('The person does without acme')
})

it('keeps no token in what Mastra stores, nor in what the model reads', async () => {
  const chat = await open([[['Hello']]])
  await chat.say('Send it')
  const paused = inspect(chat.storage, { depth: 12, maxStringLength: null })
  await goOn(chat)
  const tokens = upstream.requests.flatMap(({ headers }) => headers.authorization?.split(' ').at(-1) ?? [])
  expect(tokens.length).toBeGreaterThan(0)
  const kept = paused + inspect(chat.storage, { depth: 12, maxStringLength: null }) + chat.prompts()
  for (const token of tokens) expect(kept).not.toContain(token)
})
