// A real chat of TanStack AI with a scripted model and a real client, over a real broker, vault and API.
import type { Answer } from '@latchkey/core/agents'
import type { RuntimeAnswer } from '@latchkey/core/runtimes/requests'
import { tanStackAi } from '@latchkey/core/runtimes/tanstack-ai'
import {
  type AnyServerTool,
  type AnyTextAdapter,
  chat,
  chatParamsFromRequestBody,
  defineInterrupt,
  EventType,
  type ModelMessage,
  toolDefinition,
  toServerSentEventsResponse,
} from '@tanstack/ai'
import { ChatClient, fetchServerSentEvents } from '@tanstack/ai-client'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { providerAt } from '../../../fixtures/acme.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type ToolName } from '../../../fixtures/runtime-contract.ts'
import { type AgentContext, withAccount } from '../../index.ts'
import { pauseFor, toolNeeds } from './tanstack-ai.ts'

const bench = await openBench()

let made = 0

type TextSchema = z.ZodType<{ text: string }, { text: string }>

/** Does these steps for each message of the person, and ends with a word. `read` gets what the model reads. */
const scripted = (steps: readonly Call[][], read: unknown[]): AnyTextAdapter => ({
  ...{ kind: 'text', name: 'scripted', model: 'scripted', '~types': {} as AnyTextAdapter['~types'] },
  async *chatStream({ messages, runId = '', threadId = '' }) {
    read.push(messages)
    const turn = messages.slice(messages.findLastIndex(({ role }: ModelMessage) => role === 'user') + 1)
    const step = steps[turn.filter(({ role }: ModelMessage) => role === 'assistant').length] ?? []
    const messageId = `message-${++made}`
    yield { type: EventType.RUN_STARTED, runId, threadId }
    for (const [toolCallName, text, toolCallId = `call-${++made}`] of step) {
      yield { type: EventType.TOOL_CALL_START, toolCallId, toolCallName, parentMessageId: messageId }
      yield { type: EventType.TOOL_CALL_ARGS, toolCallId, delta: JSON.stringify({ text }) }
      yield { type: EventType.TOOL_CALL_END, toolCallId }
    }
    if (step.length === 0) {
      yield { type: EventType.TEXT_MESSAGE_START, messageId, role: 'assistant' }
      yield { type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta: 'Done.' }
      yield { type: EventType.TEXT_MESSAGE_END, messageId }
    }
    yield { type: EventType.RUN_FINISHED, runId, threadId, finishReason: step.length > 0 ? 'tool_calls' : 'stop' }
  },
  structuredOutput: () => Promise.reject(new Error('Nobody asks for it.')),
})

/** A chat, and the page that shows it. */
function openChat(steps: readonly Call[][], tools: readonly AnyServerTool[], context: () => Promise<AgentContext>) {
  const read: unknown[] = []
  const sent: (string | Promise<string>)[] = []
  const needs = defineInterrupt(toolNeeds)

  /** The chat's route. */
  const route = async (body: string) => {
    const { messages, threadId, runId, parentRunId, resume } = await chatParamsFromRequestBody(JSON.parse(body))
    return (await context()).respond(() =>
      toServerSentEventsResponse(
        chat({
          ...{ adapter: scripted(steps, read), messages, threadId, runId, parentRunId, resume },
          ...{ tools: [...tools], interrupts: [needs], middleware: [pauseFor(needs)] },
        }),
      ),
    )
  }
  const network = { isDown: false }
  let settled = () => {}
  const client = new ChatClient({
    connection: fetchServerSentEvents('https://app.example/api/chat', {
      reconnect: { maxAttempts: 0 },
      fetchClient: async (_url, init) => {
        if (network.isDown) throw new TypeError('fetch failed')
        const response = await route(`${init?.body}`)
        sent.push(`${init?.body}`, response.clone().text())
        return response
      },
    }),
    onInterruptStateChange: ({ resuming }) => {
      if (!resuming) settled()
    },
  })
  /** Resolves when what was answered has been done, or could not be sent. */
  const rest = async () => {
    while (client.getInterruptState().resuming) {
      await new Promise<void>((resolve) => {
        settled = resolve
      })
    }
  }
  /** What the page has, as `useChat` renders it. */
  const runtime = () => {
    const { find, answer } = tanStackAi({ interrupts: client.getInterrupts() })
    return {
      find,
      answer: async (answers: readonly RuntimeAnswer[]) => {
        answer(answers)
        await rest()
      },
    }
  }
  const kept = async () => JSON.stringify([await Promise.all(sent), client.getMessages(), client.getInterrupts()])
  return { client, network, rest, runtime, read: () => JSON.stringify(read), kept }
}

type Execute = (input: { text: string }) => Promise<string>

const serverTool = (name: string, execute: Execute, inputSchema: TextSchema = z.object({ text: z.string() })) =>
  toolDefinition({ name, description: name, inputSchema }).server(execute)

runtimeContract('TanStack AI', bench, ({ steps, tools, context }) => {
  const names: ToolName[] = ['send', 'look', 'mail']
  const all = names.map((name) => serverTool(name, tools[name] as Execute))
  const { client, ...page } = openChat(steps, all, context)
  return { ...page, say: (text) => client.sendMessage(text) }
})

describe('TanStack AI, besides', () => {
  const { upstream } = bench
  const sent = () =>
    upstream.requests.filter(({ path }) => path === '/api/send').map(({ body }) => JSON.parse(body).text)

  async function stage(
    steps: Call[][],
    { schema, isConnected = true }: { schema?: TextSchema; isConnected?: boolean } = {},
  ) {
    const { ask, context } = openApp(bench)
    if (isConnected) await connect(ask, upstream, 'ada')
    const declared = {
      provider: providerAt(upstream.origin),
      toolName: 'send',
      title: 'Send',
      effect: 'write',
    } as const
    const send = withAccount(declared, async (input: { text: string }, account, _context: unknown) => {
      const init = { method: 'POST', body: JSON.stringify(input) }
      return `${(await account.fetch('/send', init)).status} ${input.text}`
    })
    let seen = 0
    const look = async () => `seen ${++seen}`
    const page = openChat(steps, [serverTool('send', send as Execute, schema), serverTool('look', look)], context)
    /** What the page tells of a call that the person has answered. */
    const told = async (word: Answer): Promise<RuntimeAnswer[]> =>
      Promise.all(
        page
          .runtime()
          .find()
          .map(async (request) => {
            if (request.kind === 'call') await ask(`requests/${request.request}`, word)
            return { request, approved: word.answer === 'yes' }
          }),
      )
    return { ...page, told, seen: () => seen }
  }

  it('a call of a tool without an account is made as ever, and one beside a call that waits is made with it', async () => {
    const { client, runtime, told, seen } = await stage([
      [['look', 'x']],
      [
        ['look', 'y'],
        ['send', 'Hello'],
      ],
    ])
    await client.sendMessage('Look, and send it')
    expect(seen()).toBe(1)
    await runtime().answer(await told({ answer: 'yes' }))
    expect([seen(), sent()]).toEqual([2, ['Hello']])
  })

  it('the person is asked about the input that the tool gets', async () => {
    const schema = z.object({ text: z.string().transform((text) => text.toUpperCase()) })
    const { client, runtime, told } = await stage([[['send', 'Hello']]], { schema })
    await client.sendMessage('Send it')
    await runtime().answer(await told({ answer: 'yes' }))
    expect(sent()).toEqual(['HELLO'])
  })

  it.each([true, false])(
    'what the app cancels is not done, and the thread is free (account: %s)',
    async (isConnected) => {
      const { client, runtime, rest, read } = await stage([[['send', 'Hello']]], { isConnected })
      await client.sendMessage('Send it')
      expect(runtime().find()).toHaveLength(1)
      client.cancelInterrupts()
      await rest()
      expect(runtime().find()).toEqual([])
      expect(read()).toMatch(isConnected ? 'The person said no.' : 'does without acme')
      expect(sent()).toEqual([])
    },
  )

  it('an answer that could not be sent is kept, not told again and again, and sent when the person wants it', async () => {
    const { client, network, runtime, rest, told } = await stage([[['send', 'Hello']]])
    await client.sendMessage('Send it')
    const answers = await told({ answer: 'yes' })
    network.isDown = true
    await runtime().answer(answers)
    expect(client.getInterruptState().interruptErrors).toMatchObject([{ source: 'transport', retryable: true }])
    expect(runtime().find()).toEqual([])
    network.isDown = false
    client.retryInterrupts()
    await rest()
    expect(sent()).toEqual(['Hello'])
  })
})
