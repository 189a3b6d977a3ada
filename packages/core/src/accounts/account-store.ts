import { flows } from '../connect/popup.ts'
import { LatchkeyError } from '../errors.ts'
import type { AppMetadata } from '../mcp/registration.ts'
import type { Provider } from '../provider.ts'
import {
  type ConnectedAccount,
  createAccounts,
  type ProviderState,
  type Reason,
  type Snapshot,
  withAccount,
  withoutAccount,
  withProvider,
  wordAt,
} from '../snapshot.ts'
import { localStorageStore, type StateStorage } from '../storage.ts'
import { createRecords } from './account-records.ts'
import { bindingChange, pausedStatus } from './account-rules.ts'
import { keySeal, openDatabase, plainSeal } from './seal.ts'
import { createSecrets, type Held, type Notes, type Secret } from './secret-store.ts'

/** What `createLatchkey` is made with. */
export interface LatchkeyOptions {
  providers: readonly Provider[]
  /** Base URL of the broker, such as `/api/latchkey`. */
  broker?: string
  /**
   * `vault`: the broker keeps accounts, so those that this browser does not know yet are asked for at start. Without it
   * the page learns who keeps them when somebody connects one.
   */
  custody?: 'vault'
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

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
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
  let { providers } = options
  const repeated = repeatedId(providers)
  if (repeated) throw twoOf(repeated)

  const here = tab ? (plain ? 'memory' : 'session') : plain ? 'plain' : 'sealed'
  store.setState({ custody: options.custody ?? here })
  if (plain && !tab) {
    console.warn(
      'Latchkey: dangerouslyPlaintext writes tokens and keys to storage as they are. Do not ship this. See "Custody" in the README of @latchkey/core.',
    )
  }

  const update = (change: (snapshot: Snapshot) => Snapshot) => store.setState(change, true)
  const unavailable = () => store.setState({ persistence: 'unavailable' })
  // Accounts that storage refused live on in this page only.
  const unwritten = new Set<string>()

  /** Accounts that are being paused, or not any more, before the database knows. */
  const turning = new Map<string, boolean>()
  /** Why an account is not for its provider as the page lists it now. The server decides about what it keeps. */
  const changed = (account: ConnectedAccount) => {
    const provider = account.custody === 'vault' ? undefined : providers.find(({ id }) => id === account.provider)
    return provider && bindingChange(provider, account)
  }
  /** The account as it is now. It is kept as it was: listed as before, its provider gets it back. */
  const asNow = (account: ConnectedAccount): ConnectedAccount => {
    const reason = changed(account)
    return reason && account.status !== 'paused'
      ? { ...account, status: 'needs-reconnect', reason }
      : wordAt(account, Date.now())
  }
  /** How often this page was wiped: what began before then is not kept. */
  let epoch = 0

  const keep = async (account: ConnectedAccount, sealed?: string, fresh?: boolean) => {
    const began = epoch
    try {
      await records.write(account, sealed, fresh)
      if (unwritten.delete(account.id) && unwritten.size === 0) store.setState({ persistence: 'available' })
    } catch {
      unwritten.add(account.id)
      unavailable()
    }
    // Disconnected while it was written: then this is old news.
    update((snapshot) =>
      began === epoch && (fresh || snapshot.accounts[account.id]) ? withAccount(snapshot, asNow(account)) : snapshot,
    )
  }

  /** Changes facts of an account, if it is still there, on top of the newest that are known. */
  const change = async (
    id: string,
    next: (account: ConnectedAccount) => ConnectedAccount,
    sealed?: string,
    always?: boolean,
  ) => {
    // Storage may still show an account that another tab has disconnected: the database knows.
    const gone = !unwritten.has(id) && (await secrets.mark(id)) === 'gone'
    if (gone) update((snapshot) => withoutAccount(snapshot, id))
    const ours = store.getState().accounts[id]
    if (!ours) return
    const theirs = (await records.read(id).catch(() => undefined))?.account
    const newest = theirs && theirs.rev > ours.rev ? theirs : ours
    const changed = next(newest)
    if (always || JSON.stringify(changed) !== JSON.stringify(ours)) await keep(changed, sealed)
  }

  /** Changes an account's word, and while it is paused only the reason. */
  const mark = (id: string, status: ConnectedAccount['status'], reason: Reason | undefined, sealed?: string) =>
    change(id, (account) => ({ ...account, status: account.status === 'paused' ? 'paused' : status, reason }), sealed)

  return {
    options,
    prefix,
    store,
    records,
    secrets,
    /** Shared by all tabs; absent where the storage belongs to one. */
    database: tab ? undefined : database,
    unavailable,
    change,
    get epoch() {
      return epoch
    },
    get providers() {
      return providers
    },
    /** A second provider with an id is left out, so that what a page adds later cannot end it. */
    set providers(next: readonly Provider[]) {
      const repeated = repeatedId(next)
      if (repeated) console.error(`Latchkey: ${twoOf(repeated).message}`)
      providers = next.filter(({ id }, at) => next.findIndex((one) => one.id === id) === at)
      const accounts = Object.values(store.getState().accounts)
      for (const account of accounts) {
        if (changed(account) !== undefined) update((snapshot) => withAccount(snapshot, asNow(account)))
        // Listed again as it was, it is what storage says.
        else if (account.reason === 'issuer_changed' || account.reason === 'resource_changed') this.read()
      }
    },
    setProvider(id: string, state?: ProviderState) {
      update((snapshot) => withProvider(snapshot, id, state))
    },
    /** Reads storage: at start, and when another tab changed it. In the same tick when storage is sync. */
    read() {
      const ready = (loaded: Pick<Snapshot, 'accounts' | 'defaults' | 'excluded'>) =>
        update((snapshot) => {
          const accounts: Record<string, ConnectedAccount> = {}
          for (const [id, account] of Object.entries(loaded.accounts)) {
            const old = snapshot.accounts[id]
            const next = asNow(account)
            // Unchanged accounts keep their identity, so their cards do not render again.
            accounts[id] = old && JSON.stringify(old) === JSON.stringify(next) ? old : next
          }
          for (const id of unwritten) {
            const account = snapshot.accounts[id]
            if (account) accounts[id] = asNow(account)
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
    /**
     * Keeps an account and its secret, under its lock: database, storage, memory, and only then is it handed out.
     *
     * @param notes given for an account that a person connects; a renewed one stays what it is.
     */
    async save(account: ConnectedAccount, secret: Secret, notes?: Notes): Promise<ConnectedAccount> {
      const fresh = notes !== undefined
      try {
        const { rev, sealed, paused } = await secrets.write(account, secret, notes)
        const saved = { ...account, rev }
        const stays = fresh ? undefined : (turning.get(account.id) ?? paused)
        // Tabs agree on this by the database; where there is none, the account says it.
        if (stays) saved.status = 'paused'
        else if (stays === false && saved.status === 'paused') saved.status = 'connected'
        await keep(saved, sealed, fresh || unwritten.has(account.id))
        return saved
      } catch {
        unwritten.add(account.id)
        unavailable()
        const held = { ...account, rev: secrets.hold(account, secret) }
        update((snapshot) => withAccount(snapshot, asNow(held)))
        return held
      }
    },
    /** Keeps facts of an account whose secret is on the server. What is paused here stays paused. */
    async keepVaulted(account: ConnectedAccount): Promise<ConnectedAccount> {
      const paused = store.getState().accounts[account.id]?.status === 'paused'
      const kept: ConnectedAccount = paused ? { ...account, status: 'paused' } : account
      await keep(kept, '', true)
      return kept
    },
    /** Removes the facts; the secret is removed under the lock. */
    async forget(id: string) {
      unwritten.delete(id)
      update((snapshot) => withoutAccount(snapshot, id))
      await records.remove(id).catch(unavailable)
    },
    mark,
    setDefault({ id, provider }: ConnectedAccount) {
      store.setState({ defaults: { ...store.getState().defaults, [provider]: id } })
      records.writeDefault(provider, id).catch(unavailable)
    },
    /**
     * Takes over what the database knows of an account and storage has not told yet.
     *
     * @throws LatchkeyError `access_denied` when another tab paused it.
     */
    async catchUp({ id, label, provider }: ConnectedAccount, { rev, secret, paused }: Held): Promise<void> {
      const expiresAt = secret.token && secret.expiresAt
      await change(id, (account) => ({
        ...account,
        ...(paused && { status: 'paused' as const }),
        ...(rev > account.rev && { rev, expiresAt, renewable: secret.token?.refresh_token !== undefined }),
      }))
      if (paused) throw pausedError(id, label, provider)
    },
    pausedError,
    async pause(id: string, paused: boolean): Promise<void> {
      const turned = (account: ConnectedAccount): ConnectedAccount => ({
        ...account,
        status: pausedStatus(account, paused),
      })
      const account = store.getState().accounts[id]
      if (!account) throw gone(id)
      turning.set(id, paused)
      // Stopped at once; written under the lock, after a refresh that may be under way in another tab.
      if (paused) update((snapshot) => withAccount(snapshot, turned(account)))
      await secrets.exclusive(id, async () => {
        await secrets.note(id, { paused }).catch(unavailable)
        await change(id, turned, undefined, true)
        if (turning.get(id) === paused) turning.delete(id)
      })
    },
    /** Forgets everything; `everywhere` also what all tabs share. */
    async wipe(everywhere: boolean): Promise<void> {
      epoch += 1
      secrets.forget()
      unwritten.clear()
      flows.clear(prefix)
      const { providers: states } = store.getState()
      const kept = Object.entries(states).filter(([, { error }]) => error?.code === 'not_configured')
      store.setState({ accounts: {}, defaults: {}, excluded: {}, requests: [], providers: Object.fromEntries(kept) })
      if (everywhere || tab) await records.clear().catch(unavailable)
      // The key of a session's secrets, too: its other tabs are emptied as well.
      if (everywhere && !(tab && plain)) await database.clear().catch(unavailable)
    },
    /** An account's secret. One that is lost, and that nobody took away, costs the account its word. */
    async open(account: ConnectedAccount): Promise<Held> {
      if (changed(account)) {
        throw new LatchkeyError('invalid_token', `${account.label} was connected at another address.`, {
          provider: account.provider,
          account: account.id,
          next: 'reconnect',
        })
      }
      const held = await secrets.read(account)
      if (held) return held
      const { id, provider, label } = account
      // Another tab ended it, and storage may hear of it later than the database.
      if (held === null) throw gone(id)
      if ((await secrets.mark(id)) === 'ended') {
        await mark(id, 'needs-reconnect', 'revoked')
        throw new LatchkeyError('invalid_token', `${label} has to be connected again.`, { provider, account: id })
      }
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
    findAccount(id: string): ConnectedAccount {
      const account = store.getState().accounts[id]
      if (account) return account
      throw gone(id)
    },
  }
}

const pausedError = (account: string, label: string, provider: string) =>
  new LatchkeyError('access_denied', `${label} is paused.`, { account, provider, next: 'unpause' })

const gone = (account: string) =>
  new LatchkeyError('login_required', 'This account is not connected any more.', { account, next: 'connect' })

const repeatedId = (providers: readonly Provider[]) =>
  providers.find(({ id }, at) => providers.findIndex((one) => one.id === id) !== at)?.id

const twoOf = (id: string) =>
  new LatchkeyError('misuse', `Two providers have the id "${id}". Give one of them another id.`, { next: 'configure' })
