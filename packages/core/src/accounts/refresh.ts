import { asLatchkeyError, errorAbout, LatchkeyError } from '../errors.ts'
import type { RevokedToken, Token, TokenAnswer } from '../protocol/token-endpoint.ts'
import { isMcp, type OAuthProvider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import {
  afterFailure,
  bindingChange,
  endedBy,
  facts,
  isWaiting,
  lives,
  renewedAccount,
  renewedSecret,
  type Wait,
  waitError,
} from './account-rules.ts'
import type { AccountStore } from './account-store.ts'
import type { Endpoints } from './endpoints.ts'
import type { Held, Secret } from './secret-store.ts'

/** How a disconnect ended. */
export type DisconnectReceipt =
  /** Ended at the provider: these tokens. */
  | { status: 'revoked'; tokens: RevokedToken[] }
  /** Only removed here: the provider has no revocation for it, or could not be reached. */
  | { status: 'removed'; manageUrl?: string; error?: LatchkeyError }

/** Everything a secret goes through after it was first received. */
export interface Refresher {
  /** A secret that lives for some seconds more. One refresh for all callers of all tabs. */
  refresh(account: ConnectedAccount, minValidity: number): Promise<Secret>
  /** When an account may be refreshed again, in milliseconds since the epoch. */
  waitsUntil(id: string): number
  /** The browser is online again: a wait for lack of a network is over. */
  online(): void
  /** An API refused a token that looked good: it is refreshed, or the account needs to be reconnected. */
  refused(account: ConnectedAccount): Promise<ConnectedAccount>
  /** Removes what is left of a forgotten account and tells the provider. Never rejects. */
  revoke(account: ConnectedAccount): Promise<DisconnectReceipt>
  /** Reads the person's name and picture again. */
  refreshProfile(id: string, access_token: string): Promise<ConnectedAccount>
}

export function createRefresher(accounts: AccountStore, endpoints: Endpoints): Refresher {
  const { secrets } = accounts
  const waits = createWaits(accounts)
  const refreshing = new Map<string, Promise<Secret>>()

  async function underLock(account: ConnectedAccount, minValidity: number): Promise<Secret> {
    // Another tab may have refreshed it while this one waited for the lock.
    const held = await accounts.open(account)
    await accounts.catchUp(account, held)
    if (lives(held.secret, minValidity)) return held.secret
    const stillGood = lives(held.secret, 0)
    const { token } = held.secret
    if (!token?.refresh_token) {
      if (stillGood) return held.secret
      await accounts.mark(account.id, 'needs-reconnect', 'expired')
      throw errorAbout(account, 'invalid_token', `Access to ${account.label} has ended.`)
    }
    const wait = waits.of(account.id, held)
    if (wait) {
      if (stillGood) return held.secret
      throw waitError(account, wait)
    }
    const began = accounts.epoch
    const provider = accounts.find(account.provider) as OAuthProvider
    let answer: TokenAnswer
    try {
      answer = await (await endpoints.endpoint(provider, token)).refresh(token)
    } catch (cause) {
      const error = asLatchkeyError(cause, 'network', `${provider.name} could not be reached.`)
      const next = afterFailure(error, waits.last(account.id, held))
      if (next === 'ended') return refusedGrant(account, held, minValidity, error)
      if (accounts.epoch === began) await waits.add(account, next)
      // The server may be back by the time this token ends.
      if (stillGood) return held.secret
      throw error
    }
    waits.end(account.id)
    if (accounts.epoch !== began) throw disconnected(account)
    return keepRefreshed(provider, account, token, answer)
  }

  /** The server says that the grant has ended. Where a lock was lost, another tab may have refreshed it first. */
  async function refusedGrant(account: ConnectedAccount, held: Held, minValidity: number, error: LatchkeyError) {
    const newest = await secrets.read(account)
    if (newest && newest.rev !== held.rev && lives(newest.secret, minValidity)) return newest.secret
    waits.end(account.id)
    if (newest) {
      const reason = endedBy(error)
      if (reason === 'revoked') await secrets.remove(account, 'ended').catch(accounts.unavailable)
      await accounts.mark(account.id, 'needs-reconnect', reason, reason === 'revoked' ? '' : undefined)
    }
    throw error
  }

  async function keepRefreshed(provider: OAuthProvider, account: ConnectedAccount, old: Token, answer: TokenAnswer) {
    const secret = renewedSecret(old, answer)
    const current = accounts.store.getState().accounts[account.id]
    if (!current) {
      // Disconnected meanwhile: the disconnect waits for the lock and revokes what it finds.
      await secrets.write(account, secret)
      throw disconnected(account)
    }
    await accounts.save(renewedAccount(provider, current, answer, secret), secret)
    return secret
  }

  function refresh(account: ConnectedAccount, minValidity: number): Promise<Secret> {
    const { id } = account
    const pending =
      refreshing.get(id) ??
      secrets.exclusive(id, () => underLock(account, minValidity)).finally(() => refreshing.delete(id))
    refreshing.set(id, pending)
    return pending
  }

  return {
    refresh,
    waitsUntil: waits.until,
    online: waits.online,
    async refused(account) {
      if (account.renewable) await refresh(account, Number.POSITIVE_INFINITY).catch(() => {})
      else {
        const reason = accounts.find(account.provider).kind === 'api-key' ? 'invalid_token' : 'revoked'
        await secrets.exclusive(account.id, () => accounts.mark(account.id, 'needs-reconnect', reason))
      }
      return accounts.findAccount(account.id)
    },
    async revoke(account) {
      const provider = accounts.providers.find(({ id }) => id === account.provider)
      const removed = { status: 'removed', manageUrl: provider?.manageUrl } as const
      try {
        return await secrets.exclusive(account.id, async () => {
          const held = await secrets.read(account).catch(() => undefined)
          await secrets.remove(account).catch(accounts.unavailable)
          // Once more: a refresh in another tab may have written it back before this lock came free.
          await accounts.forget(account.id)
          if (!provider || provider.kind === 'api-key' || !held?.secret.token) return removed
          // An MCP server's token is revoked where it came from.
          if (!isMcp(provider) && bindingChange(provider, account)) return removed
          const answer = await (await endpoints.endpoint(provider, held.secret.token)).revoke(held.secret.token)
          return answer.status === 'revoked' ? answer : removed
        })
      } catch (error) {
        const name = provider?.name ?? account.provider
        return { ...removed, error: asLatchkeyError(error, 'network', `${name} could not be told.`) }
      }
    },
    async refreshProfile(id, access_token) {
      const provider = accounts.find(accounts.findAccount(id).provider) as OAuthProvider
      const { fetchProfile } = await import('../protocol/profile.ts')
      const profile = await fetchProfile(provider, access_token)
      return secrets.exclusive(id, async () => {
        const account = accounts.findAccount(id)
        // Another subject behind this token would be another account; this one keeps its name.
        if (profile.subject !== account.subject) return account
        await accounts.change(id, (newest) => ({ ...newest, ...facts(provider, profile) }))
        return accounts.findAccount(id)
      })
    },
  }
}

/** The wait that a failed refresh leaves for all tabs. The old token is kept, and tried again when the wait is over. */
function createWaits({ secrets, unavailable, mark }: AccountStore) {
  // Storage of one tab keeps no notes.
  const waits = new Map<string, Wait | undefined>()
  /** When the browser last said that it is online again: failures for lack of a network before that do not count. */
  let onlineSince = 0
  const holds = (wait: Wait | undefined): wait is Wait =>
    isWaiting(wait) && !(wait.code === 'network' && wait.at < onlineSince)
  const last = (id: string, { wait = waits.get(id) }: Held): Wait | undefined => wait

  return {
    last,
    of(id: string, held: Held): Wait | undefined {
      const wait = last(id, held)
      waits.set(id, wait)
      return holds(wait) ? wait : undefined
    },
    until(id: string): number {
      const wait = waits.get(id)
      return holds(wait) ? wait.until : 0
    },
    async add(account: ConnectedAccount, wait: Wait): Promise<void> {
      waits.set(account.id, wait)
      await secrets.note(account.id, { wait }).catch(unavailable)
      if (wait.code === 'network') await mark(account.id, account.status, 'offline')
    },
    end: (id: string) => waits.delete(id),
    online() {
      onlineSince = Date.now()
    },
  }
}

const disconnected = ({ label }: ConnectedAccount) =>
  new LatchkeyError('cancelled', `${label} was disconnected.`, { next: 'none' })
