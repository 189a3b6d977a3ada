import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import { type AccountSecret, wordAt } from '@latchkey/core/server'
import type { AccountRow, Owner, VaultStore } from '../stores/store.ts'
import type { Audit } from './audit.ts'
import type { KeyProvider } from './keys.ts'
import { seal, unseal } from './seal.ts'
import type { Webhooks } from './webhooks.ts'

/** What an account is used with: a token and the end of its life, or a key. `revoked`: only the facts are left. */
export interface VaultSecret extends AccountSecret {
  revoked?: true
}

/** An account with its secret. */
export interface Opened {
  account: ConnectedAccount
  secret: VaultSecret
}

export const absent = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected.', { account })

export const ended = ({ id, provider, label }: ConnectedAccount) =>
  new LatchkeyError('invalid_token', `Access to ${label} has ended.`, { provider, account: id })

/** The facts of accounts, which need no key. */
export interface AccountFacts {
  /** Facts of one user's accounts. */
  list(owner: Owner): Promise<ConnectedAccount[]>
  /** Facts of one account, if this user has it. */
  find(owner: Owner, account: string): Promise<ConnectedAccount | undefined>
}

/** The accounts of a vault, for the vault's own work. A row has one account's facts and its encrypted secret. */
export interface VaultAccounts extends AccountFacts {
  /** @throws LatchkeyError `secret_unavailable` if the row cannot be decrypted. The audit log then has an entry. */
  open(owner: Owner, account: string): Promise<Opened | undefined>
  /** Stores an account, new or connected again. `merge` gets what is stored so far. */
  save(owner: Owner, id: string, merge: (old: Opened | undefined) => Opened): Promise<ConnectedAccount>
  /** Changes an account's status. */
  mark(
    owner: Owner,
    id: string,
    status: ConnectedAccount['status'],
    reason: ConnectedAccount['reason'],
  ): Promise<ConnectedAccount | undefined>
  /** Deletes an account. */
  remove(owner: Owner, account: string): Promise<{ account: ConnectedAccount; secret?: VaultSecret } | undefined>
  /** Accounts of all tenants that are due before this time, the longest due first. */
  due(before: number, limit: number): Promise<{ owner: Owner; account: ConnectedAccount }[]>
  /** @throws LatchkeyError as {@link VaultAccounts.open} does. */
  openRow(row: AccountRow): Promise<Opened>
  /** Writes until it is written: each try gets the newest row. Undefined if `change` returns nothing. */
  write(
    owner: Owner,
    id: string,
    change: (row: AccountRow | undefined) => Promise<Opened | undefined>,
  ): Promise<ConnectedAccount | undefined>
}

interface AccountsOptions {
  store: VaultStore
  keys: KeyProvider
  audit: Audit
  tell: Webhooks['tell']
}

/** Facts as they are stored. What has a column of its own comes from there. */
const factsOf = ({ account: id, provider, rev, facts }: AccountRow): ConnectedAccount => ({
  ...JSON.parse(facts),
  id,
  provider,
  custody: 'vault',
  rev,
})

/** Facts as they are now: time alone makes an account `expiring`, and ends it. */
const factsNow = (row: AccountRow): ConnectedAccount => wordAt(factsOf(row), Date.now())

/** Reads and writes accounts as encrypted rows. */
export function createAccounts({ store, keys, audit, tell }: AccountsOptions): VaultAccounts {
  async function openRow(row: AccountRow): Promise<Opened> {
    try {
      // First of all this shows that the facts are those that were written.
      const secret = JSON.parse(await unseal(keys, row))
      return { account: factsOf(row), secret }
    } catch (error) {
      const { provider, account } = row
      await audit.record(row, { action: 'tamper', provider, account, outcome: 'failed', reason: 'secret_unavailable' })
      throw error
    }
  }

  async function sealRow(owner: Owner, { account, secret }: Opened, previous = 0): Promise<AccountRow> {
    const { tenant, user } = owner
    const { id, provider } = account
    const rev = Math.max(previous + 1, Date.now())
    const row = { tenant, user, provider, account: id, facts: JSON.stringify({ ...account, rev }) }
    const dueAt = secret.token?.refresh_token && account.status === 'connected' ? secret.expiresAt : undefined
    return { ...row, ...(await seal(keys, row, JSON.stringify(secret))), rev, dueAt }
  }

  const write: VaultAccounts['write'] = async (owner, id, change) => {
    for (;;) {
      const old = await store.get(owner, id)
      const next = await change(old)
      if (!next) return undefined
      const row = await sealRow(owner, next, old ? old.rev : await store.removed(owner, id))
      if (!(await store.put(row, old?.rev))) continue
      const account = factsOf(row)
      if (account.status === 'needs-reconnect' && old && factsOf(old).status !== 'needs-reconnect') {
        tell('account.needs-reconnect', owner, account)
      }
      return account
    }
  }

  return {
    openRow,
    write,
    async list(owner) {
      return (await store.list(owner)).map(factsNow)
    },
    async find(owner, id) {
      const row = await store.get(owner, id)
      return row && factsNow(row)
    },
    async open(owner, id) {
      const row = await store.get(owner, id)
      return row && openRow(row)
    },
    async save(owner, id, merge) {
      const account = await write(owner, id, async (row) =>
        // An old secret that does not open is lost either way; connecting again is how the person repairs it.
        merge(row && (await openRow(row).catch(() => ({ account: factsOf(row), secret: { revoked: true as const } })))),
      )
      if (!account) throw absent(id)
      const { provider } = account
      await audit.record(owner, { action: 'connect', provider, account: id, outcome: 'allowed' })
      tell('account.connected', owner, account)
      return account
    },
    mark: (owner, id, status, reason) =>
      write(owner, id, async (row) => {
        if (!row) return undefined
        const { account, secret } = await openRow(row)
        return { account: { ...account, status, reason }, secret }
      }),
    async remove(owner, id) {
      const row = await store.remove(owner, id)
      if (!row) return undefined
      const account = factsOf(row)
      tell('account.disconnected', owner, account)
      const opened = await openRow(row).catch(() => undefined)
      return { account, secret: opened?.secret }
    },
    async due(before, limit) {
      const rows = await Promise.all((await store.tenants()).map((tenant) => store.due(tenant, before, limit)))
      return rows
        .flat()
        .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))
        .slice(0, limit)
        .map((row) => ({ owner: row, account: factsOf(row) }))
    },
  }
}
