// The AI SDK with a scripted model, its transport and its chat, over a real broker, vault and API.
import { ReadableStream as NodeStream } from 'node:stream/web'
import { aiSdk } from '@latchkey/core/runtimes/ai-sdk'
import {
  AbstractChat,
  type ChatState,
  type ChatStatus,
  convertToModelMessages,
  DefaultChatTransport,
  isStepCount,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  streamText,
  tool,
  type UIMessage,
} from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { vi } from 'vitest'
import { z } from 'zod'
import { openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type ToolName } from '../../../fixtures/runtime-contract.ts'
import { orAsk, toolApproval } from '../tool-approval.ts'

const bench = await openBench()

const USAGE = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}
let made = 0

/** Does these steps for each message of the person, by how many it finds in the conversation, and ends with a word. */
const scripted = (steps: readonly Call[][]) =>
  new MockLanguageModelV4({
    doStream: async ({ prompt }) => {
      const turn = prompt.slice(prompt.findLastIndex(({ role }) => role === 'user') + 1)
      const step = steps[turn.filter(({ role }) => role === 'assistant').length] ?? []
      const calls = step.map(([toolName, text, toolCallId = `call-${++made}`]) => ({
        ...{ type: 'tool-call', toolCallId, toolName, input: JSON.stringify({ text }) },
      }))
      const unified = calls.length > 0 ? ('tool-calls' as const) : ('stop' as const)
      const said = [
        { type: 'text-start', id: 't' },
        { type: 'text-delta', id: 't', delta: 'Done.' },
        { type: 'text-end', id: 't' },
      ]
      return {
        stream: NodeStream.from([
          { type: 'stream-start', warnings: [] },
          ...(calls.length > 0 ? calls : said),
          { type: 'finish', finishReason: { unified, raw: undefined }, usage: USAGE },
        ]) as unknown as ReadableStream,
      }
    },
  })

class Chat extends AbstractChat<UIMessage> {
  constructor(fetch: typeof globalThis.fetch) {
    const state: ChatState<UIMessage> = {
      status: 'ready' as ChatStatus,
      error: undefined,
      messages: [],
      pushMessage: (message) => {
        state.messages = [...state.messages, message]
      },
      popMessage: () => {
        state.messages = state.messages.slice(0, -1)
      },
      replaceMessage: (index, message) => {
        state.messages = state.messages.with(index, structuredClone(message))
      },
      snapshot: structuredClone,
    }
    const transport = new DefaultChatTransport({ api: 'https://app.example/api/chat', fetch })
    super({ state, transport, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses })
  }
}

runtimeContract('AI SDK', bench, ({ steps, tools, context }) => {
  const model = scripted(steps)
  const toolOf = (name: ToolName) => tool({ inputSchema: z.object({ text: z.string() }), execute: orAsk(tools[name]) })
  const kept: string[] = []
  let underWay = 0
  const fetch: typeof globalThis.fetch = async (_url, init) => {
    underWay += 1
    const sent = JSON.parse(String(init?.body))
    const messages = await convertToModelMessages(sent.messages)
    const answer = await (await context()).respond(() =>
      streamText({
        ...{ model, messages, toolApproval, stopWhen: isStepCount(8) },
        tools: { send: toolOf('send'), look: toolOf('look'), mail: toolOf('mail') },
        onStepFinish: (step) => void kept.push(JSON.stringify(step)),
      }).toUIMessageStreamResponse({ onError: String }),
    )
    const text = await answer.text()
    kept.push(text, String(init?.body))
    underWay -= 1
    return new Response(text, answer)
  }
  const chat = new Chat(fetch)
  const settled = () =>
    vi.waitUntil(() => underWay === 0 && (chat.status === 'ready' || chat.status === 'error'), {
      interval: 1,
      timeout: 20_000,
    })
  return {
    say: async (text) => {
      await chat.sendMessage({ text })
      await settled()
    },
    runtime: () => ({
      ...aiSdk(chat),
      answer: async (answers) => {
        await aiSdk(chat).answer(answers)
        await settled()
      },
    }),
    read: () => JSON.stringify(model.doStreamCalls.map(({ prompt }) => prompt)),
    kept: () => [...kept, JSON.stringify(chat.messages)].join('\n'),
  }
})
