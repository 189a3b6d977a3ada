// @vitest-environment jsdom
import { act, cleanup, render, screen } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { createRef } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { Account } from '../index.ts'
import { LatchkeyProvider } from '../provider.tsx'
import { createFakeClient, fakeAccount } from '../testing.ts'

afterEach(cleanup)

const { Icon: _icon, Option: _option, Root, ...partsOfRoot } = Account
const parts = { ...partsOfRoot, Icon: _icon }
const account = fakeAccount({ status: 'expiring', reason: 'unverified', expiresAt: Date.now() + 3_600_000 })

test.each(Object.keys(parts) as (keyof typeof parts)[])('%s is one node, with ref, class and asChild', (name) => {
  const Part = parts[name] as typeof Account.Name
  const ref = createRef<HTMLElement>()
  const { container } = render(
    <LatchkeyProvider client={createFakeClient({ accounts: [account] })}>
      <Root provider="github">
        <Part ref={ref} className="mine" data-mine />
        <Part asChild>
          <b className="own">own</b>
        </Part>
      </Root>
    </LatchkeyProvider>,
  )
  const [first, second, ...more] = container.firstElementChild?.children ?? []
  expect(more).toEqual([])
  expect(ref.current).toBe(first)
  expect(first?.className).toBe('mine')
  expect(first?.hasAttribute('data-mine')).toBe(true)
  expect(second?.outerHTML).toMatch(/^<b .*class="own"/)
})

test("the root has the status of its account, or the card's status without one", () => {
  const client = createFakeClient({
    accounts: [account, fakeAccount({ username: 'hubot', status: 'needs-reconnect' })],
  })
  const { container } = render(
    <LatchkeyProvider client={client}>
      <Root provider="github" />
      <Root provider="github" accountId={account.id} />
      <Root provider="gmail" />
      <Root provider="nobody" />
    </LatchkeyProvider>,
  )
  const words = () => [...container.children].map((node) => node.getAttribute('data-status'))
  expect(words()).toEqual(['needs-reconnect', 'expiring', 'disconnected'])
  act(() => client.setState('gmail', { status: 'connecting' }))
  expect(words()).toEqual(['needs-reconnect', 'expiring', 'connecting'])
})

test('without an account, only parts that need none render', () => {
  const { container } = render(
    <LatchkeyProvider client={createFakeClient()}>
      <Root provider="github">
        <Account.Icon />
        <Account.Name />
        <Account.Identity />
        <Account.Scopes />
        <Account.Status />
        <Account.Expiry />
        <Account.Connect />
        <Account.Reconnect />
        <Account.Disconnect />
      </Root>
    </LatchkeyProvider>,
  )
  expect(container.textContent).toBe('GitHubNot connectedConnect GitHub')
})

test("the app's handler runs first, and can prevent the part's", async () => {
  const client = createFakeClient()
  const connect = vi.spyOn(client, 'connect')
  const prepare = vi.spyOn(client, 'prepare')
  const button = (prevent: boolean) => (
    <LatchkeyProvider client={client}>
      <Root provider="github">
        <Account.Connect
          onClick={(event) => {
            expect(connect).not.toHaveBeenCalled()
            if (prevent) event.preventDefault()
          }}
        />
      </Root>
    </LatchkeyProvider>
  )
  const { rerender } = render(button(true))
  await userEvent.click(screen.getByRole('button', { name: 'Connect GitHub' }))
  expect(connect).not.toHaveBeenCalled()
  expect(prepare).toHaveBeenCalledWith('github')
  rerender(button(false))
  await userEvent.click(screen.getByRole('button'))
  expect(connect).toHaveBeenCalledExactlyOnceWith('github', undefined)
})

test('a part outside of its root throws an error that says so', () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  expect(() => render(<Account.Name />)).toThrow('<Account.Name> must be inside of <Account.Root')
})

test('disconnecting passes the receipt to the app', async () => {
  const told = vi.fn()
  render(
    <LatchkeyProvider client={createFakeClient({ accounts: [account] })}>
      <Root provider="github">
        <Account.Disconnect onDisconnected={told} />
      </Root>
    </LatchkeyProvider>,
  )
  await userEvent.click(screen.getByRole('button', { name: 'Disconnect GitHub' }))
  expect(told).toHaveBeenCalledExactlyOnceWith({ status: 'revoked', tokens: ['access_token'] })
})

test('Account.Connect throws for a key provider, and Account.Reconnect renders nothing for a key', () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const client = createFakeClient({ accounts: [fakeAccount({ provider: 'kaggle', status: 'needs-reconnect' })] })
  const show = (part: React.ReactNode) =>
    render(
      <LatchkeyProvider client={client}>
        <Account.Root provider="kaggle">{part}</Account.Root>
      </LatchkeyProvider>,
    )
  expect(() => show(<Account.Connect />)).toThrow('use <ApiKeyForm> or <ConnectButton provider="kaggle">')
  show(<Account.Reconnect />)
  expect(screen.queryByRole('button')).toBeNull()
  vi.restoreAllMocks()
})
