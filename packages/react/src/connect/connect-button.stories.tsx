import { LatchkeyError } from '@latchkey/core'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions } from '../testing.ts'
import { ConnectButton } from './connect-button.tsx'

/** A button on its own. Use it where your page asks for one account; notices and forms appear below it. */
const meta = {
  id: 'components-connectbutton',
  title: 'In chat/ConnectButton',
  component: ConnectButton,
  args: { provider: 'github', variant: 'full', size: 'medium', kind: 'primary', consent: false, onConnected: fn() },
  argTypes: {
    provider: { control: 'inline-radio', options: ['github', 'gmail', 'kaggle'] },
    variant: { control: 'inline-radio', options: ['full', 'compact', 'icon'] },
    size: { control: 'inline-radio', options: ['small', 'medium', 'large'] },
    kind: { control: 'inline-radio', options: ['primary', 'secondary', 'quiet'] },
    consent: { control: 'boolean' },
  },
  parameters: { controls: { disable: false } },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ConnectButton {...args} />
    </LatchkeyProvider>
  ),
} satisfies Meta<typeof ConnectButton>

export default meta
type Story = StoryObj<typeof meta>

/** The mark and the whole sentence. */
export const Full: Story = {
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveTextContent('Connect GitHub')
  },
}

export const Connects: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas, args }) => {
    const button = canvas.getByRole('button', { name: 'Connect GitHub' })
    await expect(button).toHaveTextContent('Connect GitHub')
    await expect(button).toHaveAttribute('data-status', 'disconnected')
    await userEvent.click(button)
    await waitFor(() => expect(args.onConnected).toHaveBeenCalledOnce())
    await expect(button).toHaveAttribute('data-status', 'connected')
    await expect(button).toHaveFocus()
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('GitHub: now connected as octocat.'))
  },
}

/** One word, for a row that names the service. */
export const Compact: Story = {
  args: { variant: 'compact' },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveTextContent(/^Connect$/)
  },
}

/** The mark only. */
export const Icon: Story = {
  args: { variant: 'icon', kind: 'secondary' },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toHaveTextContent('')
  },
}

/** Every variant, in every size and kind. */
export const All: Story = {
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      {(['primary', 'secondary', 'quiet'] as const).map((kind) =>
        (['small', 'medium', 'large'] as const).map((size) => (
          <div key={kind + size} style={{ display: 'flex', flexWrap: 'wrap', gap: 12, marginBlockEnd: 12 }}>
            {(['github', 'gmail', 'kaggle'] as const).map((provider, at) => {
              const variant = (['full', 'compact', 'icon'] as const)[at]
              return (
                <div key={provider}>
                  <ConnectButton {...args} kind={kind} size={size} provider={provider} variant={variant} />
                </div>
              )
            })}
          </div>
        )),
      )}
    </LatchkeyProvider>
  ),
}

export const AllDark: Story = { ...All, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** The sign-in window is open. */
export const Connecting: Story = {
  parameters: { fake: { states: { github: { status: 'connecting' } } } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Connecting GitHub.' })).toHaveAttribute(
      'data-status',
      'connecting',
    )
  },
}

/** The button stays. Another click brings the window to the front. */
export const ConnectingByKeyboard: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.tab()
    await userEvent.keyboard('{Enter}')
    const button = canvas.getByRole('button', { name: 'Connecting GitHub.' })
    await expect(button).toHaveAttribute('data-status', 'connecting')
    await expect(button).toHaveFocus()
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('Connecting GitHub.'))
    await userEvent.click(canvas.getByRole('button', { name: 'Cancel connecting GitHub' }))
    const again = await canvas.findByRole('button', { name: 'Connect GitHub' })
    await waitFor(() => expect(again).toHaveFocus())
    await expect(again).toHaveAttribute('data-status', 'disconnected')
    await userEvent.click(again)
    await expect(client.getSnapshot().providers.github?.status).toBe('connecting')
  },
}

/** The browser blocked the window: there are three other ways. */
export const Blocked: Story = {
  parameters: { fake: { states: { github: { status: 'idle', reason: 'popup_blocked' } } } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('Your browser blocked the pop-up.')).toBeVisible()
  },
}

export const BlockedOpensATab: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: { fake: { outcomes: { github: 'blocked' } } },
  play: async ({ canvas, loaded: { client } }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    await expect(await canvas.findByText('Your browser blocked the pop-up.')).toBeVisible()
    await waitFor(() => expect(canvas.getByRole('status')).toHaveTextContent('The GitHub pop-up was blocked.'))
    const connect = spyOn(client, 'connect')
    await userEvent.click(canvas.getByRole('button', { name: 'Open in a new tab' }))
    await expect(connect).toHaveBeenLastCalledWith('github', { mode: 'tab' })
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
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeEnabled()
  },
}

/** Connecting failed: who failed, and what to do. */
export const Failed: Story = {
  parameters: {
    fake: { states: { github: { status: 'idle', error: new LatchkeyError('server_error', 'GitHub had a problem.') } } },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('alert')).toHaveTextContent('GitHub had a problem. Try again in a moment.')
  },
}

export const FailedDetails: Story = {
  tags: ['!dev', '!autodocs'],
  parameters: {
    fake: {
      outcomes: {
        github: new LatchkeyError('server_error', 'GitHub had a problem.', { detail: 'upstream timeout' }),
      },
    },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    const alert = await canvas.findByRole('alert')
    await expect(alert).toHaveTextContent('GitHub had a problem. Try again in a moment.')
    await expect(alert).not.toHaveTextContent('upstream timeout')
    const more = within(alert).getByRole('button', { name: 'Details' })
    await userEvent.click(more)
    await expect(more).toHaveAttribute('aria-expanded', 'true')
    await expect(alert).toHaveTextContent('Code: server_error · GitHub said: “upstream timeout”')
    await expect(within(alert).getByRole('button', { name: 'Try again with GitHub' })).toBeVisible()
  },
}

export const FailedDark: Story = { ...Failed, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** Accounts are being read. */
export const Loading: Story = {
  parameters: { fake: { status: 'loading' } },
  play: async ({ canvas }) => {
    await expect(canvas.getByRole('button', { name: 'Connect GitHub' })).toBeDisabled()
  },
}

/** A provider that takes a key: the form opens below the button. */
export const WithAKey: Story = {
  tags: ['!autodocs'],
  args: { provider: 'kaggle' },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    await waitFor(async () => expect(await canvas.findByLabelText('Kaggle API key')).toHaveFocus())
  },
}

/** Escape closes the form. */
export const WithAKeyClosed: Story = {
  tags: ['!dev', '!autodocs'],
  args: { provider: 'kaggle' },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect Kaggle' }))
    await waitFor(async () => expect(await canvas.findByLabelText('Kaggle API key')).toHaveFocus())
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connect Kaggle' })).toHaveFocus())
  },
}

/** `asChild`: the app's own button keeps its look and text, and gets the behaviour. */
export const AsChild: Story = {
  parameters: {
    docs: {
      source: {
        code: '<ConnectButton provider="github" asChild>\n  <button type="button">Bring your repositories</button>\n</ConnectButton>',
      },
    },
  },
  render: (args, { loaded }) => (
    <LatchkeyProvider client={loaded.client}>
      <ConnectButton {...args} asChild className="mine" data-testid="own">
        <button type="button">Bring your repositories</button>
      </ConnectButton>
    </LatchkeyProvider>
  ),
}

export const AsChildConnects: Story = {
  tags: ['!dev', '!autodocs'],
  render: AsChild.render,
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas }) => {
    const button = canvas.getByRole('button', { name: 'Bring your repositories' })
    await expect(button).toHaveClass('mine')
    await expect(button).toHaveAttribute('data-testid', 'own')
    await userEvent.click(button)
    await expect(button).toHaveAttribute('data-status', 'connecting')
  },
}

/** With consent: a dialog asks what the agent may do, before the window opens. */
export const AsksFirst: Story = {
  tags: ['!autodocs'],
  args: { consent: true },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: 'Connect GitHub' }))
    const dialog = await screen.findByRole('dialog', { name: 'Choose what your agent can do with GitHub' })
    await waitFor(() => expect(dialog).toBeVisible())
  },
}

/** With consent: the window opens with the click in the dialog. Escape opens no window. */
export const AsksFirstThenConnects: Story = {
  tags: ['!dev', '!autodocs'],
  args: { consent: true },
  parameters: { fake: { outcomes: { github: 'pending' } } },
  play: async ({ canvas, loaded: { client } }) => {
    const connect = spyOn(client, 'connect')
    const button = canvas.getByRole('button', { name: 'Connect GitHub' })
    await userEvent.click(button)
    await screen.findByRole('dialog', { name: 'Choose what your agent can do with GitHub' })
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(button).toHaveFocus())
    await expect(connect).not.toHaveBeenCalled()
    await userEvent.click(button)
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('checkbox', { name: 'See your email addresses' }))
    const next = dialog.getByRole('button', { name: 'Continue to GitHub' })
    let inTheClick = false
    const listen = () => {
      inTheClick = connect.mock.calls.length === 1
    }
    next.ownerDocument.addEventListener('click', listen, { once: true })
    await userEvent.click(next)
    await expect(inTheClick).toBe(true)
    await expect(connect).toHaveBeenCalledWith('github', {
      intent: 'add-account',
      scopes: ['read:user'],
      accountId: undefined,
    })
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Connecting GitHub.' })).toHaveFocus())
  },
}
