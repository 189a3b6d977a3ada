import {
  accountsOf,
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
  type Snapshot,
} from '@latchkey/core'
import {
  createAccounts,
  createRequests,
  includedAccounts,
  includedDefault,
  pausedStatus,
  withProvider,
} from '@latchkey/core/internal'
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
function createFakeMcp(
  { registrations: given = [], issuer = 'https://login.example' }: FakeClientOptions,
  removeServer: Mcp['remove'],
): Mcp {
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
    remove: removeServer,
    discover: async () => ({ server: { issuer } }),
  }
  return fake as unknown as Mcp
}

const withAccount = (snapshot: Snapshot, account: ConnectedAccount): Snapshot => ({
  ...snapshot,
  accounts: { ...snapshot.accounts, [account.id]: account },
})

/** What a fake client knows. */
interface Facts {
  providers: readonly Provider[]
  readonly snapshot: Snapshot
  change(next: (snapshot: Snapshot) => Snapshot): void
  /** @throws LatchkeyError `misuse` for a provider that the client does not have. */
  find(providerId: string): Provider
  /** @throws LatchkeyError `login_required` for an account that is not there. */
  findAccount(accountId: string): ConnectedAccount
}

/** The connects of a fake client. */
interface Connects {
  start(providerId: string, asked: Asked): Promise<ConnectOutcome>
  /** Ends a pending one. */
  settle(providerId: string, outcome: FakeOutcome): void
}

function createConnects(facts: Facts, outcomes: Readonly<Record<string, FakeOutcome>>): Connects {
  const pending = new Map<string, { settle: (outcome: FakeOutcome) => void; result: Promise<ConnectOutcome> }>()
  const setState = (providerId: string, state?: ProviderState) =>
    facts.change((snapshot) => withProvider(snapshot, providerId, state))

  const accountFor = (providerId: string, asked: Asked): ConnectedAccount => {
    const provider = facts.find(providerId)
    const old = asked.accountId && facts.snapshot.accounts[asked.accountId]
    const username = asked.fields?.username
    return {
      ...(old || fakeAccount({ provider: providerId, ...(username && { username, name: username }) })),
      status: 'connected',
      reason: undefined,
      missingScopes: [],
      scopes: asked.scopes ?? (provider.kind === 'oauth' ? provider.scopes : []),
    }
  }
  const finish = (providerId: string, outcome: FakeOutcome, asked: Asked): ConnectOutcome => {
    if (outcome instanceof LatchkeyError) {
      setState(providerId, { status: 'idle', error: outcome })
      throw outcome
    }
    if (outcome === 'denied' || outcome === 'blocked') {
      setState(providerId, { status: 'idle', reason: outcome === 'denied' ? 'access_denied' : 'popup_blocked' })
      return { status: outcome, next: outcome === 'denied' ? 'connect' : 'redirect' }
    }
    setState(providerId)
    if (outcome === 'cancelled' || outcome === 'pending') return { status: 'cancelled', next: 'connect' }
    const account = outcome === 'connected' ? accountFor(providerId, asked) : outcome
    const from = facts.snapshot.accounts[asked.accountId ?? '']
    if (from && from.id !== account.id) {
      const error = new LatchkeyError('account_changed', 'Another account signed in.', { next: 'choose' })
      setState(providerId, { status: 'idle', error, changed: { from, to: account } })
      throw error
    }
    facts.change((snapshot) => withAccount(snapshot, account))
    return { status: 'connected', account }
  }
  return {
    async start(providerId, asked) {
      facts.find(providerId)
      const underWay = pending.get(providerId)
      if (underWay) return underWay.result
      const { promise, resolve } = Promise.withResolvers<FakeOutcome>()
      const result = promise.then((outcome) => {
        pending.delete(providerId)
        return finish(providerId, outcome, asked)
      })
      pending.set(providerId, { settle: resolve, result })
      setState(providerId, { status: 'connecting' })
      const scripted = outcomes[providerId] ?? 'connected'
      if (scripted !== 'pending') resolve(scripted)
      return result
    },
    settle: (providerId, outcome) => pending.get(providerId)?.settle(outcome),
  }
}

/** The facts that a fake client has at the start. */
function createFacts(options: FakeClientOptions) {
  const store = createAccounts()
  const { providers = [github(), gmail(), kaggle()], accounts = [], states = {} } = options
  const { status = 'ready', custody = 'sealed', persistence = 'available', requests = [] } = options
  const byId = Object.fromEntries(accounts.map((account) => [account.id, account]))
  store.setState({ status, custody, persistence, requests, accounts: byId, providers: states })
  const facts: Facts = {
    providers,
    get snapshot() {
      return store.getState()
    },
    change: (next) => store.setState(next),
    find(providerId) {
      const provider = facts.providers.find(({ id }) => id === providerId)
      if (provider) return provider
      throw new LatchkeyError('misuse', `There is no provider "${providerId}".`, { provider: providerId })
    },
    findAccount(accountId) {
      const account = store.getState().accounts[accountId]
      if (account) return account
      const next = { next: 'connect', account: accountId } as const
      throw new LatchkeyError('login_required', `There is no account "${accountId}".`, next)
    },
  }
  return { store, facts }
}

/** What a client gives an agent: tokens and identities that are no secrets. */
function createFakeTokens(
  facts: Facts,
): Pick<LatchkeyClient, 'getAgentAccounts' | 'getConnectedAccounts' | 'getIdentities' | 'getToken'> {
  const wanted = (only: readonly string[] | undefined) => facts.providers.filter(({ id }) => !only || only.includes(id))
  const identityOf = ({ id, provider }: ConnectedAccount) => ({
    provider,
    accessToken: `fake-token-of-${id}`,
    accountId: id,
  })
  return {
    async getToken(target) {
      const account =
        typeof target === 'string' ? defaultAccount(facts.snapshot, target) : facts.findAccount(target.accountId)
      if (account) return `fake-token-of-${account.id}`
      const { id, name } = facts.find(target as string)
      throw new LatchkeyError('login_required', `${name} is not connected.`, { provider: id, next: 'connect' })
    },
    async getIdentities({ agent, providers: only } = {}) {
      return wanted(only)
        .flatMap(({ id }) => includedDefault(facts.snapshot, id, agent) ?? [])
        .map(identityOf)
    },
    async getAgentAccounts({ agent, providers: only } = {}) {
      return wanted(only)
        .flatMap(({ id }) => includedAccounts(facts.snapshot, id, agent))
        .filter(({ status }) => status === 'connected' || status === 'expiring')
        .map((account) => ({ ...identityOf(account), label: account.label }))
    },
    getConnectedAccounts: async () => [],
  }
}

/**
 * A {@link LatchkeyClient} that does what it is told. A connect puts its provider into `connecting` at once and ends
 * in a later tick, as its scripted outcome says.
 */
export function createFakeClient(options: FakeClientOptions = {}): FakeClient {
  const { store, facts } = createFacts(options)
  const { find, findAccount, change } = facts
  const { start, settle } = createConnects(facts, options.outcomes ?? {})
  const request = createRequests({ store, find })
  const mcp = createFakeMcp(options, async (id) => {
    find(id)
    const own = accountsOf(facts.snapshot, id)
    return Object.fromEntries(await Promise.all(own.map(async (one) => [one.id, await client.disconnect(one.id)])))
  })
  const set = (part: Partial<Snapshot>) => store.setState(part)
  const setAccount = (account: ConnectedAccount) => change((snapshot) => withAccount(snapshot, account))
  const setState = (providerId: string, state: ProviderState | undefined) =>
    change((snapshot) => withProvider(snapshot, providerId, state))
  const misuse = (providerId: string, verb: string) =>
    new LatchkeyError('misuse', `${find(providerId).name} is connected by ${verb}().`, { provider: providerId })
  const connect = async (providerId: string, asked: ConnectOptions = {}) => {
    if (find(providerId).kind === 'api-key') throw misuse(providerId, 'connectKey')
    return start(providerId, asked)
  }

  const client: FakeClient = {
    get providers() {
      return facts.providers
    },
    connect,
    async connectKey(providerId, fields, asked) {
      if (find(providerId).kind !== 'api-key') throw misuse(providerId, 'connect')
      return start(providerId, { ...asked, fields })
    },
    cancel: (providerId) => settle(providerId, 'cancelled'),
    prepare() {},
    verifyKey: options.verifyKey ?? (async () => ({ status: 'verified' })),
    handleRedirect: async () => undefined,
    reconnect: async (accountId, asked) => connect(findAccount(accountId).provider, { ...asked, accountId }),
    async disconnect(accountId) {
      const account = facts.snapshot.accounts[accountId]
      if (!account) return { status: 'removed' }
      const { [accountId]: _gone, ...accounts } = facts.snapshot.accounts
      set({ accounts })
      return options.receipts?.[account.provider] ?? { status: 'revoked', tokens: ['access_token'] }
    },
    async disconnectAll() {
      const ids = Object.keys(facts.snapshot.accounts)
      return Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await client.disconnect(id)] as const)))
    },
    ...createFakeTokens(facts),
    refreshProfile: async (accountId) => findAccount(accountId),
    async reportInvalidToken(accountId) {
      setAccount({ ...findAccount(accountId), status: 'needs-reconnect', reason: 'revoked' })
      return findAccount(accountId)
    },
    setIncluded(agentId, target, included) {
      const { excluded } = facts.snapshot
      const id = typeof target === 'string' ? target : target.accountId
      const others = (excluded[agentId] ?? []).filter((one) => one !== id)
      set({ excluded: { ...excluded, [agentId]: included ? others : [...others, id] } })
    },
    async pause(accountId) {
      const account = findAccount(accountId)
      setAccount({ ...account, status: pausedStatus(account, true) })
    },
    async unpause(accountId) {
      const account = findAccount(accountId)
      setAccount({ ...account, status: pausedStatus(account, false) })
    },
    async resolveChange(providerId, choice) {
      const { changed } = facts.snapshot.providers[providerId] ?? {}
      if (!changed) throw new LatchkeyError('flow_unknown', 'There is nothing to choose.', { provider: providerId })
      setState(providerId, undefined)
      if (choice === 'cancel') return { status: 'cancelled', next: 'connect' }
      const { from, to } = changed
      const wasDefault = defaultAccount(facts.snapshot, providerId)?.id === from.id
      setAccount(to)
      if (choice === 'replace') {
        await client.disconnect(from.id)
        if (wasDefault) client.setDefault(to.id)
      }
      return { status: 'connected', account: to }
    },
    async connectLink(providerId) {
      setState(providerId, { status: 'connecting' })
      return `https://${providerId}.example/authorize`
    },
    async signOut() {
      set({ accounts: {}, defaults: {}, excluded: {}, providers: {}, requests: [] })
    },
    requestConnect: (asked, { signal } = {}) => request(asked, signal),
    cancelRequest: (providerId) =>
      set({ requests: facts.snapshot.requests.filter(({ provider }) => provider !== providerId) }),
    setDefault: (accountId) =>
      set({ defaults: { ...facts.snapshot.defaults, [findAccount(accountId).provider]: accountId } }),
    setProviders(next) {
      facts.providers = next
      set({})
    },
    mcp: async () => mcp,
    getSnapshot: store.getState,
    subscribe: store.subscribe,
    mount: () => () => {},
    settle,
    set,
    setAccount,
    setState,
  }
  return client
}
