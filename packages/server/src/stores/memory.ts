import { checkTurn, createGuard, type Guard, type Turn } from './guard.ts'
import {
  type AccountRow,
  type AuditEntry,
  type AuditHash,
  type AuditRow,
  DOCUMENTS_PER_KIND,
  type DocumentRow,
  FLOWS_PER_USER,
  type FlowRow,
  GENESIS,
  type LastUseRow,
  type Owner,
  type PersonRows,
  type VaultStore,
} from './store.ts'

/** Accounts, documents and last uses of a person that are returned at once. */
const MOST = 1000

interface Person {
  /** The latest time that was stored, in milliseconds since the epoch. */
  now: number
  rules: string | undefined
  accounts: Map<string, AccountRow>
  leases: Map<string, { holder: string; until: number }>
  /** Revisions, by account. A row that is there is newer. */
  removed: Map<string, number>
  /** By kind and id. */
  documents: Map<string, Map<string, DocumentRow>>
  /** No document ends before. */
  nextEnd: number
  uses: Map<string, LastUseRow>
  /** Settles when the transactions so far are over. */
  last: Promise<unknown>
}

interface Tenant {
  people: Map<string, Person>
  flows: Map<string, FlowRow>
  /** The entry with the number n is at n - 1. */
  log: AuditRow[]
}

const newTenant = (): Tenant => ({ people: new Map(), flows: new Map(), log: [] })
const newPerson = (): Person => ({
  ...{ now: Number.NEGATIVE_INFINITY, rules: undefined, nextEnd: Number.POSITIVE_INFINITY, last: Promise.resolve() },
  ...{ accounts: new Map(), leases: new Map(), removed: new Map(), documents: new Map(), uses: new Map() },
})

/**
 * Stores rows in memory, for tests and first steps. They are lost when the process ends.
 *
 * Nothing here waits, so each method is one step that no other one interrupts. Only the work of `asPerson` may wait: what it
 * writes is seen by itself alone until it is done.
 */
export function memoryStore(): VaultStore {
  const guard = createGuard()
  const all = new Map<string, Tenant>()
  const tenantOf = (name: string) => entryOf(all, name, newTenant)
  const personOf = ({ tenant, user }: Owner) => entryOf(tenantOf(tenant).people, user, newPerson)
  const act = async <T>(step: () => T): Promise<T> => {
    guard.check()
    return step()
  }
  /** One after another, for each person. */
  const inLine = async <T>(owner: Owner, step: (person: Person) => T | Promise<T>): Promise<T> => {
    guard.check()
    const person = personOf(owner)
    const mine = person.last.then(() => step(person))
    person.last = mine.catch(() => {})
    return mine
  }
  const accounts = () =>
    [...all.values()].flatMap(({ people }) => [...people.values()].flatMap((person) => [...person.accounts.values()]))

  return {
    type: 'memory',
    close: async () => guard.close(),
    get: (owner, account) => act(() => copied(personOf(owner).accounts.get(account))),
    list: (owner) =>
      act(() => {
        const rows = [...personOf(owner).accounts.values()].sort((one, other) => inOrder(one.account, other.account))
        return rows.slice(0, MOST).map(copied)
      }),
    put: (row, previous) =>
      act(() => {
        const { accounts, removed } = personOf(row)
        if (accounts.get(row.account)?.rev !== previous || row.rev <= (removed.get(row.account) ?? -1)) return false
        accounts.set(row.account, copied(row))
        return true
      }),
    remove: (owner, account) =>
      act(() => {
        const person = personOf(owner)
        const row = person.accounts.get(account)
        if (!row) return undefined
        person.accounts.delete(account)
        person.leases.delete(account)
        person.removed.set(account, row.rev)
        return row
      }),
    removed: (owner, account) => act(() => personOf(owner).removed.get(account)),
    lease: (owner, account, holder, seconds) =>
      act(() => {
        const { accounts, leases } = personOf(owner)
        const row = accounts.get(account)
        const now = performance.now()
        if (!row || (leases.get(account)?.until ?? 0) > now) return undefined
        leases.set(account, { holder, until: now + seconds * 1000 })
        return copied(row)
      }),
    release: (owner, account, holder) =>
      act(() => {
        const { leases } = personOf(owner)
        if (leases.get(account)?.holder === holder) leases.delete(account)
      }),
    due: (before, limit) =>
      act(() => {
        const endOf = ({ dueAt = Number.POSITIVE_INFINITY }: AccountRow) => dueAt
        const rows = accounts().filter((row) => endOf(row) < before)
        return rows
          .sort((one, other) => endOf(one) - endOf(other))
          .slice(0, limit)
          .map(copied)
      }),
    sealedOtherwise: (tenant, kid, limit) =>
      act(() => {
        const rows = accounts().filter((row) => row.tenant === tenant && row.kid !== kid)
        return rows.slice(0, limit).map(copied)
      }),
    tenants: () =>
      act(() => {
        const hadAccounts = ({ people }: Tenant) =>
          [...people.values()].some((person) => person.accounts.size + person.removed.size > 0)
        return [...all].flatMap(([name, tenant]) => (hadAccounts(tenant) ? name : [])).sort()
      }),
    putFlow: (flow, now) =>
      act(() => {
        for (const { flows } of all.values()) {
          for (const { id, expiresAt } of flows.values()) if (expiresAt <= now) flows.delete(id)
        }
        const { flows } = tenantOf(flow.tenant)
        flows.set(flow.id, copied(flow))
        const mine = [...flows.values()].filter(({ user, id }) => user === flow.user && id !== flow.id).sort(byEnd)
        for (const { id } of mine.slice(0, Math.max(0, mine.length + 1 - FLOWS_PER_USER))) flows.delete(id)
      }),
    takeFlow: ({ tenant, user }, id, session, now) =>
      act(() => {
        const { flows } = tenantOf(tenant)
        const flow = flows.get(id)
        if (!flow || flow.expiresAt <= now) return undefined
        if (flow.user !== user || flow.session !== session) return 'foreign'
        flows.delete(id)
        return flow
      }),
    appendAudit: (tenant, entries, hash) =>
      act(() =>
        append(
          tenant,
          tenantOf(tenant),
          entries.map((entry) => ({ entry, hash })),
        ),
      ),
    readAudit: (tenant, { user, agent, account, after = 0, before, limit }) =>
      act(() => {
        const { log } = tenantOf(tenant)
        // As the words stand in the event, which is JSON.
        const words = Object.entries({ agent, account }).flatMap(([name, word]) =>
          word === undefined ? [] : `"${name}":${JSON.stringify(word)}`,
        )
        const isWanted = (row: AuditRow) =>
          (user === undefined || row.user === user) && words.every((word) => row.event.includes(word))
        const found: AuditRow[] = []
        const [from, step] = before === undefined ? [after, 1] : [Math.min(before - 1, log.length) - 1, -1]
        for (let at = from; found.length < limit; at += step) {
          const row = log[at]
          if (!row) break
          if (isWanted(row)) found.push({ ...row })
        }
        return found
      }),
    auditHead: (tenant) =>
      act(() => {
        const head = tenantOf(tenant).log.at(-1)
        return head && { seq: head.seq, hash: head.hash }
      }),
    lastUses: (owner) =>
      act(() => {
        const uses = [...personOf(owner).uses.values()].sort((one, other) => other.lastAt - one.lastAt)
        return uses.slice(0, MOST).map((use) => ({ ...use }))
      }),
    asPerson: (owner, now, work) =>
      inLine(owner, (person) => transaction(guard, owner.tenant, tenantOf(owner.tenant), person, now, work)),
    forgetPerson: (owner) =>
      inLine(owner, (person) => {
        person.rules = undefined
        person.documents.clear()
        person.uses.clear()
      }),
  }
}

/** An entry, and what chains it to the one before. */
interface Appended {
  entry: AuditEntry
  hash: AuditHash
}

/** Appends all of them, or nothing if that throws. */
function append(name: string, { log, people }: Tenant, entries: readonly Appended[]): void {
  let last = log.at(-1)
  const rows = entries.map(({ entry: { at, user, event }, hash }): AuditRow => {
    const row = { tenant: name, seq: (last?.seq ?? 0) + 1, at, user, event }
    last = { ...row, hash: hash(last?.hash ?? GENESIS, row) }
    return last
  })
  log.push(...rows)
  for (const { entry } of entries) {
    if (!entry.used) continue
    const { uses } = entryOf(people, entry.user, newPerson)
    const { account, agent, tool } = entry.used
    const key = JSON.stringify([account, agent, tool])
    const use = entryOf(uses, key, () => ({ account, agent, tool, firstAt: entry.at, lastAt: entry.at }))
    use.lastAt = Math.max(use.lastAt, entry.at)
  }
}

/** Runs work on what is stored of a person. What it writes there is taken back if it fails, and the log is written last. */
async function transaction<T>(
  guard: Guard,
  name: string,
  tenant: Tenant,
  person: Person,
  at: number,
  work: (rows: PersonRows) => Promise<T>,
): Promise<T> {
  const now = Math.max(at, person.now)
  const turn: Turn = { isOver: false }
  const undo: (() => void)[] = []
  const entries: Appended[] = []
  try {
    const result = await guard.run(turn, async () => work(personRows(person, now, turn, undo, entries)))
    append(name, tenant, entries)
    person.now = now
    removeOver(person)
    return result
  } catch (error) {
    for (const takeBack of undo.reverse()) takeBack()
    throw error
  } finally {
    turn.isOver = true
  }
}

function personRows(person: Person, now: number, turn: Turn, undo: (() => void)[], entries: Appended[]): PersonRows {
  const act = async <T>(step: () => T): Promise<T> => {
    checkTurn(turn)
    return step()
  }
  const ofKind = (kind: string) => entryOf(person.documents, kind, () => new Map<string, DocumentRow>())
  const isLeft = ({ expiresAt }: DocumentRow) => expiresAt > now
  const put = (rows: Map<string, DocumentRow>, id: string, row: DocumentRow | undefined) => {
    const old = rows.get(id)
    undo.push(() => setOrDelete(rows, id, old))
    setOrDelete(rows, id, row)
  }
  return {
    now,
    rules: person.rules,
    account: (id) => act(() => copied(person.accounts.get(id))),
    document: (kind, id) =>
      act(() => {
        const row = ofKind(kind).get(id)
        return row && isLeft(row) ? copied(row) : undefined
      }),
    documents: (kind) =>
      act(() => {
        const rows = [...ofKind(kind).values()].filter(isLeft)
        return rows.sort((one, other) => inOrder(one.id, other.id)).map(copied)
      }),
    putRules: (rules) =>
      act(() => {
        const old = person.rules
        undo.push(() => {
          person.rules = old
        })
        person.rules = rules
      }),
    putDocument: (row) =>
      act(() => {
        const rows = ofKind(row.kind)
        put(rows, row.id, copied(row))
        person.nextEnd = Math.min(person.nextEnd, row.expiresAt)
        if (rows.size <= DOCUMENTS_PER_KIND) return
        const others = [...rows.values()].filter(({ id }) => id !== row.id)
        const first = others.reduce((one, other) => (byEnd(one, other) < 0 ? one : other))
        put(rows, first.id, undefined)
      }),
    removeDocument: (kind, id) => act(() => put(ofKind(kind), id, undefined)),
    appendAudit: (given, hash) =>
      act(() => {
        for (const entry of given) entries.push({ entry, hash })
      }),
  }
}

/** Deletes documents that are over. */
function removeOver(person: Person): void {
  if (person.nextEnd > person.now) return
  person.nextEnd = Number.POSITIVE_INFINITY
  for (const rows of person.documents.values()) {
    for (const { id, expiresAt } of rows.values()) {
      if (expiresAt <= person.now) rows.delete(id)
      else person.nextEnd = Math.min(person.nextEnd, expiresAt)
    }
  }
}

/** What is stored under a key. It is made if it is not there. */
function entryOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key) ?? make()
  if (!map.has(key)) map.set(key, found)
  return found
}

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

/** A row of its own: what its reader or writer makes of theirs changes nothing here. */
const copied = <Row extends { sealed: Uint8Array } | undefined>(row: Row): Row =>
  row && { ...row, sealed: new Uint8Array(row.sealed) }

const inOrder = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)

/** Those that end first come first. */
const byEnd = (one: DocumentRow | FlowRow, other: DocumentRow | FlowRow) =>
  one.expiresAt - other.expiresAt || inOrder(one.id, other.id)
