// @vitest-environment jsdom
import { LatchkeyError } from '@latchkey/core'
import { act, cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { StrictMode, useState } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { fakeRequest } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { usePausedCalls } from './paused-calls.ts'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

const idOf = (at: number) => `r${at}`.padEnd(22, '0')
const part = (at: number, state = 'approval-requested') => ({
  ...{ type: 'tool-send', state, toolCallId: `c${at}`, input: {} },
  approval: { id: `a${at}`, requestReason: `Send a message [request ${idOf(at)}]` },
})
type Response = { id: string; approved: boolean; reason?: string }

/** A page with a chat whose last message waits for these calls. The chat takes an answer only when the test says so. */
async function openChat(...calls: number[]) {
  const page = fakePage({ requests: calls.map((at) => fakeRequest({ id: idOf(at) })) })
  const answer = vi.fn<(response: Response) => void>()
  let take = () => {}
  function Chat() {
    const [states, setStates] = useState(calls.map(() => 'approval-requested'))
    const parts = calls.map((at, index) => part(at, states[index]))
    take = () =>
      setStates(calls.map((at) => (answered().includes(`a${at}`) ? 'approval-responded' : 'approval-requested')))
    const paused = usePausedCalls({ messages: [{ parts: [] }, { parts }], addToolApprovalResponse: answer })
    return <p role="log">{paused.map(({ toolCallId, asked }) => `${toolCallId} ${asked?.state} `)}</p>
  }
  const answered = () => answer.mock.calls.map(([{ id }]) => id)
  const show = () =>
    render(
      <StrictMode>
        <page.Page>
          <Chat />
        </page.Page>
      </StrictMode>,
    )
  const view = show()
  const says = (text: string) => waitFor(() => expect(screen.getByRole('log').textContent).toBe(text))
  await says(calls.map((at) => `c${at} waiting `).join(''))
  return { ...page, answer, says, show, view, take: () => act(() => take()) }
}
/** Time for the page to look again, as when its person comes back to it. */
const lookAgain = () => act(async () => void window.dispatchEvent(new Event('visibilitychange')))

test('a chat goes on with the answers that its person gave elsewhere, each of them once', async () => {
  const { oversight, answer, says, take } = await openChat(1, 2)
  expect(answer).not.toHaveBeenCalled()
  await oversight.answer(idOf(1), { answer: 'yes' })
  await lookAgain()
  await says('c1 approved c2 waiting ')
  // The chat has not taken it yet, and renders again meanwhile.
  await lookAgain()
  expect(answer.mock.calls).toEqual([[{ id: 'a1', approved: true }]])
  take()
  await says('c2 waiting ')
  await oversight.answer(idOf(2), { answer: 'no' })
  await lookAgain()
  await waitFor(() => expect(answer).toHaveBeenCalledTimes(2))
  expect(answer.mock.calls[1]).toEqual([{ id: 'a2', approved: false }])
  take()
  await says('')
  expect(answer).toHaveBeenCalledTimes(2)
})

test('one that was answered before the page was opened goes on at once', async () => {
  const { oversight, answer, view, show } = await openChat(1)
  view.unmount()
  await oversight.answer(idOf(1), { answer: 'yes' })
  show()
  await waitFor(() => expect(answer.mock.calls).toEqual([[{ id: 'a1', approved: true }]]))
})

test('a request that is not of this person, or cannot be read now, answers nothing', async () => {
  const { oversight, answer, says } = await openChat(1)
  const request = vi.spyOn(oversight, 'request').mockRejectedValue(new LatchkeyError('network', 'You are offline.'))
  await oversight.answer(idOf(1), { answer: 'yes' })
  await lookAgain()
  await waitFor(() => expect(request).toHaveBeenCalled())
  await says('c1 waiting ')
  expect(answer).not.toHaveBeenCalled()
  request.mockRestore()
  await lookAgain()
  await waitFor(() => expect(answer.mock.calls).toEqual([[{ id: 'a1', approved: true }]]))
})
