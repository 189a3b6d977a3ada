import { LatchkeyError } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, screen, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { ConnectedAccounts } from './connected-accounts.tsx'
import { LatchkeyProvider } from './context.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from './testing.ts'

/** The panel: a card per provider, in every state that a person can meet. */
const meta = {
  title: 'ConnectedAccounts',
  component: ConnectedAccounts,
  tags: ['autodocs'],
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ConnectedAccounts {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ConnectedAccounts>

export default meta
type Story = StoryObj<typeof meta>

const picture = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" fill="#7c6cf0"/><circle cx="16" cy="12" r="6" fill="#fff"/><path d="M4 32a12 12 0 0 1 24 0z" fill="#fff"/></svg>',
)}`
const octocat = fakeAccount({ avatar: picture })
const gmailScopes = gmail().scopes
const ada = fakeAccount({
  provider: 'gmail',
  username: 'ada@example.com',
  label: 'ada@example.com',
  name: 'Ada Lovelace',
  scopes: gmailScopes,
})
const kaggler = fakeAccount({ provider: 'kaggle', username: 'adal', name: 'adal' })

export const Disconnected: Story = {
  play: async ({ canvas }) => {
    const panel = canvas.getByRole('region', { name: 'Connected Accounts' })
    for (const name of ['GitHub', 'Gmail', 'Kaggle']) {
      await expect(within(panel).getByRole('button', { name: `Connect ${name}` })).toBeVisible()
    }
  },
}

export const Loading: Story = {
  parameters: { fake: { status: 'loading' } },
  play: async ({ canvas }) => {
    const [card] = canvas.getAllByRole('article')
    await expect(card).toHaveAttribute('data-status', 'loading')
    await expect(canvas.queryByRole('button')).toBeNull()
  },
}

export const Connected: Story = {
  parameters: { fake: { accounts: [octocat, ada, kaggler] } },
  play: async ({ canvas }) => {
    const card = within(canvas.getByRole('article', { name: 'GitHub' }))
    await expect(card.getByText('Connected')).toBeVisible()
    await expect(card.getByText('octocat')).toBeVisible()
    await expect(card.getByText('See your profile')).toBeVisible()
    await expect(canvas.getByText('API Key')).toBeVisible()
    await expect(canvas.getByText('Read all your email').parentElement).toHaveTextContent('Sensitive')
  },
}

export const Waiting: Story = {
  parameters: { fake: { outcomes: { github: 'pending' }, accounts: [ada] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    const card = canvas.getByRole('article', { name: 'GitHub' })
    await expect(card).toHaveAttribute('data-status', 'connecting')
    await expect(within(card).getByText(/^Waiting for GitHub/)).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toHaveFocus())
  },
}

/** By keyboard from the first button to a connected account, and back out of one. */
export const ByKeyboard: Story = {
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.tab()
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    client.settle('github', octocat)
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Disconnect GitHub' })).toHaveFocus())
    await expect(canvas.getByRole('status')).toHaveTextContent('GitHub: now connected as octocat.')
  },
}

export const WindowClosed: Story = {
  parameters: { fake: { states: { github: { status: 'connecting', reason: 'popup_closed' } } } },
  play: async ({ canvas }) => {
    await expect(canvas.getByText('Did you close the window?')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toBeVisible()
  },
}

export const WindowBlocked: Story = {
  parameters: { fake: { outcomes: { github: 'blocked' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText('Your browser blocked the window.')).toBeVisible()
    const connect = spyOn(client, 'connect')
    await userEvent.click(canvas.getByRole('button', { name: 'Open in this tab' }))
    await expect(connect).toHaveBeenCalledWith('github', { mode: 'redirect' })
    await expect(await canvas.findByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

export const Denied: Story = {
  parameters: { fake: { outcomes: { github: 'denied' } } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText('You said no at GitHub. Nothing was connected.')).toBeVisible()
    await expect(canvas.queryByRole('alert')).toBeNull()
  },
}

export const Failed: Story = {
  parameters: {
    fake: {
      outcomes: {
        gmail: new LatchkeyError('server_error', 'Gmail answered with an error.', { detail: 'backend unavailable' }),
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Gmail' }))
    await expect(await canvas.findByRole('alert')).toHaveTextContent('Gmail had a problem. Try again in a moment.')
    await expect(canvas.getByRole('button', { name: 'Connect Gmail' })).toBeVisible()
  },
}

export const NeedsReconnect: Story = {
  parameters: {
    fake: {
      accounts: [
        { ...octocat, status: 'needs-reconnect', reason: 'revoked' },
        { ...ada, status: 'expiring', renewable: false, expiresAt: Date.now() + 5 * 60_000 },
        { ...kaggler, reason: 'unverified' },
      ],
      outcomes: { github: 'pending' },
    },
  },
  play: async ({ canvas, loaded: { client } }) => {
    const card = within(canvas.getByRole('article', { name: 'GitHub' }))
    await expect(card.getByText('Needs reconnect')).toBeVisible()
    await expect(card.getByText('Access was revoked at GitHub.')).toBeVisible()
    await expect(canvas.getByText('Not checked yet')).toBeVisible()
    await expect(canvas.getByText('Expires in 5 minutes')).toBeVisible()
    const reconnect = spyOn(client, 'reconnect')
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    await expect(reconnect).toHaveBeenCalledWith(octocat.id, undefined)
    await expect(card.getByText(/^Waiting for GitHub/)).toBeVisible()
    client.settle('github', 'cancelled')
    await expect(await canvas.findByRole('button', { name: 'Reconnect GitHub' })).toBeVisible()
  },
}

/** Actions name their account when a provider has several. */
export const SeveralAccounts: Story = {
  parameters: {
    fake: {
      accounts: [
        octocat,
        fakeAccount({
          username: 'hubot',
          name: 'Hubot',
          connectedAt: octocat.connectedAt + 1,
          scopes: ['read:user', 'repo'],
          status: 'needs-reconnect',
          reason: 'expired',
        }),
      ],
    },
  },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Disconnect GitHub (octocat)' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect GitHub (hubot)' })).toBeVisible()
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'needs-reconnect')
  },
}

/** GitHub wants a client secret, and here is no server to keep one. */
export const NotConfigured: Story = {
  parameters: {
    fake: {
      states: {
        github: { status: 'idle', error: new LatchkeyError('not_configured', 'GitHub needs a client secret.') },
      },
    },
  },
  play: async ({ canvas }) => {
    await expect(canvas.getByText('Not configured')).toBeVisible()
    await expect(canvas.queryByRole('button', { name: 'Connect GitHub' })).toBeNull()
  },
}

export const NothingIsKept: Story = {
  parameters: { fake: { persistence: 'unavailable', accounts: [octocat] } },
  play: async ({ canvas }) => {
    await expect(canvas.getByText('This browser keeps nothing: accounts last until this page closes.')).toBeVisible()
  },
}

/** A provider without a built-in mark gets its letter; a picture that does not load gives way to one. */
export const OwnProvider: Story = {
  parameters: {
    fake: {
      providers: [github(), { ...kaggle(), id: 'acme', name: 'Acme', description: 'Tickets and rockets' }],
      accounts: [fakeAccount({ avatar: 'data:image/png;base64,broken' })],
    },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('T', { exact: true })).toBeVisible()
    await expect(canvas.getByText('A', { exact: true })).toBeVisible()
  },
}

export const OtherWords: Story = {
  args: { title: 'Verbundene Konten', description: null },
  parameters: { fake: { accounts: [octocat] } },
  render: (args, { loaded }) => (
    <LatchkeyProvider
      client={loaded.client}
      messages={{
        status: { connected: 'Verbunden' },
        connectShort: 'Verbinden',
        connect: (name) => `${name} verbinden`,
        disconnectShort: 'Trennen',
        disconnect: (name) => `${name} trennen`,
      }}
    >
      <ConnectedAccounts {...args} />
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('region', { name: 'Verbundene Konten' })).toBeVisible()
    await expect(canvas.getByText('Verbunden')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Gmail verbinden' })).toBeVisible()
  },
}

/** Asks first, says what became of the access, and leaves the keyboard where it can go on. */
export const Disconnecting: Story = {
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    const disconnect = canvas.getByRole('button', { name: 'Disconnect GitHub' })
    await userEvent.click(disconnect)
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect GitHub?' }))
    await userEvent.click(dialog.getByRole('button', { name: 'Cancel' }))
    await waitFor(() => expect(disconnect).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    const again = within(await screen.findByRole('dialog', { name: 'Disconnect GitHub?' }))
    await userEvent.click(again.getByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText('Access revoked at GitHub.')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus())
    await expect(canvas.getByRole('status')).toHaveTextContent('GitHub is disconnected, and its access revoked.')
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

export const RemovedButNotRevoked: Story = {
  parameters: {
    fake: {
      accounts: [octocat],
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
    await userEvent.click(canvas.getByRole('button', { name: 'Disconnect GitHub' }))
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText(/^Removed here. GitHub could not be told: /)).toBeVisible()
    await expect(canvas.getByRole('link', { name: 'Manage access at GitHub' })).toHaveAttribute(
      'href',
      'https://github.com/settings/applications',
    )
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}
