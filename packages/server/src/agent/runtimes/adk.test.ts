// Real agents and runners of Google's ADK with a scripted model, over a real broker, vault and API.
import {
  BaseLlm,
  FunctionTool,
  getPendingUserInputRequests,
  InMemoryRunner,
  LlmAgent,
  type LlmRequest,
} from '@google/adk'
import type { Answer } from '@latchkey/core/agents'
import { type AdkAnswer, adk } from '@latchkey/core/runtimes/adk'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type Stage, type ToolName, toolsAt } from '../../../fixtures/runtime-contract.ts'
import { callAgain, orConfirm } from './adk.ts'

const bench = await openBench()

/** Does these steps for each message of the person, and ends with a word. */
class Scripted extends BaseLlm {
  readonly seen: string[] = []

  readonly #steps: readonly Call[][]

  constructor(steps: readonly Call[][]) {
    super({ model: 'scripted' })
    this.#steps = steps
  }

  override async *generateContentAsync({ contents }: LlmRequest) {
    this.seen.push(JSON.stringify(contents))
    const turn = contents.slice(
      contents.findLastIndex(({ parts }) => parts?.some(({ text }) => text !== undefined)) + 1,
    )
    const step = this.#steps[turn.filter(({ role }) => role === 'model').length] ?? []
    const parts = step.map(([name, text, id]) => ({ functionCall: { name, args: { text }, ...(id && { id }) } }))
    yield { content: { role: 'model', parts: parts.length > 0 ? parts : [{ text: 'Done.' }] } }
  }

  override connect(): never {
    throw new Error('Nobody speaks here.')
  }
}

/** A chat with an agent of ADK. */
async function open({ steps, tools, request }: Pick<Stage, 'steps' | 'tools' | 'request'>) {
  const model = new Scripted(steps)
  const toolOf = (name: ToolName) =>
    new FunctionTool({
      ...{ name, description: name, parameters: z.object({ text: z.string() }) },
      ...orConfirm(tools[name]),
    })
  const agent = new LlmAgent({
    ...{ name: 'sender', model, instruction: 'Send.', beforeModelCallback: callAgain },
    tools: [toolOf('send'), toolOf('look'), toolOf('mail')],
  })
  const runner = new InMemoryRunner({ agent })
  const { appName, sessionService } = runner
  const { id: sessionId } = await sessionService.createSession({ appName, userId: 'ada' })
  const session = () => sessionService.getSession({ appName, userId: 'ada', sessionId })
  const run = (newMessage: { role: string; parts: object[] }) =>
    request(async () => {
      for await (const event of runner.runAsync({ userId: 'ada', sessionId, newMessage })) sent.push(event)
    })
  const sent: unknown[] = []
  return {
    model,
    say: (text: string) => run({ role: 'user', parts: [{ text }] }),
    runtime: async () => adk({ events: (await session())?.events ?? [], send: (answer: AdkAnswer) => run(answer) }),
    read: () => model.seen.join('\n'),
    kept: async () => JSON.stringify([await session(), sent]),
    /** What a page of ADK's own says: yes or no alone, to all that waits. */
    decide: async (confirmed: boolean) => {
      const waiting = getPendingUserInputRequests((await session())?.events ?? [])
      const parts = waiting.map(({ interruptId: id, functionCallName: name }) => ({
        functionResponse: { id, name, response: { confirmed } },
      }))
      await run({ role: 'user', parts })
    },
  }
}

runtimeContract('Google ADK', bench, open)

/** A chat of a person, and its broker. */
async function chatOf(steps: Call[][], isConnected: boolean) {
  const { ask, context } = openApp(bench)
  if (isConnected) await connect(ask, bench.upstream, 'ada')
  const request: Stage['request'] = async (act) => (await context('turn')).run(async () => act())
  const chat = await open({ steps, tools: toolsAt(bench.upstream.origin), request })
  const answer = async (given: Answer) => {
    for (const one of (await chat.runtime()).find())
      if (one.kind === 'call') await ask(`requests/${one.request}`, given)
  }
  return { ...chat, ask, answer, waits: async () => (await chat.runtime()).find() }
}
const made = () => bench.upstream.requests.flatMap(({ path }) => (path.startsWith('/api/') ? [path] : []))

describe('in a page that says yes or no alone', () => {
  it('an account, then the call, are waited for, and it is made once', async () => {
    const chat = await chatOf([[['send', 'Hello']]], false)
    await chat.say('Send it')
    await connect(chat.ask, bench.upstream, 'ada')
    await chat.decide(true)
    expect(await chat.waits()).toMatchObject([{ kind: 'call' }])
    await chat.decide(true)
    expect(made()).toEqual([])
    expect(await chat.waits()).toMatchObject([{ kind: 'call' }])
    await chat.answer({ answer: 'yes' })
    await chat.decide(true)
    expect(made()).toEqual(['/api/send'])
    expect(await chat.waits()).toEqual([])
  })

  it.each([true, false])('a no ends the call, with an account: %s', async (isConnected) => {
    const chat = await chatOf([[['send', 'Hello']]], isConnected)
    await chat.say('Send it')
    await chat.decide(false)
    expect(await chat.waits()).toEqual([])
    expect(made()).toEqual([])
    expect(chat.read()).toContain(isConnected ? 'The person is asked' : 'does without acme')
  })
})

it('of calls of one step that wait each is made once, and the model reads what each has answered', async () => {
  const chat = await chatOf(
    [
      [
        ['send', 'one', 'a'],
        ['look', 'two', 'b'],
        ['send', 'three', 'c'],
      ],
    ],
    true,
  )
  await chat.say('Send them')
  expect(await chat.waits()).toHaveLength(2)
  await chat.answer({ answer: 'yes' })
  await chat.decide(true)
  expect(made().toSorted()).toEqual(['/api/look', '/api/send', '/api/send'])
  for (const text of ['200 one', '200 two', '200 three']) expect(chat.model.seen.at(-1)).toContain(text)
})
