import { expect, it } from 'vitest'
import { approvalResponse, pausedCalls } from './ai-sdk.ts'

const ID = 'Aa0_-'.repeat(4).padEnd(22, 'x')
const part = (change: object = {}, approval: object = {}) => ({
  type: 'tool-send',
  state: 'approval-requested',
  toolCallId: 'c1',
  input: {},
  approval: { id: 'a1', requestReason: `Send a mail [request ${ID}]`, ...approval },
  ...change,
})
const call = { approvalId: 'a1', toolCallId: 'c1', request: ID }

it('finds the calls that a message waits for, of tools of every kind', () => {
  const parts = [{ type: 'text', text: `[request ${ID}]` }, part(), part({ type: 'dynamic-tool', toolCallId: 'c2' })]
  expect(pausedCalls({ parts })).toEqual([call, { ...call, toolCallId: 'c2' }])
  expect(pausedCalls(undefined)).toEqual([])
})

it.each([
  ['answered', part({ state: 'approval-responded' })],
  ['made', part({ state: 'output-available' })],
  ['paused by somebody else', part({}, { requestReason: 'Sure?' })],
  ['paused without a reason', part({}, { requestReason: undefined })],
  ['with another id in the middle', part({}, { requestReason: `[request ${ID}] or not` })],
  ['with an id that could lead elsewhere', part({}, { requestReason: '[request ../../../../rules?a=b]' })],
  ['without an approval', part({ approval: null })],
  ['without an id of the SDK', part({}, { id: 7 })],
  ['without an id of the call', part({ toolCallId: undefined })],
  ['that is none', null],
])('finds no call that is %s', (_, one) => {
  expect(pausedCalls({ parts: [one] })).toEqual([])
})

it('answers the SDK when the person has answered, with their reason', () => {
  expect(approvalResponse(call, { state: 'waiting' })).toBeUndefined()
  expect(approvalResponse(call, { state: 'approved' })).toEqual({ id: 'a1', approved: true })
  expect(approvalResponse(call, { state: 'denied' })).toEqual({ id: 'a1', approved: false })
  const denied = { state: 'denied', reason: 'Not now' } as const
  expect(approvalResponse(call, denied)).toEqual({ id: 'a1', approved: false, reason: 'Not now' })
})
