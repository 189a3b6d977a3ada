import type { StoreApi } from 'zustand/vanilla'
import { errorAbout, LatchkeyError } from '../errors.ts'
import type { Provider } from '../provider.ts'
import type { ConnectedAccount, ProviderState, Snapshot } from '../snapshot.ts'
import { createAccounts, withProvider, wordAt } from '../snapshot.ts'
import { localStorageStore, type StateStorage } from '../storage.ts'
import { createRecords, type Loaded, type Records } from './account-records.ts'
import { bindingChange } from './binding.ts'

/** How this app introduces itself. @see RFC 7591 §2 */
export interface AppMetadata {
  /** @default 'Latchkey' */
  client_name?: string
  client_uri?: string
  logo_uri?: string
  contacts?: readonly string[]
  /**
   * URL of this app's client ID metadata document, used as its client id where the server supports that.
   *
   * @see OAuth Client ID Metadata Document
   */
  clientMetadataUrl?: string
}

/** What `createLatchkey` is made with. */
export interface LatchkeyOptions {
  providers: readonly Provider[]
  /** Base URL of the broker, such as `/api/latchkey`. */
  broker?: string
  /**
   * `vault`: the broker keeps accounts, so those that this browser does not know yet are asked for at start. Without it
   * the page learns who keeps them when a person connects one.
   */
  custody?: 'vault'
  /** Where accounts rest. @default {@link localStorageStore}`()` */
  storage?: StateStorage
  /** Must be of the page's own origin. @default '{broker}/callback' @see RFC 6749 §3.1.2 */
  redirectUri?: string
  /** Starts every storage key: one per person of the app, when several share a browser. @default 'latchkey' */
  prefix?: string
  /** How this app introduces itself to MCP servers' authorization servers. */
  app?: AppMetadata
}

/** The part of a client that is there on the first paint. It reads accounts and shows them; it writes and sends nothing. */
export interface Page {
  readonly options: LatchkeyOptions
  readonly prefix: string
  readonly storage: StateStorage
  readonly store: StoreApi<Snapshot>
  readonly records: Records
  providers: readonly Provider[]
  /** Accounts that storage refused: they live on in this page only. */
  readonly unwritten: Set<string>
  /** Ends with the last mount, of those that there are now. */
  life?: AbortSignal
  /** Counts sign-outs. What began before one is not kept. */
  epoch: number
  /** Replaces the providers. A second one with an id is left out: what a page adds later cannot end the page. */
  list(providers: readonly Provider[]): void
  /** Reads storage, at start and when another tab changed it. In the same tick when storage is sync. */
  read(): void
  /** Why an account is not for its provider as the page lists it now. The server decides about what it keeps. */
  changeOf(account: ConnectedAccount): 'issuer_changed' | 'resource_changed' | undefined
  /** The account as it is now. It is kept as it was: listed as before, its provider gets it back. */
  asNow(account: ConnectedAccount): ConnectedAccount
  /** Shows nothing of this person any more. */
  empty(): void
  setProvider(id: string, state?: ProviderState): void
  /** Says that storage refused. */
  unavailable(): void
  /** Whether the provider's client has a secret, and this page names no broker that keeps it. */
  lacksBroker(provider: Provider): boolean
  /** @throws LatchkeyError `misuse` for a provider that this page does not have. */
  find(id: string): Provider
  /** @throws LatchkeyError `login_required` for an account that is not there any more. */
  findAccount(id: string): ConnectedAccount
}

export function createPage(options: LatchkeyOptions): Page {
  const { prefix = 'latchkey', storage = localStorageStore() } = options
  const store = createAccounts()
  const records = createRecords(storage, prefix)
  const unwritten = new Set<string>()
  const [repeated] = repeatedIn(options.providers)
  if (repeated) throw twoOf(repeated)
  store.setState({ custody: options.custody ?? restOf(storage) })

  const update = (change: (snapshot: Snapshot) => Snapshot) => store.setState(change, true)
  const unavailable = () => store.setState({ persistence: 'unavailable' })

  const changeOf: Page['changeOf'] = (account) => {
    const provider = account.custody === 'vault' ? undefined : page.providers.find(({ id }) => id === account.provider)
    return provider && bindingChange(provider, account)
  }
  const asNow: Page['asNow'] = (account) => {
    const reason = changeOf(account)
    return reason && account.status !== 'paused'
      ? { ...account, status: 'needs-reconnect', reason }
      : wordAt(account, Date.now())
  }

  const page: Page = {
    options,
    prefix,
    storage,
    store,
    records,
    unwritten,
    epoch: 0,
    providers: options.providers,
    list(next) {
      const repeated = repeatedIn(next)
      if (repeated[0]) console.error(`Latchkey: ${twoOf(repeated[0]).message}`)
      page.providers = next.filter((provider) => !repeated.includes(provider))
      // An account whose provider moved, or is back where it was, has another status now.
      const isMoved = (account: ConnectedAccount) => changeOf(account) ?? account.reason?.endsWith('_changed')
      if (Object.values(store.getState().accounts).some(isMoved)) page.read()
    },
    changeOf,
    asNow,
    read() {
      const ready = (loaded: Loaded) =>
        update((snapshot) => {
          const accounts: Record<string, ConnectedAccount> = {}
          const unsaved = [...unwritten].flatMap((id) => snapshot.accounts[id] ?? [])
          for (const account of [...Object.values(loaded.accounts), ...unsaved]) {
            const old = snapshot.accounts[account.id]
            const next = asNow(account)
            // Unchanged accounts keep their identity, so their cards do not render again.
            accounts[account.id] = old && JSON.stringify(old) === JSON.stringify(next) ? old : next
          }
          return { ...snapshot, ...loaded, status: 'ready', accounts }
        })
      const failed = () => {
        // On a server there is nothing to read, and the page will read it again.
        if (typeof document !== 'undefined') store.setState({ status: 'ready', persistence: 'unavailable' })
      }
      try {
        const loaded = records.load()
        if (loaded instanceof Promise) loaded.then(ready, failed)
        else ready(loaded)
      } catch {
        failed()
      }
    },
    empty() {
      page.epoch += 1
      unwritten.clear()
      const { providers: states } = store.getState()
      const kept = Object.entries(states).filter(([, { error }]) => error?.code === 'not_configured')
      store.setState({ accounts: {}, defaults: {}, excluded: {}, requests: [], providers: Object.fromEntries(kept) })
    },
    setProvider: (id, state) => update((snapshot) => withProvider(snapshot, id, state)),
    unavailable,
    lacksBroker: (provider) =>
      provider.kind !== 'api-key' && provider.client.token_endpoint_auth_method !== 'none' && !options.broker,
    find(id) {
      const provider = page.providers.find((candidate) => candidate.id === id)
      if (provider) return provider
      throw errorAbout({ id }, 'misuse', `There is no provider "${id}". Add it to the providers of createLatchkey().`)
    },
    findAccount(id) {
      const account = store.getState().accounts[id]
      if (account) return account
      throw gone(id)
    },
  }
  return page
}

/** How secrets rest in this storage. */
function restOf({ scope, secrets }: StateStorage): Snapshot['custody'] {
  if (scope === 'tab') return secrets === 'plain' ? 'memory' : 'session'
  return secrets === 'plain' ? 'plain' : 'sealed'
}

/** The account was disconnected, here or in another tab. */
export const gone = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected any more.', { account })

/** Providers with the id of one before them. */
const repeatedIn = (providers: readonly Provider[]) =>
  providers.filter(({ id }, at) => providers.findIndex((one) => one.id === id) < at)

const twoOf = (provider: Provider) =>
  errorAbout(provider, 'misuse', `Two providers have the id "${provider.id}". Give one another id.`)
