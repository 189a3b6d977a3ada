import { type ChildProcess, fork } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { inspect } from 'node:util'
import { type ConnectedAccount, LatchkeyError, type OAuthProvider } from '@latchkey/core'
import { authorizationServer, type TokenEndpoint } from '@latchkey/core/token'
import { type PostgresServer, startPostgres } from '@latchkey/sandbox/postgres'
import { startTinyServer, type TinyServer } from '@latchkey/sandbox/tiny'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { providerAt } from '../../fixtures/acme.ts'
import { openVault } from '../../fixtures/open-vault.ts'
import type { Order } from '../../fixtures/vault-process.ts'
import { migratePostgres, postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { Opened } from './accounts.ts'
import {
  type KeyProvider,
  keysFromEnv,
  localKeys,
  memoryStore,
  type Owner,
  type VaultStore,
  vaultFromEnv,
} from './index.ts'
import { createRenewal } from './refresh.ts'
import { seal } from './seal.ts'
import { insideOf } from './vault.ts'

const KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const OTHER_KEY = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const ADA: Owner = { tenant: 'one', user: 'ada' }
const ID = `acme.${'a'.repeat(22)}`

let postgres: PostgresServer
let folder: string
let databases = 0
const children: ChildProcess[] = []

beforeAll(async () => {
  postgres = await startPostgres()
  folder = mkdtempSync(path.join(tmpdir(), 'latchkey-vault-'))
}, 120_000)
afterEach(async () => {
  vi.useRealTimers()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
})

const fileName = () => path.join(folder, `vault-${++databases}.db`)
const newDatabase = () => postgres.createDatabase(`vault-${++databases}`)

const stores: [string, () => VaultStore][] = [
  ['memory', memoryStore],
  ['sqlite', () => sqliteStore(fileName())],
  ['postgres', () => postgresStore({ url: newDatabase().url })],
]

const account = (id = ID, change: Partial<ConnectedAccount> = {}): ConnectedAccount => ({
  id,
  provider: 'acme',
  issuer: 'https://acme.example',
  subject: 'ada',
  label: 'ada',
  scopes: ['read'],
  missingScopes: [],
  status: 'connected',
  renewable: true,
  connectedAt: 1,
  rev: 0,
  ...change,
})

const opened = (secret: Opened['secret'] = { fields: { key: 'CANARY_KEY' } }, id = ID): Opened => ({
  account: account(id),
  secret,
})
const token = (access_token: string, refresh_token?: string, expiresAt?: number): Opened['secret'] => ({
  token: { access_token, refresh_token, token_type: 'bearer', issuer: 'https://acme.example' },
  expiresAt,
})

const PAPER = { kind: 'call', id: 'd1', sealed: new Uint8Array(1), kid: 'k1', expiresAt: 9e15 }

/** A server process, and its next answer. */
async function process_(env: Record<string, string>) {
  const child = fork(path.join(import.meta.dirname, '../../fixtures/vault-process.ts'), {
    env: { PATH: process.env.PATH, VAULT_KEY: KEY, ...env },
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.push(child)
  type Answer = { type: string; tokens?: string[]; id?: string; message?: string }
  const answers: Answer[] = []
  const wanted: ((answer: Answer) => void)[] = []
  child.on('message', (answer: Answer) => {
    const next = wanted.shift()
    if (next) next(answer)
    else answers.push(answer)
  })
  child.once('exit', () => wanted.shift()?.({ type: 'ended' }))
  const answer = () =>
    new Promise<Answer>((resolve) => {
      const first = answers.shift()
      if (first) resolve(first)
      else wanted.push(resolve)
    })
  expect((await answer()).type).toBe('ready')
  return {
    answers,
    answer,
    send: (order: Order) => child.send(order),
    ask: (order: Order) => {
      child.send(order)
      return answer()
    },
    signal: (name: NodeJS.Signals) => child.kill(name),
    exit: () => new Promise<number | null>((resolve) => child.once('exit', resolve)),
    kill: () =>
      new Promise<void>((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

describe.each(stores)('a vault in %s', (_name, open) => {
  let vault: ReturnType<typeof openVault>
  const keys = localKeys(KEY)
  beforeAll(() => {
    vault = openVault({ store: open(), keys })
  })
  afterAll(() => vault.close())

  it('case 115: the same user id in two tenants means two people, and without a tenant no row is found', async () => {
    const [one, two] = [
      { tenant: 'one', user: 'same' },
      { tenant: 'two', user: 'same' },
    ]
    await vault.save(one, ID, () => opened({ fields: { key: 'of one' } }))
    expect(await vault.open(two, ID)).toBeUndefined()
    await vault.save(two, ID, () => opened({ fields: { key: 'of two' } }))
    expect((await vault.open(one, ID))?.secret.fields?.key).toBe('of one')
    expect((await vault.open(two, ID))?.secret.fields?.key).toBe('of two')
    await vault.remove(two, ID)
    expect((await vault.open(one, ID))?.secret.fields?.key).toBe('of one')
    for (const tenant of ['', 'three']) expect(await vault.list({ tenant, user: 'same' })).toEqual([])
  })

  it('case 118: a ciphertext in another row does not open, and that is in the audit log', async () => {
    const { store } = vault
    const owners = [
      { tenant: 'swap', user: 'ada' },
      { tenant: 'swap', user: 'bob' },
      { tenant: 'other', user: 'ada' },
    ]
    const other = `acme.${'b'.repeat(22)}`
    for (const owner of owners) for (const id of [ID, other]) await vault.save(owner, id, () => opened(undefined, id))
    const mine = (await store.get(owners[0]!, ID))!
    const foreign = [
      ...(await Promise.all(owners.slice(1).map((owner) => store.get(owner, ID)))),
      await store.get(owners[0]!, other),
      {
        ...mine,
        sealed: (await seal(keys, { ...mine, provider: 'google' }, '{}')).sealed,
      },
      { ...mine, kid: 'k2' },
      { ...mine, sealed: mine.sealed.map((byte, at) => (at === mine.sealed.length - 1 ? byte ^ 1 : byte)) },
    ]
    let rev = mine.rev
    // With the facts that it was sealed with: only the names in its row are others.
    for (const { facts, sealed, kid } of foreign.map((one) => one!)) {
      expect(await store.put({ ...mine, facts, sealed, kid, rev: rev + 1 }, rev)).toBe(true)
      rev += 1
      await expect(vault.open(owners[0]!, ID)).rejects.toMatchObject({ code: 'secret_unavailable' })
    }
    const log = await vault.audit.query(owners[0]!)
    expect(log.filter(({ action }) => action === 'tamper')).toHaveLength(foreign.length)
    expect(await store.put({ ...mine, rev: rev + 1 }, rev)).toBe(true)
    expect((await vault.open(owners[0]!, ID))?.secret.fields?.key).toBe('CANARY_KEY')
  })

  it('case 119: keys rotate while the vault is in use, and an unknown key is a typed error', async () => {
    const owner = { tenant: 'rotate', user: 'ada' }
    const ids = Array.from({ length: 250 }, (_, at) => `acme.${String(at).padStart(22, '0')}`)
    const rotating = localKeys(KEY)
    const mine = openVault({ store: vault.store, keys: rotating })
    for (const id of ids) await mine.save(owner, id, () => opened({ fields: { key: id } }, id))
    const old = rotating.current()
    const kid = rotating.rotate(OTHER_KEY)
    expect(kid).not.toBe(old)
    expect((await mine.open(owner, ids[0]!))?.secret.fields?.key).toBe(ids[0])
    await mine.mark(owner, ids[1]!, 'connected', 'unverified')
    expect((await vault.store.get(owner, ids[1]!))?.kid).toBe(kid)
    // The vault is written and read while keys rotate.
    const [receipt] = await Promise.all([
      mine.reencrypt(),
      ...ids.slice(0, 40).map((id) => mine.save(owner, id, () => opened({ fields: { key: `new ${id}` } }, id))),
      ...ids.slice(40).map((id) => mine.open(owner, id)),
    ])
    expect(receipt.rewritten).toBeGreaterThan(200)
    await mine.reencrypt()
    expect(await vault.store.sealedOtherwise('rotate', kid, 10)).toEqual([])
    rotating.drop(old)
    const keysFound = await Promise.all(ids.map(async (id) => (await mine.open(owner, id))?.secret.fields?.key))
    expect(keysFound).toEqual(ids.map((id, at) => (at < 40 ? `new ${id}` : id)))
    const error = await vault.open(owner, ids[0]!).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(LatchkeyError)
    expect(error).toMatchObject({ code: 'secret_unavailable', message: expect.stringContaining(kid) })
  })

  /** Renewal at a provider that answers like this. */
  function renewing(
    refresh: () => Promise<string>,
    at = vault,
    [provider, endpoint]: [OAuthProvider?, TokenEndpoint?] = [],
  ) {
    const revoke = vi.fn(async () => ({ status: 'unsupported' as const }))
    const answer = async () => {
      const name = await refresh()
      return { token: { ...token(name, `${name}-r`).token!, expires_in: 9e9 } }
    }
    const renew = createRenewal({
      vault: insideOf(at),
      providers: new Map([['acme', provider ?? providerAt('https://acme.example')]]),
      endpointOf: () => ({ client_id: 'app', ...(endpoint ?? { redeem: answer, refresh: answer, revoke }) }),
      fetchFor: () => fetch,
    })
    return { revoke, renew: (owner: Owner, fresh = (_: Opened) => false) => renew(owner, ID, fresh) }
  }

  it('one refresh for all callers, saved before a token is handed out', async () => {
    const owner = { tenant: 'renew', user: 'ada' }
    await vault.save(owner, ID, () => opened(token('old', 'r1', 0)))
    const refresh = vi.fn(async () => 'new')
    const fresh = ({ secret }: Opened) => (secret.expiresAt ?? 0) > Date.now()
    // Two vaults on one store act like two processes.
    const processes = [vault, openVault({ store: vault.store, keys })].map((at) => renewing(refresh, at))
    const all = await Promise.all(Array.from({ length: 50 }, (_, at) => processes[at % 2]!.renew(owner, fresh)))
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(new Set(all.map(({ secret }) => secret.token?.access_token))).toEqual(new Set(['new']))
    expect((await vault.open(owner, ID))?.secret.token?.refresh_token).toBe('new-r')
  })

  it('case 245: any life of a token that a server names is kept', async () => {
    const owner = { tenant: 'renew', user: 'lives' }
    const server = await startTinyServer()
    const provider = providerAt(server.origin)
    const endpoint = authorizationServer(provider, { client_id: 'app', client_secret: 'secret' })
    const { renew } = renewing(async () => '', vault, [provider, endpoint])
    const issuer = server.origin
    for (const expires_in of [3599.00012, '3599.00012', 1e15, 1e300, '3600']) {
      const held = token('old', server.grant('ada').refresh_token, 0)
      await vault.save(owner, ID, () => ({
        account: account(ID, { issuer }),
        secret: { ...held, token: { ...held.token!, issuer } },
      }))
      server.fault('/token', { change: (answer) => ({ ...answer, expires_in }) })
      await renew(owner)
      const kept = await vault.open(owner, ID)
      expect(server.isUnused(kept?.secret.token?.refresh_token ?? '')).toBe(true)
      const { expiresAt = 0 } = kept?.account ?? {}
      expect(expiresAt).toBeGreaterThan(Date.now() + 3_590_000)
      expect(new Date(expiresAt).getTime()).toBe(expiresAt)
      expect((await vault.due(8e15, 1000)).map(({ row }) => row.user)).toContain('lives')
    }
    await server.close()
  })

  it('case 281: reencrypt gets past rows that do not open, and says how many are left and why', async () => {
    const owner = { tenant: 'lost-key', user: 'ada' }
    const ids = Array.from({ length: 150 }, (_, at) => `acme.${String(at).padStart(22, '0')}`)
    const [lost, old] = [OTHER_KEY, KEY].map((key) => openVault({ store: vault.store, keys: localKeys(key) }))
    for (const [at, id] of ids.entries()) {
      await (at < 120 ? lost! : old!).save(owner, id, () => opened({ fields: { key: id } }, id))
    }
    const rotating = localKeys(KEY)
    const kid = rotating.rotate(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64'))
    const { rewritten, failed, reasons } = await openVault({ store: vault.store, keys: rotating }).reencrypt()
    expect(rewritten).toBeGreaterThanOrEqual(30)
    const left = await vault.store.sealedOtherwise('lost-key', kid, 1000)
    const lostKid = localKeys(OTHER_KEY).current()
    expect([left.length, new Set(left.map((row) => row.kid))]).toEqual([120, new Set([lostKid])])
    expect(failed).toBeGreaterThanOrEqual(120)
    const [[reason, count] = []] = Object.entries(reasons).filter(([words]) => words.includes(lostKid))
    expect(reason).toContain('TOKEN_ENCRYPTION_KEY')
    expect(count).toBeGreaterThanOrEqual(120)
  })

  it('case 280: a lease that ends in a day is waited for no longer than a usual one', async () => {
    const owner = { tenant: 'renew', user: 'leased' }
    await vault.save(owner, ID, () => opened(token('old', 'r1', 0)))
    await vault.store.lease(owner, ID, 'another process', 86_400)
    vi.useFakeTimers({ toFake: ['Date'] })
    const asked = vi.spyOn(vault.store, 'lease')
    const refresh = vi.fn(async () => 'new')
    const renewed = expect(renewing(refresh).renew(owner)).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    await vi.waitUntil(() => asked.mock.calls.length > 0)
    vi.setSystemTime(Date.now() + 20_000)
    await renewed
    asked.mockRestore()
    expect(refresh).not.toHaveBeenCalled()
  })

  it('case 77: a disconnect during a refresh is final, and the new token is revoked', async () => {
    const owner = { tenant: 'renew', user: 'late' }
    await vault.save(owner, ID, () => opened(token('old', 'r1', 0)))
    const { renew, revoke } = renewing(async () => {
      await vault.remove(owner, ID)
      return 'late'
    })
    await expect(renew(owner)).rejects.toMatchObject({ code: 'login_required' })
    expect(revoke).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(token('late', 'late-r').token))
    expect(await vault.open(owner, ID)).toBeUndefined()
  })

  it('case 244: a refresh saves its rotated token even if facts changed; after a new connection it is dropped, not revoked', async () => {
    const owner = { tenant: 'renew', user: 'change' }
    await vault.save(owner, ID, () => opened(token('old', 'r1', 0)))
    const changing = renewing(async () => {
      await vault.mark(owner, ID, 'connected', 'offline')
      return 'second'
    })
    expect((await changing.renew(owner)).secret.token?.access_token).toBe('second')
    expect((await vault.open(owner, ID))?.secret.token?.refresh_token).toBe('second-r')
    expect(changing.revoke).not.toHaveBeenCalled()
    const overtaken = renewing(async () => {
      await vault.save(owner, ID, () => opened(token('reconnected', 'r9', 9e15)))
      return 'third'
    })
    expect((await overtaken.renew(owner)).secret.token?.access_token).toBe('reconnected')
    // One revocation may end the whole grant of a person.
    expect(overtaken.revoke).not.toHaveBeenCalled()
    expect((await vault.open(owner, ID))?.secret.token?.refresh_token).toBe('r9')
  })
})

describe('what an attacker finds', () => {
  it('case 117: a dump of the store holds no secret, and 10 000 writes have 10 000 IVs', async () => {
    const file = fileName()
    const { url, adminUrl } = newDatabase()
    const vaults = [sqliteStore(file), postgresStore({ url })].map((store) =>
      openVault({ store, keys: localKeys(KEY) }),
    )
    for (const vault of vaults) {
      await vault.save(ADA, ID, () => opened(token('CANARY_AT', 'CANARY_RT')))
      await vault.save(ADA, `keys.${'k'.repeat(22)}`, () =>
        opened({ fields: { key: 'CANARY_KEY' } }, `keys.${'k'.repeat(22)}`),
      )
      const flow = { provider: 'acme', state: 'CANARY_STATE', code_verifier: 'CANARY_VERIFIER' }
      await vault.putFlow({ ...ADA, session: 'CANARY_SESSION' }, flow as never, 60_000)
    }
    const dump = () =>
      readdirSync(folder)
        .filter((name) => name.startsWith(path.basename(file)))
        .map((name) => readFileSync(path.join(folder, name), 'latin1'))
        .join() + postgres.dump(adminUrl)
    expect(dump()).not.toContain('CANARY')
    expect(dump()).not.toContain(Buffer.from('CANARY').toString('hex'))
    expect(dump()).toContain('"label":"ada"')
    // The search can find text that is there.
    const planted = { ...ADA, provider: 'acme', account: 'planted', facts: 'CANARY_PLANTED', kid: 'k1', rev: 1 }
    for (const { store } of vaults) await store.put({ ...planted, sealed: new Uint8Array(4) }, undefined)
    expect(dump().match(/CANARY_PLANTED/g)?.length).toBeGreaterThanOrEqual(2)
    for (const vault of vaults) await vault.close()

    const keys = localKeys(KEY)
    const ivs = new Set<string>()
    for (let at = 0; at < 10_000; at++) {
      const { sealed: bytes } = await seal(keys, { ...ADA, provider: 'acme', account: ID }, 'same')
      const wrapped = 3 + Buffer.from(bytes).readUInt16BE(1)
      for (const start of [3, wrapped]) ivs.add(Buffer.from(bytes.subarray(start, start + 12)).toString('hex'))
    }
    expect(ivs.size).toBe(20_000)
  })

  it('case 115: in Postgres a role that owns the tables sees no row of another tenant, and none without one', async () => {
    const { url, adminUrl } = newDatabase()
    const vault = openVault({ store: postgresStore({ url }), keys: localKeys(KEY) })
    await vault.save({ tenant: 'one', user: 'ada' }, ID, () => opened())
    await vault.save({ tenant: 'two', user: 'ada' }, ID, () => opened())
    await vault.save({ tenant: 'one', user: 'gone' }, ID, () => opened())
    await vault.remove({ tenant: 'one', user: 'gone' }, ID)
    await vault.putFlow({ ...ADA, session: 's' }, { state: 'x' } as never, 60_000)
    await vault.store.asPerson({ tenant: 'one', user: 'ada' }, 0, (rows) => rows.putDocument(PAPER))
    await vault.audit.record(
      { tenant: 'one', user: 'ada' },
      { action: 'use', account: ID, agent: 'a', outcome: 'allowed' },
    )
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const count = async (table: string) => (await client.query(`SELECT * FROM ${table}`)).rows.length
    const names = ['accounts', 'removed', 'flows', 'audit', 'audit_heads', 'people', 'documents', 'uses']
    const tables = names.map((name) => `latchkey_${name}`)
    for (const table of tables) expect({ table, rows: await count(table) }).toEqual({ table, rows: 0 })
    await client.query("BEGIN; SELECT set_config('latchkey.tenant', 'two', true)")
    expect((await client.query('SELECT tenant FROM latchkey_accounts')).rows).toEqual([{ tenant: 'two' }])
    expect((await client.query("DELETE FROM latchkey_accounts WHERE tenant = 'one'")).rowCount).toBe(0)
    await expect(
      client.query("INSERT INTO latchkey_audit_heads (tenant, seq, hash) VALUES ('one', 1, 'x')"),
    ).rejects.toThrow(/row-level security/)
    await client.query('ROLLBACK')
    await client.query("BEGIN; SELECT set_config('latchkey.tenant', 'two', true)")
    for (const table of ['latchkey_people', 'latchkey_documents', 'latchkey_uses']) expect(await count(table)).toBe(0)
    await expect(
      client.query("INSERT INTO latchkey_people (tenant, user_id, now) VALUES ('one', 'eve', 1)"),
    ).rejects.toThrow(/row-level security/)
    await client.query('ROLLBACK')
    // Nothing is left of the tenant on the connection.
    expect(await count('latchkey_accounts')).toBe(0)
    await client.end()
    await vault.close()
    const bypassing = openVault({ store: postgresStore({ url: adminUrl }), keys: localKeys(KEY) })
    await expect(bypassing.list(ADA)).rejects.toMatchObject({
      code: 'misuse',
      message: expect.stringMatching(/bypasses/),
    })
    await bypassing.close()
  })

  /** A vault in a database, and direct SQL, as a backup or an attacker would use it. */
  async function bypassed(name: 'sqlite' | 'postgres') {
    const file = fileName()
    const { url, adminUrl } = newDatabase()
    const store = name === 'sqlite' ? sqliteStore(file) : postgresStore({ url })
    const vault = openVault({ store, keys: localKeys(KEY) })
    // Creates the tables.
    await vault.list(ADA)
    const database = new DatabaseSync(file)
    const client = new pg.Client({ connectionString: adminUrl })
    await client.connect()
    const sql = async (text: string) =>
      name === 'sqlite' ? database.prepare(text).all() : (await client.query(text)).rows
    const close = async () => {
      database.close()
      await client.end()
      await vault.close()
    }
    return { vault, sql, close }
  }

  it.each(['sqlite', 'postgres'] as const)(
    'case 222: a disconnected row that is put back from a backup stays disconnected (%s)',
    async (name) => {
      const { vault, sql, close } = await bypassed(name)
      const COLUMNS = 'tenant, user_id, account, provider, facts, sealed, kid, rev, due_at'
      const putBack = () => sql(`INSERT INTO latchkey_accounts (${COLUMNS}) SELECT ${COLUMNS} FROM backup`)
      await vault.save(ADA, ID, () => opened(token('of the backup', 'r1', 0)))
      await sql('CREATE TABLE backup AS SELECT * FROM latchkey_accounts')
      await vault.mark(ADA, ID, 'connected', 'offline')
      expect((await vault.remove(ADA, ID))?.account.id).toBe(ID)
      await putBack()
      expect([await vault.find(ADA, ID), await vault.open(ADA, ID)]).toEqual([undefined, undefined])
      expect([await vault.list(ADA), await vault.due(Date.now(), 10)]).toEqual([[], []])
      expect(await vault.store.lease(ADA, ID, 'a', 30)).toBeUndefined()
      expect(await vault.mark(ADA, ID, 'connected', undefined)).toBeUndefined()
      // Connected again, the account has a new row, and the backup's row stays ignored.
      await vault.save(ADA, ID, (old) => opened(token(old ? 'merged' : 'new', 'r2', 9e15)))
      expect((await vault.open(ADA, ID))?.secret.token?.access_token).toBe('new')
      await vault.remove(ADA, ID)
      await putBack()
      expect(await vault.remove(ADA, ID)).toBeUndefined()
      expect(await sql('SELECT account FROM latchkey_accounts')).toEqual([])
      await close()
    },
  )

  it('a role that only uses the tables works, and cannot change the audit log', async () => {
    const { url, adminUrl } = newDatabase()
    const admin = new pg.Client({ connectionString: adminUrl })
    await admin.connect()
    await admin.query('CREATE ROLE runner LOGIN NOSUPERUSER NOBYPASSRLS')
    await Promise.all([migratePostgres({ url }), migratePostgres({ url })])
    await migratePostgres({ url, grantTo: 'runner' })
    await admin.end()
    const store = postgresStore({ url: url.replace('app@', 'runner@'), migrate: false })
    const vault = openVault({ store, keys: localKeys(KEY) })
    await vault.save(ADA, ID, () => opened())
    expect((await vault.open(ADA, ID))?.secret.fields?.key).toBe('CANARY_KEY')
    expect((await vault.remove(ADA, ID))?.account.id).toBe(ID)
    expect(await vault.audit.query(ADA)).toMatchObject([{ action: 'connect' }])
    await store.asPerson(ADA, 0, async (rows) => {
      await rows.putRules('{}')
      await rows.putDocument(PAPER)
      await rows.removeDocument(PAPER.kind, PAPER.id)
    })
    await store.forgetPerson(ADA)
    await vault.close()
    const client = new pg.Client({ connectionString: url.replace('app@', 'runner@') })
    await client.connect()
    for (const text of [
      "UPDATE latchkey_audit SET event = '{}'",
      'DELETE FROM latchkey_audit',
      'ALTER TABLE latchkey_accounts DISABLE ROW LEVEL SECURITY',
    ]) {
      await expect(client.query(text)).rejects.toThrow(/permission denied|must be owner/)
    }
    await client.end()
  })

  it('case 120: a vault does not start with a weak key', async () => {
    const bytes = (length: number, byte?: number) =>
      Buffer.from(
        byte === undefined ? crypto.getRandomValues(new Uint8Array(length)) : new Uint8Array(length).fill(byte),
      )
    const weak: (string | undefined)[] = [
      undefined,
      '',
      bytes(31).toString('base64'),
      bytes(33).toString('base64'),
      bytes(16).toString('base64'),
      bytes(32, 0).toString('base64'),
      bytes(32, 255).toString('base64'),
      Buffer.from('0123456789'.repeat(4).slice(0, 32)).toString('base64'),
      'not base64 at all, but 32 chars!',
      `${bytes(32).toString('base64').slice(0, -3)}%%=`,
      'password',
      `${KEY},short`,
    ]
    for (const key of weak) {
      const env = { TOKEN_ENCRYPTION_KEY: key, TOKEN_STORE_TYPE: 'memory' }
      const refused = await vaultFromEnv(env).catch((error: unknown) => error)
      expect(refused, String(key)).toMatchObject({ code: 'misuse' })
      if (key) expect(String(refused)).not.toContain(key)
    }
    expect(() => localKeys()).toThrow(/is missing/)
    await vaultFromEnv({ TOKEN_ENCRYPTION_KEY: bytes(32).toString('base64url'), TOKEN_STORE_TYPE: 'memory' })
    const named = keysFromEnv({ TOKEN_ENCRYPTION_KEY: `2026-11:${KEY}, ${OTHER_KEY}` })
    expect(named.current()).toBe('2026-11')
  })

  it('a key management service wraps data keys, and never sees what they open', async () => {
    const inside = localKeys(KEY)
    const seen: string[] = []
    const kms: KeyProvider = {
      current: () => 'arn:kms/1',
      async wrap(kid, key, context) {
        seen.push(kid, Buffer.from(context).toString(), Buffer.from(key).toString('latin1'))
        return inside.wrap(inside.current(), key, context)
      },
      async unwrap(kid, wrapped, context) {
        expect(kid).toBe('arn:kms/1')
        return inside.unwrap(inside.current(), wrapped, context)
      },
    }
    const vault = openVault({ keys: kms })
    await vault.save(ADA, ID, () => opened())
    expect((await vault.open(ADA, ID))?.secret.fields?.key).toBe('CANARY_KEY')
    expect(JSON.parse(seen[1] ?? '')).toEqual(['one', 'ada', 'acme', ID, 'arn:kms/1'])
    expect(seen.join()).not.toContain('CANARY')
  })

  it('the environment chooses the store, and a wrong choice is an error', async () => {
    const open = (env: Record<string, string>) => vaultFromEnv({ TOKEN_ENCRYPTION_KEY: KEY, ...env })
    const sqlite = await open({ TOKEN_STORE_URL: `sqlite://${fileName()}` })
    const memory = await open({ TOKEN_STORE_TYPE: 'memory' })
    expect([sqlite, memory].map((vault) => insideOf(vault).store.type)).toEqual(['sqlite', 'memory'])
    const remote = await open({ TOKEN_STORE_TYPE: 'postgres', TOKEN_STORE_URL: newDatabase().url })
    await insideOf(remote).save(ADA, ID, () => opened())
    expect(await remote.list(ADA)).toMatchObject([{ id: ID, custody: 'vault' }])
    await Promise.all([sqlite.close(), remote.close()])
    await expect(open({ TOKEN_STORE_TYPE: 'postgres' })).rejects.toThrow(/TOKEN_STORE_URL has to say where/)
    await expect(open({ TOKEN_STORE_TYPE: 'redis' })).rejects.toThrow(/none of memory, sqlite and postgres/)
  })

  it('case 121: the audit log shows entries that were changed, removed, inserted or cut off', async () => {
    const secrets = ['CANARY_AT', 'CANARY_RT']
    const changes: [string, (client: pg.Client) => Promise<unknown>][] = [
      [
        'an event',
        (client) => client.query(`UPDATE latchkey_audit SET event = replace(event, 'denied', 'allowed') WHERE seq = 3`),
      ],
      ['a user', (client) => client.query(`UPDATE latchkey_audit SET user_id = 'eve' WHERE seq = 2`)],
      ['a time', (client) => client.query('UPDATE latchkey_audit SET at = at + 1 WHERE seq = 1')],
      ['one taken out', (client) => client.query('DELETE FROM latchkey_audit WHERE seq = 2')],
      ['the last cut off', (client) => client.query('DELETE FROM latchkey_audit WHERE seq = 5')],
    ]
    for (const [what, change] of changes) {
      const { url, adminUrl } = newDatabase()
      const { audit, close } = openVault({ store: postgresStore({ url }), keys: localKeys(KEY) })
      for (const [action, outcome] of [
        ['connect', 'allowed'],
        ['use', 'allowed'],
        ['deny', 'denied'],
        ['refresh', 'failed'],
        ['revoke', 'allowed'],
      ] as const) {
        const more = { access_token: secrets[0], secret: { refresh_token: secrets[1] } }
        await audit.record(ADA, { action, outcome, provider: 'acme', account: ID, reason: 'invalid_grant', ...more })
      }
      const before = await audit.verify('one')
      expect(before).toMatchObject({ ok: true, entries: 5 })
      const lines: string[] = []
      for await (const line of audit.exportLines('one')) lines.push(line)
      expect(lines.map((line) => JSON.parse(line).action)).toEqual(['connect', 'use', 'deny', 'refresh', 'revoke'])
      expect(lines.join('')).not.toContain('CANARY')
      // Its own role cannot. Only an attacker with full control of the server can.
      const own = new pg.Client({ connectionString: url })
      await own.connect()
      await own.query("BEGIN; SELECT set_config('latchkey.tenant', 'one', true)")
      expect((await own.query("UPDATE latchkey_audit SET event = '{}'")).rowCount).toBe(0)
      expect((await own.query('DELETE FROM latchkey_audit')).rowCount).toBe(0)
      await own.query('COMMIT')
      await own.end()
      const client = new pg.Client({ connectionString: adminUrl })
      await client.connect()
      await change(client)
      await client.end()
      expect({ what, verdict: await audit.verify('one') }).toMatchObject({ what, verdict: { ok: false } })
      await close()
    }
    const file = fileName()
    const store = sqliteStore(file)
    const vault = openVault({ store, keys: localKeys(KEY) })
    await vault.audit.record(ADA, { action: 'connect', outcome: 'allowed' })
    const verdict = await vault.audit.verify('one')
    await expect(vault.audit.verify('one', { head: verdict.ok ? verdict.head : '' })).resolves.toMatchObject({
      ok: true,
    })
    // A log that was rewritten from its start does not have the digest that was copied elsewhere.
    await expect(vault.audit.verify('one', { head: 'f'.repeat(64) })).resolves.toMatchObject({ ok: false })
    const database = new DatabaseSync(file)
    expect(() => database.exec("UPDATE latchkey_audit SET event = '{}'")).toThrow(/append-only/)
    expect(() => database.exec('DELETE FROM latchkey_audit')).toThrow(/append-only/)
    database.close()
    await vault.close()
  })
})

describe('files and logs', () => {
  it.each([
    ['the end and the head', ['DELETE FROM latchkey_audit WHERE seq > 3', 'DELETE FROM latchkey_audit_heads']],
    ['the head', ['DELETE FROM latchkey_audit_heads']],
    [
      'the end, with a head of zero',
      ['DELETE FROM latchkey_audit WHERE seq > 3', 'UPDATE latchkey_audit_heads SET seq = 0'],
    ],
    ['the end', ['DELETE FROM latchkey_audit WHERE seq > 3']],
  ])('case 273: an audit log without %s does not verify', async (_what, changes) => {
    const file = fileName()
    const vault = openVault({ store: sqliteStore(file), keys: localKeys(KEY) })
    expect(await vault.audit.verify('one')).toMatchObject({ ok: true, entries: 0 })
    for (let at = 0; at < 5; at++) await vault.audit.record(ADA, { action: 'use', outcome: 'allowed' })
    expect(await vault.audit.verify('one')).toMatchObject({ ok: true, entries: 5 })
    const database = new DatabaseSync(file)
    database.exec('DROP TRIGGER latchkey_audit_delete')
    for (const change of changes) database.exec(change)
    database.close()
    expect(await vault.audit.verify('one')).toMatchObject({ ok: false })
    await vault.close()
  })

  it('case 273: the first entries of a log may be written while it is verified', async () => {
    const store = memoryStore()
    const { audit, close } = openVault({ store, keys: localKeys(KEY) })
    const read = store.auditHead
    store.auditHead = async (tenant) => {
      const head = await read(tenant)
      store.auditHead = read
      await audit.record(ADA, { action: 'use', outcome: 'allowed' })
      return head
    }
    expect(await audit.verify('one')).toMatchObject({ ok: true, entries: 1 })
    await close()
  })

  it('case 274: two keys with one id are refused, since one of them would be lost', async () => {
    const env = (...keys: string[]) => ({ TOKEN_ENCRYPTION_KEY: keys.join(','), TOKEN_STORE_TYPE: 'memory' })
    const twice = await vaultFromEnv(env(`a:${KEY}`, `b:${KEY}`, `a:${OTHER_KEY}`)).catch((error: unknown) => error)
    expect(twice).toMatchObject({ code: 'misuse', message: expect.stringContaining('two keys with the id "a"') })
    for (const key of [KEY, OTHER_KEY]) expect(inspect(twice)).not.toContain(key)
    expect(() => localKeys(`a:${KEY}`).rotate(`a:${OTHER_KEY}`)).toThrow(/two keys with the id "a"/)
    // The same key again loses nothing.
    expect(localKeys(`a:${KEY}`, `b:${OTHER_KEY}`, `a:${KEY}`).current()).toBe('a')
  })

  it.skipIf(process.platform === 'win32')('case 274: a database that others may read is made private', async () => {
    const file = fileName()
    const modes = () => [file, `${file}-wal`, `${file}-shm`].map((one) => (statSync(one).mode & 0o777).toString(8))
    const first = sqliteStore(file)
    await first.tenants()
    for (const one of [file, `${file}-wal`, `${file}-shm`]) chmodSync(one, 0o644)
    expect(modes()).toEqual(['644', '644', '644'])
    const second = sqliteStore(file)
    expect(modes()).toEqual(['600', '600', '600'])
    await first.close()
    await second.close()
  })
})

describe('several processes', () => {
  let upstream: TinyServer
  beforeAll(async () => {
    upstream = await startTinyServer()
  })
  afterAll(() => upstream.close())

  async function seeded(url: string) {
    const { access_token, refresh_token } = upstream.grant('ada')
    const vault = openVault({ store: postgresStore({ url }), keys: localKeys(KEY) })
    const owner = { tenant: 'default', user: 'ada' }
    const seed = token(access_token, refresh_token, Date.now() - 1000)
    await vault.save(owner, ID, () => ({
      account: account(ID, { issuer: upstream.origin }),
      secret: { ...seed, token: { ...seed.token!, issuer: upstream.origin } },
    }))
    upstream.requests.length = 0
    return { vault, owner }
  }

  it('case 74: two processes with 50 callers each ask the provider once', async () => {
    const { url } = newDatabase()
    const { vault, owner } = await seeded(url)
    const env = { VAULT_URL: url, UPSTREAM: upstream.origin }
    const processes = await Promise.all([process_(env), process_(env)])
    const order = { type: 'resolve', user: 'ada', accountId: ID, times: 50 } as const
    const answers = await Promise.all(processes.map((one) => one.ask(order)))
    const tokens = answers.flatMap((answer) => answer.tokens ?? [])
    expect(tokens).toHaveLength(100)
    const held = await vault.open(owner, ID)
    expect(new Set(tokens)).toEqual(new Set([held?.secret.token?.access_token]))
    expect(upstream.refreshes()).toHaveLength(1)
    expect(upstream.isUnused(held?.secret.token?.refresh_token ?? '')).toBe(true)
    await vault.close()
  })

  it.each([
    ['the account', 'latchkey_accounts'],
    ['the audit log', 'latchkey_audit'],
  ])(
    'case 236: PostgreSQL ends the connection on which a rotated token is saved, in %s: it is not lost',
    async (_what, table) => {
      const { url, adminUrl } = newDatabase()
      const admin = new pg.Client({ connectionString: adminUrl })
      await admin.connect()
      const { vault, owner } = await seeded(url)
      const server = await process_({ VAULT_URL: url, UPSTREAM: upstream.origin })
      const asked = Promise.withResolvers<void>()
      const locked = Promise.withResolvers<void>()
      upstream.instead.push((path) => {
        if (path === '/token') asked.resolve()
        return false
      })
      upstream.fault('/token', { after: locked.promise })
      const resolved = server.ask({ type: 'resolve', user: 'ada', accountId: ID, times: 1 })
      await asked.promise
      upstream.instead.length = 0
      await admin.query(`BEGIN; LOCK TABLE ${table}`)
      locked.resolve()
      const waiting = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()`
      for (let ended = 0; ended === 0; await admin.query('SELECT pg_stat_clear_snapshot()')) {
        ended = (await admin.query(waiting)).rowCount ?? 0
      }
      await admin.query('ROLLBACK')
      await admin.end()
      const { tokens } = await resolved
      const held = await vault.open(owner, ID)
      expect(tokens).toEqual([held?.secret.token?.access_token])
      expect(upstream.refreshes()).toHaveLength(1)
      expect(upstream.isUnused(held?.secret.token?.refresh_token ?? '')).toBe(true)
      await vault.close()
    },
  )

  it('case 75: a killed lease holder blocks no other process, and no rotation is lost', async () => {
    const { url } = newDatabase()
    const { vault, owner } = await seeded(url)
    const env = { VAULT_URL: url, UPSTREAM: upstream.origin, VAULT_LEASE: '2' }
    const [holder, next] = await Promise.all([process_(env), process_(env)])
    const asked = new Promise<void>((resolve) => {
      // The process with the lease waits for an answer that never arrives.
      upstream.instead.push((path) => {
        if (path !== '/token') return false
        resolve()
        return true
      })
    })
    const order = { type: 'resolve', user: 'ada', accountId: ID, times: 1 } as const
    holder.send(order)
    await asked
    await holder.kill()
    const { tokens } = await next.ask(order)
    const held = await vault.open(owner, ID)
    expect(tokens).toEqual([held?.secret.token?.access_token])
    expect(upstream.isLive(tokens?.[0] ?? '')).toBe(true)
    expect(upstream.isUnused(held?.secret.token?.refresh_token ?? '')).toBe(true)
    expect(upstream.refreshes()).toHaveLength(2)
    await vault.close()
  })

  it.each(['an order', 'SIGTERM'] as const)(
    'case 278: %s to close waits for a refresh under way, and the rotated token is kept',
    async (how) => {
      const { url } = newDatabase()
      const { vault, owner } = await seeded(url)
      const server = await process_({ VAULT_URL: url, UPSTREAM: upstream.origin })
      let answer = () => {}
      const after = new Promise<void>((resolve) => {
        answer = resolve
      })
      upstream.fault('/token', { after })
      server.send({ type: 'resolve', user: 'ada', accountId: ID, times: 1 })
      await vi.waitFor(() => expect(upstream.refreshes()).toHaveLength(1), 20_000)
      const exited = server.exit()
      if (how === 'SIGTERM') server.signal('SIGTERM')
      else server.send({ type: 'close' })
      expect(await server.answer()).toMatchObject({ type: 'closing' })
      answer()
      expect(await exited).toBe(0)
      const { refresh_token = '' } = (await vault.open(owner, ID))?.secret.token ?? {}
      expect([upstream.isUnused(refresh_token), upstream.isLive(refresh_token)]).toEqual([true, true])
      await vault.close()
    },
  )

  it('case 291: in Postgres a round finds what is due of all tenants in one transaction, each by its own rules', async () => {
    const { url } = newDatabase()
    const vault = openVault({ store: postgresStore({ url }), keys: localKeys(KEY) })
    const row = { user: 'ada', account: ID, provider: 'acme', facts: '{}', sealed: new Uint8Array(1), kid: 'k', rev: 1 }
    for (let at = 0; at < 50; at++) {
      await vault.store.put({ ...row, tenant: `t${at}`, dueAt: at < 3 ? 30 - at : 9e15 }, undefined)
    }
    const queries = vi.spyOn(pg.Client.prototype, 'query')
    const due = await vault.due(1000, 100)
    const count = queries.mock.calls.length
    queries.mockRestore()
    expect(due.map(({ row }) => row.tenant)).toEqual(['t2', 't1', 't0'])
    expect(count).toBeLessThanOrEqual(3)
    await vault.close()
  })

  it('case 278: nothing opens a store again after its vault is closed', async () => {
    for (const [name, open] of stores) {
      const vault = openVault({ store: open(), keys: localKeys(KEY) })
      await vault.list(ADA)
      await vault.close()
      const after = [vault.list(ADA), vault.store.tenants(), vault.during(async () => {})]
      for (const one of after) await expect(one, name).rejects.toMatchObject({ code: 'temporarily_unavailable' })
      await vault.close()
    }
  })

  it('case 76: the code uses no database state that outlives a transaction', () => {
    const src = path.join(import.meta.dirname, '..')
    const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => readFileSync(path.join(src, name), 'utf8'))
      .join('\n')
    expect(sources).toContain("set_config('latchkey.tenant'")
    expect(sources).not.toMatch(/pg_(try_)?advisory_(lock|unlock)|\bLISTEN\b|\bNOTIFY\b|PREPARE|SET SESSION|WITH HOLD/)
    for (const [, local] of sources.matchAll(/set_config\([^;`"]*,\s*(\w+)\)/g)) expect(local).toBe('true')
  })

  it.each([
    ['a query', 'latchkey_accounts'],
    ['a migration', 'latchkey_migrations'],
  ])(
    'case 236: PostgreSQL ends a connection while %s runs on it: the call fails, and the process lives',
    async (_what, table) => {
      const { url, adminUrl } = newDatabase()
      const admin = new pg.Client({ connectionString: adminUrl })
      await admin.connect()
      if (table === 'latchkey_accounts') await migratePostgres({ url })
      else await admin.query(`CREATE TABLE ${table} (version INTEGER PRIMARY KEY); ALTER TABLE ${table} OWNER TO app`)
      const server = await process_({ VAULT_URL: url })
      const order = { type: 'save', user: 'ada', id: ID, key: 'key' } as const
      await admin.query(`BEGIN; LOCK TABLE ${table}`)
      const failing = server.ask(order)
      const waiting = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()`
      // Within a transaction PostgreSQL shows the activity of its start.
      for (let ended = 0; ended === 0; await admin.query('SELECT pg_stat_clear_snapshot()')) {
        ended = (await admin.query(waiting)).rowCount ?? 0
      }
      expect(await failing).toMatchObject({ type: 'failed', message: expect.stringContaining('could not be used') })
      await admin.query('ROLLBACK')
      await admin.end()
      expect(await server.ask(order)).toEqual({ type: 'saved', id: ID })
    },
  )

  it('kill -9 in a loop of writes loses nothing that was acknowledged', async () => {
    const file = fileName()
    const acknowledged: string[] = []
    for (let round = 0; round < 10; round++) {
      const server = await process_({ VAULT_FILE: file })
      const ids = Array.from({ length: 200 }, (_, at) => `acme.${`${round}-${at}`.padStart(22, '0')}`)
      for (const id of ids) server.send({ type: 'save', user: 'ada', id, key: `key of ${id}` })
      const enough = 5 + round * 7
      while (acknowledged.length < enough + round * 20) {
        const { type, id } = await server.answer()
        expect(type).toBe('saved')
        acknowledged.push(id ?? '')
      }
      await server.kill()
      acknowledged.push(...server.answers.map(({ id }) => id ?? ''))
      const vault = openVault({ store: sqliteStore(file), keys: localKeys(KEY) })
      for (const id of acknowledged) {
        const found = await vault.open({ tenant: 'default', user: 'ada' }, id)
        expect(found?.secret.fields?.key).toBe(`key of ${id}`)
      }
      expect(await vault.audit.verify('default')).toMatchObject({ ok: true })
      await vault.close()
    }
    expect(acknowledged.length).toBeGreaterThan(100)
    // Ten processes, each started anew.
  }, 120_000)
})
