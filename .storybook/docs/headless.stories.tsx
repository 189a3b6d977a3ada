import { LatchkeyProvider } from '@latchkey/react'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '@latchkey/react/testing'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { Accounts } from '../../packages/react/examples/headless.tsx'

/** The whole panel from parts and hooks, without styles. Use it as a start for a look of your own. */
const meta = {
  id: 'components-headless-panel',
  title: 'Small parts/Headless panel',
  component: Accounts,
  parameters: { usage: 'headless', docs: { source: { code: '<Accounts />' } } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (_args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <Accounts />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof Accounts>

export default meta
type Story = StoryObj<typeof meta>

/** Nothing is connected yet. */
export const Disconnected: Story = {
  play: async ({ canvas, canvasElement }) => {
    await expect(canvasElement.querySelector('[class*="latchkey"]')).toBeNull()
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

/** The sign-in window is open. */
export const Connecting: Story = {
  parameters: { fake: { states: { github: { status: 'connecting' } } } },
  play: async ({ canvas }) => expect(canvas.getByRole('button', { name: 'Cancel' })).toBeVisible(),
}

/** Connects after one cancelled attempt, then disconnects. */
export const ConnectsAndDisconnects: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, canvasElement, loaded: { client } }) => {
    await expect(canvasElement.querySelector('[class*="latchkey"]')).toBeNull()
    const card = canvasElement.querySelector<HTMLElement>('[data-provider="github"]') as HTMLElement
    await expect(card).toHaveAttribute('data-status', 'disconnected')

    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(card).toHaveAttribute('data-status', 'connecting')
    await userEvent.click(within(card).getByRole('button', { name: 'Cancel' }))
    await waitFor(() => expect(card).toHaveAttribute('data-status', 'disconnected'))

    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    client.settle('github', fakeAccount())
    await expect(await within(card).findByText('octocat')).toBeVisible()
    await expect(card).toHaveAttribute('data-status', 'connected')
    await expect(within(card).getByText('See your profile')).toBeVisible()

    await userEvent.click(within(card).getByRole('button', { name: 'Disconnect GitHub' }))
    await waitFor(() => expect(card).toHaveAttribute('data-status', 'disconnected'))
    await expect(client.getSnapshot().accounts).toEqual({})
  },
}

export const ByKey: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, loaded: { client } }) => {
    const connect = spyOn(client, 'connectKey')
    await userEvent.type(canvas.getByLabelText('Kaggle API key'), 'KGAT_example{Enter}')
    await expect(connect).toHaveBeenCalledWith('kaggle', { key: 'KGAT_example' }, undefined)
    await expect(await canvas.findByRole('button', { name: 'Disconnect Kaggle' })).toBeVisible()
    await expect(canvas.queryByLabelText('Kaggle API key')).toBeNull()
  },
}

/** Access ends soon. */
export const Expiring: Story = {
  parameters: {
    fake: { accounts: [fakeAccount({ status: 'expiring', renewable: false, expiresAt: Date.now() + 240_000 })] },
  },
  play: async ({ canvas }) => {
    await expect(canvas.getByText('Expires soon')).toBeVisible()
    await expect(canvas.getByText(/in [34] minutes/)).toBeVisible()
  },
}

/** Access was revoked. */
export const NeedsReconnect: Story = {
  parameters: { fake: { accounts: [fakeAccount({ status: 'needs-reconnect', reason: 'revoked' })] } },
  play: async ({ canvas }) => expect(canvas.getByRole('button', { name: 'Reconnect GitHub' })).toBeVisible(),
}

export const Reconnects: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: NeedsReconnect.parameters,
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    await waitFor(() => expect(client.getSnapshot().accounts['github.octocat']?.status).toBe('connected'))
    await expect(await canvas.findByText('Connected')).toBeVisible()
  },
}
