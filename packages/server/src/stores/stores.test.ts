import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { type PostgresServer, startPostgres } from '@latchkey/sandbox/postgres'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { storeContract } from '../testing.ts'
import { memoryStore } from './memory.ts'
import { postgresStore } from './postgres.ts'
import { sqliteStore } from './sqlite.ts'
import type { AccountRow, FlowRow, VaultStore } from './store.ts'

let postgres: PostgresServer
let folder: string
beforeAll(async () => {
  postgres = await startPostgres()
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-stores-'))
}, 120_000)
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})
afterAll(async () => {
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What of the contract every store owes to a numbered case. */
const CASES: Record<string, string> = {
  'gives a flow to the session that started it, once and in time': 'case 108: ',
  'shows a person nothing of another one, or of another tenant': 'case 116: ',
}

it('the numbered parts of the contract are parts of it', () => {
  expect(storeContract.map(({ title }) => title)).toEqual(expect.arrayContaining(Object.keys(CASES)))
})

describe.each<[string, () => VaultStore]>([
  ['memory', memoryStore],
  ['sqlite', () => sqliteStore(path.join(folder, 'vault.db'))],
  ['postgres', () => postgresStore({ url: postgres.url })],
])('a store in %s', (_name, open) => {
  let store: VaultStore
  beforeAll(() => {
    store = open()
  })
  afterAll(() => store.close())

  for (const { title, check } of storeContract) it(`${CASES[title] ?? ''}${title}`, () => check(store))
})

const ADA = { tenant: 'one', user: 'ada' }
const account = (change: Partial<AccountRow> = {}): AccountRow => ({
  ...ADA,
  provider: 'acme',
  account: 'acme.1',
  facts: '{}',
  sealed: new Uint8Array([1]),
  kid: 'k1',
  rev: 1,
  ...change,
})
const flow = (change: Partial<FlowRow> = {}): FlowRow => ({
  ...ADA,
  id: 'f',
  session: 's',
  sealed: new Uint8Array([1]),
  kid: 'k1',
  expiresAt: 9e12,
  ...change,
})

let files = 0
const newFile = () => path.join(folder, `own-${++files}.db`)

/** Opens a store, with the connection that it uses. */
function opened(file = newFile()) {
  const exec = vi.spyOn(DatabaseSync.prototype, 'exec')
  const store = sqliteStore(file)
  const connection = exec.mock.contexts.at(-1) as DatabaseSync
  exec.mockRestore()
  return { file, store, connection }
}

describe('SQLite', () => {
  it('case 238: two stores of one file in one process wait for each other', async () => {
    const { file, store } = opened()
    const stores = [store, sqliteStore(file)]
    const rows = Array.from({ length: 40 }, (_, at) => account({ account: `acme.${at}` }))
    const written = await Promise.all(rows.map((row, at) => stores[at % 2]?.put(row, undefined)))
    expect(written).toEqual(rows.map(() => true))
    const removed = await Promise.all(rows.map((row, at) => stores[(at + 1) % 2]?.remove(ADA, row.account)))
    expect(removed.map((row) => row?.account)).toEqual(rows.map((row) => row.account))
    for (const one of stores) await one.close()
  })

  it('case 238: the process goes on while another connection has the lock', async () => {
    const { file, store } = opened()
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const written = Promise.all([store.put(account(), undefined), store.put(account({ rev: 2 }), 1)])
    // The other connection is of this process: it ends only if the wait does not stop the process.
    await setImmediate()
    other.exec('COMMIT')
    expect(await written).toEqual([true, true])
    other.close()
    await store.close()
  })

  it('case 238: eight processes that open one new file at once all use the same vault', async () => {
    const file = newFile()
    const program = `import { sqliteStore } from ${JSON.stringify(path.join(import.meta.dirname, 'sqlite.ts'))}
      process.stdout.write('ready')
      process.stdin.once('data', async (account) => {
        const store = sqliteStore(${JSON.stringify(file)})
        const row = { ...${JSON.stringify(ADA)}, provider: 'acme', account: String(account), facts: '{}', kid: 'k1', rev: 1 }
        process.stdout.write(String(await store.put({ ...row, sealed: new Uint8Array([1]) }, undefined)))
        process.exit()
      })`
    const processes = Array.from({ length: 8 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
    )
    await Promise.all(processes.map((child) => once(child.stdout, 'data')))
    const said = processes.map(async (child, at) => {
      child.stdin.write(`acme.${at}`)
      return String((await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]))[0])
    })
    expect(await Promise.all(said)).toEqual(processes.map(() => 'true'))
    const store = sqliteStore(file)
    expect((await store.list(ADA)).map((row) => row.account)).toEqual(processes.map((_, at) => `acme.${at}`))
    await store.close()
    expect(readdirSync(folder).filter((name) => name.startsWith(`${path.basename(file)}.`))).toEqual([])
  }, 120_000)

  it('case 235: what waits for a lock ends after ten seconds, however many wait', async () => {
    const { file, store } = opened()
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] })
    const waiting = Array.from({ length: 30 }, (_, at) => store.put(account({ account: `acme.${at}` }), undefined))
    const ended = Promise.allSettled(waiting)
    await vi.advanceTimersByTimeAsync(10_100)
    for (const one of await ended) {
      expect(one).toMatchObject({
        reason: { code: 'storage_unavailable', message: expect.stringContaining('kept locked') },
      })
    }
    other.exec('COMMIT')
    other.close()
    expect(await store.put(account(), undefined)).toBe(true)
    await store.close()
  })

  it('case 286: a full disk and a read-only one are told, and what was stored stays', async () => {
    const { store, connection } = opened()
    const large = account({ rev: 2, facts: 'x'.repeat(100_000) })
    expect(await store.put(account(), undefined)).toBe(true)
    const faults = {
      'PRAGMA max_page_count = 1': 'the disk is full',
      'PRAGMA query_only = ON': 'is read-only',
    }
    for (const [fault, message] of Object.entries(faults)) {
      connection.exec(fault)
      const refused = { code: 'storage_unavailable', message: expect.stringContaining(message) }
      await expect(store.put(large, 1)).rejects.toMatchObject(refused)
      await expect(store.put({ ...large, account: 'acme.2' }, undefined)).rejects.toMatchObject(refused)
      expect(await store.get(ADA, 'acme.1')).toMatchObject({ rev: 1, facts: '{}' })
    }
    connection.exec('PRAGMA query_only = OFF; PRAGMA max_page_count = 1000000')
    expect(await store.put(large, 1)).toBe(true)
    await store.close()
  })

  it('case 286: an empty file is no new vault, and neither is one whose log was left', async () => {
    const { store, file } = opened()
    await store.put(account(), undefined)
    await store.close()
    truncateSync(file, 0)
    expect(() => sqliteStore(file)).toThrow(/is empty/)
    expect(readFileSync(file)).toHaveLength(0)
    const gone = newFile()
    writeFileSync(`${gone}-wal`, 'log')
    expect(() => sqliteStore(gone)).toThrow(/is gone, but its log is there/)
    expect(readFileSync(`${gone}-wal`, 'utf8')).toBe('log')
  })

  it.each(['first', 'second'])(
    'case 286: a file whose %s half is zeroed is called damaged, and stays as it is',
    async (half) => {
      const { store, file } = opened()
      for (let at = 0; at < 200; at++) {
        await store.put(account({ account: `acme.${at}`, facts: 'x'.repeat(1000) }), undefined)
      }
      await store.close()
      const bytes = readFileSync(file)
      const middle = bytes.length / 2
      bytes.fill(0, half === 'first' ? 0 : middle, half === 'first' ? middle : bytes.length)
      writeFileSync(file, bytes)
      const use = async () => {
        const damaged = sqliteStore(file)
        await damaged.list(ADA).finally(() => damaged.close())
      }
      await expect(use()).rejects.toMatchObject({
        code: 'storage_unavailable',
        message: expect.stringContaining('is damaged'),
      })
      expect(readFileSync(file).equals(bytes)).toBe(true)
    },
  )
})

describe('one person in two stores', () => {
  it.each<[string, () => [VaultStore, VaultStore]]>([
    [
      'sqlite',
      () => {
        const file = newFile()
        return [sqliteStore(file), sqliteStore(file)]
      },
    ],
    [
      'postgres',
      () => {
        const { url } = postgres.createDatabase('person')
        return [postgresStore({ url }), postgresStore({ url })]
      },
    ],
  ])('one transaction runs at a time, and the log is one chain (%s)', async (_name, open) => {
    const stores = open()
    const hash = (previous: string) => `${previous.length}`
    const counting = Array.from({ length: 30 }, (_, at) => {
      const store = stores[at % 2] as VaultStore
      return store.asPerson(ADA, at, async (rows) => {
        await rows.putRules(`${Number(rows.rules ?? 0) + 1}`)
        await rows.appendAudit([{ at, user: 'ada', event: '{}' }], hash)
      })
    })
    const appending = counting.map((_, at) =>
      (stores[at % 2] as VaultStore).appendAudit('one', [{ at, user: 'ada', event: '{}' }], hash),
    )
    await Promise.all([...counting, ...appending])
    expect(await stores[0].asPerson(ADA, 0, async ({ rules, now }) => ({ rules, now }))).toEqual({
      rules: '30',
      now: 29,
    })
    expect((await stores[1].auditHead('one'))?.seq).toBe(60)
    for (const store of stores) await store.close()
  })

  it('a failed work keeps its connection to PostgreSQL, and a failed statement tells of the database', async () => {
    const { url, adminUrl } = postgres.createDatabase('failing')
    const store = postgresStore({ url, connections: 1 })
    const connect = vi.spyOn(pg.Client.prototype, 'connect')
    await store.list(ADA)
    const connections = connect.mock.calls.length
    for (let at = 0; at < 3; at++) {
      await expect(store.asPerson(ADA, 0, () => Promise.reject(new Error('of the work')))).rejects.toThrow(
        /^of the work$/,
      )
    }
    await expect(store.asPerson(ADA, 0, (rows) => rows.putRules('\0'))).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
    expect(await store.asPerson(ADA, 0, async ({ rules }) => rules)).toBeUndefined()
    expect(connect.mock.calls.length).toBe(connections)
    const admin = new pg.Client({ connectionString: adminUrl })
    await admin.connect()
    const idle = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in trans%'"
    expect((await admin.query(idle)).rowCount).toBe(0)
    await admin.end()
    await store.close()
  })
})

it.each<[string, () => VaultStore]>([
  ['memory', memoryStore],
  ['sqlite', () => sqliteStore(newFile())],
  ['postgres', () => postgresStore({ url: postgres.createDatabase('activity').url })],
])('activity of one agent or account is found without reading that of others (%s)', async (_name, open) => {
  const store = open()
  const agents = ['scout', 'say "hi" \\ \0 \ud800', 'agent":"scout']
  const entries = Array.from({ length: 30 }, (_, at) => ({
    at,
    user: at % 2 ? 'bob' : 'ada',
    event: JSON.stringify({ action: 'use', agent: agents[at % 3], account: `acme.${at % 5}` }),
  }))
  await store.appendAudit('one', [...entries, { at: 30, user: 'ada', event: 'no JSON' }], (_, { seq }) => `${seq}`)
  const found = async (of: { agent?: string; account?: string }) =>
    (await store.readAudit('one', { user: 'ada', before: 99, limit: 5, ...of })).map(({ at }) => at)
  expect(await found({ agent: agents[0] })).toEqual([24, 18, 12, 6, 0])
  expect(await found({ agent: agents[1] })).toEqual([28, 22, 16, 10, 4])
  expect(await found({ agent: agents[2] })).toEqual([26, 20, 14, 8, 2])
  expect(await found({ account: 'acme.4' })).toEqual([24, 14, 4])
  expect(await found({ agent: agents[0], account: 'acme.4' })).toEqual([24])
  expect(await found({ agent: 'nobody' })).toEqual([])
  expect(await found({})).toEqual([30, 28, 26, 24, 22])
  await store.close()
})

describe('flows that nobody answers', () => {
  it.each<[string, () => VaultStore]>([
    ['sqlite', () => sqliteStore(newFile())],
    ['postgres', () => postgresStore({ url: postgres.createDatabase('flows').url })],
  ])('case 282: a user has few, and those that expired are removed for all tenants (%s)', async (_name, open) => {
    const store = open()
    await store.putFlow(flow({ tenant: 'gone', id: 'left', expiresAt: 1000 }), 0)
    const ids = Array.from({ length: 60 }, (_, at) => `f${at}`)
    for (const [at, id] of ids.entries()) await store.putFlow(flow({ id, expiresAt: 9e12 + at }), 0)
    await store.putFlow(flow({ user: 'bob', id: 'of bob' }), 0)
    const taken = await Promise.all(ids.map((id) => store.takeFlow(ADA, id, 's', 0)))
    expect(taken.map((one) => typeof one === 'object')).toEqual(ids.map((_, at) => at >= 10))
    expect(await store.takeFlow({ tenant: 'gone', user: 'ada' }, 'left', 's', 0)).toBeDefined()
    await store.putFlow(flow({ tenant: 'gone', id: 'left', expiresAt: 1000 }), 0)
    await store.putFlow(flow({ id: 'next' }), 1000)
    expect(await store.takeFlow({ tenant: 'gone', user: 'ada' }, 'left', 's', 0)).toBeUndefined()
    expect(await store.takeFlow({ ...ADA, user: 'bob' }, 'of bob', 's', 0)).toMatchObject({ id: 'of bob' })
    await store.close()
  })

  const MANY = 100_000

  it('case 282: no statement reads all flows in SQLite, and the expired go in parts', async () => {
    const { file, store } = opened()
    const raw = new DatabaseSync(file)
    raw.exec(`INSERT INTO latchkey_flows (tenant, id, user_id, session, sealed, kid, expires_at)
      WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < ${MANY})
      SELECT 'gone', 'x' || at, 'u' || at, 's', x'01', 'k1', at FROM n`)
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
    await store.putFlow(flow(), MANY)
    const statements = prepare.mock.calls.map(([text]) => text).filter((text) => text.includes('latchkey_flows'))
    prepare.mockRestore()
    expect(statements).toHaveLength(3)
    const plan = statements.flatMap((text) => raw.prepare(`EXPLAIN QUERY PLAN ${text}`).all())
    expect(plan.map(({ detail }) => detail).filter((detail) => /^SCAN latchkey_flows/.test(String(detail)))).toEqual([])
    const left = () => raw.prepare('SELECT count(*) AS n FROM latchkey_flows').get()?.n
    expect(left()).toBe(MANY + 1 - 100)
    await store.putFlow(flow({ id: 'next' }), MANY)
    expect(left()).toBe(MANY + 2 - 200)
    raw.close()
    await store.close()
  })

  it('case 282: no statement reads all flows in PostgreSQL', async () => {
    const { url, adminUrl } = postgres.createDatabase('many-flows')
    const store = postgresStore({ url })
    const query = vi.spyOn(pg.Client.prototype, 'query')
    await store.putFlow(flow(), 0)
    const statements = query.mock.calls
      .map(([text, values]) => [String(text), values as unknown as unknown[]] as const)
      .filter(([text, values]) => text.includes('latchkey_flows') && Array.isArray(values))
    query.mockRestore()
    expect(statements).toHaveLength(3)
    const admin = new pg.Client({ connectionString: adminUrl })
    await admin.connect()
    await admin.query(`INSERT INTO latchkey_flows (tenant, id, user_id, session, sealed, kid, expires_at)
      SELECT 'gone', 'x' || at, 'u' || at, 's', '', 'k1', at FROM generate_series(1, ${MANY}) AS at; ANALYZE latchkey_flows`)
    await admin.end()
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query("BEGIN; SELECT set_config('latchkey.tenant', 'one', true)")
    for (const [text, values] of statements) {
      const { rows } = await client.query(`EXPLAIN ${text}`, values)
      expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Seq Scan on latchkey_flows')
    }
    await client.end()
    await store.close()
  })
})

describe('PostgreSQL', () => {
  it('case 280: every call to a database that has stopped ends, and the next ones work', async () => {
    const { url, adminUrl } = postgres.createDatabase('stopped')
    const store = postgresStore({ url })
    const calls = (at: VaultStore) => [
      ...Array.from({ length: 10 }, () => at.list(ADA)),
      ...Array.from({ length: 10 }, () => at.putFlow(flow({ id: randomUUID() }), 0)),
      ...Array.from({ length: 10 }, (_, id) => at.remove(ADA, `acme.${id}`)),
    ]
    await Promise.all(calls(store))
    const admin = new pg.Client({ connectionString: adminUrl })
    await admin.connect()
    const { rows } = await admin.query(
      'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
    await admin.end()
    expect(rows.length).toBeGreaterThan(5)
    const server = path.join(new URL(url).searchParams.get('host') ?? '', 'data', 'postmaster.pid')
    const pids = [...rows.map(({ pid }) => pid), Number.parseInt(readFileSync(server, 'utf8'), 10)]
    const signal = (name: NodeJS.Signals) => pids.map((pid) => process.kill(pid, name))
    signal('SIGSTOP')
    try {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const fresh = postgresStore({ url })
      let results: PromiseSettledResult<unknown>[] | undefined
      Promise.allSettled([...calls(store), ...calls(fresh)]).then((settled) => {
        results = settled
      })
      for (let seconds = 0; seconds < 30; seconds += 1) await vi.advanceTimersByTimeAsync(1000)
      expect(results).toHaveLength(60)
      for (const one of results ?? []) expect(one).toMatchObject({ reason: { code: 'storage_unavailable' } })
      await fresh.close()
    } finally {
      vi.useRealTimers()
      signal('SIGCONT')
    }
    await Promise.all(calls(store).slice(0, 10))
    await store.close()
  })
})
