import {
  accountsOf,
  type ChangeChoice,
  type ConnectedAccount,
  type ConnectOptions,
  type ConnectOutcome,
  type ConnectRequest,
  type DisconnectReceipt,
  defaultAccount,
  type KeyFields,
  type KeyVerdict,
  type LatchkeyClient,
  LatchkeyError,
  type Provider,
  type ProviderState,
  type RequestOutcome,
  type Snapshot,
} from '@latchkey/core'
import type { Mcp, Registration } from '@latchkey/core/mcp'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'

/**
 * How a connect of a fake client ends: an account (another one than was to be reconnected is asked about), the person's
 * choice, an error, or not at all until `settle` is called.
 */
export type FakeOutcome =
  | 'connected'
  | 'denied'
  | 'blocked'
  | 'cancelled'
  | 'pending'
  | ConnectedAccount
  | LatchkeyError

/** What a fake client has at the start, and how its calls end. */
export interface FakeClientOptions {
  /** @default GitHub, Gmail and Kaggle */
  providers?: readonly Provider[]
  accounts?: readonly ConnectedAccount[]
  /** @default `ready` */
  status?: Snapshot['status']
  /** @default `sealed` */
  custody?: Snapshot['custody']
  /** What running tools wait for. */
  requests?: readonly ConnectRequest[]
  /** @default `available` */
  persistence?: Snapshot['persistence']
  /** What providers are doing, by id. */
  states?: Readonly<Record<string, ProviderState>>
  /** How connects end, by provider id. @default `connected` */
  outcomes?: Readonly<Record<string, FakeOutcome>>
  /** @default every key is `verified` */
  verifyKey?: (providerId: string, fields: KeyFields) => Promise<KeyVerdict>
  /** What disconnecting says, by provider id. @default the access token is revoked */
  receipts?: Readonly<Record<string, DisconnectReceipt>>
  /** This app at the authorization servers of MCP servers. @default nowhere */
  registrations?: readonly Registration[]
  /** The authorization server of every MCP server. @default `https://login.example` */
  issuer?: string
}

/** A client without network and storage, for stories and tests. Its methods are plain functions: spy on them freely. */
export interface FakeClient extends LatchkeyClient {
  /** Ends a provider's pending connect. */
  settle(providerId: string, outcome: Exclude<FakeOutcome, 'pending'>): void
  /** Changes parts of the snapshot. */
  set(part: Partial<Snapshot>): void
  /** Adds or replaces an account. */
  setAccount(account: ConnectedAccount): void
  /** Sets what a provider is doing; `undefined`: nothing. */
  setState(providerId: string, state: ProviderState | undefined): void
}

/** What a connect of either kind was asked for. */
type Asked = ConnectOptions & { fields?: KeyFields }

/** Facts of an account: octocat's at GitHub, unless told otherwise. */
export function fakeAccount(facts: Partial<ConnectedAccount> = {}): ConnectedAccount {
  const { provider = 'github', username = 'octocat' } = facts
  return {
    id: `${provider}.${username}`,
    provider,
    issuer: `https://${provider}.example`,
    subject: username,
    label: username,
    username,
    name: 'The Octocat',
    scopes: provider === 'github' ? ['read:user', 'user:email'] : [],
    missingScopes: [],
    status: 'connected',
    renewable: true,
    connectedAt: Date.now(),
    rev: 1,
    ...facts,
  }
}

/** What `client.mcp()` gives. */
function createFakeMcp({ registrations: given = [], issuer = 'https://login.example' }: FakeClientOptions): Mcp {
  let registrations = given
  const listeners = new Set<() => void>()
  const change = (next: readonly Registration[]) => {
    registrations = next
    for (const listener of [...listeners]) listener()
  }
  const others = (issuer: string) => registrations.filter((one) => one.issuer !== issuer)
  const fake = {
    registrations: {
      list: async () => registrations,
      forget: async (issuer: string) => change(others(issuer)),
      async remember(registration: Registration) {
        change([...others(registration.issuer), registration])
        return registration
      },
      async delete(issuer: string) {
        change(others(issuer))
        return { status: 'deleted' }
      },
      subscribe(listener: () => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    redirectUri: 'https://app.example/callback',
    discover: async () => ({ server: { issuer } }),
  }
  return fake as unknown as Mcp
}

/**
 * A {@link LatchkeyClient} that does what it is told. A connect puts its provider into `connecting` at once and ends
 * in a later tick, as its scripted outcome says.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createFakeClient(options: FakeClientOptions = {}): FakeClient {
  const { outcomes = {}, receipts = {} } = options
  const listeners = new Set<() => void>()
  const pending = new Map<string, { settle: (outcome: FakeOutcome) => void; result: Promise<ConnectOutcome> }>()
  const mcp = createFakeMcp(options)
  let providers = options.providers ?? [github(), gmail(), kaggle()]
  let snapshot: Snapshot = {
    status: options.status ?? 'ready',
    accounts: Object.fromEntries((options.accounts ?? []).map((account) => [account.id, account])),
    defaults: {},
    providers: options.states ?? {},
    excluded: {},
    requests: options.requests ?? [],
    custody: options.custody ?? 'sealed',
    persistence: options.persistence ?? 'available',
  }

  const set = (part: Partial<Snapshot>) => {
    snapshot = { ...snapshot, ...part }
    for (const listener of [...listeners]) listener()
  }
  const subscribe = (listener: () => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  const setAccount = (account: ConnectedAccount) => set({ accounts: { ...snapshot.accounts, [account.id]: account } })
  const setState = (providerId: string, state: ProviderState | undefined) => {
    const { [providerId]: _old, ...others } = snapshot.providers
    set({ providers: state ? { ...others, [providerId]: state } : others })
  }
  const find = (accountId: string): ConnectedAccount => {
    const account = snapshot.accounts[accountId]
    if (account) return account
    throw new LatchkeyError('misuse', `There is no account "${accountId}".`, { next: 'connect', account: accountId })
  }

  const finish = (providerId: string, outcome: FakeOutcome, connect: Asked): ConnectOutcome => {
    if (outcome instanceof LatchkeyError) {
      setState(providerId, { status: 'idle', error: outcome })
      throw outcome
    }
    if (outcome === 'denied' || outcome === 'blocked') {
      setState(providerId, { status: 'idle', reason: outcome === 'denied' ? 'access_denied' : 'popup_blocked' })
      return { status: outcome, next: outcome === 'denied' ? 'connect' : 'redirect' }
    }
    setState(providerId, undefined)
    if (outcome === 'cancelled' || outcome === 'pending') return { status: 'cancelled', next: 'connect' }
    const account = outcome === 'connected' ? accountFor(providerId, connect) : outcome
    const from = snapshot.accounts[connect.accountId ?? '']
    if (from && from.id !== account.id) {
      const error = new LatchkeyError('account_changed', 'Somebody else signed in.', { next: 'choose' })
      setState(providerId, { status: 'idle', error, changed: { from, to: account } })
      throw error
    }
    setAccount(account)
    return { status: 'connected', account }
  }
  const accountFor = (providerId: string, connect: Asked): ConnectedAccount => {
    const old = connect.accountId ? snapshot.accounts[connect.accountId] : undefined
    const provider = providers.find((candidate) => candidate.id === providerId)
    const username = connect.fields?.username
    return {
      ...(old ?? fakeAccount({ provider: providerId, ...(username && { username, name: username }) })),
      status: 'connected',
      reason: undefined,
      missingScopes: [],
      scopes: connect.scopes ?? (provider?.kind === 'oauth' ? provider.scopes : []),
    }
  }

  const connect = (providerId: string, connectOptions: Asked = {}): Promise<ConnectOutcome> => {
    const underWay = pending.get(providerId)
    if (underWay) return underWay.result
    const { promise, resolve } = Promise.withResolvers<FakeOutcome>()
    const result = promise.then((outcome) => {
      pending.delete(providerId)
      return finish(providerId, outcome, connectOptions)
    })
    pending.set(providerId, { settle: resolve, result })
    setState(providerId, { status: 'connecting' })
    const scripted = outcomes[providerId] ?? 'connected'
    if (scripted !== 'pending') resolve(scripted)
    return result
  }

  const disconnect = async (accountId: string): Promise<DisconnectReceipt> => {
    const account = find(accountId)
    const { [accountId]: _gone, ...accounts } = snapshot.accounts
    set({ accounts })
    return receipts[account.provider] ?? { status: 'revoked', tokens: ['access_token'] }
  }

  return {
    get providers() {
      return providers
    },
    connect,
    connectKey: (providerId, fields, keyOptions) => connect(providerId, { ...keyOptions, fields }),
    cancel: (providerId) => pending.get(providerId)?.settle('cancelled'),
    prepare() {},
    verifyKey: options.verifyKey ?? (async () => ({ status: 'verified' })),
    handleRedirect: async () => undefined,
    reconnect: async (accountId, reconnectOptions) =>
      connect(find(accountId).provider, { ...reconnectOptions, accountId }),
    disconnect,
    async disconnectAll() {
      const ids = Object.keys(snapshot.accounts)
      return Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await disconnect(id)] as const)))
    },
    async getToken(target) {
      const account = typeof target === 'string' ? defaultAccount(snapshot, target) : find(target.accountId)
      if (!account) throw new LatchkeyError('misuse', `No account of "${target}" is connected.`, { next: 'connect' })
      return `fake-token-of-${account.id}`
    },
    async getIdentities({ agent, providers: only } = {}) {
      const excluded = agent === undefined ? [] : (snapshot.excluded[agent] ?? [])
      return providers
        .filter(({ id }) => (!only || only.includes(id)) && !excluded.includes(id))
        .flatMap(({ id }) => accountsOf(snapshot, id).slice(0, 1))
        .map(({ id, provider }) => ({ provider, accessToken: `fake-token-of-${id}`, accountId: id }))
    },
    getConnectedAccounts: async () => [],
    refreshProfile: async (accountId) => find(accountId),
    async reportInvalidToken(accountId) {
      const account: ConnectedAccount = { ...find(accountId), status: 'needs-reconnect', reason: 'revoked' }
      set({ accounts: { ...snapshot.accounts, [accountId]: account } })
      return account
    },
    setIncluded(agentId, providerId, included) {
      const others = (snapshot.excluded[agentId] ?? []).filter((id) => id !== providerId)
      set({ excluded: { ...snapshot.excluded, [agentId]: included ? others : [...others, providerId] } })
    },
    async pause(accountId) {
      setAccount({ ...find(accountId), status: 'paused' })
    },
    async unpause(accountId) {
      setAccount({ ...find(accountId), status: 'connected' })
    },
    async resolveChange(providerId: string, choice: ChangeChoice) {
      const { changed } = snapshot.providers[providerId] ?? {}
      setState(providerId, undefined)
      if (!changed || choice === 'cancel') return { status: 'cancelled', next: 'connect' }
      if (choice === 'replace') await disconnect(changed.from.id)
      setAccount(changed.to)
      return { status: 'connected', account: changed.to }
    },
    async connectLink(providerId) {
      setState(providerId, { status: 'connecting' })
      return `https://${providerId}.example/authorize`
    },
    async signOut() {
      set({ accounts: {}, defaults: {}, excluded: {}, providers: {}, requests: [] })
    },
    requestConnect(request) {
      set({ requests: [...snapshot.requests.filter(({ provider }) => provider !== request.provider), request] })
      const { promise, resolve } = Promise.withResolvers<RequestOutcome>()
      const stop = subscribe(() => {
        if (snapshot.requests.includes(request)) return
        stop()
        const account = defaultAccount(snapshot, request.provider)
        resolve(account ? { status: 'connected', provider: account.provider } : { status: 'cancelled' })
      })
      return promise
    },
    cancelRequest(providerId) {
      set({ requests: snapshot.requests.filter(({ provider }) => provider !== providerId) })
    },
    setDefault(accountId) {
      set({ defaults: { ...snapshot.defaults, [find(accountId).provider]: accountId } })
    },
    setProviders(next) {
      providers = next
      set({})
    },
    mcp: async () => mcp,
    getSnapshot: () => snapshot,
    subscribe,
    mount: () => () => {},
    settle: (providerId, outcome) => pending.get(providerId)?.settle(outcome),
    set,
    setAccount,
    setState,
  }
}
