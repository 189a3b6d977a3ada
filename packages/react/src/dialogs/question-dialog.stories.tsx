import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, within } from 'storybook/test'
import { laterEnglish } from '../messages/en.lazy.ts'
import { english } from '../messages/en.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient } from '../testing.ts'
import { QuestionDialog } from './questions.lazy.tsx'

const disconnect = fn()

/** Asks before an account is disconnected, or when the person signed in with a different account. */
const meta = {
  id: 'components-questiondialog',
  title: 'Dialogs/QuestionDialog',
  // Not exported: a part of the dialogs that are.
  tags: ['!dev', '!autodocs'],
  component: QuestionDialog,
  decorators: [
    (Story) => (
      <LatchkeyProvider client={createFakeClient()}>
        <Story />
      </LatchkeyProvider>
    ),
  ],
  args: {
    title: laterEnglish.disconnectTitle('GitHub', 'octocat'),
    body: laterEnglish.disconnectBody('GitHub', 'octocat'),
    answers: [
      { label: laterEnglish.cancelShort, kind: 'secondary', choose: fn() },
      { label: english.disconnectShort, kind: 'danger', choose: disconnect },
    ],
    onClose: fn(),
    onClosed: fn(),
  },
} satisfies Meta<typeof QuestionDialog>

export default meta
type Story = StoryObj<typeof meta>

export const BeforeDisconnecting: Story = {
  play: async ({ args }) => {
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect octocat from GitHub?' }))
    // The focus is on Cancel.
    await expect(dialog.getByRole('button', { name: 'Cancel' })).toHaveFocus()
    await userEvent.keyboard('{Escape}')
    await expect(args.onClose).toHaveBeenCalledOnce()
    await userEvent.tab()
    await userEvent.keyboard('{Enter}')
    await expect(disconnect).toHaveBeenCalledOnce()
  },
}
