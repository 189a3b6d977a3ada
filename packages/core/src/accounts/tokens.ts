import { errorAbout } from '../errors.ts'
import type { Identity } from '../identities.ts'
import type { Provider } from '../provider.ts'
import { type ConnectedAccount, defaultAccount, type Snapshot } from '../snapshot.ts'
import { accessTokenOf, identityOf, isFresh, leastValidity, lives } from './account-rules.ts'
import type { AccountStore } from './account-store.ts'
import type { Refresher } from './refresh.ts'
import type { Secret } from './secret-store.ts'

/** A provider id, for its default account, or one account. */
export type AccountTarget<Id extends string = string> = Id | { accountId: string }

/** What a token must be good for. */
export interface TokenOptions {
  /** Scopes the token must have; else `insufficient_scope`. */
  scopes?: readonly string[]
  /** Seconds the token must still live. @default 60, and at most a third of the token's life */
  minValidity?: number
}

/** How secrets leave the page's accounts: from memory while valid, else unsealed, else refreshed. */
export interface Tokens {
  getToken(target: AccountTarget, options?: TokenOptions): Promise<string>
  /** @throws LatchkeyError why this account cannot be used. */
  use(target: AccountTarget, options?: TokenOptions): Promise<{ account: ConnectedAccount; secret: Secret }>
  /** An account's identity; undefined for one that cannot be used: the tool that needs it will ask for it. */
  identity(provider: Provider, account: ConnectedAccount): Promise<Identity | undefined>
}

export function createTokens(
  accounts: AccountStore,
  refresher: () => Promise<Refresher>,
  /** Tries a key that could not be checked when it was entered. */
  checkAtFirstUse: (account: ConnectedAccount) => Promise<ConnectedAccount>,
): Tokens {
  const { store, secrets } = accounts

  const use: Tokens['use'] = async (target, { scopes = [], minValidity } = {}) => {
    const enough = (secret: Secret) => (minValidity === undefined ? isFresh(secret) : lives(secret, minValidity))
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
    if (status === 'paused') throw accounts.pausedError(account)
    if (status === 'needs-reconnect') {
      throw errorAbout(account, 'invalid_token', `${label} has to be connected again.`)
    }
    const lacking = scopes.filter((scope) => !granted.includes(scope))
    if (lacking.length > 0) {
      throw errorAbout(account, 'insufficient_scope', `${label} did not grant ${lacking.join(', ')}.`)
    }
    const secret = secrets.peek(account)
    if (secret && enough(secret)) return { account, secret }
    const held = await accounts.open(account)
    if (held.paused) await accounts.catchUp(account, held)
    if (enough(held.secret)) return { account, secret: held.secret }
    return { account, secret: await (await refresher()).refresh(account, enough) }
  }

  /** The last token by its provider, while this is the snapshot: nearly every read is for it again, as in a long run. */
  let last: { target: AccountTarget; snapshot: Snapshot; token: Promise<string>; until: number } | undefined

  async function read(target: AccountTarget, options?: TokenOptions): Promise<string> {
    const snapshot = store.getState()
    const { account, secret } = await use(target, options)
    const token = accessTokenOf(accounts.find(account.provider), secret)
    if (typeof target === 'string' && !options) {
      const { expiresAt = Number.POSITIVE_INFINITY } = secret.token ? secret : {}
      const until = expiresAt - leastValidity(secret.token?.expires_in) * 1000
      last = { target, snapshot, token: Promise.resolve(token), until }
    }
    return token
  }

  return {
    use,
    getToken: (target, options) =>
      last?.target === target && !options && last.snapshot === store.getState() && last.until > Date.now()
        ? last.token
        : read(target, options),
    async identity(provider, { id: accountId }) {
      try {
        const { account, secret } = await use({ accountId })
        return identityOf(provider, account, secret)
      } catch {
        return undefined
      }
    },
  }
}
