import type { Agent } from '@latchkey/core/agents'
import { github } from '@latchkey/core/providers/github'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { arabic } from '../messages/ar.ts'
import { fakeAccount } from '../testing.ts'
import { AccessPreview } from './access-preview.tsx'
import { fakeRules, tools } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'

const deleteRepo = {
  ...tools.deleteDraft,
  name: 'github/delete_repo',
  title: 'Delete a repository',
  provider: 'github',
}
const readFile = { ...tools.listRepos, name: 'github/read_file', title: 'Read a file' }
const needs = (scopes: readonly string[]) => (tool: Agent['tools'][number]) => ({ ...tool, scopes })

/** An agent whose tools say which scopes they need. */
const coder: Agent = {
  ...{ id: 'assistant', name: 'Assistant' },
  tools: [
    ...[tools.listRepos, readFile].map(needs(['repo'])),
    ...[tools.createIssue, deleteRepo].map(needs(['repo'])),
    tools.listMessages,
  ],
}
const withRepos = github({ scopes: ['read:user', 'user:email', 'repo'] })
const octocat = fakeAccount({ connectedAt: 1, scopes: ['read:user', 'user:email', 'repo'] })
const page = { agents: [coder], rules: { agents: {}, stopped: { agents: {}, accounts: {} } } }
const client = { providers: [withRepos], accounts: [octocat] }

/** What an agent can do with an account, before it does anything. */
const meta = {
  id: 'components-accesspreview',
  title: 'Oversight/AccessPreview',
  component: AccessPreview,
  args: { agent: 'assistant', account: 'github.octocat' },
  parameters: { fake: {} },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <AccessPreview {...args} />
    </Page>
  ),
} satisfies Meta<typeof AccessPreview>

export default meta
type Story = StoryObj<typeof meta>

/** What it reads, what it changes, what it cannot do, and the permissions behind that. */
export const Default: Story = {
  parameters: { fake: { ...page, client } },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByRole('list', { name: 'Changes' })).toBeVisible())
  },
}

/** Before an account is connected: by the scopes that will be asked for, with a way to connect less. */
export const BeforeConsent: Story = {
  args: { account: undefined, provider: 'github' },
  parameters: { fake: { ...page, client: { ...client, accounts: [] } } },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect GitHub read-only' })).toBeVisible())
  },
}

/** What another preset allows more. */
export const MoreByPreset: Story = {
  parameters: { fake: { ...page, client } },
  args: { change: 'trusted' },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByRole('list', { name: 'Allows more' })).toBeVisible())
  },
}

/** What another preset allows less. */
export const LessByPreset: Story = {
  parameters: { fake: { ...page, client } },
  args: { change: 'off' },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Everything it can do then' }))
  },
}

/** A change that makes no difference. */
export const NoDifference: Story = {
  args: { change: 'ask-before-changes' },
  parameters: { fake: { ...page, client } },
}

/** A tool needs more than the account has: it asks for that first. */
export const NeedsMoreAccess: Story = {
  parameters: { fake: { ...page, client: { ...client, accounts: [{ ...octocat, scopes: ['read:user'] }] } } },
}

/** Only reads: the rest is what it cannot do. */
export const ReadOnly: Story = {
  parameters: {
    fake: {
      ...page,
      client,
      rules: {
        ...page.rules,
        agents: { assistant: { accounts: { 'github.octocat': 'read-only' }, providers: {}, rules: [] } },
      },
    },
  },
}

/** The app declares no tools: the scopes say what could be done. */
export const WithoutTools: Story = {
  parameters: { fake: { ...page, client, agents: [{ ...coder, tools: [] }] } },
}

/** Before the rules are there. */
export const Loading: Story = { parameters: { fake: { ...page, client, pending: ['rules'] } } }

/** The rules could not be loaded. */
export const Failed: Story = { parameters: { fake: { ...page, client, failing: ['rules'] } } }

/** In Arabic, from right to left. */
export const Arabic: Story = {
  tags: ['!autodocs'],
  args: { account: 'gmail.ada@example.com', change: 'trusted' },
  parameters: { fake: { rules: fakeRules(), messages: arabic } },
  globals: { dir: 'rtl' },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getAllByRole('listitem').length).toBeGreaterThan(0))
  },
}
