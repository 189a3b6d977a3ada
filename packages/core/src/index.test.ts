// This test runs without a page, like a server.
import { existsSync, readFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import * as core from './index.ts'
import { github } from './providers/github.ts'
import { kaggle } from './providers/kaggle.ts'
import { identitiesBody } from './runtimes/ai-sdk.ts'
import { LOADING } from './snapshot.ts'

it('exports these names', () => {
  expect(Object.keys(core).sort()).toMatchInlineSnapshot(`
    [
      "LatchkeyError",
      "accountsOf",
      "apiKey",
      "cardStatus",
      "createLatchkey",
      "defaultAccount",
      "defineProvider",
      "importIdentities",
      "localStorageStore",
      "memoryStore",
      "oauth",
      "oidc",
      "parseIdentities",
      "providerState",
      "readConnectRequest",
      "redact",
      "sessionStorageStore",
    ]
  `)
})

it('reads nothing on a server, so every render there is the same', () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  const client = core.createLatchkey({ providers: [github(), kaggle()], broker: '/api/latchkey' })
  expect(client.getSnapshot()).toEqual(LOADING)
  expect(core.cardStatus(client.getSnapshot(), 'github')).toBe('loading')
  client.mount()()
  expect(client.getSnapshot()).toEqual(LOADING)
  expect(logged).not.toHaveBeenCalled()
})

it('gives a card the status of its worst account', () => {
  const account = (id: string, status: core.AccountStatus, connectedAt = 0): core.ConnectedAccount => ({
    id,
    provider: 'github',
    issuer: 'https://github.com/login/oauth',
    label: id,
    scopes: [],
    missingScopes: [],
    status,
    renewable: false,
    connectedAt,
    rev: 1,
  })
  const ready = { ...LOADING, status: 'ready' } as const
  const snapshot = (...accounts: core.ConnectedAccount[]): core.Snapshot => ({
    ...ready,
    accounts: Object.fromEntries(accounts.map((one) => [one.id, one])),
  })
  expect(core.cardStatus(ready, 'github')).toBe('disconnected')
  expect(core.cardStatus(snapshot(account('a', 'connected')), 'github')).toBe('connected')
  const mixed = snapshot(account('a', 'connected', 2), account('b', 'needs-reconnect', 1), account('c', 'paused', 2))
  expect(core.cardStatus(mixed, 'github')).toBe('needs-reconnect')
  expect(core.cardStatus(mixed, 'gmail')).toBe('disconnected')
  expect(core.accountsOf(mixed, 'github').map(({ id }) => id)).toEqual(['b', 'a', 'c'])
  expect(core.defaultAccount(mixed, 'github')?.id).toBe('b')
  expect(core.defaultAccount({ ...mixed, defaults: { github: 'c' } }, 'github')?.id).toBe('c')
  expect(core.defaultAccount({ ...mixed, defaults: { github: 'gone' } }, 'github')?.id).toBe('b')
  const busy: core.Snapshot = { ...mixed, providers: { github: { status: 'connecting' } } }
  expect(core.cardStatus(busy, 'github')).toBe('connecting')
})

it('the first load imports no protocol library', () => {
  const eager = new Set<string>()
  const base = new URL('./', import.meta.url)
  const visit = (file: string) => {
    if (eager.has(file)) return
    eager.add(file)
    const source = readFileSync(new URL(file, base), 'utf8')
    for (const [statement, path] of source.matchAll(/^(?:import|export)\s[^'"]*?from '(.+?)'/gms)) {
      if (/^(?:import|export) type/.test(statement)) continue
      if (path?.startsWith('.')) visit(new URL(path, new URL(file, base)).pathname.replace(base.pathname, './'))
      else eager.add(path ?? '')
    }
  }
  visit('./index.ts')
  expect([...eager].filter((name) => !name.startsWith('./'))).toEqual(['zustand/vanilla'])
  for (const lazy of [
    'connect/authorization',
    'protocol/token-endpoint',
    'protocol/http',
    'protocol/broker',
    'protocol/profile',
    'protocol/discovery',
    'connect/connect',
    'accounts/refresh',
  ]) {
    expect(existsSync(new URL(`${lazy}.ts`, base))).toBe(true)
    expect(eager).not.toContain(`./${lazy}.ts`)
  }
})

it('makes the body for an AI SDK transport, without empty lists', async () => {
  const getIdentities = vi.fn(async () => [] as core.Identity[])
  const body = identitiesBody({ getIdentities }, { agent: 'writer' })
  expect(await body()).toEqual({})
  getIdentities.mockResolvedValueOnce([{ provider: 'github', accessToken: 'x' }])
  expect(await body()).toEqual({ identities: [{ provider: 'github', accessToken: 'x' }] })
  expect(getIdentities).toHaveBeenCalledWith({ agent: 'writer' })
})
