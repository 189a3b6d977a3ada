import { LatchkeyError } from '@latchkey/core'
import { mcp } from '@latchkey/core/mcp'
import type { Meta, StoryObj } from '@storybook/react-vite'
import { expect, fn, screen, spyOn, userEvent, waitFor, within } from 'storybook/test'
import { ConnectPrompt } from '../connect/connect-prompt.tsx'
import { AccountCard } from '../panel/account-card.tsx'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions } from '../testing.ts'
import { AddMcpServer } from './add-mcp-server.tsx'
import { Registrations } from './registrations.tsx'

const onAdd = fn()
const onConnected = fn()
const onRemove = fn()
const notes = mcp({ id: 'notes', name: 'Notes', url: 'https://notes.example/mcp' })

/** Adds MCP servers, and lists where this app is registered. Use it where people bring servers of their own. */
const meta = {
  id: 'components-mcp-servers',
  title: 'Panel/MCP servers',
  parameters: {
    usage: 'mcp',
    docs: { source: { code: '<AddMcpServer onAdd={({ providers }) => add(providers)} />' } },
  },
  loaders: [({ parameters }) => ({ client: createFakeClient(parameters.fake as FakeClientOptions) })],
  beforeEach: () => {
    onAdd.mockClear()
    onConnected.mockClear()
    onRemove.mockClear()
  },
  decorators: [
    (Story, { loaded }) => (
      <LatchkeyProvider client={loaded.client}>
        <Story />
      </LatchkeyProvider>
    ),
  ],
  render: () => <AddMcpServer onAdd={onAdd} />,
} satisfies Meta

export default meta
type Story = StoryObj<typeof meta>

const dialog = async (canvas: { getByRole: (role: 'button', options: { name: string }) => HTMLElement }) => {
  await userEvent.click(canvas.getByRole('button', { name: 'Add server' }))
  return within(await screen.findByRole('dialog', { name: 'Add an MCP server' }))
}

/** A server is added by its URL, or by an agent's JSON. */
export const Add: Story = {
  play: async ({ canvas }) => {
    const opened = await dialog(canvas)
    await waitFor(() => expect(opened.getByRole('textbox', { name: 'Server URL' })).toHaveFocus())
    await userEvent.click(opened.getByRole('button', { name: 'Continue' }))
    await expect(opened.getByRole('alert')).toHaveTextContent('Enter the address of the server.')
  },
}

/** An app can offer servers to try: one click asks about one. */
export const AddWithExamples: Story = {
  render: () => (
    <AddMcpServer
      onAdd={onAdd}
      examples={['notes', 'tickets', 'files', 'ledger', 'archive'].map((name) => ({
        name,
        url: `https://${name}.example/mcp`,
      }))}
    />
  ),
  play: async ({ canvas }) => {
    const opened = await dialog(canvas)
    await waitFor(() => expect(opened.getByRole('button', { name: 'archive' })).toBeVisible())
  },
}

export const AddWithExamplesDark: Story = {
  ...AddWithExamples,
  tags: ['!dev', '!autodocs'],
  globals: { theme: 'dark' },
}

/** A server's name is its own claim, so its host is shown too. No request was sent yet. */
export const AddAsksFirst: Story = {
  tags: ['!autodocs'],
  parameters: { fake: { providers: [] } },
  play: async ({ canvas }) => {
    const opened = await dialog(canvas)
    await userEvent.click(opened.getByRole('button', { name: 'Paste JSON instead' }))
    const field = opened.getByRole('textbox')
    await userEvent.click(field)
    await userEvent.paste(
      JSON.stringify({
        mcpServers: {
          GitHub: { url: 'https://evil.example/mcp' },
          Docs: { url: 'https://docs.example/mcp', auth: null },
          Search: { url: 'https://search.example/mcp', headers: { 'x-key': 'h1dden' } },
          files: { command: 'npx', args: ['server-files'] },
        },
      }),
    )
    await userEvent.click(opened.getByRole('button', { name: 'Continue' }))
    const question = opened.getByRole('group', { name: 'Add 4 servers?' })
    await expect(within(question).getByText('evil.example')).toBeVisible()
    await expect(within(question).getByText('Local')).toBeVisible()
    await expect(question).not.toHaveTextContent('h1dden')
    await expect(opened.getByText('Add 4 servers?')).toHaveFocus()
    await expect(onAdd).not.toHaveBeenCalled()
    // Back returns to the text.
    await userEvent.click(opened.getByRole('button', { name: 'Back' }))
    await waitFor(() => expect(field).toHaveFocus())
    await expect(field).toHaveDisplayValue(/evil\.example/)
    await userEvent.click(opened.getByRole('button', { name: 'Continue' }))
  },
}

export const AddAsksFirstDark: Story = { ...AddAsksFirst, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

export const Added: Story = {
  tags: ['!dev', '!autodocs'],
  play: async ({ canvas }) => {
    const opened = await dialog(canvas)
    await userEvent.type(opened.getByRole('textbox'), 'https://notes.example/mcp')
    await userEvent.click(opened.getByRole('button', { name: 'Continue' }))
    await userEvent.click(opened.getByRole('button', { name: 'Add' }))
    await expect(onAdd.mock.lastCall?.[0].providers[0].mcp.url).toBe('https://notes.example/mcp')
    await waitFor(() => expect(canvas.getByRole('button', { name: 'Add server' })).toHaveFocus())
  },
}

/** An address that is not allowed. */
export const AddRefused: Story = {
  tags: ['!autodocs'],
  play: async ({ canvas }) => {
    const opened = await dialog(canvas)
    const field = opened.getByRole('textbox')
    await userEvent.type(field, 'http://notes.example/mcp')
    await userEvent.click(opened.getByRole('button', { name: 'Continue' }))
    await expect(opened.getByRole('alert')).toHaveTextContent('Expected https: http is for this machine only.')
    await expect(field).toHaveAttribute('aria-invalid', 'true')
    await expect(field).toHaveFocus()
    await expect(field).toHaveValue('http://notes.example/mcp')
  },
}

export const AddRefusedDark: Story = { ...AddRefused, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

/** The server is in the list already: it is not added again, and its card has the focus. */
export const AddListed: Story = {
  render: () => (
    <>
      <AccountCard provider="notes" />
      <AddMcpServer onAdd={onAdd} />
    </>
  ),
  parameters: { fake: { providers: [notes] } },
  play: async ({ canvas }) => {
    const opened = await dialog(canvas)
    await userEvent.type(opened.getByRole('textbox'), 'https://NOTES.example/mcp/{Enter}')
    await waitFor(() => expect(canvas.getByRole('heading', { name: 'Notes' })).toHaveFocus())
    await expect(canvas.getAllByText('This server is already in the list.')[0]).toBeVisible()
    await expect(onAdd).not.toHaveBeenCalled()
  },
}

const signedIn = {
  id: 'notes.ada',
  provider: 'notes',
  issuer: 'https://login.example',
  label: 'Notes',
  scopes: ['mcp:read', 'offline_access'],
  missingScopes: [],
  status: 'connected',
  renewable: true,
  connectedAt: Date.UTC(2026, 0, 2, 9, 30),
  rev: 1,
  server: { name: 'Notes', toolCount: 3, tools: ['List notes', 'Search notes', 'Write a note'], readAt: Date.now() },
} as const

const removable: Story['render'] = (_, { loaded }) => (
  <LatchkeyProvider client={loaded.client} onRemoveServer={onRemove}>
    <AccountCard provider="notes" />
  </LatchkeyProvider>
)

/** A server says who it is and which tools it has, and seldom who has signed in. */
export const Connected: Story = {
  render: removable,
  parameters: { fake: { providers: [notes], accounts: [signedIn] } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('Signed in')).toBeVisible()
    await expect(canvas.getByText('notes.example · 3 tools')).toBeVisible()
  },
}

/** Its details: the host and the tools. Its scopes have no words, so they are among the technical details. */
export const ConnectedDetails: Story = {
  ...Connected,
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'Notes' }))
    await waitFor(() => expect(screen.getByText('Search notes')).toBeVisible())
    await expect(screen.queryByText('mcp:read')).toBeNull()
  },
}

export const ConnectedDetailsDark: Story = {
  ...ConnectedDetails,
  tags: ['!dev', '!autodocs'],
  globals: { theme: 'dark' },
}

/** Also one that nobody has signed in to can be removed. */
export const Remove: Story = {
  render: removable,
  parameters: { fake: { providers: [notes] } },
  play: async ({ canvas }) => {
    await userEvent.click(await canvas.findByRole('button', { name: 'More options for Notes' }))
    await userEvent.click(await screen.findByRole('menuitem', { name: 'Remove server Notes' }))
    const question = within(await screen.findByRole('dialog', { name: 'Remove Notes?' }))
    await expect(question.getByRole('button', { name: 'Cancel' })).toHaveFocus()
    await expect(onRemove).not.toHaveBeenCalled()
  },
}

export const RemoveDark: Story = { ...Remove, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }

const failed = (code: 'network' | 'not_mcp' | 'no_sign_in'): Story => ({
  render: removable,
  parameters: {
    fake: { providers: [notes], states: { notes: { status: 'idle', error: new LatchkeyError(code, '') } } },
  },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('button', { name: 'More options for Notes' })).toBeVisible()
    await expect(await canvas.findByRole('button', { name: 'Details' })).toBeVisible()
  },
})

/** It is down, or its address is wrong. */
export const Unreachable: Story = failed('network')
/** Something else is at its address. */
export const NoMcpServer: Story = failed('not_mcp')
/** It needs no account. */
export const NoSignIn: Story = failed('no_sign_in')

const registrations = [
  {
    issuer: 'https://login.example/tenant',
    client_id: 'b7e3c1f0-5a55-4c8e-9d2a-1f6b2c3d4e5f',
    method: 'dynamic',
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://app.example/callback'],
    client_secret_expires_at: 2_000_000_000,
  },
  {
    issuer: 'https://id.example',
    client_id: 'https://app.example/client.json',
    method: 'metadata-document',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['https://app.example/callback'],
  },
  {
    issuer: 'https://accounts.example',
    client_id: 'latchkey-console',
    method: 'pre-registered',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['https://app.example/callback'],
  },
] as const

/** Where this app is registered. */
export const RegistrationsOfThisApp: Story = {
  render: () => <Registrations />,
  parameters: { fake: { registrations }, docs: { source: { code: '<Registrations />' } } },
  play: async ({ canvas }) => expect(await canvas.findByText('login.example')).toBeVisible(),
}

export const RegistrationDeleted: Story = {
  tags: ['!dev', '!autodocs'],
  render: () => <Registrations />,
  parameters: { fake: { registrations } },
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('login.example')).toBeVisible()
    const remove = canvas.getByRole('button', { name: 'Delete the registration on id.example' })
    await userEvent.click(remove)
    await screen.findByRole('dialog', { name: 'Delete the registration on id.example?' })
    await userEvent.keyboard('{Escape}')
    await waitFor(() => expect(remove).toHaveFocus())
    await userEvent.click(remove)
    const dialog = within(await screen.findByRole('dialog'))
    await userEvent.click(dialog.getByRole('button', { name: 'Delete' }))
    await waitFor(() => expect(canvas.queryByText('id.example')).toBeNull())
    await expect(canvas.getByRole('status')).toHaveTextContent('Registration on id.example deleted.')
    await waitFor(() => expect(canvas.getByRole('heading')).toHaveFocus())
  },
}

export const RegistrationsDark: Story = {
  tags: ['!dev', '!autodocs'],
  render: () => <Registrations />,
  parameters: { fake: { registrations } },
  globals: { theme: 'dark' },
}

/** The app is registered nowhere. */
export const NoRegistrations: Story = {
  parameters: { docs: { source: { code: '<Registrations />' } } },
  render: () => <Registrations />,
  play: async ({ canvas }) => {
    await expect(await canvas.findByText('No registrations')).toBeVisible()
  },
}

/** For a server without dynamic registration, the person enters a client ID. */
export const NeedsAClientId: Story = {
  render: () => <AccountCard provider="notes" />,
  parameters: {
    docs: { source: { code: '<AccountCard provider="notes" />' } },
    fake: {
      providers: [notes],
      outcomes: { notes: 'pending' },
      states: { notes: { status: 'idle', error: new LatchkeyError('not_configured', 'Takes registered apps only.') } },
    },
  },
  play: async ({ canvas }) => expect(await canvas.findByRole('textbox', { name: 'Client ID' })).toBeVisible(),
}

/** For a server without dynamic registration, the person enters a client ID. It is stored for its authorization server. */
export const TakesAClientId: Story = {
  tags: ['!dev', '!autodocs'],
  render: () => <AccountCard provider="notes" />,
  parameters: {
    fake: {
      providers: [notes],
      outcomes: { notes: 'pending' },
      states: { notes: { status: 'idle', error: new LatchkeyError('not_configured', 'Takes registered apps only.') } },
    },
  },
  play: async ({ canvas, loaded: { client } }) => {
    const field = await canvas.findByRole('textbox', { name: 'Client ID' })
    await expect(canvas.getByText(/Register this app on login\.example/)).toBeVisible()
    await expect(canvas.getByText('https://app.example/callback')).toBeVisible()
    const submit = canvas.getByRole('button', { name: 'Connect Notes' })
    await userEvent.click(submit)
    await expect(canvas.getByRole('alert')).toHaveTextContent('Enter the client ID.')
    await expect(field).toHaveFocus()
    const connect = spyOn(client, 'connect')
    await userEvent.type(field, 'app-at-notes{Enter}')
    await expect(connect).toHaveBeenCalledOnce()
    const { registrations: kept } = await client.mcp()
    await expect(await kept.list()).toEqual([
      expect.objectContaining({ issuer: 'https://login.example', client_id: 'app-at-notes', method: 'pre-registered' }),
    ])
    await expect(await canvas.findByRole('button', { name: 'Cancel connecting Notes' })).toBeVisible()
  },
}

export const NeedsAClientIdDark: Story = {
  tags: ['!dev', '!autodocs'],
  render: NeedsAClientId.render,
  parameters: NeedsAClientId.parameters,
  globals: { theme: 'dark' },
  play: async ({ canvas }) => {
    await expect(await canvas.findByRole('textbox', { name: 'Client ID' })).toBeVisible()
  },
}

/** The server asks the person to visit a page. Only the person opens it, and its host is shown. */
export const Page: Story = {
  render: () => (
    <ConnectPrompt
      request={{
        type: 'authorization_required',
        provider: 'notes',
        mode: 'url',
        url: 'https://billing.notes.example/setup?plan=1',
      }}
      onConnected={onConnected}
    />
  ),
  parameters: {
    docs: { source: { code: '<ConnectPrompt request={request} />' } },
    fake: { providers: [notes] },
  },
  play: async ({ canvas }) => {
    const link = canvas.getByRole('link', { name: 'Open billing.notes.example' })
    await expect(link).toHaveAttribute('target', '_blank')
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer')
    await expect(canvas.queryByRole('button')).toBeNull()
  },
}

export const PageDone: Story = {
  tags: ['!dev', '!autodocs'],
  render: Page.render,
  parameters: {
    fake: {
      providers: [notes],
      accounts: [
        {
          id: 'notes.ada',
          provider: 'notes',
          issuer: 'https://login.example',
          label: 'ada',
          scopes: [],
          missingScopes: [],
          status: 'connected',
          renewable: true,
          connectedAt: 1,
          rev: 1,
        },
      ],
    },
  },
  play: async ({ canvas }) => {
    await userEvent.click(canvas.getByRole('button', { name: "I'm done" }))
    await expect(onConnected).toHaveBeenCalledOnce()
  },
}

export const PageDark: Story = { ...PageDone, tags: ['!dev', '!autodocs'], globals: { theme: 'dark' } }
