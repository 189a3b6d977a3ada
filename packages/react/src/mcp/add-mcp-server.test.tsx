// @vitest-environment jsdom
import { mcp } from '@latchkey/core/mcp'
import { cleanup, configure, render, screen, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, it, vi } from 'vitest'
import { AddMcpServer, ConnectPrompt, LatchkeyProvider, Registrations } from '../index.ts'
import { createFakeClient } from '../testing.ts'

// Parts load when they are needed, which takes a busy machine its time.
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
  show(<AddMcpServer onAdd={onAdd} />)
  await userEvent.click(screen.getByRole('textbox'))
  await userEvent.paste('{"mcpServers":{"GitHub":{"url":"https://evil.example/mcp"}}}')
  expect(onAdd).not.toHaveBeenCalled()
  await userEvent.click(screen.getByRole('button', { name: 'Continue' }))
  // The name is the server's claim; the host is what it is.
  expect(screen.getByText('evil.example')).toBeTruthy()
  expect(onAdd).not.toHaveBeenCalled()
  await userEvent.click(screen.getByRole('button', { name: 'Add' }))
  expect(onAdd).toHaveBeenCalledTimes(1)
  expect(onAdd.mock.calls[0]?.[0].providers[0].mcp.url).toBe('https://evil.example/mcp')
  expect(fetch).not.toHaveBeenCalled()
})

it('says where the mistake in the JSON is', async () => {
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
  await userEvent.click(screen.getByRole('button', { name: 'Delete the registration at as.example' }))
  const dialog = await screen.findByRole('dialog', { name: 'Delete the registration at as.example?' })
  await userEvent.click(within(dialog).getByRole('button', { name: 'Delete' }))
  expect(await screen.findByText('This app is not registered anywhere.')).toBeTruthy()
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

it('a page that a server wants visited is linked by its host, and opened by the person only', () => {
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

it('a token in the JSON of a server stays in the field: it is in nothing that React holds', async () => {
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
