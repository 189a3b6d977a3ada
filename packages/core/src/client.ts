import { type Account, defaultAccount, type Snapshot } from './accounts.ts'
import type { ConnectOptions, ConnectOutcome, Running } from './connecting.ts'
import { asLatchkeyError, LatchkeyError } from './errors.ts'
import type { Identity } from './identities.ts'
import { createKeeper, type LatchkeyOptions, lives } from './keeper.ts'
import type { Mcp } from './mcp-accounts.ts'
import { closeWindow, flows, openWindow } from './popup.ts'
import type { KeyFields, OAuthProvider, Provider } from './provider.ts'
import type { DisconnectReceipt } from './renewal.ts'
import type { Secret } from './secrets.ts'

/** A key's verdict. `unchecked`: nobody could say, so the key is kept and tried at first use. */
export interface KeyVerdict {
  status: 'verified' | 'unchecked'
  username?: string
}

export interface IdentityOptions {
  /** Only what this agent may use. */
  agent?: string
  /** Only these providers. */
  providers?: readonly string[]
}

/** A provider id (its default account), or one account. */
export type TokenTarget = string | { accountId: string }

export interface TokenOptions {
  /** Scopes the token must have; else `insufficient_scope`. */
  scopes?: readonly string[]
  /** Seconds the token must still live. Default: 60. */
  minValidity?: number
}

/** The engine of a page's accounts. Framework-free; `@latchkey/react` gives it a face. */
export interface LatchkeyClient {
  readonly providers: readonly Provider[]
  /**
   * Connects an account. Call it inside the click: the window opens before anything is awaited. A second call while
   * one is under way joins it.
   *
   * @throws LatchkeyError for everything that is not the person's choice.
   */
  connect(providerId: string, options?: ConnectOptions): Promise<ConnectOutcome>
  /** Ends the provider's flow under way; its `connect` resolves to `cancelled`. */
  cancel(providerId: string): void
  /** Loads what `connect` will need. Call it on hover or focus. */
  prepare(providerId: string): void
  /** Asks the provider about a key without saving it. @throws LatchkeyError `invalid_token` for a key it refuses. */
  verifyKey(providerId: string, fields: KeyFields): Promise<KeyVerdict>
  /** Finishes a redirect flow: the one whose answer `url` holds, or the one the callback page left. */
  handleRedirect(url?: string): Promise<ConnectOutcome | undefined>
  /** Connects the account again, keeping its place. */
  reconnect(accountId: string, options?: Pick<ConnectOptions, 'mode' | 'signal' | 'apiKey'>): Promise<ConnectOutcome>
  /** Removes the account here first, then revokes it at the provider. Never rejects. */
  disconnect(accountId: string): Promise<DisconnectReceipt>
  disconnectAll(): Promise<Record<string, DisconnectReceipt>>
  /** A token that lives for `minValidity` seconds more, refreshed once for all callers and tabs. */
  getToken(target: TokenTarget, options?: TokenOptions): Promise<string>
  /**
   * Says that an API answered 401 to this account's token. It is refreshed; where nothing can refresh it, the account
   * needs to be reconnected and says so. Resolves to the account as it is then.
   *
   * @see RFC 6750 §3.1
   */
  reportInvalidToken(accountId: string): Promise<Account>
  /** The wire form of the accounts an agent may use, freshly refreshed. Accounts that cannot be used are left out. */
  getIdentities(options?: IdentityOptions): Promise<Identity[]>
  /** Reads the person's name and picture again, where the provider answers browsers. */
  refreshProfile(accountId: string): Promise<Account>
  /** Lets an agent use a provider's accounts, or not. All are included until excluded. */
  setIncluded(agentId: string, providerId: string, included: boolean): void
  setDefault(accountId: string): void
  /** Replaces the providers; flows and accounts of those that stay go on. */
  setProviders(providers: readonly Provider[]): void
  /** What MCP servers need beyond other providers: discovery and client registrations. Loaded on first use. */
  mcp(): Promise<Mcp>
  getSnapshot(): Snapshot
  subscribe(listener: () => void): () => void
}

/**
 * Makes a client. It reads storage at once, so accounts are there on the first paint, and follows other tabs while
 * somebody is subscribed. What talks to a server is loaded on intent.
 *
 * @throws LatchkeyError `misuse` for two providers with one id.
 */
export function createLatchkey(options: LatchkeyOptions): LatchkeyClient {
  const keeper = createKeeper(options)
  const { store, records, secrets } = keeper
  const running = new Map<string, Running>()
  const mcp = once(async () => (await import('./mcp-accounts.ts')).createMcp(keeper))
  const renewal = once(async () => (await import('./renewal.ts')).createRenewal(keeper, mcp))
  const connecting = once(async () =>
    (await import('./connecting.ts')).createConnecting(keeper, await renewal(), running),
  )

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
    const redirectUri = callbackUri(options)
    const under = running.get(provider.id)
    // One that goes on since before a reload has no address to open again, and a redirect needs no window.
    if (under && (under.resumed || !popup)) under.end.abort()
    else if (under?.outcome) {
      if (under.window && !under.window.closed) under.window.focus()
      else {
        under.window = openWindow()
        if (under.window && under.url) under.window.location.replace(under.url)
        keeper.setProvider(provider.id, {
          status: 'connecting',
          reason: under.window ? undefined : 'popup_blocked',
        })
      }
      return under.outcome
    }
    // Before anything is awaited: later, browsers take a window for an advertisement.
    const opened = popup && redirectUri ? openWindow() : null
    if (popup && redirectUri && !opened) {
      keeper.setProvider(provider.id, { status: 'idle', reason: 'popup_blocked' })
      return Promise.resolve({ status: 'blocked', next: 'redirect' })
    }
    const flow: Running = { window: opened, redirectUri, end: new AbortController() }
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
    resumed ??= flows.states().length > 0 ? connecting().then(({ resume }) => resume()) : Promise.resolve(undefined)
    return resumed
  }

  /** The account and secret behind a target: from memory while valid, else unsealed, else refreshed. */
  const ask = async (target: TokenTarget, { scopes = [], minValidity = 60 }: TokenOptions = {}) => {
    let account =
      typeof target === 'string' ? defaultAccount(store.getState(), target) : keeper.findAccount(target.accountId)
    if (!account) {
      const { name, id } = keeper.find(target as string)
      throw new LatchkeyError('login_required', `${name} is not connected.`, { provider: id, next: 'connect' })
    }
    if (account.reason === 'unverified') account = await (await connecting()).checkAtFirstUse(account)
    const about = { provider: account.provider, account: account.id, next: 'reconnect' } as const
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
    if (lives(held.secret, minValidity)) return { account, secret: held.secret }
    return { account, secret: await (await renewal()).renew(account, minValidity) }
  }

  const identity = async (provider: Provider): Promise<Identity[]> => {
    try {
      const { account, secret } = await ask(provider.id)
      const { [primaryField(provider)]: _primary, ...rest } = secret.fields ?? {}
      const expiresAt = secret.token && secret.expiresAt
      return [
        {
          provider: provider.id,
          accessToken: primary(provider, secret),
          ...(account.scopes.length > 0 && { scopes: [...account.scopes] }),
          ...(expiresAt !== undefined && { expiresAt }),
          accountId: account.id,
          ...(Object.keys(rest).length > 0 && { fields: rest }),
        },
      ]
    } catch {
      // What cannot be used is left out: the tool that needs it will ask for it.
      return []
    }
  }

  let subscribers = 0
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
        return provider.kind !== 'api-key'
          ? connectOAuth(provider, connect)
          : connecting().then(({ connectKey }) => connectKey(provider, connect))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    cancel(providerId) {
      const flow = running.get(providerId)
      if (flow) flow.end.abort()
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
      const provider = keeper.find(providerId)
      if (provider.kind !== 'api-key') {
        throw new LatchkeyError('misuse', `${provider.name} is not connected with a key.`)
      }
      const verdict = await (await connecting()).judge(provider, fields)
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
    async disconnect(id) {
      const account = store.getState().accounts[id]
      if (!account) return { status: 'removed' }
      // Gone here first, whatever the provider will say.
      await keeper.forget(id)
      try {
        return await (await renewal()).revoke(account)
      } catch (error) {
        return { status: 'removed', error: asLatchkeyError(error, 'network', 'The provider could not be told.') }
      }
    },
    async disconnectAll() {
      const ids = Object.keys(store.getState().accounts)
      const receipts = await Promise.all(ids.map(async (id) => [id, await client.disconnect(id)] as const))
      return Object.fromEntries(receipts)
    },
    async getToken(target, tokenOptions) {
      const { account, secret } = await ask(target, tokenOptions)
      return primary(keeper.find(account.provider), secret)
    },
    async reportInvalidToken(id) {
      return (await renewal()).refused(keeper.findAccount(id))
    },
    async getIdentities({ agent, providers: only } = {}) {
      const excluded = (agent && store.getState().excluded[agent]) || []
      const wanted = keeper.providers.filter(({ id }) => (!only || only.includes(id)) && !excluded.includes(id))
      return (await Promise.all(wanted.map(identity))).flat()
    },
    async refreshProfile(id) {
      const account = keeper.findAccount(id)
      if (keeper.find(account.provider).kind === 'api-key') return account
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
      const { provider } = keeper.findAccount(id)
      store.setState({ defaults: { ...store.getState().defaults, [provider]: id } })
      records.writeDefault(provider, id).catch(keeper.unavailable)
    },
    setProviders(next) {
      keeper.providers = next
      announceMissing()
      resumed = undefined
      if (subscribers > 0) resume().catch(() => {})
      // A new snapshot, so that whoever draws providers draws them again.
      store.setState({})
    },
    mcp,
    getSnapshot: store.getState,
    subscribe(listener) {
      const stop = store.subscribe(listener)
      if (subscribers++ === 0) {
        unfollow = records.subscribe(keeper.read)
        keeper.read()
        resume().catch(() => {})
      }
      return () => {
        stop()
        if (--subscribers === 0) unfollow?.()
      }
    },
  }
  return client
}

/** Where the authorization server sends people back to; undefined when that is no page of this origin. */
function callbackUri({ redirectUri, broker }: LatchkeyOptions): string | undefined {
  const uri = redirectUri ?? (broker && `${broker}/callback`)
  const absolute = uri && new URL(uri, location.href)
  return absolute && absolute.origin === location.origin ? absolute.href : undefined
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

const primaryField = (provider: Provider) => (provider.kind === 'api-key' ? (provider.fields[0]?.name ?? 'key') : '')
const primary = (provider: Provider, secret: Secret): string =>
  secret.token ? secret.token.access_token : (secret.fields[primaryField(provider)] ?? '')
