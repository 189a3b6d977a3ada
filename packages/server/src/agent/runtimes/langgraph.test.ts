// A real graph of LangGraph with a scripted model, over a real broker, vault and API.
import { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { AIMessage, type BaseMessage, HumanMessage } from '@langchain/core/messages'
import type { ChatResult } from '@langchain/core/outputs'
import { tool } from '@langchain/core/tools'
import { Command, interrupt, MemorySaver } from '@langchain/langgraph'
import { createReactAgent } from '@langchain/langgraph/prebuilt'
import type { AgentRequest, Answer } from '@latchkey/core/agents'
import { type LangGraphStream, langGraph } from '@latchkey/core/runtimes/langgraph'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { type AccountTool, withAccount } from '../../index.ts'
import { orInterrupt } from './langgraph.ts'

const bench = await openBench()
const { upstream } = bench

const make = (toolName: string, effect: AccountTool['effect'], provider = providerAt(upstream.origin)) =>
  tool(
    orInterrupt(
      withAccount({ ...{ provider, toolName, title: toolName, effect } }, async (input: { text: string }, account) => {
        const init = effect === 'read' ? {} : { method: 'POST', body: JSON.stringify(input) }
        return `${(await account.fetch(`/${toolName}`, init)).status} ${input.text}`
      }),
      interrupt,
    ),
    { name: toolName, description: toolName, schema: z.object({ text: z.string() }) },
  )

type Call = [name: string, text: string, id?: string]
let calls = 0

/** Does these steps for each message of the person, and ends with a word. */
class Scripted extends BaseChatModel {
  readonly seen: BaseMessage[][] = []
  readonly #steps: Call[][]
  constructor(steps: Call[][]) {
    super({})
    this.#steps = steps
  }
  override _llmType() {
    return 'scripted'
  }
  override bindTools() {
    return this
  }
  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    this.seen.push(messages)
    const turn = messages.slice(messages.findLastIndex((message) => message.type === 'human') + 1)
    const at = turn.filter((message) => message.type === 'ai').length
    const tool_calls = (this.#steps[at] ?? []).map(([name, text, id = `call-${++calls}`]) => {
      return { name, id, args: { text }, type: 'tool_call' as const }
    })
    const message = new AIMessage({ content: tool_calls.length > 0 ? '' : 'Done.', tool_calls })
    return { generations: [{ text: '', message }] }
  }
}

/** A chat with an agent of LangGraph. Each request is one of its own, over one checkpointer. */
async function open(steps: Call[][], connected = true) {
  const app = openApp(bench)
  if (connected) await connect(app.ask, upstream, 'ada')
  const model = new Scripted(steps)
  const checkpointer = new MemorySaver()
  const other = providerAt(upstream.origin, 'other')
  const tools = [make('send', 'write'), make('look', 'read'), make('mail', 'write', other)]
  const agent = createReactAgent({ llm: model, tools, checkpointer })
  const config = { configurable: { thread_id: 'c1' } }
  const request = async (input: unknown) => {
    const context = await app.context()
    await context.run(() => agent.invoke(input as never, config))
  }
  const interrupts = async () => (await agent.getState(config)).tasks.flatMap((task) => task.interrupts)
  /** What the page has of it: as `useStream` gives it. */
  const runtime = async () => {
    const stream: LangGraphStream = {
      interrupts: await interrupts(),
      respondAll: (responses) => request(new Command({ resume: responses })),
    }
    return langGraph(stream)
  }
  return {
    ...app,
    model,
    say: (text: string) => request({ messages: [new HumanMessage(text)] }),
    waits: async () => (await runtime()).find(),
    runtime,
    answer: (id: string, answer: Answer) => app.ask<{ request: AgentRequest }>(`requests/${id}`, answer),
    outputs: async () =>
      ((await agent.getState(config)).values.messages as BaseMessage[])
        .filter((message) => message.type === 'tool')
        .map((message) => message.content),
    /** All that LangGraph keeps. */
    kept: () => textsIn([checkpointer.storage, checkpointer.writes]),
  }
}

const textsIn = (value: unknown): string =>
  value instanceof Uint8Array
    ? new TextDecoder().decode(value)
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flat().map(textsIn).join(' ')
      : String(value)

/** Lets it go on with what the broker says of each call, and with an account that is there or not. */
async function goOn(chat: Awaited<ReturnType<typeof open>>, hasAccount = true) {
  const runtime = await chat.runtime()
  const answers = runtime.find().map(async (request) => {
    if (request.kind !== 'call') return { request, approved: hasAccount }
    const { state, reason } = (await chat.ask<{ request: AgentRequest }>(`requests/${request.request}`)).request
    return { request, approved: state === 'approved', ...(reason !== undefined && { reason }) }
  })
  await runtime.answer(await Promise.all(answers))
}

const sent = () =>
  upstream.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/api/'))
    .map(({ body }) => JSON.parse(body).text)

describe('a write in a graph', () => {
  it('waits for its person, and is made once', async () => {
    const chat = await open([[['send', 'Hello', 'mine']]])
    await chat.say('Send it')
    expect(sent()).toEqual([])
    const [waiting, ...rest] = await chat.waits()
    expect(rest).toEqual([])
    if (waiting?.kind !== 'call') throw new Error('Nothing waits.')
    expect(waiting.toolCallId).toBe('mine')
    await chat.answer(waiting.request, { answer: 'yes' })
    await goOn(chat)
    expect(sent()).toEqual(['Hello'])
    expect(await chat.outputs()).toEqual(['200 Hello'])
    expect(await chat.waits()).toEqual([])
  })

  it('is not made by a yes that the page made up', async () => {
    const chat = await open([[['send', 'Hello']]])
    await chat.say('Send it')
    const runtime = await chat.runtime()
    await runtime.answer(runtime.find().map((request) => ({ request, approved: true })))
    expect(sent()).toEqual([])
    expect(await chat.outputs()).toEqual([expect.stringContaining('The person is asked')])
  })

  it('that its person refuses is not made, and the model gets their reason', async () => {
    const chat = await open([[['send', 'Hello']]])
    await chat.say('Send it')
    for (const one of await chat.waits())
      if (one.kind === 'call') await chat.answer(one.request, { answer: 'no', reason: 'Not on a Sunday' })
    await goOn(chat)
    expect(sent()).toEqual([])
    expect(JSON.stringify(chat.model.seen.at(-1))).toContain('Not on a Sunday')
  })

  it('beside another one: both are asked, the refused one is not made, and the other is made once', async () => {
    const chat = await open([
      [
        ['send', 'one'],
        ['send', 'two'],
      ],
    ])
    await chat.say('Send both')
    // A graph stops at the first interrupt of a node, and begins the node again.
    for (const answer of [{ answer: 'no', reason: 'Not this' }, { answer: 'yes' }] as const) {
      for (const one of await chat.waits()) if (one.kind === 'call') await chat.answer(one.request, answer)
      await goOn(chat)
    }
    expect(sent()).toEqual(['two'])
    expect(await chat.outputs()).toEqual([expect.stringContaining('Not this'), '200 two'])
  })

  it('of two equal calls of a turn each is asked about, and each is made once', async () => {
    const chat = await open([[['send', 'Hello', 'a']], [['send', 'Hello', 'b']]])
    await chat.say('Send it twice')
    for (let at = 0; at < 2; at += 1) {
      for (const one of await chat.waits()) if (one.kind === 'call') await chat.answer(one.request, { answer: 'yes' })
      await goOn(chat)
    }
    expect(sent()).toEqual(['Hello', 'Hello'])
    expect(await chat.waits()).toEqual([])
  })
})

describe('an account that is missing', () => {
  it('is asked for, and the graph goes on with it, once', async () => {
    const chat = await open([[['look', 'x']]], false)
    await chat.say('Look')
    const [waiting] = await chat.waits()
    expect(waiting).toMatchObject({ kind: 'account', connect: { provider: 'acme', toolName: 'look' } })
    await connect(chat.ask, upstream, 'ada')
    await goOn(chat)
    expect(await chat.outputs()).toEqual(['200 x'])
  })

  it('that its person does without: the model is told, and the thread is free', async () => {
    const chat = await open([[['look', 'x']]], false)
    await chat.say('Look')
    await goOn(chat, false)
    expect(await chat.outputs()).toEqual([expect.stringContaining('The person does without acme')])
    expect(await chat.waits()).toEqual([])
    await chat.say('Look again')
    expect(await chat.waits()).toMatchObject([{ kind: 'account' }])
  })

  it('beside a call that is allowed: the call is made once', async () => {
    const chat = await open([
      [
        ['send', 'Hello'],
        ['mail', 'x'],
      ],
    ])
    await chat.say('Do both')
    for (let rounds = 0; rounds < 3; rounds += 1) {
      for (const one of await chat.waits()) if (one.kind === 'call') await chat.answer(one.request, { answer: 'yes' })
      await goOn(chat, false)
    }
    expect(sent()).toEqual(['Hello'])
    expect(await chat.outputs()).toEqual(['200 Hello', expect.stringContaining('without other')])
  })
})

it('keeps no token in what LangGraph stores', async () => {
  const chat = await open([[['send', 'Hello']]])
  await chat.say('Send it')
  for (const one of await chat.waits()) if (one.kind === 'call') await chat.answer(one.request, { answer: 'yes' })
  await goOn(chat)
  const tokens = upstream.requests.flatMap(({ headers }) => headers.authorization?.split(' ').at(-1) ?? [])
  expect(tokens.length).toBeGreaterThan(0)
  expect(chat.kept()).toContain('200 Hello')
  for (const token of tokens) expect(chat.kept()).not.toContain(token)
})
