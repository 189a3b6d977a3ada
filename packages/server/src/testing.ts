// `@latchkey/server/testing`: for the tests of a store of your own. It needs no test runner.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type AccountRow, type AuditEntry, type AuditRow, GENESIS, type VaultStore } from './stores/store.ts'

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

const plain = (row: AccountRow | undefined) => row && { ...row, sealed: [...row.sealed] }
const ids = (rows: AccountRow[]) => rows.map(({ account }) => account)
const hash = (previous: string, row: Omit<AuditRow, 'hash'>) =>
  createHash('sha256')
    .update(JSON.stringify([previous, row.seq, row.user, row.event]))
    .digest('hex')

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
      const entry = (event: string): AuditEntry => ({ at: 7, user: event.length % 2 ? 'ada' : 'bob', event })
      await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          store.appendAudit(tenant, [entry('x'.repeat(at + 1)), entry('y'.repeat(at + 2))], hash),
        ),
      )
      const rows = await store.readAudit(tenant, { limit: 100 })
      deepEqual(
        rows.map(({ seq }) => seq),
        Array.from({ length: 20 }, (_, at) => at + 1),
      )
      for (const [at, { hash: written, ...row }] of rows.entries()) {
        equal(written, hash(rows[at - 1]?.hash ?? GENESIS, row))
      }
      deepEqual(await store.auditHead(tenant), { seq: 20, hash: rows[19]?.hash })
      const ofAda = await store.readAudit(tenant, { limit: 100, user: 'ada' })
      deepEqual(
        ofAda,
        rows.filter(({ user }) => user === 'ada'),
      )
      deepEqual(await store.readAudit(tenant, { after: 18, limit: 1 }), rows.slice(18, 19))
      deepEqual(await store.readAudit(newTenant().tenant, { limit: 1 }), [])
      equal(await store.auditHead(newTenant().tenant), undefined)
    },
  },
]
