import type { AgentRuntime, Need } from '@latchkey/core/runtimes/requests'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, screen, userEvent, waitFor } from 'storybook/test'
import '../oversight.css'
import { fakeRequest } from './fake-oversight.ts'
import { fakePage } from './fake-page.tsx'
import { RuntimePrompt } from './runtime-prompt.tsx'
import { useRequests } from './runtime-requests.ts'

const ID = 'r'.repeat(22)

/** A runtime that waits for one thing, and hears nothing of the answer. */
const waitingFor = (need: Need, answer: AgentRuntime['answer'] = () => {}): AgentRuntime => ({
  find: () => [{ ...need, id: 'one' }],
  answer,
})
function Chat({ runtime }: { runtime: AgentRuntime }) {
  return useRequests(runtime).map((request) => <RuntimePrompt key={request.id} request={request} />)
}
const ofGmail: Need = {
  kind: 'account',
  connect: { type: 'authorization_required', provider: 'gmail', toolName: 'send_message' },
}

/** Whatever an agent's runtime waits for, as one card. Use it in the chat, for each of `useRequests(runtime)`. */
const meta = {
  id: 'components-runtimeprompt',
  title: 'Oversight/RuntimePrompt',
  component: RuntimePrompt,
  args: { request: undefined as never },
  argTypes: { request: { control: false } },
  parameters: { runtime: waitingFor({ kind: 'call', request: ID }), fake: {} },
  loaders: [({ parameters }) => fakePage({ requests: [fakeRequest({ id: ID })], ...parameters.fake })],
  render: (_, { loaded: { Page }, parameters: { runtime } }) => (
    <Page>
      <Chat runtime={runtime} />
    </Page>
  ),
} satisfies Meta<typeof RuntimePrompt>

export default meta
type Story = StoryObj<typeof meta>

/** A call that its person is asked about. */
export const Call: Story = {
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('button', { name: 'Allow' })).toBeVisible()
  },
}

/** An account that is missing. The person can do without it, and the agent goes on all the same. */
export const Account: Story = {
  parameters: { runtime: waitingFor(ofGmail), fake: { client: { accounts: [] } } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('button', { name: 'Not now: Gmail' })).toBeVisible()
  },
}

/** An account that was there before the agent asked, such as after a reload. It goes on when the person says so. */
export const AccountThatIsThere: Story = {
  parameters: { runtime: waitingFor(ofGmail) },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('button', { name: 'Continue with Gmail' })).toBeVisible()
  },
}

/** A page of another vault. */
export const PageOfAVault: Story = {
  parameters: {
    runtime: waitingFor({
      kind: 'page',
      page: {
        ...{ vault: 'composio', url: 'https://connect.composio.dev/link/ln_abc123', host: 'connect.composio.dev' },
      },
    }),
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('button', { name: 'Not now: Composio' })).toBeVisible()
  },
}

/** An account of a service that this page does not have. */
export const OfAnUnknownService: Story = {
  parameters: {
    runtime: waitingFor({ kind: 'account', connect: { type: 'authorization_required', provider: 'nowhere' } }),
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText(/a service that this app doesn't have/)).toBeVisible()
  },
}

/** The runtime could not be told of the answer. */
export const NotTold: Story = {
  parameters: {
    runtime: waitingFor(ofGmail, () => Promise.reject(new Error('offline'))),
    fake: { client: { accounts: [] } },
  },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Not now: Gmail' }))
    await waitFor(() => expect(screen.getByRole('alert')).toBeVisible())
  },
}
