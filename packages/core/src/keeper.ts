import {
  type Account,
  createAccounts,
  type ProviderState,
  type Reason,
  type Snapshot,
  withAccount,
  withoutAccount,
  withProvider,
} from './accounts.ts'
import { LatchkeyError } from './errors.ts'
import type { Provider } from './provider.ts'
import { createRecords } from './records.ts'
import type { AppMetadata } from './registration.ts'
import { keySeal, openDatabase, plainSeal } from './seal.ts'
import { createSecrets, type Held, type Secret } from './secrets.ts'
import { localStorageStore, type StateStorage } from './storage.ts'

export interface LatchkeyOptions {
  providers: readonly Provider[]
  /** Base URL of the broker, such as `/api/latchkey`. */
  broker?: string
  /** Where accounts rest. Default: {@link localStorageStore}. */
  storage?: StateStorage
  /** Default: `{broker}/callback`. Must be of the page's own origin. @see RFC 6749 §3.1.2 */
  redirectUri?: string
  /** Starts every storage key: one per person of the app, when several share a browser. Default: `latchkey`. */
  prefix?: string
  /** How this app introduces itself to MCP servers' authorization servers. */
  app?: AppMetadata
}

/** A page's accounts: facts in a store, secrets apart, and the few ways in which both change together. */
export type Keeper = ReturnType<typeof createKeeper>

export function createKeeper(options: LatchkeyOptions) {
  const { prefix = 'latchkey', storage = localStorageStore() } = options
  const store = createAccounts()
  const records = createRecords(storage, prefix)
  const database = openDatabase(prefix)
  const tab = storage.scope === 'tab'
  const plain = storage.secrets === 'plain'
  const secrets = createSecrets({
    prefix,
    seal: plain ? plainSeal : keySeal(database),
    database: tab ? undefined : database,
    copy: async (id) => (await records.read(id))?.sealed,
  })
  let providers = unique(options.providers)

  store.setState({ custody: tab ? (plain ? 'memory' : 'session') : plain ? 'plain' : 'sealed' })
  if (plain && !tab) {
    console.warn('Latchkey: dangerouslyPlaintext writes tokens and keys to storage as they are. Do not ship this.')
  }

  const update = (change: (snapshot: Snapshot) => Snapshot) => store.setState(change, true)
  const unavailable = () => store.setState({ persistence: 'unavailable' })
  // Accounts that storage refused live on in this page only.
  const unwritten = new Set<string>()

  const keep = async (account: Account, sealed?: string) => {
    try {
      await records.write(account, sealed)
      if (unwritten.delete(account.id) && unwritten.size === 0) store.setState({ persistence: 'available' })
    } catch {
      unwritten.add(account.id)
      unavailable()
    }
    update((snapshot) => withAccount(snapshot, account))
  }

  /** Changes an account's word, if it is still there. */
  const mark = async (id: string, status: Account['status'], reason: Reason, sealed?: string) => {
    const account = store.getState().accounts[id]
    if (account) await keep({ ...account, status, reason }, sealed)
  }

  return {
    options,
    store,
    records,
    secrets,
    unavailable,
    /** Writes facts alone; the secret stays as it is. */
    keep,
    get providers() {
      return providers
    },
    set providers(next: readonly Provider[]) {
      providers = unique(next)
    },
    setProvider(id: string, state?: ProviderState) {
      update((snapshot) => withProvider(snapshot, id, state))
    },
    /** Reads storage: at start, and when another tab changed it. In the same tick when storage is sync. */
    read() {
      const ready = (loaded: Pick<Snapshot, 'accounts' | 'defaults' | 'excluded'>) =>
        update((snapshot) => {
          const accounts: Record<string, Account> = {}
          for (const [id, account] of Object.entries(loaded.accounts)) {
            const old = snapshot.accounts[id]
            const next = lapsed(account)
            // Unchanged accounts keep their identity, so their cards do not render again.
            accounts[id] = old && JSON.stringify(old) === JSON.stringify(next) ? old : next
          }
          for (const id of unwritten) {
            const account = snapshot.accounts[id]
            if (account) accounts[id] = account
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
    /** Keeps an account and its secret, under its lock: database, storage, memory, and only then is it handed out. */
    async save(account: Account, secret: Secret): Promise<Account> {
      try {
        const { rev, sealed } = await secrets.write(account, secret)
        const saved = { ...account, rev }
        await keep(saved, sealed)
        return saved
      } catch {
        unwritten.add(account.id)
        unavailable()
        const held = { ...account, rev: secrets.hold(account, secret) }
        update((snapshot) => withAccount(snapshot, held))
        return held
      }
    },
    /** Removes the facts; the secret is removed under the lock. */
    async forget(id: string) {
      unwritten.delete(id)
      update((snapshot) => withoutAccount(snapshot, id))
      await records.remove(id).catch(unavailable)
    },
    mark,
    /** An account's secret. One that is lost, and that nobody took away, costs the account its word. */
    async open(account: Account): Promise<Held> {
      const held = await secrets.read(account)
      if (held) return held
      const { id, provider, label } = account
      // Another tab ended it, and storage may hear of it later than the database.
      if (held === null) throw gone(id)
      await mark(id, 'needs-reconnect', 'secret_unavailable')
      throw new LatchkeyError('secret_unavailable', `This browser lost the key to ${label}.`, {
        provider,
        account: id,
        next: 'reconnect',
      })
    },
    find(id: string): Provider {
      const provider = providers.find((candidate) => candidate.id === id)
      if (provider) return provider
      throw new LatchkeyError('misuse', `There is no provider "${id}". Add it to the providers of createLatchkey().`, {
        provider: id,
        next: 'configure',
      })
    },
    findAccount(id: string): Account {
      const account = store.getState().accounts[id]
      if (account) return account
      throw gone(id)
    },
  }
}

const gone = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected any more.', { account, next: 'connect' })

function unique(providers: readonly Provider[]): readonly Provider[] {
  const ids = providers.map(({ id }) => id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice) {
    throw new LatchkeyError('misuse', `Two providers have the id "${twice}". Give one of them another id.`, {
      next: 'configure',
    })
  }
  return providers
}

/** An account whose access ended while nobody looked, and that nothing can refresh. */
const lapsed = (account: Account): Account =>
  account.status === 'connected' &&
  !account.renewable &&
  account.expiresAt !== undefined &&
  account.expiresAt <= Date.now()
    ? { ...account, status: 'needs-reconnect', reason: 'expired' }
    : account

/** Whether a secret can be used for some seconds more. A token without an end is used until a server refuses it. */
export const lives = (secret: Secret, seconds: number): boolean =>
  secret.fields !== undefined || (secret.expiresAt ?? Number.MAX_VALUE) - seconds * 1000 > Date.now()
