// @vitest-environment jsdom
import { type KeyVerdict, LatchkeyError } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, cleanup, configure, render, screen, waitFor } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'
import { german } from '../messages/de.ts'
import { AccountCard } from '../panel/account-card.tsx'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, type FakeClientOptions, fakeAccount } from '../testing.ts'
import { ApiKeyForm } from './api-key-form.tsx'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

const provider = kaggle()
const KEY = '0123456789abcdef0123456789abcdef'

function setup(options: FakeClientOptions = {}) {
  const client = createFakeClient(options)
  const queries = new QueryClient()
  const onConnected = vi.fn()
  const { container } = render(
    <QueryClientProvider client={queries}>
      <LatchkeyProvider client={client}>
        <ApiKeyForm provider={provider} onConnected={onConnected} />
      </LatchkeyProvider>
    </QueryClientProvider>,
  )
  return { client, queries, onConnected, container, key: screen.getByLabelText<HTMLInputElement>('Kaggle API key') }
}

test('an empty, malformed or too long key is refused with a sentence, without a request', async () => {
  const { client, key } = setup()
  const verify = vi.spyOn(client, 'verifyKey')
  await userEvent.type(key, '{Enter}')
  expect(screen.getByRole('alert').textContent).toBe('Enter your Kaggle API key.')
  await userEvent.click(key)
  await userEvent.paste('KGAT_first\nsecond')
  expect(screen.getByRole('alert').textContent).toMatch(/line breaks/)
  expect(key.value).toBe('')
  await userEvent.paste('KGAT_zero\u200bwidth')
  await userEvent.keyboard('{Enter}')
  expect(screen.getByRole('alert').textContent).toMatch(/hidden characters/)
  await userEvent.clear(key)
  await userEvent.paste(`KGAT_${'x'.repeat(9000)}`)
  await userEvent.keyboard('{Enter}')
  expect(screen.getByRole('alert').textContent).toMatch(/too long/)
  expect(verify).not.toHaveBeenCalled()
})

test('a username left over from another key is not sent with a token', async () => {
  const { client, key } = setup()
  const connect = vi.spyOn(client, 'connectKey')
  await userEvent.type(key, 'old')
  await userEvent.type(screen.getByLabelText('Kaggle username'), 'adal')
  await userEvent.clear(key)
  await userEvent.type(key, 'KGAT_new{Enter}')
  expect(connect).toHaveBeenCalledExactlyOnceWith('kaggle', { key: 'KGAT_new' })
})

test('m6: an older key says why it needs a username, in the language of the page', async () => {
  const { key } = setup()
  await userEvent.type(key, 'nonsense')
  const username = screen.getByLabelText('Kaggle username')
  const help = document.getElementById(username.getAttribute('aria-describedby')?.split(' ')[0] ?? '')
  expect(help?.textContent).toBe('This looks like an older Kaggle key. Older keys also need your username.')
  cleanup()
  render(
    <LatchkeyProvider client={createFakeClient()} messages={german}>
      <ApiKeyForm provider={provider} />
    </LatchkeyProvider>,
  )
  await userEvent.type(screen.getByLabelText('Kaggle-API-Schlüssel'), 'nonsense')
  expect(screen.getByLabelText('Kaggle-Benutzername')).toBeTruthy()
  expect(document.body.textContent).toContain('Ältere Schlüssel brauchen auch Ihren Benutzernamen.')
  expect(document.body.textContent).toContain('Ein Schlüssel gibt vollen Zugriff auf Ihr Kaggle-Konto.')
})

test('a key is checked once: connect gets the same fields object as the check', async () => {
  const { client, key, onConnected } = setup()
  const verify = vi.spyOn(client, 'verifyKey')
  const connect = vi.spyOn(client, 'connectKey')
  await userEvent.type(key, 'KGAT_good{Enter}')
  expect(connect.mock.lastCall?.[1]).toBe(verify.mock.lastCall?.[1])
  expect(onConnected).toHaveBeenCalledOnce()
  expect(key.value).toBe('')
})

test('a connect error is shown, and the typed text stays', async () => {
  const { key } = setup({ outcomes: { kaggle: new LatchkeyError('storage_unavailable', 'Nothing can be kept.') } })
  await userEvent.type(key, 'KGAT_good{Enter}')
  expect(screen.getByRole('alert').textContent).toBe('Nothing can be kept.')
  expect(key.value).toBe('KGAT_good')
})

/** Everything that React has: props, state, hooks and refs of all fibers, without the DOM nodes. */
function reactTree(container: HTMLElement): string {
  const key = Object.keys(container).find((name) => name.startsWith('__reactContainer$')) ?? ''
  const seen = new Set<object>()
  const words: string[] = []
  const visit = (value: unknown) => {
    if (typeof value === 'string') words.push(value)
    if (typeof value !== 'object' || value === null || value instanceof Node || seen.has(value)) return
    seen.add(value)
    const inner = value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value)
    for (const part of inner) visit(part)
  }
  visit((container as unknown as Record<string, unknown>)[key])
  return words.join('\n')
}

test('a key is in no prop, state, ref or cache, during the check and later', async () => {
  const { promise, resolve } = Promise.withResolvers<KeyVerdict>()
  const { queries, container, key, onConnected } = setup({ verifyKey: () => promise })
  const cached: string[] = []
  const watch = () =>
    cached.push(
      JSON.stringify(
        queries
          .getMutationCache()
          .getAll()
          .map(({ state, options }) => [state, options]),
      ),
      JSON.stringify(
        queries
          .getQueryCache()
          .getAll()
          .map(({ state, queryKey }) => [state, queryKey]),
      ),
    )
  queries.getMutationCache().subscribe(watch)
  await userEvent.type(key, `${KEY}`)
  await userEvent.type(screen.getByLabelText('Kaggle username'), 'adal{Enter}')
  expect(screen.getByRole('button', { name: 'Checking…' })).toBeTruthy()
  expect(reactTree(container)).toContain('Checking…')
  expect(reactTree(container)).not.toContain(KEY)
  await act(async () => resolve({ status: 'verified', username: 'adal' }))
  expect(onConnected).toHaveBeenCalledOnce()
  expect(reactTree(container)).not.toContain(KEY)
  watch()
  expect(cached.length).toBeGreaterThan(2)
  expect(cached.join('\n')).not.toContain(KEY)
  expect(container.innerHTML).not.toContain(KEY)
})

test('a form that is closed during the check connects nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<KeyVerdict>()
  const client = createFakeClient({ verifyKey: () => promise })
  const connect = vi.spyOn(client, 'connectKey')
  render(
    <LatchkeyProvider client={client}>
      <AccountCard provider="kaggle" />
    </LatchkeyProvider>,
  )
  await userEvent.click(screen.getByRole('button', { name: 'Connect Kaggle' }))
  await userEvent.type(await screen.findByLabelText('Kaggle API key'), 'KGAT_good{Enter}')
  await userEvent.click(screen.getByRole('button', { name: 'Cancel' }))
  await act(async () => resolve({ status: 'verified' }))
  expect(connect).not.toHaveBeenCalled()
})

test('Escape closes only the form of a card', async () => {
  const outer = vi.fn()
  render(
    // biome-ignore lint/a11y/noStaticElementInteractions: stands for a dialog around the card.
    <div onKeyDown={outer}>
      <LatchkeyProvider client={createFakeClient()}>
        <AccountCard provider="kaggle" />
      </LatchkeyProvider>
    </div>,
  )
  const button = screen.getByRole('button', { name: 'Connect Kaggle' })
  await userEvent.click(button)
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText('Kaggle API key')))
  await userEvent.keyboard('{Escape}')
  expect(screen.queryByLabelText('Kaggle API key')).toBeNull()
  expect(document.activeElement).toBe(button)
  expect(outer).not.toHaveBeenCalled()
})

/** Every attribute of every node, because an attribute can contain a value that is not shown. */
const attributes = (container: HTMLElement) =>
  [...container.querySelectorAll('*')].flatMap((node) => [...node.attributes].map(({ value }) => value)).join('\n')

test('a shown key is in the field only, and is hidden again on blur and on submit', async () => {
  const logged = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation(() => {}),
  )
  const { promise, resolve } = Promise.withResolvers<KeyVerdict>()
  const { container, key } = setup({ verifyKey: () => promise })
  await userEvent.type(key, KEY)
  const reveal = screen.getByRole('button', { name: 'Show what you typed' })
  const shown = () => [key.type, reveal.getAttribute('aria-pressed')]
  const clean = () => {
    expect(attributes(container)).not.toContain(KEY)
    expect(reactTree(container)).not.toContain(KEY)
  }
  expect(shown()).toEqual(['password', 'false'])

  await userEvent.click(reveal)
  expect(shown()).toEqual(['text', 'true'])
  expect(key.value).toBe(KEY)
  clean()
  // The focus moves to another window: the blur event then has no target.
  act(() => key.blur())
  expect(shown()).toEqual(['password', 'false'])

  await userEvent.click(reveal)
  await userEvent.click(screen.getByLabelText('Kaggle username'))
  expect(shown()).toEqual(['password', 'false'])

  await userEvent.click(reveal)
  expect(document.activeElement).toBe(key)
  await userEvent.type(screen.getByLabelText('Kaggle username'), 'adal')
  await userEvent.click(reveal)
  await userEvent.keyboard('{Enter}')
  expect(screen.getByRole('button', { name: 'Checking…' })).toBeTruthy()
  expect(shown()).toEqual(['password', 'false'])
  clean()
  await act(async () => resolve({ status: 'verified', username: 'adal' }))
  clean()
  for (const spy of logged) {
    expect(JSON.stringify(spy.mock.calls)).not.toContain(KEY)
    spy.mockRestore()
  }
})

test('a key is replaced only after the new one is verified, and the new key is nowhere else', async () => {
  const account = fakeAccount({ provider: 'kaggle', username: 'adal' })
  const answers: (KeyVerdict | LatchkeyError)[] = [
    new LatchkeyError('invalid_token', 'Refused.'),
    { status: 'unchecked' },
    { status: 'verified', username: 'adal' },
  ]
  const client = createFakeClient({
    accounts: [account],
    verifyKey: async () => {
      const answer = answers.shift()
      if (!answer || answer instanceof LatchkeyError) throw answer
      return answer
    },
  })
  const reconnect = vi.spyOn(client, 'connectKey')
  const { container } = render(
    <LatchkeyProvider client={client}>
      <ApiKeyForm provider={provider} accountId={account.id} />
    </LatchkeyProvider>,
  )
  const NEW = 'KGAT_thenewone'
  const key = screen.getByLabelText<HTMLInputElement>('Kaggle API key')
  await userEvent.type(key, `${NEW}{Enter}`)
  expect(screen.getByRole('alert').textContent).toMatch(/rejected this key/)
  await userEvent.keyboard('{Enter}')
  expect(screen.getByRole('alert').textContent).toMatch(/nothing changed/)
  expect(reconnect).not.toHaveBeenCalled()
  expect(client.getSnapshot().accounts[account.id]).toBe(account)
  expect(reactTree(container)).not.toContain(NEW)
  await userEvent.keyboard('{Enter}')
  expect(reconnect).toHaveBeenCalledExactlyOnceWith('kaggle', { key: NEW }, { accountId: account.id })
  expect(key.value).toBe('')
  expect(reactTree(container)).not.toContain(NEW)
  expect(container.innerHTML).not.toContain(NEW)
})
