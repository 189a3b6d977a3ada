// Webhooks ahead of the end of accounts that cannot be renewed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ConnectedAccount } from '@latchkey/core'
import { type PostgresServer, startPostgres } from '@latchkey/sandbox/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import { createBroker } from '../index.ts'
import { postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { VaultOptions } from './index.ts'
import { localKeys, memoryStore, type VaultStore } from './index.ts'

const keys = localKeys(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64'))
const SECRET = `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`
const ADA = { tenant: 'one', user: 'ada' }
const ID = `acme.${'0'.repeat(22)}`
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const START = Date.UTC(2026, 0, 1)

const ends: (() => unknown)[] = []
let postgres: PostgresServer
beforeAll(async () => {
  postgres = await startPostgres()
}, 120_000)
afterAll(() => postgres?.close())
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  vi.useRealTimers()
})

/** A server process. `told` is what its webhooks said so far of accounts that end. */
function serve(store: VaultStore, told: { data: object }[], options: VaultOptions = {}) {
  let marks = 0
  const fetch: typeof globalThis.fetch = async (_url, init) => {
    const event = JSON.parse(String(init?.body))
    if (event.type === 'account.expiring') told.push(event)
    if (event.type === 'account.disconnected') marks += 1
    return new Response(null, { status: 204 })
  }
  const vault = openVault({
    store,
    keys,
    webhooks: [{ url: 'https://hooks.example', secret: SECRET, fetch }],
    ...options,
  })
  const broker = createBroker<string>({
    providers: [providerAt('https://acme.example')],
    clients: { acme: { client_id: 'app', client_secret: 'secret' } },
    authenticate: () => 'ada',
    allowedOrigins: ['https://app.example'],
    vault,
  })
  ends.push(
    () => vault.close(),
    () => broker.close(),
  )
  /** What a webhook said before this has arrived after it. */
  const settled = async () => {
    const before = marks
    vault.hooks.tell('account.disconnected', ADA, { id: 'mark', provider: 'acme' } as ConnectedAccount)
    await vi.waitFor(() => expect(marks).toBeGreaterThan(before))
  }
  return { vault, broker, settled }
}

type Process = ReturnType<typeof serve>
const connect = ({ vault }: Process, expiresAt: number | undefined, { id = ID, refresh_token = '' } = {}) => {
  const renewable = refresh_token !== ''
  const account: ConnectedAccount = {
    ...{ id, provider: 'acme', issuer: 'https://acme.example', label: 'CANARY_LABEL', scopes: [], missingScopes: [] },
    ...{ status: 'connected', renewable, connectedAt: Date.now(), issuedAt: Date.now(), rev: 0 },
    ...(expiresAt !== undefined && { expiresAt }),
  }
  const token = {
    ...{ access_token: 'CANARY_TOKEN', token_type: 'bearer', issuer: 'https://acme.example' },
    ...(renewable && { refresh_token }),
  }
  return vault.save(ADA, id, () => ({ account, secret: { token, expiresAt } }))
}
/** A round of the background in each process, at the same time. */
const round = async (...processes: Process[]) => {
  await Promise.all(processes.map(({ broker }) => broker.refreshDue()))
  for (const { settled } of processes) await settled()
}

/** Two processes over one store. */
const twoOver: Record<string, () => Promise<[VaultStore, VaultStore]>> = {
  async memory() {
    const store = memoryStore()
    return [store, store]
  },
  async SQLite() {
    const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-expiry-'))
    ends.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = path.join(folder, 'vault.db')
    return [sqliteStore(file), sqliteStore(file)]
  },
  async PostgreSQL() {
    return [postgresStore({ url: postgres.url }), postgresStore({ url: postgres.url })]
  },
}

describe.each(Object.keys(twoOver))('an account in %s that cannot be renewed', (name) => {
  it('is told of once for each end, three days ahead, by one of two processes', async () => {
    const told: { data: object }[] = []
    const stores = await twoOver[name]?.()
    if (!stores) throw new Error('There is none.')
    const both = stores.map((store) => serve(store, told)) as [Process, Process]
    const [one] = both
    const end = START + 60 * DAY
    await connect(one, end)
    for (const at of [START, end - 3 * DAY - MINUTE]) {
      vi.setSystemTime(at)
      await round(...both)
    }
    expect(told).toEqual([])

    vi.setSystemTime(end - 3 * DAY)
    await round(...both)
    await round(...both)
    const timestamp = new Date(end - 3 * DAY).toISOString()
    const about = { ...ADA, kind: 'expiry', provider: 'acme', accountId: ID, expiresAt: end }
    expect(told).toEqual([
      { type: 'account.expiring', timestamp, data: { ...about, id: expect.stringMatching(/^[\w-]{22}$/) } },
    ])
    expect(JSON.stringify(told)).not.toContain('CANARY')

    // What else is written of it makes no new end.
    await one.vault.mark(ADA, ID, 'paused', undefined)
    await one.vault.mark(ADA, ID, 'connected', undefined)
    vi.setSystemTime(end - DAY)
    await round(...both)
    expect(told).toHaveLength(1)

    const next = end + 60 * DAY
    await connect(one, next)
    vi.setSystemTime(next - DAY)
    await round(...both)
    expect(told).toMatchObject([{}, { data: { expiresAt: next } }])
    expect(new Set(told.map(({ data }) => (data as { id: string }).id)).size).toBe(2)
  })
})

describe('nobody is told', () => {
  it('of an account that is renewed, paused, without an end, or where there are no webhooks', async () => {
    const told: { data: object }[] = []
    const it = serve(memoryStore(), told)
    const end = START + 10 * DAY
    const ids = [1, 2, 3].map((at) => `acme.${String(at).padStart(22, '0')}`) as [string, string, string]
    await connect(it, end, { id: ids[0], refresh_token: 'CANARY_REFRESH' })
    await connect(it, undefined, { id: ids[1] })
    await connect(it, end, { id: ids[2] })
    await it.vault.mark(ADA, ids[2], 'paused', undefined)
    const silent = serve(memoryStore(), told, { webhooks: [] })
    await connect(silent, end)
    vi.setSystemTime(end - DAY)
    await round(it)
    await silent.broker.refreshDue()
    expect(told).toEqual([])
    // And none of them is looked at in each round.
    expect(await silent.vault.store.due(end + DAY, 10)).toEqual([])
    await it.vault.mark(ADA, ids[2], 'connected', undefined)
    await round(it)
    expect(told).toMatchObject([{ data: { accountId: ids[2] } }])
  })

  it('before the last third of a short life, nor earlier than the app wants', async () => {
    const told: { data: { accountId: string } }[] = []
    const it = serve(memoryStore(), told, { expiryNoticeSeconds: 3600 })
    const [short, long] = [ID, `acme.${'9'.repeat(22)}`]
    await connect(it, START + 60 * MINUTE, { id: short })
    await connect(it, START + DAY, { id: long })
    const at = async (time: number) => {
      vi.setSystemTime(time)
      await round(it)
      return told.map(({ data }) => data.accountId)
    }
    expect(await at(START + 39 * MINUTE)).toEqual([])
    expect(await at(START + 40 * MINUTE)).toEqual([short])
    expect(await at(START + DAY - 61 * MINUTE)).toEqual([short])
    expect(await at(START + DAY - 60 * MINUTE)).toEqual([short, long])
  })
})
