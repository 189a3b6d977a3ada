import { describe, expect, it, vi } from 'vitest'
import { adk } from './adk.ts'
import { agUi } from './ag-ui.ts'
import { aiSdk } from './ai-sdk.ts'
import { langGraph } from './langgraph.ts'
import { type AgentRuntime, type Need, type RuntimeRequest, readNeed } from './requests.ts'
import { tanStackAi } from './tanstack-ai.ts'

const ID = 'Aa0_-'.repeat(4).padEnd(22, 'x')
const notice = {
  ...{ type: 'approval_required', request: ID, agent: 'assistant', provider: 'acme', accountId: 'acme.a' },
  ...{ toolName: 'send', message: 'The person is asked.', toolCallId: 'c1' },
}
const connect = { type: 'authorization_required', provider: 'acme', toolCallId: 'c2' }
const page = { status: 'connect_required', url: 'https://vercel.com/connect/a1' }

const NEEDS: readonly [value: object, Need][] = [
  [notice, { kind: 'call', request: ID, toolCallId: 'c1' }],
  [connect, { kind: 'account', connect: { ...connect, type: 'authorization_required' }, toolCallId: 'c2' }],
  [page, { kind: 'page', page: { vault: 'vercel-connect', url: page.url, host: 'vercel.com' } }],
]

/** What others could put where a need is looked for. */
const HOSTILE: readonly unknown[] = [
  ...[null, undefined, 7, '', 'authorization_required', JSON.stringify(connect), [], {}, [connect]],
  { ...notice, request: '../../rules' },
  { ...notice, request: 7 },
  { ...connect, provider: '<b>' },
  { ...connect, provider: undefined },
  { ...page, url: 'javascript:alert(1)' },
  { ...page, url: 'http://vercel.com/connect' },
  { ...page, url: 'https://user:pass@vercel.com/connect' },
]

it.each(NEEDS)('reads what a tool needs: %#', (value, need) => {
  expect(readNeed(value)).toEqual(need)
  // It crossed the wire.
  expect(readNeed(JSON.parse(JSON.stringify(value)))).toEqual(need)
})
it.each(HOSTILE)('reads nothing out of %#', (value) => {
  expect(readNeed(value)).toBeNull()
})

/** How each runtime carries a value, and how it is answered. */
const CARRIERS: readonly [name: string, (...values: unknown[]) => { runtime: AgentRuntime; told: () => unknown }][] = [
  [
    'LangGraph',
    (...values) => {
      const respondAll = vi.fn()
      const interrupts = values.map((value, at) => ({ id: `i${at}`, value }))
      return { runtime: langGraph({ interrupts, respondAll }), told: () => respondAll.mock.calls }
    },
  ],
  [
    'AG-UI',
    (...values) => {
      const runAgent = vi.fn()
      const pendingInterrupts = values.map((metadata, at) => ({ id: `i${at}`, metadata }))
      const subscribe = () => ({ unsubscribe: () => {} })
      return {
        runtime: agUi({ pendingInterrupts, isRunning: false, runAgent, subscribe }),
        told: () => runAgent.mock.calls.map(([{ resume }]) => resume),
      }
    },
  ],
  [
    'Google ADK',
    (...values) => {
      const send = vi.fn()
      const parts = values.map((payload, at) => ({
        functionCall: { id: `i${at}`, name: 'adk_request_confirmation', args: { toolConfirmation: { payload } } },
      }))
      return { runtime: adk({ events: [{ content: { parts } }], send }), told: () => send.mock.calls }
    },
  ],
  [
    'TanStack AI',
    (...values) => {
      const interrupts = values.map((value, at) => ({
        ...{ id: `i${at}`, status: 'pending', metadata: { 'tanstack:interruptPayload': value } },
        resolveInterrupt: vi.fn(),
      }))
      return {
        runtime: tanStackAi({ interrupts }),
        told: () => interrupts.map(({ resolveInterrupt }) => resolveInterrupt.mock.calls),
      }
    },
  ],
  [
    'the AI SDK',
    (...values) => {
      const regenerate = vi.fn()
      const parts = values.map((output, at) => ({ state: 'output-available', toolCallId: `i${at}`, output }))
      const chat = { messages: [{ parts }], addToolApprovalResponse: vi.fn(), regenerate }
      return { runtime: aiSdk(chat), told: () => regenerate.mock.calls.length }
    },
  ],
]

/** The part of a message of ADK that answers. */
const confirmed = (payload: { approved: boolean }, at: number) => ({
  functionResponse: {
    ...{ id: `i${at}`, name: 'adk_request_confirmation' },
    response: { confirmed: payload.approved, payload },
  },
})

describe.each(CARRIERS)('%s', (name, carry) => {
  it('finds every need, and leaves out what cannot be read', () => {
    const { runtime } = carry(...HOSTILE, ...NEEDS.map(([value]) => value))
    const found = runtime.find()
    expect(found.map(({ kind }) => kind)).toEqual(['call', 'account', 'page'])
    expect(found.map(({ id }) => id)).toEqual([0, 1, 2].map((at) => `i${HOSTILE.length + at}`))
  })

  it('is told of each answer in its own way, without anything that is secret', () => {
    const { runtime, told } = carry(...NEEDS.map(([value]) => value))
    const [call, account, visit] = runtime.find() as [RuntimeRequest, RuntimeRequest, RuntimeRequest]
    runtime.answer([
      { request: call, approved: false, reason: 'Not now' },
      { request: account, approved: true },
      { request: visit, approved: true },
    ])
    const payloads = [
      { approved: false, reason: 'Not now', of: ID },
      { approved: true, of: 'acme' },
      { approved: true, of: page.url },
    ]
    expect(told()).toEqual(
      {
        LangGraph: [[{ i0: payloads[0], i1: payloads[1], i2: payloads[2] }]],
        'AG-UI': [payloads.map((payload, at) => ({ interruptId: `i${at}`, status: 'resolved', payload }))],
        'Google ADK': [[{ role: 'user', parts: payloads.map(confirmed) }]],
        'TanStack AI': payloads.map((payload) => [[payload]]),
        'the AI SDK': 1,
      }[name],
    )
  })
})

it('LangGraph: an interrupt without an id cannot be answered, so it is not shown', () => {
  expect(langGraph({ interrupts: [{ value: connect }], respondAll: vi.fn() }).find()).toEqual([])
})

it('Google ADK: what was answered, what is not asked by ADK, and what has no id are left out', () => {
  const args = { toolConfirmation: { payload: connect } }
  const call = (name: string, id?: string) => ({ functionCall: { ...(id && { id }), name, args } })
  const events = [
    {},
    { content: {} },
    {
      content: {
        parts: [{}, call('adk_request_confirmation'), call('send', 'a'), call('adk_request_confirmation', 'b')],
      },
    },
    {
      content: {
        parts: [call('adk_request_confirmation', 'c'), { functionCall: { id: 'd', name: 'adk_request_confirmation' } }],
      },
    },
    { content: { parts: [{ functionResponse: { id: 'b' } }] } },
  ]
  expect(adk({ events, send: vi.fn() }).find()).toMatchObject([{ id: 'c', kind: 'account' }])
})

it('TanStack AI: an interrupt of others, and one whose answer could not be sent, is not shown', () => {
  const interrupt = { id: 'i', status: 'pending', metadata: { 'tanstack:interruptPayload': connect } }
  expect(tanStackAi({ interrupts: [interrupt] }).find()).toEqual([])
  const resolveInterrupt = vi.fn()
  expect(tanStackAi({ interrupts: [{ ...interrupt, resolveInterrupt }] }).find()).toHaveLength(1)
  expect(tanStackAi({ interrupts: [{ ...interrupt, status: 'error', resolveInterrupt }] }).find()).toEqual([])
})

it('AG-UI: nothing waits while a run goes on, and the page hears of its end', () => {
  const unsubscribe = vi.fn()
  const subscribe = vi.fn((_subscriber: Record<string, () => void>) => ({ unsubscribe }))
  const agent = { pendingInterrupts: [{ id: 'i', metadata: connect }], isRunning: true, runAgent: vi.fn(), subscribe }
  expect(agUi(agent).find()).toEqual([])
  const listener = vi.fn()
  const stop = agUi(agent).subscribe?.(listener)
  for (const call of Object.values(subscribe.mock.calls[0]?.[0] ?? {})) call()
  expect(listener).toHaveBeenCalledTimes(3)
  stop?.()
  expect(unsubscribe).toHaveBeenCalledOnce()
})

describe('the AI SDK, when a tool answered with what it needs', () => {
  const parts = [{ state: 'output-available', toolCallId: 'c', output: connect }]
  const chat = { messages: [{ parts }], addToolApprovalResponse: vi.fn(), regenerate: vi.fn() }

  it('shows nothing while the answer is given, and nothing without a way to give it anew', () => {
    expect(aiSdk({ ...chat, status: 'streaming' }).find()).toEqual([])
    expect(aiSdk({ messages: chat.messages, addToolApprovalResponse: vi.fn() }).find()).toEqual([])
  })

  it('leaves the answer as it is when its person does without the account', () => {
    const runtime = aiSdk(chat)
    runtime.answer(runtime.find().map((request) => ({ request, approved: false })))
    expect(chat.regenerate).not.toHaveBeenCalled()
  })
})
