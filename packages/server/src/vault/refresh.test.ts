import type { ConnectedAccount } from '@latchkey/core'
import { LatchkeyError } from '@latchkey/core'
import type { Token, TokenAnswer } from '@latchkey/core/token'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import { createCustodian } from './custodian.ts'
import { localKeys, memoryStore, type Owner } from './index.ts'

const newKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const KEYS = localKeys(newKey())
const ADA: Owner = { tenant: 'one', user: 'ada' }
const idOf = (provider: string, at = 0) => `${provider}.${String(at).padStart(22, '0')}`
const START = 1_900_000_000_000
/** Milliseconds from one round to the next. */
const ROUND = 30_000
/** Seconds. */
const AHEAD = 300

afterEach(() => {
  vi.useRealTimers()
})

/** A vault at providers whose token endpoints answer as told, without a network. */
function custody(store = memoryStore(), keys = KEYS) {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
  const vault = openVault({ store, keys })
  const providers = new Map(['good', 'bad'].map((id) => [id, providerAt(`https://${id}.example`, id)]))
  const refresh = vi.fn(async (provider: string, old: Token): Promise<TokenAnswer> => {
    return { token: { ...old, access_token: `new ${provider}`, expires_in: 3600 } }
  })
  const asked: string[] = []
  const revoke = vi.fn(async () => ({ status: 'revoked' as const, tokens: [] }))
  const custodian = createCustodian({
    vault,
    providers,
    endpointOf: ({ id }) => ({
      client_id: 'app',
      redeem: () => Promise.reject(new Error('No flow is finished here.')),
      refresh: (token) => {
        asked.push(id)
        return refresh(id, token)
      },
      revoke,
    }),
    fetchFor: () => fetch,
  })
  /** Stores an account whose token ends at this time. */
  async function add(id: string, expiresAt: number, at = vault, owner = ADA): Promise<void> {
    const [provider = ''] = id.split('.')
    const issuer = `https://${provider}.example`
    const account: ConnectedAccount = {
      id,
      provider,
      issuer,
      label: 'ada',
      scopes: [],
      missingScopes: [],
      status: 'connected',
      renewable: true,
      expiresAt,
      issuedAt: expiresAt - 3_600_000,
      connectedAt: 1,
      rev: 0,
    }
    const token = { access_token: 'old', refresh_token: `of ${id}`, token_type: 'bearer', issuer }
    await at.save(owner, id, () => ({ account, secret: { token, expiresAt } }))
  }
  /** Rounds of the background. Returns how many accounts each refreshed. */
  async function rounds(count: number): Promise<number[]> {
    const refreshed: number[] = []
    for (let round = 0; round < count; round++) {
      refreshed.push(await custodian.refreshDue(AHEAD))
      vi.setSystemTime(Date.now() + ROUND)
    }
    return refreshed
  }
  const refuses = (error: () => Promise<TokenAnswer>) =>
    refresh.mockImplementation(async (provider, old) =>
      provider === 'bad' ? error() : { token: { ...old, access_token: 'new', expires_in: 3600 } },
    )
  return { vault, custodian, asked, refresh, revoke, add, rounds, refuses, store }
}

const failing =
  (code: ConstructorParameters<typeof LatchkeyError>[0], retryAfter?: number) => async (): Promise<TokenAnswer> => {
    throw new LatchkeyError(code, `The server said ${code}.`, { retryAfter })
  }

describe('what a server says no to', () => {
  it.each([
    ['invalid_grant', 1, 'revoked'],
    ['invalid_request', 3, 'invalid_token'],
    ['unauthorized_client', 3, 'invalid_token'],
  ] as const)('case 242: %s in 10 rounds is asked %i times, then no more', async (code, times, reason) => {
    const { vault, asked, add, rounds, refuses } = custody()
    refuses(failing(code))
    await add(idOf('bad'), START)
    await add(idOf('good'), START + 1)
    expect((await rounds(10))[0]).toBe(1)
    expect(asked.filter((id) => id === 'bad')).toHaveLength(times)
    expect(await vault.find(ADA, idOf('bad'))).toMatchObject({ status: 'needs-reconnect', reason })
    expect(await vault.find(ADA, idOf('good'))).toMatchObject({ status: 'connected' })
    // What a server only refused may be its own mistake.
    const kept = (await vault.open(ADA, idOf('bad')))?.secret.token?.refresh_token
    expect(kept).toBe(times === 1 ? undefined : `of ${idOf('bad')}`)
  })

  it('case 283: a client that was deleted at the server is not asked with for ever', async () => {
    const { vault, custodian, asked, add, rounds, refuses } = custody()
    refuses(failing('invalid_client'))
    for (let at = 0; at < 20; at++) await add(idOf('bad', at), START)
    await rounds(60)
    expect(asked.length).toBeLessThanOrEqual(60)
    for (const { id, status } of await vault.list(ADA))
      expect({ id, status }).toEqual({ id, status: 'needs-reconnect' })
    const before = asked.length
    await expect(custodian.ensureFresh(ADA, idOf('bad'))).rejects.toMatchObject({ code: 'invalid_token' })
    await rounds(5)
    expect(asked).toHaveLength(before)
  })

  it('a failure that passes counts for nothing after a success, and takes no secret away', async () => {
    const { vault, asked, add, rounds, refuses, refresh } = custody()
    await add(idOf('bad'), START)
    for (let turn = 0; turn < 3; turn++) {
      refuses(failing('invalid_client'))
      await rounds(2)
      refresh.mockImplementation(async (_provider, old) => ({ token: { ...old, access_token: 'new', expires_in: 30 } }))
      await rounds(6)
    }
    expect(asked.length).toBeGreaterThan(6)
    expect(await vault.find(ADA, idOf('bad'))).toMatchObject({ status: 'connected' })
  })
})

it.each(['succeeds', 'fails'])(
  'case 330: an account that is paused during a refresh that %s stays paused',
  async (how) => {
    const { vault, custodian, add, refresh } = custody()
    await add(idOf('good'), START)
    refresh.mockImplementation(async (_provider, old) => {
      await custodian.pause(ADA, idOf('good'), true)
      if (how === 'fails') throw new LatchkeyError('temporarily_unavailable', 'Not now.')
      return { token: { ...old, access_token: 'new', refresh_token: 'rotated', expires_in: 3600 } }
    })
    await expect(custodian.ensureFresh(ADA, idOf('good'))).rejects.toThrow()
    const { account, secret } = (await vault.open(ADA, idOf('good')))!
    expect(account.status).toBe('paused')
    expect(secret.token?.refresh_token).toBe(how === 'fails' ? `of ${idOf('good')}` : 'rotated')
    await expect(custodian.ensureFresh(ADA, idOf('good'))).rejects.toMatchObject({
      code: 'access_denied',
      next: 'unpause',
    })
  },
)

describe('many accounts', () => {
  it('case 277: a provider that is away holds up no other, and its accounts wait each for itself', async () => {
    const { asked, add, rounds, refuses } = custody()
    refuses(failing('temporarily_unavailable'))
    for (let at = 0; at < 1000; at++) await add(idOf('bad', at), START)
    for (let at = 0; at < 200; at++) await add(idOf('good', at), START + 60_000)
    expect(await rounds(1)).toEqual([200])
    const first = asked.filter((id) => id === 'bad').length
    expect(first).toBeLessThan(20)
    // The next rounds ask others of the provider's accounts, and few.
    await rounds(4)
    expect(asked.filter((id) => id === 'bad').length).toBeLessThan(5 * 20)
    expect(asked.filter((id) => id === 'good')).toHaveLength(200)
  }, 60_000)

  it('case 277: accounts of a lost key hold up no other, and make one entry in the audit log', async () => {
    const { vault, asked, add, rounds, store } = custody()
    const lost = openVault({ store, keys: localKeys(newKey()) })
    for (let at = 0; at < 1000; at++) await add(idOf('bad', at), START, lost)
    for (let at = 0; at < 200; at++) await add(idOf('good', at), START + 60_000)
    expect(await rounds(10)).toEqual([200, ...Array(9).fill(0)])
    expect(asked).toHaveLength(200)
    const log = await vault.audit.query(ADA, { limit: 1000, after: 1200 })
    expect(log.filter(({ action }) => action === 'tamper')).toHaveLength(1)
  }, 60_000)

  it('case 277: a row that was changed makes one entry, and is tried again later', async () => {
    const { vault, asked, add, rounds, store } = custody()
    await add(idOf('bad'), START)
    const row = (await store.get(ADA, idOf('bad')))!
    const sealed = row.sealed.map((byte, at) => (at === row.sealed.length - 1 ? byte ^ 1 : byte))
    await store.put({ ...row, sealed, rev: row.rev + 1 }, row.rev)
    await rounds(30)
    const log = await vault.audit.query(ADA)
    expect(log.filter(({ action }) => action === 'tamper')).toHaveLength(1)
    await store.put({ ...row, rev: row.rev + 2 }, row.rev + 1)
    await rounds(1)
    expect(asked).toHaveLength(1)
  })

  it('case 277: counts what was refreshed, and not what is still good', async () => {
    const { asked, add, rounds, refuses } = custody()
    refuses(failing('temporarily_unavailable'))
    await add(idOf('bad'), START + 200_000)
    await add(idOf('good'), START + 200_000)
    expect(await rounds(2)).toEqual([1, 0])
    expect(asked).toEqual(['bad', 'good', 'bad'])
  })

  it('case 291: a round with 10,000 tenants and nothing due asks the store once', async () => {
    const { custodian, store } = custody()
    const row = { user: 'ada', provider: 'good', facts: '{}', sealed: new Uint8Array(1), kid: 'k', rev: 1, dueAt: 9e15 }
    for (let at = 0; at < 10_000; at++) await store.put({ ...row, tenant: `t${at}`, account: idOf('good') }, undefined)
    const methods = Object.entries(store).filter(([, value]) => typeof value === 'function')
    const calls = methods.map(([name]) => vi.spyOn(store, name as 'due'))
    expect(await custodian.refreshDue(AHEAD)).toBe(0)
    expect(calls.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBe(1)
  }, 60_000)

  it('case 290: all 1,205 accounts of a user are deleted, and revoked a few at a time', async () => {
    const { vault, custodian, add, revoke } = custody()
    for (let at = 0; at < 1205; at++) await add(idOf('good', at), START)
    let [running, most] = [0, 0]
    revoke.mockImplementation(async () => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
      return { status: 'revoked', tokens: [] }
    })
    expect(Object.keys(await custodian.deleteUser(ADA))).toHaveLength(1205)
    expect(await vault.list(ADA)).toEqual([])
    expect(revoke).toHaveBeenCalledTimes(1205)
    expect(most).toBeLessThanOrEqual(10)
  }, 60_000)
})

it('a deleted user leaves no rules and no documents, and others keep theirs', async () => {
  const { custodian, add, store } = custody()
  const bob = { ...ADA, user: 'bob' }
  const paper = { kind: 'call', id: 'd1', sealed: new Uint8Array(1), kid: 'k', expiresAt: START + 1000 }
  for (const owner of [ADA, bob]) {
    await store.asPerson(owner, START, async (rows) => {
      await rows.putRules('{}')
      await rows.putDocument(paper)
    })
  }
  await add(idOf('good'), START)
  expect(Object.keys(await custodian.deleteUser(ADA))).toEqual([idOf('good')])
  // Also without an account.
  expect(await custodian.deleteUser({ ...ADA, user: 'nobody' })).toEqual({})
  const left = (owner: Owner) =>
    store.asPerson(owner, START, async (rows) => [rows.rules, (await rows.documents('call')).length])
  expect([await left(ADA), await left(bob)]).toEqual([
    [undefined, 0],
    ['{}', 1],
  ])
})
