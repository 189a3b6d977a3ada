import type { Evidence, Identified } from '../accounts/account-rules.ts'
import { connectedAgain, identify, isMoved, isOtherPerson, withOldRefreshToken } from '../accounts/account-rules.ts'
import type { AccountStore } from '../accounts/account-store.ts'
import type { Endpoints } from '../accounts/endpoints.ts'
import type { Refresher } from '../accounts/refresh.ts'
import type { Secret } from '../accounts/secret-store.ts'
import { asLatchkeyError, errorAbout, LatchkeyError } from '../errors.ts'
import type { Provider } from '../provider.ts'
import { type ConnectedAccount, defaultAccount } from '../snapshot.ts'
import type { Flow } from './authorization.ts'
import type { ConnectOutcome } from './flow.ts'

/** What to do with both accounts after a reconnect came back as another person. */
export type ChangeChoice = 'keep-both' | 'replace' | 'cancel'

/** An account as it will be, and its secret. */
interface Found extends Identified {
  secret: Secret
  began: number
  /** Ends it before it is an account. */
  signal?: AbortSignal
}

/** From a secret to an account, and to what the card says. */
export interface Adopter {
  /**
   * Puts a new secret on the account it belongs to: the same person's, or a new one.
   *
   * @param began the page's epoch when all this began.
   * @throws LatchkeyError `account_changed` when it is another person's; nothing is changed until the person decides.
   */
  adopt(
    provider: Provider,
    secret: Secret,
    began: number,
    evidence: Evidence,
    signal?: AbortSignal,
  ): Promise<ConnectedAccount>
  /** Drops an undecided change, and revokes its token where that ends nothing else. */
  discard(providerId: string): Promise<void>
  resolveChange(providerId: string, choice: ChangeChoice): Promise<ConnectOutcome>
  connected(provider: Provider, account: ConnectedAccount, flow?: Flow): ConnectOutcome
  /** Shows on the card why a connect failed. @throws LatchkeyError unless the person said no. */
  fail(provider: Provider, error: unknown, flow?: Flow): ConnectOutcome
}

export function createAdopter(
  accounts: AccountStore,
  endpoints: Endpoints,
  refresher: () => Promise<Refresher>,
): Adopter {
  const { store, secrets } = accounts
  /** What came back as another person, until it is decided. The secret is nowhere but here. */
  const changes = new Map<string, { from: ConnectedAccount; found: Found }>()

  /** Puts a secret on its account, under the account's lock. */
  async function settle(whose: Found, since?: number): Promise<ConnectedAccount> {
    const { account: found, secret, nameless, began, signal } = whose
    const { id } = found
    const account = await secrets.exclusive(id, async () => {
      signal?.throwIfAborted()
      if (accounts.epoch !== began) throw new LatchkeyError('cancelled', 'Signed out meanwhile.')
      const old = store.getState().accounts[id]
      const held = old && (await secrets.read(old).catch(() => undefined))
      const complete = withOldRefreshToken(secret, held?.secret)
      const connectedAt = !old && since !== undefined ? { connectedAt: since } : undefined
      return accounts.save({ ...connectedAgain(found, complete, old), ...connectedAt }, complete, { paused: false })
    })
    // The account had no name until now: it is this one.
    if (found.subject && nameless && nameless.id !== id) await drop(nameless)
    return account
  }

  /** Removes an account that another one has replaced. */
  async function drop(account: ConnectedAccount): Promise<void> {
    await accounts.forget(account.id)
    await secrets.exclusive(account.id, () => secrets.remove(account)).catch(accounts.unavailable)
  }

  async function discard(providerId: string): Promise<void> {
    const change = changes.get(providerId)
    changes.delete(providerId)
    if (change) await revokeUnused(change.found)
  }

  /** Revokes a token that no account will have, where that ends nothing else. Never rejects. */
  async function revokeUnused({ account: found, secret: { token } }: Found): Promise<void> {
    const provider = accounts.providers.find(({ id }) => id === found.provider)
    if (!token || !provider || provider.kind === 'api-key') return
    const { issuer, subject } = found
    // One grant of a person may stand behind several tokens and accounts, as at Google.
    const isShared = (account: ConnectedAccount) => account.issuer === issuer && account.subject === subject
    if (Object.values(store.getState().accounts).some(isShared)) return
    const revoked = endpoints.endpoint(provider, token).then((endpoint) => endpoint.revoke(token))
    // This page has dropped it, and it expires.
    await revoked.catch(() => {})
  }

  const fail: Adopter['fail'] = (provider, error, flow) => {
    const { id, name } = provider
    const known = asLatchkeyError(error, 'network', `${name} could not be connected.`, { provider: id })
    if (known.code === 'access_denied') {
      accounts.setProvider(id, { status: 'idle', reason: 'access_denied' })
      return { status: 'denied', next: 'connect', ...keptOf(flow) }
    }
    const change = known.code === 'account_changed' ? changes.get(id) : undefined
    const changed = change && { changed: { from: change.from, to: change.found.account } }
    accounts.setProvider(id, { status: 'idle', error: known, ...changed })
    throw known
  }

  return {
    discard,
    fail,
    connected(provider, account, flow) {
      accounts.setProvider(provider.id)
      return { status: 'connected', account, ...keptOf(flow) }
    },
    async adopt(provider, secret, began, evidence, signal) {
      const known = store.getState().accounts
      const found = { ...(await identify(provider, secret, Object.values(known), evidence)), secret, began, signal }
      const from = known[evidence.target ?? '']
      if (signal?.aborted || !from || !isOtherPerson(found.account, from)) {
        const account = await settle(found).catch((error) => {
          // Cancelled: the token came too late to be an account's, and should not stay valid at its provider. Where the
          // person connects again already, it may share the new one's grant.
          const isIdle = store.getState().providers[provider.id]?.status !== 'connecting'
          if (signal?.aborted && isIdle && accounts.epoch === began) void revokeUnused(found)
          throw error
        })
        if (isMoved(account, from)) await drop(from)
        return account
      }
      discard(provider.id)
      changes.set(provider.id, { from, found })
      throw errorAbout(from, 'account_changed', `You signed in to another ${provider.name} account.`)
    },
    async resolveChange(providerId, choice) {
      const provider = accounts.find(providerId)
      const change = changes.get(providerId)
      if (!change) throw errorAbout(provider, 'flow_unknown', `There is nothing to choose for ${provider.name}.`)
      const { from, found } = change
      accounts.setProvider(providerId)
      if (choice === 'cancel') {
        await discard(providerId)
        return { status: 'cancelled', next: 'connect' }
      }
      changes.delete(providerId)
      try {
        const replaces = choice === 'replace'
        const wasDefault = defaultAccount(store.getState(), providerId)?.id === from.id
        const account = await settle(found, replaces ? from.connectedAt : undefined)
        if (replaces && wasDefault) accounts.setDefault(account)
        if (replaces && store.getState().accounts[from.id]) {
          await accounts.forget(from.id)
          await (await refresher()).revoke(from)
        }
        return { status: 'connected', account }
      } catch (error) {
        return fail(provider, error)
      }
    },
  }
}

const keptOf = (flow?: Flow) => (flow?.keep === undefined ? {} : { kept: flow.keep })
