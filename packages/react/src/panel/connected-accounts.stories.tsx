import { LatchkeyError, oauth } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import type { Meta, StoryObj } from '@storybook/react-vite'
import type { CSSProperties } from 'react'
import { expect, fn, screen, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { ConnectedAccounts } from './connected-accounts.tsx'

/** The panel: a card for each service. Use it on a settings page, or beside the chat. */
const meta = {
  id: 'components-connectedaccounts',
  title: 'Panel/ConnectedAccounts',
  component: ConnectedAccounts,
  argTypes: {
    layout: { control: 'inline-radio', options: ['list', 'grid', 'inline'] },
    density: { control: 'inline-radio', options: ['comfortable', 'compact'] },
    search: { control: 'boolean' },
    groups: { control: 'boolean' },
    title: { control: 'text' },
    description: { control: 'text' },
  },
  parameters: { controls: { disable: false }, usage: 'settings' },
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

const service = (name: string) =>
  oauth({
    id: name
      .normalize('NFD')
      .replace(/\P{ASCII}/gu, '')
      .toLowerCase(),
    name,
    issuer: 'https://login.example',
    authorizationEndpoint: 'https://login.example/authorize',
    tokenEndpoint: 'https://login.example/token',
    apiBaseUrl: 'https://api.example',
  })

/** Nothing is connected yet. */
export const Disconnected: Story = {
  play: async ({ canvas }) => {
    const panel = canvas.getByRole('region', { name: 'Connected Accounts' })
    for (const name of ['GitHub', 'Gmail', 'Kaggle']) {
      await expect(within(panel).getByRole('button', { name: `Connect ${name}` })).toBeVisible()
    }
  },
}

/** Accounts are being read. */
export const Loading: Story = {
  parameters: { fake: { status: 'loading' } },
  play: async ({ canvas }) => {
    const [card] = canvas.getAllByRole('article')
    await expect(card).toHaveAttribute('data-status', 'loading')
    await expect(canvas.queryByRole('button')).toBeNull()
  },
}

/** Three accounts, and where they are stored. */
export const Connected: Story = {
  parameters: { fake: { accounts: [octocat, ada, kaggler] } },
  play: async ({ canvas }) => {
    const card = within(canvas.getByRole('article', { name: 'GitHub' }))
    await expect(card.getByText('Connected as octocat')).toBeVisible()
    await expect(canvas.getByText('API key')).toBeVisible()
    await expect(await canvas.findByText(/Can read email/)).toBeVisible()
    await expect(canvas.getByText('Encrypted and stored in this browser')).toBeVisible()
    // m19: nothing that ends something stands on a card.
    await expect(canvas.queryByRole('button', { name: /^Disconnect/ })).toBeNull()
  },
}

/** Connecting failed: who failed, and what to do. */
export const Failed: Story = {
  parameters: {
    fake: { states: { gmail: { status: 'idle', error: new LatchkeyError('server_error', 'Gmail had a problem.') } } },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('alert')).toHaveTextContent('Gmail had a problem. Try again in a moment.')
  },
}

export const FailedAgain: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: {
    fake: {
      outcomes: {
        gmail: new LatchkeyError('server_error', 'Gmail answered with an error.', { detail: 'backend unavailable' }),
      },
    },
  },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Gmail' }))
    await expect(await canvas.findByRole('alert')).toHaveTextContent('Gmail had a problem. Try again in a moment.')
    // One button, in the place of all buttons.
    await expect(canvas.queryByRole('button', { name: 'Try again with Gmail' })).toBeNull()
    const connect = spyOn(client, 'connect')
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Gmail' }))
    await expect(connect).toHaveBeenCalledOnce()
    await expect(await canvas.findByRole('alert')).toBeVisible()
  },
}

/** Each error has the button of its next action. An error that only needs time has none. */
export const EveryNextAction: Story = {
  parameters: {
    fake: {
      accounts: [octocat],
      states: {
        github: { status: 'idle', error: new LatchkeyError('timeout', 'Too late.', { next: 'connect' }) },
        gmail: { status: 'idle', error: new LatchkeyError('temporarily_unavailable', 'Busy.', { next: 'wait' }) },
        kaggle: { status: 'idle', error: new LatchkeyError('invalid_token', 'Refused.', { next: 'edit-key' }) },
      },
    },
  },
  play: async ({ canvas }) => {
    const card = (name: string) => within(canvas.getByRole('article', { name }))
    await expect(await card('GitHub').findByRole('button', { name: 'Try again with GitHub' })).toBeVisible()
    const busy = within(await card('Gmail').findByRole('alert')).getAllByRole('button')
    await expect(busy.map(({ textContent }) => textContent)).toEqual(['Details'])
    await expect(card('Kaggle').getByRole('button', { name: 'Connect Kaggle' })).toBeVisible()
  },
}

/** One account was revoked, one expires soon, and one key is not checked. */
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
    await expect(await card.findByText('Access was revoked')).toBeVisible()
    await expect(canvas.getByText('Not verified yet')).toBeVisible()
    await expect(await canvas.findByText(/^Expires in [45] minutes$/)).toBeVisible()
    const reconnect = spyOn(client, 'reconnect')
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    await expect(reconnect).toHaveBeenCalledWith(octocat.id, undefined)
    await expect(await card.findByText('Continue in the GitHub window')).toBeVisible()
    client.settle('github', 'cancelled')
    await expect(await canvas.findByRole('button', { name: 'Reconnect GitHub' })).toBeVisible()
  },
}

const hubot = fakeAccount({
  username: 'hubot',
  name: 'Hubot',
  connectedAt: octocat.connectedAt + 1,
  scopes: ['read:user', 'repo'],
})

/** Not everything was granted: the row has a button for that, and the details say what. */
export const PartlyGranted: Story = {
  parameters: {
    fake: {
      accounts: [
        { ...octocat, scopes: ['read:user'], missingScopes: ['user:email', 'repo'] },
        { ...ada, scopes: ['openid', 'email'], missingScopes: ['https://www.googleapis.com/auth/gmail.readonly'] },
      ],
    },
  },
  play: async ({ canvas }) => expect(await canvas.findAllByText('Some access is missing')).toHaveLength(2),
}

export const GrantsTheRest: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: PartlyGranted.parameters,
  play: async ({ canvas, loaded: { client } }) => {
    await expect(await canvas.findAllByText('Some access is missing')).toHaveLength(2)
    const connect = spyOn(client, 'connect')
    await userEvent.click(canvas.getByRole('button', { name: 'Grant access to GitHub' }))
    await expect(connect).toHaveBeenCalledWith('github', {
      accountId: octocat.id,
      scopes: ['read:user', 'user:email', 'repo'],
    })
    await waitFor(() => expect(canvas.getAllByText('Some access is missing')).toHaveLength(1))
    await userEvent.click(canvas.getByRole('button', { name: 'Gmail' }))
    const missing = (await canvas.findByText('Not allowed')).nextElementSibling
    await expect(missing).toHaveTextContent('Read all your email')
  },
}

/** The browser saves nothing. */
export const NothingStored: Story = {
  parameters: { fake: { persistence: 'unavailable', accounts: [octocat] } },
  play: async ({ canvas }) => {
    await expect(
      await canvas.findByText(
        "This browser isn't saving anything, so your accounts are forgotten when you close this page.",
      ),
    ).toBeVisible()
  },
}

/** Where tokens and keys are stored, and what that means. */
export const Custody: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'How your accounts are stored' }))
    const words = await screen.findByRole('dialog', { name: 'How your accounts are stored' })
    await waitFor(() => expect(words).toBeVisible())
  },
}

export const CustodyClosed: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas }) => {
    const info = canvas.getByRole('button', { name: 'How your accounts are stored' })
    await userEvent.click(info)
    const words = await screen.findByRole('dialog', { name: 'How your accounts are stored' })
    await expect(words).toHaveTextContent(/can't be copied out of this browser/)
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(info).toHaveFocus())
  },
}

const services = ['Linear', 'Slack'].map(service)
const five = [
  octocat,
  { ...ada, scopes: [...gmailScopes, 'https://www.googleapis.com/auth/gmail.send'] },
  kaggler,
  fakeAccount({ provider: 'linear', username: 'grace', name: 'Grace Hopper', scopes: [] }),
  fakeAccount({ provider: 'slack', username: 'grace', name: 'Grace Hopper', scopes: [] }),
]

/** Five services need less than a screen. */
export const Five: Story = {
  parameters: { fake: { providers: [github(), gmail(), kaggle(), ...services], accounts: five } },
  play: async ({ canvas }) => expect(await canvas.findByText(/Can read and send email/)).toBeVisible(),
}

/** The heights of rows are those that they promise, whatever the state, and five services need less than a screen. */
export const FiveRows: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { providers: [github(), gmail(), kaggle(), ...services], accounts: five } },
  play: async ({ canvas, loaded: { client } }) => {
    await expect(await canvas.findByText(/Can read and send email/)).toBeVisible()
    const heights = () => canvas.getAllByRole('article').map((card) => card.getBoundingClientRect().height)
    await expect(heights()).toEqual([64, 64, 64, 64, 64])
    client.setAccount({ ...octocat, status: 'needs-reconnect', reason: 'revoked' })
    client.setAccount({ ...kaggler, status: 'paused' })
    client.setState('slack', { status: 'connecting' })
    await expect(await canvas.findByText('Continue in the Slack window')).toBeVisible()
    await expect(await canvas.findByText('Access was revoked')).toBeVisible()
    await expect(heights()).toEqual([64, 64, 64, 64, 64])
    const panel = canvas.getByRole('region', { name: 'Connected Accounts' })
    await expect(panel.getBoundingClientRect().height).toBeLessThan(900)
    // Rows grow with the reader's text.
    document.documentElement.style.fontSize = '32px'
    await expect(heights().every((height) => height >= 128)).toBe(true)
    document.documentElement.style.fontSize = ''
  },
}

/** Rows of 48 pixels. */
export const FiveCompact: Story = {
  tags: ['!autodocs'],
  args: { density: 'compact' },
  parameters: { fake: { providers: [github(), gmail(), kaggle(), ...services], accounts: five } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText(/Can read and send email/)).toBeInTheDocument()
    const heights = canvas.getAllByRole('article').map((card) => card.getBoundingClientRect().height)
    await expect(heights).toEqual([48, 48, 48, 48, 48])
  },
}

/** A provider without a built-in mark gets a letter. So does an account whose picture does not load. */
export const OwnProvider: Story = {
  parameters: {
    fake: {
      providers: [github(), { ...kaggle(), id: 'acme', name: 'Acme', description: 'Tickets and rockets' }],
      accounts: [fakeAccount({ avatar: 'data:image/png;base64,broken' }), hubot],
    },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('T', { exact: true })).toBeVisible()
    await expect(canvas.getByText('A', { exact: true })).toBeVisible()
  },
}

/** An app's own words. */
export const OwnMessages: Story = {
  args: { title: 'Verbundene Konten', description: null },
  parameters: { fake: { accounts: [octocat] } },
  render: (args, { loaded }) => (
    <LatchkeyProvider
      client={loaded.client}
      messages={{
        connectedAs: (account) => `Verbunden als ${account}`,
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
    await expect(canvas.getByText('Verbunden als octocat')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Gmail verbinden' })).toBeVisible()
  },
}

/** All accounts are disconnected after one question. Each gets its own receipt. */
export const DisconnectingAll: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: {
    fake: {
      accounts: [octocat, hubot, ada, kaggler],
      receipts: {
        github: { status: 'revoked', tokens: ['refresh_token', 'access_token'] },
        gmail: { status: 'removed', error: new LatchkeyError('server_error', 'Gmail answered with an error.') },
        kaggle: { status: 'removed', manageUrl: 'https://www.kaggle.com/settings/account' },
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'More options' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: 'Disconnect all' }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect all accounts?' }))
    await expect(dialog.getByText('Your agent will lose access to all accounts (4) right away.')).toBeInTheDocument()
    await userEvent.click(dialog.getByRole('button', { name: 'Disconnect all' }))
    await expect(await canvas.findByText('Access to GitHub (octocat) revoked.')).toBeVisible()
    await expect(canvas.getByText(/^Access to GitHub \(hubot\) revoked/)).toBeVisible()
    await expect(
      canvas.getByText(/^Disconnected here, but access to Gmail \(ada@example.com\) couldn't be revoked/),
    ).toBeVisible()
    await expect(canvas.getByRole('link', { name: 'Revoke it on Kaggle' })).toBeVisible()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus())
    await expect(canvas.getByRole('status')).toHaveTextContent('4 accounts disconnected.')
  },
}

const custody = (word: string, sentence: string): Story => ({
  parameters: { fake: { custody: word } },
  play: async ({ canvas }) => expect(canvas.getByText(sentence)).toBeVisible(),
})
/** What the foot says where a browser stores secrets unencrypted. */
export const StoredUnencrypted = custody('plain', 'Stored unencrypted in this browser')
/** What the foot says where a tab stores them. */
export const StoredInTheTab = custody('session', 'Stored until you close this tab')
/** What the foot says where the server has a vault. */
export const StoredOnTheServer = custody('vault', 'Encrypted and stored on the server')
/** What the foot says where nothing is stored. */
export const StoredInMemory = custody('memory', 'Not stored after you close this page')

const SERVICES =
  'Airtable Asana Bitbucket Box Calendly ClickUp Confluence Discord Dropbox Figma GitLab HubSpot Jira Linear Mailchimp Miro Notion Pipedrive Salesforce Slack Stripe Trello Zendesk Zoom Zürich'.split(
    ' ',
  )
const many = SERVICES.map(service)
const mine = [
  fakeAccount({ provider: 'linear', username: 'grace', name: 'Grace Hopper', scopes: [] }),
  fakeAccount({
    provider: 'slack',
    username: 'grace',
    name: 'Grace Hopper',
    scopes: [],
    status: 'needs-reconnect',
    reason: 'revoked',
  }),
]

/** With many providers the panel has a search box and two groups. */
export const Many: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { providers: many, accounts: mine } },
  play: async ({ canvas }) => {
    await expect(within(canvas.getByRole('list', { name: 'Connected' })).getAllByRole('article')).toHaveLength(2)
    await expect(within(canvas.getByRole('list', { name: 'Available' })).getAllByRole('article')).toHaveLength(
      many.length - 2,
    )
    await expect(await canvas.findByRole('searchbox', { name: 'Search' })).toBeVisible()
  },
}

/** The search finds providers and accounts. Escape clears it and keeps the focus. */
export const Searching: Story = {
  tags: ['!autodocs'],
  parameters: Many.parameters,
  play: async ({ canvas }) => {
    const box = await canvas.findByRole('searchbox', { name: 'Search' })
    await userEvent.type(box, 'hopper sl')
    await waitFor(() => expect(canvas.getAllByRole('article')).toHaveLength(1))
    await expect(canvas.getByRole('article', { name: 'Slack' })).toBeVisible()
    await expect(canvas.getByText('1 of 25')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('1 result.'))
    await userEvent.keyboard('{Escape}')
    await expect(box).toHaveValue('')
    await expect(box).toHaveFocus()
    await waitFor(() => expect(canvas.getAllByRole('article')).toHaveLength(25))
    await userEvent.type(box, 'zurich')
    await waitFor(() => expect(canvas.getByRole('article')).toHaveAccessibleName('Zürich'))
  },
}

/** A form stays open while a search hides its card. */
export const SearchKeepsForms: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { providers: [...many, kaggle()] } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    const key = await canvas.findByLabelText('Kaggle API key')
    await userEvent.type(key, 'KGAT_half')
    const box = await canvas.findByRole('searchbox')
    await userEvent.type(box, 'figma')
    await waitFor(() => expect(key).not.toBeVisible())
    await userEvent.clear(box)
    await waitFor(() => expect(key).toBeVisible())
    await expect(key).toHaveValue('KGAT_half')
  },
}

/** The search finds nothing. */
export const NoMatch: Story = {
  tags: ['!autodocs'],
  args: { defaultQuery: 'fax' },
  parameters: Many.parameters,
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('No results for “fax”.')).toBeVisible()
    await waitFor(() => expect(canvas.queryByRole('article')).toBeNull())
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('0 results.'))
  },
}

export const SearchCleared: Story = {
  ...NoMatch,
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Clear search' }))
    await waitFor(() => expect(canvas.getAllByRole('article')).toHaveLength(25))
    await expect(canvas.getByRole('searchbox')).toHaveFocus()
  },
}

/** The app can control the search text. */
export const SearchControlled: Story = {
  tags: ['!autodocs'],
  args: { query: 'git', onQueryChange: fn() },
  parameters: Many.parameters,
  play: async ({ canvas, args }) => {
    await waitFor(() => expect(canvas.getByRole('article')).toHaveAccessibleName('GitLab'))
    await userEvent.type(canvas.getByRole('searchbox'), 'x')
    await expect(args.onQueryChange).toHaveBeenLastCalledWith('gitx')
    await expect(canvas.getByRole('searchbox')).toHaveValue('git')
  },
}

/** A card stays in its group when it connects. The groups change when the panel opens again. */
export const StaysInItsGroup: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: Many.parameters,
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Figma' }))
    const available = within(canvas.getByRole('list', { name: 'Available' }))
    await waitFor(() => expect(available.getByRole('button', { name: 'Figma' })).toHaveFocus())
  },
}

/** The app has no providers. */
export const NoProviders: Story = {
  parameters: { fake: { providers: [] } },
  play: async ({ canvas }) => {
    await expect(canvas.getByText('No services available yet')).toBeVisible()
    await expect(canvas.queryByRole('searchbox')).toBeNull()
  },
}

/** The browser refuses storage. The person can allow it and reload: nothing is lost. */
export const StorageUnavailable: Story = {
  parameters: { fake: { persistence: 'unavailable' } },
  play: async ({ canvas }) => {
    await expect(canvas.getByText('Allow site data in your browser, then reload.')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reload' })).toBeVisible()
  },
}

const mixed = [
  octocat,
  { ...ada, status: 'expiring' as const, renewable: false, expiresAt: Date.now() + 5 * 60_000 },
  { ...kaggler, status: 'needs-reconnect' as const, reason: 'invalid_token' as const },
]

/** Cards side by side, where there is room. */
export const Grid: Story = {
  args: { layout: 'grid' },
  globals: { width: 'full' },
  parameters: { fake: { providers: [github(), gmail(), kaggle(), ...many.slice(0, 4)], accounts: mixed } },
  play: async ({ canvas }) => {
    await expect(canvas.getAllByRole('article')).toHaveLength(7)
    await expect(await canvas.findByText(/^Expires in/)).toBeVisible()
  },
}

/** For a composer or a settings row: one line for each account, and text only for problems. */
export const Inline: Story = {
  args: { layout: 'inline' },
  parameters: { fake: { providers: [github(), gmail(), kaggle(), ...many.slice(0, 2)], accounts: mixed } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('region', { name: 'Connected Accounts' })).toBeVisible()
    await expect(canvas.getByText('Connected as octocat')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect Kaggle' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Connect Airtable' })).toBeVisible()
    await expect(canvas.queryByText(/^Kept/)).toBeNull()
  },
}

/** One line for each provider, while accounts are being read. */
export const InlineLoading: Story = {
  tags: ['!autodocs'],
  args: { layout: 'inline' },
  parameters: { fake: { status: 'loading' } },
  play: async ({ canvas }) => {
    await expect(canvas.getAllByRole('article')).toHaveLength(3)
  },
}

/** A form opens below its line. */
export const InlineWithForm: Story = {
  tags: ['!autodocs'],
  args: { layout: 'inline' },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    await waitFor(() => expect(canvas.getByLabelText('Kaggle API key')).toBeVisible())
  },
}

export const InlineWithFormClosed: Story = {
  tags: ['!dev', '!autodocs'],
  args: { layout: 'inline' },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    await waitFor(() => expect(canvas.getByLabelText('Kaggle API key')).toHaveFocus())
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect Kaggle' })).toHaveFocus())
  },
}

/** Less room. */
export const Compact: Story = {
  args: { density: 'compact' },
  parameters: { fake: { accounts: mixed } },
  play: async ({ canvas }) => {
    for (const button of canvas.getAllByRole('button')) {
      const { width, height } = button.getBoundingClientRect()
      await expect(Math.min(width, height)).toBeGreaterThanOrEqual(24)
    }
  },
}

// The tokens of shadcn/ui's "neutral" theme, as its Tailwind 4 template has them, with a smaller radius that shows the difference.
const lightTokens = {
  '--radius': '0.375rem',
  '--background': 'oklch(1 0 0)',
  '--foreground': 'oklch(0.145 0 0)',
  '--card': 'oklch(1 0 0)',
  '--card-foreground': 'oklch(0.145 0 0)',
  '--popover': 'oklch(1 0 0)',
  '--popover-foreground': 'oklch(0.145 0 0)',
  '--primary': 'oklch(0.205 0 0)',
  '--primary-foreground': 'oklch(0.985 0 0)',
  '--muted': 'oklch(0.97 0 0)',
  '--muted-foreground': 'oklch(0.556 0 0)',
  '--accent': 'oklch(0.97 0 0)',
  '--accent-foreground': 'oklch(0.205 0 0)',
  '--destructive': 'oklch(0.577 0.245 27.325)',
  '--border': 'oklch(0.922 0 0)',
  '--input': 'oklch(0.922 0 0)',
  '--ring': 'oklch(0.708 0 0)',
} as CSSProperties
const darkTokens = {
  ...lightTokens,
  '--background': 'oklch(0.145 0 0)',
  '--foreground': 'oklch(0.985 0 0)',
  '--card': 'oklch(0.205 0 0)',
  '--card-foreground': 'oklch(0.985 0 0)',
  '--popover': 'oklch(0.205 0 0)',
  '--popover-foreground': 'oklch(0.985 0 0)',
  '--primary': 'oklch(0.922 0 0)',
  '--primary-foreground': 'oklch(0.205 0 0)',
  '--muted': 'oklch(0.269 0 0)',
  '--muted-foreground': 'oklch(0.708 0 0)',
  '--accent': 'oklch(0.269 0 0)',
  '--accent-foreground': 'oklch(0.985 0 0)',
  '--destructive': 'oklch(0.704 0.191 22.216)',
  '--border': 'oklch(1 0 0 / 10%)',
  '--input': 'oklch(1 0 0 / 15%)',
  '--ring': 'oklch(0.556 0 0)',
} as CSSProperties

/** The design tokens of shadcn/ui, with `@latchkey/react/shadcn.css`. */
export const Shadcn: Story = {
  parameters: { fake: { accounts: mixed } },
  render: (args, { loaded, globals }) => (
    <div
      className={globals.theme === 'dark' ? 'dark' : undefined}
      style={globals.theme === 'dark' ? darkTokens : lightTokens}
    >
      <link rel="stylesheet" href={new URL('../shadcn.css', import.meta.url).href} />
      <LatchkeyProvider client={loaded.client}>
        <ConnectedAccounts {...args} />
      </LatchkeyProvider>
    </div>
  ),
  play: async ({ canvas }) => {
    const card = canvas.getByRole('article', { name: 'GitHub' })
    await waitFor(() => expect(getComputedStyle(card).borderRadius).toBe('6px'))
  },
}

/** M5: a theme that sets one of two colours that belong together is told so in the console. */
export const UnreadableTheme: Story = {
  tags: ['!dev', '!autodocs', 'no-look'],
  globals: { theme: 'dark' },
  parameters: { a11y: { test: 'off' } },
  beforeEach: () => {
    warn.mockClear()
    const { warn: original } = console
    const { requestIdleCallback, cancelIdleCallback } = window
    console.warn = warn
    // A busy machine is never idle.
    window.requestIdleCallback = (act) => window.setTimeout(act)
    window.cancelIdleCallback = clearTimeout
    return () => {
      console.warn = original
      Object.assign(window, { requestIdleCallback, cancelIdleCallback })
    }
  },
  render: (args, { loaded }) => (
    <div style={{ '--latchkey-surface': '#c9c4b5' } as CSSProperties}>
      <LatchkeyProvider client={loaded.client}>
        <ConnectedAccounts {...args} />
      </LatchkeyProvider>
    </div>
  ),
  play: async () => {
    const told = expect.stringMatching(/^Latchkey: text on cards has a contrast of 1\.\d\. Set --latchkey-surface and/)
    await waitFor(() => expect(warn).toHaveBeenCalledWith(told))
  },
}

const warn = fn()
