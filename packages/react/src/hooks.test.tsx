// @vitest-environment jsdom
import { type AccountTarget, LatchkeyError } from '@latchkey/core'
import { act, cleanup, render, renderHook } from '@testing-library/react'
import { Profiler, type ReactNode } from 'react'
import { afterEach, expect, test, vi } from 'vitest'
import { useAccount, useAccounts, useAgentAccounts, useDisconnect, useIdentities, useToken } from './hooks.ts'
import { AccountCard } from './panel/account-card.tsx'
import { ConnectedAccounts } from './panel/connected-accounts.tsx'
import { LatchkeyProvider } from './provider.tsx'
import { createFakeClient, type FakeClient, fakeAccount } from './testing.ts'
import { useConnect } from './use-connect.ts'

afterEach(cleanup)

const around = (client: FakeClient) => ({
  wrapper: ({ children }: { children: ReactNode }) => <LatchkeyProvider client={client}>{children}</LatchkeyProvider>,
})
const kaggler = fakeAccount({ provider: 'kaggle', username: 'adal' })

test('accounts are the same array until one changes', () => {
  const client = createFakeClient({ accounts: [fakeAccount({ connectedAt: 1 }), kaggler] })
  const { result, rerender } = renderHook(useAccounts, around(client))
  const first = result.current
  expect(first.map(({ provider }) => provider)).toEqual(['github', 'kaggle'])
  act(() => client.setState('gmail', { status: 'connecting' }))
  rerender()
  expect(result.current).toBe(first)
  act(() => client.setAccount({ ...kaggler, status: 'needs-reconnect' }))
  expect(result.current[0]).toBe(first[0])
  expect(result.current[1]?.status).toBe('needs-reconnect')
})

test('an account by its id, or by its provider', () => {
  const client = createFakeClient({ accounts: [kaggler] })
  const { result, rerender } = renderHook(({ target }: { target: AccountTarget }) => useAccount(target), {
    ...around(client),
    initialProps: { target: { accountId: kaggler.id } as AccountTarget },
  })
  expect(result.current).toBe(kaggler)
  rerender({ target: 'kaggle' })
  expect(result.current).toBe(kaggler)
  rerender({ target: 'github' })
  expect(result.current).toBeUndefined()
})

test('useConnect starts in the same tick, keeps its functions and never rejects', async () => {
  const refused = new LatchkeyError('server_error', 'GitHub had a problem.')
  const client = createFakeClient({ outcomes: { github: refused } })
  const started = vi.spyOn(client, 'connect')
  const { result } = renderHook(() => useConnect('github'), around(client))
  const { connect } = result.current
  await act(async () => {
    const outcome = connect({ scopes: ['repo'] })
    expect(started).toHaveBeenCalledExactlyOnceWith('github', { scopes: ['repo'] })
    expect(await outcome).toEqual({ status: 'failed', error: refused })
  })
  expect(result.current).toMatchObject({ connect, status: 'idle', error: refused })
  started.mockImplementation(() => {
    throw new TypeError('broken')
  })
  expect(await connect()).toMatchObject({ status: 'failed', error: { code: 'misuse' } })
})

test('a pending connect can be cancelled', async () => {
  const client = createFakeClient({ outcomes: { github: 'pending' } })
  const { result } = renderHook(() => useConnect('github'), around(client))
  const outcome = result.current.connect()
  await act(async () => {})
  expect(result.current.status).toBe('connecting')
  await act(async () => result.current.cancel())
  expect(await outcome).toMatchObject({ status: 'cancelled' })
  expect(result.current.status).toBe('idle')
})

test('useDisconnect gives receipts', async () => {
  const client = createFakeClient({ accounts: [fakeAccount(), kaggler] })
  const { result } = renderHook(useDisconnect, around(client))
  await act(async () => {
    expect(await result.current.disconnect(kaggler.id)).toEqual({ status: 'revoked', tokens: ['access_token'] })
    expect(await result.current.disconnectAll()).toEqual({
      'github.octocat': { status: 'revoked', tokens: ['access_token'] },
    })
  })
})

test('useToken gives a stable getter and a status, never a token', async () => {
  const client = createFakeClient({ accounts: [kaggler] })
  const { result, rerender } = renderHook(() => useToken({ accountId: kaggler.id }), around(client))
  const { getToken } = result.current
  rerender()
  expect(result.current.getToken).toBe(getToken)
  expect(JSON.stringify(result.current)).toBe('{"status":"connected"}')
  expect(await getToken()).toBe('fake-token-of-kaggle.adal')
  expect(renderHook(() => useToken('gmail'), around(client)).result.current.status).toBe('disconnected')
})

test('useIdentities gives a stable getter and the providers that can be sent now', async () => {
  const client = createFakeClient({
    accounts: [fakeAccount({ connectedAt: 1 }), { ...kaggler, status: 'needs-reconnect' }],
  })
  const { result, rerender } = renderHook(() => useIdentities({ agent: 'helper', providers: ['github', 'kaggle'] }), {
    ...around(client),
  })
  const first = result.current
  rerender()
  expect(result.current.getIdentities).toBe(first.getIdentities)
  expect(result.current.providers).toBe(first.providers)
  expect(first.providers).toEqual(['github'])
  act(() => client.setAccount(kaggler))
  expect(result.current.providers).toEqual(['github', 'kaggle'])
  act(() => client.setIncluded('helper', 'github', false))
  expect(result.current.providers).toEqual(['kaggle'])
  expect((await result.current.getIdentities()).map(({ provider }) => provider)).toEqual(['kaggle'])
})

test('useAgentAccounts tells which of several accounts an agent may use', async () => {
  const [octocat, hubot] = [fakeAccount({ connectedAt: 1 }), fakeAccount({ username: 'hubot', connectedAt: 2 })]
  const client = createFakeClient({ accounts: [octocat, hubot] })
  const { result } = renderHook(() => useAgentAccounts('helper'), around(client))
  const included = () => result.current.accounts.filter((one) => one.included).map(({ id }) => id)
  expect(included()).toEqual([octocat.id, hubot.id])
  act(() => result.current.setIncluded({ accountId: octocat.id }, false))
  expect(included()).toEqual([hubot.id])
  expect(result.current.providers).toContainEqual({ id: 'github', included: true })
  const sent = async () => [
    (await client.getIdentities({ agent: 'helper' })).map(({ accountId }) => accountId),
    (await client.getAgentAccounts({ agent: 'helper' })).map(({ accountId }) => accountId),
  ]
  expect(await sent()).toEqual([[hubot.id], [hubot.id]])
  const before = result.current.accounts
  act(() => client.setIncluded('another', 'github', false))
  expect(result.current.accounts).toBe(before)
  act(() => result.current.setIncluded('github', false))
  expect(included()).toEqual([])
  expect(await sent()).toEqual([[], []])
})

test('useAgentAccounts includes all until one is excluded', () => {
  const client = createFakeClient()
  const { result } = renderHook(() => useAgentAccounts('helper'), around(client))
  expect(result.current.providers.every(({ included }) => included)).toBe(true)
  act(() => result.current.setIncluded('gmail', false))
  expect(result.current.providers).toEqual([
    { id: 'github', included: true },
    { id: 'gmail', included: false },
    { id: 'kaggle', included: true },
  ])
})

test('one account that changes renders one card', () => {
  const client = createFakeClient({ accounts: [fakeAccount(), kaggler] })
  const rendered: string[] = []
  render(
    <LatchkeyProvider client={client}>
      {client.providers.map(({ id }) => (
        <Profiler key={id} id={id} onRender={(card) => rendered.push(card)}>
          <AccountCard provider={id} />
        </Profiler>
      ))}
    </LatchkeyProvider>,
  )
  rendered.length = 0
  act(() => client.setAccount({ ...kaggler, status: 'needs-reconnect', reason: 'invalid_token' }))
  expect([...new Set(rendered)]).toEqual(['kaggle'])
})

test('an account that gets another name updates only its text', () => {
  const client = createFakeClient({ accounts: [fakeAccount(), kaggler] })
  const commits: string[] = []
  const { container } = render(
    <LatchkeyProvider client={client}>
      <Profiler id="panel" onRender={(panel) => commits.push(panel)}>
        <ConnectedAccounts />
      </Profiler>
    </LatchkeyProvider>,
  )
  const observer = new MutationObserver(() => {})
  observer.observe(container, { subtree: true, childList: true, attributes: true, characterData: true })
  commits.length = 0
  act(() => client.setAccount(fakeAccount({ label: 'mona' })))
  const touched = observer.takeRecords().flatMap(({ type, target, addedNodes, removedNodes }) => {
    return type === 'childList' ? [...addedNodes, ...removedNodes] : [target]
  })
  observer.disconnect()
  expect(container.textContent).toContain('Connected as mona')
  expect(commits).toEqual(['panel'])
  expect(new Set(touched).size).toBeGreaterThan(0)
  expect(new Set(touched).size).toBeLessThanOrEqual(3)
})
