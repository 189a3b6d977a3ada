import { randomUUID } from 'node:crypto'
import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import { isUsable, lives, renewedAccount, renewedSecret } from '@latchkey/core/server'
import { verifyKey } from '@latchkey/core/token'
import type { Owner } from '../stores/store.ts'
import { traced } from '../telemetry.ts'
import { absent, ended, type Opened } from './accounts.ts'
import { adopt } from './connect.ts'
import { failure, oauthOf, openBound, type Upkeep } from './upkeep.ts'

/** A token that lives for fewer seconds than this is refreshed before use. */
const MIN_VALIDITY = 60

/** Milliseconds to wait for a lease. */
const LEASE_WAIT = 20_000

/** Accounts of one round of the background, and how many of them are refreshed at once. */
const ACCOUNTS = 1000
const AT_ONCE = 8

/** Keeps accounts usable. */
export interface Refresher {
  /**
   * The account with a secret that lives for some seconds more.
   *
   * @param seconds default 60
   * @throws LatchkeyError why there is none.
   */
  ensureFresh(owner: Owner, id: string, seconds?: number): Promise<Opened>
  /** Finds out whether an account can still be used, because an API refused its secret. Returns its facts after that. */
  recheck(owner: Owner, id: string): Promise<ConnectedAccount | undefined>
  /** Refreshes what expires within some seconds. Resolves to the number of refreshed accounts. */
  refreshDue(aheadSeconds: number): Promise<number>
}

export function createRefresher(upkeep: Upkeep): Refresher {
  const { vault, providers, fetchFor } = upkeep
  const renew = createRenewal(upkeep)

  /** Asks the provider of a key whether it takes it. One that was not verified when it was entered gets its name then. */
  async function checkKey(owner: Owner, opened: Opened): Promise<Opened> {
    const { account, secret } = opened
    const provider = providers.get(account.provider)
    if (provider?.kind !== 'api-key' || !secret.fields) return opened
    const verdict = await verifyKey(provider, secret.fields, { fetch: fetchFor() }).catch(async (error) => {
      await vault.mark(owner, account.id, 'needs-reconnect', 'invalid_token')
      throw error
    })
    if (verdict.status !== 'verified' || account.reason !== 'unverified') return opened
    return { account: await adopt(upkeep, owner, provider, secret, { profile: verdict.profile }), secret }
  }

  async function ensureFresh(owner: Owner, id: string, seconds = MIN_VALIDITY): Promise<Opened> {
    const opened = await openBound(upkeep, owner, id)
    if (!opened) throw absent(id)
    const { account, secret } = opened
    if (!isUsable(account.status)) throw ended(account)
    if (account.reason === 'unverified') return checkKey(owner, opened)
    if (lives(secret, seconds)) return opened
    if (!secret.token?.refresh_token) {
      if (lives(secret, 0)) return opened
      await vault.mark(owner, id, 'needs-reconnect', 'expired')
      throw ended(account)
    }
    const fresh = (held: Opened) => held.account.status !== 'connected' || lives(held.secret, seconds)
    const attributes = { 'latchkey.provider': account.provider, 'latchkey.account': id }
    const renewed = await traced('latchkey.refresh', attributes, () => renew(owner, id, fresh)).catch((error) => {
      // The provider may be back before this token expires.
      const gone = error instanceof LatchkeyError && error.code === 'login_required'
      if (!gone && lives(secret, 0)) return opened
      throw error
    })
    if (renewed.account.status !== 'connected') throw ended(renewed.account)
    return renewed
  }

  return {
    ensureFresh,
    async recheck(owner, id) {
      const opened = await openBound(upkeep, owner, id)
      if (opened?.account.status !== 'connected') return opened?.account
      const { account, secret } = opened
      try {
        if (secret.token?.refresh_token) {
          await renew(owner, id, (held) => held.account.rev !== account.rev || held.account.status !== 'connected')
        } else if (secret.fields && providers.get(account.provider)?.kind === 'api-key') {
          // A key that the provider still takes was refused for another reason.
          return (await checkKey(owner, opened)).account
        } else await vault.mark(owner, id, 'needs-reconnect', 'revoked')
      } catch {
        // The account's status says what happened.
      }
      return vault.find(owner, id)
    },
    async refreshDue(aheadSeconds) {
      const due = (await vault.due(Date.now() + aheadSeconds * 1000, ACCOUNTS)).values()
      let refreshed = 0
      const worker = async () => {
        for (const { owner, account } of due) {
          const seconds = marginOf(account, aheadSeconds)
          if ((account.expiresAt ?? 0) - seconds * 1000 > Date.now()) continue
          // What fails is in the audit log, and the next round tries again.
          await ensureFresh(owner, account.id, seconds).then(
            () => refreshed++,
            () => {},
          )
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      return refreshed
    },
  }
}

/** A token that lives for a short time is refreshed in the last third of its life, not in every round. */
const marginOf = ({ expiresAt = 0, issuedAt = 0 }: ConnectedAccount, aheadSeconds: number) =>
  Math.max(1, Math.min(aheadSeconds, (expiresAt - issuedAt) / 3000))

/**
 * Refreshes an account at its provider, once for all callers of all processes.
 *
 * @param fresh Whether what is stored will do. It is asked before each try.
 */
type Renew = (owner: Owner, id: string, fresh: (opened: Opened) => boolean) => Promise<Opened>

export function createRenewal(upkeep: Upkeep): Renew {
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
        if (leased) return await keep(owner, opened, await ask(owner, opened))
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

  /** Asks the provider, once. A grant that ended there is deleted here. */
  async function ask(owner: Owner, { account, secret: { token } }: Opened): Promise<Opened> {
    const event = { action: 'refresh', provider: account.provider, account: account.id } as const
    if (!token?.refresh_token) throw ended(account)
    const refresh = async () => endpointOf(oauthOf(upkeep, account.provider)).refresh(token)
    const answer = await refresh().catch(async (error) => {
      const failed = failure(error)
      await audit.record(owner, { ...event, ...failed })
      if (failed.reason !== 'invalid_grant') throw error
    })
    if (!answer) {
      return { account: { ...account, status: 'needs-reconnect', reason: 'revoked' }, secret: { revoked: true } }
    }
    await audit.record(owner, { ...event, outcome: 'allowed' })
    const secret = renewedSecret(token, answer)
    return { account: renewedAccount(oauthOf(upkeep, account.provider), account, answer, secret), secret }
  }

  /** Saves before any caller gets it. If the account was connected again meanwhile, that secret wins. */
  async function keep(owner: Owner, from: Opened, renewed: Opened): Promise<Opened> {
    const { id, provider } = from.account
    let newest: Opened | undefined
    const account = await vault.write(owner, id, async (stored) => {
      newest = stored && (stored.rev === from.account.rev ? from : await vault.openRow(stored))
      return JSON.stringify(newest?.secret) === JSON.stringify(from.secret) ? renewed : undefined
    })
    if (account) return { account, secret: renewed.secret }
    const late = renewed.secret.token
    const revoking = late && endpointOf(oauthOf(upkeep, provider)).revoke(late)
    await revoking?.catch(() => {})
    if (newest) return newest
    throw absent(id)
  }

  return (owner, id, fresh) => {
    const key = JSON.stringify([owner.tenant, owner.user, id])
    const renewal = renewing.get(key) ?? renewWithLease(owner, id, fresh).finally(() => renewing.delete(key))
    renewing.set(key, renewal)
    return renewal
  }
}
