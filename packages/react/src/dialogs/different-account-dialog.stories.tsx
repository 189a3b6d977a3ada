import { LatchkeyError } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { DifferentAccountDialog } from './different-account-dialog.tsx'

const octocat = fakeAccount()
const mona = fakeAccount({ username: 'mona', name: 'Mona Lisa' })

/**
 * The question after a person reconnected an account, but signed in with a different one. Cards ask it; use it in a card of your own.
 */
const meta = {
  id: 'components-differentaccountdialog',
  title: 'Dialogs/DifferentAccountDialog',
  component: DifferentAccountDialog,
  args: { provider: 'github', onOpenChange: fn() },
  parameters: {
    controls: { disable: false },
    // A dialog covers its page, so on the page of documentation each has a frame.
    docs: { frame: 340 },
    fake: {
      accounts: [octocat],
      states: {
        github: {
          status: 'idle',
          error: new LatchkeyError('account_changed', 'You signed in with a different account.', { next: 'choose' }),
          changed: { from: octocat, to: mona },
        },
      },
    },
  },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <DifferentAccountDialog {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof DifferentAccountDialog>

export default meta
type Story = StoryObj<typeof meta>

const dialog = async () => within(await screen.findByRole('dialog', { name: 'You signed in as mona' }))
const gone = () => waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())

/** Cancel, replace the old account, or keep both. */
export const Asks: Story = {
  play: async () => {
    await waitFor(async () => expect((await dialog()).getByRole('button', { name: 'Cancel' })).toHaveFocus())
  },
}

export const Replaces: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ loaded: { client } }) => {
    await userEvent.click((await dialog()).getByRole('button', { name: 'Replace octocat' }))
    await gone()
    await waitFor(() => expect(Object.keys(client.getSnapshot().accounts)).toEqual([mona.id]))
  },
}

/** Escape closes the dialog. Nothing changes, and the question stays open. */
export const Postponed: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ args, loaded: { client } }) => {
    await dialog()
    await userEvent.keyboard('{Escape}')
    await gone()
    await expect(args.onOpenChange).toHaveBeenLastCalledWith(false)
    await expect(client.getSnapshot().providers.github?.changed).toBeDefined()
  },
}

/** It renders nothing while there is nothing to ask. */
export const NothingToAsk: Story = {
  parameters: {
    nothing: 'there is nothing to ask.',
    fake: { states: { github: { status: 'idle', error: null, changed: null } } },
  },
  play: async () => expect(screen.queryByRole('dialog')).toBeNull(),
}
