// `@latchkey/server/testing`: for the tests of a store of your own. It needs no test runner.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import {
  type AccountRow,
  type AuditEntry,
  type AuditRow,
  type DocumentRow,
  GENESIS,
  type Owner,
  type PersonRows,
  type VaultStore,
} from './stores/store.ts'

/** One rule of the contract that every {@link VaultStore} keeps. */
export interface StoreCheck {
  /** The rule, as the title of a test. */
  title: string
  /**
   * Checks a store against the rule. Rows are those of new tenants, so a database may be used again.
   *
   * @throws AssertionError if the store breaks the rule.
   */
  check(store: VaultStore): Promise<void>
}

const ID = `acme.${'a'.repeat(22)}`

/** A tenant of its own for each check, and rows of its user. */
function newTenant() {
  const owner = { tenant: `contract-${randomUUID()}`, user: 'ada' }
  const row = (change: Partial<AccountRow> = {}): AccountRow => ({
    ...owner,
    provider: 'acme',
    account: ID,
    facts: '{}',
    sealed: new Uint8Array([0, 1, 254, 255]),
    kid: 'k1',
    rev: 1,
    ...change,
  })
  return { ...owner, owner, row }
}

const plain = <Row extends { sealed: Uint8Array }>(row: Row | undefined) => row && { ...row, sealed: [...row.sealed] }
const ids = (rows: AccountRow[]) => rows.map(({ account }) => account)
const paper = (change: Partial<DocumentRow> = {}): DocumentRow => ({
  kind: 'call',
  id: 'd1',
  sealed: new Uint8Array([0, 1, 254, 255]),
  kid: 'k1',
  expiresAt: 2000,
  ...change,
})
const idsOf = async (rows: PersonRows, kind = 'call') => (await rows.documents(kind)).map(({ id }) => id)
/** What is stored of a person, but for accounts. */
const allOf = (store: VaultStore, owner: Owner, now = 0) =>
  store.asPerson(owner, now, async (rows) => ({ rules: rows.rules, now: rows.now, documents: await idsOf(rows) }))
const entry = (event: string, user = 'ada'): AuditEntry => ({ at: 7, user, event })

const hash = (previous: string, row: Omit<AuditRow, 'hash'>) =>
  createHash('sha256')
    .update(JSON.stringify([previous, row.seq, row.user, row.event]))
    .digest('hex')

/** The log of a tenant, whose chain must hold from the first entry to the head. */
async function chainOf(store: VaultStore, tenant: string): Promise<AuditRow[]> {
  const rows = await store.readAudit(tenant, { limit: 1000 })
  for (const [at, { hash: written, ...row }] of rows.entries()) {
    equal(row.seq, at + 1)
    equal(written, hash(rows[at - 1]?.hash ?? GENESIS, row))
  }
  deepEqual(await store.auditHead(tenant), rows.length ? { seq: rows.length, hash: rows.at(-1)?.hash } : undefined)
  return rows
}

/**
 * What a store must do, rule by rule, for a test runner of your choice. Every check gets the same store, which you open
 * before and close after.
 *
 * ```ts
 * it.each(storeContract)('my store $title', ({ check }) => check(store))
 * ```
 */
export const storeContract: readonly StoreCheck[] = [
  {
    title: 'returns what was written, bytes and all',
    async check(store) {
      const { owner, row } = newTenant()
      const written = row({ facts: '{"label":"é \u2028"}', dueAt: 1_900_000_000_000 })
      equal(await store.put(written, undefined), true)
      deepEqual(plain(await store.get(owner, ID)), plain(written))
      equal(await store.get(owner, 'acme.other'), undefined)
      equal(await store.get({ ...owner, user: 'bob' }, ID), undefined)
      equal(await store.get({ ...owner, tenant: newTenant().tenant }, ID), undefined)
    },
  },
  {
    title: 'writes only over the revision that was read',
    async check(store) {
      const { owner, row } = newTenant()
      equal(await store.put(row(), undefined), true)
      equal(await store.put(row(), undefined), false)
      equal(await store.put(row({ rev: 3, facts: '{"a":1}' }), 2), false)
      equal(await store.put(row({ rev: 2, kid: 'k2' }), 1), true)
      deepEqual(plain(await store.get(owner, ID)), plain(row({ rev: 2, kid: 'k2' })))
      equal(await store.put(row({ user: 'bob', rev: 2 }), 1), false)
    },
  },
  {
    title: 'lets one of many writers win',
    async check(store) {
      const { row } = newTenant()
      await store.put(row(), undefined)
      const written = await Promise.all(
        Array.from({ length: 20 }, (_, at) => store.put(row({ rev: 2, kid: `${at}` }), 1)),
      )
      equal(written.filter(Boolean).length, 1)
    },
  },
  {
    title: 'lists and removes the accounts of one user',
    async check(store) {
      const { owner, row, tenant } = newTenant()
      const other = newTenant()
      for (const account of ['acme.1', 'acme.2']) await store.put(row({ account }), undefined)
      await store.put(row({ user: 'bob', account: 'acme.3' }), undefined)
      await store.put(other.row({ account: 'acme.4' }), undefined)
      deepEqual(ids(await store.list(owner)), ['acme.1', 'acme.2'])
      equal((await store.remove(owner, 'acme.1'))?.account, 'acme.1')
      equal(await store.remove(owner, 'acme.1'), undefined)
      deepEqual(ids(await store.list(owner)), ['acme.2'])
      deepEqual(await store.list({ tenant, user: 'eve' }), [])
      const tenants = await store.tenants()
      ok(tenants.includes(tenant) && tenants.includes(other.tenant))
    },
  },
  {
    title: 'keeps a removed row away when it is put back, until there is a newer one',
    async check(store) {
      const { owner, row, tenant } = newTenant()
      equal(await store.removed(owner, ID), undefined)
      const old = [row(), row({ rev: 5, dueAt: 1, kid: 'k2' })]
      for (const [at, one] of old.entries()) await store.put(one, old[at - 1]?.rev)
      equal((await store.remove(owner, ID))?.rev, 5)
      equal(await store.removed(owner, ID), 5)
      equal(await store.removed({ ...owner, user: 'bob' }, ID), undefined)
      for (const one of old) equal(await store.put(one, undefined), false)
      equal(await store.get(owner, ID), undefined)
      equal(await store.put(row({ rev: 6 }), undefined), true)
      equal(await store.put(row({ rev: 7 }), undefined), false)
      deepEqual(plain(await store.get(owner, ID)), plain(row({ rev: 6 })))
      equal(await store.removed(owner, ID), 5)
      equal((await store.remove(owner, ID))?.rev, 6)
      const due = (await store.due(9, 10_000)).filter((one) => one.tenant === tenant)
      deepEqual([await store.removed(owner, ID), await store.list(owner), due], [6, [], []])
    },
  },
  {
    title: 'gives a lease to one holder until it is released or expires',
    async check(store) {
      const { owner, row } = newTenant()
      await store.put(row(), undefined)
      const holders = ['a', 'b', 'c']
      const taken = await Promise.all(holders.map((holder) => store.lease(owner, ID, holder, 30)))
      equal(taken.filter(Boolean).length, 1)
      await store.release(owner, ID, 'another')
      equal(await store.lease(owner, ID, 'd', 30), undefined)
      // A write does not end a lease: the writer may be another process than the holder.
      equal(await store.put(row({ rev: 2 }), 1), true)
      equal(await store.lease(owner, ID, 'd', 30), undefined)
      await store.release(owner, ID, holders[taken.findIndex(Boolean)] ?? '')
      equal((await store.lease(owner, ID, 'd', 0))?.rev, 2)
      await setTimeout(5)
      ok(await store.lease(owner, ID, 'e', 30))
      equal(await store.lease(owner, 'acme.none', 'e', 30), undefined)
    },
  },
  {
    title: 'finds what is due, and what another key encrypted',
    async check(store) {
      const { tenant, row } = newTenant()
      const due = { 'acme.1': 30, 'acme.2': 10, 'acme.3': undefined, 'acme.4': 99 }
      for (const [account, dueAt] of Object.entries(due)) {
        await store.put(row({ account, dueAt, kid: account === 'acme.4' ? 'k2' : 'k1' }), undefined)
      }
      const other = newTenant()
      await store.put(other.row({ account: 'acme.5', dueAt: 20 }), undefined)
      const both = [tenant, other.tenant]
      const mine = (rows: AccountRow[]) => rows.filter((one) => both.includes(one.tenant))
      const all = await store.due(50, 10_000)
      deepEqual(ids(mine(all)), ['acme.2', 'acme.5', 'acme.1'])
      deepEqual(ids(await store.due(50, 1)), ids(all.slice(0, 1)))
      deepEqual(mine(await store.due(10, 10_000)), [])
      deepEqual(ids(await store.sealedOtherwise(tenant, 'k1', 10)), ['acme.4'])
      equal((await store.sealedOtherwise(tenant, 'k2', 2)).length, 2)
    },
  },
  {
    title: 'gives a flow to the session that started it, once and in time',
    async check(store) {
      const { owner, user } = newTenant()
      const flow = { ...owner, id: 'f1', session: 's1', sealed: new Uint8Array([1]), kid: 'k1', expiresAt: 1000 }
      await store.putFlow(flow, 0)
      equal(await store.takeFlow(owner, 'f1', 's2', 500), 'foreign')
      equal(await store.takeFlow({ ...owner, user: 'eve' }, 'f1', 's1', 500), 'foreign')
      equal(await store.takeFlow({ tenant: newTenant().tenant, user }, 'f1', 's1', 500), undefined)
      const taken = await Promise.all([1, 2, 3].map(() => store.takeFlow(owner, 'f1', 's1', 500)))
      deepEqual(taken.map((one) => typeof one).sort(), ['object', 'undefined', 'undefined'])
      await store.putFlow(flow, 0)
      equal(await store.takeFlow(owner, 'f1', 's1', 1000), undefined)
      // The next flow deletes those that expired.
      await store.putFlow({ ...flow, id: 'f2' }, 1000)
      equal(await store.takeFlow(owner, 'f1', 's1', 500), undefined)
    },
  },
  {
    title: 'keeps the newest 50 flows of a user, and deletes those of every tenant that expired',
    async check(store) {
      const { owner } = newTenant()
      const gone = newTenant()
      const flow = { session: 's1', sealed: new Uint8Array([1]), kid: 'k1' }
      await store.putFlow({ ...flow, ...gone.owner, id: 'left', expiresAt: 1 }, 0)
      for (let at = 0; at < 60; at++) await store.putFlow({ ...flow, ...owner, id: `f${at}`, expiresAt: 9e12 + at }, 1)
      equal(await store.takeFlow(gone.owner, 'left', 's1', 0), undefined)
      const taken = await Promise.all([0, 9, 10, 59].map((at) => store.takeFlow(owner, `f${at}`, 's1', 1)))
      deepEqual(
        taken.map((one) => typeof one === 'object' && one.id),
        [false, false, 'f10', 'f59'],
      )
    },
  },
  {
    title: 'appends to one chain, however many write',
    async check(store) {
      const { tenant } = newTenant()
      const write = (event: string) => entry(event, event.length % 2 ? 'ada' : 'bob')
      await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          store.appendAudit(tenant, [write('x'.repeat(at + 1)), write('y'.repeat(at + 2))], hash),
        ),
      )
      const rows = await chainOf(store, tenant)
      equal(rows.length, 20)
      const ofAda = await store.readAudit(tenant, { limit: 100, user: 'ada' })
      deepEqual(
        ofAda,
        rows.filter(({ user }) => user === 'ada'),
      )
      deepEqual(await store.readAudit(tenant, { after: 18, limit: 1 }), rows.slice(18, 19))
      deepEqual(await store.readAudit(tenant, { before: 19, limit: 2 }), [rows[17], rows[16]])
      deepEqual(
        await store.readAudit(tenant, { before: 19, limit: 1, user: 'ada' }),
        ofAda.filter(({ seq }) => seq < 19).slice(-1),
      )
      deepEqual(await store.readAudit(newTenant().tenant, { limit: 1 }), [])
      equal(await store.auditHead(newTenant().tenant), undefined)
    },
  },
  {
    title: 'writes all of what is done as a person, or nothing if that throws',
    async check(store) {
      const { owner, row, tenant } = newTenant()
      await store.put(row(), undefined)
      const written = await store.asPerson(owner, 1000, async (rows) => {
        equal(rows.rules, undefined)
        await rows.putRules('{"a":"é \u2028"}')
        await rows.putDocument(paper())
        await rows.appendAudit([entry('first')], hash)
        // What is written is seen in the same transaction.
        deepEqual(plain(await rows.document('call', 'd1')), plain(paper()))
        return plain(await rows.account(ID))
      })
      deepEqual(written, plain(row()))
      const before = await allOf(store, owner)
      deepEqual(before, { rules: '{"a":"é \u2028"}', now: 1000, documents: ['d1'] })
      for (const error of [
        new Error('of the work'),
        Object.assign(new Error('like one of a database'), { code: '5' }),
      ]) {
        const failing = store.asPerson(owner, 1500, async (rows) => {
          await rows.putRules('{}')
          await rows.putDocument(paper({ id: 'd2' }))
          await rows.removeDocument('call', 'd1')
          await rows.appendAudit([entry('second')], hash)
          deepEqual(await idsOf(rows), ['d2'])
          throw error
        })
        equal(await failing.catch((thrown: unknown) => thrown), error)
        deepEqual(await allOf(store, owner), before)
      }
      equal((await chainOf(store, tenant)).length, 1)
    },
  },
  {
    title: 'fails what is done as a person if one write in it fails, even if the work goes on',
    async check(store) {
      const { owner, tenant } = newTenant()
      const broken = () => {
        throw new Error('of the hash')
      }
      const done = store.asPerson(owner, 0, async (rows) => {
        await rows.putDocument(paper())
        await rows.appendAudit([entry('x')], broken).catch(() => {})
      })
      await rejects(done)
      deepEqual((await allOf(store, owner)).documents, [])
      deepEqual(await chainOf(store, tenant), [])
    },
  },
  {
    title: 'does one thing at a time as a person',
    async check(store) {
      const { owner } = newTenant()
      const count = () =>
        store.asPerson(owner, 0, async (rows) => {
          const old = Number(rows.rules ?? 0)
          // Another one would begin here if it could.
          await rows.documents('call')
          await rows.putRules(`${old + 1}`)
        })
      await Promise.all(Array.from({ length: 20 }, count))
      equal((await allOf(store, owner)).rules, '20')
      // Rows that are written side by side, and without waiting for them.
      await store.asPerson(owner, 0, async (rows) => {
        for (let at = 0; at < 5; at++) rows.putDocument(paper({ id: `d${at}` }))
      })
      equal((await allOf(store, owner)).documents.length, 5)
    },
  },
  {
    title: 'refuses the rows of a person after their transaction, and the store itself inside of it',
    async check(store) {
      const { owner } = newTenant()
      const left = await store.asPerson(owner, 0, async (rows) => rows)
      await rejects(left.putRules('late'), { code: 'misuse' })
      await rejects(left.documents('call'), { code: 'misuse' })
      const nested = store.asPerson(owner, 0, () => store.list(owner))
      await rejects(nested, { code: 'misuse' })
      equal((await allOf(store, owner)).rules, undefined)
    },
  },
  {
    title: 'shows a person nothing of another one, or of another tenant',
    async check(store) {
      const { owner, row, tenant, user } = newTenant()
      await store.put(row(), undefined)
      await store.asPerson(owner, 1000, async (rows) => {
        await rows.putRules('{}')
        await rows.putDocument(paper())
      })
      for (const other of [
        { tenant, user: 'bob' },
        { tenant: newTenant().tenant, user },
      ]) {
        await store.asPerson(other, 5, async (rows) => {
          deepEqual([rows.now, rows.rules, await idsOf(rows)], [5, undefined, []])
          equal(await rows.document('call', 'd1'), undefined)
          equal(await rows.account(ID), undefined)
          await rows.removeDocument('call', 'd1')
          await rows.putDocument(paper({ kid: 'of another' }))
          await rows.putRules('other')
        })
        await store.forgetPerson(other)
      }
      await store.asPerson(owner, 0, async (rows) => {
        equal(rows.rules, '{}')
        deepEqual(plain(await rows.document('call', 'd1')), plain(paper()))
      })
      // A removed account is none of theirs any more.
      await store.remove(owner, ID)
      equal(await store.asPerson(owner, 0, (rows) => rows.account(ID)), undefined)
    },
  },
  {
    title: 'never lets the time of a person go back, and ends documents by it',
    async check(store) {
      const { owner } = newTenant()
      await store.asPerson(owner, 1000, async (rows) => {
        await rows.putDocument(paper({ expiresAt: 1001 }))
        await rows.putDocument(paper({ id: 'd2', expiresAt: 3000 }))
        await rows.putDocument(paper({ id: 'over', expiresAt: 1000 }))
        await rows.putDocument(paper({ kind: 'request', expiresAt: 3000 }))
        deepEqual([await idsOf(rows), await idsOf(rows, 'request')], [['d1', 'd2'], ['d1']])
        equal(await rows.document('call', 'over'), undefined)
      })
      deepEqual(await allOf(store, owner, 500), { rules: undefined, now: 1000, documents: ['d1', 'd2'] })
      deepEqual(await allOf(store, owner, 1001), { rules: undefined, now: 1001, documents: ['d2'] })
      await store.asPerson(owner, 500, async (rows) => {
        equal(rows.now, 1001)
        equal(await rows.document('call', 'd1'), undefined)
        const over = paper({ id: 'd2', kid: 'k2', sealed: new Uint8Array([7]), expiresAt: 4000 })
        await rows.putDocument(over)
        deepEqual((await rows.documents('call')).map(plain), [plain(over)])
        await rows.removeDocument('request', 'd2')
        await rows.removeDocument('request', 'd1')
        deepEqual([await idsOf(rows), await idsOf(rows, 'request')], [['d2'], []])
      })
      deepEqual(await allOf(store, owner, 4000), { rules: undefined, now: 4000, documents: [] })
    },
  },
  {
    title: 'keeps 1000 documents of a kind, those that expire last and the newest',
    async check(store) {
      const { owner } = newTenant()
      const idAt = (at: number) => `d${String(at).padStart(4, '0')}`
      const kept = await store.asPerson(owner, 0, async (rows) => {
        await rows.putDocument(paper({ kind: 'request', expiresAt: 1 }))
        for (let at = 0; at < 1005; at++) await rows.putDocument(paper({ id: idAt(at), expiresAt: 2000 + at }))
        await rows.putDocument(paper({ id: 'newest', expiresAt: 1 }))
        equal(await idsOf(rows, 'request').then(({ length }) => length), 1)
        return idsOf(rows)
      })
      deepEqual(kept, [...Array.from({ length: 999 }, (_, at) => idAt(at + 6)), 'newest'])
    },
  },
  {
    title: 'appends to the same chain inside of a transaction of a person as outside, however many write',
    async check(store) {
      const { tenant } = newTenant()
      await Promise.all(
        Array.from({ length: 24 }, (_, at) => {
          const user = `user${at % 3}`
          if (at % 2) return store.appendAudit(tenant, [entry(`outside ${at}`, user)], hash)
          const done = store.asPerson({ tenant, user }, 0, async (rows) => {
            await Promise.all([1, 2].map((one) => rows.appendAudit([entry(`inside ${at} ${one}`, user)], hash)))
            if (at % 4) throw new Error('after it was appended')
          })
          return at % 4 ? rejects(done, /after it was appended/) : done
        }),
      )
      const events = (await chainOf(store, tenant)).map(({ event }) => event)
      equal(events.filter((event) => event.startsWith('outside')).length, 12)
      deepEqual(
        events.filter((event) => event.startsWith('inside')).sort(),
        [0, 4, 8, 12, 16, 20].flatMap((at) => [`inside ${at} 1`, `inside ${at} 2`]).sort(),
      )
    },
  },
  {
    title: 'knows when each account, agent and tool of a person was first and last used',
    async check(store) {
      const { owner, tenant } = newTenant()
      const use = (at: number, tool: string, user = owner.user): AuditEntry => ({
        ...{ at, user, event: '{}', used: { account: 'a', agent: 'chief', tool } },
      })
      await store.appendAudit(tenant, [use(5, 'list'), entry('{}', owner.user), use(9, 'list'), use(7, '')], hash)
      await store.asPerson(owner, 1, async (rows) => {
        await rows.appendAudit([use(8, 'send'), use(6, 'list')], hash)
      })
      await store.appendAudit(tenant, [use(99, 'list', 'eve')], hash)
      await store.appendAudit(newTenant().tenant, [use(99, 'list')], hash)
      const of = { account: 'a', agent: 'chief' }
      const expected = [
        { ...of, tool: 'list', firstAt: 5, lastAt: 9 },
        { ...of, tool: 'send', firstAt: 8, lastAt: 8 },
        { ...of, tool: '', firstAt: 7, lastAt: 7 },
      ]
      deepEqual(await store.lastUses(owner), expected)
      await store.forgetPerson(owner)
      deepEqual(await store.lastUses(owner), [])
      equal((await store.lastUses({ tenant, user: 'eve' })).length, 1)
      equal((await store.readAudit(tenant, { limit: 100 })).length, 7)
    },
  },
  {
    title: 'forgets the rules and documents of a person, and keeps the log',
    async check(store) {
      const { owner, row, tenant } = newTenant()
      await store.forgetPerson(owner)
      await store.put(row(), undefined)
      await store.asPerson(owner, 1000, async (rows) => {
        await rows.putRules('{}')
        await rows.putDocument(paper())
        await rows.putDocument(paper({ kind: 'request' }))
        await rows.appendAudit([entry('kept')], hash)
      })
      await store.forgetPerson(owner)
      await store.asPerson(owner, 0, async (rows) => {
        deepEqual([rows.rules, await idsOf(rows), await idsOf(rows, 'request')], [undefined, [], []])
        equal(rows.now, 1000)
      })
      deepEqual(
        (await chainOf(store, tenant)).map(({ event }) => event),
        ['kept'],
      )
      deepEqual(ids(await store.list(owner)), [ID])
    },
  },
]
