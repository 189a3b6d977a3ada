import { type DisconnectReceipt, LatchkeyError } from '@latchkey/core'
import { gmail } from '@latchkey/core/providers/gmail'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, screen, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { german } from '../messages/de.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { AccountCard } from './account-card.tsx'

/** One provider's card, with its next action in every state. Use it where your page shows one service. */
const meta = {
  id: 'components-accountcard',
  title: 'Panel/AccountCard',
  component: AccountCard,
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

type Canvas = Parameters<NonNullable<Story['play']>>[0]['canvas']

/** Opens an account's menu. */
async function menu(canvas: Canvas, name = 'GitHub') {
  await userEvent.click(canvas.getByRole('button', { name: `More options for ${name}` }))
  return within(await screen.findByRole('menu'))
}

/** Chooses from it. */
async function choose(canvas: Canvas, item: string, name?: string) {
  await userEvent.click((await menu(canvas, name)).getByRole('menuitem', { name: item }))
  await waitFor(() => expect(screen.queryByRole('menu')).toBeNull())
}

/** What a person reads, and what they can do next. */
const reads =
  (sentence: string, next: string): Story['play'] =>
  async ({ canvas }) => {
    await expect(canvas.getByText(sentence)).toBeVisible()
    await expect(canvas.getByRole('button', { name: next })).toBeVisible()
  }

/** Nothing is connected yet. */
export const Disconnected: Story = {
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'disconnected')
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

/** Accounts are being read. */
export const Loading: Story = {
  parameters: { fake: { status: 'loading' } },
  play: async ({ canvas }) => {
    const card = canvas.getByRole('article', { name: 'GitHub' })
    await expect(card).toHaveAttribute('data-status', 'loading')
    await expect(card).toHaveAttribute('aria-busy', 'true')
  },
}

/** Who is connected. */
export const Connected: Story = {
  parameters: account({}),
  play: reads('Connected as octocat', 'More options for GitHub'),
}

/** Access has ended, and cannot be renewed. */
export const Expired: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'expired' }),
  play: reads('Access has expired', 'Reconnect GitHub'),
}

/** The person took access back on the provider's site. */
export const Revoked: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'revoked' }),
  play: reads('Access was revoked', 'Reconnect GitHub'),
}

/** The provider no longer takes the token. */
export const TokenRefused: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'invalid_token' }),
  play: reads('GitHub signed this app out', 'Reconnect GitHub'),
}

/** The browser lost the key of what it stored. */
export const SecretUnreadable: Story = {
  parameters: account({ status: 'needs-reconnect', reason: 'secret_unavailable' }),
  play: reads("The saved sign-in can't be read anymore", 'Reconnect GitHub'),
}

/** A key that is not checked yet. */
export const Unverified: Story = {
  args: { provider: 'kaggle' },
  parameters: { fake: { accounts: [{ ...kaggler, reason: 'unverified' }] } },
  play: reads('Not verified yet', 'More options for Kaggle'),
}

const renewed = { expiresAt: Date.now() + 3 * 3_600_000, url: 'https://github.com/octocat' }

/** The row opens the details, among the rows where there is room. */
export const Details: Story = {
  tags: ['!autodocs'],
  parameters: account({ ...renewed, scopes: ['read:user', 'user:email', 'repo'], missingScopes: ['workflow'] }),
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'GitHub' }))
    // It slides open.
    const renews = await canvas.findByText('Renews automatically in 3 hours')
    await waitFor(() => expect(renews).toBeVisible())
  },
}

/** The row opens the details, and its menu does the same. */
export const DetailsByMenu: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: Details.parameters,
  play: async ({ canvas }) => {
    const opener = canvas.getByRole('button', { name: 'GitHub' })
    await userEvent.click(opener)
    await expect(opener).toHaveAttribute('aria-expanded', 'true')
    // It slides open.
    const renews = await canvas.findByText('Renews automatically in 3 hours')
    await waitFor(() => expect(renews).toBeVisible())
    await expect(canvas.getByText('The Octocat')).toBeVisible()
    const fact = (label: string) => canvas.getByText(label).nextElementSibling
    await expect(fact('Can read')).toHaveTextContent('See your profile')
    await expect(fact('Can change')).toHaveTextContent(/all your repositories, private ones tooSensitive/)
    await expect(fact('Not allowed')).toHaveTextContent('Change GitHub Actions workflows')
    await expect(canvas.getByRole('link', { name: 'View GitHub profile' })).toHaveAttribute(
      'rel',
      'noopener noreferrer',
    )
    const technical = canvas.getByRole('button', { name: 'Technical details' })
    await expect(canvas.queryByText('user:email')).toBeNull()
    await userEvent.click(technical)
    await expect(technical).toHaveAttribute('aria-expanded', 'true')
    await expect(
      within(canvas.getByRole('list', { name: 'Technical names from GitHub' })).getByText('user:email'),
    ).toBeVisible()
    await expect(canvas.getByText(octocat.id)).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Disconnect GitHub' }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect octocat from GitHub?' }))
    await userEvent.click(dialog.getByRole('button', { name: 'Cancel' }))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    await choose(canvas, 'Details for GitHub')
    await waitFor(() => expect(opener).toHaveFocus())
  },
}

/** In a narrow place the details are a sheet. It leads to disconnecting, and gives the focus back. */
export const DetailsInASheet: Story = {
  tags: ['!autodocs'],
  globals: { width: '320px' },
  parameters: account({ ...renewed, scopes: ['read:user', 'repo'] }),
  play: async ({ canvas }) => {
    const opener = canvas.getByRole('button', { name: 'GitHub' })
    const sheet = async () => within(await screen.findByRole('dialog', { name: 'Details for GitHub' }))
    await userEvent.click(opener)
    const renews = (await sheet()).getByText('Renews automatically in 3 hours')
    await waitFor(() => expect(renews).toBeVisible())
    await expect((await sheet()).getByRole('button', { name: 'Close' })).toHaveFocus()
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(opener).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await userEvent.click((await sheet()).getByRole('button', { name: 'Disconnect GitHub' }))
    const question = within(await screen.findByRole('dialog', { name: 'Disconnect octocat from GitHub?' }))
    await waitFor(() => expect(question.getByRole('button', { name: 'Cancel' })).toHaveFocus())
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'More options for GitHub' })).toHaveFocus())
    await userEvent.click(opener)
    await sheet()
  },
}

/** What can be done with the account. */
export const Menu: Story = {
  tags: ['!autodocs'],
  parameters: account({}),
  play: async ({ canvas }) => {
    const list = await menu(canvas)
    await waitFor(() => expect(list.getByRole('menuitem', { name: 'Disconnect GitHub' })).toBeVisible())
  },
}

/** The menu by keyboard: Enter, Space and arrow down open it on its first item, letters find one, Escape closes it. */
export const MenuByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: account({}),
  play: async ({ canvas }) => {
    const more = canvas.getByRole('button', { name: 'More options for GitHub' })
    more.focus()
    for (const key of ['{Enter}', ' ', '{ArrowDown}']) {
      await userEvent.keyboard(key)
      const list = within(await screen.findByRole('menu', { name: 'More options for GitHub' }))
      await waitFor(() => expect(list.getByRole('menuitem', { name: 'Details for GitHub' })).toHaveFocus())
      await expect(more).toHaveAttribute('aria-expanded', 'true')
      await userEvent.keyboard('{ArrowUp}')
      await expect(list.getByRole('menuitem', { name: 'Disconnect GitHub' })).toHaveFocus()
      await userEvent.keyboard('p')
      await waitFor(() => expect(list.getByRole('menuitem', { name: 'Pause GitHub' })).toHaveFocus())
      await userEvent.keyboard('{Escape}')
      await waitFor(() => expect(more).toHaveFocus())
      await expect(more).toHaveAttribute('aria-expanded', 'false')
    }
    await userEvent.keyboard('{Enter}')
    const items = (await screen.findAllByRole('menuitem')).map(({ textContent }) => textContent)
    await expect(items).toEqual(['Details', 'Pause', 'Add another GitHub account', 'Disconnect'])
  },
}

/** What an account may do that matters: where it changes something, or what is sensitive. */
export const Abilities: Story = {
  args: { provider: 'gmail' },
  parameters: {
    fake: { accounts: [{ ...ada, scopes: [...gmailScopes, 'https://www.googleapis.com/auth/gmail.send'] }] },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText(/Can read and send email/)).toBeVisible()
    await expect(canvas.getByText('Connected as ada@example.com')).toBeVisible()
  },
}

/** The same in German, where other words are shared. */
export const AbilitiesInGerman: Story = {
  ...Abilities,
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client} messages={german}>
      <AccountCard {...args} />
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => expect(await canvas.findByText(/Kann E-Mails lesen und senden/)).toBeVisible(),
}

/** One line. Its menu and details are those of a row. */
export const Inline: Story = {
  args: { layout: 'inline' },
  parameters: account({}),
  play: async ({ canvas }) => {
    await expect(canvas.getByText('Connected as octocat')).toBeVisible()
    await choose(canvas, 'Details for GitHub')
    await screen.findByRole('dialog', { name: 'Details for GitHub' })
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'GitHub' })).toHaveFocus())
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** Several accounts are one line too, which opens into the card and closes again. */
export const InlineSeveral: Story = {
  args: { layout: 'inline' },
  parameters: { fake: { accounts: [octocat, hubot] } },
  play: async ({ canvas }) => {
    const more = canvas.getByRole('button', { name: 'More options for GitHub' })
    await expect(canvas.getByText('2 accounts')).toBeVisible()
    await userEvent.click(more)
    await expect(more).toHaveAttribute('aria-expanded', 'true')
    await expect(canvas.getByRole('button', { name: 'More options for GitHub (hubot)' })).toBeVisible()
    await expect(more).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await expect(canvas.queryByRole('button', { name: 'More options for GitHub (hubot)' })).toBeNull()
    await expect(more).toHaveFocus()
  },
}

/** One line, while the sign-in window is open. */
export const InlineConnecting: Story = {
  args: { layout: 'inline' },
  parameters: { fake: { states: { github: { status: 'connecting' } } } },
  play: async ({ canvas }) =>
    expect(await canvas.findByRole('button', { name: 'Show window for GitHub' })).toBeVisible(),
}

/** The line says what is going on, and keeps the focus. */
export const InlineConnects: Story = {
  tags: ['!dev', '!autodocs'],
  args: { layout: 'inline' },
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Show window for GitHub' })).toHaveFocus())
    client.settle('github', octocat)
    await waitFor(() => expect(canvas.getByRole('button', { name: 'GitHub' })).toHaveFocus())
    await expect(canvas.getByText('Connected as octocat')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('GitHub: now connected as octocat.'))
  },
}

/** The sign-in window is open. */
export const Connecting: Story = {
  parameters: { fake: { states: { github: { status: 'connecting' } } } },
  play: reads('Continue in the GitHub window', 'Show window for GitHub'),
}

/** m2: there is a way back to a window that slid behind the page. */
export const Waiting: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'pending' }, accounts: [ada] } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    const card = canvas.getByRole('article', { name: 'GitHub' })
    await expect(card).toHaveAttribute('data-status', 'connecting')
    await expect(await within(card).findByText('Continue in the GitHub window')).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toBeVisible()
    const show = canvas.getByRole('button', { name: 'Show window for GitHub' })
    await waitFor(() => expect(show).toHaveFocus())
    // Where a window is open, the client brings it to the front.
    const connect = spyOn(client, 'connect')
    await userEvent.keyboard('{Enter}')
    await expect(connect).toHaveBeenCalledOnce()
  },
}

/** M14: focus after connect is on the new account. By keyboard: cancel connecting, then connect. */
export const ByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.tab()
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Show window for GitHub' })).toHaveFocus())
    await userEvent.tab()
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Show window for GitHub' })).toHaveFocus())
    client.settle('github', octocat)
    await waitFor(() => expect(canvas.getByRole('button', { name: 'GitHub' })).toHaveFocus())
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('GitHub: now connected as octocat.'))
  },
}

/** m1: a closed window is not one that is waited for. */
export const WindowClosed: Story = {
  parameters: { fake: { states: { github: { status: 'connecting', reason: 'popup_closed' } } } },
  play: async ({ canvas }) => {
    const line = await canvas.findByText('Window closed before you finished')
    await expect(line).toHaveAttribute('data-status', 'needs-reconnect')
    await expect(canvas.getByRole('button', { name: 'Try again with GitHub' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toBeVisible()
    await expect(canvas.queryByRole('button', { name: 'Connect GitHub' })).toBeNull()
  },
}

/** The provider has answered, and the account is being saved. */
export const Finishing: Story = {
  parameters: { fake: { states: { github: { status: 'connecting', reason: 'finishing' } } } },
  play: async ({ canvas }) => expect(await canvas.findByText('Finishing up with GitHub…')).toBeVisible(),
}

/** M1: the provider has answered, so nothing speaks of a window any more. Cancel still ends it. */
export const FinishingCancelled: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: Finishing.parameters,
  play: async ({ canvas, loaded: { client } }) => {
    await expect(await canvas.findByText('Finishing up with GitHub…')).toBeVisible()
    await expect(canvas.queryByText(/window/)).toBeNull()
    const cancel = spyOn(client, 'cancel')
    await userEvent.click(canvas.getByRole('button', { name: 'Cancel connecting GitHub' }))
    await expect(cancel).toHaveBeenCalledWith('github')
  },
}

/** The browser blocked the window: there are three other ways. */
export const WindowBlocked: Story = {
  parameters: { fake: { states: { github: { status: 'idle', reason: 'popup_blocked' } } } },
  play: reads('Your browser blocked the pop-up.', 'Open in a new tab'),
}

export const WindowBlockedOtherWays: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'blocked' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText('Your browser blocked the pop-up.')).toBeVisible()
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
  tags: ['!autodocs'],
  parameters: { fake: { states: { github: { status: 'idle', reason: 'popup_blocked' } } } },
  play: async ({ canvas, loaded: { client } }) => {
    const write = spyOn(navigator.clipboard, 'write').mockResolvedValue()
    await userEvent.click(canvas.getByRole('button', { name: 'Copy link' }))
    await expect(await canvas.findByText('Link copied. Open it in this browser to continue.')).toBeVisible()
    const item = write.mock.lastCall?.[0][0]
    await expect(await (await item?.getType('text/plain'))?.text()).toBe('https://github.example/authorize')
    await expect(client.getSnapshot().providers.github?.status).toBe('connecting')
    await expect(canvas.getByRole('button', { name: 'Cancel connecting GitHub' })).toBeVisible()
    write.mockRestore()
  },
}

/** The link could not be made. */
export const LinkNotCopied: Story = {
  tags: ['!autodocs'],
  parameters: LinkCopied.parameters,
  play: async ({ canvas, loaded: { client } }) => {
    spyOn(client, 'connectLink').mockRejectedValue(new LatchkeyError('network', 'GitHub could not be reached.'))
    await userEvent.click(canvas.getByRole('button', { name: 'Copy link' }))
    await expect(await canvas.findByText("The link couldn't be copied.")).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Open in this tab' })).toBeVisible()
  },
}

/** The person declined on the provider's page. */
export const Denied: Story = {
  parameters: { fake: { states: { github: { status: 'idle', reason: 'access_denied' } } } },
  play: reads("You declined access. GitHub wasn't connected.", 'Connect GitHub'),
}

export const DeniedByAClick: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'denied' } } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText("You declined access. GitHub wasn't connected.")).toBeVisible()
    await expect(canvas.queryByRole('alert')).toBeNull()
  },
}

/** If a provider has several accounts, buttons name theirs. One account is used by default. */
export const SeveralAccounts: Story = {
  parameters: { fake: { accounts: [octocat, { ...hubot, status: 'needs-reconnect', reason: 'expired' }] } },
  play: reads('Default', 'More options for GitHub (octocat)'),
}

export const MakesDefault: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: SeveralAccounts.parameters,
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'More options for GitHub (octocat)' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect GitHub (hubot)' })).toBeVisible()
    await expect(canvas.getAllByRole('button', { name: 'Add another GitHub account' })).toHaveLength(1)
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'needs-reconnect')
    await expect(canvas.getByText('Default')).toBeVisible()
    await choose(canvas, 'Make default: hubot', 'GitHub (hubot)')
    await expect(canvas.getByText('Default').parentElement).toHaveTextContent('hubot')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'More options for GitHub (hubot)' })).toHaveFocus())
  },
}

/** M14: focus after adding is on the new account, not on the first one. */
export const AddingAnother: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat], outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    const connect = spyOn(client, 'connect')
    await choose(canvas, 'Add another GitHub account')
    await expect(connect).toHaveBeenCalledWith('github', { intent: 'add-account' })
    client.settle('github', hubot)
    await waitFor(() => expect(canvas.getByRole('button', { name: 'hubot' })).toHaveFocus())
    await expect(canvas.getByRole('button', { name: 'More options for GitHub (octocat)' })).toBeVisible()
  },
}

/** GitHub uses the account that is signed in there, which may be connected already. */
export const AddingTheSame: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Add another GitHub account')
    await expect(await canvas.findByText(/^octocat is already connected/)).toBeVisible()
  },
}

export const AddingTheSameDismissed: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Add another GitHub account')
    await expect(await canvas.findByText(/^octocat is already connected/)).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Dismiss' }))
    await expect(canvas.queryByText(/^octocat is already connected/)).toBeNull()
  },
}

/** M12: "already connected" is over once the account is disconnected. */
export const AddingTheSameThenDisconnecting: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Add another GitHub account')
    await expect(await canvas.findByText(/^octocat is already connected/)).toBeVisible()
    await choose(canvas, 'Disconnect GitHub')
    await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText(/^Access to GitHub revoked/)).toBeVisible()
    await expect(canvas.queryByText(/^octocat is already connected/)).toBeNull()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** The form for a second key. */
export const AddingAnotherKey: Story = {
  tags: ['!autodocs'],
  args: { provider: 'kaggle' },
  parameters: { fake: { accounts: [kaggler] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Add another Kaggle account', 'Kaggle')
    await waitFor(() => expect(canvas.getByLabelText('Kaggle API key')).toHaveFocus())
    // Again, with the form's code there: it has the focus before the menu is gone, and keeps it.
    await userEvent.keyboard('{Escape}')
    await choose(canvas, 'Add another Kaggle account', 'Kaggle')
    // The menu gives the focus back in a task after it is gone; this one comes after that.
    await new Promise((done) => setTimeout(done))
    await expect(canvas.getByLabelText('Kaggle API key')).toHaveFocus()
  },
}

/** The person reconnected, but signed in with a different account. Nothing changes until they choose. */
export const DifferentAccount: Story = {
  tags: ['!autodocs'],
  parameters: {
    fake: { accounts: [{ ...octocat, status: 'needs-reconnect', reason: 'revoked' }], outcomes: { github: mona } },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    const dialog = within(await screen.findByRole('dialog', { name: 'You signed in as mona' }))
    await waitFor(() => expect(dialog.getByRole('button', { name: 'Replace octocat' })).toBeVisible())
  },
}

/** The person reconnects, but signs in with a different account. Nothing changes until they choose; Escape only postpones it. */
export const DifferentAccountReplaces: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: DifferentAccount.parameters,
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    const dialog = await screen.findByRole('dialog', { name: 'You signed in as mona' })
    // m11: Cancel first, what is suggested last, as in every dialog.
    const answers = within(dialog).getAllByRole('button')
    await expect(answers.map(({ textContent }) => textContent)).toEqual(['Cancel', 'Replace octocat', 'Keep both'])
    await waitFor(() => expect(answers[0]).toHaveFocus())
    await userEvent.click(dialog.parentElement?.firstElementChild as Element)
    await expect(dialog).toBeInTheDocument()
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    await expect(canvas.getByText(/^You signed in as mona instead of octocat/)).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Choose' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Replace octocat' }))
    await waitFor(() => expect(canvas.getByRole('button', { name: 'GitHub' })).toHaveFocus())
    await expect(canvas.getByText('Connected as mona')).toBeVisible()
    await expect(canvas.queryByText(/octocat/)).toBeNull()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** After a redirect the question appears without a click. */
export const DifferentAccountReturned: Story = {
  tags: ['!autodocs'],
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
  tags: ['!dev', '!autodocs'],
  parameters: DifferentAccount.parameters,
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Reconnect GitHub' }))
    await userEvent.click(await screen.findByRole('button', { name: 'Keep both' }))
    await expect(await canvas.findByRole('button', { name: 'More options for GitHub (mona)' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Reconnect GitHub (octocat)' })).toBeVisible()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

export const DifferentAccountCancelled: Story = {
  tags: ['!dev', '!autodocs'],
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

/** The agent does not use the account until it is resumed. */
export const Paused: Story = {
  parameters: account({ status: 'paused' }),
  play: reads('Paused', 'Resume GitHub'),
}

export const PausedAndResumed: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Pause GitHub')
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'paused')
    const more = canvas.getByRole('button', { name: 'More options for GitHub' })
    await waitFor(() => expect(more).toHaveFocus())
    await userEvent.click(canvas.getByRole('button', { name: 'Resume GitHub' }))
    await expect(canvas.getByText('Connected as octocat')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'GitHub' })).toHaveFocus())
    await choose(canvas, 'Pause GitHub')
    await expect(canvas.getByText('Paused').parentElement).toHaveTextContent('Paused octocat')
  },
}

/** The browser is offline. */
export const Offline: Story = {
  parameters: { fake: { accounts: [{ ...octocat, reason: 'offline' }, ada] } },
  play: async ({ canvas }) => {
    await expect(canvas.getByText("You're offline")).toBeVisible()
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'connected')
  },
}

/** Access ends soon. */
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
    await expect(canvas.getByText('Unavailable')).toBeVisible()
    await expect(canvas.queryByRole('button', { name: 'Connect GitHub' })).toBeNull()
  },
}

/** Asks first, then shows the receipt. The focus moves to the next button. */
export const Disconnecting: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Disconnect GitHub')
    const question = { name: 'Disconnect octocat from GitHub?' }
    const dialog = within(await screen.findByRole('dialog', question))
    await waitFor(() => expect(dialog.getByText('Your agent will lose access to octocat right away.')).toBeVisible())
    await waitFor(() => expect(dialog.getByRole('button', { name: 'Cancel' })).toHaveFocus())
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'More options for GitHub' })).toHaveFocus())
    await choose(canvas, 'Disconnect GitHub')
    const again = within(await screen.findByRole('dialog', question))
    await userEvent.click(again.getByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText('Access to GitHub revoked.')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveFocus())
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('GitHub disconnected. Access revoked.'))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** The receipt: the account was removed here only. */
export const RemovedButNotRevoked: Story = {
  tags: ['!autodocs'],
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
    await choose(canvas, 'Disconnect GitHub')
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('button', { name: 'Disconnect' }))
    await expect(
      await canvas.findByText(/^Disconnected here, but access to GitHub couldn't be revoked: /),
    ).toBeVisible()
    await expect(canvas.getByRole('link', { name: 'Revoke it on GitHub' })).toHaveAttribute(
      'href',
      'https://github.com/settings/applications',
    )
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** A disconnect shows at once, however slow its provider is. */
export const Revoking: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas, loaded: { client } }) => {
    spyOn(client, 'disconnect').mockImplementation(() => {
      client.set({ accounts: {} })
      return new Promise(() => {})
    })
    await choose(canvas, 'Disconnect GitHub')
    await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText('Revoking access…')).toBeVisible()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}

/** m20: a disconnect is there at once, however slow its provider is. */
export const RevokedSlowly: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat] } },
  play: async ({ canvas, loaded: { client } }) => {
    const { promise, resolve } = Promise.withResolvers<DisconnectReceipt>()
    spyOn(client, 'disconnect').mockImplementation(() => {
      client.set({ accounts: {} })
      return promise
    })
    await choose(canvas, 'Disconnect GitHub')
    await userEvent.click(await screen.findByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText('Revoking access…')).toBeVisible()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    resolve({ status: 'revoked', tokens: ['access_token'] })
    await expect(await canvas.findByText(/^Access to GitHub revoked/)).toBeVisible()
    await expect(canvas.queryByText('Revoking access…')).toBeNull()
  },
}

/** m9: the question names the account, and says what stays. */
export const DisconnectingOneOfSeveral: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [octocat, hubot] } },
  play: async ({ canvas }) => {
    await choose(canvas, 'Disconnect GitHub (hubot)', 'GitHub (hubot)')
    const dialog = within(await screen.findByRole('dialog', { name: 'Disconnect hubot from GitHub?' }))
    await waitFor(() => expect(dialog.getByText(/octocat stays connected\.$/)).toBeVisible())
    await userEvent.click(dialog.getByRole('button', { name: 'Disconnect' }))
    await expect(await canvas.findByText('Access to GitHub (hubot) revoked.')).toBeVisible()
    await expect(canvas.getByRole('article', { name: 'GitHub' })).toHaveAttribute('data-status', 'connected')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'GitHub' })).toHaveFocus())
    await userEvent.click(canvas.getByRole('button', { name: 'Dismiss' }))
    await expect(canvas.queryByText(/^hubot/)).toBeNull()
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  },
}
