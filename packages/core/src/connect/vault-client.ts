import type { AccountStore } from '../accounts/account-store.ts'
import type { DisconnectReceipt } from '../accounts/refresh.ts'
import { LatchkeyError } from '../errors.ts'
import { callBroker } from '../protocol/broker.ts'
import { codeFromServer } from '../protocol/error-codes.ts'
import type { ApiKeyProvider, KeyFields, OAuthProvider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { AuthorizationRequest, authorizationRequest, VaultFlow } from './authorization.ts'

/** Accounts whose secrets are on the server: this browser asks for what it wants done, and is told facts. */
export interface VaultClient {
  /** Takes over what the server knows. Accounts that came here meanwhile stay. */
  sync(): Promise<void>
  /** Brings facts up to date before an agent is told of them. Never rejects: the server refuses what it must. */
  ready(): Promise<void>
  /** The Authorization Request, made by the server: its verifier never comes here. */
  request(provider: OAuthProvider, asked: Parameters<typeof authorizationRequest>[1]): Promise<AuthorizationRequest>
  /** Hands the authorization response to the server, which validates and redeems it. */
  finish(flow: VaultFlow, query: string): Promise<ConnectedAccount>
  /** The one request that a secret is in: the key that a person entered, once. */
  connectKey(provider: ApiKeyProvider, fields: KeyFields, accountId?: string): Promise<ConnectedAccount>
  /** An API refused the account, or it was never used: the server finds out whether it can be. */
  check(account: ConnectedAccount): Promise<ConnectedAccount>
  disconnect(account: ConnectedAccount): Promise<DisconnectReceipt>
}

export function createVaultClient(accounts: AccountStore): VaultClient {
  const { options, store } = accounts

  const call = <T>(method: string, route: string, body?: object) =>
    callBroker<T>(options.broker ?? '', route, body, method)

  /** Facts of an account as this browser keeps them. Its token's end is the server's to watch while it can refresh. */
  async function keep(account: ConnectedAccount): Promise<ConnectedAccount> {
    const { expiresAt, ...rest } = account
    return accounts.keepVaulted({ ...rest, custody: 'vault', ...(!account.renewable && { expiresAt }) })
  }

  const vaulted = () => Object.values(store.getState().accounts).filter(({ custody }) => custody === 'vault')

  async function sync(): Promise<void> {
    const before = vaulted()
    const answer = await call<{ accounts: ConnectedAccount[] }>('GET', 'accounts')
    for (const account of answer.accounts) {
      if (accounts.providers.some(({ id }) => id === account.provider)) await keep(account)
    }
    const known = new Set(answer.accounts.map(({ id }) => id))
    for (const { id } of before) if (!known.has(id)) await accounts.forget(id)
  }

  return {
    sync,
    async request(provider, asked) {
      const { redirect_uri, scopes, accountId } = asked
      const body = { provider: provider.id, redirect_uri, scopes, accountId }
      const { url, state } = await call<{ url: string; state: string }>('POST', 'flows', body)
      const flow: VaultFlow = {
        ...asked,
        custody: 'vault',
        provider: provider.id,
        state,
        code_verifier: '',
        issuer: provider.issuer,
        startedAt: Date.now(),
      }
      return { url, flow }
    },
    async finish({ state }, query) {
      const { account } = await call<{ account: ConnectedAccount }>('POST', `flows/${encodeURIComponent(state)}`, {
        response: query,
      })
      return keep(account)
    },
    async connectKey(provider, fields, accountId) {
      const body = { provider: provider.id, fields, accountId }
      const { account } = await call<{ account: ConnectedAccount }>('POST', 'accounts', body)
      // The server may have found that an account without a name was this one.
      if (accountId && accountId !== account.id) await sync().catch(() => {})
      return keep(account)
    },
    async check({ id }) {
      try {
        const { account } = await call<{ account: ConnectedAccount }>('POST', `accounts/${id}`, {})
        if (account.id !== id) await accounts.forget(id)
        return await keep(account)
      } catch (error) {
        if (error instanceof LatchkeyError && error.account === id) await accounts.forget(id)
        throw error
      }
    },
    async disconnect({ id }) {
      const receipt = await call<
        | Extract<DisconnectReceipt, { status: 'revoked' }>
        | { status: 'removed'; manageUrl?: string; error?: unknown; message?: string }
      >('DELETE', `accounts/${id}`)
      if (receipt.status === 'revoked') return receipt
      const { status, manageUrl, error, message } = receipt
      if (!error) return { status, manageUrl }
      const code = codeFromServer(error, 'temporarily_unavailable')
      return { status, manageUrl, error: new LatchkeyError(code, message ?? 'The provider could not be told.') }
    },
    async ready() {
      await sync().catch(() => {})
      const untried = vaulted().filter(({ reason }) => reason === 'unverified')
      await Promise.all(untried.map((account) => this.check(account).catch(() => {})))
    },
  }
}
