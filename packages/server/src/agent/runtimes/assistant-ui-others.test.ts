// @vitest-environment jsdom
// Pages of assistant-ui over AG-UI and over LangGraph, over a real broker, vault and API.
import { HttpAgent } from '@ag-ui/client'
import { type AssistantRuntime, AssistantRuntimeProvider, useAui, useAuiState } from '@assistant-ui/react'
import { useAgUiInterrupts, useAgUiRuntime, useAgUiSubmitInterruptResponses } from '@assistant-ui/react-ag-ui'
import { useLangGraphInterruptState, useLangGraphRuntime, useLangGraphSendCommand } from '@assistant-ui/react-langgraph'
import { Annotation, Command, interrupt, MemorySaver, StateGraph } from '@langchain/langgraph'
import type { AgentRequest } from '@latchkey/core/agents'
import { agUi } from '@latchkey/core/runtimes/ag-ui'
import { langGraph } from '@latchkey/core/runtimes/langgraph'
import type { AgentRuntime } from '@latchkey/core/runtimes/requests'
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, it, vi } from 'vitest'
import { providerAt } from '../../../fixtures/acme.ts'
import { agUiAgent } from '../../../fixtures/ag-ui-agent.ts'
import { connect, openApp, openBench } from '../../../fixtures/person-app.ts'
import { runtimeContract } from '../../../fixtures/runtime-contract.ts'
import { withAccount } from '../../index.ts'
import { orInterrupt } from './langgraph.ts'

const bench = await openBench()
/** For slow machines. */
const WAIT = { timeout: 20_000, interval: 5 }

interface Page {
  runtime?: AgentRuntime
  append?: (text: string) => void
  isRunning?: boolean
}

/** A page with a thread of assistant-ui. `useRuntime` is what the thread is of, and `useWaiting` what its agent waits for. */
function openPage(useRuntime: () => AssistantRuntime, useWaiting: () => AgentRuntime): Page {
  const page: Page = {}
  const Thread = () => {
    const aui = useAui()
    page.append = (text) => aui.thread().append(text)
    page.isRunning = useAuiState(({ thread }) => thread.isRunning)
    page.runtime = useWaiting()
    return null
  }
  const Chat = () => createElement(AssistantRuntimeProvider, { runtime: useRuntime() }, createElement(Thread))
  const root = createRoot(document.body)
  root.render(createElement(Chat))
  bench.ends.push(() => root.unmount())
  return page
}

runtimeContract('assistant-ui over AG-UI', bench, async (stage) => {
  const server = agUiAgent(stage)
  const bodies: string[] = []
  const fetch = (_url: string, { body }: RequestInit) => {
    bodies.push(String(body))
    return server.answer(String(body))
  }
  const agent = new HttpAgent({ url: 'https://agent.example/', fetch, threadId: 't1' })
  const page = openPage(
    // It has an older copy of the client, whose types of messages are narrower.
    () => useAgUiRuntime({ agent: agent as never }),
    () => {
      const pendingInterrupts = useAgUiInterrupts()
      const submit = useAgUiSubmitInterruptResponses()
      return agUi({ pendingInterrupts, runAgent: ({ resume }) => submit(resume) })
    },
  )
  await vi.waitFor(() => expect(page.runtime).toBeDefined(), WAIT)
  /** Each thing that the page does is a run, whose end it then shows. */
  const settled = async (begin: () => unknown) => {
    const before = server.waits.length
    await begin()
    await vi.waitFor(() => {
      expect(server.waits.length).toBeGreaterThan(before)
      expect([page.isRunning, page.runtime?.find().map(({ id }) => id)]).toEqual([false, server.waits.at(-1)])
    }, WAIT)
  }
  return {
    say: (text) => settled(() => page.append?.(text)),
    runtime: () => ({
      find: () => page.runtime?.find() ?? [],
      answer: (answers) => settled(() => page.runtime?.answer(answers)),
    }),
    read: server.read,
    kept: () => JSON.stringify([bodies, server.sent()]),
  }
})

it('over LangGraph: a call waits for its person, and is made once', async () => {
  const { ask, context } = openApp(bench)
  await connect(ask, bench.upstream, 'ada')
  const send = withAccount(
    { provider: providerAt(bench.upstream.origin), toolName: 'send', title: 'Send', effect: 'write' },
    async ({ text }: { text: string }, account) =>
      `${(await account.fetch('/send', { method: 'POST', body: JSON.stringify({ text }) })).status} ${text}`,
  )
  const State = Annotation.Root({ output: Annotation<string> })
  const graph = new StateGraph(State)
    .addNode('act', async () => ({
      output: await orInterrupt(send, interrupt)({ text: 'Hello' }, { toolCallId: 'mine' } as never),
    }))
    .addEdge('__start__', 'act')
    .compile({ checkpointer: new MemorySaver() })
  const seen: unknown[] = []
  const page = openPage(
    () =>
      useLangGraphRuntime({
        async *stream(_messages, { command }) {
          const input = command ? new Command({ resume: command.resume }) : { output: '' }
          const config = { configurable: { thread_id: 't1' }, streamMode: 'updates' as const }
          const open = await context()
          const updates = await open.respond(() => graph.stream(input as never, config))
          for await (const data of updates) {
            seen.push(data)
            yield { event: 'updates', data }
          }
        },
      }),
    () => {
      const waiting = useLangGraphInterruptState()
      const command = useLangGraphSendCommand()
      return langGraph({
        interrupts: waiting ? [waiting] : [],
        respondAll: (resume) => command({ resume: resume as unknown as string }),
      })
    },
  )
  await vi.waitFor(() => expect(page.runtime).toBeDefined(), WAIT)
  page.append?.('Send it')
  await vi.waitFor(() => expect(page.runtime?.find()).toMatchObject([{ kind: 'call', toolCallId: 'mine' }]), WAIT)
  const [waiting] = page.runtime?.find() ?? []
  if (waiting?.kind !== 'call') throw new Error('No call waits.')
  await ask<{ request: AgentRequest }>(`requests/${waiting.request}`, { answer: 'yes' })
  await page.runtime?.answer([{ request: waiting, approved: true }])
  await vi.waitFor(() => expect(page.runtime?.find()).toEqual([]), WAIT)
  expect(seen.at(-1)).toEqual({ act: { output: '200 Hello' } })
  const sent = bench.upstream.requests.filter(({ path }) => path.startsWith('/api/send'))
  expect(sent).toHaveLength(1)
  expect(JSON.stringify(seen)).not.toContain(sent[0]?.headers.authorization?.split(' ').at(-1))
})
