import { accessTokenOf, identityOf, isUsable, lives } from './accounts/account-rules.ts'
import { createKeeper, type LatchkeyOptions } from './accounts/account-store.ts'
import type { DisconnectReceipt } from './accounts/refresh.ts'
import type { ChangeChoice, ConnectKeyOptions, ConnectOptions, ConnectOutcome, Running } from './connect/connect.ts'
import type { RequestOutcome } from './connect/pending-requests.ts'
import { closeWindow, flows, openWindow } from './connect/popup.ts'
import { asLatchkeyError, LatchkeyError } from './errors.ts'
import type { ConnectRequest, Identity } from './identities.ts'
import type { Mcp } from './mcp/accounts.ts'
import type { ApiKeyProvider, KeyFields, OAuthProvider, Provider } from './provider.ts'
import { type ConnectedAccount, defaultAccount, type Snapshot } from './snapshot.ts'

/** A key's verdict. `unchecked`: nobody could say, so the key is kept and tried at first use. */
export interface KeyVerdict {
  status: 'verified' | 'unchecked'
  username?: string
}

/** Which accounts an agent gets. */
export interface IdentityOptions {
  /** Only what this agent may use. */
  agent?: string
  /** Only these providers. */
  providers?: readonly string[]
}

/** A token by its provider id, and until when it is handed out without another look. Milliseconds since the epoch. */
interface Answer {
  target: string
  token: Promise<string>
  until: number
}

/** Seconds a token must still live to be handed out. */
const MIN_VALIDITY = 60

/** An account that the server keeps, as an agent run names it. */
export interface AccountReference {
  /** Provider id. */
  provider: string
  accountId: string
  status: ConnectedAccount['status']
  scopes: string[]
}

/** A provider id, for its default account, or one account. */
export type AccountTarget<Id extends string = string> = Id | { accountId: string }

/** What a token must be good for. */
export interface TokenOptions {
  /** Scopes the token must have; else `insufficient_scope`. */
  scopes?: readonly string[]
  /** Seconds the token must still live. Default: 60. */
  minValidity?: number
}

/** The engine of a page's accounts. Framework-free; `@latchkey/react` gives it a face. */
export interface LatchkeyClient<Id extends string = string> {
  readonly providers: readonly Provider[]
  /**
   * Connects an account of an OAuth provider or MCP server. Call it inside the click: the window opens before anything is awaited. A second call while
   * one is under way joins it.
   *
   * @throws LatchkeyError for everything that is not the person's choice.
   */
  connect(providerId: Id, options?: ConnectOptions): Promise<ConnectOutcome>
  /**
   * Connects an account of an API key provider with the fields that a person entered. With `accountId` the key takes the
   * place of that account's.
   *
   * @throws LatchkeyError `invalid_token` for a key that cannot be right, or that the provider refuses.
   */
  connectKey(providerId: Id, fields: KeyFields, options?: ConnectKeyOptions): Promise<ConnectOutcome>
  /**
   * An authorization URL to open elsewhere in this browser profile. The flow waits for its answer as one with a window
   * does, and the card shows how it ends.
   */
  connectLink(providerId: Id, options?: Pick<ConnectOptions, 'scopes' | 'accountId'>): Promise<string>
  /** Ends the provider's flow under way; its `connect` resolves to `cancelled`. */
  cancel(providerId: Id): void
  /** Loads what `connect` will need. Call it on hover or focus. */
  prepare(providerId: Id): void
  /** Asks the provider about a key without saving it. @throws LatchkeyError `invalid_token` for a key it refuses. */
  verifyKey(providerId: Id, fields: KeyFields): Promise<KeyVerdict>
  /** Finishes a redirect flow: the one whose answer `url` holds, or the one the callback page left. */
  handleRedirect(url?: string): Promise<ConnectOutcome | undefined>
  /** Connects the account again, keeping its place. A new key for one of an API key provider: `connectKey`. */
  reconnect(accountId: string, options?: Pick<ConnectOptions, 'mode' | 'signal'>): Promise<ConnectOutcome>
  /**
   * Answers the question that a reconnect left which came back as somebody else (`changed` of the provider's state).
   * `keep-both` adds the new account, `replace` puts it in place of the old one, which is disconnected, and `cancel`
   * drops it.
   */
  resolveChange(providerId: Id, choice: ChangeChoice): Promise<ConnectOutcome>
  /** Stops the use of an account, here and in other tabs; its secret is kept. */
  pause(accountId: string): Promise<void>
  /** Goes on with a paused account: it is again what it was. */
  unpause(accountId: string): Promise<void>
  /** Removes the account here first, then revokes it at the provider. Never rejects. */
  disconnect(accountId: string): Promise<DisconnectReceipt>
  disconnectAll(): Promise<Record<string, DisconnectReceipt>>
  /**
   * Forgets everything of this person of the app on this device: accounts, settings, flows, secrets and their key, in
   * all tabs. Nothing is revoked at the providers; `disconnectAll` does that.
   */
  signOut(): Promise<void>
  /** A token that lives for `minValidity` seconds more, refreshed once for all callers and tabs. */
  getToken(target: AccountTarget<Id>, options?: TokenOptions): Promise<string>
  /**
   * Says that an API answered 401 to this account's token. It is refreshed; where nothing can refresh it, the account
   * needs to be reconnected and says so. Resolves to the account as it is then.
   *
   * @see RFC 6750 §3.1
   */
  reportInvalidToken(accountId: string): Promise<ConnectedAccount>
  /** The wire form of the accounts an agent may use, freshly refreshed. Accounts that cannot be used are left out. */
  getIdentities(options?: IdentityOptions): Promise<Identity[]>
  /**
   * Shows a tool's request in `requests` of the snapshot until an account answers it. Several for one provider are
   * shown as one. @throws LatchkeyError `misuse` for a provider that this page does not know.
   */
  requestConnect(request: ConnectRequest, options?: { signal?: AbortSignal }): Promise<RequestOutcome>
  /** Says no to what tools request of a provider. */
  cancelRequest(providerId: Id): void
  /**
   * References to the accounts that the server keeps, in place of identities: an agent run carries them, and the server
   * resolves them with the person's session. They are of no use to anybody else.
   */
  getConnectedAccounts(options?: IdentityOptions): Promise<AccountReference[]>
  /** Reads the person's name and picture again, where the provider answers browsers. */
  refreshProfile(accountId: string): Promise<ConnectedAccount>
  /** Lets an agent use a provider's accounts, or not. All are included until excluded. */
  setIncluded(agentId: string, providerId: Id, included: boolean): void
  setDefault(accountId: string): void
  /** Replaces the providers; flows and accounts of those that stay go on. */
  setProviders(providers: readonly Provider[]): void
  /** What MCP servers need beyond other providers: discovery and client registrations. Loaded on first use. */
  mcp(): Promise<Mcp>
  getSnapshot(): Snapshot
  /** Calls back when the snapshot changes, and does nothing else. Returns what ends it. */
  subscribe(listener: () => void): () => void
  /**
   * Starts what a page does while it is open: it follows other tabs, keeps accounts fresh, and goes on with flows that
   * began before a reload. Several mounts are one. Returns what ends it.
   */
  mount(): () => void
}

/**
 * Makes a client. It reads storage at once, so accounts are there on the first paint, and follows other tabs while it is
 * mounted. What talks to a server is loaded on intent. The ids of `providers` are those that its methods take.
 *
 * @throws LatchkeyError `misuse` for two providers with one id.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createLatchkey<const Known extends readonly Provider[]>(
  options: LatchkeyOptions & { providers: Known },
): LatchkeyClient<Known[number]['id']> {
  const keeper = createKeeper(options)
  const { store, records, secrets } = keeper
  const running = new Map<string, Running>()
  const mcp = once(async () => (await import('./mcp/accounts.ts')).createMcp(keeper))
  const renewal = once(async () => (await import('./accounts/refresh.ts')).createRenewal(keeper, mcp))
  const vault = once(async () => (await import('./protocol/vault-client.ts')).createVaultClient(keeper))
  const connecting = once(async () =>
    (await import('./connect/connect.ts')).createConnecting(keeper, await renewal(), running, vault),
  )

  const requests = once(async () => (await import('./connect/pending-requests.ts')).createRequests(keeper))

  /** A provider whose client has a secret cannot be used by a browser alone. */
  const missing = (provider: Provider): LatchkeyError | undefined =>
    provider.kind !== 'api-key' && provider.client.token_endpoint_auth_method !== 'none' && !options.broker
      ? new LatchkeyError(
          'not_configured',
          `${provider.name} needs a client secret, which only a server can keep. Mount createBroker() of @latchkey/server and pass its address as \`broker\`.`,
          { provider: provider.id, next: 'configure' },
        )
      : undefined

  const announceMissing = () => {
    for (const provider of keeper.providers) {
      const error = missing(provider)
      if (!error || store.getState().providers[provider.id]?.error) continue
      console.error(`Latchkey: ${error.message}`)
      keeper.setProvider(provider.id, { status: 'idle', error })
    }
  }

  const connectOAuth = (provider: OAuthProvider, connect: ConnectOptions): Promise<ConnectOutcome> => {
    const error = missing(provider)
    if (error) return Promise.reject(error)
    const popup = connect.mode !== 'redirect'
    const open = () => openWindow(connect.mode === 'tab')
    const redirectUri = callbackUri(options)
    const under = running.get(provider.id)
    // One that goes on since before a reload has no address to open again, and a redirect needs no window.
    if (under && (under.resumed || !popup)) under.end.abort()
    else if (under?.outcome) {
      if (under.window && !under.window.closed) under.window.focus()
      else {
        under.window = open()
        if (under.window && under.url) under.window.location.replace(under.url)
        keeper.setProvider(provider.id, {
          status: 'connecting',
          reason: under.window ? undefined : 'popup_blocked',
        })
      }
      return under.outcome
    }
    // Before anything is awaited: later, browsers take a window for an advertisement.
    const opened = popup && redirectUri ? open() : null
    if (popup && redirectUri && !opened) {
      keeper.setProvider(provider.id, { status: 'idle', reason: 'popup_blocked' })
      return Promise.resolve({ status: 'blocked', next: 'redirect' })
    }
    return begin(provider, connect, { window: opened, redirectUri, end: new AbortController() })
  }

  const begin = (provider: OAuthProvider, connect: ConnectOptions, flow: Running): Promise<ConnectOutcome> => {
    running.set(provider.id, flow)
    keeper.setProvider(provider.id, { status: 'connecting' })
    flow.outcome = connecting().then(
      ({ run }) => run(provider, flow, connect),
      (cause) => {
        const error = asLatchkeyError(cause, 'network', 'The app could not be loaded in full. Try again.')
        closeWindow(flow.window)
        if (running.get(provider.id) === flow) running.delete(provider.id)
        keeper.setProvider(provider.id, { status: 'idle', error })
        throw error
      },
    )
    return flow.outcome
  }

  let resumed: Promise<ConnectOutcome | undefined> | undefined
  /** Goes on with what this tab began before it was reloaded, or left for a redirect. */
  const resume = () => {
    resumed ??=
      flows.states(keeper.prefix).length > 0 ? connecting().then(({ resume }) => resume()) : Promise.resolve(undefined)
    return resumed
  }

  /** The account and secret behind a target: from memory while valid, else unsealed, else refreshed. */
  const ask = async (target: AccountTarget, { scopes = [], minValidity = MIN_VALIDITY }: TokenOptions = {}) => {
    let account =
      typeof target === 'string' ? defaultAccount(store.getState(), target) : keeper.findAccount(target.accountId)
    if (!account) {
      const { name, id } = keeper.find(target as string)
      throw new LatchkeyError('login_required', `${name} is not connected.`, { provider: id, next: 'connect' })
    }
    if (account.custody === 'vault') {
      throw new LatchkeyError(
        'misuse',
        `The server keeps the secret of ${account.label}: use getConnectedAccounts().`,
        {
          next: 'none',
        },
      )
    }
    if (account.reason === 'unverified') account = await (await connecting()).checkAtFirstUse(account)
    const about = { provider: account.provider, account: account.id, next: 'reconnect' } as const
    if (account.status === 'paused') throw keeper.pausedError(account.id, account.label, account.provider)
    if (account.status === 'needs-reconnect' || account.status === 'error') {
      throw new LatchkeyError('invalid_token', `${account.label} has to be connected again.`, about)
    }
    const { scopes: has } = account
    const lacking = scopes.filter((scope) => !has.includes(scope))
    if (lacking.length > 0) {
      throw new LatchkeyError('insufficient_scope', `${account.label} did not grant ${lacking.join(', ')}.`, about)
    }
    const secret = secrets.peek(account)
    if (secret && lives(secret, minValidity)) return { account, secret }
    const held = await keeper.open(account)
    if (held.paused) await keeper.catchUp(account, held)
    if (lives(held.secret, minValidity)) return { account, secret: held.secret }
    return { account, secret: await (await renewal()).renew(account, minValidity) }
  }

  const identity = async (provider: Provider): Promise<Identity[]> => {
    try {
      const { account, secret } = await ask(provider.id)
      return [identityOf(provider, account, secret)]
    } catch {
      // What cannot be used is left out: the tool that needs it will ask for it.
      return []
    }
  }

  const signedOut = (everywhere: boolean) => {
    for (const flow of running.values()) flow.end.abort()
    return keeper.wipe(everywhere)
  }
  const channel = openChannel(`${keeper.prefix}:signout`, () => void signedOut(false))

  const upkeep = once(async () => (await import('./accounts/refresh-scheduler.ts')).createUpkeep(keeper, renewal))
  let unwatch: (() => void) | undefined
  /** Keeps accounts fresh from the first one on, while this client is mounted. */
  const tend = () => {
    if (unwatch || Object.keys(store.getState().accounts).length === 0) return
    let ended = false
    unwatch = () => {
      ended = true
    }
    upkeep().then(
      ({ start }) => {
        if (!ended) unwatch = start()
      },
      () => {
        unwatch = undefined
      },
    )
  }
  const keyProvider = (providerId: string): ApiKeyProvider => {
    const provider = keeper.find(providerId)
    if (provider.kind === 'api-key') return provider
    throw new LatchkeyError('misuse', `${provider.name} is not connected with a key.`, { provider: providerId })
  }

  /** Tokens by provider, true of this very snapshot: nearly every read is one of them. */
  let answered: { snapshot: Snapshot; tokens: Map<string, Answer>; latest: Answer | undefined } = {
    snapshot: store.getState(),
    tokens: new Map(),
    latest: undefined,
  }

  /** The providers that an agent may use. */
  const wanted = ({ agent, providers: only }: IdentityOptions = {}) => {
    const excluded = (agent && store.getState().excluded[agent]) || []
    return keeper.providers.filter(({ id }) => (!only || only.includes(id)) && !excluded.includes(id))
  }
  const hasVaulted = () =>
    options.custody === 'vault' || Object.values(store.getState().accounts).some(({ custody }) => custody === 'vault')

  let mounts = 0
  let unfollow: (() => void) | undefined
  keeper.read()
  announceMissing()

  const client: LatchkeyClient = {
    get providers() {
      return keeper.providers
    },
    connect(providerId, connect = {}) {
      try {
        const provider = keeper.find(providerId)
        return provider.kind !== 'api-key' ? connectOAuth(provider, connect) : Promise.reject(notOAuth(provider))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async connectKey(providerId, fields, connect = {}) {
      const provider = keyProvider(providerId)
      return (await connecting()).connectKey(provider, fields, connect)
    },
    cancel(providerId) {
      const flow = running.get(providerId)
      if (flow) flow.end.abort()
      else if (store.getState().providers[providerId]?.changed)
        client.resolveChange(providerId, 'cancel').catch(() => {})
      else if (!missing(keeper.find(providerId))) keeper.setProvider(providerId)
    },
    prepare(providerId) {
      const provider = keeper.find(providerId)
      if (missing(provider)) return
      // What fails here fails again in connect, where somebody is told.
      connecting().catch(() => {})
      if (provider.kind === 'oauth')
        renewal()
          .then(({ clientId }) => clientId(provider))
          .catch(() => {})
    },
    async verifyKey(providerId, fields) {
      const verdict = await (await connecting()).judge(keyProvider(providerId), fields)
      return verdict.status === 'verified' ? { status: 'verified', username: verdict.profile.username } : verdict
    },
    async handleRedirect(url) {
      return url === undefined ? resume() : (await connecting()).answer(url)
    },
    reconnect(id, connect = {}) {
      try {
        return client.connect(keeper.findAccount(id).provider, { ...connect, accountId: id })
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async connectLink(providerId, connect = {}) {
      const provider = keeper.find(providerId)
      const error = missing(provider)
      if (error) throw error
      if (provider.kind === 'api-key') throw notOAuth(provider)
      const under = running.get(providerId)
      if (under?.url) return under.url
      under?.end.abort()
      return new Promise<string>((told, reject) => {
        const flow = { window: null, redirectUri: callbackUri(options), end: new AbortController(), told }
        begin(provider, connect, flow).then(
          () => reject(new LatchkeyError('cancelled', `${provider.name} was not connected.`, { provider: providerId })),
          reject,
        )
      })
    },
    async resolveChange(providerId, choice) {
      return (await connecting()).resolveChange(providerId, choice)
    },
    pause: (id) => keeper.pause(id, true),
    unpause: (id) => keeper.pause(id, false),
    async requestConnect(request, { signal } = {}) {
      return (await requests())(request, signal)
    },
    cancelRequest(id) {
      const { requests } = store.getState()
      store.setState({ requests: requests.filter(({ provider }) => provider !== id) })
    },
    async signOut() {
      channel?.postMessage('signed out')
      await signedOut(true)
    },
    async disconnect(id) {
      const account = store.getState().accounts[id]
      if (!account) return { status: 'removed' }
      // Gone here first, whatever the provider will say.
      await keeper.forget(id)
      try {
        return await (account.custody === 'vault'
          ? (await vault()).disconnect(account)
          : (await renewal()).revoke(account))
      } catch (error) {
        return { status: 'removed', error: asLatchkeyError(error, 'network', 'The provider could not be told.') }
      }
    },
    async disconnectAll() {
      const ids = Object.keys(store.getState().accounts)
      const receipts = await Promise.all(ids.map(async (id) => [id, await client.disconnect(id)] as const))
      return Object.fromEntries(receipts)
    },
    getToken(target, tokenOptions) {
      const snapshot = store.getState()
      if (answered.snapshot !== snapshot) answered = { snapshot, tokens: new Map(), latest: undefined }
      const { latest } = answered
      // The same token again and again, as a run with many calls reads it.
      if (target === latest?.target && tokenOptions === undefined && latest.until > Date.now()) return latest.token
      const plain = typeof target === 'string' && !tokenOptions ? target : undefined
      const known = plain && answered.tokens.get(plain)
      if (known && known.until > Date.now()) {
        answered.latest = known
        return known.token
      }
      return (async () => {
        const { account, secret } = await ask(target, tokenOptions)
        const token = accessTokenOf(keeper.find(account.provider), secret)
        if (plain && answered.snapshot === store.getState()) {
          const until = (secret.fields ? undefined : secret.expiresAt) ?? Number.POSITIVE_INFINITY
          const answer = { target: plain, token: Promise.resolve(token), until: until - MIN_VALIDITY * 1000 }
          answered.tokens.set(plain, answer)
        }
        return token
      })()
    },
    async reportInvalidToken(id) {
      const account = keeper.findAccount(id)
      return account.custody === 'vault' ? (await vault()).check(account) : (await renewal()).refused(account)
    },
    async getIdentities(about) {
      return (await Promise.all(wanted(about).map(identity))).flat()
    },
    async getConnectedAccounts(about) {
      if (!hasVaulted()) return []
      await (await vault()).ready()
      const state = store.getState()
      return wanted(about).flatMap(({ id }) => {
        const account = defaultAccount(state, id)
        if (account?.custody !== 'vault' || !isUsable(account.status)) return []
        return { provider: id, accountId: account.id, status: account.status, scopes: [...account.scopes] }
      })
    },
    async refreshProfile(id) {
      const account = keeper.findAccount(id)
      if (keeper.find(account.provider).kind === 'api-key' || account.custody === 'vault') return account
      const { secret } = await ask({ accountId: id })
      return (await renewal()).refreshProfile(id, secret.token?.access_token ?? '')
    },
    setIncluded(agentId, providerId, included) {
      const { excluded } = store.getState()
      const others = (excluded[agentId] ?? []).filter((id) => id !== providerId)
      const next = included ? others : [...others, providerId]
      store.setState({ excluded: { ...excluded, [agentId]: next } })
      records.writeExcluded(agentId, next).catch(keeper.unavailable)
    },
    setDefault(id) {
      keeper.setDefault(keeper.findAccount(id))
    },
    setProviders(next) {
      keeper.providers = next
      announceMissing()
      resumed = undefined
      if (mounts > 0) resume().catch(() => {})
      // A new snapshot, so that whoever draws providers draws them again.
      store.setState({})
    },
    mcp: async () => (await mcp()).mcp,
    getSnapshot: store.getState,
    subscribe: store.subscribe,
    mount() {
      if (mounts++ === 0) {
        const [unhear, untend] = [records.subscribe(keeper.read), store.subscribe(tend)]
        unfollow = () => {
          unhear?.()
          untend()
          unwatch?.()
          unwatch = undefined
        }
        keeper.read()
        tend()
        resume().catch(() => {})
        // What the server did meanwhile. Where it cannot be asked, what is known stays.
        if (hasVaulted())
          vault()
            .then(({ sync }) => sync())
            .catch(() => {})
      }
      let ended = false
      return () => {
        if (!ended && --mounts === 0) unfollow?.()
        ended = true
      }
    },
  }
  importers.set(client, async () => {
    const [{ readIdentities }, { adopt }] = await Promise.all([import('./connect/import.ts'), connecting()])
    return keeper.secrets.exclusive('import', () => readIdentities(keeper, adopt))
  })
  return client
}

const importers = new WeakMap<LatchkeyClient, () => Promise<ConnectedAccount[]>>()

/**
 * Takes over the accounts that agent-runtimes left in this browser, once: those of configured providers that have none
 * here. Its entry, which holds tokens as plain text, is removed. Call it at start in an app that used agent-runtimes.
 *
 * @returns the accounts that came.
 * @throws LatchkeyError `misuse` for a client that `createLatchkey` did not make.
 */
export async function importIdentities(client: LatchkeyClient): Promise<ConnectedAccount[]> {
  const run = importers.get(client)
  if (!run) throw new LatchkeyError('misuse', 'importIdentities() takes a client that createLatchkey() made.')
  return run()
}

const notOAuth = ({ id, name }: Provider) =>
  new LatchkeyError('misuse', `${name} is connected with a key: call connectKey().`, { provider: id, next: 'edit-key' })

/** Where the authorization server sends people back to; undefined when that is no page of this origin. */
function callbackUri({ redirectUri, broker }: LatchkeyOptions): string | undefined {
  const uri = redirectUri ?? (broker && `${broker}/callback`)
  const absolute = uri && new URL(uri, location.href)
  return absolute && absolute.origin === location.origin ? absolute.href : undefined
}

/** Hears what other tabs say, in a browser that has such channels. A server process that ends is not held up. */
function openChannel(name: string, heard: () => void): BroadcastChannel | undefined {
  if (typeof document === 'undefined' || typeof BroadcastChannel === 'undefined') return undefined
  const channel = new BroadcastChannel(name)
  channel.onmessage = heard
  ;(channel as { unref?: () => void }).unref?.()
  return channel
}

/** Runs at most once; a failure is forgotten, so the next call tries again. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  return () => {
    loaded ??= load()
    loaded.catch(() => {
      loaded = undefined
    })
    return loaded
  }
}
