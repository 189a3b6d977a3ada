import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, within } from 'storybook/test'
import { LatchkeyProvider } from './context.tsx'
import { DisconnectDialog } from './disconnect-dialog.tsx'
import { english } from './messages.ts'
import { createFakeClient } from './testing.ts'

/** The question before an account is disconnected. */
const meta = {
  title: 'DisconnectDialog',
  component: DisconnectDialog,
  args: {
    title: english.disconnectTitle('GitHub'),
    body: english.disconnectBody('GitHub', 'octocat'),
    theme: undefined,
    onConfirm: fn(),
    onClose: fn(),
    onClosed: fn(),
  },
  loaders: [() => ({ client: createFakeClient() })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <DisconnectDialog {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof DisconnectDialog>

export default meta
type Story = StoryObj<typeof meta>

export const Asks: Story = {
  play: async ({ args }) => {
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect GitHub?' }))
    // The harmless answer has the focus.
    await expect(dialog.getByRole('button', { name: 'Cancel' })).toHaveFocus()
    await userEvent.keyboard('{Escape}')
    await expect(args.onClose).toHaveBeenCalledOnce()
    await userEvent.tab()
    await userEvent.keyboard('{Enter}')
    await expect(args.onConfirm).toHaveBeenCalledOnce()
  },
}
