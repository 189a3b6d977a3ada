import { LatchkeyError } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { DisconnectDialog } from './disconnect-dialog.tsx'

/** Asks before an account is disconnected, then shows the receipt. Use it with a button of your own. */
const meta = {
  id: 'components-disconnectdialog',
  title: 'Dialogs/DisconnectDialog',
  component: DisconnectDialog,
  args: {
    provider: 'github',
    accountId: 'github.octocat',
    onDisconnected: fn(),
    onOpenChange: fn(),
    children: <button type="button">Remove…</button>,
  },
  argTypes: { children: { control: false }, receipt: { control: 'inline-radio', options: ['shown', 'left'] } },
  parameters: {
    controls: { disable: false },
    fake: { accounts: [fakeAccount()] },
    // A dialog covers its page, so on the page of documentation each has a frame.
    docs: { frame: 320 },
  },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <DisconnectDialog {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof DisconnectDialog>

export default meta
type Story = StoryObj<typeof meta>

/** A dialog takes clicks once it is laid out. */
const disconnect = async () => {
  const button = await screen.findByRole('button', { name: 'Disconnect' })
  await waitFor(() => expect(getComputedStyle(button).pointerEvents).not.toBe('none'))
  await userEvent.click(button)
}

const gone = () => waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())

/** The question. Here the app opened it; with `children` a button does. */
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

/** The focus is on Cancel. Escape changes nothing, and the focus returns to the button. */
export const Cancelled: Story = {
  tags: ['!dev', '!autodocs'],
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

/** The receipt: access was revoked at the provider too. */
export const Revoked: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Remove…' }))
    await disconnect()
    const receipt = within(await screen.findByRole('dialog', { name: 'GitHub disconnected' }))
    await waitFor(() => expect(receipt.getByText('Access to GitHub revoked.')).toBeVisible())
  },
}

export const RevokedThenDone: Story = {
  tags: ['!dev', '!autodocs'],
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

/** The receipt: access could not be revoked at the provider, and where to do it. */
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
    await disconnect()
    const receipt = within(await screen.findByRole('dialog', { name: 'GitHub disconnected' }))
    await waitFor(() =>
      expect(receipt.getByText(/^Disconnected here, but access to GitHub couldn't be revoked/)).toBeVisible(),
    )
    await waitFor(() => expect(receipt.getByRole('link', { name: 'Revoke it on GitHub' })).toBeVisible())
  },
}

/** `receipt="left"`: the app shows the receipt itself. */
export const ReceiptShownByTheApp: Story = {
  tags: ['!dev', '!autodocs'],
  args: { receipt: 'left' },
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Remove…' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
    await gone()
    await waitFor(() => expect(args.onDisconnected).toHaveBeenCalledOnce())
  },
}

/** Variables of any element around the component reach what opens over the page. */
export const InAWrapper: Story = {
  tags: ['!dev', '!autodocs'],
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
