// @vitest-environment jsdom
import { ConnectedAccounts, LatchkeyProvider } from '@latchkey/react'
import { createFakeClient, fakeAccount } from '@latchkey/react/testing'
import { cleanup, render, screen } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, test } from 'vitest'

afterEach(cleanup)

test('the person connects GitHub, and disconnects it again', async () => {
  const client = createFakeClient({ outcomes: { github: 'pending' } })
  render(
    <LatchkeyProvider client={client}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )

  await userEvent.click(screen.getByRole('button', { name: 'Connect GitHub' }))
  expect(screen.getByRole('article', { name: 'GitHub' }).dataset.status).toBe('connecting')

  client.settle('github', fakeAccount({ username: 'octocat' }))
  expect(await screen.findByText('Connected as octocat')).toBeTruthy()

  await userEvent.click(screen.getByRole('button', { name: 'More options for GitHub' }))
  await userEvent.click(await screen.findByRole('menuitem', { name: 'Disconnect GitHub' }))
  await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
  expect(await screen.findByText('GitHub disconnected. Access revoked.')).toBeTruthy()
  expect(client.getSnapshot().accounts).toEqual({})
})
