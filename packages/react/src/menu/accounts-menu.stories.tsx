import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { AccountsMenu } from './accounts-menu.tsx'

/** The accounts for the next message. Use it beside a message box, or in a header. */
const meta = {
  id: 'components-accountsmenu',
  title: 'In chat/AccountsMenu',
  component: AccountsMenu,
  args: { agent: 'assistant', onManage: fn() },
  argTypes: { agent: { control: 'text' } },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <AccountsMenu {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof AccountsMenu>

export default meta
type Story = StoryObj<typeof meta>

const octocat = fakeAccount()
const hubot = fakeAccount({ username: 'hubot', name: 'Hubot', connectedAt: Date.now() + 1 })
const ada = fakeAccount({ provider: 'gmail', username: 'ada', label: 'ada@example.com', name: 'Ada Lovelace' })
const kaggler = fakeAccount({ provider: 'kaggle', username: 'adal', name: 'adal' })

const open = async () => {
  await userEvent.tab()
  await userEvent.keyboard('{Enter}')
  const list = await screen.findByRole('dialog', { name: 'Accounts in this chat' })
  await waitFor(() => expect(list).toBeVisible())
  return within(list)
}

/** The button says which accounts are in use. */
export const Button: Story = {
  parameters: { fake: { accounts: [octocat, ada] } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Accounts in use: GitHub and Gmail' })).toBeVisible()
  },
}

/** Two accounts are connected, and the menu is open. */
export const Some: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { accounts: [octocat, ada] } },
  play: async () => {
    const list = await open()
    await expect(list.getByRole('switch', { name: /Gmail/ })).toBeChecked()
  },
}

/** By keyboard: open the menu, untick an account, and close the menu. The focus returns to the button. */
export const SomeByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat, ada] } },
  play: async ({ canvas, loaded: { client } }) => {
    const list = await open()
    const button = canvas.getByRole('button', { name: 'Accounts in use: GitHub and Gmail' })
    await expect(button).toHaveAttribute('data-carried', '2')
    await expect(button).toHaveAttribute('aria-expanded', 'true')
    const gmail = list.getByRole('switch', { name: /Gmail/ })
    await waitFor(() => expect(list.getByRole('switch', { name: /GitHub/ })).toHaveFocus())
    await userEvent.keyboard('{ArrowDown}')
    await expect(gmail).toHaveFocus()
    await userEvent.keyboard(' ')
    await expect(gmail).not.toBeChecked()
    await expect(client.getSnapshot().excluded).toEqual({ assistant: ['gmail'] })
    await expect(canvas.getByRole('button', { name: 'Accounts in use: GitHub' })).toBe(button)
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(button).toHaveFocus())
    await expect(screen.queryByRole('dialog')).toBeNull()
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(screen.getByRole('dialog')).toBeVisible())
  },
}

/** A provider with several accounts: each can be left out. A tool names one of those that are left. */
export const SeveralOfOneProvider: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { accounts: [octocat, hubot, ada] } },
  play: async ({ loaded: { client } }) => {
    const list = await open()
    await expect(list.getByRole('switch', { name: 'octocat GitHub' })).toBeChecked()
    await userEvent.click(list.getByRole('switch', { name: 'hubot GitHub' }))
    await expect(list.getByRole('switch', { name: 'hubot GitHub' })).not.toBeChecked()
    await expect(client.getSnapshot().excluded).toEqual({ assistant: [hubot.id] })
  },
}

/** Without the provider there is no choice among its accounts. */
export const SeveralLeftOut: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: SeveralOfOneProvider.parameters ?? {},
  play: async () => {
    const list = await open()
    await userEvent.click(list.getByRole('switch', { name: /^GitHub/ }))
    await expect(list.queryByRole('switch', { name: 'hubot GitHub' })).toBeNull()
    await expect(list.getByRole('switch', { name: /^Gmail/ })).toBeChecked()
  },
}

export const SomeDark: Story = { ...Some, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** No account is connected. */
export const None: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Accounts: none in use' })).toHaveAttribute('data-carried', '0')
    const list = await open()
    await expect(list.queryByRole('switch')).toBeNull()
    await expect(list.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

/** A missing account can be connected here. It is then ticked. */
export const Connects: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [ada], outcomes: { github: 'pending' } } },
  play: async ({ loaded: { client } }) => {
    const list = await open()
    await userEvent.click(list.getByRole('button', { name: 'Connect GitHub' }))
    await waitFor(() => expect(list.getByRole('button', { name: 'Show window for GitHub' })).toHaveFocus())
    client.settle('github', octocat)
    await expect(await list.findByRole('switch', { name: /GitHub/ })).toBeChecked()
  },
}

/** A provider that takes a key: the form opens in the menu. */
export const WithAKey: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async () => {
    const list = await open()
    await userEvent.click(list.getByRole('button', { name: 'Connect Kaggle' }))
    await expect(await list.findByLabelText('Kaggle API key')).toBeVisible()
  },
}

export const WithAKeyClosed: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async () => {
    const list = await open()
    await userEvent.click(list.getByRole('button', { name: 'Connect Kaggle' }))
    const key = await list.findByLabelText('Kaggle API key')
    await waitFor(() => expect(key).toHaveFocus())
    // Escape first closes the form, then the list.
    await userEvent.keyboard('{Escape}')
    await expect(list.queryByLabelText('Kaggle API key')).toBeNull()
    await expect(screen.getByRole('dialog')).toBeInTheDocument()
    await userEvent.click(list.getByRole('button', { name: 'Connect Kaggle' }))
    await list.findByLabelText('Kaggle API key')
  },
}

/** An account to reconnect, a paused one, and one that expires soon. */
export const NeedsAttention: Story = {
  tags: ['!autodocs'],
  parameters: {
    fake: {
      accounts: [
        { ...octocat, status: 'needs-reconnect', reason: 'revoked' },
        { ...ada, status: 'paused' },
        { ...kaggler, status: 'expiring', expiresAt: Date.now() + 3_600_000 },
      ],
    },
  },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Accounts in use: Kaggle' })).toBeVisible()
    const list = await open()
    await expect(list.getByText('Reconnect needed')).toBeVisible()
    await expect(list.getByText('Paused')).toBeVisible()
    await expect(list.getByRole('button', { name: 'Reconnect GitHub' })).toBeVisible()
  },
}

export const NeedsAttentionDark: Story = { ...NeedsAttention, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** "Manage accounts": the app opens the panel and moves the focus to it. */
export const OpensThePanel: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat, ada, kaggler] } },
  play: async ({ args }) => {
    const list = await open()
    await userEvent.click(list.getByRole('button', { name: 'Manage accounts' }))
    await expect(args.onManage).toHaveBeenCalledOnce()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** A click in the message box closes the menu, and the person goes on in the box. */
export const ClickElsewhere: Story = {
  tags: ['!dev', '!autodocs', 'no-look'],
  parameters: { fake: { accounts: [octocat] } },
  decorators: [
    (Story) => (
      <>
        <input aria-label="Message" />
        <Story />
      </>
    ),
  ],
  play: async ({ canvas }) => {
    const box = canvas.getByLabelText('Message')
    const button = canvas.getByRole('button', { name: 'Accounts in use: GitHub' })
    await userEvent.click(button)
    await waitFor(() => expect(screen.getByRole('dialog')).toBeVisible())
    await userEvent.click(box)
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    // The menu gives the focus back in a task after it is gone; this one comes after that.
    await new Promise((done) => setTimeout(done))
    await expect(box).toHaveFocus()
  },
}
