import type { Agent, PersonRules, Rule } from '@latchkey/core/agents'
import { gmail } from '@latchkey/core/providers/gmail'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { arabic } from '../messages/ar.ts'
import { fakeAccount } from '../testing.ts'
import { accounts, providers, tools } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { Readiness } from './readiness.tsx'

const HOUR = 3_600_000
const SEND = 'https://www.googleapis.com/auth/gmail.send'
const [octocat, ada] = accounts
const agents: readonly Agent[] = [
  {
    ...{ id: 'assistant', name: 'Assistant' },
    tools: [
      tools.listRepos,
      tools.createIssue,
      tools.listMessages,
      { ...tools.sendMessage, scopes: [SEND] },
      tools.deleteDraft,
    ],
  },
]
const person = (presets: PersonRules['agents'][string]['providers'], rules: Rule[] = []): PersonRules => ({
  agents: { assistant: { accounts: {}, providers: presets, rules } },
  stopped: { agents: {}, accounts: {} },
})
const trusted = person({ github: 'trusted', gmail: 'trusted' })
const sender = fakeAccount({ ...ada!, scopes: [...gmail().scopes, SEND] })
const all = { agents, rules: trusted, client: { accounts: [octocat!, sender] } }
const unattended = ['github/list_repos', 'github/create_issue', 'gmail/send_message']

/** Whether a run can do its work without its person, and what mends it. */
const meta = {
  id: 'components-readiness',
  title: 'Oversight/Readiness',
  component: Readiness,
  args: { agent: 'assistant', tools: unattended, duration: 2 * HOUR },
  parameters: { fake: {} },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <Readiness {...args} />
    </Page>
  ),
} satisfies Meta<typeof Readiness>

export default meta
type Story = StoryObj<typeof meta>

/** Nothing is in the way. */
export const Ready: Story = {
  parameters: { fake: all },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByRole('heading', { name: 'Ready for this run' })).toBeVisible())
  },
}

/** Ready, and it says which access ends first. */
export const EndsLater: Story = {
  parameters: {
    fake: {
      ...{ agents, rules: trusted },
      client: { accounts: [{ ...octocat!, renewable: false, expiresAt: Date.now() + 72 * HOUR }, sender] },
    },
  },
}

/** Changes are asked about. Each can be allowed for as long as the run takes. */
export const WillAsk: Story = {
  parameters: { fake: { agents, rules: person({}), client: { accounts: [octocat!, sender] } } },
}

/** One thing of each kind: not connected, too narrow, and ends during the run. */
export const ToMend: Story = {
  parameters: {
    fake: {
      ...{ agents, rules: trusted },
      client: {
        providers,
        accounts: [
          { ...octocat!, renewable: false, expiresAt: Date.now() + HOUR },
          { ...sender, scopes: gmail().scopes },
        ],
      },
    },
  },
}

/** No account yet, or one that has to be connected again. */
export const NotConnected: Story = {
  parameters: {
    fake: {
      ...{ agents, rules: trusted },
      client: { accounts: [{ ...sender, status: 'needs-reconnect', reason: 'revoked' }] },
    },
  },
}

/** The person said no to a tool that the run needs, paused one account and stopped another. */
export const NotAllowed: Story = {
  args: { tools: ['github/create_issue', 'gmail/send_message'] },
  parameters: {
    fake: {
      agents,
      rules: {
        ...person({ github: 'read-only', gmail: 'trusted' }),
        stopped: { agents: {}, accounts: { 'gmail.team@example.org': 1 } },
      },
      client: { accounts: [octocat!, { ...sender, status: 'paused' }, accounts[2]!] },
    },
  },
}

/** What was allowed for some time ends too early. */
export const PermissionEnds: Story = {
  parameters: {
    fake: {
      agents,
      rules: person({ gmail: 'trusted' }, [
        {
          ...{ id: 'l1', of: { account: 'github.octocat' }, decision: 'allow', until: Date.now() + HOUR },
          subject: { tool: 'github/create_issue', version: '1' },
        },
      ]),
      client: { accounts: [octocat!, sender] },
    },
  },
}

/** The agent was stopped. */
export const Stopped: Story = {
  parameters: {
    fake: {
      agents,
      rules: { ...trusted, stopped: { agents: { assistant: 1 }, accounts: {} } },
      client: { accounts: [octocat!, sender] },
    },
  },
}

/** The schedule names a tool that the agent does not have any more. */
export const ToolGone: Story = {
  args: { tools: ['github/list_repos', 'github/close_issue'] },
  parameters: { fake: all },
}

/** All that will ask is allowed for the run. */
export const Mended: Story = {
  ...WillAsk,
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Allow for this run: Create an issue' }))
    await userEvent.click(await canvas.findByRole('button', { name: 'Allow for this run: Send a message' }))
    await waitFor(() => expect(canvas.getByRole('heading', { name: 'Ready for this run' })).toHaveFocus())
  },
}

/** Before the rules are there. */
export const Loading: Story = { parameters: { fake: { agents, pending: ['rules'] } } }

/** The rules could not be loaded. */
export const Failed: Story = { parameters: { fake: { agents, failing: ['rules'] } } }

/** In Arabic, from right to left. */
export const Arabic: Story = {
  ...ToMend,
  tags: ['!autodocs'],
  parameters: { fake: { ...ToMend.parameters?.fake, messages: arabic } },
  globals: { dir: 'rtl' },
}
