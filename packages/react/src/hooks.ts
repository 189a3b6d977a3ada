'use client'
import {
  type AccountTarget,
  accountsOf,
  type CardStatus,
  type ConnectedAccount,
  type ConnectRequest,
  cardStatus,
  type DisconnectReceipt,
  defaultAccount,
  type Identity,
  type IdentityOptions,
  type LatchkeyClient,
  type Provider,
  type ProviderState,
  providerState,
  type Snapshot,
  type TokenOptions,
} from '@latchkey/core'
import { includedDefault, LOADING } from '@latchkey/core/internal'
import { createContext, type ReactNode, useCallback, useContext, useMemo, useSyncExternalStore } from 'react'
import type { MessageOverrides } from './messages/messages.ts'

// The context is beside the hooks and apart from its provider: what is loaded later needs these two, not the client.

/** What a `LatchkeyProvider` gives to all below it. */
interface Kit {
  client: LatchkeyClient
  messages: MessageOverrides | undefined
  icons: Readonly<Record<string, ReactNode>>
  /** What should come back when the page is left. */
  keep: () => unknown
  /** Whether a person is asked before a window opens. */
  consent: boolean
  nonce: string | undefined
  /** What takes a removed MCP server out of the page's providers, where the app can. */
  remover: () => ((providerId: string) => void) | undefined
}

export const KitContext = /* @__PURE__ */ createContext<Kit | undefined>(undefined)

/** What the nearest {@link LatchkeyProvider} gives. */
export function useKit(): Kit {
  const kit = useContext(KitContext)
  if (!kit) {
    throw new Error('Latchkey: wrap the app in <LatchkeyProvider broker="/api/latchkey" providers={[github()]}>.')
  }
  return kit
}

/**
 * The client of the nearest {@link LatchkeyProvider}. Its identity does not change while that is mounted.
 *
 * @throws Error outside of a LatchkeyProvider.
 */
export function useLatchkey(): LatchkeyClient {
  return useKit().client
}

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
function steady<T>(select: (snapshot: Snapshot) => readonly T[]): (snapshot: Snapshot) => readonly T[] {
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

type CardFacts = readonly [
  status: CardStatus,
  state: ProviderState,
  account: ConnectedAccount | undefined,
  ...accounts: ConnectedAccount[],
]

/**
 * What there is to know of a provider here: its status, its default account and all of them, oldest first. One
 * subscription, because with many providers there are many cards.
 */
export function useCardFacts(providerId: string): CardFacts {
  const select = useMemo(
    () =>
      steady<unknown>((snapshot) => [
        cardStatus(snapshot, providerId),
        providerState(snapshot, providerId),
        defaultAccount(snapshot, providerId),
        ...accountsOf(snapshot, providerId),
      ]),
    [providerId],
  )
  return useSnapshot(select) as CardFacts
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
  // Targets are written inline: the same one is what says the same.
  const key = JSON.stringify(target)
  const getToken = useCallback((options?: TokenOptions) => client.getToken(JSON.parse(key), options), [client, key])
  const status = useSnapshot((snapshot) =>
    snapshot.status === 'loading' ? snapshot.status : (accountAt(snapshot, target)?.status ?? 'disconnected'),
  )
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
  // Options are written inline: the same ones are those that say the same.
  const key = JSON.stringify(options)
  const getIdentities = useCallback(() => client.getIdentities(JSON.parse(key)), [client, key])
  const select = useMemo(() => {
    const { agent = '', providers }: IdentityOptions = JSON.parse(key)
    const isMeant = (id: string) => !providers || providers.includes(id)
    return steady((snapshot) => {
      const all = Object.values(snapshot.accounts).sort(byAge)
      return [...new Set(all.map(({ provider }) => provider))].filter(
        (id) => isMeant(id) && isUsable(includedDefault(snapshot, id, agent)),
      )
    })
  }, [key])
  return { getIdentities, providers: useSnapshot(select) }
}

/** Whether an account can be used now. */
export const isUsable = (account: ConnectedAccount | undefined) =>
  account?.status === 'connected' || account?.status === 'expiring'

/** What {@link useAgentAccounts} returns. */
export interface UseAgentAccounts {
  /** Every provider of the page, and whether this agent may use its accounts. */
  providers: readonly { id: string; included: boolean }[]
  /** Every connected account, oldest first. An account is included if its provider is included, too. */
  accounts: readonly { id: string; provider: string; included: boolean }[]
  /** For a provider, or with `{ accountId }` for one of several accounts. */
  setIncluded: (target: AccountTarget, included: boolean) => void
}

/** Which providers and accounts one agent may use. All are included until excluded; the choice is kept. */
export function useAgentAccounts(agentId: string): UseAgentAccounts {
  const client = useLatchkey()
  const all = useProviders()
  const excluded = useSnapshot((snapshot) => snapshot.excluded[agentId])
  const providers = useMemo(() => all.map(({ id }) => ({ id, included: !excluded?.includes(id) })), [all, excluded])
  const connected = useAccounts()
  const accounts = useMemo(
    () =>
      connected.map(({ id, provider }) => ({
        ...{ id, provider },
        included: !excluded?.includes(id) && !excluded?.includes(provider),
      })),
    [connected, excluded],
  )
  const setIncluded: UseAgentAccounts['setIncluded'] = useCallback(
    (...given) => client.setIncluded(agentId, ...given),
    [client, agentId],
  )
  return { providers, accounts, setIncluded }
}
