// Cloudflare Agents run on Workers only, so these are recorded messages. A stream of `ai` 7.0.173 was put together by the
// message builders of both sides: of `AIChatAgent`, which stores it (agents 0.32.0, used by @cloudflare/ai-chat 0.12.2), and of
// the AI SDK's client, which `useAgentChat` returns. @see agents/docs/human-in-the-loop.md
import { expect, it, vi } from 'vitest'
import { type AiSdkChat, aiSdk } from './ai-sdk.ts'

const request = 'Aa0_-Aa0_-Aa0_-Aa0_-xx'
const approval = { id: 'aitxt-7FXBKkbetqboKIvvIOPD2pQS' }
const call = { toolCallId: 'call-1', state: 'approval-requested', input: { text: 'Hello' } }
const need = { type: 'authorization_required', provider: 'acme', toolName: 'look', toolCallId: 'call-1' }
const asked = { type: 'approval_required', request, agent: 'assistant', provider: 'acme', accountId: 'acme.a' }

const paused = (part: object) => [{ type: 'step-start' }, { type: 'tool-send', ...call, ...part }]
const answered = (output: object) => [
  { type: 'step-start' },
  {
    type: 'tool-look',
    toolCallId: 'call-1',
    toolName: 'look',
    state: 'output-available',
    input: { text: 'Hello' },
    output,
  },
]

const open = (parts: readonly object[], status = 'ready') => {
  const chat = { addToolApprovalResponse: vi.fn(), regenerate: vi.fn() }
  const shown: AiSdkChat = { messages: [{ role: 'assistant', parts }], status, ...chat }
  return { ...chat, runtime: aiSdk(shown) }
}

it('a pause is found and answered in the tab that saw it', () => {
  const requestReason = `Send [request ${request}]`
  const { runtime, addToolApprovalResponse } = open(paused({ approval: { ...approval, requestReason } }))
  const found = runtime.find()
  expect(found).toEqual([{ kind: 'call', id: approval.id, toolCallId: 'call-1', request }])
  runtime.answer(found.map((one) => ({ request: one, approved: true })))
  expect(addToolApprovalResponse.mock.calls).toEqual([[{ id: approval.id, approved: true }]])
})

it('a pause is not found as the agent stores it, which leaves the reason out', () => {
  expect(open(paused({ toolName: 'send', approval })).runtime.find()).toEqual([])
})

it.each([
  [need, { kind: 'account', connect: need }],
  [
    { ...asked, toolName: 'look', message: 'The person is asked.', toolCallId: 'call-1' },
    { kind: 'call', request },
  ],
])('what a tool answered that it needs is found as it is stored, too: %#', (output, expected) => {
  const { runtime, regenerate, addToolApprovalResponse } = open(answered(output))
  const found = runtime.find()
  expect(found).toMatchObject([{ ...expected, id: 'call-1', toolCallId: 'call-1' }])
  runtime.answer(found.map((one) => ({ request: one, approved: true })))
  expect([regenerate.mock.calls.length, addToolApprovalResponse.mock.calls.length]).toEqual([1, 0])
  expect(open(answered(output), 'streaming').runtime.find()).toEqual([])
})
