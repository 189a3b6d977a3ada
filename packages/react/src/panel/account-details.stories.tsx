import { gmail } from '@latchkey/core/providers/gmail'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, userEvent, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { AccountDetails } from './account-details.tsx'

/** The facts about an account, and what the agent can do with it. Use it on a page of your own. */
const meta = {
  id: 'components-accountdetails',
  title: 'Small parts/AccountDetails',
  component: AccountDetails,
  args: { provider: 'gmail' },
  argTypes: { technical: { control: 'boolean' } },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <AccountDetails {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof AccountDetails>

export default meta
type Story = StoryObj<typeof meta>

const ada = fakeAccount({
  provider: 'gmail',
  username: 'ada',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  label: 'ada@example.com',
  scopes: gmail().scopes,
  connectedAt: Date.UTC(2026, 1, 3, 9, 30),
})

/** Access that Latchkey renews. */
export const Renewable: Story = {
  parameters: { fake: { accounts: [{ ...ada, expiresAt: Date.now() + 40 * 60_000 }] } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('Ada Lovelace')).toBeVisible()
    await expect(canvas.getByText('Read all your email')).toBeVisible()
    await expect(canvas.getByText('Renews automatically in 40 minutes')).toBeVisible()
    await expect(canvas.getByText(/2026/)).toHaveAttribute('datetime', '2026-02-03T09:30:00.000Z')
  },
}

export const ByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [{ ...ada, extraScopes: ['openid'] }] } },
  play: async ({ canvas }) => {
    const toggle = await canvas.findByRole('button', { name: 'Technical details' })
    await userEvent.tab()
    await expect(toggle).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    const raw = canvas.getByRole('list', { name: 'Technical names from Gmail' })
    await expect(within(raw).getByText('openid').parentElement).toHaveAttribute('data-extra', 'true')
    await expect(toggle).toHaveAttribute('aria-controls', raw.parentElement?.id)
    await userEvent.keyboard(' ')
    await expect(canvas.queryByRole('list', { name: 'Technical names from Gmail' })).toBeNull()
    await expect(toggle).toHaveFocus()
  },
}

/** With `technical` the app decides whether the technical details are shown. */
export const Controlled: Story = {
  args: { technical: true, onTechnicalChange: fn() },
  parameters: { fake: { accounts: [ada] } },
  play: async ({ canvas, args }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Technical details' }))
    await expect(args.onTechnicalChange).toHaveBeenLastCalledWith(false)
    await expect(canvas.getByRole('list', { name: 'Technical names from Gmail' })).toBeVisible()
  },
}

/** A key has no scopes and does not expire. */
export const ApiKey: Story = {
  args: { provider: 'kaggle' },
  parameters: { fake: { accounts: [fakeAccount({ provider: 'kaggle', username: 'adal', name: 'adal' })] } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('No expiry')).toBeVisible()
    await expect(canvas.getAllByRole('button')).toHaveLength(1)
  },
}

/** What it can read and what it can change stand apart, and what was not allowed. */
export const Abilities: Story = {
  args: { provider: 'github' },
  parameters: {
    fake: {
      accounts: [
        fakeAccount({
          url: 'https://github.com/octocat',
          expiresAt: Date.now() - 60_000,
          renewable: false,
          status: 'needs-reconnect',
          reason: 'expired',
          scopes: ['read:user', 'repo'],
          missingScopes: ['gist'],
        }),
      ],
    },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('Expired 1 minute ago')).toBeVisible()
    const fact = (label: string) => canvas.getByText(label).nextElementSibling
    await expect(fact('Can read')).toHaveTextContent(/^See your profile$/)
    await expect(fact('Can change')).toHaveTextContent(/private ones tooSensitive$/)
    await expect(fact('Not allowed')).toHaveTextContent('Create and change gists')
    await expect(canvas.getByRole('link', { name: 'View GitHub profile' })).toBeVisible()
  },
}
