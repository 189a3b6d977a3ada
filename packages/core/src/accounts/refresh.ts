import { asLatchkeyError, errorAbout, LatchkeyError } from '../errors.ts'
import type { Token, TokenAnswer } from '../protocol/token-endpoint.ts'
import { isMcp, type OAuthProvider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import { bindingChange, facts, lives, renewedAccount, renewedSecret } from './account-rules.ts'
import type { AccountStore, DisconnectReceipt } from './account-store.ts'
import type { Endpoints } from './endpoints.ts'
import { afterFailure, endedBy, isWaiting, type Wait, waitError } from './retry-rules.ts'
import type { Held, Secret } from './secret-store.ts'

/** Milliseconds that a disconnect gives to a refresh under way, whose new token is then the one to revoke. */
const GRACE = 1000

/** Whether a secret that is held will do. */
export type Enough = (secret: Secret) => boolean

/** Everything a secret goes through after it was first received. */
export interface Refresher {
  /** A secret that is `enough`, as far as the server gives one. One refresh for all callers of all tabs. */
  refresh(account: ConnectedAccount, enough: Enough): Promise<Secret>
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

  /** What is held of an account, and whether its server has to be asked for more. */
  async function look(account: ConnectedAccount, enough: Enough): Promise<{ held: Held; due: boolean }> {
    // Another tab may have refreshed it while this one waited for its turn.
    const held = await accounts.open(account)
    await accounts.catchUp(account, held)
    if (enough(held.secret)) return { held, due: false }
    const wait = waits.of(account.id, held)
    const isRenewable = held.secret.token?.refresh_token !== undefined
    if (isRenewable && !wait) return { held, due: true }
    if (lives(held.secret, 0)) return { held, due: false }
    if (wait && isRenewable) throw waitError(account, wait)
    await accounts.mark(account.id, 'needs-reconnect', 'expired')
    throw errorAbout(account, 'invalid_token', `Access to ${account.label} has ended.`)
  }

  /** One refresh. Nothing is locked while the server is asked: whoever disconnects or connects again does not wait for it. */
  async function renew(account: ConnectedAccount, enough: Enough): Promise<Secret> {
    const { id } = account
    const began = accounts.epoch
    const { held, due } = await secrets.exclusive(id, () => look(account, enough))
    const { token } = held.secret
    if (!due || !token) return held.secret
    const provider = accounts.find(account.provider) as OAuthProvider
    const endpoint = endpoints.endpoint(provider, token)
    let error: LatchkeyError | undefined
    const answer = await endpoint
      .then((server) => server.refresh(token))
      .catch((cause) => {
        error = asLatchkeyError(cause, 'network', `${provider.name} could not be reached.`)
      })
    return secrets.exclusive(id, async () => {
      if (accounts.epoch !== began) throw disconnected(account)
      const newest = await secrets.read(account)
      if (newest === null) {
        // One revocation may end the whole grant of a person, also one that is being given again right now.
        const isIdle = accounts.store.getState().providers[provider.id]?.status !== 'connecting'
        if (answer && isIdle) endpoint.then((server) => server.revoke(answer.token)).catch(() => {})
        throw disconnected(account)
      }
      // Connected again meanwhile, or refreshed by a tab that took over this one's turn: what is there now wins.
      if (newest && newest.rev !== held.rev) return keepNewest(id, token, newest.secret, answer?.token)
      if (answer) return keepRefreshed(provider, account, token, answer)
      return keepFailed(account, held, error as LatchkeyError)
    })
  }

  /** A late answer is dropped, but for the refresh token that takes the place of one which the newest secret goes on with. */
  async function keepNewest(id: string, old: Token, newest: Secret, { refresh_token }: Partial<Token> = {}) {
    const account = accounts.store.getState().accounts[id]
    if (account && refresh_token && newest.token && newest.token.refresh_token === old.refresh_token) {
      await accounts.save(account, { ...newest, token: { ...newest.token, refresh_token } })
    }
    return newest
  }

  async function keepFailed(account: ConnectedAccount, held: Held, error: LatchkeyError): Promise<Secret> {
    const next = afterFailure(error, waits.last(account.id, held))
    if (next === 'ended') {
      waits.end(account.id)
      const reason = endedBy(error)
      if (reason === 'revoked') await secrets.remove(account, 'ended').catch(accounts.unavailable)
      await accounts.mark(account.id, 'needs-reconnect', reason, reason === 'revoked' ? '' : undefined)
      throw error
    }
    await waits.add(account, next)
    // The server may be back by the time this token ends.
    if (lives(held.secret, 0)) return held.secret
    throw error
  }

  async function keepRefreshed(provider: OAuthProvider, account: ConnectedAccount, old: Token, answer: TokenAnswer) {
    waits.end(account.id)
    const secret = renewedSecret(old, answer)
    const current = accounts.store.getState().accounts[account.id]
    if (!current) {
      // Disconnected meanwhile: the disconnect revokes what it finds.
      await secrets.write(account, secret)
      throw disconnected(account)
    }
    await accounts.save(renewedAccount(provider, current, answer, secret), secret)
    return secret
  }

  function refresh(account: ConnectedAccount, enough: Enough): Promise<Secret> {
    const { id } = account
    const pending =
      refreshing.get(id) ?? secrets.inTurn(id, () => renew(account, enough)).finally(() => refreshing.delete(id))
    refreshing.set(id, pending)
    return pending
  }

  return {
    refresh,
    waitsUntil: waits.until,
    online: waits.online,
    async refused(account) {
      if (account.renewable) await refresh(account, () => false).catch(() => {})
      else {
        const reason = accounts.find(account.provider).kind === 'api-key' ? 'invalid_token' : 'revoked'
        await secrets.exclusive(account.id, () => accounts.mark(account.id, 'needs-reconnect', reason))
      }
      return accounts.findAccount(account.id)
    },
    async revoke(account) {
      const provider = accounts.providers.find(({ id }) => id === account.provider)
      const removed = { status: 'removed', manageUrl: provider?.manageUrl } as const
      let secret: Secret | undefined
      try {
        await secrets.inTurn(account.id, async () => {}, GRACE).catch(() => {})
        secret = await secrets.exclusive(account.id, async () => {
          // Connected again meanwhile: that stays, and a revocation could end its grant too.
          const newest = accounts.store.getState().accounts[account.id]
          if (newest && newest.connectedAt !== account.connectedAt) return undefined
          const held = await secrets.read(account).catch(() => undefined)
          await secrets.remove(account).catch(accounts.unavailable)
          // Once more: a refresh in another tab may have written it back before this lock came free.
          await accounts.forget(account.id)
          return held?.secret
        })
        if (!provider || provider.kind === 'api-key' || !secret?.token) return removed
        // An MCP server's token is revoked where it came from.
        if (!isMcp(provider) && bindingChange(provider, account)) return removed
        const answer = await (await endpoints.endpoint(provider, secret.token)).revoke(secret.token)
        return answer.status === 'revoked' ? answer : removed
      } catch (cause) {
        const error = asLatchkeyError(cause, 'network', `${provider?.name ?? account.provider} could not be told.`)
        return secret ? accounts.postpone(account, error, secret) : { ...removed, error }
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
