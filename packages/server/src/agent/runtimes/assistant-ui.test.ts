// @vitest-environment jsdom
// Pages of assistant-ui over the AI SDK with a scripted model, over a real broker, vault and API.
import { ReadableStream as NodeStream } from 'node:stream/web'
import { AssistantRuntimeProvider, useAui } from '@assistant-ui/react'
import { AssistantChatTransport, useAISDKChat, useChatRuntime } from '@assistant-ui/react-ai-sdk'
import { type AiSdkChat, aiSdk } from '@latchkey/core/runtimes/ai-sdk'
import {
  convertToModelMessages,
  isStepCount,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  streamText,
  tool,
  type UIMessage,
} from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, vi } from 'vitest'
import { z } from 'zod'
import { type Bench, openBench } from '../../../fixtures/person-app.ts'
import { type Call, runtimeContract, type Stage } from '../../../fixtures/runtime-contract.ts'
import { orAsk, toolApproval } from '../tool-approval.ts'

const bench = await openBench()
/** For slow machines. */
const WAIT = { timeout: 20_000, interval: 5 }

let made = 0
const NO_USAGE = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}

/** Does these steps for each message of the person, and ends with a word. */
const scripted = (steps: readonly Call[][]) =>
  new MockLanguageModelV4({
    doStream: async ({ prompt }) => {
      const turn = prompt.slice(prompt.findLastIndex(({ role }) => role === 'user') + 1)
      const calls = steps[turn.filter(({ role }) => role === 'assistant').length] ?? []
      const unified = calls.length > 0 ? 'tool-calls' : 'stop'
      const words = [
        { type: 'text-start', id: 't' },
        { type: 'text-delta', id: 't', delta: 'Done.' },
        { type: 'text-end', id: 't' },
      ]
      return {
        stream: NodeStream.from([
          { type: 'stream-start', warnings: [] },
          ...calls.map(([toolName, text, toolCallId = `call-${++made}`]) => ({
            ...{ type: 'tool-call', toolCallId, toolName, input: JSON.stringify({ text }) },
          })),
          ...(calls.length > 0 ? [] : words),
          { type: 'finish', finishReason: { unified, raw: undefined }, usage: NO_USAGE },
        ]) as unknown as ReadableStream,
      }
    },
  })

/** The route of an app. */
function serve({ steps, tools, request }: Stage) {
  const model = scripted(steps)
  const inputSchema = z.object({ text: z.string() })
  const offered = {
    send: tool({ inputSchema, execute: orAsk(tools.send) }),
    look: tool({ inputSchema, execute: orAsk(tools.look) }),
    mail: tool({ inputSchema, execute: orAsk(tools.mail) }),
  }
  const answer = async (sent: string) => {
    const body: { messages: UIMessage[] } = JSON.parse(sent)
    const messages = await convertToModelMessages(body.messages)
    return request(() =>
      streamText({ model, messages, tools: offered, toolApproval, stopWhen: isStepCount(8) })
        // What the app does with a tool's error is its own affair: here its page sees it.
        .toUIMessageStreamResponse({ onError: String }),
    )
  }
  return { model, answer }
}

/** A page whose chat is one of assistant-ui. */
function openPage(answer: (sent: string) => Promise<Response>, ends: Bench['ends']) {
  const sent: string[] = []
  const fetch: typeof globalThis.fetch = (_url, init) => {
    sent.push(String(init?.body))
    return answer(String(init?.body))
  }
  const transport = new AssistantChatTransport<UIMessage>({ api: '/api/chat', fetch })
  const page: { chat?: AiSdkChat; append?: (text: string) => void; ended?: readonly unknown[] } = {}
  const Thread = () => {
    const aui = useAui()
    page.chat = useAISDKChat()
    page.append = (text) => aui.thread().append(text)
    return null
  }
  const Chat = () => {
    const runtime = useChatRuntime({
      transport,
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
      onFinish: ({ messages }) => {
        page.ended = messages
      },
    })
    return createElement(AssistantRuntimeProvider, { runtime }, createElement(Thread))
  }
  const root = createRoot(document.body)
  root.render(createElement(Chat))
  ends.push(() => root.unmount())
  /** Each thing that the page does ends with an answer of the server, which it then shows. */
  const settled = async (begin: () => unknown) => {
    await vi.waitFor(() => expect(page.chat).toBeDefined(), WAIT)
    page.ended = undefined
    await begin()
    await vi.waitFor(() => {
      expect([page.chat?.messages, page.chat?.status]).toEqual([page.ended, 'ready'])
    }, WAIT)
  }
  return { page, sent, settled }
}

runtimeContract('assistant-ui', bench, (stage) => {
  const { model, answer } = serve(stage)
  const { page, sent, settled } = openPage(answer, stage.ends)
  return {
    say: (text) => settled(() => page.append?.(text)),
    runtime: () => {
      if (!page.chat) throw new Error('The page has no chat.')
      const runtime = aiSdk(page.chat)
      return { ...runtime, answer: (answers) => settled(() => runtime.answer(answers)) }
    },
    read: () => JSON.stringify(model.doStreamCalls.map(({ prompt }) => prompt)),
    kept: () => JSON.stringify([sent, page.chat?.messages]),
  }
})
