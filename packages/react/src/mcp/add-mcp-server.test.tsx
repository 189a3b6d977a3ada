// @vitest-environment jsdom
import type { Provider } from '@latchkey/core'
import { mcp } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { cleanup, configure, render, screen, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, it, vi } from 'vitest'
import { AddMcpServer, ConnectedAccounts, ConnectPrompt, LatchkeyProvider, Registrations } from '../index.ts'
import { createFakeClient, fakeAccount } from '../testing.ts'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(() => {
  cleanup()
  vi.restoreAllMocks()
})

const show = (children: React.ReactNode, client = createFakeClient()) =>
  render(<LatchkeyProvider client={client}>{children}</LatchkeyProvider>)

it('case 148: no request goes to a new server until the person has seen its host and agreed', async () => {
  const fetch = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('nothing may be asked'))
  const onAdd = vi.fn()
  show(<AddMcpServer onAdd={onAdd} />, createFakeClient({ providers: [] }))
  await userEvent.click(screen.getByRole('textbox'))
  await userEvent.paste('{"mcpServers":{"GitHub":{"url":"https://evil.example/mcp"}}}')
  expect(onAdd).not.toHaveBeenCalled()
  await userEvent.click(screen.getByRole('button', { name: 'Continue' }))
  // The name is only the server's claim, so the host must be shown.
  expect(screen.getByText('evil.example')).toBeTruthy()
  expect(onAdd).not.toHaveBeenCalled()
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd).toHaveBeenCalledTimes(1)
  expect(onAdd.mock.calls[0]?.[0].providers[0].mcp.url).toBe('https://evil.example/mcp')
  expect(fetch).not.toHaveBeenCalled()
})

async function paste(text: string) {
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
  await userEvent.click(screen.getByRole('textbox'))
  await userEvent.paste('{"mcpServers":{"a":{"url":"http://mcp.example/"}}}')
  await userEvent.click(screen.getByRole('button', { name: 'Continue' }))
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
  const field = screen.getByRole<HTMLTextAreaElement>('textbox')
  await userEvent.click(field)
  await userEvent.paste('{"search":{"url":"https://search.example/mcp","headers":{"authorization":"Bearer h1dden"}}}')
  await userEvent.click(screen.getByRole('button', { name: 'Continue' }))
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
  expect(container.innerHTML).not.toContain('h1dden')
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd.mock.lastCall?.[0].servers[0].headers).toEqual({ authorization: 'Bearer h1dden' })
  expect(field.value).toBe('')
})
