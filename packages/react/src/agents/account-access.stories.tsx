import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { AccountAccess } from './access.tsx'
import { fakeRules, tools } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'

/** Which agents may do what with one account. */
const meta = {
  id: 'components-accountaccess',
  title: 'Oversight/AccountAccess',
  component: AccountAccess,
  args: { account: 'gmail.ada@example.com' },
  parameters: { fake: {} },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <AccountAccess {...args} />
    </Page>
  ),
} satisfies Meta<typeof AccountAccess>

export default meta
type Story = StoryObj<typeof meta>

/** A row for each agent that the app gives the account. */
export const Default: Story = {}

/** What a helper has is limited by its parent. */
export const LimitedByItsParent: Story = {
  args: { account: 'gmail.team@example.org' },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Edit: Mail helper' }))
    await userEvent.click(canvas.getByRole('button', { name: 'Details: Mail helper' }))
    await waitFor(() => expect(canvas.getAllByText('Limited by Assistant')).toHaveLength(2))
  },
}

/** Nobody uses it until it is started again. */
export const Stopped: Story = {
  parameters: {
    fake: { rules: { ...fakeRules(), stopped: { agents: {}, accounts: { 'gmail.ada@example.com': 1 } } } },
  },
}

const DAY = 24 * 3_600_000

/** What no tool has needed for 30 days can be given back. */
export const Unused: Story = {
  parameters: {
    fake: {
      agents: [
        {
          ...{ id: 'mail', name: 'Mail helper' },
          tools: [
            { ...tools.listMessages, scopes: ['https://www.googleapis.com/auth/gmail.readonly'] },
            { ...tools.sendMessage, scopes: ['email'] },
          ],
        },
      ],
      lastUses: {
        uses: [
          {
            agent: 'mail',
            account: 'gmail.ada@example.com',
            tool: 'gmail/send_message',
            at: Date.now() - 2 * DAY - 1000,
          },
        ],
        since: Date.now() - 60 * DAY,
      },
    },
  },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByText(/^Not used for 30 days/)).toBeVisible())
  },
}

/** The app gives it to no agent. */
export const NoAgents: Story = { parameters: { fake: { agents: [] } } }
