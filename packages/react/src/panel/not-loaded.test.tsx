// @vitest-environment jsdom
import type { DisconnectReceipt } from '@latchkey/core'
import { cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, fakeAccount } from '../testing.ts'
import { ConnectedAccounts } from './connected-accounts.tsx'

// As after a new deploy, or offline: none of what the panel opens can be fetched.
const gone = vi.hoisted(() => () => {
  throw new TypeError('Failed to fetch dynamically imported module')
})
vi.mock('./account-extras.lazy.tsx', gone)
vi.mock('./disconnect-all.lazy.tsx', gone)
vi.mock('./custody-info.lazy.tsx', gone)
vi.mock('./account-line.lazy.tsx', gone)

configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

function show(...accounts: ReturnType<typeof fakeAccount>[]) {
  const client = createFakeClient({ accounts })
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )
  return client
}

test('M2: a menu that cannot be loaded says so in its card, and disconnects all the same', async () => {
  const client = show(fakeAccount())
  expect(screen.getByText('Connected as octocat')).toBeTruthy()
  await userEvent.click(screen.getByRole('button', { name: 'More options for GitHub' }))
  const alert = await screen.findByRole('alert')
  expect(alert.closest('article')).toBe(screen.getByRole('article', { name: 'GitHub' }))
  expect(alert.textContent).toContain("couldn't be loaded")
  expect(screen.getByRole('button', { name: 'Reload' })).toBeTruthy()
  const disconnect = vi.spyOn(client, 'disconnect')
  await userEvent.click(screen.getByText('Disconnect GitHub (octocat)'))
  expect(disconnect).not.toHaveBeenCalled()
  await userEvent.click(screen.getByRole('button', { name: 'Disconnect GitHub' }))
  expect(disconnect).toHaveBeenCalledExactlyOnceWith('github.octocat')
  expect(await screen.findByRole('button', { name: 'Connect GitHub' })).toBeTruthy()
  expect(await screen.findByText(/^Access to GitHub revoked/)).toBeTruthy()
})

test('M2: details, the panel’s menu and its ⓘ say so too', async () => {
  show(fakeAccount(), fakeAccount({ provider: 'kaggle', username: 'adal' }))
  await userEvent.click(screen.getByRole('button', { name: 'GitHub' }))
  expect(await screen.findAllByRole('alert')).toHaveLength(1)
  await userEvent.click(screen.getByRole('button', { name: 'More options' }))
  await waitFor(() => expect(screen.getAllByRole('alert')).toHaveLength(2))
  await userEvent.click(screen.getByRole('button', { name: 'How your accounts are stored' }))
  await waitFor(() => expect(screen.getAllByRole('alert')).toHaveLength(3))
})

test('M2: if the code that disconnects is missing too, the card says that, and the account stays', async () => {
  const client = show(fakeAccount())
  vi.spyOn(client, 'disconnect').mockImplementation(() => Promise.reject<DisconnectReceipt>(gone))
  await userEvent.click(screen.getByRole('button', { name: 'More options for GitHub' }))
  await userEvent.click(await screen.findByText('Disconnect GitHub (octocat)'))
  const before = screen.getAllByRole('alert').length
  await userEvent.click(screen.getByRole('button', { name: 'Disconnect GitHub' }))
  await waitFor(() => expect(screen.getAllByRole('alert')).toHaveLength(before + 1))
  expect(screen.getByText('Connected as octocat')).toBeTruthy()
})
