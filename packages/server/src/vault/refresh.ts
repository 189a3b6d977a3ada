import { randomUUID } from 'node:crypto'
import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import {
  type AccountSecret,
  afterFailure,
  asLatchkeyError,
  endedBy,
  isFresh,
  isUsable,
  isWaiting,
  leastValidity,
  lives,
  renewedAccount,
  renewedSecret,
  waitError,
} from '@latchkey/core/server'
import { verifyKey } from '@latchkey/core/token'
import type { AccountRow, Owner } from '../stores/store.ts'
import { traced } from '../telemetry.ts'
import { absent, type Opened, unusable } from './accounts.ts'
import { adopt } from './connect.ts'
import { failure, oauthOf, openBound, type Upkeep } from './upkeep.ts'

/** Milliseconds to wait for a lease. */
const LEASE_WAIT = 20_000

/** Accounts that one round of the background reads at first and at most, and how many of them are refreshed at once. */
const ACCOUNTS = 1000
const MOST_ACCOUNTS = 64_000
const AT_ONCE = 8
/** Refreshes in a row that may fail at one provider. Its other accounts are left to the next round. */
const FAILURES = 10

/** Keeps accounts usable. */
export interface Refresher {
  /**
   * The account with a secret that lives for some seconds more.
   *
   * @param seconds default: what a use needs
   * @throws LatchkeyError why there is none.
   */
  ensureFresh(owner: Owner, id: string, seconds?: number): Promise<Opened>
  /**
   * Finds out whether an account can still be used, because an API refused its secret. Returns its facts after that.
   *
   * @throws LatchkeyError why that cannot be found out now.
   */
  recheck(owner: Owner, id: string): Promise<ConnectedAccount | undefined>
  /**
   * Refreshes what expires within some seconds, and tells webhooks of what ends and cannot be refreshed. Resolves to the number
   * of refreshed accounts.
   */
  refreshDue(aheadSeconds: number): Promise<number>
}

export function createRefresher(upkeep: Upkeep): Refresher {
  const { vault, providers, fetchFor } = upkeep
  /** Failed refreshes in a row, by provider. */
  const failing = new Map<string, number>()
  const renew = createRenewal(upkeep, failing)

  /** Asks the provider of a key whether it takes it. One that was not verified when it was entered gets its name then. */
  async function checkKey(owner: Owner, opened: Opened): Promise<Opened> {
    const began = Date.now()
    const { account, secret } = opened
    const provider = providers.get(account.provider)
    if (provider?.kind !== 'api-key' || !secret.fields) return opened
    const verdict = await verifyKey(provider, secret.fields, { fetch: fetchFor() }).catch(async (error) => {
      await vault.mark(owner, account.id, 'needs-reconnect', 'invalid_token')
      throw error
    })
    if (verdict.status !== 'verified' || account.reason !== 'unverified') return opened
    return { account: await adopt(upkeep, owner, provider, secret, { profile: verdict.profile }, began), secret }
  }

  async function ensureFresh(owner: Owner, id: string, seconds?: number): Promise<Opened> {
    const enough = (held: AccountSecret) => (seconds === undefined ? isFresh(held) : lives(held, seconds))
    const opened = await openBound(upkeep, owner, id)
    if (!opened) throw absent(id)
    const { account, secret } = opened
    if (!isUsable(account.status)) throw unusable(account)
    if (account.reason === 'unverified') return checkKey(owner, opened)
    if (enough(secret)) return opened
    if (!secret.token?.refresh_token) {
      if (lives(secret, 0)) return opened
      await vault.mark(owner, id, 'needs-reconnect', 'expired')
      throw unusable({ ...account, status: 'needs-reconnect' })
    }
    if (isWaiting(secret.wait)) {
      if (lives(secret, 0)) return opened
      throw waitError(account, secret.wait)
    }
    const fresh = (held: Opened) => held.account.status !== 'connected' || enough(held.secret)
    const attributes = { 'latchkey.provider': account.provider, 'latchkey.account': id }
    const renewed = await traced('latchkey.refresh', attributes, () => renew(owner, id, fresh)).catch((error) => {
      // The provider may be back before this token expires.
      const gone = error instanceof LatchkeyError && error.code === 'login_required'
      if (!gone && lives(secret, 0)) return opened
      throw error
    })
    if (renewed.account.status !== 'connected') throw unusable(renewed.account)
    return renewed
  }

  /** Refreshes one account of a round, if it is time. Returns whether it was. */
  async function refreshOne(row: AccountRow, account: ConnectedAccount, aheadSeconds: number): Promise<boolean> {
    const { expiresAt = 0 } = account
    if (!account.renewable) {
      if ((row.dueAt ?? 0) <= Date.now() && !vault.isUnreadable(row))
        await vault.tellEnd(row, row.account).catch(() => {})
      return false
    }
    const seconds = marginOf(account, aheadSeconds)
    // A row that waits after a failure is due later than its token ends.
    const at = (row.dueAt ?? 0) > expiresAt ? (row.dueAt ?? 0) : expiresAt - seconds * 1000
    if (at > Date.now() || vault.isUnreadable(row) || (failing.get(row.provider) ?? 0) >= FAILURES) return false
    // What fails is in the audit log, and a later round tries again.
    const after = await ensureFresh(row, row.account, seconds).catch(() => undefined)
    return after !== undefined && after.account.rev > row.rev
  }

  return {
    ensureFresh,
    async recheck(owner, id) {
      const opened = await openBound(upkeep, owner, id)
      if (opened?.account.status !== 'connected') return opened?.account
      const { account, secret } = opened
      if (secret.token?.refresh_token) {
        const { access_token } = secret.token
        const isOther = (held: Opened) => held.secret.token?.access_token !== access_token
        await renew(owner, id, (held) => isOther(held) || held.account.status !== 'connected')
      } else if (secret.fields && providers.get(account.provider)?.kind === 'api-key') {
        // A key that the provider still takes was refused for another reason. Else the account's status says so.
        const checked = await checkKey(owner, opened).catch(() => undefined)
        if (checked) return checked.account
      } else await vault.mark(owner, id, 'needs-reconnect', 'revoked')
      return vault.find(owner, id)
    },
    async refreshDue(aheadSeconds) {
      failing.clear()
      const seen = new Set<string>()
      let refreshed = 0
      // Rows that cannot be refreshed now stay the longest due: those behind them are in a longer list.
      for (let limit = ACCOUNTS; ; limit *= 2) {
        const due = await vault.due(Date.now() + aheadSeconds * 1000, limit)
        const next = due.values()
        const worker = async () => {
          for (const { row, account } of next) {
            const name = keyOf(row, row.account)
            if (seen.has(name) || vault.closing.aborted) continue
            seen.add(name)
            if (await refreshOne(row, account, aheadSeconds)) refreshed += 1
          }
        }
        await Promise.all(Array.from({ length: AT_ONCE }, worker))
        if (due.length < limit || limit >= MOST_ACCOUNTS || vault.closing.aborted) return refreshed
      }
    },
  }
}

const keyOf = ({ tenant, user }: Owner, id: string) => JSON.stringify([tenant, user, id])

/** A token that lives for a short time is refreshed in the last third of its life, not in every round. */
const marginOf = ({ expiresAt = 0, issuedAt = 0 }: ConnectedAccount, aheadSeconds: number) =>
  Math.max(1, leastValidity((expiresAt - issuedAt) / 1000, aheadSeconds))

/** Milliseconds before each further try to write what is nowhere else. Together they are shorter than a lease. */
const PAUSES = [0, 100, 500, 2000]

/** A rotated token is lost if it is not saved, and its grant with it: a connection to the database that broke is replaced. */
async function insist<T>(write: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof LatchkeyError) || error.code !== 'storage_unavailable') throw error
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
  return write()
}

/**
 * Refreshes an account at its provider, once for all callers of all processes.
 *
 * @param fresh Whether what is stored will do. It is asked before each try.
 */
type Renew = (owner: Owner, id: string, fresh: (opened: Opened) => boolean) => Promise<Opened>

export function createRenewal(upkeep: Upkeep, failing = new Map<string, number>()): Renew {
  const { vault, endpointOf } = upkeep
  const { store, audit, leaseSeconds } = vault
  const renewing = new Map<string, Promise<Opened>>()

  const renewWithLease: Renew = async (owner, id, fresh) => {
    const holder = randomUUID()
    const end = Date.now() + LEASE_WAIT
    for (let wait = 25; ; wait = Math.min(wait * 1.5, 500)) {
      const leased = await store.lease(owner, id, holder, leaseSeconds)
      const row = leased ?? (await store.get(owner, id))
      if (!row) throw absent(id)
      try {
        const opened = await vault.openRow(row)
        if (fresh(opened)) return opened
        if (isWaiting(opened.secret.wait)) throw waitError(opened.account, opened.secret.wait)
        if (leased) {
          const { error, ...asked } = await ask(owner, opened)
          const kept = await insist(() => keep(owner, opened, asked))
          if (error && kept.secret === asked.secret) throw error
          return kept
        }
      } finally {
        // If this fails, the lease expires.
        if (leased) await store.release(owner, id, holder).catch(() => {})
      }
      // Another process is asking. It answers with a new row, or its lease expires: a usual one within this time.
      if (Date.now() >= end) {
        const message = 'Another server has been renewing this account for too long. Try again.'
        throw new LatchkeyError('temporarily_unavailable', message, { account: id })
      }
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }

  /** Asks the provider, once. With an `error` there is to be another try, after a wait. */
  async function ask(owner: Owner, { account, secret: old }: Opened): Promise<Opened & { error?: unknown }> {
    const { provider: id } = account
    const event = { action: 'refresh', provider: id, account: account.id } as const
    const { token } = old
    if (!token?.refresh_token) throw unusable(account)
    const refresh = async () => endpointOf(oauthOf(upkeep, id)).refresh(token)
    const answer = await refresh().catch((error: unknown) => ({ error }))
    if ('token' in answer) {
      failing.delete(id)
      await insist(() => audit.record(owner, { ...event, outcome: 'allowed' }))
      const secret = renewedSecret(token, answer)
      return { account: renewedAccount(oauthOf(upkeep, id), account, answer, secret), secret }
    }
    const error = asLatchkeyError(answer.error, 'server_error', `${account.label} could not be refreshed.`)
    await audit.record(owner, { ...event, ...failure(error) })
    const wait = afterFailure(error, old.wait)
    if (wait !== 'ended') {
      failing.set(id, (failing.get(id) ?? 0) + 1)
      return { account, secret: { ...old, wait }, error: answer.error }
    }
    const reason = endedBy(error)
    // A grant that ended there is deleted here.
    const secret = reason === 'revoked' ? { revoked: true as const } : { ...old, wait: undefined }
    return { account: { ...account, status: 'needs-reconnect', reason }, secret }
  }

  /** Saves before any caller gets it. If the account was connected again meanwhile, that secret wins. */
  async function keep(owner: Owner, from: Opened, renewed: Opened): Promise<Opened> {
    const { id, provider } = from.account
    let newest: Opened | undefined
    const account = await vault.write(owner, id, async (stored) => {
      newest = stored && (stored.rev === from.account.rev ? from : await vault.openRow(stored))
      if (JSON.stringify(newest?.secret) !== JSON.stringify(from.secret)) return undefined
      // Paused meanwhile: it stays so.
      const isPaused = newest?.account.status === 'paused'
      return isPaused ? { ...renewed, account: { ...renewed.account, status: 'paused' } } : renewed
    })
    if (account) return { account, secret: renewed.secret }
    // The late answer is dropped. Its revocation could end the grant of the person who connected again.
    if (newest) return newest
    // A failed refresh has no token of its own, and the old one may belong to a grant that lives.
    const late = renewed.secret.token !== from.secret.token ? renewed.secret.token : undefined
    const revoking = late && endpointOf(oauthOf(upkeep, provider)).revoke(late)
    await revoking?.catch(() => {})
    throw absent(id)
  }

  return (owner, id, fresh) => {
    const key = keyOf(owner, id)
    const begin = () => vault.during(() => renewWithLease(owner, id, fresh))
    const renewal = renewing.get(key) ?? begin().finally(() => renewing.delete(key))
    renewing.set(key, renewal)
    return renewal
  }
}
