// @vitest-environment jsdom

import { CANARY, GRACE, startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { acme, connect, failure } from '../../fixtures/acme.ts'
import { eventually, freshPage, locks, storageEvent } from '../../fixtures/page.ts'
import { createLatchkey, type LatchkeyOptions, localStorageStore, type StateStorage } from '../index.ts'
import { kaggle } from '../providers/kaggle.ts'

let server: TinyServer
const BOTH = ['refresh_token', 'access_token']

beforeAll(async () => {
  server = await startTinyServer()
})
afterAll(() => server.close())
beforeEach(() => server.reset())
afterEach(freshPage)

const tab = (options: Partial<LatchkeyOptions> = {}) =>
  createLatchkey({ providers: [acme(server)], redirectUri: '/callback', ...options })
const accounts = (client: ReturnType<typeof tab>) => Object.values(client.getSnapshot().accounts)
const recordKey = () => Object.keys(localStorage).find((key) => /^latchkey:\w+\./.test(key)) ?? ''

/** Reads and writes the database directly, without the client. */
async function inDatabase<T>(
  act: (transaction: IDBTransaction) => IDBRequest<T>,
  { name = 'latchkey', store = 'secrets' } = {},
): Promise<T> {
  const opening = indexedDB.open(name)
  const database = await new Promise<IDBDatabase>((resolve) => {
    opening.onsuccess = () => resolve(opening.result)
  })
  const request = act(database.transaction(store, 'readwrite'))
  const result = await new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  database.close()
  return result
}

/** Makes localStorage refuse writes, as if it were full. */
const full = () =>
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError')
  })

describe('a start', () => {
  it('has the accounts in the same tick', async () => {
    const account = await connect(tab(), server)
    const reloaded = tab()
    expect(reloaded.getSnapshot()).toMatchObject({
      status: 'ready',
      persistence: 'available',
      custody: 'sealed',
      accounts: { [account.id]: JSON.parse(JSON.stringify(account)) },
    })
  })

  it('writes one key per account, with readable facts and a version', async () => {
    const account = await connect(tab(), server)
    expect(Object.keys(localStorage).sort()).toEqual([`latchkey:${account.id}`, 'latchkey:v'])
    const record = JSON.parse(localStorage.getItem(`latchkey:${account.id}`)!)
    expect(record).toEqual({ v: 1, account: JSON.parse(JSON.stringify(account)), sealed: expect.any(String) })
    expect(localStorage.getItem('latchkey:v')).toBe('1')
  })

  it('uses the copy in storage when the database has no row, as after a restored backup', async () => {
    const account = await connect(tab(), server)
    await inDatabase((transaction) => transaction.objectStore('secrets').delete(account.id))
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('ignores a secret whose account is not in storage', async () => {
    await connect(tab(), server)
    localStorage.clear()
    const reloaded = tab()
    expect(reloaded.getSnapshot().accounts).toEqual({})
    expect(await failure(reloaded.getToken('acme'))).toMatchObject({ code: 'login_required' })
  })
})

describe('a storage that refuses', () => {
  it('case 57: full, forbidden or absent storage never throws; accounts last as long as the page, and the snapshot says so', async () => {
    full()
    const client = tab()
    await connect(client, server)
    expect(client.getSnapshot()).toMatchObject({ persistence: 'unavailable' })
    expect(await client.getToken('acme')).toMatch(CANARY)
    expect(recordKey()).toBe('')
    vi.restoreAllMocks()

    // A browser that forbids one kind of storage forbids all of them, and locks too.
    const denied = () => {
      throw new DOMException('denied', 'SecurityError')
    }
    vi.spyOn(globalThis, 'localStorage', 'get').mockImplementation(denied)
    vi.spyOn(globalThis, 'sessionStorage', 'get').mockImplementation(denied)
    vi.spyOn(indexedDB, 'open').mockImplementation(denied)
    vi.spyOn(locks, 'request').mockImplementation(async () => denied())
    const forbidden = tab()
    expect(forbidden.getSnapshot()).toMatchObject({ status: 'ready', persistence: 'unavailable' })
    forbidden.mount()()
    const account = await connect(forbidden, server)
    expect(await forbidden.getToken('acme')).toMatch(CANARY)
    expect(await forbidden.disconnect(account.id)).toEqual({ status: 'revoked', tokens: BOTH })
    vi.restoreAllMocks()

    vi.spyOn(globalThis, 'localStorage', 'get').mockReturnValue(undefined as unknown as Storage)
    expect(tab().getSnapshot()).toMatchObject({ status: 'ready', persistence: 'unavailable' })
  })

  it('still follows other tabs, and keeps accounts that only this page has', async () => {
    const client = tab()
    client.mount()
    full()
    const ada = await connect(client, server)
    vi.restoreAllMocks()
    const grace = await connect(tab(), server, { person: GRACE })
    storageEvent(null)
    expect(Object.keys(client.getSnapshot().accounts).sort()).toEqual([ada.id, grace.id].sort())
    localStorage.clear()
    storageEvent(null)
    expect(accounts(client)).toEqual([ada])
  })

  it('reports when it works again', async () => {
    const client = tab()
    full()
    await connect(client, server)
    expect(client.getSnapshot().persistence).toBe('unavailable')
    vi.restoreAllMocks()
    await connect(client, server)
    expect(client.getSnapshot().persistence).toBe('available')
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('without IndexedDB, custody is memory, and the snapshot says so', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('denied', 'SecurityError')
    })
    server.settings.expiresIn = 0
    const client = tab()
    const account = await connect(client, server)
    expect(client.getSnapshot()).toMatchObject({ persistence: 'unavailable' })
    expect(recordKey()).toBe('')
    server.settings.expiresIn = 3600
    expect(await client.getToken('acme')).toMatch(CANARY)
    expect(accounts(client)).toMatchObject([{ status: 'connected' }])
    expect(await client.disconnect(account.id)).toEqual({ status: 'revoked', tokens: BOTH })
    expect(await failure(client.getToken({ accountId: account.id }))).toMatchObject({ code: 'login_required' })
  })

  it('a database that fails for a while does not mark an account needs-reconnect', async () => {
    await connect(tab(), server)
    const reloaded = tab()
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('denied', 'SecurityError')
    })
    expect(await failure(reloaded.getToken('acme'))).toMatchObject({ code: 'storage_unavailable' })
    expect(accounts(reloaded)).toMatchObject([{ status: 'connected' }])
    vi.restoreAllMocks()
    expect(await reloaded.getToken('acme')).toMatch(CANARY)
  })
})

describe('bad data in storage', () => {
  it('case 56: garbage, old schemas, prototypes and 5 MB are not accounts, and nothing is polluted', async () => {
    const account = await connect(tab(), server)
    const id = `acme.${'x'.repeat(22)}`
    const good = JSON.parse(localStorage.getItem(recordKey())!)
    const variants: unknown[] = [
      'garbage',
      '{"__proto__":{"polluted":1}}',
      '[]',
      'null',
      { v: 0, account: { ...good.account, id } },
      { account: { ...good.account, id } },
      { v: 1, account: { ...good.account, id, status: 'fine' } },
      { v: 1, account: { ...good.account, id, provider: 'other' } },
      { v: 1, account: { ...good.account, id, scopes: [{}] } },
      { v: 1, account: { ...good.account, id, name: { html: 'x' } } },
      { v: 1, account: { ...good.account, id, rev: '1' } },
      { v: 1, account: { ...good.account, id, label: undefined } },
      { v: 1, account: { ...good.account, id, label: 'x'.repeat(4e6) } },
    ]
    for (const variant of variants) {
      const raw = typeof variant === 'string' ? variant : JSON.stringify(variant)
      localStorage.setItem(`latchkey:${id}`, raw)
      expect(accounts(tab()).map((found) => found.id)).toEqual([account.id])
    }
    localStorage.setItem('latchkey:agent:__proto__', '{"excluded":["polluted"]}')
    localStorage.setItem('latchkey:default:__proto__', '{"account":"polluted"}')
    localStorage.setItem('latchkey:agent:a', '{"excluded":"x"}')
    localStorage.setItem('latchkey:default:acme', 'null')
    const client = tab()
    expect(client.getSnapshot().excluded).not.toHaveProperty('polluted')
    expect(await client.getToken('acme')).toMatch(CANARY)
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it("garbage under Latchkey's key is set aside, not dropped, and the account can be connected again", async () => {
    const account = await connect(tab(), server)
    localStorage.setItem(`latchkey:${account.id}`, '{"half":')
    const client = tab()
    expect(client.getSnapshot().accounts).toEqual({})
    await connect(client, server)
    expect(localStorage.getItem(`latchkey:unreadable:${account.id}`)).toBe('{"half":')
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })

  it('data of a newer version is not changed', async () => {
    const account = await connect(tab(), server)
    const newer = JSON.stringify({ v: 2, account: { anything: true } })
    localStorage.setItem(`latchkey:${account.id}`, newer)
    const client = tab()
    expect(client.getSnapshot().accounts).toEqual({})
    await connect(client, server)
    expect(localStorage.getItem(`latchkey:${account.id}`)).toBe(newer)
    expect(client.getSnapshot()).toMatchObject({ persistence: 'unavailable' })
    expect(await client.getToken('acme')).toMatch(CANARY)
  })

  it('case 61: a forged storage event changes nothing, and an account of a foreign provider is used for nothing', async () => {
    const client = tab()
    const account = await connect(client, server)
    client.mount()
    const before = client.getSnapshot().accounts
    localStorage.setItem(`latchkey:evil.${'x'.repeat(22)}`, 'junk')
    localStorage.setItem('latchkey:nothing', 'junk')
    storageEvent(`latchkey:evil.${'x'.repeat(22)}`)
    storageEvent('latchkey:nothing')
    expect(client.getSnapshot().accounts).toEqual(before)
    // The provider may be added later, so its accounts are kept.
    const foreign = { v: 1, account: { ...account, id: `evil.${'y'.repeat(22)}`, provider: 'evil' }, sealed: 'x' }
    localStorage.setItem(`latchkey:evil.${'y'.repeat(22)}`, JSON.stringify(foreign))
    storageEvent(null)
    expect((await client.getIdentities()).map(({ provider }) => provider)).toEqual(['acme'])
    expect(await failure(client.getToken('evil'))).toMatchObject({ name: 'LatchkeyError' })
    expect(await failure(client.getToken({ accountId: foreign.account.id }))).toMatchObject({ name: 'LatchkeyError' })
  })

  it('case 60: one person of the app cannot read the accounts of another', async () => {
    const ada = tab({ prefix: 'latchkey-ada' })
    const account = await connect(ada, server)
    const grace = tab({ prefix: 'latchkey-grace' })
    expect(grace.getSnapshot().accounts).toEqual({})
    // Nor with a copy of the row under their own prefix.
    localStorage.setItem(`latchkey-grace:${account.id}`, localStorage.getItem(`latchkey-ada:${account.id}`)!)
    expect(await failure(tab({ prefix: 'latchkey-grace' }).getToken('acme'))).toMatchObject({
      code: 'secret_unavailable',
    })
  })

  it('case 54: a secret with one changed byte is reported as unreadable, and nothing throws', async () => {
    const account = await connect(tab(), server)
    const row = await inDatabase<{ rev: number; sealed: string }>((transaction) =>
      transaction.objectStore('secrets').get(account.id),
    )
    const flipped = `${row.sealed.slice(0, 30)}${row.sealed[30] === 'A' ? 'B' : 'A'}${row.sealed.slice(31)}`
    await inDatabase((transaction) => transaction.objectStore('secrets').put({ ...row, sealed: flipped }, account.id))
    const client = tab()
    const heard = vi.fn()
    client.subscribe(heard)
    expect(await client.getIdentities()).toEqual([])
    expect(heard).toHaveBeenCalled()
    expect(accounts(client)).toMatchObject([{ status: 'needs-reconnect', reason: 'secret_unavailable', label: 'ada' }])
  })

  it('if the key is lost, the secret is lost but the facts are not, and connecting again repairs the account', async () => {
    await connect(tab(), server)
    await inDatabase((transaction) => transaction.objectStore('keys').clear(), { store: 'keys' })
    const client = tab()
    expect(await failure(client.getToken('acme'))).toMatchObject({ code: 'secret_unavailable', next: 'reconnect' })
    const lost = { label: 'ada', email: 'ada@example.com', status: 'needs-reconnect', reason: 'secret_unavailable' }
    expect(accounts(client)).toMatchObject([lost])
    expect(accounts(tab())).toMatchObject([lost])
    await connect(client, server)
    expect(accounts(client)).toMatchObject([{ status: 'connected', reason: undefined }])
    expect(await tab().getToken('acme')).toMatch(CANARY)
  })
})

describe('a storage that the app provides', () => {
  /** Three methods on a Map, each answering a tick later. */
  function slow(items = new Map<string, string>()): StateStorage & { items: Map<string, string> } {
    return {
      items,
      getItem: async (key) => items.get(key) ?? null,
      setItem: async (key, value) => void items.set(key, value),
      removeItem: async (key) => void items.delete(key),
    }
  }

  it('needs three methods, sync or async', async () => {
    const { items, ...storage } = slow()
    const client = tab({ storage, providers: [acme(server), acme(server, { id: 'umbrella' }), kaggle()] })
    expect(client.getSnapshot().status).toBe('loading')
    await eventually(() => expect(client.getSnapshot().status).toBe('ready'))
    // Two at once: both stay in the list of accounts, which a storage without keys needs.
    await Promise.all([
      connect(client, server),
      client.connectKey('kaggle', { username: 'ada', key: `${CANARY}KEY` }),
      connect(client, server, { id: 'umbrella', person: GRACE }),
    ])
    client.setIncluded('writer', 'kaggle', false)
    const reloaded = tab({ storage, providers: client.providers })
    await eventually(() => expect(accounts(reloaded)).toHaveLength(3))
    await eventually(() => expect(items.get('latchkey:agent:writer')).toContain('kaggle'))
    expect(JSON.stringify([...items])).not.toContain(CANARY)
    expect(await reloaded.getToken('acme')).toMatch(CANARY)
    await reloaded.disconnectAll()
    expect(JSON.parse(items.get('latchkey:index')!)).toEqual(['agent:writer'])
    expect([...items.keys()].filter((key) => /^latchkey:\w+\./.test(key))).toEqual([])
  })

  it('counts as absent if it rejects', async () => {
    const refuse = () => Promise.reject(new Error('no'))
    const client = tab({ storage: { getItem: refuse, setItem: refuse, removeItem: refuse } })
    await eventually(() => expect(client.getSnapshot()).toMatchObject({ status: 'ready', persistence: 'unavailable' }))
    await connect(client, server)
    client.setIncluded('writer', 'acme', false)
    expect(await client.getToken('acme')).toMatch(CANARY)
  })

  it('case 52: plain text is an explicit choice with one warning that names the docs, and can be read from the snapshot', async () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const client = tab({ storage: localStorageStore({ dangerouslyPlaintext: true }) })
    await connect(client, server)
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/dangerouslyPlaintext.*"Custody" in the README of @latchkey\/core/),
    )
    expect(client.getSnapshot().custody).toBe('plain')
    expect(localStorage.getItem(recordKey())).toContain(`${CANARY}AT`)
    expect(await tab({ storage: localStorageStore({ dangerouslyPlaintext: true }) }).getToken('acme')).toMatch(CANARY)
  })
})

it('two tabs make one sealing key', async () => {
  await Promise.all([connect(tab(), server), connect(tab(), server, { person: GRACE })])
  expect(await inDatabase((t) => t.objectStore('keys').count(), { store: 'keys' })).toBe(1)
  const reloaded = tab()
  for (const { id } of accounts(reloaded)) expect(await reloaded.getToken({ accountId: id })).toMatch(CANARY)
})

it('the sealing key cannot be exported', async () => {
  await connect(tab(), server)
  const key = await inDatabase<CryptoKey>((t) => t.objectStore('keys').get('seal'), { store: 'keys' })
  expect(await failure<DOMException>(crypto.subtle.exportKey('raw', key))).toMatchObject({ name: 'InvalidAccessError' })
})
