// `node src/vault.ts [10000 …]`: compares reads from the vault with a bare SELECT by key, for growing numbers of
// accounts, and the broker's API calls with a plain proxy.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { getRequestListener } from '@hono/node-server'
import { apiKey } from '@latchkey/core'
import { startPostgres } from '@latchkey/sandbox/postgres'
import { createBroker } from '@latchkey/server'
import { postgresStore } from '@latchkey/server/postgres'
import { sqliteStore } from '@latchkey/server/sqlite'
import { createVault, localKeys, type Vault } from '@latchkey/server/vault'
import { Hono } from 'hono'
import pg from 'pg'
// The vault's own reads and writes, which its package does not export.
import { insideOf } from '../../../packages/server/src/vault/vault.ts'

const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1_000, 10_000, 100_000]
const READS = 3000
const KEY = randomBytes(32).toString('base64')
const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-'))
const postgres = await startPostgres()

const userOf = (at: number) => `user-${at}`
const idOf = (at: number) => `acme.${String(at).padStart(22, '0')}`
const owner = (at: number) => ({ tenant: 'default', user: userOf(at) })

async function fill(vault: Vault, from: number, to: number): Promise<void> {
  const { store, save } = insideOf(vault)
  // One row is sealed as every row is, and the others are copies under other names: reading them costs the same until
  // they are opened, and those that are read are sealed one by one.
  for (let at = from; at < to; at++) {
    const id = idOf(at)
    const account = {
      id,
      provider: 'acme',
      issuer: 'https://acme.example',
      label: userOf(at),
      scopes: ['read'],
      missingScopes: [],
      status: 'connected',
      renewable: true,
      connectedAt: 1,
      rev: 0,
    } as const
    const token = {
      access_token: randomBytes(30).toString('base64url'),
      refresh_token: randomBytes(30).toString('base64url'),
      token_type: 'bearer',
      issuer: account.issuer,
    }
    const saved = { account, secret: { token, expiresAt: Date.now() + 3_600_000 } }
    if (at - from < 2000) await save(owner(at), id, () => saved)
    else rows.push({ at, facts: JSON.stringify(account) })
  }
  const template = await store.get(owner(from), idOf(from))
  if (rows.length > 0 && template) await bulk(store.type, rows.splice(0), template.sealed, template.kid)
}
const rows: { at: number; facts: string }[] = []

const file = path.join(folder, 'vault.db')
async function bulk(type: string, more: typeof rows, sealed: Uint8Array, kid: string): Promise<void> {
  if (type === 'sqlite') {
    const database = new DatabaseSync(file, { timeout: 10_000 })
    const insert = database.prepare(
      'INSERT INTO latchkey_accounts (tenant, user_id, account, provider, facts, sealed, kid, rev) VALUES (?, ?, ?, ?, ?, ?, ?, 1)',
    )
    database.exec('BEGIN')
    for (const { at, facts } of more) insert.run('default', userOf(at), idOf(at), 'acme', facts, sealed, kid)
    database.exec('COMMIT')
    database.close()
    return
  }
  const client = new pg.Client({ connectionString: postgres.adminUrl })
  await client.connect()
  for (let start = 0; start < more.length; start += 5000) {
    const part = more.slice(start, start + 5000)
    await client.query(
      `INSERT INTO latchkey_accounts (tenant, user_id, account, provider, facts, sealed, kid, rev)
       SELECT 'default', u, a, 'acme', f, $4, $5, 1 FROM unnest($1::text[], $2::text[], $3::text[]) AS x(u, a, f)`,
      [part.map(({ at }) => userOf(at)), part.map(({ at }) => idOf(at)), part.map(({ facts }) => facts), sealed, kid],
    )
  }
  await client.query('ANALYZE latchkey_accounts')
  await client.end()
}

interface Measured {
  perSecond: number
  p50: number
  p99: number
}

/** Measures calls that run one after another. */
async function measure(act: (at: number) => Promise<unknown> | unknown, times = READS): Promise<Measured> {
  for (let at = 0; at < times / 5; at++) await act(at)
  const taken: number[] = []
  const began = performance.now()
  for (let at = 0; at < times; at++) {
    const start = performance.now()
    await act(at)
    taken.push(performance.now() - start)
  }
  const all = performance.now() - began
  taken.sort((a, b) => a - b)
  const at = (part: number) => taken[Math.floor(times * part)] ?? 0
  return { perSecond: Math.round((times / all) * 1000), p50: at(0.5), p99: at(0.99) }
}

const ms = (value: number) => value.toFixed(3).padStart(8)
const line = (name: string, { perSecond, p50, p99 }: Measured, note = '') =>
  console.log(`${name.padEnd(34)} ${String(perSecond).padStart(8)}/s  p50 ${ms(p50)} ms  p99 ${ms(p99)} ms  ${note}`)

/** The exponent of growth: 0 is constant time, 1 is linear. */
function exponent(points: [number, number][]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (at: 0 | 1) => logs.reduce((sum, point) => sum + point[at], 0) / logs.length
  const [mx, my] = [mean(0), mean(1)]
  const over = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0)
  return over / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0)
}

try {
  for (const store of [sqliteStore(file), postgresStore({ url: postgres.url })]) {
    const vault = createVault({ store, keys: localKeys(KEY) })
    const { open } = insideOf(vault)
    const growth: [number, number][] = []
    const bare: [number, number][] = []
    const client = new pg.Client({ connectionString: postgres.adminUrl })
    await client.connect()
    let filled = 0
    for (const size of sizes) {
      await fill(vault, filled, size)
      // Those of this round that were sealed one by one, spread over the whole.
      const first = filled
      filled = size
      const pick = (at: number) => first + ((at * 7919) % Math.min(2000, size - first))
      const database = store.type === 'sqlite' ? new DatabaseSync(file, { readOnly: true }) : undefined
      const select = database?.prepare(
        'SELECT sealed FROM latchkey_accounts WHERE tenant = ? AND user_id = ? AND account = ?',
      )
      const text = 'SELECT sealed FROM latchkey_accounts WHERE tenant = $1 AND user_id = $2 AND account = $3'
      const floor = await measure((at) =>
        select
          ? select.get('default', userOf(pick(at)), idOf(pick(at)))
          : client.query(text, ['default', userOf(pick(at)), idOf(pick(at))]),
      )
      const reads = await measure(async (at) => {
        const found = await open(owner(pick(at)), idOf(pick(at)))
        if (!found?.secret.token) throw new Error('It is not there.')
      })
      database?.close()
      line(`${store.type}, ${size} accounts: SELECT`, floor)
      line(`${store.type}, ${size} accounts: vault`, reads, `${(reads.p50 / floor.p50).toFixed(2)}x the SELECT`)
      growth.push([size, reads.p50])
      bare.push([size, floor.p50])
    }
    if (sizes.length > 1)
      console.log(
        `${store.type}: time grows with accounts^${exponent(growth).toFixed(3)} (SELECT ^${exponent(bare).toFixed(3)})\n`,
      )
    await client.end()
    await vault.close()
  }
  await proxies()
} finally {
  await postgres.close()
  rmSync(folder, { recursive: true, force: true })
}

async function listen(listener: Parameters<typeof createServer>[1]) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

async function proxies(): Promise<void> {
  const upstream = await listen((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}'),
  )
  const provider = apiKey({
    id: 'keys',
    name: 'Keys',
    baseUrl: upstream.url,
    keyUrl: 'https://keys.example',
    apiBaseUrl: `${upstream.url}/api`,
  })
  const vault = createVault({ store: sqliteStore(path.join(folder, 'proxy.db')), keys: localKeys(KEY) })
  const id = `keys.${'k'.repeat(22)}`
  await insideOf(vault).save({ tenant: 'default', user: 'ada' }, id, () => ({
    account: {
      id,
      provider: 'keys',
      issuer: provider.issuer,
      label: 'ada',
      scopes: [],
      missingScopes: [],
      status: 'connected',
      renewable: false,
      connectedAt: 1,
      rev: 0,
    },
    secret: { fields: { key: 'key' } },
  }))
  const broker = createBroker<string>({
    providers: [provider],
    clients: {},
    authenticate: () => 'ada',
    allowedOrigins: ['http://localhost'],
    vault,
    proxy: { methods: ['GET'] },
  })
  const bare = new Hono()
  bare.get('/api/*', async (c) => {
    const answer = await fetch(`${upstream.url}${c.req.path}`, { headers: { authorization: 'Bearer key' } })
    return new Response(answer.body, { headers: { 'content-type': answer.headers.get('content-type') ?? '' } })
  })
  const [one, other] = [await listen(getRequestListener(broker)), await listen(getRequestListener(bare.fetch))]
  const get = async (url: string) => {
    const response = await fetch(url, { headers: { 'latchkey-request': '1', accept: 'application/json' } })
    if ((await response.text()) !== '{"ok":true}') throw new Error(`It answered ${response.status}.`)
  }
  // Rounds alternate, so that other load on the machine affects both.
  const rounds: [Measured, Measured][] = []
  for (let round = 0; round < 3; round++) {
    rounds.push([
      await measure(() => get(`${other.url}/api/me`), 600),
      await measure(() => get(`${one.url}/api/latchkey/accounts/${id}/api/me`), 600),
    ])
  }
  const middle = (side: 0 | 1) => rounds.map((round) => round[side]).sort((a, b) => a.p50 - b.p50)[1] as Measured
  line('call through a bare Hono proxy', middle(0))
  line(
    'call through the broker',
    middle(1),
    `${(middle(1).p50 - middle(0).p50).toFixed(3)} ms more, ${(middle(1).p50 / middle(0).p50).toFixed(2)}x`,
  )
  for (const server of [one, other, upstream]) server.close()
  await vault.close()
}
