import { createPage, type LatchkeyOptions, type Page } from './accounts/page.ts'
import type { AccountTarget } from './accounts/tokens.ts'
import { type ConnectOptions, type ConnectOutcome, createAttempts } from './connect/flow.ts'
import { hasFlows, tried } from './connect/window.ts'
import type { ClientActions, Engine } from './engine.ts'
import { asLatchkeyError, LatchkeyError } from './errors.ts'
import { once } from './once.ts'
import type { OAuthProvider, Provider } from './provider.ts'
import { type ConnectedAccount, type Snapshot, withDefault } from './snapshot.ts'

/** The engine of a page's accounts. Framework-free; `@latchkey/react` gives it a face. */
export interface LatchkeyClient<Id extends string = string> extends ClientActions<Id> {
  readonly providers: readonly Provider[]
  /**
   * Connects an account of an OAuth provider or MCP server. Call it inside the click: the window opens before anything
   * is awaited. A second call while one is under way joins it.
   *
   * @throws LatchkeyError for everything that is not the person's choice.
   */
  connect(providerId: Id, options?: ConnectOptions): Promise<ConnectOutcome>
  /**
   * An authorization URL to open elsewhere in this browser profile. The flow waits for its answer as one with a window
   * does, and the card shows how it ends.
   */
  connectLink(providerId: Id, options?: Pick<ConnectOptions, 'scopes' | 'accountId'>): Promise<string>
  /** Connects the account again, keeping its place. A new key for one of an API key provider: `connectKey`. */
  reconnect(accountId: string, options?: Pick<ConnectOptions, 'mode' | 'signal'>): Promise<ConnectOutcome>
  /** Ends the provider's flow under way; its `connect` resolves to `cancelled`. */
  cancel(providerId: Id): void
  /** Loads what `connect` will need. Call it on hover or focus. */
  prepare(providerId: Id): void
  /** Finishes a redirect flow: the one whose answer `url` holds, or the one the callback page left. */
  handleRedirect(url?: string): Promise<ConnectOutcome | undefined>
  /**
   * Forgets everything of this person of the app on this device: accounts, settings, flows, secrets and their key, in
   * all tabs. Nothing is revoked at the providers; `disconnectAll` does that.
   */
  signOut(): Promise<void>
  /** Says no to what tools request of a provider. */
  cancelRequest(providerId: Id): void
  /**
   * Lets an agent use a provider's accounts, or not. All are included until excluded.
   *
   * @param target a provider id, or `{ accountId }` for one of several accounts. It is used only if its provider is included, too.
   */
  setIncluded(agentId: string, target: AccountTarget<Id>, included: boolean): void
  setDefault(accountId: string): void
  /**
   * Replaces the providers; flows and accounts of those that stay go on. An account of one that is at another address
   * now needs to be connected again. A second provider with an id is left out, with a message in the console.
   */
  setProviders(providers: readonly Provider[]): void
  getSnapshot(): Snapshot
  /** Calls back when the snapshot changes, and does nothing else. Returns what ends it. */
  subscribe(listener: () => void): () => void
  /**
   * Starts what a page does while it is open: it follows other tabs, keeps accounts fresh, and goes on with flows that
   * began before a reload. Several mounts are one. Returns what ends it, and with the last mount every flow.
   */
  mount(): () => void
}

/**
 * Makes a client. It reads storage at once, so accounts are there on the first paint. What writes, refreshes or talks to
 * a server is loaded on first use.
 *
 * @throws LatchkeyError `misuse` for two providers with one id.
 */
export function createLatchkey<const Known extends readonly Provider[]>(
  options: LatchkeyOptions & { providers: Known },
): LatchkeyClient<Known[number]['id']> {
  const page = createPage(options)
  const { store } = page
  let engine: Engine | undefined
  const load = once(async () => {
    try {
      engine = (await import('./engine.ts')).createEngine(page, attempts)
      return engine
    } catch (cause) {
      throw asLatchkeyError(cause, 'network', 'The app could not be loaded in full.', { source: 'app', next: 'reload' })
    }
  })
  const attempts = createAttempts(page, async () => (await load()).run())

  /** In this very tick once the engine is there. */
  const act = <T>(use: (engine: Engine) => Promise<T>): Promise<T> => (engine ? use(engine) : load().then(use))
  const forward = <Name extends keyof ClientActions>(...names: Name[]) =>
    Object.fromEntries(
      names.map((name) => [
        name,
        (...given: never[]) => act((it) => (it[name] as (...given: never[]) => Promise<unknown>)(...given)),
      ]),
    ) as Pick<ClientActions, Name>
  const write = (use: (engine: Engine) => Promise<void>) => void act(use).catch(page.unavailable)

  const announce = () => {
    const lacking = page.providers.filter(page.lacksBroker)
    if (lacking.length > 0) act((it) => it.announce(lacking)).catch(() => {})
  }
  /** In this very tick, where a window may be opened. */
  const begin = async <T>(id: string, open: (provider: OAuthProvider) => Promise<T>): Promise<T> => {
    const provider = page.find(id)
    return provider.kind === 'api-key' || page.lacksBroker(provider) ? act((it) => it.refuse(provider)) : open(provider)
  }
  const signOutTab = (everywhere: boolean) => {
    for (const { end } of attempts.running.values()) end.abort()
    page.empty()
    return act((it) => it.wipe(everywhere))
  }
  const channel = openChannel(`${page.prefix}:signout`, () => void signOutTab(false).catch(page.unavailable))
  page.read()
  announce()

  const client: LatchkeyClient = {
    get providers() {
      return page.providers
    },
    connect: (id, connect = {}) => begin(id, (provider) => attempts.connect(provider, connect)),
    connectLink: (id, connect = {}) => begin(id, (provider) => attempts.link(provider, connect)),
    async reconnect(accountId, connect) {
      return client.connect(page.findAccount(accountId).provider, { ...connect, accountId })
    },
    cancel(id) {
      const attempt = attempts.running.get(id)
      if (attempt) attempt.end.abort()
      else if (store.getState().providers[id]?.changed) client.resolveChange(id, 'cancel').catch(() => {})
      else if (!page.lacksBroker(page.find(id))) page.setProvider(id)
    },
    prepare(providerId) {
      const provider = page.find(providerId)
      // What fails here fails again in connect, which tells the person.
      // Offline a chunk would fail, and a browser does not ask for it again.
      if (!page.lacksBroker(provider) && navigator.onLine !== false) act((it) => it.prepare(provider)).catch(() => {})
    },
    async handleRedirect(url) {
      if (url !== undefined) return act((it) => it.answer(url))
      return engine || hasFlows() ? act((it) => it.resume()) : undefined
    },
    async signOut() {
      channel?.postMessage('signed out')
      await signOutTab(true)
    },
    cancelRequest(id) {
      const { requests } = store.getState()
      store.setState({ requests: requests.filter(({ provider }) => provider !== id) })
    },
    setIncluded(agentId, target, included) {
      const { excluded } = store.getState()
      const id = typeof target === 'string' ? target : target.accountId
      const next = (excluded[agentId] ?? []).filter((one) => one !== id)
      if (!included) next.push(id)
      store.setState({ excluded: { ...excluded, [agentId]: next } })
      write((it) => it.writeExcluded(agentId, next))
    },
    setDefault(id) {
      const account = page.findAccount(id)
      store.setState(withDefault(store.getState(), account))
      write((it) => it.writeDefault(account))
    },
    setProviders(next) {
      page.list(next)
      announce()
      engine?.resumeAgain()
      // A new snapshot, so that a UI draws the providers again.
      store.setState({})
    },
    getSnapshot: store.getState,
    subscribe: store.subscribe,
    mount: createMount(page, load),
    getToken: (target, tokenOptions) => act((it) => it.getToken(target, tokenOptions)),
    ...forward(
      'mcp',
      'pause',
      'unpause',
      'disconnect',
      'disconnectAll',
      'connectKey',
      'verifyKey',
      'requestConnect',
      'reportInvalidToken',
      'refreshProfile',
      'resolveChange',
      'getIdentities',
      'getAgentAccounts',
      'getConnectedAccounts',
    ),
  }
  engines.set(client, load)
  return client
}

const engines = new WeakMap<LatchkeyClient, () => Promise<Engine>>()

/**
 * Takes over the accounts that agent-runtimes left in this browser, once: those of configured providers that have none
 * here. Its entry, which holds tokens as plain text, is removed. Call it at start in an app that used agent-runtimes.
 *
 * @returns the accounts that came.
 * @throws LatchkeyError `misuse` for a client that `createLatchkey` did not make.
 */
export async function importIdentities(client: LatchkeyClient): Promise<ConnectedAccount[]> {
  const load = engines.get(client)
  if (!load) throw new LatchkeyError('misuse', 'importIdentities() takes a client that createLatchkey() made.')
  return (await load()).importIdentities()
}

/** What a page does while it is open. The engine loads with the first account or flow. */
function createMount(page: Page, load: () => Promise<Engine>): LatchkeyClient['mount'] {
  const { read, records, storage, store } = page
  let mounts = 0
  let ending: AbortController
  function begin(): AbortController {
    const life = new AbortController()
    page.life = life.signal
    let awake = false
    const wake = () => {
      const { accounts, custody } = store.getState()
      // Where accounts were once, there may be rows to remove.
      const had = () => storage.getItem(records.key('v'))
      if (awake || !(Object.keys(accounts)[0] || custody === 'vault' || hasFlows() || tried(had, null))) return
      awake = true
      load().then(
        (engine) => life.signal.aborted || engine.start(life.signal),
        () => {
          awake = false
        },
      )
    }
    const [unhear, unwatch] = [records.subscribe(read), store.subscribe(wake)]
    life.signal.onabort = () => {
      unhear?.()
      unwatch()
    }
    read()
    wake()
    return life
  }
  return () => {
    if (mounts++ === 0) ending = begin()
    let mounted = true
    return () => {
      if (mounted && --mounts === 0) ending.abort()
      mounted = false
    }
  }
}

/** Hears that another tab signed out, in a browser that has such channels. A server process that ends is not held up. */
function openChannel(name: string, heard: () => void): BroadcastChannel | undefined {
  if (typeof document === 'undefined' || typeof BroadcastChannel === 'undefined') return undefined
  const channel = new BroadcastChannel(name)
  channel.onmessage = ({ data }) => {
    if (data === 'signed out') heard()
  }
  ;(channel as { unref?: () => void }).unref?.()
  return channel
}
