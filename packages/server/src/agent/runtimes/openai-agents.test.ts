// Real runs of the OpenAI Agents SDK with a scripted model, over a real broker, vault and API.
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import { readNeed } from '@latchkey/core/runtimes/requests'
import {
  Agent,
  type AgentInputItem,
  type Model,
  type ModelRequest,
  Runner,
  RunState,
  tool,
  Usage,
} from '@openai/agents'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { withAccount } from '../../index.ts'
import { openAiCalls } from './openai-agents.ts'

const bench = await openBench()
const { upstream } = bench

type Call = [text: string, id?: string]
let made = 0

/** Does these steps for each message of the person, and ends with a word. */
class Scripted implements Model {
  readonly seen: string[] = []
  readonly #steps: Call[][]
  constructor(steps: Call[][]) {
    this.#steps = steps
  }
  async getResponse({ input }: ModelRequest) {
    this.seen.push(JSON.stringify(input))
    const items = Array.isArray(input) ? input : []
    const turn = items.slice(items.findLastIndex((item) => 'role' in item && item.role === 'user') + 1)
    const calls = turn.filter((item) => item.type === 'function_call')
    let at = 0
    for (let count = 0; count < calls.length; at += 1) count += this.#steps[at]?.length ?? 1
    const step = this.#steps[at] ?? []
    const output = step.map(([text, callId = `call-${++made}`]) => ({
      ...{ type: 'function_call' as const, callId, name: 'send', arguments: JSON.stringify({ text }) },
      status: 'completed' as const,
    }))
    const done = {
      ...{ type: 'message' as const, role: 'assistant' as const, status: 'completed' as const },
      content: [{ type: 'output_text' as const, text: 'Done.' }],
    }
    return { usage: new Usage(), output: output.length > 0 ? output : [done] }
  }
  // biome-ignore lint/correctness/useYield: nothing here is streamed.
  async *getStreamedResponse(): AsyncGenerator<never> {
    throw new Error('Nothing is streamed here.')
  }
}

async function open(steps: Call[][], connected = true) {
  const app = openApp(bench)
  if (connected) await connect(app.ask, upstream, 'ada')
  const model = new Scripted(steps)
  const runner = new Runner({ tracingDisabled: true })
  let kept = ''
  let pauses: { id: string; need: unknown }[] = []
  let history: AgentInputItem[] = []
  const request = async (answers?: Record<string, { approved: boolean; reason?: string }>) => {
    const context = await app.context()
    const calls = openAiCalls()
    const execute = withAccount(
      { ...{ provider: providerAt(upstream.origin), toolName: 'send', title: 'Send', effect: 'write' } },
      async ({ text }: { text: string }, account) =>
        `${(await account.fetch('/send', { method: 'POST', body: JSON.stringify({ text }) })).status} ${text}`,
    )
    const send = tool({
      ...calls.tool('send', execute),
      ...{ description: 'Sends a text.', parameters: z.object({ text: z.string() }) },
    })
    const agent = new Agent({ name: 'assistant', model, tools: [send] })
    const options = { context: { user: 'ada' } }
    const resumed = async (given: typeof answers & {}) => {
      const state = await RunState.fromString<{ user: string }, typeof agent>(agent, kept)
      await calls.resume(state, given)
      return runner.run(agent, state)
    }
    const result = await context.run(() => (answers ? resumed(answers) : runner.run(agent, 'Send it', options)))
    pauses = calls.pauses(result.interruptions)
    kept = result.state.toString()
    history = result.history
  }
  return {
    ...{ ...app, model, request },
    waits: () => pauses.map(({ id, need }) => ({ id, need: readNeed(JSON.parse(JSON.stringify(need))) })),
    answer: (id: string, answer: Answer) => app.ask<{ request: AgentRequest }>(`requests/${id}`, answer),
    outputs: () =>
      history.flatMap((item) => (item.type === 'function_call_result' ? [JSON.stringify(item.output)] : [])),
    kept: () => kept,
  }
}

/** Gives the answers, and lets it go on. */
async function goOn(chat: Awaited<ReturnType<typeof open>>, ...given: Answer[]) {
  const answers: Record<string, { approved: boolean; reason?: string }> = {}
  for (const [at, { id, need }] of chat.waits().entries()) {
    const answer = given[at] ?? { answer: 'yes' }
    if (need?.kind === 'call') await chat.answer(need.request, answer)
    const reason = answer.answer === 'no' && answer.reason !== undefined && { reason: answer.reason }
    answers[id] = { approved: answer.answer === 'yes', ...reason }
  }
  await chat.request(answers)
}
const sent = () =>
  upstream.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/api/'))
    .map(({ body }) => JSON.parse(body).text)

it('a write waits for its person, and is made once', async () => {
  const chat = await open([[['Hello', 'mine']]])
  await chat.request()
  expect(sent()).toEqual([])
  expect(chat.waits()).toMatchObject([{ id: 'mine', need: { kind: 'call', toolCallId: 'mine' } }])
  await goOn(chat)
  expect(sent()).toEqual(['Hello'])
  expect(chat.waits()).toEqual([])
  expect(chat.outputs()).toEqual([expect.stringContaining('200 Hello')])
})

it('of two writes of a step the allowed one is made, and the model reads why the other was not', async () => {
  const chat = await open([[['one'], ['two']]])
  await chat.request()
  expect(chat.waits()).toHaveLength(2)
  await goOn(chat, { answer: 'no', reason: 'Not this' }, { answer: 'yes' })
  expect(sent()).toEqual(['two'])
  expect(chat.model.seen.at(-1)).toContain('Not this')
})

it('of equal writes of a turn each is asked about, and each is made once', async () => {
  const chat = await open([[['Hello', 'a']], [['Hello', 'b']], [['Hello', 'c']]])
  await chat.request()
  for (const at of [1, 2, 3]) {
    expect(chat.waits()).toHaveLength(1)
    await goOn(chat)
    expect(sent()).toHaveLength(at)
  }
  expect(chat.waits()).toEqual([])
})

it('a yes that the page made up makes nothing, and the run still waits', async () => {
  const chat = await open([[['Hello', 'mine']]])
  await chat.request()
  await chat.request({ mine: { approved: true } })
  expect(sent()).toEqual([])
  expect(chat.waits()).toMatchObject([{ id: 'mine', need: { kind: 'call' } }])
  await goOn(chat)
  expect(sent()).toEqual(['Hello'])
})

it('an account that is missing is asked for, then the call, and it is made once', async () => {
  const chat = await open([[['Hello']]], false)
  await chat.request()
  expect(chat.waits()).toMatchObject([{ need: { kind: 'account', connect: { provider: 'acme' } } }])
  await connect(chat.ask, upstream, 'ada')
  await goOn(chat)
  expect(chat.waits()).toMatchObject([{ need: { kind: 'call' } }])
  await goOn(chat)
  expect(sent()).toEqual(['Hello'])
})

it('an account that its person does without: the model is told, and nothing waits', async () => {
  const chat = await open([[['Hello']]], false)
  await chat.request()
  await goOn(chat, { answer: 'no' })
  expect(chat.waits()).toEqual([])
  expect(chat.outputs().join()).toContain('said no')
})

it('what the rules of its person forbid is not asked about, and the model reads why', async () => {
  const chat = await open([[['Hello']]])
  await chat.ask('rules', { agent: 'assistant', of: { provider: 'acme' }, preset: 'read-only' })
  await chat.request()
  expect(chat.waits()).toEqual([])
  expect(chat.outputs().join()).toContain('does not allow this')
})

it('keeps no token in the state of a run', async () => {
  const chat = await open([[['Hello']]])
  await chat.request()
  const paused = chat.kept()
  await goOn(chat)
  const tokens = upstream.requests.flatMap(({ headers }) => headers.authorization?.split(' ').at(-1) ?? [])
  expect(tokens.length).toBeGreaterThan(0)
  for (const token of tokens) expect(paused + chat.kept() + chat.model.seen.join()).not.toContain(token)
})
