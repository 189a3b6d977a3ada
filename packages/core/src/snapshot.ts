import { createStore } from 'zustand/vanilla'
import type { LatchkeyError } from './errors.ts'
import type { ConnectRequest } from './identities.ts'

/** An account's word. `expiring` is used only when nothing can refresh it. */
export type AccountStatus = 'connected' | 'expiring' | 'paused' | 'needs-reconnect'

/** Why an account or a provider has its word. */
export type Reason =
  | 'expired'
  | 'revoked'
  | 'invalid_token'
  /** The provider has another authorization server now: what the old one gave is not shown to it. */
  | 'issuer_changed'
  /** The provider's API or MCP server is at another address now: the secret was not made out for it. */
  | 'resource_changed'
  | 'secret_unavailable'
  | 'offline'
  | 'unverified'
  | 'access_denied'
  | 'popup_blocked'
  | 'popup_closed'
  /** The provider has answered, and the account is being made of it: no window is waited for any more. */
  | 'finishing'
  /** Inside a page of another site, and the window is reported closed: open the app in its own tab. */
  | 'embedded'

/** What an MCP server says of itself to a person who is signed in: its own words, made safe to show. */
export interface McpServerFacts {
  /** Absent: it has none that can be shown. */
  name?: string
  /** A `data:` URL of a picture. One at an address is not taken: it would tell the server of every visit. */
  icon?: string
  /** How many tools it has. Absent: it did not say. */
  toolCount?: number
  /** What the first of them are called. */
  tools?: readonly string[]
  /** When it was asked, in milliseconds since the epoch. */
  readAt: number
}

/** One connected account of a person at a provider: facts only, never a secret. */
export interface ConnectedAccount {
  /** `<providerId>.` and 22 characters that stand for issuer and subject. */
  id: string
  /** Provider id. */
  provider: string
  issuer: string
  /**
   * What its secret is for, and is never sent beyond: the resource of its token, else the origin of the provider's API.
   *
   * @see RFC 8707 §2
   */
  resource?: string
  /** The provider's stable id of the person. Absent until it could be read. */
  subject?: string
  /** What to call the account: "octocat", "ada@example.com". */
  label: string
  username?: string
  name?: string
  email?: string
  /** URL of a picture. */
  avatar?: string
  /** URL of the person's page at the provider. */
  url?: string
  /** Scopes the server granted, by canonical name; not the ones asked for. Empty for API keys. */
  scopes: readonly string[]
  /** Scopes that were asked for and not granted, by canonical name. */
  missingScopes: readonly string[]
  /** Scopes that were granted and not requested. Absent when there are none. */
  extraScopes?: readonly string[]
  status: AccountStatus
  reason?: Reason
  /** When the access token ends, in milliseconds since the epoch, by this browser's clock. Absent: it does not say. */
  expiresAt?: number
  /** When the access token came, by the same clock. */
  issuedAt?: number
  /** A refresh token is held, so the end of the access token is not the end of the account. */
  renewable: boolean
  /** Milliseconds since the epoch. */
  connectedAt: number
  /** `vault`: its secret is on the server, and this browser has the facts alone. */
  custody?: 'vault'
  /**
   * Another one after every reconnect, and the same after a refresh: a yes to a use of this account holds for one of them.
   * Absent outside of a vault.
   */
  generation?: number
  /** What the MCP server of this account says of itself. Absent until it was asked. */
  server?: McpServerFacts
  /** Counts the secret's versions, so a tab notices when its copy in memory is an old one. */
  rev: number
}

/** What a provider is doing. */
export interface ProviderState {
  status: 'loading' | 'idle' | 'connecting'
  reason?: Reason
  /** Why the last connect failed; cleared by the next. */
  error?: LatchkeyError
  /** A reconnect came back as a different person: `resolveChange` decides what happens to both accounts. */
  changed?: { from: ConnectedAccount; to: ConnectedAccount }
}

/** How secrets rest: `design` word of the storage in use. */
export type Custody = 'sealed' | 'plain' | 'session' | 'memory' | 'vault'

/** Everything a UI can know, immutable, and never a secret. Unchanged parts keep their identity. */
export interface Snapshot {
  /** `loading` until storage was read (and on a server). */
  status: 'loading' | 'ready'
  /** By account id. */
  accounts: Readonly<Record<string, ConnectedAccount>>
  /** Provider id → id of its default account. */
  defaults: Readonly<Record<string, string>>
  /** Provider id → what it is doing. A provider that is not in here is idle. */
  providers: Readonly<Record<string, ProviderState>>
  /** Agent id → ids of the providers and accounts it may not use. */
  excluded: Readonly<Record<string, readonly string[]>>
  /** What running tools wait for, one per provider. */
  requests: readonly ConnectRequest[]
  custody: Custody
  /** `unavailable`: storage refused, so accounts last until the page closes; a UI must say so. */
  persistence: 'available' | 'unavailable'
}

/** The snapshot of a server and of the first render: nothing was read yet. */
export const LOADING: Snapshot = {
  status: 'loading',
  accounts: {},
  defaults: {},
  providers: {},
  excluded: {},
  requests: [],
  custody: 'sealed',
  persistence: 'available',
}

/** The vanilla store of account facts. It knows no network, no storage and no secret. */
export const createAccounts = () => createStore<Snapshot>(() => LOADING)

const IDLE: ProviderState = { status: 'idle' }
const BUSY: ProviderState = { status: 'loading' }

/** What a provider is doing in this snapshot. */
export function providerState(snapshot: Snapshot, providerId: string): ProviderState {
  return snapshot.status === 'loading' ? BUSY : (snapshot.providers[providerId] ?? IDLE)
}

/** A provider's default account: the chosen one, else its oldest. */
export function defaultAccount(snapshot: Snapshot, providerId: string): ConnectedAccount | undefined {
  const chosen = snapshot.accounts[snapshot.defaults[providerId] ?? '']
  if (chosen?.provider === providerId) return chosen
  return accountsOf(snapshot, providerId)[0]
}

const byProvider = new WeakMap<Snapshot['accounts'], Map<string, ConnectedAccount[]>>()
const NONE: readonly ConnectedAccount[] = []

/** A provider's accounts, oldest first. Sorted once per change: with many providers every card asks. */
export function accountsOf({ accounts }: Snapshot, providerId: string): readonly ConnectedAccount[] {
  let index = byProvider.get(accounts)
  if (!index) {
    index = new Map()
    const oldestFirst = Object.values(accounts).sort(
      (a, b) => a.connectedAt - b.connectedAt || a.id.localeCompare(b.id),
    )
    for (const account of oldestFirst) {
      index.set(account.provider, [...(index.get(account.provider) ?? []), account])
    }
    byProvider.set(accounts, index)
  }
  return index.get(providerId) ?? NONE
}

/** A card's `data-status`: `connecting` if so, else its worst account's word, else `disconnected`. */
export type CardStatus = AccountStatus | 'loading' | 'connecting' | 'disconnected'

const WORST_FIRST: AccountStatus[] = ['needs-reconnect', 'expiring', 'paused', 'connected']

/** The status of a provider as one word: what runs now, else the worst status among its accounts. */
export function cardStatus(snapshot: Snapshot, providerId: string): CardStatus {
  const { status } = providerState(snapshot, providerId)
  if (status !== 'idle') return status
  const words = accountsOf(snapshot, providerId).map((account) => account.status)
  return WORST_FIRST.find((word) => words.includes(word)) ?? 'disconnected'
}

/** The snapshot with another default account of its provider. */
export function withDefault(snapshot: Snapshot, { id, provider }: ConnectedAccount): Snapshot {
  return { ...snapshot, defaults: { ...snapshot.defaults, [provider]: id } }
}

/** The snapshot with one provider's state replaced. */
export function withProvider(snapshot: Snapshot, providerId: string, state: ProviderState | undefined): Snapshot {
  const { [providerId]: _old, ...providers } = snapshot.providers
  return { ...snapshot, providers: state ? { ...providers, [providerId]: state } : providers }
}

const EXPIRING = 5 * 60_000

/** When an account that nothing can refresh starts to say so: 5 minutes or 10 % of its life before its end. */
const expiringAt = ({ expiresAt = 0, issuedAt, connectedAt }: ConnectedAccount) =>
  expiresAt - Math.max(0, Math.min(EXPIRING, (expiresAt - (issuedAt ?? connectedAt)) / 10))

/** Whether time alone gives this account its word. */
const ticks = ({ status, renewable, expiresAt }: ConnectedAccount) =>
  !renewable && expiresAt !== undefined && (status === 'connected' || status === 'expiring')

/** The account as it is at this time; the same object when nothing changed. */
export function wordAt(account: ConnectedAccount, now: number): ConnectedAccount {
  if (!ticks(account)) return account
  if ((account.expiresAt ?? 0) <= now) return { ...account, status: 'needs-reconnect', reason: 'expired' }
  const status = expiringAt(account) <= now ? 'expiring' : 'connected'
  return status === account.status ? account : { ...account, status }
}

/** When time changes this account's word next; Infinity when it does not. */
export function nextWord(account: ConnectedAccount, now: number): number {
  if (!ticks(account)) return Number.POSITIVE_INFINITY
  const at = expiringAt(account)
  return at > now ? at : (account.expiresAt ?? 0)
}
