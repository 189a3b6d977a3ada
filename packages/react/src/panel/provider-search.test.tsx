// @vitest-environment jsdom
import { oauth } from '@latchkey/core'
import { act, cleanup, configure, render, screen, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { Profiler } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, fakeAccount } from '../testing.ts'
import { ConnectedAccounts } from './connected-accounts.tsx'

// Parts load when they are needed, which is slow on a busy machine.
configure({ asyncUtilTimeout: 10_000 })
afterEach(cleanup)

const service = (id: string, name = id) =>
  oauth({
    id,
    name,
    authorizationEndpoint: 'https://login.example/authorize',
    tokenEndpoint: 'https://login.example/token',
  })
const services = (count: number) => Array.from({ length: count }, (_, index) => service(`service-${index}`))

function panel(count: number, props: Parameters<typeof ConnectedAccounts>[0] = {}, accounts = [fakeAccount()]) {
  const client = createFakeClient({ providers: services(count), accounts })
  const rendered = vi.fn()
  const view = render(
    <LatchkeyProvider client={client}>
      <Profiler id="panel" onRender={rendered}>
        <ConnectedAccounts {...props} />
      </Profiler>
    </LatchkeyProvider>,
  )
  return { client, rendered, ...view }
}

const mine = fakeAccount({ provider: 'service-3', username: 'grace' })

test('a search box and groups appear with the ninth provider, or as the props say', async () => {
  panel(8, {}, [mine])
  expect(screen.queryByRole('searchbox')).toBeNull()
  expect(screen.getAllByRole('list')[0]?.getAttribute('aria-labelledby')).toBeNull()
  cleanup()
  panel(9, {}, [mine])
  expect(await screen.findByRole('searchbox', { name: 'Search' })).toBeTruthy()
  expect(within(screen.getByRole('list', { name: 'Connected' })).getAllByRole('article')).toHaveLength(1)
  expect(within(screen.getByRole('list', { name: 'Available' })).getAllByRole('article')).toHaveLength(8)
  expect(screen.getByRole('heading', { name: 'Available', level: 3 })).toBeTruthy()
  expect(screen.getByRole('heading', { name: 'service-3', level: 4 })).toBeTruthy()
  cleanup()
  panel(9, { search: false, groups: false }, [mine])
  expect(screen.queryByRole('searchbox')).toBeNull()
  expect(screen.getAllByRole('heading', { level: 3 })).toHaveLength(9)
})

test('there are no groups if no provider has an account, or if every provider has one', () => {
  panel(9, {}, [])
  expect(screen.queryByRole('list', { name: 'Available' })).toBeNull()
})

test('the first Escape clears the box, and the next one is not handled', async () => {
  const outer = vi.fn()
  const client = createFakeClient({ providers: services(9) })
  render(
    // biome-ignore lint/a11y/noStaticElementInteractions: stands for a dialog that Escape closes.
    <div onKeyDown={(event) => event.key === 'Escape' && outer()}>
      <LatchkeyProvider client={client}>
        <ConnectedAccounts defaultQuery="service-1" />
      </LatchkeyProvider>
    </div>,
  )
  const box = await screen.findByRole<HTMLInputElement>('searchbox')
  expect(screen.getAllByRole('article')).toHaveLength(1)
  await userEvent.type(box, '{Escape}')
  expect(box.value).toBe('')
  expect(outer).not.toHaveBeenCalled()
  expect(screen.getAllByRole('article')).toHaveLength(9)
  await userEvent.keyboard('{Escape}')
  expect(outer).toHaveBeenCalledOnce()
})

test('a provider that is removed during a search leaves the list', async () => {
  const { client } = panel(9, { defaultQuery: 'service-8' })
  await screen.findByText('1 of 9')
  act(() => client.setProviders([...services(8), service('other')]))
  expect(await screen.findByText('No results for “service-8”.')).toBeTruthy()
})

test('of a thousand cards the first render shows a few, and a change of one account renders one card', async () => {
  const { client, container, rendered } = panel(1000, {}, [mine])
  // The rest renders in a transition, which act() waits for.
  expect(container.querySelectorAll('article')).toHaveLength(1000)
  expect(rendered.mock.calls.length).toBeGreaterThan(1)
  await screen.findByRole('searchbox')
  await act(() => vi.dynamicImportSettled())

  const touched = new Set<Node>()
  const watch = new MutationObserver((records) => {
    for (const { target } of records) touched.add(target)
  })
  watch.observe(container, { subtree: true, childList: true, attributes: true, characterData: true })
  rendered.mockClear()
  act(() => client.setAccount({ ...mine, status: 'paused' }))
  await act(async () => {})
  watch.disconnect()
  expect(rendered).toHaveBeenCalledOnce()
  const cards = new Set([...touched].map((node) => (node as Element).closest?.('article')?.dataset.provider))
  cards.delete(undefined)
  expect([...cards]).toEqual(['service-3'])
})

test('m18: the count is text of its own, whose numbers keep their order beside Arabic', async () => {
  panel(9, { defaultQuery: 'service-1' })
  const count = await screen.findByText('1 of 9')
  expect(count.localName).toBe('bdi')
})
