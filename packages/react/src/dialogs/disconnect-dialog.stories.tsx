import { LatchkeyError } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { DisconnectDialog } from './disconnect-dialog.tsx'

/** Asks first, then shows the receipt. */
const meta = {
  title: 'DisconnectDialog',
  component: DisconnectDialog,
  tags: ['autodocs'],
  args: {
    provider: 'github',
    accountId: 'github.octocat',
    onDisconnected: fn(),
    onOpenChange: fn(),
    children: <button type="button">Remove…</button>,
  },
  argTypes: { children: { control: false }, receipt: { control: 'inline-radio', options: ['shown', 'left'] } },
  parameters: { controls: { disable: false }, fake: { accounts: [fakeAccount()] } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <DisconnectDialog {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof DisconnectDialog>

export default meta
type Story = StoryObj<typeof meta>

const gone = () => waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())

/** The focus is on Cancel. Escape changes nothing, and the focus returns to the button. */
export const Cancelled: Story = {
  play: async ({ canvas, args }) => {
    await userEvent.tab()
    await userEvent.keyboard('{Enter}')
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect octocat from GitHub?' }))
    await waitFor(() => expect(dialog.getByRole('button', { name: 'Cancel' })).toHaveFocus())
    await userEvent.keyboard('{Escape}')
    await gone()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Remove…' })).toHaveFocus())
    await expect(args.onOpenChange).toHaveBeenLastCalledWith(false)
    await expect(args.onDisconnected).not.toHaveBeenCalled()
  },
}

export const Revoked: Story = {
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Remove…' }))
    const question = within(await screen.findByRole('dialog', { name: 'Disconnect octocat from GitHub?' }))
    await userEvent.click(question.getByRole('button', { name: 'Disconnect' }))
    const receipt = within(await screen.findByRole('dialog', { name: 'GitHub disconnected' }))
    await waitFor(() => expect(receipt.getByText('Access to GitHub revoked.')).toBeVisible())
    await expect(args.onDisconnected).toHaveBeenLastCalledWith({ status: 'revoked', tokens: ['access_token'] })
    await waitFor(() => expect(receipt.getByRole('button', { name: 'Done' })).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await gone()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Remove…' })).toHaveFocus())
  },
}

export const RemovedOnly: Story = {
  parameters: {
    fake: {
      accounts: [fakeAccount()],
      receipts: {
        github: {
          status: 'removed',
          manageUrl: 'https://github.com/settings/applications',
          error: new LatchkeyError('network', 'GitHub could not be reached.'),
        },
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Remove…' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
    const receipt = within(await screen.findByRole('dialog', { name: 'GitHub disconnected' }))
    await waitFor(() =>
      expect(receipt.getByText(/^Disconnected here, but access to GitHub couldn't be revoked/)).toBeVisible(),
    )
    await waitFor(() => expect(receipt.getByRole('link', { name: 'Revoke it on GitHub' })).toBeVisible())
  },
}

/** `receipt="left"`: the app shows the receipt itself. */
export const ReceiptShownByTheApp: Story = {
  args: { receipt: 'left' },
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Remove…' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
    await gone()
    await waitFor(() => expect(args.onDisconnected).toHaveBeenCalledOnce())
  },
}

/** Without a trigger, the app opens the dialog. */
export const OpenedByTheApp: Story = {
  args: { open: true, children: undefined },
  play: async ({ args }) => {
    await userEvent.click(
      within(await screen.findByRole('dialog', { name: 'Disconnect octocat from GitHub?' })).getByRole('button', {
        name: 'Cancel',
      }),
    )
    await expect(args.onOpenChange).toHaveBeenLastCalledWith(false)
    await waitFor(() => expect(screen.getByRole('dialog')).toBeVisible())
  },
}

/** Variables of any element around the component reach what opens over the page. */
export const InAWrapper: Story = {
  args: { open: true },
  decorators: [
    (Story) => (
      <div
        style={
          { '--latchkey-surface': '#fff6e5', '--latchkey-radius': '2px', '--latchkey-danger': '#7a1fa2' } as object
        }
      >
        <Story />
      </div>
    ),
  ],
  play: async () => {
    const dialog = await screen.findByRole('dialog')
    await waitFor(() => expect(getComputedStyle(dialog).backgroundColor).toBe('rgb(255, 246, 229)'))
    await expect(getComputedStyle(dialog).borderRadius).toBe('2px')
    const button = within(dialog).getByRole('button', { name: 'Disconnect' })
    await waitFor(() => expect(getComputedStyle(button).backgroundColor).toBe('rgb(122, 31, 162)'))
  },
}
