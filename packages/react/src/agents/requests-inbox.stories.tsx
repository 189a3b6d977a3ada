import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { fakeRequest, tools } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { RequestsInbox } from './requests-inbox.tsx'

/** Every call that waits for the person, also after its chat is closed. `useRequests().length` is the number for a badge. */
const meta = {
  id: 'components-requestsinbox',
  title: 'Oversight/RequestsInbox',
  component: RequestsInbox,
  parameters: {
    fake: {
      requests: [
        fakeRequest({
          ...{ id: 'r1', agent: 'assistant', account: 'github.octocat', provider: 'github', tool: tools.createIssue },
          ...{ args: { repo: 'octo/hello', title: 'Typo on the first page' }, createdAt: 1 },
        }),
        fakeRequest({ id: 'r2', createdAt: 2 }),
      ],
    },
  },
  loaders: [({ parameters }) => fakePage(parameters.fake)],
  render: (args, { loaded: { Page } }) => (
    <Page>
      <RequestsInbox {...args} />
    </Page>
  ),
} satisfies Meta<typeof RequestsInbox>

export default meta
type Story = StoryObj<typeof meta>

/** The oldest first. */
export const Default: Story = {}

/** What is answered stays where it was, with its answer and what comes of it. The focus is on the next one. */
export const Answered: Story = {
  play: async ({ canvas }) => {
    const [allow] = await canvas.findAllByRole('button', { name: 'Allow' })
    await userEvent.click(allow!)
    await waitFor(() => expect(canvas.getByText('Allowed')).toBeVisible())
    await waitFor(() => expect(canvas.getAllByRole('button', { name: 'Allow' })).toHaveLength(1))
    await waitFor(() => expect(canvas.getAllByRole('article')[1]).toHaveFocus())
    await expect(canvas.getByText(/^The agent goes on where it asked/)).toBeVisible()
  },
}

/** No call waits. A chat may still ask for an account. */
export const Empty: Story = { parameters: { fake: { requests: [] } } }

/** Before the requests are there. */
export const Loading: Story = { parameters: { fake: { pending: ['requests'] } } }

/** The requests could not be loaded. */
export const Failed: Story = { parameters: { fake: { failing: ['requests'] } } }
