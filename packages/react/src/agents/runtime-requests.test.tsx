// @vitest-environment jsdom
import { LatchkeyError } from '@latchkey/core'
import { aiSdk } from '@latchkey/core/runtimes/ai-sdk'
import { mcpClient } from '@latchkey/core/runtimes/mcp-client'
import type { AgentRuntime, RuntimeAnswer, RuntimeRequest } from '@latchkey/core/runtimes/requests'
import { act, cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { StrictMode, useState } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { fakeRequest } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { RuntimePrompt } from './runtime-prompt.tsx'
import { useRequests } from './runtime-requests.ts'

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
    const paused = useRequests(aiSdk({ messages: [{ parts: [] }, { parts }], addToolApprovalResponse: answer }))
    return <p role="log">{paused.map((one) => `${one.toolCallId} ${one.asked?.state} `)}</p>
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

const connect = (provider: string, id = provider): RuntimeRequest => ({
  ...{ kind: 'account', id, connect: { type: 'authorization_required', provider } },
})
const call = (at: number): RuntimeRequest => ({ kind: 'call', id: `i${at}`, request: idOf(at) })
const page: RuntimeRequest = {
  ...{ kind: 'page', id: 'page' },
  page: { vault: 'arcade', url: 'https://cloud.arcade.dev/a', host: 'cloud.arcade.dev' },
}

/** A page whose runtime waits for these. It goes on when it is told, unless `tell` says something else. */
async function openRuntime(
  found: RuntimeRequest[],
  { takes = 'each', tell = () => {}, fake = {} }: Partial<AgentRuntime> & { tell?: () => unknown; fake?: object } = {},
) {
  const calls = found.filter((one) => one.kind === 'call')
  const opened = fakePage({ requests: calls.map(({ request: id }) => fakeRequest({ id })), ...fake })
  const told: (readonly RuntimeAnswer[])[] = []
  let waits = found
  let listener = () => {}
  const runtime: AgentRuntime = {
    takes,
    find: () => waits,
    subscribe: (next) => {
      listener = next
      return () => {}
    },
    answer: async (answers) => {
      told.push(answers)
      await tell()
      waits = waits.filter((one) => answers.every(({ request }) => request.id !== one.id))
      listener()
    },
  }
  function Chat() {
    return useRequests(runtime).map((one) => <RuntimePrompt key={one.id} request={one} />)
  }
  render(
    <StrictMode>
      <opened.Page>
        <Chat />
      </opened.Page>
    </StrictMode>,
  )
  const press = async (name: string | RegExp) => {
    const button = await screen.findByRole('button', { name })
    await act(async () => button.click())
  }
  const wakes = () => told.map((answers) => answers.map(({ request, ...said }) => [request.id, said]))
  const ask = (next: RuntimeRequest[]) =>
    act(() => {
      waits = next
      listener()
    })
  return { ...opened, press, wakes, ask }
}
const gmailOut = { client: { accounts: [] } }

test('an account that is connected on its card lets the runtime go on, once', async () => {
  const { press, wakes, client } = await openRuntime([connect('gmail')], { fake: gmailOut })
  expect(screen.queryByRole('button', { name: 'Continue with Gmail' })).toBeNull()
  await press('Connect Gmail')
  await waitFor(() => expect(wakes()).toEqual([[['gmail', { approved: true }]]]))
  expect(Object.values(client.getSnapshot().accounts)).toMatchObject([{ provider: 'gmail' }])
  await waitFor(() => expect(screen.queryByRole('article')).toBeNull())
})

test('with an account that was there from the start it goes on only when its person says so', async () => {
  const { press, wakes } = await openRuntime([connect('gmail')])
  await screen.findByRole('button', { name: 'Continue with Gmail' })
  expect(wakes()).toEqual([])
  await press('Continue with Gmail')
  await waitFor(() => expect(wakes()).toEqual([[['gmail', { approved: true }]]]))
})

test.each([
  ['an account', connect('gmail'), 'Not now: Gmail'],
  ['an account of a service that the page does not know', connect('nowhere'), 'Not now'],
  ['a page of another vault', page, 'Not now: Arcade'],
  ['a request that is not theirs', { kind: 'call', id: 'i', request: 'x'.repeat(22) } as const, 'Not now'],
])('a person does without %s, and the thread is not blocked', async (_, request, name) => {
  const { press, wakes } = await openRuntime([request], { fake: gmailOut })
  await press(name)
  await waitFor(() => expect(wakes()).toEqual([[[request.id, { approved: false }]]]))
})

test('a runtime that takes all answers at once is told when the last one is there, and only then', async () => {
  const { oversight, press, wakes } = await openRuntime([call(1), call(2), connect('gmail')], {
    ...{ takes: 'all', fake: gmailOut },
  })
  await oversight.answer(idOf(1), { answer: 'no', reason: 'Not today' })
  await press('Not now: Gmail')
  await lookAgain()
  await screen.findByText('Not allowed')
  expect(wakes()).toEqual([])
  await oversight.answer(idOf(2), { answer: 'yes' })
  await lookAgain()
  await waitFor(() =>
    expect(wakes()).toEqual([
      [
        ['i1', { approved: false, reason: 'Not today' }],
        ['i2', { approved: true }],
        ['gmail', { approved: false }],
      ],
    ]),
  )
})

test('what a runtime could not be told is told again when its person says so', async () => {
  const tell = vi.fn().mockRejectedValueOnce(new Error('offline'))
  const { press, wakes } = await openRuntime([connect('gmail')], { tell, fake: gmailOut })
  await press('Not now: Gmail')
  await screen.findByRole('alert')
  expect(wakes()).toHaveLength(1)
  await press('Try again')
  await waitFor(() => expect(wakes()).toHaveLength(2))
  expect(wakes()[1]).toEqual([['gmail', { approved: false }]])
  await waitFor(() => expect(screen.queryByRole('alert')).toBeNull())
})

test('a runtime that asks the same once more is answered once more', async () => {
  const { press, wakes, ask } = await openRuntime([connect('gmail', 'i')], { fake: gmailOut })
  await press('Not now: Gmail')
  await waitFor(() => expect(wakes()).toHaveLength(1))
  await ask([connect('gmail', 'i')])
  await press('Not now: Gmail')
  await waitFor(() => expect(wakes()).toHaveLength(2))
})

test('an MCP server hears that its page was opened, and the card stays until the person is back', async () => {
  const waits = mcpClient()
  const { Page } = fakePage({})
  function Chat() {
    return useRequests(waits).map((request) => <RuntimePrompt key={request.id} request={request} />)
  }
  render(
    <StrictMode>
      <Page>
        <Chat />
      </Page>
    </StrictMode>,
  )
  const heard = vi.fn()
  const message = 'Latchkey needs your password'
  await act(async () => {
    const params = { mode: 'url', message, url: 'https://mcp.example.com/connect', elicitationId: 'e1' }
    void waits.elicit({ params }).then(heard)
  })
  const card = await screen.findByRole('article', { name: 'A tool needs you to visit mcp.example.com' })
  expect(card.textContent).not.toContain('password')
  expect(heard).not.toHaveBeenCalled()
  const link = screen.getByRole('link')
  link.addEventListener('click', (event) => event.preventDefault())
  await act(async () => link.click())
  expect(heard.mock.calls).toEqual([[{ action: 'accept' }]])
  const done = screen.getByRole('button', { name: "I'm done" })
  await act(async () => done.click())
  await waitFor(() => expect(screen.queryByRole('article')).toBeNull())
  expect(heard).toHaveBeenCalledOnce()
})

test('a runtime that lists nothing while it goes on, and then fails, is told once, and again when its person says so', async () => {
  const page = fakePage({ requests: [fakeRequest({ id: idOf(1), state: 'approved' })] })
  const answer = vi.fn()
  function Chat() {
    const [isRunning, setIsRunning] = useState(false)
    const [paused] = useRequests({
      find: () => (isRunning ? [] : [{ kind: 'call', id: 'a1', request: idOf(1) }]),
      answer: async () => {
        answer()
        setIsRunning(true)
        await Promise.resolve()
        setIsRunning(false)
        throw new Error('offline')
      },
    })
    return (
      <button type="button" onClick={paused?.tellAgain}>
        {paused?.state ?? 'goes on'}
      </button>
    )
  }
  render(
    <page.Page>
      <Chat />
    </page.Page>,
  )
  const button = await screen.findByRole('button', { name: 'failed' })
  await lookAgain()
  expect(answer).toHaveBeenCalledTimes(1)
  await act(async () => button.click())
  await screen.findByRole('button', { name: 'failed' })
  await lookAgain()
  expect(answer).toHaveBeenCalledTimes(2)
})
