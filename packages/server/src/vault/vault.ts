import { createHash, randomUUID } from 'node:crypto'
import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import { type AccountSecret, type Flow, wordAt } from '@latchkey/core/server'
import { memoryStore } from '../stores/memory.ts'
import type { AccountRow, Owner, VaultStore } from '../stores/store.ts'
import { type Audit, createAudit } from './audit.ts'
import { type KeyProvider, keysFromEnv, type SealContext, seal, unseal } from './seal.ts'
import { createWebhook, type WebhookEvent, type WebhookOptions } from './webhooks.ts'

/** What an account is used with: a token and the end of its life, or a key. `revoked`: only the facts are left. */
export interface VaultSecret extends AccountSecret {
  revoked?: true
}

export interface Opened {
  account: ConnectedAccount
  secret: VaultSecret
}

export interface VaultOptions {
  /** Default: rows in this process. {@link vaultFromEnv} reads the choice from the environment. */
  store?: VaultStore
  /** {@link localKeys}, or a KMS. Default: `TOKEN_ENCRYPTION_KEY`. */
  keys?: KeyProvider
  /** Told when an account is connected, needs its person, or is gone. */
  webhooks?: readonly WebhookOptions[]
  /**
   * How long one process may take to refresh an account before another may try. Longer than any call to a provider,
   * which is cut off after 10 s. Default: 15.
   */
  leaseSeconds?: number
}

/** Accounts of users with their secrets, encrypted. Made by {@link createVault}, used through the broker. */
export interface Vault {
  readonly store: VaultStore
  readonly audit: Audit
  /** Facts of one user's accounts. */
  list(owner: Owner): Promise<ConnectedAccount[]>
  /** Facts of one account, if this user has it. */
  find(owner: Owner, account: string): Promise<ConnectedAccount | undefined>
  /** @throws LatchkeyError `secret_unavailable` when it does not open; that is in the audit log then. */
  open(owner: Owner, account: string): Promise<Opened | undefined>
  /** Keeps an account, new or connected again. `merge` sees what was there before. */
  save(owner: Owner, id: string, merge: (old: Opened | undefined) => Opened): Promise<ConnectedAccount>
  /** Changes an account's word. */
  mark(
    owner: Owner,
    id: string,
    status: ConnectedAccount['status'],
    reason: ConnectedAccount['reason'],
  ): Promise<ConnectedAccount | undefined>
  /** Takes an account out. */
  remove(owner: Owner, account: string): Promise<{ account: ConnectedAccount; secret?: VaultSecret } | undefined>
  /**
   * Refreshes once for all callers of all processes. `fresh` says whether what is there will do, `refresh` asks the
   * provider, `discard` gets what came back for an account that was disconnected meanwhile.
   */
  renew(owner: Owner, account: string, steps: RenewSteps): Promise<Opened>
  /** Accounts of all tenants that are due, the longest due first. */
  due(before: number, limit?: number): Promise<{ owner: Owner; account: ConnectedAccount }[]>
  putFlow(owner: Owner, session: string, flow: Flow, lifetime: number): Promise<void>
  /** Once. `foreign` when another session began it. */
  takeFlow(owner: Owner, session: string, state: string): Promise<Flow | 'foreign' | undefined>
  /** Seals what is sealed with an older key anew, while everything goes on. */
  reencrypt(): Promise<{ rewritten: number; failed: number }>
  close(): Promise<void>
}

export interface RenewSteps {
  fresh(opened: Opened): boolean
  refresh(opened: Opened): Promise<Opened>
  discard(opened: Opened): Promise<void>
}

const BATCH = 100
/** In the place of a provider, where a flow is sealed: no provider id has such a character. */
const FLOW = '/flow'

/**
 * Makes a vault: `createVault({ store: sqliteStore('vault.db'), keys: localKeys(key) })`.
 *
 * @throws LatchkeyError `misuse` for a key that is missing or weak: then nothing starts.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createVault({
  store = memoryStore(),
  keys = keysFromEnv(),
  webhooks = [],
  leaseSeconds = 15,
}: VaultOptions = {}): Vault {
  const audit = createAudit(store)
  const hooks = webhooks.map(createWebhook)
  const renewing = new Map<string, Promise<Opened>>()

  const contextOf = ({ tenant, user, provider, account }: AccountRow): SealContext => ({
    tenant,
    user,
    provider,
    account,
  })
  const factsOf = (row: AccountRow): ConnectedAccount => ({ ...JSON.parse(row.facts), custody: 'vault', rev: row.rev })

  /** Facts as they are now: time alone makes an account `expiring`, and ends it. */
  const factsNow = (row: AccountRow): ConnectedAccount => wordAt(factsOf(row), Date.now())

  async function openRow(row: AccountRow): Promise<Opened> {
    try {
      return { account: factsOf(row), secret: JSON.parse(await unseal(keys, contextOf(row), sealedOf(row))) }
    } catch (error) {
      const { provider, account } = row
      await audit.record(row, { action: 'tamper', provider, account, outcome: 'failed', reason: 'secret_unavailable' })
      throw error
    }
  }

  async function sealRow(owner: Owner, { account, secret }: Opened, previous: number | undefined): Promise<AccountRow> {
    const { tenant, user } = owner
    const { id, provider } = account
    const rev = Math.max((previous ?? 0) + 1, Date.now())
    const row = { tenant, user, provider, account: id }
    const { kid, bytes } = await seal(keys, row, JSON.stringify(secret))
    const dueAt =
      secret.token?.refresh_token !== undefined && account.status === 'connected' ? secret.expiresAt : undefined
    return { ...row, facts: JSON.stringify({ ...account, rev }), sealed: bytes, kid, rev, dueAt }
  }

  function tell(
    type: WebhookEvent['type'],
    { tenant, user }: Owner,
    { id, provider, label, reason }: ConnectedAccount,
  ): void {
    const data = { tenant, user, provider, accountId: id, label, reason }
    for (const hook of hooks) hook.send({ type, timestamp: new Date().toISOString(), data })
  }

  /** Writes until it is written: each try sees the newest row. Undefined when `change` wants no more. */
  async function write(
    owner: Owner,
    id: string,
    change: (row: AccountRow | undefined) => Promise<Opened | undefined>,
  ): Promise<ConnectedAccount | undefined> {
    for (;;) {
      const old = await store.get(owner, id)
      const next = await change(old)
      if (!next) return undefined
      const row = await sealRow(owner, next, old?.rev)
      if (!(await store.put(row, old?.rev))) continue
      const account = factsOf(row)
      if (account.status === 'needs-reconnect' && old && factsOf(old).status !== 'needs-reconnect') {
        tell('account.needs-reconnect', owner, account)
      }
      return account
    }
  }

  async function renewWithLease(owner: Owner, id: string, steps: RenewSteps): Promise<Opened> {
    const holder = randomUUID()
    for (let wait = 25; ; wait = Math.min(wait * 1.5, 500)) {
      const leased = await store.lease(owner, id, holder, leaseSeconds)
      if (!leased) {
        const row = await store.get(owner, id)
        if (!row) throw gone(id)
        const opened = await openRow(row)
        if (steps.fresh(opened)) return opened
        // Another process is asking. It answers by a new row, or by its lease running out.
        await new Promise((resolve) => setTimeout(resolve, wait))
        continue
      }
      try {
        const opened = await openRow(leased)
        if (steps.fresh(opened)) return opened
        const renewed = await steps.refresh(opened)
        return await keepRenewed(owner, id, opened, renewed, steps)
      } finally {
        // Where this fails, time does it.
        await store.release(owner, id, holder).catch(() => {})
      }
    }
  }

  /** Saves before anybody gets it. What changed meanwhile decides whose secret it is. */
  async function keepRenewed(
    owner: Owner,
    id: string,
    from: Opened,
    renewed: Opened,
    steps: RenewSteps,
  ): Promise<Opened> {
    let newest: Opened | undefined
    let first = true
    const account = await write(owner, id, async (row) => {
      newest = undefined
      if (!row) return undefined
      const current: Opened = first && row.rev === from.account.rev ? from : await openRow(row)
      first = false
      // Connected again while the provider was asked: that secret is younger than ours.
      if (JSON.stringify(current.secret) !== JSON.stringify(from.secret)) {
        newest = current
        return undefined
      }
      return renewed
    })
    if (account) return { account, secret: renewed.secret }
    await steps.discard(renewed).catch(() => {})
    if (newest) return newest
    throw gone(id)
  }

  return {
    store,
    audit,
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
      if (!account) throw gone(id)
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
    renew(owner, id, steps) {
      const key = JSON.stringify([owner.tenant, owner.user, id])
      const under = renewing.get(key)
      if (under) return under
      const renewal = renewWithLease(owner, id, steps).finally(() => renewing.delete(key))
      renewing.set(key, renewal)
      return renewal
    },
    async due(before, limit = BATCH) {
      const tenants = await store.tenants()
      const rows = await Promise.all(tenants.map((tenant) => store.due(tenant, before, limit)))
      return rows
        .flat()
        .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))
        .slice(0, limit)
        .map((row) => ({ owner: { tenant: row.tenant, user: row.user }, account: factsOf(row) }))
    },
    async putFlow({ tenant, user }, session, flow, lifetime) {
      const id = digest(flow.state)
      const { kid, bytes } = await seal(keys, { tenant, user, provider: FLOW, account: id }, JSON.stringify(flow))
      const now = Date.now()
      await store.putFlow(
        { tenant, user, id, session: digest(session), sealed: bytes, kid, expiresAt: now + lifetime },
        now,
      )
    },
    async takeFlow({ tenant, user }, session, state) {
      const id = digest(state)
      const row = await store.takeFlow({ tenant, user }, id, digest(session), Date.now())
      if (row === undefined || row === 'foreign') return row
      return JSON.parse(
        await unseal(keys, { tenant, user, provider: FLOW, account: id }, { kid: row.kid, bytes: row.sealed }),
      )
    },
    async reencrypt() {
      const failed = new Set<string>()
      let rewritten = 0
      const current = keys.current()
      for (const tenant of await store.tenants()) {
        for (;;) {
          const rows = await store.sealedOtherwise(tenant, current, BATCH)
          let moved = 0
          for (const row of rows) {
            try {
              const { bytes, kid } = await seal(keys, contextOf(row), await unseal(keys, contextOf(row), sealedOf(row)))
              // A row that changed meanwhile was sealed with the current key by whoever changed it.
              if (await store.put({ ...row, sealed: bytes, kid, rev: row.rev + 1 }, row.rev)) moved += 1
            } catch {
              failed.add(JSON.stringify([row.tenant, row.user, row.account]))
            }
          }
          rewritten += moved
          // What does not open would be found again and again.
          if (rows.length < BATCH || moved === 0) break
        }
      }
      return { rewritten, failed: failed.size }
    },
    async close() {
      for (const hook of hooks) hook.close()
      await store.close()
    },
  }
}

/**
 * A vault out of the environment: `TOKEN_ENCRYPTION_KEY`, `TOKEN_STORE_TYPE` (`memory`, `sqlite` or `postgres`; default
 * `sqlite`) and `TOKEN_STORE_URL` (a file, or `postgres://…`; default `latchkey-vault.db`). Only the driver of the chosen
 * store is loaded.
 *
 * @throws LatchkeyError `misuse` for a key that is missing or weak, and for a store that there is not.
 */
export async function vaultFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
  options: Omit<VaultOptions, 'store' | 'keys'> = {},
): Promise<Vault> {
  return createVault({ ...options, keys: keysFromEnv(env), store: await storeFromEnv(env) })
}

async function storeFromEnv({
  TOKEN_STORE_TYPE: type = 'sqlite',
  TOKEN_STORE_URL: url,
}: Readonly<Record<string, string | undefined>>): Promise<VaultStore> {
  if (type === 'memory') return memoryStore()
  if (type === 'sqlite') {
    const { sqliteStore } = await import('../stores/sqlite.ts')
    return sqliteStore(url?.replace(/^(sqlite|file):(\/\/)?/, '') || 'latchkey-vault.db')
  }
  if (type === 'postgres' && url) {
    const { postgresStore } = await import('../stores/postgres.ts')
    return postgresStore({ url })
  }
  throw new LatchkeyError(
    'misuse',
    type === 'postgres'
      ? 'TOKEN_STORE_TYPE is postgres, so TOKEN_STORE_URL has to say where: postgres://user:password@host/database.'
      : `TOKEN_STORE_TYPE ${JSON.stringify(type)} is none of memory, sqlite and postgres.`,
    { next: 'configure' },
  )
}

const sealedOf = ({ kid, sealed }: AccountRow) => ({ kid, bytes: sealed })

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

const gone = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected any more.', { account, next: 'connect' })
