import { errorAbout } from '../errors.ts'
import type { Identity } from '../identities.ts'
import type { Provider } from '../provider.ts'
import { type ConnectedAccount, defaultAccount, type Snapshot } from '../snapshot.ts'
import { accessTokenOf, identityOf, lives } from './account-rules.ts'
import { type AccountStore, pausedError } from './account-store.ts'
import type { Refresher } from './refresh.ts'
import type { Secret } from './secret-store.ts'

/** A provider id, for its default account, or one account. */
export type AccountTarget<Id extends string = string> = Id | { accountId: string }

/** What a token must be good for. */
export interface TokenOptions {
  /** Scopes the token must have; else `insufficient_scope`. */
  scopes?: readonly string[]
  /** Seconds the token must still live. @default 60 */
  minValidity?: number
}

/** How secrets leave the page's accounts: from memory while valid, else unsealed, else refreshed. */
export interface Tokens {
  getToken(target: AccountTarget, options?: TokenOptions): Promise<string>
  /** @throws LatchkeyError why this account cannot be used. */
  use(target: AccountTarget, options?: TokenOptions): Promise<{ account: ConnectedAccount; secret: Secret }>
  /** The default account's identity; undefined for one that cannot be used: the tool that needs it will ask for it. */
  identity(provider: Provider): Promise<Identity | undefined>
}

/** A token by its provider id, and until when it is handed out without another look. Milliseconds since the epoch. */
interface Answer {
  target: string
  token: Promise<string>
  until: number
}

/** Seconds a token must still live to be handed out. */
const MIN_VALIDITY = 60

export function createTokens(
  accounts: AccountStore,
  refresher: () => Promise<Refresher>,
  /** Tries a key that could not be checked when it was entered. */
  checkAtFirstUse: (account: ConnectedAccount) => Promise<ConnectedAccount>,
): Tokens {
  const { store, secrets } = accounts

  const use: Tokens['use'] = async (target, { scopes = [], minValidity = MIN_VALIDITY } = {}) => {
    let account =
      typeof target === 'string' ? defaultAccount(store.getState(), target) : accounts.findAccount(target.accountId)
    if (!account) {
      const provider = accounts.find(target as string)
      throw errorAbout(provider, 'login_required', `${provider.name} is not connected.`)
    }
    if (account.custody === 'vault') {
      const message = `The server keeps the secret of ${account.label}: use getConnectedAccounts().`
      throw errorAbout(account, 'misuse', message, { next: 'none' })
    }
    if (account.reason === 'unverified') account = await checkAtFirstUse(account)
    const { label, status, scopes: granted } = account
    if (status === 'paused') throw pausedError(account)
    if (status === 'needs-reconnect') {
      throw errorAbout(account, 'invalid_token', `${label} has to be connected again.`)
    }
    const lacking = scopes.filter((scope) => !granted.includes(scope))
    if (lacking.length > 0) {
      throw errorAbout(account, 'insufficient_scope', `${label} did not grant ${lacking.join(', ')}.`)
    }
    const secret = secrets.peek(account)
    if (secret && lives(secret, minValidity)) return { account, secret }
    const held = await accounts.open(account)
    if (held.paused) await accounts.catchUp(account, held)
    if (lives(held.secret, minValidity)) return { account, secret: held.secret }
    return { account, secret: await (await refresher()).refresh(account, minValidity) }
  }

  /** Tokens by provider, true of this very snapshot: nearly every read is one of them. */
  let answered: { snapshot: Snapshot; tokens: Map<string, Answer>; latest?: Answer } = {
    snapshot: store.getState(),
    tokens: new Map(),
  }

  return {
    use,
    getToken(target, options) {
      const snapshot = store.getState()
      if (answered.snapshot !== snapshot) answered = { snapshot, tokens: new Map() }
      const { latest } = answered
      // The same token again and again, as a run with many calls reads it.
      if (target === latest?.target && options === undefined && latest.until > Date.now()) return latest.token
      const plain = typeof target === 'string' && !options ? target : undefined
      const known = plain && answered.tokens.get(plain)
      if (known && known.until > Date.now()) {
        answered.latest = known
        return known.token
      }
      return (async () => {
        const { account, secret } = await use(target, options)
        const token = accessTokenOf(accounts.find(account.provider), secret)
        if (plain && answered.snapshot === store.getState()) {
          const until = (secret.fields ? undefined : secret.expiresAt) ?? Number.POSITIVE_INFINITY
          const answer = { target: plain, token: Promise.resolve(token), until: until - MIN_VALIDITY * 1000 }
          answered.tokens.set(plain, answer)
        }
        return token
      })()
    },
    async identity(provider) {
      try {
        const { account, secret } = await use(provider.id)
        return identityOf(provider, account, secret)
      } catch {
        return undefined
      }
    },
  }
}
