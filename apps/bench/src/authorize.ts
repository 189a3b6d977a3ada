// `npm run bench authorize [uses …]`: what the door before an account costs, beside the same use without rules and ledger,
// and a page of activity for growing numbers of uses.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { apiKey } from '@latchkey/core'
import { startPostgres } from '@latchkey/sandbox/postgres'
import { postgresStore } from '@latchkey/server/postgres'
import { sqliteStore } from '@latchkey/server/sqlite'
import { createVault, localKeys, memoryStore } from '@latchkey/server/vault'
import pg from 'pg'
// What its package does not export.
import type { VaultStore } from '../../../packages/server/src/stores/store.ts'
import { readAgents } from '../../../packages/server/src/use/agents.ts'
import { type Call, createDoor } from '../../../packages/server/src/use/door.ts'
import { createOverseer } from '../../../packages/server/src/use/overseer.ts'
import { judgedTool } from '../../../packages/server/src/use/tools.ts'
import { type ActivityPage, createAudit } from '../../../packages/server/src/vault/audit.ts'
import { createCustodian } from '../../../packages/server/src/vault/custodian.ts'
import { insideOf } from '../../../packages/server/src/vault/vault.ts'
import { median } from './read.ts'

const ROUNDS = 21
const owner = { tenant: 'default', user: 'ada' }
const keys = localKeys(randomBytes(32).toString('base64'))
const provider = apiKey({
  id: 'keys',
  name: 'Keys',
  keyUrl: 'https://keys.example',
  apiBaseUrl: 'https://keys.example/v1',
})
const providers = new Map([[provider.id, provider]])
const accountId = `keys.${'k'.repeat(22)}`
const toolOf = (effect: 'read' | 'write') =>
  judgedTool({ provider: 'keys', toolName: effect, title: 'An item', effect, inputSchema: { type: 'object' } })
const tools = { read: toolOf('read'), write: toolOf('write') }
const agents = readAgents({ assistant: {} })
const about = { agent: 'assistant', owner, provider: 'keys', accountId }
const args = { owner: 'octocat', repo: 'hello-world', state: 'open', page: 1 }

/** Microseconds of one call, over a number of them: by the clock, and of this thread's CPU. */
async function time(act: (at: number) => Promise<unknown>, calls: number): Promise<[clock: number, cpu: number]> {
  const from = performance.now()
  const before = process.threadCpuUsage()
  for (let at = 0; at < calls; at++) await act(at)
  const { user, system } = process.threadCpuUsage(before)
  return [((performance.now() - from) * 1000) / calls, (user + system) / calls]
}

/** Of one contestant: microseconds, and the times of the first contestant in the same round that it took. */
interface Compared {
  us: number
  cpu: number
  ratio: number
  cpuRatio: number
}

/** Times contestants in rounds that alternate, so that other work of the machine meets all of them. The first is the floor. */
async function compare<Name extends string>(
  title: string,
  contestants: Record<Name, (at: number) => Promise<unknown>>,
  calls: number,
): Promise<Record<Name, Compared>> {
  const names = Object.keys(contestants) as Name[]
  const rounds = new Map(names.map((name) => [name, [] as [number, number][]]))
  for (const name of names) await time(contestants[name], calls)
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of round % 2 ? names : names.toReversed()) {
      rounds.get(name)?.push(await time(contestants[name], calls))
    }
  }
  const floor = rounds.get(names[0] as Name) ?? []
  const result = {} as Record<Name, Compared>
  for (const [name, taken] of rounds) {
    const middle = (of: 0 | 1) => median(taken.map((one) => one[of]))
    const ratio = (of: 0 | 1) => median(taken.map((one, round) => one[of] / (floor[round]?.[of] ?? Number.NaN)))
    const one = { us: middle(0), cpu: middle(1), ratio: ratio(0), cpuRatio: ratio(1) }
    const cell = (value: number) => value.toFixed(1).padStart(8)
    const [us, cpu] = [`${cell(one.us)}  x ${one.ratio.toFixed(2)}`, `${cell(one.cpu)}  x ${one.cpuRatio.toFixed(2)}`]
    console.log(`  ${title.padEnd(10)} ${name.padEnd(40)} ${us.padEnd(18)}  ${cpu}`)
    result[name] = one
  }
  return result
}

async function vaultUses(store: VaultStore, calls: number) {
  const vault = createVault({ store, keys })
  const inside = insideOf(vault)
  const endpointOf = () => {
    throw new Error('No account is refreshed.')
  }
  const custodian = createCustodian({ vault, providers, endpointOf, fetchFor: () => fetch })
  const overseer = createOverseer(inside)
  const door = createDoor({ custodian, audit: vault.audit, providers, agents, overseer })
  await inside.save(owner, accountId, () => ({
    account: {
      ...{ id: accountId, provider: 'keys', issuer: provider.issuer, label: 'ada', scopes: [], missingScopes: [] },
      ...{ status: 'connected', renewable: false, connectedAt: 1, rev: 0 },
    },
    secret: { fields: { key: randomBytes(30).toString('base64url') } },
  }))
  await overseer.change(owner, { agent: 'assistant', of: { account: accountId }, preset: 'trusted' })
  const event = {
    action: 'use',
    provider: 'keys',
    account: accountId,
    agent: 'assistant',
    host: 'https://keys.example',
  } as const
  const use = async (call: Omit<Call, keyof typeof about>) => {
    const allowed = await door.authorize({ ...about, ...call })
    if ('done' in allowed) throw new Error('It was made before.')
    if (!(await door.open(allowed)).accessToken) throw new Error('It is not there.')
    await door.end(allowed, { result: { ok: true } })
  }
  let runs = 0
  try {
    return await compare(
      store.type,
      {
        'open the secret, audit entry (floor)': async () => {
          if (!(await inside.open(owner, accountId))?.secret.fields) throw new Error('It is not there.')
          await vault.audit.record(owner, { ...event, tool: tools.read.name, effect: 'read', outcome: 'allowed' })
        },
        'through the door, read': () => use({ tool: tools.read, args }),
        'through the door, write with ledger': () => use({ tool: tools.write, args, run: `run-${++runs}` }),
      },
      calls,
    )
  } finally {
    door.close()
    await vault.close()
  }
}

async function heldUses() {
  const store = memoryStore()
  const audit = createAudit(store)
  const overseer = createOverseer({ store, keys })
  const door = createDoor({ custodian: undefined, audit, providers, agents, overseer })
  const held = { provider: 'keys', accessToken: randomBytes(30).toString('base64url'), accountId }
  try {
    return await compare(
      'held',
      {
        'audit entry (floor)': () =>
          audit.record(owner, { action: 'use', ...{ provider: 'keys' }, outcome: 'allowed' }),
        authorize: async () => {
          const allowed = await door.authorize({ ...about, held, tool: tools.read, args })
          if ('done' in allowed) throw new Error('It was made before.')
          await door.end(allowed, {})
        },
      },
      2000,
    )
  } finally {
    door.close()
    await store.close()
  }
}

const file = (name: string) => path.join(folder, `${name}.db`)
const RARE = 16
/** One person's uses, of which one in 16 is of another agent, and one of another account. */
const eventAt = (
  at: string,
) => `'{"action":"use","account":"' || CASE ${at} % ${RARE} WHEN 1 THEN 'keys.2' ELSE 'keys.1' END ||
  '","agent":"' || CASE ${at} % ${RARE} WHEN 0 THEN 'rare' ELSE 'assistant' END || '","outcome":"allowed"}'`
const insertUses = (series: string) => `INSERT INTO latchkey_audit (tenant, seq, at, user_id, event, hash)
  ${series} SELECT 'default', n, n, 'ada', ${eventAt('n')}, 'x' FROM uses`

async function fillSqlite(from: number, to: number): Promise<void> {
  const database = new DatabaseSync(file('activity'), { timeout: 10_000 })
  database.exec(
    insertUses(`WITH RECURSIVE uses(n) AS (SELECT ${from + 1} UNION ALL SELECT n + 1 FROM uses WHERE n < ${to})`),
  )
  database.close()
}

async function fillPostgres(from: number, to: number): Promise<void> {
  const client = new pg.Client({ connectionString: uses.adminUrl })
  await client.connect()
  await client.query(insertUses(`WITH uses AS (SELECT generate_series(${from + 1}, ${to}) AS n)`))
  await client.query('ANALYZE latchkey_audit')
  await client.end()
}

/** The exponent of growth: 0 is constant time, 1 is linear. */
function exponent(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (at: 0 | 1) => logs.reduce((sum, point) => sum + point[at], 0) / logs.length
  const [mx, my] = [mean(0), mean(1)]
  const over = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0)
  return over / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0)
}

/** A page of 50 uses of a person who has more and more, beside one row that is read by its key. */
async function activity(store: VaultStore, fill: (from: number, to: number) => Promise<void>): Promise<void> {
  const audit = createAudit(store)
  const points = new Map<string, [size: number, ms: number][]>()
  let filled = 0
  // Makes the tables.
  await store.auditHead('default')
  for (const size of sizes) {
    await fill(filled, size)
    filled = size
    const page = async (of: ActivityPage) => {
      const { uses } = await audit.activity(owner, of)
      if (uses.length !== 50) throw new Error(`There are ${uses.length}.`)
    }
    const contestants: Record<string, () => Promise<unknown>> = {
      'one row (floor)': () => store.auditHead('default'),
      all: () => page({}),
      'of an agent': () => page({ agent: 'rare' }),
      'of an account': () => page({ account: 'keys.2' }),
      'from the middle': () => page({ before: Math.ceil(size / 2) }),
    }
    const taken = new Map(Object.keys(contestants).map((name) => [name, [] as number[]]))
    for (let round = 0; round < 2 * ROUNDS; round++) {
      for (const [name, act] of Object.entries(contestants)) taken.get(name)?.push((await time(act, 1))[0] / 1000)
    }
    for (const [name, times] of taken) points.set(name, [...(points.get(name) ?? []), [size, median(times)]])
  }
  const floor = points.get('one row (floor)') ?? []
  for (const [name, found] of points) {
    const cells = found.map(([size, ms]) => `${size}: ${ms.toFixed(2)}`.padEnd(16)).join('')
    console.log(`  ${store.type.padEnd(9)} ${name.padEnd(16)} ${cells} grows with uses^${exponent(found).toFixed(2)}`)
    for (const [at, [size, ms]] of found.entries()) {
      const more = ms - (floor[at]?.[1] ?? 0)
      if (more > 20) failures.push(`${store.type}: a page of ${size} uses, ${name}, took ${more.toFixed(1)} ms more`)
    }
  }
  await store.close()
}

const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 10_000, 100_000, 1_000_000]
const failures: string[] = []
const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-'))
const postgres = await startPostgres()
const uses = postgres.createDatabase('activity')
try {
  console.log(
    'authorize: microseconds of one use, by the clock and of CPU: medians of interleaved rounds, and of their ratios',
  )
  const held = await heldUses()
  const inVault = [
    await vaultUses(memoryStore(), 500),
    await vaultUses(sqliteStore(file('vault')), 20),
    await vaultUses(postgresStore({ url: postgres.url }), 20),
  ]
  // Nothing of a store in memory waits, so what it takes is CPU.
  const ratios = inVault.map(({ 'through the door, read': { ratio, cpuRatio } }, at) =>
    (at ? ratio : cpuRatio).toFixed(2),
  )
  console.log(
    `  aims: 20 us of CPU for authorize (${held.authorize.cpu.toFixed(1)}), 1.05 for a read (${ratios.join(', ')})`,
  )
  console.log('activity: milliseconds of a page of 50 uses, by number of uses (at most 20 more than one row)')
  await activity(sqliteStore(file('activity')), fillSqlite)
  await activity(postgresStore({ url: uses.url }), fillPostgres)
} finally {
  await postgres.close()
  rmSync(folder, { recursive: true, force: true })
}
for (const failure of failures) console.error(failure)
if (failures.length > 0) process.exitCode = 1
