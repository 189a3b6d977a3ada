import { LatchkeyError } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, userEvent, waitFor, within } from 'storybook/test'
import { usePendingRequests } from '../hooks.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { ConnectPrompt, type ConnectPromptProps } from './connect-prompt.tsx'

/** A card in the chat. Show it where a tool needs an account that is missing, or more of it. */
const meta = {
  id: 'components-connectprompt',
  title: 'In chat/ConnectPrompt',
  component: ConnectPrompt,
  args: {
    request: { type: 'authorization_required', provider: 'github', toolName: 'list_issues' },
    onConnected: fn(),
  },
  argTypes: { request: { control: 'object' } },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ConnectPrompt {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ConnectPrompt>

export default meta
type Story = StoryObj<typeof meta>

/** A tool needs an account. */
export const Asks: Story = {
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('article', { name: 'GitHub is needed to run list_issues' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
  },
}

export const Connects: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText('GitHub is connected as octocat')).toBeVisible()
    await expect(args.onConnected).toHaveBeenCalledOnce()
  },
}

/** The account is there. */
export const ConnectedAlready: Story = {
  parameters: { fake: { accounts: [fakeAccount()] } },
  play: async ({ canvas, args }) => {
    await expect(canvas.getByText('GitHub is connected as octocat')).toBeVisible()
    await expect(args.onConnected).not.toHaveBeenCalled()
  },
}

/** A tool needs more than was granted. Scopes are described in the provider's words; one that it does not know is left out. */
export const AsksForMore: Story = {
  parameters: { fake: { accounts: [fakeAccount()] } },
  args: { request: { type: 'authorization_required', provider: 'github', scopes: ['repo', 'gist', 'evil:all'] } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('article', { name: 'More access to GitHub is needed to continue' })).toBeVisible()
    await expect(canvas.getByText('Read and change all your repositories, private ones too')).toBeVisible()
    await expect(canvas.queryByText(/evil/)).toBeNull()
  },
}

export const AsksForMoreThenConnects: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: AsksForMore.parameters,
  args: AsksForMore.args,
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Grant access to GitHub' }))
    await expect(await canvas.findByText('GitHub is connected as octocat')).toBeVisible()
    await expect(args.onConnected).toHaveBeenCalledWith(
      expect.objectContaining({ scopes: ['read:user', 'user:email', 'repo', 'gist'] }),
    )
  },
}

/** The person paused the account. */
export const Paused: Story = {
  parameters: { fake: { accounts: [fakeAccount({ status: 'paused' })] } },
  play: async ({ canvas }) => expect(canvas.getByText('You paused this account.')).toBeVisible(),
}

/** A paused account is resumed without a window. */
export const Resumes: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { accounts: [fakeAccount({ status: 'paused' })] } },
  play: async ({ canvas, args }) => {
    await expect(canvas.getByText('You paused this account.')).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Resume GitHub' }))
    await expect(await canvas.findByText('GitHub is connected as octocat')).toBeVisible()
    await expect(args.onConnected).toHaveBeenCalledOnce()
  },
}

/** A provider that takes a key: the form opens in the prompt. */
export const AsksForAKey: Story = {
  tags: ['!autodocs'],
  args: { request: { type: 'authorization_required', provider: 'kaggle' } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    await expect(await canvas.findByLabelText('Kaggle API key')).toBeVisible()
  },
}

export const ConnectsWithAKey: Story = {
  tags: ['!dev', '!autodocs'],
  args: { request: { type: 'authorization_required', provider: 'kaggle' } },
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    await userEvent.type(await canvas.findByLabelText('Kaggle API key'), 'KGAT_0123{Enter}')
    await expect(await canvas.findByText(/^Kaggle is connected as/)).toBeVisible()
    await expect(args.onConnected).toHaveBeenCalledOnce()
  },
}

/** The broker has no client for this provider. */
export const NotConfigured: Story = {
  parameters: {
    fake: { states: { github: { status: 'idle', error: new LatchkeyError('not_configured', 'No client secret.') } } },
  },
  play: async ({ canvas }) => {
    await expect(canvas.getByText("This app isn't set up for GitHub yet.")).toBeVisible()
    await expect(canvas.queryByRole('button')).toBeNull()
  },
}

/** A tool can name any provider. The prompt shows nothing for one that the page does not know. */
export const UnknownProvider: Story = {
  args: { request: { type: 'authorization_required', provider: 'evil', message: 'Type your password here' } },
  parameters: { nothing: 'this page has no provider "evil".' },
  play: async ({ canvasElement }) => {
    await expect(canvasElement.querySelector('.latchkey')).toBeNull()
    await expect(canvasElement).not.toHaveTextContent('password')
  },
}

/** Two tools in the page wait for accounts. "Not now" tells a tool that the person declined. */
export const NotNow: Story = {
  parameters: {
    fake: {
      requests: [
        { type: 'authorization_required', provider: 'github', toolName: 'list_issues' },
        { type: 'authorization_required', provider: 'gmail', toolName: 'search_mail' },
      ],
    },
    docs: {
      source: {
        code: '{usePendingRequests().map((request) => (\n  <ConnectPrompt key={request.provider} request={request} />\n))}',
      },
    },
  },
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <Pending {...args} />
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Not now: GitHub' })).toBeVisible()
    await expect(canvas.getByRole('button', { name: 'Not now: Gmail' })).toBeVisible()
  },
}

/** A tool in the page waits for the answer. "Not now" tells it that the person declined. */
export const NotNowAnswers: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { requests: [{ type: 'authorization_required', provider: 'github', toolName: 'list_issues' }] } },
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <Pending {...args} />
    </LatchkeyProvider>
  ),
  play: async ({ canvas, loaded: { client } }) => {
    const no = canvas.getByRole('button', { name: 'Not now: GitHub' })
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeVisible()
    await userEvent.click(no)
    await expect(canvas.queryByRole('article')).toBeNull()
    await expect(client.getSnapshot().requests).toEqual([])
    const outcome = client.requestConnect({ type: 'authorization_required', provider: 'kaggle' })
    await expect(await canvas.findByRole('button', { name: 'Connect Kaggle' })).toBeVisible()
    await userEvent.click(canvas.getByRole('button', { name: 'Not now: Kaggle' }))
    await expect(await outcome).toEqual({ status: 'cancelled' })
    void client.requestConnect({ type: 'authorization_required', provider: 'gmail', toolName: 'search_mail' })
  },
}

function Pending({ onConnected }: Pick<ConnectPromptProps, 'onConnected'>) {
  return usePendingRequests().map((request) => (
    <ConnectPrompt key={request.provider} request={request} onConnected={onConnected} />
  ))
}

export const AsksForMoreDark: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: AsksForMore.parameters,
  args: AsksForMore.args,
  globals: { theme: 'dark' },
}

/** The sign-in window is open. */
export const Connecting: Story = {
  parameters: { fake: { states: { github: { status: 'connecting' } } } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('article')).toHaveAttribute('data-status', 'connecting')
    await expect(await canvas.findByRole('button', { name: 'Show window for GitHub' })).toBeVisible()
  },
}

/** By keyboard: the focus moves from the button to Cancel, and then to the result. */
export const ConnectingByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.tab()
    await userEvent.keyboard('{Enter}')
    await expect(canvas.getByRole('article')).toHaveAttribute('data-status', 'connecting')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Show window for GitHub' })).toHaveFocus())
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('Connecting GitHub.'))
    client.settle('github', 'connected')
    await waitFor(() => expect(canvas.getByText('GitHub is connected as octocat')).toHaveFocus())
  },
}

/** The browser blocked the window: there are three other ways. */
export const Blocked: Story = {
  parameters: { fake: { states: { github: { status: 'idle', reason: 'popup_blocked' } } } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('button', { name: 'Open in a new tab' })).toBeVisible()
  },
}

export const BlockedByTheBrowser: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'blocked' } } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByRole('button', { name: 'Open in a new tab' })).toBeVisible()
  },
}

/** The person declined on the provider's page. */
export const Denied: Story = {
  parameters: { fake: { states: { github: { status: 'idle', reason: 'access_denied' } } } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText("You declined access. GitHub wasn't connected.")).toBeVisible()
  },
}

export const DeniedByAClick: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'denied' } } },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText("You declined access. GitHub wasn't connected.")).toBeVisible()
  },
}

/** Connecting failed: who failed, and what to do. */
export const Failed: Story = {
  parameters: {
    fake: {
      states: { github: { status: 'idle', error: new LatchkeyError('network', 'GitHub could not be reached.') } },
    },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('alert')).toHaveTextContent("GitHub couldn't be reached")
  },
}

export const FailedDark: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: new LatchkeyError('network', 'GitHub could not be reached.') } } },
  globals: { theme: 'dark' },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByRole('alert')).toHaveTextContent("GitHub couldn't be reached")
  },
}

/** With consent: a dialog asks what the agent may do, before the window opens. */
export const AsksFirst: Story = {
  tags: ['!autodocs'],
  parameters: AsksForMore.parameters,
  args: AsksForMore.args,
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client} consent>
      <ConnectPrompt {...args} />
    </LatchkeyProvider>
  ),
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Grant access to GitHub' }))
    const dialog = within(await screen.findByRole('dialog'))
    await expect(dialog.getByRole('checkbox', { name: /all your repositories/ })).not.toBeChecked()
  },
}

/** With consent: a sensitive scope that a tool asks for is not granted by clicking through. */
export const AsksFirstThenConnects: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: AsksForMore.parameters,
  args: AsksForMore.args,
  render: AsksFirst.render,
  play: async ({ canvas, args }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Grant access to GitHub' }))
    const dialog = within(await screen.findByRole('dialog'))
    await expect(dialog.getByRole('checkbox', { name: /all your repositories/ })).not.toBeChecked()
    await userEvent.click(dialog.getByRole('checkbox', { name: /all your repositories/ }))
    await userEvent.click(dialog.getByRole('button', { name: 'Continue to GitHub' }))
    await waitFor(() =>
      expect(args.onConnected).toHaveBeenCalledWith(
        expect.objectContaining({ scopes: ['read:user', 'user:email', 'repo', 'gist'] }),
      ),
    )
  },
}
