// @vitest-environment jsdom
import { createLatchkey, LatchkeyError, type Provider } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { QueryClient, QueryClientProvider, useQueryClient } from '@tanstack/react-query'
import { act, cleanup, configure, render, renderHook, screen } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { type ReactNode, StrictMode } from 'react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ConnectButton } from './connect/connect-button.tsx'
import { useLatchkey } from './hooks.ts'
import { LatchkeyProvider } from './provider.tsx'
import { createFakeClient, type FakeClient, fakeAccount } from './testing.ts'

vi.mock('@latchkey/core', async (original) => ({ ...(await original<object>()), createLatchkey: vi.fn() }))

let client: FakeClient

beforeEach(() => {
  client = createFakeClient({ providers: [github()] })
  vi.mocked(createLatchkey).mockReset().mockReturnValue(client)
})
// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

test('StrictMode, inline providers and re-renders make one client and do not call it', () => {
  const setProviders = vi.spyOn(client, 'setProviders')
  const app = (count: number) => (
    <StrictMode>
      <LatchkeyProvider providers={[github()]} broker="/api/latchkey">
        {count}
      </LatchkeyProvider>
    </StrictMode>
  )
  const { rerender } = render(app(1))
  rerender(app(2))
  rerender(app(3))
  expect(createLatchkey).toHaveBeenCalledOnce()
  expect(vi.mocked(createLatchkey).mock.lastCall?.[0]).toMatchObject({ broker: '/api/latchkey' })
  expect(setProviders).not.toHaveBeenCalled()
})

test('changed providers reach the client, and a running flow continues', () => {
  const app = (providers: Provider[]) => <LatchkeyProvider providers={providers} broker="/api/latchkey" />
  const { rerender } = render(app([github()]))
  void client.connect('github')
  const setProviders = vi.spyOn(client, 'setProviders')
  rerender(app([github(), gmail()]))
  expect(setProviders).toHaveBeenCalledOnce()
  rerender(app([github(), gmail()]))
  expect(setProviders).toHaveBeenCalledOnce()
  expect(createLatchkey).toHaveBeenCalledOnce()
  expect(client.getSnapshot().providers.github?.status).toBe('connecting')
})

test('typed text is restored once after a redirect', async () => {
  const kept = { text: 'half a sentence' }
  vi.spyOn(client, 'handleRedirect').mockResolvedValue({ status: 'connected', account: fakeAccount(), kept })
  const onReturn = vi.fn()
  const app = () => (
    <StrictMode>
      <LatchkeyProvider client={client} onReturn={onReturn} />
    </StrictMode>
  )
  const { rerender } = render(app())
  await act(async () => {})
  rerender(app())
  await act(async () => {})
  expect(onReturn).toHaveBeenCalledExactlyOnceWith(kept)
})

test('`keep` is called when the page is left', async () => {
  client.setState('github', { status: 'idle', reason: 'popup_blocked' })
  const connect = vi.spyOn(client, 'connect')
  let typed = 'half'
  const { rerender } = render(<Blocked keep={() => typed} />)
  typed = 'half a sentence'
  rerender(<Blocked keep={() => typed} />)
  await userEvent.click(await screen.findByRole('button', { name: 'Open in this tab' }))
  expect(connect).toHaveBeenCalledExactlyOnceWith('github', { mode: 'redirect', keep: 'half a sentence' })
})

const Blocked = ({ keep }: { keep: () => unknown }) => (
  <LatchkeyProvider client={client} keep={keep}>
    <ConnectButton provider="github" />
  </LatchkeyProvider>
)

test('an injected client is used as it is', () => {
  const mine = createFakeClient()
  const { result } = renderHook(useLatchkey, {
    wrapper: ({ children }: { children: ReactNode }) => <LatchkeyProvider client={mine}>{children}</LatchkeyProvider>,
  })
  expect(result.current).toBe(mine)
  expect(createLatchkey).not.toHaveBeenCalled()
})

test('without a provider, the error says what to do', () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  expect(() => renderHook(useLatchkey)).toThrow(/wrap the app in <LatchkeyProvider/)
})

test("the app's QueryClient is used when there is one, and one is made when there is none", () => {
  const app = new QueryClient()
  const within = renderHook(useQueryClient, {
    wrapper: ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={app}>
        <LatchkeyProvider client={client}>{children}</LatchkeyProvider>
      </QueryClientProvider>
    ),
  })
  expect(within.result.current).toBe(app)
  const alone = renderHook(useQueryClient, {
    wrapper: ({ children }: { children: ReactNode }) => <LatchkeyProvider client={client}>{children}</LatchkeyProvider>,
  })
  const first = alone.result.current
  alone.rerender()
  expect(alone.result.current).toBe(first)
})

test('a configured token connects once, after storage was read, unless there is an account', async () => {
  const mine = createFakeClient({ status: 'loading', accounts: [fakeAccount()] })
  const connect = vi.spyOn(mine, 'connectKey')
  const app = () => (
    <StrictMode>
      <LatchkeyProvider client={mine} tokens={{ kaggle: { key: 'KGAT_given' }, github: { key: 'unused' } }} />
    </StrictMode>
  )
  const { rerender } = render(app())
  expect(connect).not.toHaveBeenCalled()
  await act(async () => mine.set({ status: 'ready' }))
  rerender(app())
  expect(connect.mock.calls).toEqual([['kaggle', { key: 'KGAT_given' }]])
  await act(async () => {
    await mine.disconnect('kaggle.octocat')
  })
  expect(connect).toHaveBeenCalledOnce()
})

test('a configured token that is refused sets the state of its provider', async () => {
  const refused = new LatchkeyError('invalid_token', 'Kaggle refused the key.')
  const mine = createFakeClient({ outcomes: { kaggle: refused } })
  render(<LatchkeyProvider client={mine} tokens={{ kaggle: { key: 'KGAT_old' } }} />)
  await act(async () => {})
  expect(mine.getSnapshot().providers.kaggle?.error).toBe(refused)
})
