// @vitest-environment jsdom
import { LatchkeyError, type Provider } from '@latchkey/core'
import { mcp } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { useEffect } from 'react'
import { afterEach, expect, it, vi } from 'vitest'
import {
  AccountsMenu,
  AddMcpServer,
  ConnectedAccounts,
  ConnectPrompt,
  LatchkeyProvider,
  Registrations,
  useMcpServers,
} from '../index.ts'
import { createFakeClient, fakeAccount } from '../testing.ts'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(() => {
  cleanup()
  localStorage.clear()
  vi.restoreAllMocks()
})

const show = (children: React.ReactNode, client = createFakeClient()) =>
  render(<LatchkeyProvider client={client}>{children}</LatchkeyProvider>)

it('case 148: no request goes to a new server until the person has seen its host and agreed', async () => {
  const fetch = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('nothing may be asked'))
  const onAdd = vi.fn()
  show(<AddMcpServer onAdd={onAdd} />, createFakeClient({ providers: [] }))
  await paste('{"mcpServers":{"GitHub":{"url":"https://evil.example/mcp"}}}')
  // The name is only the server's claim, so the host must be shown.
  expect(screen.getByText('evil.example')).toBeTruthy()
  expect(onAdd).not.toHaveBeenCalled()
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd).toHaveBeenCalledTimes(1)
  expect(onAdd.mock.calls[0]?.[0].providers[0].mcp.url).toBe('https://evil.example/mcp')
  expect(fetch).not.toHaveBeenCalled()
})

/** Opens the dialog if it is not open, and has its JSON asked about. */
async function paste(text: string) {
  if (!screen.queryByRole('dialog')) await userEvent.click(screen.getByRole('button', { name: 'Add server' }))
  await screen.findByRole('dialog', { name: 'Add an MCP server' })
  const json = screen.queryByRole('button', { name: 'Paste JSON instead' })
  if (json) await userEvent.click(json)
  await userEvent.click(screen.getByRole('textbox'))
  await userEvent.paste(text)
  await userEvent.click(screen.getByRole('button', { name: 'Continue' }))
}

it('case 217: a server with the id of an account but another address is refused before any request', async () => {
  const account = fakeAccount({
    provider: 'notes',
    issuer: 'https://as.example',
    resource: 'https://notes.example/mcp',
  })
  const onAdd = vi.fn()
  show(<AddMcpServer onAdd={onAdd} />, createFakeClient({ providers: [], accounts: [account] }))
  await paste('{"Notes":{"url":"https://evil.example/mcp"}}')
  expect(screen.getByRole('alert').textContent).toBe('The name Notes is taken. Give the server a different one.')
  expect(screen.queryByRole('button', { name: 'Add' })).toBeNull()
  // The server that the account is for can come back.
  await userEvent.clear(screen.getByRole('textbox'))
  await paste('{"Notes":{"url":"https://notes.example/mcp"}}')
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd).toHaveBeenCalledOnce()
})

it('case 224: a server with the id of a provider of the page is refused, and the page keeps working', async () => {
  const onAdd = vi.fn()
  const client = createFakeClient()
  show(<AddMcpServer onAdd={onAdd} />, client)
  for (const entry of ['{"url":"https://evil.example/mcp"}', '{"command":"npx"}']) {
    await paste(`{"GitHub":${entry}}`)
    expect(screen.getByRole('alert').textContent).toContain('The name GitHub is taken.')
    await userEvent.clear(screen.getByRole('textbox'))
  }
  // Also a provider that was added while the person was asked.
  await paste('{"Notes":{"url":"https://evil.example/mcp"}}')
  client.setProviders([...client.providers, mcp({ id: 'notes', url: 'https://notes.example/mcp' })])
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(screen.getByRole('alert').textContent).toContain('The name Notes is taken.')
  expect(onAdd).not.toHaveBeenCalled()
})

it('case 224: an app that still adds it keeps the provider that it had', async () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  const evil = mcp({ id: 'github', name: 'GitHub', url: 'https://evil.example/mcp' })
  const providers = [github()]
  const page = (list: readonly Provider[]) => (
    <LatchkeyProvider providers={list} redirectUri="/callback">
      <ConnectedAccounts />
    </LatchkeyProvider>
  )
  const { rerender, container } = render(page(providers))
  rerender(page([...providers, evil]))
  rerender(page([...providers, evil]))
  expect(await screen.findByText('Repositories, issues and pull requests')).toBeTruthy()
  expect(container.textContent).not.toContain('evil.example')
  expect(logged).toHaveBeenCalledWith(expect.stringContaining('Two providers have the id "github"'))
})

it('case 223: the question names the account, and the host that would get it', async () => {
  const fields = `{"url":"https://cats.evil.example/mcp","headers":{"X-Cat":"\${GITHUB_TOKEN}","X-Key":"\${KAGGLE_KEY}"}}`
  show(<AddMcpServer onAdd={() => {}} />)
  await paste(`{"cats":${fields}}`)
  const question = screen.getByRole('group', { name: 'Add this server?' })
  expect(question.textContent).toContain('cats.evil.example will get access to your GitHub account.')
  expect(question.textContent).toContain('cats.evil.example will get access to your Kaggle account.')
})

it('says where the JSON is wrong', async () => {
  show(<AddMcpServer onAdd={() => {}} />)
  await paste('{"mcpServers":{"a":{"url":"http://mcp.example/"}}}')
  expect(screen.getByRole('alert').textContent).toContain('mcpServers.a.url: expected https')
})

it('lists registrations by their real host, and deletes one', async () => {
  const registration = {
    issuer: 'https://as.example/tenant',
    client_id: 'abc',
    method: 'dynamic',
    token_endpoint_auth_method: 'none',
    redirect_uris: [],
    client_secret_expires_at: 2_000_000_000,
  } as const
  show(<Registrations />, createFakeClient({ registrations: [registration] }))
  expect(await screen.findByText('as.example')).toBeTruthy()
  expect(screen.getByText('abc')).toBeTruthy()
  expect(screen.getByText(/Secret expires/)).toBeTruthy()
  await userEvent.click(screen.getByRole('button', { name: 'Delete the registration on as.example' }))
  const dialog = await screen.findByRole('dialog', { name: 'Delete the registration on as.example?' })
  await userEvent.click(within(dialog).getByRole('button', { name: 'Delete' }))
  expect(await screen.findByText('No registrations')).toBeTruthy()
})

it('case 147: no picture of a server is loaded', () => {
  const notes = mcp({ id: 'notes', name: 'Notes', url: 'https://notes.example/mcp' })
  const request = { type: 'authorization_required', provider: 'notes' } as const
  const logo = { ...notes, logo_uri: 'https://track.example/logo.png' }
  const { container } = show(<ConnectPrompt request={request} />, createFakeClient({ providers: [logo] }))
  expect(container.textContent).toContain('Notes')
  expect(container.querySelector('img')).toBeNull()
  expect(container.innerHTML).not.toContain('track.example')
})

it('a page that a server asks to visit is linked by its host, and opens only with a click', () => {
  const notes = mcp({ id: 'notes', name: 'Notes', url: 'https://notes.example/mcp' })
  const request = {
    type: 'authorization_required',
    provider: 'notes',
    mode: 'url',
    url: 'https://acme.example/connect?x=1',
  } as const
  show(<ConnectPrompt request={request} />, createFakeClient({ providers: [notes] }))
  const link = screen.getByRole('link', { name: 'Open acme.example' })
  expect(link.getAttribute('href')).toBe('https://acme.example/connect?x=1')
  expect(link.getAttribute('rel')).toBe('noopener noreferrer')
})

it('case 265: no page is linked for a provider that is no MCP server', () => {
  const url = 'https://github.com-login.evil.example/'
  const request = { type: 'authorization_required', provider: 'github', mode: 'url', url } as const
  const { container } = show(<ConnectPrompt request={request} />, createFakeClient())
  expect(container.innerHTML).not.toContain('evil.example')
})

it('a token in the JSON stays in the field, and is in no React state', async () => {
  const onAdd = vi.fn()
  const { container } = show(<AddMcpServer onAdd={onAdd} />)
  await paste('{"search":{"url":"https://search.example/mcp","headers":{"authorization":"Bearer h1dden"}}}')
  expect(screen.getByText('search.example')).toBeTruthy()
  const seen = new Set<unknown>()
  const holds = (value: unknown): boolean => {
    if (typeof value === 'string') return value.includes('h1dden')
    if (typeof value !== 'object' || value === null || value instanceof Node || seen.has(value)) return false
    seen.add(value)
    return Object.values(value).some(holds)
  }
  const root = Object.keys(container).find((name) => name.startsWith('__reactContainer$')) ?? ''
  expect(holds((container as unknown as Record<string, unknown>)[root])).toBe(false)
  expect(document.body.innerHTML).not.toContain('h1dden')
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd.mock.lastCall?.[0].servers[0].headers).toEqual({ authorization: 'Bearer h1dden' })
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
})

const notes = mcp({ id: 'notes', name: 'Notes', url: 'https://notes.example/mcp' })

it.each(['https://NOTES.example:443/mcp/', 'https://notes.example/mcp'])(
  'M9: %s is in the list already: it says so, and the card has the focus',
  async (url) => {
    const onAdd = vi.fn()
    const page = (
      <>
        <ConnectedAccounts />
        <AddMcpServer onAdd={onAdd} />
      </>
    )
    show(page, createFakeClient({ providers: [notes] }))
    await userEvent.click(screen.getByRole('button', { name: 'Add server' }))
    await userEvent.type(await screen.findByRole('textbox', { name: 'Server URL' }), `${url}{Enter}`)
    expect(await screen.findAllByText('This server is already in the list.')).toHaveLength(2)
    expect(screen.getAllByRole('status').map((node) => node.textContent)).toContain(
      'This server is already in the list.',
    )
    await waitFor(() => expect(document.activeElement?.closest('article')?.getAttribute('data-provider')).toBe('notes'))
    expect(onAdd).not.toHaveBeenCalled()
  },
)

it('M9: of pasted servers only those are added that are not in the list, each once', async () => {
  const onAdd = vi.fn()
  show(<AddMcpServer onAdd={onAdd} />, createFakeClient({ providers: [notes] }))
  const url = 'https://mail.example/mcp'
  await paste(JSON.stringify({ mine: { url: 'https://notes.example/mcp/' }, mail: { url }, again: { url: `${url}/` } }))
  expect(screen.getByRole('group', { name: 'Add this server?' }).textContent).toContain('Already in the list: Notes.')
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  const [added] = onAdd.mock.lastCall ?? []
  expect(added.providers.map(({ id }: Provider) => id)).toEqual(['mail'])
  expect(added.servers.map(({ id }: Provider) => id)).toEqual(['mail'])
})

it('an example is asked about with one click, and what was typed is there after Back', async () => {
  const onAdd = vi.fn()
  const examples = [
    { name: 'mail', url: 'https://mail.example/mcp', clientId: 'app' },
    { name: 'notes', url: 'https://notes.example/mcp' },
  ]
  show(<AddMcpServer onAdd={onAdd} examples={examples} />, createFakeClient({ providers: [notes] }))
  await userEvent.click(screen.getByRole('button', { name: 'Add server' }))
  await userEvent.type(await screen.findByRole('textbox'), 'https://mine.example')
  // Those that are in the list are not offered.
  expect(screen.queryByRole('button', { name: 'notes' })).toBeNull()
  await userEvent.click(screen.getByRole('button', { name: 'mail' }))
  expect(screen.getByText('mail.example')).toBeTruthy()
  await userEvent.click(screen.getByRole('button', { name: 'Back' }))
  expect(screen.getByRole<HTMLInputElement>('textbox').value).toBe('https://mine.example')
  await userEvent.click(screen.getByRole('button', { name: 'mail' }))
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd.mock.lastCall?.[0].providers[0]).toMatchObject({ id: 'mail', client: { client_id: 'app' } })
})

/** An app whose list of servers is the kit's. */
function App({ client }: { client: ReturnType<typeof createFakeClient> }) {
  const servers = useMcpServers({ key: 'test-servers' })
  useEffect(() => client.setProviders([github(), ...servers.providers]), [client, servers])
  return (
    <LatchkeyProvider client={client} onRemoveServer={servers.remove}>
      <ConnectedAccounts />
      <AddMcpServer onAdd={servers.add} />
    </LatchkeyProvider>
  )
}

async function remove(name: string) {
  await userEvent.click(await screen.findByRole('button', { name: `More options for ${name}` }))
  await userEvent.click(await screen.findByRole('menuitem', { name: `Remove server ${name}` }))
  await userEvent.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Remove' }))
}

it('M9: a server that nobody has connected is removed, and the list is kept without it', async () => {
  const client = createFakeClient({ providers: [] })
  const { unmount } = render(<App client={client} />)
  await paste(JSON.stringify({ Notes: { url: 'https://notes.example/mcp' } }))
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  const card = await screen.findByRole('article', { name: 'Notes' })
  expect(card.textContent).toContain('notes.example')
  expect(card.textContent).toContain('MCP')
  expect(localStorage.getItem('test-servers')).toContain('notes.example')
  // GitHub's menu has no such item, and Cancel removes nothing.
  await userEvent.click(await screen.findByRole('button', { name: 'More options for Notes' }))
  await userEvent.click(await screen.findByRole('menuitem', { name: 'Remove server Notes' }))
  const dialog = await screen.findByRole('dialog', { name: 'Remove Notes?' })
  expect(document.activeElement?.textContent).toBe('Cancel')
  await userEvent.click(within(dialog).getByRole('button', { name: 'Cancel' }))
  expect(screen.getByRole('article', { name: 'Notes' })).toBeTruthy()
  await remove('Notes')
  await waitFor(() => expect(screen.queryByRole('article', { name: 'Notes' })).toBeNull())
  expect(screen.getAllByRole('status').map((node) => node.textContent)).toContain('Notes removed.')
  await waitFor(() => expect(document.activeElement?.closest('article')?.getAttribute('data-provider')).toBe('github'))
  expect(localStorage.getItem('test-servers')).toBe('[]')
  unmount()
})

it('M9: a connected server is disconnected first; a pending revocation is said before it goes', async () => {
  const account = fakeAccount({ provider: 'notes', username: undefined, name: undefined, label: 'Notes' })
  const error = new LatchkeyError('network', 'offline')
  const client = createFakeClient({
    providers: [notes],
    accounts: [account],
    receipts: { notes: { status: 'pending', error } },
  })
  const onRemoveServer = vi.fn()
  render(
    <LatchkeyProvider client={client} onRemoveServer={onRemoveServer}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )
  await remove('Notes')
  const dialog = await screen.findByRole('dialog')
  await within(dialog).findByText(/will be revoked as soon as Notes can be reached/)
  expect(client.getSnapshot().accounts).toEqual({})
  expect(onRemoveServer).not.toHaveBeenCalled()
  await userEvent.click(within(dialog).getByRole('button', { name: 'Done' }))
  expect(onRemoveServer).toHaveBeenCalledExactlyOnceWith('notes')
})

it('M9: without an app that can remove it, no menu offers that', async () => {
  const account = fakeAccount({ provider: 'notes', username: undefined, name: undefined, label: 'Notes' })
  show(<ConnectedAccounts />, createFakeClient({ providers: [notes], accounts: [account] }))
  await userEvent.click(await screen.findByRole('button', { name: 'More options for Notes' }))
  await screen.findByRole('menuitem', { name: 'Disconnect Notes' })
  expect(screen.queryByRole('menuitem', { name: /Remove/ })).toBeNull()
})

it("M10: a server's row says who signed in if it is known, where it is, and how many tools it has", async () => {
  const server = { name: 'Notes', toolCount: 14, tools: Array.from({ length: 14 }, (_, at) => `Tool ${at}`), readAt: 1 }
  const scopes = ['mcp:read', 'offline_access']
  const facts = { provider: 'notes', username: undefined, name: undefined, label: 'Notes', server, scopes }
  const client = createFakeClient({ providers: [notes], accounts: [fakeAccount(facts)] })
  const asked = vi.spyOn(client, 'refreshProfile')
  show(<ConnectedAccounts />, client)
  const card = await screen.findByRole('article', { name: 'Notes' })
  await within(card).findByText('Signed in')
  expect(card.textContent).toContain('notes.example · 14 tools')
  expect(card.textContent).not.toContain('mcp:read')
  await waitFor(() => expect(asked).toHaveBeenCalledOnce())
  await userEvent.click(within(card).getByRole('button', { name: 'Notes' }))
  const dialog = await screen.findByRole('dialog')
  expect(within(dialog).getByText('Tool 11')).toBeTruthy()
  expect(within(dialog).queryByText('Tool 12')).toBeNull()
  expect(within(dialog).getByText('and 2 more')).toBeTruthy()
  expect(dialog.textContent).not.toContain('mcp:read')
  await userEvent.click(within(dialog).getByRole('button', { name: 'Technical details' }))
  expect(within(dialog).getByText('mcp:read')).toBeTruthy()
  client.setAccount(fakeAccount({ ...facts, name: 'Ada Lovelace', label: 'Ada Lovelace' }))
  await waitFor(() => expect(card.textContent).toContain('Connected as Ada Lovelace'))
})

it('M10: a picture that came with the answer is shown; a server named like a brand has no brand mark', () => {
  const icon = 'data:image/png;base64,AAAA'
  const drawn = { ...notes, mcp: { ...notes.mcp, icon } }
  const posing = mcp({ id: 'github', name: 'GitHub', url: 'https://evil.example/mcp' })
  const { container } = show(<ConnectedAccounts />, createFakeClient({ providers: [drawn, posing] }))
  const [picture] = container.querySelectorAll('img')
  expect(picture?.getAttribute('src')).toBe(icon)
  // Where the page's policy stops it, the letter stands in.
  fireEvent.error(picture as Element)
  expect(container.querySelector('[data-provider=notes] .latchkey-mark')?.textContent).toBe('N')
  expect(container.querySelector('[data-provider=github] .latchkey-mark')?.textContent).toBe('G')
})

it.each([
  ['network', "Notes couldn't be reached. Check its address, or try again later."],
  ['not_mcp', "There's no MCP server at this address. Remove Notes, then add it with the right one."],
  ['no_sign_in', 'Notes needs no sign-in. Your agent can use it right away.'],
] as const)('a server that cannot be connected (%s) says what to do, and can be removed', async (code, sentence) => {
  const states = { notes: { status: 'idle', error: new LatchkeyError(code, 'x') } } as const
  render(
    <LatchkeyProvider client={createFakeClient({ providers: [notes], states })} onRemoveServer={() => {}}>
      <ConnectedAccounts />
    </LatchkeyProvider>,
  )
  expect(await screen.findByText(sentence)).toBeTruthy()
  expect(await screen.findByRole('button', { name: 'More options for Notes' })).toBeTruthy()
})

it('M11: the letters in the accounts button are no part of its name', async () => {
  const account = fakeAccount({ provider: 'notes', username: undefined, label: 'Notes' })
  show(<AccountsMenu agent="assistant" />, createFakeClient({ providers: [notes], accounts: [account] }))
  const button = screen.getByRole('button', { name: 'Accounts in use: Notes' })
  const heard = [...button.querySelectorAll('span')].filter((node) => !node.closest('[aria-hidden]'))
  expect(heard.map((node) => node.textContent)).toEqual(['Accounts in use: Notes'])
})
