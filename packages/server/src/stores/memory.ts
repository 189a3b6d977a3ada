import { type AccountRow, type AuditRow, type FlowRow, GENESIS, type Owner, type VaultStore } from './store.ts'

/** Stores rows in memory, for tests and first steps. They are lost when the process ends. */
export function memoryStore(): VaultStore {
  interface Tenant {
    accounts: Map<string, AccountRow & { holder?: string; until?: number }>
    /** Revisions of removed rows. */
    removed: Map<string, number>
    flows: Map<string, FlowRow>
    audit: AuditRow[]
  }
  const tenants = new Map<string, Tenant>()
  const of = (tenant: string): Tenant => {
    const found = tenants.get(tenant) ?? { accounts: new Map(), removed: new Map(), flows: new Map(), audit: [] }
    tenants.set(tenant, found)
    return found
  }
  const key = ({ user }: Owner, account: string) => JSON.stringify([user, account])
  const copy = ({ holder: _holder, until: _until, ...row }: AccountRow & { holder?: string; until?: number }) => ({
    ...row,
    sealed: new Uint8Array(row.sealed),
  })
  const all = (tenant: string) => [...of(tenant).accounts.values()]

  return {
    type: 'memory',
    async get(owner, account) {
      const row = of(owner.tenant).accounts.get(key(owner, account))
      return row && copy(row)
    },
    async list({ tenant, user }) {
      return all(tenant).flatMap((row) => (row.user === user ? copy(row) : []))
    },
    async put(row, previous) {
      const { accounts, removed } = of(row.tenant)
      const at = key(row, row.account)
      const old = accounts.get(at)
      if (old?.rev !== previous || row.rev <= (removed.get(at) ?? 0)) return false
      accounts.set(at, { ...copy(row), holder: old?.holder, until: old?.until })
      return true
    },
    async remove(owner, account) {
      const { accounts, removed } = of(owner.tenant)
      const at = key(owner, account)
      const row = accounts.get(at)
      if (!row) return undefined
      accounts.delete(at)
      removed.set(at, row.rev)
      return copy(row)
    },
    async removed(owner, account) {
      return of(owner.tenant).removed.get(key(owner, account))
    },
    async lease(owner, account, holder, seconds) {
      const row = of(owner.tenant).accounts.get(key(owner, account))
      if (!row || (row.until !== undefined && row.until > Date.now())) return undefined
      Object.assign(row, { holder, until: Date.now() + seconds * 1000 })
      return copy(row)
    },
    async release(owner, account, holder) {
      const row = of(owner.tenant).accounts.get(key(owner, account))
      if (row?.holder === holder) Object.assign(row, { holder: undefined, until: undefined })
    },
    async due(tenant, before, limit) {
      return all(tenant)
        .filter(({ dueAt }) => dueAt !== undefined && dueAt < before)
        .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))
        .slice(0, limit)
        .map(copy)
    },
    async sealedOtherwise(tenant, kid, limit) {
      return all(tenant)
        .filter((row) => row.kid !== kid)
        .slice(0, limit)
        .map(copy)
    },
    async tenants() {
      return [...tenants].flatMap(([name, { accounts }]) => (accounts.size > 0 ? name : []))
    },
    async putFlow(flow, now) {
      const { flows } = of(flow.tenant)
      for (const [id, { expiresAt }] of flows) if (expiresAt <= now) flows.delete(id)
      flows.set(flow.id, { ...flow })
    },
    async takeFlow({ tenant, user }, id, session, now) {
      const { flows } = of(tenant)
      const flow = flows.get(id)
      if (!flow || flow.expiresAt <= now) return undefined
      if (flow.user !== user || flow.session !== session) return 'foreign'
      flows.delete(id)
      return flow
    },
    async appendAudit(tenant, entries, hash) {
      const { audit } = of(tenant)
      for (const entry of entries) {
        const row = { tenant, seq: audit.length + 1, ...entry }
        audit.push({ ...row, hash: hash(audit.at(-1)?.hash ?? GENESIS, row) })
      }
    },
    async readAudit(tenant, { user, after = 0, limit }) {
      const { audit } = of(tenant)
      return audit
        .filter((row) => row.seq > after && (user === undefined || row.user === user))
        .slice(0, limit)
        .map((row) => ({ ...row }))
    },
    async auditHead(tenant) {
      const last = of(tenant).audit.at(-1)
      return last && { seq: last.seq, hash: last.hash }
    },
    async close() {},
  }
}
