import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { Activity } from './activity.tsx'
import { fakePage } from './fake-page.tsx'

/** What agents did with accounts, newest first. What was blocked is there too. */
const meta = {
  id: 'components-activity',
  title: 'Oversight/Activity',
  component: Activity,
  parameters: { fake: {} },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <Activity {...args} />
    </Page>
  ),
} satisfies Meta<typeof Activity>

export default meta
type Story = StoryObj<typeof meta>

/** All agents, page by page. */
export const Default: Story = {
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getAllByRole('listitem')).toHaveLength(20))
    await userEvent.click(canvas.getByRole('button', { name: 'Show more' }))
    await waitFor(() => expect(canvas.getAllByRole('listitem')).toHaveLength(40))
  },
}

/** Of one agent. */
export const OneAgent: Story = { args: { agent: 'mail' } }

/** Nothing was done yet. */
export const Empty: Story = { parameters: { fake: { uses: [] } } }

/** Before the first page is there. */
export const Loading: Story = { parameters: { fake: { pending: ['activity'] } } }

/** The list could not be loaded. */
export const Failed: Story = { parameters: { fake: { failing: ['activity'] } } }
