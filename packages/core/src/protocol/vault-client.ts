import type { AccountStore } from '../accounts/account-store.ts'
import type { DisconnectReceipt } from '../accounts/refresh.ts'
import type { AuthorizationRequest, authorizationRequest, Flow } from '../connect/authorization.ts'
import { LatchkeyError } from '../errors.ts'
import type { ApiKeyProvider, KeyFields, OAuthProvider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import { callBroker } from './broker.ts'
import { codeFromServer } from './error-codes.ts'

/** A flow whose verifier is on the server: all that this browser has to know of it. */
export interface VaultFlow extends Flow {
  custody: 'vault'
}

export const isVaultFlow = (flow: Flow): flow is VaultFlow => 'custody' in flow

/** Accounts whose secrets are on the server: this browser asks for what it wants done, and is told facts. */
export type VaultClient = ReturnType<typeof createVaultClient>

export function createVaultClient(accounts: AccountStore) {
  const { options, store } = accounts

  const call = <T>(method: string, route: string, body?: object) =>
    callBroker<T>(options.broker ?? '', route, body, method)

  /** Facts of an account as this browser keeps them. Its token's end is the server's to watch while it can refresh. */
  async function keep(account: ConnectedAccount): Promise<ConnectedAccount> {
    const { expiresAt, ...rest } = account
    return accounts.keepVaulted({ ...rest, custody: 'vault', ...(!account.renewable && { expiresAt }) })
  }

  const vaulted = () => Object.values(store.getState().accounts).filter(({ custody }) => custody === 'vault')

  /** Takes over what the server knows. Accounts that came here meanwhile stay. */
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
    /** The Authorization Request, made by the server: its verifier never comes here. */
    async request(
      provider: OAuthProvider,
      asked: Parameters<typeof authorizationRequest>[1],
    ): Promise<AuthorizationRequest> {
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
    /** Hands the authorization response to the server, which validates and redeems it. */
    async finish({ state }: VaultFlow, query: string): Promise<ConnectedAccount> {
      const { account } = await call<{ account: ConnectedAccount }>('POST', `flows/${encodeURIComponent(state)}`, {
        response: query,
      })
      return keep(account)
    },
    /** The one request that a secret is in: the key that a person entered, once. */
    async connectKey(provider: ApiKeyProvider, fields: KeyFields, accountId?: string): Promise<ConnectedAccount> {
      const body = { provider: provider.id, fields, accountId }
      const { account } = await call<{ account: ConnectedAccount }>('POST', 'accounts', body)
      // The server may have found that an account without a name was this one.
      if (accountId && accountId !== account.id) await sync().catch(() => {})
      return keep(account)
    },
    /** An API refused the account, or nobody has tried it yet: the server finds out, and its word counts. */
    async check({ id }: ConnectedAccount): Promise<ConnectedAccount> {
      try {
        const { account } = await call<{ account: ConnectedAccount }>('POST', `accounts/${id}`, {})
        if (account.id !== id) await accounts.forget(id)
        return await keep(account)
      } catch (error) {
        if (error instanceof LatchkeyError && error.code === 'login_required') await accounts.forget(id)
        throw error
      }
    },
    async disconnect({ id }: ConnectedAccount): Promise<DisconnectReceipt> {
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
    /** Brings facts up to date before an agent is told of them. */
    async ready(): Promise<void> {
      // What the server would refuse it refuses anyway; what it cannot be asked about goes as it is known.
      await sync().catch(() => {})
      const untried = vaulted().filter(({ reason }) => reason === 'unverified')
      await Promise.all(untried.map((account) => this.check(account).catch(() => {})))
    },
  }
}
