import { createHash } from 'node:crypto'
import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import { type AccountSecret, type Wait, wordAt } from '@latchkey/core/server'
import type { AccountRow, Owner, VaultStore } from '../stores/store.ts'
import type { Audit } from './audit.ts'
import type { KeyProvider } from './keys.ts'
import { seal, unseal } from './seal.ts'
import type { Webhooks } from './webhooks.ts'

/** What an account is used with: a token and the end of its life, or a key. `revoked`: only the facts are left. */
export interface VaultSecret extends AccountSecret {
  revoked?: true
  /** The last refresh failed. */
  wait?: Wait
  /** The end that webhooks were told of. */
  told?: number
}

/** An account with its secret. */
export interface Opened {
  account: ConnectedAccount
  secret: VaultSecret
}

export const absent = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected.', { account })

/** Why an account that is not usable is not used. */
export const unusable = ({ id, provider, label, status }: ConnectedAccount) =>
  status === 'paused'
    ? new LatchkeyError('access_denied', `${label} is paused.`, { provider, account: id, next: 'unpause' })
    : new LatchkeyError('invalid_token', `Access to ${label} has ended.`, { provider, account: id })

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
  due(before: number, limit: number): Promise<{ row: AccountRow; account: ConnectedAccount }[]>
  /** Tells webhooks that an account ends which cannot be renewed, if it is time and nobody did. */
  tellEnd(owner: Owner, id: string): Promise<void>
  /** Facts of a row, as they are at this moment. */
  factsOf(row: AccountRow): ConnectedAccount
  /** Whether this very row did not open in the last minutes. */
  isUnreadable(row: AccountRow): boolean
  /** Opens one row, if there is one. @throws LatchkeyError `secret_unavailable` if the keys are not those of the vault. */
  tryKeys(): Promise<void>
  /** Remembers for ever that everything of a user is deleted: no flow or key that came before may bring an account back. */
  markDeleted(owner: Owner): Promise<void>
  /** When everything of a user was last deleted, in milliseconds since the epoch; 0 if never. */
  deletedAt(owner: Owner): Promise<number>
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
  /** Whom to tell that an account ends, and how many seconds ahead. Absent: nobody. */
  notice?: { seconds: number; tell: Webhooks['expiring'] } | undefined
}

/** Facts as they are stored. What has a column of its own comes from there. */
const factsOf = ({ account: id, provider, rev, facts }: AccountRow): ConnectedAccount => ({
  ...JSON.parse(facts),
  id,
  provider,
  custody: 'vault',
  rev,
})

/**
 * When webhooks are told that an account ends, which cannot be renewed. Not before the last third of its life. Undefined: it
 * does not end so, or they were told.
 */
function noticeAt({ account, secret }: Opened, seconds: number): number | undefined {
  const { token, expiresAt, told } = secret
  if (expiresAt === undefined || token?.refresh_token || account.status !== 'connected' || told === expiresAt) {
    return undefined
  }
  const life = expiresAt - (account.issuedAt ?? 0)
  return Math.floor(expiresAt - Math.min(seconds * 1000, life / 3))
}

/** Milliseconds after which the background tries a row again that did not open. */
const TRY_AGAIN = 10 * 60_000

/** In the place of an account, the mark that a user was deleted: no account id has such a character. */
const DELETED = '/deleted'

/** Reads and writes accounts as encrypted rows. */
export function createAccounts({ store, keys, audit, tell, notice }: AccountsOptions): VaultAccounts {
  /** When each row, or each row of a lost key, first did not open. */
  const unreadable = new Map<string, number>()
  const isLost = ({ kid }: AccountRow) => keys.has?.(kid) === false
  const nameOf = (row: AccountRow) => {
    const { tenant, user, account, kid, facts, sealed } = row
    if (isLost(row)) return JSON.stringify([tenant, kid])
    return createHash('sha256')
      .update(JSON.stringify([tenant, user, account, kid, facts]))
      .update(sealed)
      .digest('base64')
  }
  const isUnreadable = (row: AccountRow) =>
    unreadable.size > 0 && Date.now() < (unreadable.get(nameOf(row)) ?? 0) + TRY_AGAIN

  /** Facts as they are now: time alone makes an account `expiring`, and ends it. */
  const factsNow = (row: AccountRow): ConnectedAccount =>
    isLost(row) || isUnreadable(row)
      ? { ...factsOf(row), status: 'needs-reconnect', reason: 'secret_unavailable' }
      : wordAt(factsOf(row), Date.now())

  async function openRow(row: AccountRow): Promise<Opened> {
    try {
      // First of all this shows that the facts are those that were written.
      const secret = JSON.parse(await unseal(keys, row))
      if (unreadable.size > 0) unreadable.delete(nameOf(row))
      return { account: factsOf(row), secret }
    } catch (error) {
      const name = nameOf(row)
      const isKnown = unreadable.has(name)
      unreadable.set(name, Date.now())
      const { provider, account } = row
      const event = { action: 'tamper', provider, account, outcome: 'failed', reason: 'secret_unavailable' } as const
      // Once: the log of a year with a lost key would hold nothing else.
      if (!isKnown) await audit.record(row, event)
      throw error
    }
  }

  async function sealRow(owner: Owner, { account, secret }: Opened, previous = 0): Promise<AccountRow> {
    const { tenant, user } = owner
    const { id, provider } = account
    const rev = Math.max(previous + 1, Date.now())
    // An account that was connected just now has no generation. Revisions never come twice.
    const facts = JSON.stringify({ ...account, generation: account.generation ?? rev, rev })
    const row = { tenant, user, provider, account: id, facts }
    const isDue = secret.token?.refresh_token && account.status === 'connected' && secret.expiresAt !== undefined
    const refreshAt = Math.floor(Math.max(secret.expiresAt ?? 0, secret.wait?.until ?? 0))
    const dueAt = isDue ? refreshAt : notice && noticeAt({ account, secret }, notice.seconds)
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
    factsOf: factsNow,
    isUnreadable,
    async tryKeys() {
      for (const tenant of (await store.tenants()).slice(0, 10)) {
        const [row] = await store.sealedOtherwise(tenant, '', 1)
        if (row) return void (await openRow(row))
      }
    },
    async markDeleted(owner) {
      const row = { ...owner, provider: DELETED, account: DELETED, facts: '{}', sealed: new Uint8Array(1) }
      // Left by a process that was killed between these two.
      await store.remove(owner, DELETED)
      const rev = Math.max(Date.now(), ((await store.removed(owner, DELETED)) ?? 0) + 1)
      await store.put({ ...row, kid: keys.current(), rev }, undefined)
      await store.remove(owner, DELETED)
    },
    deletedAt: async (owner) => (await store.removed(owner, DELETED)) ?? 0,
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
    async tellEnd(owner, id) {
      let end = 0
      const account = await write(owner, id, async (row) => {
        const opened = row && notice && (await openRow(row))
        const at = opened && noticeAt(opened, notice.seconds)
        if (at === undefined || at > Date.now()) return undefined
        end = opened?.secret.expiresAt ?? 0
        return opened && { ...opened, secret: { ...opened.secret, told: end } }
      })
      // Only the process whose row was written: the others found that it is told.
      if (account) notice?.tell(owner, account, end)
    },
    async due(before, limit) {
      return (await store.due(before, limit)).map((row) => ({ row, account: factsOf(row) }))
    },
  }
}
