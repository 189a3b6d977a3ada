'use client'
import {
  type AccountTarget,
  accountsOf,
  type ConnectedAccount,
  type ConnectKeyOptions,
  type ConnectOptions,
  type ConnectOutcome,
  type ConnectRequest,
  type DisconnectReceipt,
  defaultAccount,
  type Identity,
  type IdentityOptions,
  type KeyFields,
  LatchkeyError,
  type Provider,
  type ProviderState,
  providerState,
  type Reason,
  type Snapshot,
  type TokenOptions,
} from '@latchkey/core'
import { LOADING } from '@latchkey/core/internal'
import { useCallback, useMemo, useSyncExternalStore } from 'react'
import { useLatchkey } from './provider.tsx'

/** One part of the snapshot. `select` must return the same reference for the same facts. */
export function useSnapshot<T>(select: (snapshot: Snapshot) => T): T {
  const client = useLatchkey()
  const subscribe = useCallback((listener: () => void) => client.subscribe(listener), [client])
  return useSyncExternalStore(
    subscribe,
    () => select(client.getSnapshot()),
    () => select(LOADING),
  )
}

/** A selector of lists that answers with its last list while the items are the same ones. */
export function steady<T>(select: (snapshot: Snapshot) => readonly T[]): (snapshot: Snapshot) => readonly T[] {
  let last: readonly T[] = []
  return (snapshot) => {
    const next = select(snapshot)
    if (next.length !== last.length || next.some((item, index) => item !== last[index])) last = next
    return last
  }
}

/** The client's providers, in their order. */
export function useProviders(): readonly Provider[] {
  const client = useLatchkey()
  const subscribe = useCallback((listener: () => void) => client.subscribe(listener), [client])
  const read = () => client.providers
  return useSyncExternalStore(subscribe, read, read)
}

/** One provider, or undefined when this page does not know it. */
export function useProvider(providerId: string): Provider | undefined {
  return useProviders().find((provider) => provider.id === providerId)
}

/** One provider's accounts, oldest first. */
export function useProviderAccounts(providerId: string): readonly ConnectedAccount[] {
  const select = useMemo(() => steady((snapshot) => accountsOf(snapshot, providerId)), [providerId])
  return useSnapshot(select)
}

const byAge = (a: ConnectedAccount, b: ConnectedAccount) => a.connectedAt - b.connectedAt || a.id.localeCompare(b.id)

/** All connected accounts, oldest first. The array is the same one until an account changes. */
export function useAccounts(): readonly ConnectedAccount[] {
  const select = useMemo(() => steady((snapshot) => Object.values(snapshot.accounts).sort(byAge)), [])
  return useSnapshot(select)
}

/**
 * One account, or undefined while there is none.
 *
 * @param target a provider id, for its default account, or `{ accountId }` for one account.
 */
export function useAccount(target: AccountTarget): ConnectedAccount | undefined {
  return useSnapshot((snapshot) => accountAt(snapshot, target))
}

const accountAt = (snapshot: Snapshot, target: AccountTarget) =>
  typeof target === 'string' ? defaultAccount(snapshot, target) : snapshot.accounts[target.accountId]

/** How a connect ended; `failed` takes the place of a rejection. */
export type ConnectResult = ConnectOutcome | { status: 'failed'; error: LatchkeyError }

/** What {@link useConnect} returns. */
export interface UseConnect {
  /** Call it inside the click: it opens the window in the same tick. Never rejects. */
  connect: (options?: ConnectOptions) => Promise<ConnectResult>
  /** Connects with the fields of a key, where the provider takes one. Never rejects. */
  connectKey: (fields: KeyFields, options?: ConnectKeyOptions) => Promise<ConnectResult>
  /** Ends the flow under way. */
  cancel: () => void
  /** Loads what `connect` will need: for hover and focus. */
  prepare: () => void
  status: ProviderState['status']
  /** Why the last flow ended without an account, or what is known of the one under way. */
  reason: Reason | undefined
  /** What went wrong last; cleared by the next `connect`. */
  error: LatchkeyError | undefined
}

/** Connecting accounts of one provider. The functions are stable. */
export function useConnect(providerId: string): UseConnect {
  const client = useLatchkey()
  const state = useSnapshot((snapshot) => providerState(snapshot, providerId))
  const connect = useCallback(
    (options?: ConnectOptions) => neverRejecting(() => client.connect(providerId, options), providerId),
    [client, providerId],
  )
  const connectKey = useCallback(
    (fields: KeyFields, options?: ConnectKeyOptions) =>
      neverRejecting(() => client.connectKey(providerId, fields, options), providerId),
    [client, providerId],
  )
  const cancel = useCallback(() => client.cancel(providerId), [client, providerId])
  const prepare = useCallback(() => client.prepare(providerId), [client, providerId])
  return { connect, connectKey, cancel, prepare, status: state.status, reason: state.reason, error: state.error }
}

/** Runs a connect at once and turns what it throws into a `failed` result. */
export function neverRejecting(start: () => Promise<ConnectOutcome>, provider: string): Promise<ConnectResult> {
  const failed = (cause: unknown): ConnectResult => ({
    status: 'failed',
    error:
      cause instanceof LatchkeyError
        ? cause
        : new LatchkeyError('misuse', 'Connecting failed unexpectedly.', { provider, cause }),
  })
  try {
    return start().catch(failed)
  } catch (cause) {
    return Promise.resolve(failed(cause))
  }
}

/** What {@link useDisconnect} returns. */
export interface UseDisconnect {
  /** Removes an account here and revokes it at its provider; the receipt says how that ended. Never rejects. */
  disconnect: (accountId: string) => Promise<DisconnectReceipt>
  /** The same for all accounts; receipts by account id. */
  disconnectAll: () => Promise<Record<string, DisconnectReceipt>>
}

/** Disconnecting accounts. The functions are stable. */
export function useDisconnect(): UseDisconnect {
  const client = useLatchkey()
  return useMemo(
    () => ({
      disconnect: (accountId) => client.disconnect(accountId),
      disconnectAll: () => client.disconnectAll(),
    }),
    [client],
  )
}

/** What running tools wait for, one request per provider: show a `ConnectPrompt` for each. */
export function usePendingRequests(): readonly ConnectRequest[] {
  return useSnapshot((snapshot) => snapshot.requests)
}

/** What {@link useToken} returns. */
export interface UseToken {
  /**
   * A token fit for one request. Ask for it where it is used and keep it nowhere.
   *
   * @throws LatchkeyError when there is no account, or none that can be used.
   */
  getToken: (options?: TokenOptions) => Promise<string>
  /** The account's status, or that there is none. */
  status: ConnectedAccount['status'] | 'loading' | 'disconnected'
}

/** A stable getter of one account's token; never the token itself, so nothing secret enters React. */
export function useToken(target: AccountTarget): UseToken {
  const client = useLatchkey()
  const providerId = typeof target === 'string' ? target : undefined
  const accountId = typeof target === 'string' ? undefined : target.accountId
  const getToken = useCallback(
    (options?: TokenOptions) => client.getToken(accountId === undefined ? (providerId ?? '') : { accountId }, options),
    [client, providerId, accountId],
  )
  const status = useSnapshot((snapshot): UseToken['status'] => {
    if (snapshot.status === 'loading') return 'loading'
    return accountAt(snapshot, accountId === undefined ? (providerId ?? '') : { accountId })?.status ?? 'disconnected'
  })
  return { getToken, status }
}

/** What {@link useIdentities} returns. */
export interface UseIdentities {
  /** The identities to send with a run, freshly refreshed. Call it on send and keep the answer nowhere. */
  getIdentities: () => Promise<Identity[]>
  /** Ids of the providers an identity can be given of now. */
  providers: readonly string[]
}

/** A stable getter of what an agent run is given; never the identities themselves. */
export function useIdentities(options: IdentityOptions = {}): UseIdentities {
  const client = useLatchkey()
  const { agent } = options
  const only = options.providers?.join(' ')
  const getIdentities = useCallback(
    () => client.getIdentities({ agent, providers: only === undefined ? undefined : only.split(' ').filter(Boolean) }),
    [client, agent, only],
  )
  const select = useMemo(() => {
    const wanted = only === undefined ? undefined : only.split(' ')
    return steady((snapshot) => {
      const excluded = agent === undefined ? [] : (snapshot.excluded[agent] ?? [])
      const found = Object.values(snapshot.accounts)
        .sort(byAge)
        .map((account) => account.provider)
        .filter((id) => (!wanted || wanted.includes(id)) && !excluded.includes(id) && isUsable(snapshot, id))
      return [...new Set(found)]
    })
  }, [agent, only])
  return { getIdentities, providers: useSnapshot(select) }
}

function isUsable(snapshot: Snapshot, providerId: string): boolean {
  const status = defaultAccount(snapshot, providerId)?.status
  return status === 'connected' || status === 'expiring'
}

/** What {@link useAgentAccounts} returns. */
export interface UseAgentAccounts {
  /** Every provider of the page, and whether this agent may use its accounts. */
  providers: readonly { id: string; included: boolean }[]
  setIncluded: (providerId: string, included: boolean) => void
}

/** Which providers one agent may use. All are included until excluded; the choice is kept. */
export function useAgentAccounts(agentId: string): UseAgentAccounts {
  const client = useLatchkey()
  const all = useProviders()
  const excluded = useSnapshot((snapshot) => snapshot.excluded[agentId])
  const providers = useMemo(() => all.map(({ id }) => ({ id, included: !excluded?.includes(id) })), [all, excluded])
  const setIncluded = useCallback(
    (providerId: string, included: boolean) => client.setIncluded(agentId, providerId, included),
    [client, agentId],
  )
  return { providers, setIncluded }
}
