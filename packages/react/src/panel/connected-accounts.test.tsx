// @vitest-environment jsdom
import { type ConnectedAccount, memoryStore } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { StrictMode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConnectPrompt } from '../connect/connect-prompt.tsx'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, fakeAccount } from '../testing.ts'
import { ConnectedAccounts } from './connected-accounts.tsx'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

test('a server renders loading cards, and the browser hydrates them without a warning', async () => {
  const client = createFakeClient({ accounts: [fakeAccount()] })
  const app = (
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
    </LatchkeyProvider>
  )
  const html = renderToString(app)
  expect(html.match(/data-status="loading"/g)).toHaveLength(3)
  expect(html).not.toContain('octocat')
  const container = document.createElement('div')
  container.innerHTML = html
  document.body.append(container)
  const complaint = vi.spyOn(console, 'error')
  const root = await act(async () => hydrateRoot(container, app))
  expect(complaint).not.toHaveBeenCalled()
  expect(container.textContent).toContain('octocat')
  await act(async () => root.unmount())
  container.remove()
})

test('M8: what a panel and a chat both show is said once', async () => {
  const client = createFakeClient({ outcomes: { github: 'pending' } })
  const request = { type: 'authorization_required', provider: 'github' } as const
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
      <ConnectPrompt request={request} />
    </LatchkeyProvider>,
  )
  const said = () =>
    screen
      .getAllByRole('status')
      .map(({ textContent }) => textContent)
      .filter(Boolean)
  act(() => void client.connect('github'))
  await waitFor(() => expect(said()).toEqual(['Connecting GitHub.']))
  act(() => client.settle('github', fakeAccount()))
  await waitFor(() => expect(said().filter((text) => text?.includes('now connected'))).toHaveLength(1))
})

test('profiles an hour old are read again where the provider answers browsers, and only ids are cached', async () => {
  const old = Date.now() - 2 * 3_600_000
  const client = createFakeClient({
    accounts: [
      fakeAccount({ connectedAt: old }),
      fakeAccount({ provider: 'gmail', username: 'ada@example.com' }),
      fakeAccount({ provider: 'kaggle', connectedAt: old }),
    ],
  })
  const refresh = vi.spyOn(client, 'refreshProfile')
  const queries = new QueryClient()
  render(
    <QueryClientProvider client={queries}>
      <LatchkeyProvider client={client}>
        <ConnectedAccounts />
      </LatchkeyProvider>
    </QueryClientProvider>,
  )
  await waitFor(() => expect(refresh).toHaveBeenCalledExactlyOnceWith('github.octocat'))
  const cached = queries.getQueryCache().getAll()
  expect(cached.map(({ queryKey, state }) => [queryKey[2], state.data])).toEqual(
    cached.map(({ queryKey }) => [queryKey[2], queryKey[2]]),
  )
})

test('a provider that is added gets a card', () => {
  const client = createFakeClient({ providers: [] })
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts title="Accounts" description={null} />
    </LatchkeyProvider>,
  )
  expect(screen.getByRole('region', { name: 'Accounts' }).querySelector('article')).toBeNull()
  act(() => client.setProviders([github()]))
  expect(screen.getByRole('article', { name: 'GitHub' })).toBeTruthy()
})

test('the real client without a broker: OAuth providers say that they need one, and a key is stored unchecked', async () => {
  const complaint = vi.spyOn(console, 'error').mockImplementation(() => {})
  render(
    <StrictMode>
      <LatchkeyProvider providers={[github(), kaggle()]} storage={memoryStore()}>
        <ConnectedAccounts />
      </LatchkeyProvider>
    </StrictMode>,
  )
  expect(await screen.findByText('Unavailable')).toBeTruthy()
  expect(screen.queryByRole('button', { name: 'Connect GitHub' })).toBeNull()
  expect(complaint).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('createBroker()'))
  await userEvent.click(screen.getByRole('button', { name: 'Connect Kaggle' }))
  await userEvent.type(await screen.findByLabelText('Kaggle API key'), 'KGAT_0123{Enter}')
  expect(await screen.findByText('Not verified yet')).toBeTruthy()
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Kaggle' })))
  await userEvent.click(screen.getByRole('button', { name: 'More options for Kaggle' }))
  await userEvent.click(await screen.findByRole('menuitem', { name: 'Disconnect Kaggle' }))
  await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
  expect(await screen.findByText(/^The key for Kaggle still works/)).toBeTruthy()
  complaint.mockRestore()
})

test('the receipts of "Disconnect all" stay until they are dismissed, or until the next account is connected', async () => {
  const accounts = [fakeAccount(), fakeAccount({ provider: 'kaggle', username: 'adal' })]
  const client = createFakeClient({ accounts, receipts: { kaggle: { status: 'removed' } } })
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )
  const all = async () => {
    await userEvent.click(screen.getByRole('button', { name: 'More options' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: 'Disconnect all' }))
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('button', { name: 'Disconnect all' }))
    expect(await screen.findByText('Access to GitHub (octocat) revoked.')).toBeTruthy()
    expect(screen.getByText(/^The key for Kaggle \(adal\) still works/)).toBeTruthy()
  }
  await all()
  expect(screen.queryByRole('button', { name: 'More options' })).toBeNull()
  await userEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
  expect(screen.queryByText(/^octocat/)).toBeNull()
  act(() => accounts.forEach(client.setAccount))
  await all()
  act(() => accounts.forEach(client.setAccount))
  expect(screen.queryByText(/^octocat: access revoked/)).toBeNull()
})

test('where secrets are stored is shown once it is known', () => {
  const client = createFakeClient({ status: 'loading' })
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )
  expect(screen.queryByText(/^Kept/)).toBeNull()
  act(() => client.set({ status: 'ready', custody: 'plain' }))
  expect(screen.getByText('Stored unencrypted in this browser')).toBeTruthy()
  act(() => client.set({ persistence: 'unavailable' }))
  expect(screen.getByText('Not stored after you close this page')).toBeTruthy()
})

test('only one component asks about a different account, however many are on the page', async () => {
  const from = fakeAccount()
  const client = createFakeClient({ accounts: [from] })
  render(
    <StrictMode>
      <LatchkeyProvider client={client}>
        <ConnectPrompt request={{ type: 'authorization_required', provider: 'github', scopes: ['repo'] }} />
        <ConnectedAccounts />
      </LatchkeyProvider>
    </StrictMode>,
  )
  const resolve = vi.spyOn(client, 'resolveChange')
  const changed = { from, to: fakeAccount({ username: 'mona' }) }
  act(() => client.setState('github', { status: 'idle', changed }))
  const dialogs = await screen.findAllByRole('dialog', { name: 'You signed in as mona' })
  expect(dialogs).toHaveLength(1)
  await userEvent.click(screen.getByRole('button', { name: 'Keep both' }))
  expect(resolve).toHaveBeenCalledExactlyOnceWith('github', 'keep-both')
  expect(screen.queryByRole('dialog')).toBeNull()
  expect(screen.getByRole('button', { name: 'More options for GitHub (mona)' })).toBeTruthy()
})

test('an expiry counts down, by seconds at the end', async () => {
  vi.useFakeTimers()
  try {
    const client = createFakeClient({
      accounts: [fakeAccount({ status: 'expiring', renewable: false, expiresAt: Date.now() + 4 * 60_000 })],
    })
    render(
      <LatchkeyProvider client={client}>
        <ConnectedAccounts />
      </LatchkeyProvider>,
    )
    await act(() => vi.dynamicImportSettled())
    expect(screen.getByText('Expires in 4 minutes')).toBeTruthy()
    act(() => void vi.advanceTimersByTime(2 * 60_000))
    expect(screen.getByText('Expires in 2 minutes')).toBeTruthy()
    act(() => void vi.advanceTimersByTime(15_000))
    act(() => void vi.advanceTimersByTime(65_000))
    expect(screen.getByText('Expires in 40 seconds')).toBeTruthy()
  } finally {
    vi.useRealTimers()
  }
})

test('m5: the panel says that the browser is offline, once, and takes it back', async () => {
  const onLine = vi.spyOn(navigator, 'onLine', 'get')
  render(
    <LatchkeyProvider client={createFakeClient({ accounts: [fakeAccount()] })}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )
  const stored = await screen.findByText('Encrypted and stored in this browser')
  await screen.findByText('Connected as octocat')
  onLine.mockReturnValue(false)
  act(() => void dispatchEvent(new Event('offline')))
  const words = "You're offline. Your accounts work again when you're back online."
  await waitFor(() => expect(screen.getAllByText(words)).toHaveLength(2))
  expect(screen.getByRole('status').textContent).toBe(words)
  expect(stored.isConnected).toBe(false)
  onLine.mockReturnValue(true)
  act(() => void dispatchEvent(new Event('online')))
  await screen.findByText('Encrypted and stored in this browser')
  onLine.mockRestore()
})

test('a row has a switch that says whether the agent uses its account', async () => {
  const client = createFakeClient({ accounts: [fakeAccount()] })
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts agent="assistant" />
    </LatchkeyProvider>,
  )
  const use = await screen.findByRole<HTMLInputElement>('switch', { name: 'Use GitHub in chat' })
  expect(use.checked).toBe(true)
  await userEvent.click(use)
  expect(client.getSnapshot().excluded).toEqual({ assistant: ['github'] })
  expect(use.checked).toBe(false)
  // What cannot be used has another action in its place.
  act(() => client.setAccount(fakeAccount({ status: 'paused' })))
  await waitFor(() => expect(screen.queryByRole('switch')).toBeNull())
})

describe('a prompt for scopes that are missing', () => {
  /** What a tool asks for that needs private repositories. */
  const ask = (status: ConnectedAccount['status']) => {
    const client = createFakeClient({ accounts: [fakeAccount({ status })] })
    const request = { provider: 'github', toolName: 'open_issue', scopes: ['repo'] }
    render(
      <LatchkeyProvider client={client}>
        <ConnectPrompt request={{ type: 'authorization_required', ...request }} />
      </LatchkeyProvider>,
    )
    return client
  }

  test('says that it is about more access, where the account is connected', async () => {
    const client = ask('connected')
    const connect = vi.spyOn(client, 'connect')
    expect(
      await screen.findByRole('article', { name: 'More access to GitHub is needed to run open_issue' }),
    ).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Grant access to GitHub' }))
    expect(connect).toHaveBeenCalledExactlyOnceWith('github', {
      ...{ accountId: fakeAccount().id, scopes: [...fakeAccount().scopes, 'repo'] },
    })
    expect(await screen.findByText('GitHub is connected as octocat')).toBeTruthy()
  })

  test('says to connect again, where that is needed first', async () => {
    ask('needs-reconnect')
    expect(await screen.findByRole('article', { name: 'GitHub is needed to run open_issue' })).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Reconnect GitHub' })).toBeTruthy()
  })
})
