// @vitest-environment jsdom
import { readForeignRequest } from '@latchkey/core/runtimes/foreign'
import { act, cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient } from '../testing.ts'
import { ForeignPrompt, type ForeignPromptProps } from './foreign-prompt.tsx'

configure({ asyncUtilTimeout: 10_000 })
afterEach(() => {
  cleanup()
  vi.useRealTimers()
  vi.restoreAllMocks()
})

// A window that the person can leave and come back to. jsdom opens none.
let where: 'here' | 'away'
beforeEach(() => {
  where = 'here'
  vi.spyOn(document, 'hasFocus').mockImplementation(() => where === 'here')
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => where === 'away')
})
const go = (to: typeof where) =>
  act(async () => {
    where = to
    document.dispatchEvent(new Event('visibilitychange'))
    window.dispatchEvent(new Event(to === 'away' ? 'blur' : 'focus'))
  })

const composio = { status: 'INITIATED', redirectUrl: 'https://connect.composio.dev/link/ln_1' }
function show(said: object, props: Partial<ForeignPromptProps> = {}) {
  const request = readForeignRequest(said)
  if (!request) throw new Error('It is none.')
  const app = (more: Partial<ForeignPromptProps>) => (
    <LatchkeyProvider client={createFakeClient()}>
      <ForeignPrompt request={request} {...props} {...more} />
    </LatchkeyProvider>
  )
  return render(app({}))
}
const open = (host: string) => userEvent.click(screen.getByRole('link', { name: `Open ${host}` }))

it('names a page that is known, and opens it without telling it anything', async () => {
  show(composio)
  expect(screen.getByRole('article', { name: 'Composio needs you to visit connect.composio.dev' })).toBeTruthy()
  const link = screen.getByRole('link', { name: 'Open connect.composio.dev' })
  expect(link.getAttribute('href')).toBe('https://connect.composio.dev/link/ln_1')
  expect(link.getAttribute('target')).toBe('_blank')
  expect(link.getAttribute('rel')).toBe('noopener noreferrer')
})

it('names the sign-in of a provider that the page knows', () => {
  show({ status: 'pending', url: 'https://github.com/login/oauth/authorize?client_id=arcade' })
  expect(screen.getByRole('article', { name: 'GitHub needs you to visit github.com' })).toBeTruthy()
})

it('shows a page that nobody knows by its host alone, whatever it says of itself', () => {
  show({ status: 'connect_required', connector: 'Latchkey', message: 'Safe!', url: 'https://gооgle.example/a' })
  const card = screen.getByRole('article', { name: 'A tool needs you to visit xn--ggle-55da.example' })
  expect(card.textContent).toContain("This app doesn't know that address.")
  expect(card.textContent).not.toMatch(/Latchkey|Safe|Vercel/)
})

it('the person comes back, and the agent goes on once', async () => {
  const onReturn = vi.fn()
  show(composio, { onReturn })
  // Looking elsewhere before is no visit.
  await go('away')
  await go('here')
  expect(onReturn).not.toHaveBeenCalled()
  await open('connect.composio.dev')
  expect(screen.getByText("Come back here when you're done.")).toBeTruthy()
  await go('away')
  expect(onReturn).not.toHaveBeenCalled()
  await go('here')
  await waitFor(() => expect(onReturn).toHaveBeenCalledOnce())
  expect(screen.getByRole('status').textContent).toBe('You came back from connect.composio.dev')
  expect(screen.getByRole('article', { name: 'You came back from connect.composio.dev' })).toBeTruthy()
  expect(screen.queryByRole('link')).toBeNull()
  await go('away')
  await go('here')
  expect(onReturn).toHaveBeenCalledOnce()
})

it('a page that opened behind this one is done with by a button', async () => {
  const onReturn = vi.fn()
  show(composio, { onReturn })
  await open('connect.composio.dev')
  await userEvent.dblClick(screen.getByRole('button', { name: "I'm done" }))
  expect(onReturn).toHaveBeenCalledOnce()
  expect(document.activeElement?.textContent).toBe('You came back from connect.composio.dev')
})

it('where the vault can be asked, coming back too early is no end', async () => {
  const onReturn = vi.fn()
  let isThere: boolean | Error = false
  const check = vi.fn(async () => {
    if (isThere instanceof Error) throw isThere
    return isThere
  })
  show(composio, { onReturn, check })
  expect(check).not.toHaveBeenCalled()
  await open('connect.composio.dev')
  await go('away')
  await go('here')
  const tooEarly = "The account isn't there yet. Finish there, then come back."
  await waitFor(() => expect(screen.getByRole('article').textContent).toContain(tooEarly))
  expect(screen.getByRole('status').textContent).toBe(tooEarly)
  isThere = new Error('offline')
  await userEvent.click(screen.getByRole('button', { name: "I'm done" }))
  expect(onReturn).not.toHaveBeenCalled()
  isThere = true
  await userEvent.click(screen.getByRole('button', { name: "I'm done" }))
  await waitFor(() => expect(onReturn).toHaveBeenCalledOnce())
})

it('where the vault can be asked, it is asked while the person is away, until the account is there', async () => {
  vi.useFakeTimers()
  const onReturn = vi.fn()
  let isThere = false
  const check = vi.fn(async () => isThere)
  show(composio, { onReturn, check })
  await act(() => vi.advanceTimersByTimeAsync(60_000))
  expect(check).not.toHaveBeenCalled()
  act(() => screen.getByRole('link').click())
  await act(() => vi.advanceTimersByTimeAsync(6000))
  expect(check).toHaveBeenCalledTimes(2)
  isThere = true
  await act(() => vi.advanceTimersByTimeAsync(60_000))
  expect(check).toHaveBeenCalledTimes(3)
  expect(onReturn).toHaveBeenCalledOnce()
})

it('a card that is gone asks no more', async () => {
  vi.useFakeTimers()
  const check = vi.fn(async () => false)
  const { unmount } = show(composio, { check })
  act(() => screen.getByRole('link').click())
  await act(() => vi.advanceTimersByTimeAsync(3000))
  unmount()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(check).toHaveBeenCalledOnce()
})

it('a page that has ended is not opened: another one is asked for', async () => {
  vi.useFakeTimers({ now: 1_795_516_700_000 })
  const onReturn = vi.fn()
  show(
    { status: 'connect_required', url: 'https://vercel.com/c', expiresAt: 1_795_516_800, userCode: 'WDJB' },
    { onReturn },
  )
  expect(screen.getByText('WDJB')).toBeTruthy()
  await act(() => vi.advanceTimersByTimeAsync(99_999))
  expect(screen.getByRole('link')).toBeTruthy()
  await act(() => vi.advanceTimersByTimeAsync(1))
  expect(screen.queryByRole('link')).toBeNull()
  expect(screen.queryByText('WDJB')).toBeNull()
  expect(screen.getByText('This page has expired.')).toBeTruthy()
  act(() => screen.getByRole('button', { name: 'Ask again' }).click())
  expect(onReturn).toHaveBeenCalledOnce()
})

it('an end that is far away is no end', async () => {
  vi.useFakeTimers({ now: 0 })
  show({ status: 'connect_required', url: 'https://vercel.com/c', expiresAt: 4e12 })
  await act(() => vi.advanceTimersByTimeAsync(10))
  expect(screen.getByRole('link')).toBeTruthy()
  expect(vi.getTimerCount()).toBe(0)
})
