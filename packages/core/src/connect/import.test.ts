// @vitest-environment jsdom

import { CANARY, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { acme, connect } from '../../fixtures/acme.ts'
import { eventually, freshPage, readableStorage } from '../../fixtures/page.ts'
import { createLatchkey, importIdentities, type LatchkeyClient } from '../index.ts'
import { kaggle } from '../providers/kaggle.ts'

const OLD_KEY = 'datalayer-agent-identities'
let server: TinyServer
const leave: (() => void)[] = []

beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
beforeEach(() => server.reset())
afterEach(async () => {
  for (const end of leave.splice(0)) end()
  await freshPage()
})

const tab = () => createLatchkey({ providers: [acme(server), kaggle()], redirectUri: '/callback' })
const accounts = (client: LatchkeyClient) => Object.values(client.getSnapshot().accounts)
function watched(client = tab()) {
  leave.push(client.mount())
  importIdentities(client).catch(() => {})
  return client
}
const gone = () => eventually(() => expect(localStorage.getItem(OLD_KEY)).toBeNull())

const IDENTITY = {
  provider: 'acme',
  displayName: 'Acme',
  scopes: ['read'],
  isConnected: true,
  userInfo: { id: '1815', username: 'ada', name: 'Ada Lovelace', email: 'ada@example.com', avatarUrl: 'javascript:1' },
  token: {
    accessToken: `${CANARY}AT_OLD`,
    tokenType: 'bearer',
    expiresAt: Date.now() + 3_600_000,
    refreshToken: `${CANARY}RT_OLD`,
    scopes: ['read'],
  },
}
const KEY = {
  provider: 'kaggle',
  authType: 'token',
  scopes: [],
  token: { accessToken: 'KGAT_old', tokenType: 'bearer', scopes: [] },
}
const put = (identities: unknown) =>
  localStorage.setItem(OLD_KEY, JSON.stringify({ state: { identities }, version: 0 }))

it.each([
  ['an array', [IDENTITY, KEY]],
  [
    'the entries of a Map',
    [
      ['acme', IDENTITY],
      ['kaggle', KEY],
    ],
  ],
  ['an object', { acme: IDENTITY, kaggle: KEY }],
])('takes over identities kept as %s, sealed, and removes the old entry with its tokens', async (_how, identities) => {
  put(identities)
  const client = watched()
  await gone()
  await eventually(() => expect(accounts(client)).toHaveLength(2))
  expect(accounts(client)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        provider: 'acme',
        label: 'ada',
        email: 'ada@example.com',
        subject: '1815',
        avatar: undefined,
        scopes: ['read'],
        missingScopes: [],
        status: 'connected',
        renewable: true,
        expiresAt: IDENTITY.token.expiresAt,
      }),
      expect.objectContaining({ provider: 'kaggle', label: 'Kaggle', reason: 'unverified' }),
    ]),
  )
  expect(await readableStorage()).not.toMatch(/CANARY|KGAT_old/)
  expect(await tab().getToken('acme')).toBe(IDENTITY.token.accessToken)
  expect(await tab().getToken('kaggle')).toBe('KGAT_old')
  // The same person connecting lands on the same account.
  await connect(client, server)
  expect(accounts(client)).toHaveLength(2)
})

it('is done once: an entry that is written again is removed, and not imported', async () => {
  put([IDENTITY])
  const client = watched()
  await gone()
  await eventually(() => expect(accounts(client)).toHaveLength(1))
  await client.disconnectAll()
  put([IDENTITY])
  const next = watched()
  await gone()
  expect(accounts(next)).toEqual([])
  expect(accounts(tab())).toEqual([])
})

it('imports no account of a provider that already has one, or that the app does not know', async () => {
  const client = tab()
  await connect(client, server)
  put([
    { ...IDENTITY, userInfo: { id: '1906', username: 'grace' } },
    { ...IDENTITY, provider: 'unknown' },
  ])
  watched(client)
  await gone()
  expect(accounts(client)).toMatchObject([{ label: 'ada' }])
})

it.each(['garbage', 'null', '[]', '{"state":{"identities":7}}', '{"state":{"identities":[null,1,["x"],{"token":1}]}}'])(
  'removes %s, and throws nothing',
  async (raw) => {
    const rejected = vi.fn()
    process.on('unhandledRejection', rejected)
    localStorage.setItem(OLD_KEY, raw)
    const client = watched()
    await gone()
    expect(accounts(client)).toEqual([])
    process.off('unhandledRejection', rejected)
    expect(rejected).not.toHaveBeenCalled()
  },
)
