import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor, within } from 'storybook/test'
import '../oversight.css'
import { arabic } from '../messages/ar.ts'
import { AgentAccess } from './access.tsx'
import { fakeRules, tools } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'

/** What one agent may do with each account: a preset in a word, and exceptions under Details. */
const meta = {
  id: 'components-agentaccess',
  title: 'Oversight/AgentAccess',
  component: AgentAccess,
  args: { agent: 'assistant' },
  parameters: { fake: {} },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <AgentAccess {...args} />
    </Page>
  ),
} satisfies Meta<typeof AgentAccess>

export default meta
type Story = StoryObj<typeof meta>

/** One line for each account. */
export const Default: Story = {
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByText('Read only · 2 exceptions')).toBeVisible())
  },
}

/** A helper never has more than its parent, and only the accounts that the app gives it. */
export const Helper: Story = { args: { agent: 'mail' } }

/** The four presets, each with what it means. */
export const Presets: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: octocat' }))
  },
}

/** A preset that allows more says what that is, and holds after a second click. */
export const AllowsMore: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(canvas.getByRole('radio', { name: 'Trusted' }))
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Switch to Trusted' })).toBeVisible())
  },
}

/** A preset that allows less and ends exceptions says which, and holds after a second click. */
export const AllowsLess: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(canvas.getByRole('radio', { name: 'Read only' }))
    await waitFor(() => expect(canvas.getByRole('list', { name: 'Ends' })).toBeVisible())
  },
}

/** Tools by what they do, and the exceptions. */
export const Details: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(canvas.getByRole('button', { name: 'Details: ada@example.com' }))
    const group = within(await canvas.findByRole('radiogroup', { name: 'Send a message' }))
    await userEvent.click(group.getByRole('radio', { name: 'Never' }))
    await waitFor(() => expect(group.getByRole('radio', { name: 'Never' })).toBeChecked())
  },
}

/** The one exception of a row is named there, with what becomes of it and how long. */
export const OneException: Story = {
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByText('Create an issue')).toBeVisible())
  },
}

/** An exception says what it reaches, and the next one has the focus when one ends. */
export const ExceptionsReach: Story = {
  parameters: {
    fake: {
      rules: {
        agents: {
          assistant: {
            ...{ accounts: {}, providers: {} },
            rules: [
              {
                ...{ id: 'e1', of: { account: 'gmail.ada@example.com' }, decision: 'allow' },
                subject: { tool: tools.sendMessage.name, version: '1' },
              },
              {
                ...{ id: 'e2', of: { provider: 'gmail' }, reach: { except: ['gmail.team@example.org'] } },
                ...{ subject: { effect: 'destructive' }, decision: 'never' },
              },
              {
                ...{ id: 'e3', of: { account: 'gmail.ada@example.com' }, decision: 'ask' },
                subject: { tool: tools.listMessages.name, version: '1' },
              },
            ],
          },
        },
        stopped: { agents: {}, accounts: {} },
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: ada@example.com' }))
    await userEvent.click(canvas.getByRole('button', { name: 'Details: ada@example.com' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'End: List messages' }))
    await waitFor(() =>
      expect(canvas.getByRole('button', { name: "End: Everything that can't be undone" })).toHaveFocus(),
    )
  },
}

/** Providers that the agent has tools for, before an account of them is connected: what it will start with. */
export const NotConnected: Story = {
  parameters: { fake: { client: { accounts: [] } } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: GitHub' }))
  },
}

/** A stopped agent can be started again. */
export const Stopped: Story = {
  parameters: { fake: { rules: { ...fakeRules(), stopped: { agents: { assistant: 1 }, accounts: {} } } } },
}

/** A helper stops with the agent that started it, and starts again with that one. */
export const StoppedWithItsParent: Story = { ...Stopped, args: { agent: 'mail' } }

const lastUse = { agent: 'assistant', account: 'github.octocat', tool: 'github/list_repos' }

/** Each row says when the account was last used. */
export const Used: Story = {
  parameters: { fake: { lastUses: { uses: [{ ...lastUse, at: Date.now() - 5 * 60_000 - 1000 }] } } },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByText(/Used 5 minutes ago/)).toBeVisible())
  },
}

/** Before the rules are there. */
export const Loading: Story = { parameters: { fake: { pending: ['rules'] } } }

/** The rules could not be loaded. */
export const Failed: Story = { parameters: { fake: { failing: ['rules'] } } }

/** A change that did not reach the app. */
export const ChangeFailed: Story = {
  parameters: { fake: { failing: ['change'] } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: octocat' }))
    await userEvent.click(canvas.getByRole('radio', { name: 'Off' }))
    await waitFor(() => expect(canvas.getByRole('alert')).toBeVisible())
    await expect(canvas.getByRole('radio', { name: 'Ask before changes' })).toBeChecked()
  },
}

/** In Arabic, from right to left. */
export const Arabic: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { messages: arabic } },
  globals: { dir: 'rtl' },
  play: async ({ canvas }) => {
    const [change] = await canvas.findAllByRole('button', { name: /تعديل/ })
    await userEvent.click(change!)
    await userEvent.click(canvas.getByRole('button', { name: /تفاصيل/ }))
  },
}
