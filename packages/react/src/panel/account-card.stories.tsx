import { LatchkeyError } from '@latchkey/core'
import { gmail } from '@latchkey/core/providers/gmail'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, screen, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { AccountCard } from './account-card.tsx'

/** One provider's card, in every state, each with its next action. */
const meta = {
  title: 'AccountCard',
  component: AccountCard,
  tags: ['autodocs'],
  args: { provider: 'github' },
  argTypes: {
    provider: { control: 'inline-radio', options: ['github', 'gmail', 'kaggle'] },
    layout: { control: 'inline-radio', options: ['card', 'inline'] },
    headingLevel: { control: { type: 'number', min: 2, max: 6 } },
  },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <AccountCard {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof AccountCard>

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

const hubot = fakeAccount({
  username: 'hubot',
  name: 'Hubot',
  connectedAt: octocat.connectedAt + 1,
  scopes: ['read:user', 'repo'],
})
const mona = fakeAccount({ username: 'mona', name: 'Mona Lisa', connectedAt: octocat.connectedAt + 2 })

/** Every reason of an account, with its status and the button of its next action. */
const account = (facts: Parameters<typeof fakeAccount>[0]): Story['parameters'] => ({
  fake: { accounts: [{ ...octocat, ...facts }] },
})

/** What a person reads, and what they can do next. */
const reads =
  (sentence: string, next: string): Story['play'] =>
  async ({ canvas }) => {
    await expect(canvas.getByText(sentence)).toBeVisible()
    await expect(canvas.getByRole('button', { name: next })).toBeVisible()
  }

export const Disconnected: Story = {
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'disconnected')
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

export const Loading: Story = {
  parameters: { fake: { status: 'loading' } },
  play: async ({ canvas }) => {
    const card = canvas.getByRole('article', { name: 'GitHub' })
    await expect(card).toHaveAttribute('data-status', 'loading')
    await expect(card).toHaveAttribute('aria-busy', 'true')
  },
}

export const Connected: Story = { parameters: account({}), play: reads('Connected', 'Disconnect GitHub') }

export const Expired: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'expired' }),
  play: reads('Access to GitHub has expired.', 'Reconnect GitHub'),
}

export const Revoked: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'revoked' }),
  play: reads('Access was revoked at GitHub.', 'Reconnect GitHub'),
}

export const TokenRefused: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'invalid_token' }),
  play: reads('GitHub no longer accepts this connection.', 'Reconnect GitHub'),
}

export const SecretUnreadable: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'secret_unavailable' }),
  play: reads('This browser can no longer read the saved access.', 'Reconnect GitHub'),
}

export const Unverified: Story = {
  args: { provider: 'kaggle' },
  parameters: { fake: { accounts: [{ ...kaggler, reason: 'unverified' }] } },
  play: reads('Not checked yet', 'Disconnect Kaggle'),
}

/** Opened with "…": when the account was connected, when its access ends, and the provider's names of its scopes. */
export const Details: Story = {
  parameters: account({ renewable: false, expiresAt: Date.now() + 3 * 3_600_000, url: 'https://github.com/octocat' }),
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'More for GitHub' }))
    await expect(await canvas.findByText('Expires in 3 hours')).toBeVisible()
    const raw = canvas.getByRole('button', { name: 'Scope names' })
    await expect(canvas.queryByText('user:email')).toBeNull()
    await userEvent.click(raw)
    await expect(raw).toHaveAttribute('aria-expanded', 'true')
    await expect(
      within(canvas.getByRole('list', { name: 'Scope names at GitHub' })).getByText('user:email'),
    ).toBeVisible()
    await expect(canvas.getByRole('link', { name: 'Profile at GitHub' })).toHaveAttribute('rel', 'noopener noreferrer')
  },
}

/** One line, which opens into the card and closes again. */
export const Inline: Story = {
  args: { layout: 'inline' },
  parameters: account({}),
  play: async ({ canvas }) => {
    const details = canvas.getByRole('button', { name: 'Details of GitHub' })
    await expect(canvas.queryByRole('button', { name: 'Disconnect GitHub' })).toBeNull()
    await userEvent.click(details)
    await expect(details).toHaveAttribute('aria-expanded', 'true')
    await expect(canvas.getByRole('button', { name: 'Disconnect GitHub' })).toBeVisible()
    await expect(details).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await expect(canvas.queryByRole('button', { name: 'Disconnect GitHub' })).toBeNull()
    await expect(details).toHaveFocus()
  },
}

/** The line opens by itself when there is a notice, and keeps the focus. */
export const InlineConnecting: Story = {
  args: { layout: 'inline' },
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toHaveFocus())
    client.settle('github', octocat)
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Details of GitHub' })).toHaveFocus())
    await expect(canvas.getByText('octocat')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('GitHub: now connected as octocat.'))
  },
}

export const Waiting: Story = {
  parameters: { fake: { outcomes: { github: 'pending' }, accounts: [ada] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    const card = canvas.getByRole('article', { name: 'GitHub' })
    await expect(card).toHaveAttribute('data-status', 'connecting')
    await expect(await within(card).findByText(/^Waiting for GitHub/)).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toHaveFocus())
  },
}

/** By keyboard: connect an account, then cancel connecting another. */
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
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('GitHub: now connected as octocat.'))
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
    await userEvent.click(canvas.getByRole('button', { name: 'Open in a new tab' }))
    await expect(connect).toHaveBeenLastCalledWith('github', { mode: 'tab' })
    await userEvent.click(await canvas.findByRole('button', { name: 'Open in this tab' }))
    await expect(connect).toHaveBeenLastCalledWith('github', { mode: 'redirect' })
    await expect(await canvas.findByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

/** The link works only in this browser, where the app waits for the answer. */
export const LinkCopied: Story = {
  parameters: { fake: { states: { github: { status: 'idle', reason: 'popup_blocked' } } } },
  play: async ({ canvas, loaded: { client } }) => {
    const write = spyOn(navigator.clipboard, 'write').mockResolvedValue()
    await userEvent.click(canvas.getByRole('button', { name: 'Copy link' }))
    await expect(await canvas.findByText('Link copied. Open it in this browser.')).toBeVisible()
    const item = write.mock.lastCall?.[0][0]
    await expect(await (await item?.getType('text/plain'))?.text()).toBe('https://github.example/authorize')
    await expect(client.getSnapshot().providers.github?.status).toBe('connecting')
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toBeVisible()
    write.mockRestore()
  },
}

export const LinkNotCopied: Story = {
  parameters: LinkCopied.parameters,
  play: async ({ canvas, loaded: { client } }) => {
    spyOn(client, 'connectLink').mockRejectedValue(new LatchkeyError('network', 'GitHub could not be reached.'))
    await userEvent.click(canvas.getByRole('button', { name: 'Copy link' }))
    await expect(await canvas.findByText('The link could not be copied.')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Open in this tab' })).toBeVisible()
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

/** If a provider has several accounts, buttons name theirs. One account is used by default. */
export const SeveralAccounts: Story = {
  parameters: { fake: { accounts: [octocat, { ...hubot, status: 'needs-reconnect', reason: 'expired' }] } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Disconnect GitHub (octocat)' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect GitHub (hubot)' })).toBeVisible()
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'needs-reconnect')
    await expect(canvas.getByText('Default')).toBeVisible()
    const more = canvas.getByRole('button', { name: 'More for GitHub (hubot)' })
    await userEvent.click(more)
    await expect(more).toHaveAttribute('aria-expanded', 'true')
    await userEvent.click(await canvas.findByRole('button', { name: 'Use by default: hubot' }))
    await expect(canvas.getByText('Default').parentElement).toHaveTextContent('Hubot')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Reconnect GitHub (hubot)' })).toHaveFocus())
  },
}

export const AddingAnother: Story = {
  parameters: { fake: { accounts: [octocat], outcomes: { github: hubot } } },
  play: async ({ canvas, loaded: { client } }) => {
    const connect = spyOn(client, 'connect')
    await userEvent.click(canvas.getByRole('button', { name: 'More for GitHub' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'Add another GitHub account' }))
    await expect(connect).toHaveBeenCalledWith('github', { intent: 'add-account' })
    await expect(await canvas.findByRole('button', { name: 'Disconnect GitHub (hubot)' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Disconnect GitHub (octocat)' })).toBeVisible()
  },
}

/** GitHub uses the account that is signed in there, which may be connected already. */
export const AddingTheSame: Story = {
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'More for GitHub' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'Add another GitHub account' }))
    await expect(await canvas.findByText(/^octocat is already connected/)).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Dismiss' }))
    await expect(canvas.queryByText(/^octocat is already connected/)).toBeNull()
  },
}

export const AddingAnotherKey: Story = {
  args: { provider: 'kaggle' },
  parameters: { fake: { accounts: [kaggler] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'More for Kaggle' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'Add another Kaggle account' }))
    await waitFor(() => expect(canvas.getByLabelText('Kaggle API key')).toHaveFocus())
  },
}

/** The person reconnects, but signs in with a different account. Nothing changes until they choose; Escape only postpones it. */
export const DifferentAccount: Story = {
  parameters: {
    fake: { accounts: [{ ...octocat, status: 'needs-reconnect', reason: 'revoked' }], outcomes: { github: mona } },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    const dialog = await screen.findByRole('dialog', { name: 'You signed in as mona' })
    await waitFor(() => expect(within(dialog).getByRole('button', { name: 'Keep both' })).toHaveFocus())
    await userEvent.click(dialog.parentElement?.firstElementChild as Element)
    await expect(dialog).toBeInTheDocument()
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    await expect(canvas.getByText(/^You signed in as mona, not as octocat/)).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Choose' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Replace octocat' }))
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Disconnect GitHub' })).toHaveFocus())
    await expect(canvas.getByText('mona')).toBeVisible()
    await expect(canvas.queryByText('octocat')).toBeNull()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** After a redirect the question appears without a click. */
export const DifferentAccountReturned: Story = {
  parameters: {
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
  play: async () => {
    const dialog = await screen.findByRole('dialog', { name: 'You signed in as mona' })
    await waitFor(() => expect(within(dialog).getByRole('button', { name: 'Replace octocat' })).toBeVisible())
  },
}

export const DifferentAccountKept: Story = {
  parameters: DifferentAccount.parameters,
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Keep both' }))
    await expect(await canvas.findByRole('button', { name: 'Disconnect GitHub (mona)' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect GitHub (octocat)' })).toBeVisible()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

export const DifferentAccountCancelled: Story = {
  parameters: DifferentAccount.parameters,
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('button', { name: 'Cancel' }))
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Reconnect GitHub' })).toHaveFocus())
    await expect(canvas.queryByText(/mona/)).toBeNull()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

export const Paused: Story = {
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'More for GitHub' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'Pause GitHub' }))
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'paused')
    await expect(canvas.getByText('Your agent does not use this account until you resume it.')).toBeVisible()
    const resume = canvas.getByRole('button', { name: 'Resume GitHub' })
    await waitFor(() => expect(resume).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await expect(canvas.getByText('Connected')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Disconnect GitHub' })).toHaveFocus())
    await userEvent.click(canvas.getByRole('button', { name: 'More for GitHub' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'Pause GitHub' }))
    await expect(canvas.getByText('Paused')).toBeVisible()
  },
}

export const Offline: Story = {
  parameters: { fake: { accounts: [{ ...octocat, reason: 'offline' }, ada] } },
  play: async ({ canvas }) => {
    await expect(
      canvas.getByText('You are offline. Your agent can use GitHub again when you are back online.'),
    ).toBeVisible()
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'connected')
  },
}

export const Expiring: Story = {
  parameters: {
    fake: { accounts: [{ ...octocat, status: 'expiring', renewable: false, expiresAt: Date.now() + 4 * 60_000 }] },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText(/^Expires in [34] minutes$/)).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect GitHub' })).toBeVisible()
  },
}

/** Inside another site's page the answer may never arrive. The card offers to open the app in a tab of its own. */
export const Embedded: Story = {
  parameters: { fake: { states: { github: { status: 'connecting', reason: 'embedded' } } } },
  play: async ({ canvas }) => {
    const link = canvas.getByRole('link', { name: 'Open the app in its own tab' })
    await expect(link).toHaveAttribute('href', location.href)
    await expect(link).toHaveAttribute('target', '_blank')
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer')
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toBeVisible()
  },
}

/** GitHub needs a client secret, but there is no broker to keep one. */
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

/** Asks first, then shows the receipt. The focus moves to the next button. */
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
    await expect(await canvas.findByText('Access revoked at GitHub (access token).')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus())
    await waitFor(() =>
      expect(canvas.getByRole('status')).toHaveTextContent('GitHub is disconnected, and its access revoked.'),
    )
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
    await expect(await canvas.findByText(/^Removed here. The access could not be revoked at GitHub: /)).toBeVisible()
    await expect(canvas.getByRole('link', { name: 'Revoke it at GitHub' })).toHaveAttribute(
      'href',
      'https://github.com/settings/applications',
    )
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

export const DisconnectingOneOfSeveral: Story = {
  parameters: { fake: { accounts: [octocat, hubot] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Disconnect GitHub (hubot)' }))
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText('hubot: access revoked at GitHub (access token).')).toBeVisible()
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'connected')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Disconnect GitHub' })).toHaveFocus())
    await userEvent.click(canvas.getByRole('button', { name: 'Dismiss' }))
    await expect(canvas.queryByText(/^hubot/)).toBeNull()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}
