import type { AccountStore, DisconnectReceipt } from '../accounts/account-store.ts'
import { pendingRevocations } from '../accounts/pending-revocations.ts'

import { LatchkeyError } from '../errors.ts'
import { callBroker } from '../protocol/broker.ts'
import type { ApiKeyProvider, KeyFields } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { AuthorizationRequest, authorizationRequest, Flow } from './authorization.ts'

/** Accounts whose secrets are on the server: this browser asks for what it wants done, and is told facts. */
export interface VaultClient {
  /** Takes over what the server knows. Accounts that came here meanwhile stay. */
  sync(): Promise<void>
  /** Brings facts up to date before an agent is told of them. Never rejects: the server refuses what it must. */
  ready(): Promise<void>
  /** The Authorization Request, made by the server: its verifier never comes here. */
  request(...asked: Parameters<typeof authorizationRequest>): Promise<AuthorizationRequest>
  /**
   * Hands the authorization response to the server, which validates and redeems it. With the signal aborted by then, a
   * new account is disconnected there again. One that was there before stays connected.
   */
  finish(flow: Flow, query: string, signal?: AbortSignal): Promise<ConnectedAccount>
  /** The one request that a secret is in: the key that a person entered, once. */
  connectKey(provider: ApiKeyProvider, fields: KeyFields, accountId?: string): Promise<ConnectedAccount>
  /** An API refused the account, or it was never used: the server finds out whether it can be. */
  check(account: ConnectedAccount): Promise<ConnectedAccount>
  /** Stops the use of an account on the server, for every browser and agent, or ends that. */
  pause(id: string, paused: boolean): Promise<void>
  disconnect(account: ConnectedAccount): Promise<DisconnectReceipt>
  /** Ends an account that was disconnected here before, unless it was connected again since. */
  end(account: ConnectedAccount): Promise<void>
}

/** An account until it is connected again. */
const generation = ({ id, connectedAt }: ConnectedAccount) => `${id} ${connectedAt}`

export function createVaultClient(accounts: AccountStore): VaultClient {
  const { options, store } = accounts
  type Answer = { account: ConnectedAccount }

  const call = async <T>(method: string, route: string, body?: object): Promise<T> => {
    const { epoch } = accounts
    const answer = await callBroker<T>(options.broker ?? '', route, body, method)
    // What the server says of the person who signed out is not shown to the next.
    if (accounts.epoch !== epoch) throw new LatchkeyError('cancelled', 'Signed out meanwhile.')
    return answer
  }

  /** Facts of an account as this browser keeps them. Its token's end is the server's to watch while it can refresh. */
  const keep = ({ expiresAt, ...account }: ConnectedAccount): Promise<ConnectedAccount> =>
    accounts.keepVaulted({ ...account, custody: 'vault', ...(!account.renewable && { expiresAt }) })

  const vaulted = () => Object.values(store.getState().accounts).filter(({ custody }) => custody === 'vault')

  /** The server may have put it in the place of the account that was meant: one without a name, or at another issuer. */
  const settle = async ({ account }: Answer, meant?: string): Promise<ConnectedAccount> => {
    if (meant && meant !== account.id) await client.sync().catch(() => {})
    return keep(account)
  }

  let readying: Promise<void> | undefined
  async function update(): Promise<void> {
    await client.sync().catch(() => {})
    const untried = vaulted().filter(({ reason }) => reason === 'unverified')
    await Promise.all(untried.map((account) => client.check(account).catch(() => {})))
  }

  const client: VaultClient = {
    async sync() {
      const before = vaulted()
      const answer = await call<{ accounts: ConnectedAccount[] }>('GET', 'accounts')
      // Disconnected here, and the server was not told yet.
      const ended = new Set((await pendingRevocations(accounts)).map(({ account }) => generation(account)))
      for (const account of answer.accounts) {
        if (ended.has(generation(account))) continue
        if (accounts.providers.some(({ id }) => id === account.provider)) await keep(account)
      }
      const known = new Set(answer.accounts.map(({ id }) => id))
      for (const { id } of before) if (!known.has(id)) await accounts.forget(id)
    },
    async request({ id: provider, issuer }, asked, how) {
      const { redirect_uri, scopes, accountId } = asked
      const body = { provider, redirect_uri, scopes, accountId, choose: how === 'choose', only: how === 'only' }
      const { url, state } = await call<{ url: string; state: string }>('POST', 'flows', body)
      const startedAt = Date.now()
      return { url, flow: { ...asked, custody: 'vault', provider, state, code_verifier: '', issuer, startedAt } }
    },
    async finish({ state, accountId }, response, signal) {
      const answer = await call<Answer>('POST', `flows/${encodeURIComponent(state)}`, { response })
      if (signal?.aborted && !accountId && !store.getState().accounts[answer.account.id]) {
        await client.disconnect(answer.account)
        signal.throwIfAborted()
      }
      return settle(answer, accountId)
    },
    async connectKey(provider, fields, accountId) {
      return settle(await call<Answer>('POST', 'accounts', { provider: provider.id, fields, accountId }), accountId)
    },
    async check({ id }) {
      try {
        const { account } = await call<Answer>('POST', `accounts/${id}`, {})
        if (account.id !== id) await accounts.forget(id)
        return await keep(account)
      } catch (error) {
        if (error instanceof LatchkeyError && error.account === id) await accounts.forget(id)
        throw error
      }
    },
    async pause(id, paused) {
      await keep((await call<Answer>('POST', `accounts/${id}`, { paused })).account)
    },
    async disconnect({ id }) {
      const receipt = await callBroker<
        | Extract<DisconnectReceipt, { status: 'revoked' }>
        | { status: 'removed'; manageUrl?: string; error?: unknown; message?: string }
      >(options.broker ?? '', `accounts/${id}`, undefined, 'DELETE')
      if (receipt.status === 'revoked') return receipt
      const { error, message = 'The provider could not be told.', ...removed } = receipt
      if (!error) return removed
      const { codeFromServer } = await import('../protocol/error-codes.ts')
      return { ...removed, error: new LatchkeyError(codeFromServer(error, 'temporarily_unavailable'), message) }
    },
    async end(account) {
      const { accounts: kept } = await call<{ accounts: ConnectedAccount[] }>('GET', 'accounts')
      if (kept.some((one) => generation(one) === generation(account))) await client.disconnect(account)
    },
    ready() {
      // One body of a run asks for references and for all accounts.
      readying ??= update().finally(() => {
        readying = undefined
      })
      return readying
    },
  }
  return client
}
