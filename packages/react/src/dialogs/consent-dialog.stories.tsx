import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient } from '../testing.ts'
import { ConsentDialog } from './consent-dialog.tsx'

/**
 * Asks what the agent may do, before the provider's own page asks. Use it with a connect of your own; `consent` opens it for the kit's buttons.
 */
const meta = {
  id: 'components-consentdialog',
  title: 'Dialogs/ConsentDialog',
  component: ConsentDialog,
  args: {
    provider: 'github',
    open: true,
    asked: ['read:user', 'user:email', 'gist', 'repo', 'workflow'],
    onContinue: fn(),
    onOpenChange: fn(),
  },
  argTypes: {
    asked: { control: 'check', options: Object.keys(github().scopeMeanings) },
    granted: { control: 'check', options: Object.keys(github().scopeMeanings) },
    account: { control: 'text' },
  },
  parameters: {
    controls: { disable: false },
    // A dialog covers its page, so on the page of documentation each has a frame.
    docs: { frame: 520 },
  },
  loaders: [() => ({ client: createFakeClient() })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ConsentDialog {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ConsentDialog>

export default meta
type Story = StoryObj<typeof meta>

const dialog = async (name = 'GitHub') =>
  within(await screen.findByRole('dialog', { name: `Choose what your agent can do with ${name}` }))

/** Required scopes cannot be unticked, optional ones are ticked, and sensitive ones are not ticked. */
export const First: Story = {
  play: async () => {
    const inside = await dialog()
    await waitFor(() => expect(inside.getByRole('region', { name: 'Required' })).toBeVisible())
  },
}

export const FirstContinues: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ args }) => {
    const inside = await dialog()
    await expect(inside.queryByRole('checkbox', { name: 'See your profile' })).toBeNull()
    const needed = inside.getByRole('region', { name: 'Required' })
    await expect(needed).toHaveTextContent('See your profile')
    await expect(inside.getByRole('checkbox', { name: 'See your email addresses' })).toBeChecked()
    const sensitive = inside.getByRole('checkbox', {
      name: 'Read and change all your repositories, private ones too Sensitive',
    })
    await expect(sensitive).not.toBeChecked()
    await expect(inside.getByRole('checkbox', { name: 'Change GitHub Actions workflows Sensitive' })).not.toBeChecked()

    // By keyboard: the first choice has the focus.
    await expect(inside.getByRole('checkbox', { name: 'See your email addresses' })).toHaveFocus()
    await userEvent.keyboard(' ')
    await userEvent.click(sensitive)
    await userEvent.click(inside.getByRole('button', { name: 'Continue to GitHub' }))
    await expect(args.onContinue).toHaveBeenCalledOnce()
    await expect(args.onContinue).toHaveBeenCalledWith(['read:user', 'gist', 'repo'])
  },
}

export const FirstDark: Story = { ...First, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** The account is asked for more. Scopes that it has are shown apart from new ones. */
export const Upgrade: Story = {
  args: { asked: ['read:user', 'user:email', 'gist'], granted: ['read:user', 'user:email'], account: 'octocat' },
  play: async ({ args }) => {
    const inside = await dialog()
    await expect(inside.getByRole('region', { name: 'Already allowed' })).toHaveTextContent('See your profile')
    await expect(inside.getByRole('region', { name: 'New' })).toHaveTextContent('Create and change gists')
    await expect(screen.getByRole('dialog')).toHaveAccessibleDescription(/more access to octocat/)
    await userEvent.click(inside.getByRole('button', { name: 'Continue to GitHub' }))
    await expect(args.onContinue).toHaveBeenCalledWith(['read:user', 'user:email', 'gist'])
  },
}

/** The only new scope is sensitive and not ticked, so there is nothing to continue with. */
export const NothingChosen: Story = {
  args: { asked: ['repo'], granted: ['read:user'], account: 'octocat' },
  play: async ({ args }) => {
    const inside = await dialog()
    const next = inside.getByRole('button', { name: 'Continue to GitHub' })
    await expect(next).toHaveAttribute('aria-disabled', 'true')
    await expect(next).toHaveAccessibleDescription('Select at least one permission.')
    await userEvent.click(next)
    await expect(args.onContinue).not.toHaveBeenCalled()
    await userEvent.click(inside.getByRole('checkbox'))
    await userEvent.click(next)
    await expect(args.onContinue).toHaveBeenCalledWith(['read:user', 'repo'])
    await userEvent.click(inside.getByRole('checkbox'))
  },
}

export const NothingChosenDark: Story = { ...NothingChosen, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** A service with other scopes. */
export const Gmail: Story = {
  args: { provider: 'gmail', asked: gmail().scopes },
  play: async ({ args }) => {
    const inside = await dialog('Gmail')
    await expect(inside.getByRole('checkbox', { name: 'Read all your email Sensitive' })).not.toBeChecked()
    await userEvent.keyboard('{Escape}')
    await expect(args.onOpenChange).toHaveBeenCalledWith(false)
  },
}
