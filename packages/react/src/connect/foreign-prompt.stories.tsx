import { readForeignRequest } from '@latchkey/core/runtimes/foreign'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, userEvent, waitFor } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient } from '../testing.ts'
import { ForeignPrompt } from './foreign-prompt.tsx'

const asked = (said: object) => {
  const request = readForeignRequest(said)
  if (!request) throw new Error('No vault says that.')
  return request
}
// Storybook follows no link of another site.
const stay = (event: Event) => event.preventDefault()

/** A card in the chat for an account that another vault keeps. It opens that vault's page, and notices the return. */
const meta = {
  id: 'components-foreignprompt',
  title: 'In chat/ForeignPrompt',
  component: ForeignPrompt,
  args: {
    request: asked({ id: 'ca_1', status: 'INITIATED', redirectUrl: 'https://connect.composio.dev/link/ln_abc123' }),
    onReturn: fn(),
  },
  argTypes: { request: { control: 'object' }, check: { control: false } },
  parameters: { controls: { disable: false } },
  loaders: [() => ({ client: createFakeClient() })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ForeignPrompt {...args} />
    </LatchkeyProvider>
  ),
  beforeEach() {
    document.addEventListener('click', stay)
    return () => document.removeEventListener('click', stay)
  },
} satisfies Meta<typeof ForeignPrompt>

export default meta
type Story = StoryObj<typeof meta>

/** A vault that is known by its host. */
export const Asks: Story = {
  play: async ({ canvas }) => {
    await expect(
      canvas.getByRole('article', { name: 'Composio needs you to visit connect.composio.dev' }),
    ).toBeVisible()
  },
}

/** A page that nobody knows: its host stands in plain sight, and a word of warning. */
export const OfAnUnknownHost: Story = {
  args: { request: asked({ status: 'pending', url: 'https://accounts.gооgle.com/o/oauth2/auth?client_id=arcade' }) },
}

/** The sign-in of a provider that this page knows, for a vault that has no page of its own. */
export const OfAProvider: Story = {
  args: { request: asked({ status: 'pending', url: 'https://github.com/login/oauth/authorize?client_id=arcade' }) },
}

/** There is something to type on the page. */
export const WithACode: Story = {
  args: { request: asked({ status: 'connect_required', url: 'https://vercel.com/connect/a', userCode: 'WDJB-MJHT' }) },
}

/** The page was opened. */
export const Away: Story = {
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('link', { name: 'Open connect.composio.dev' }))
    await waitFor(() => expect(canvas.getByText("Come back here when you're done.")).toBeVisible())
  },
}

/** The person came back, and the vault says that the account is not there. */
export const Missing: Story = {
  args: { check: async () => false },
  play: async (context) => {
    await Away.play?.(context)
    await userEvent.click(context.canvas.getByRole('button', { name: "I'm done" }))
    await waitFor(() => expect(context.canvas.getByRole('article')).toHaveTextContent("The account isn't there yet."))
  },
}

/** The person came back. The agent tries again. */
export const Back: Story = {
  play: async (context) => {
    await Away.play?.(context)
    await userEvent.click(context.canvas.getByRole('button', { name: "I'm done" }))
    const name = 'You came back from connect.composio.dev'
    await waitFor(() => expect(context.canvas.getByRole('article', { name })).toBeVisible())
    await expect(context.args.onReturn).toHaveBeenCalledOnce()
  },
}

/** The page has ended: there is another one for the asking. */
export const Ended: Story = {
  args: { request: asked({ status: 'connect_required', url: 'https://vercel.com/connect/a', expiresAt: 1 }) },
  play: async ({ canvas }) => {
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Ask again' })).toBeVisible())
  },
}

export const OfAnUnknownHostDark: Story = {
  tags: ['!dev', '!autodocs'],
  args: OfAnUnknownHost.args,
  globals: { theme: 'dark' },
}
