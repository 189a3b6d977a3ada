import { isUsable } from './accounts/account-rules.ts'
import { type AccountStore, createAccountStore, type DisconnectReceipt } from './accounts/account-store.ts'
import { createEndpoints } from './accounts/endpoints.ts'
import type { Page } from './accounts/page.ts'
import { hasPerson } from './accounts/person.ts'
import { keepFresh } from './accounts/refresh-scheduler.ts'
import type { AccountTarget, TokenOptions, Tokens } from './accounts/tokens.ts'
import type { ChangeChoice } from './connect/adopt.ts'
import type { ConnectKeyOptions } from './connect/api-key.ts'
import type { Attempts, ConnectOutcome, Run } from './connect/flow.ts'
import type { RequestOutcome } from './connect/pending-requests.ts'
import { flows } from './connect/popup.ts'
import { hasFlows } from './connect/window.ts'
import { createEnding } from './ending.ts'
import { asLatchkeyError, errorAbout } from './errors.ts'
import type { ConnectRequest, Identity } from './identities.ts'
import { includedAccounts, includedDefault } from './included.ts'
import type { Mcp, McpAccounts } from './mcp/accounts.ts'
import { onceLoaded } from './once-loaded.ts'
import { type ApiKeyProvider, isMcp, type KeyFields, type McpProvider, type Provider } from './provider.ts'
import type { ConnectedAccount } from './snapshot.ts'

/** The verdict on a key. `unchecked`: it could not be checked, so the key is kept and tried at first use. */
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

/** An account that the server keeps, as an agent run names it. */
export interface AccountReference {
  /** Provider id. */
  provider: string
  accountId: string
  status: ConnectedAccount['status']
  scopes: string[]
  /** What its person calls it. Only where several accounts of a provider are sent. */
  label?: string
}

/** The methods of a client that act. Their code loads at the first call of one of them. */
export interface ClientActions<Id extends string = string> {
  /**
   * Connects an account of an API key provider with the fields that a person entered. With `accountId` the key takes the
   * place of that account's.
   *
   * @throws LatchkeyError `invalid_token` for a key that cannot be right, or that the provider refuses.
   */
  connectKey(providerId: Id, fields: KeyFields, options?: ConnectKeyOptions): Promise<ConnectOutcome>
  /** Asks the provider about a key without saving it. @throws LatchkeyError `invalid_token` for a key it refuses. */
  verifyKey(providerId: Id, fields: KeyFields): Promise<KeyVerdict>
  /**
   * Answers the question that a reconnect left which came back as another person (`changed` of the provider's state).
   * `keep-both` adds the new account, `replace` puts it in place of the old one, which is disconnected, and `cancel`
   * drops it.
   */
  resolveChange(providerId: Id, choice: ChangeChoice): Promise<ConnectOutcome>
  /**
   * Stops the use of an account, here and in other tabs; its secret is kept. One that the server keeps is stopped there.
   *
   * @throws LatchkeyError if the server could not be told. The account is as it was, and its card says why.
   */
  pause(accountId: string): Promise<void>
  /** Ends a pause: the account has the status that it had before. */
  unpause(accountId: string): Promise<void>
  /** Removes the account here first, then revokes it at the provider. Never rejects. */
  disconnect(accountId: string): Promise<DisconnectReceipt>
  disconnectAll(): Promise<Record<string, DisconnectReceipt>>
  /** A token that lives for `minValidity` seconds more, refreshed once for all callers and tabs. */
  getToken(target: AccountTarget<Id>, options?: TokenOptions): Promise<string>
  /**
   * Says that an API answered 401 to this account's token. It is refreshed; where nothing can refresh it, the account
   * is marked needs-reconnect. Resolves to the account as it is then.
   *
   * @see RFC 6750 §3.1
   */
  reportInvalidToken(accountId: string): Promise<ConnectedAccount>
  /** The wire form of the accounts an agent may use, freshly refreshed. Accounts that cannot be used are left out. */
  getIdentities(options?: IdentityOptions): Promise<Identity[]>
  /**
   * Shows a tool's request in `requests` of the snapshot until an account answers it. Several for one provider are
   * shown as one.
   *
   * @throws LatchkeyError `misuse` for a provider that this page does not know.
   */
  requestConnect(request: ConnectRequest, options?: { signal?: AbortSignal }): Promise<RequestOutcome>
  /**
   * References to the accounts that the server keeps, in place of identities: an agent run carries them, and the server
   * resolves them with the person's session. They hold no secret.
   */
  getConnectedAccounts(options?: IdentityOptions): Promise<AccountReference[]>
  /**
   * All accounts that an agent may be told to use, several of a provider, with what their person calls them: `accounts` of
   * an agent run. One that this browser keeps is an identity, freshly refreshed; one that the server keeps is a reference.
   * Accounts that are excluded, paused or cannot be used are left out. Send it beside the other two: they say which account
   * of each provider is used unless a tool names another.
   */
  getAgentAccounts(options?: IdentityOptions): Promise<(Identity | AccountReference)[]>
  /**
   * Reads the person's name and picture again, where the provider answers browsers. Of an MCP server: what it says of
   * itself, and its tools.
   */
  refreshProfile(accountId: string): Promise<ConnectedAccount>
  /** What MCP servers need beyond other providers: discovery and client registrations. */
  mcp(): Promise<Mcp>
}

/** What of a client loads on first use: everything that writes, seals, refreshes or sends. */
export interface Engine extends ClientActions {
  run(): Promise<Run>
  /** Why `connect` opens no window for this provider. */
  refuse(provider: Provider): Promise<never>
  /** Shows on their cards that these providers lack a broker. */
  announce(providers: readonly Provider[]): Promise<void>
  /** Loads what `connect` will need. */
  prepare(provider: Provider): Promise<void>
  answer(url: string): Promise<ConnectOutcome>
  /** Goes on with what this tab began before it was reloaded, or left for a redirect. */
  resume(): Promise<ConnectOutcome | undefined>
  /** The providers are others: flows of those that were not there go on, at once or at the next mount. */
  resumeAgain(): void
  writeDefault(account: ConnectedAccount): Promise<void>
  writeExcluded(agentId: string, excluded: readonly string[]): Promise<void>
  wipe(everywhere: boolean): Promise<void>
  importIdentities(): Promise<ConnectedAccount[]>
  /** Keeps accounts fresh and goes on with flows until the signal ends it. */
  start(signal: AbortSignal): void
}

export function createEngine(page: Page, attempts: Attempts): Engine {
  const { store } = page
  const accounts = createAccountStore(page)
  const mcp: () => Promise<McpAccounts> = onceLoaded(async () =>
    (await import('./mcp/accounts.ts')).createMcp(page, (id) => remove(id)),
  )
  const endpoints = createEndpoints(page, mcp)
  const vault = onceLoaded(async () => (await import('./connect/vault-client.ts')).createVaultClient(accounts))
  const refresher = onceLoaded(async () => (await import('./accounts/refresh.ts')).createRefresher(accounts, endpoints))
  const connector = onceLoaded(async () =>
    (await import('./connect/connect.ts')).createConnector(accounts, endpoints, refresher, attempts, vault),
  )
  const keys = onceLoaded(async () => {
    const { adopter } = await connector()
    return (await import('./connect/api-key.ts')).createKeyConnector(accounts, endpoints, adopter, vault)
  })
  const requests = onceLoaded(async () => (await import('./connect/pending-requests.ts')).createRequests(page))
  const tokens = onceLoaded(async () => {
    const { createTokens } = await import('./accounts/tokens.ts')
    const loaded = createTokens(accounts, refresher, async (account) => (await keys()).checkAtFirstUse(account))
    // From now on without a detour: nearly every call is for a token that is held.
    engine.getToken = loaded.getToken
    return loaded
  })
  let resuming: Promise<ConnectOutcome | undefined> | undefined
  let mounted: AbortSignal | undefined

  const keyProvider = (providerId: string): ApiKeyProvider => {
    const provider = page.find(providerId)
    if (provider.kind === 'api-key') return provider
    throw errorAbout(provider, 'misuse', `${provider.name} is not connected with a key.`)
  }
  const sync = async () => (await vault()).sync()
  /** Pauses an account, or ends that. */
  async function turn(id: string, paused: boolean): Promise<void> {
    const { custody, provider } = page.findAccount(id)
    if (custody !== 'vault') return accounts.pause(id, paused)
    await (await vault()).pause(id, paused).catch((error) => {
      page.setProvider(provider, { status: 'idle', error })
      throw error
    })
  }
  const {
    follow: followRevocations,
    prepare: prepareEnd,
    remove,
  } = createEnding({
    accounts,
    endpoints,
    mcp,
    end: async (account) => (await vault()).end(account),
    disconnect: (id) => engine.disconnect(id),
    life: () => mounted,
    load: () => (hasVaulted() ? vault : refresher)(),
  })
  const hasVaulted = () =>
    store.getState().custody === 'vault' ||
    Object.values(store.getState().accounts).some(({ custody }) => custody === 'vault')

  const engine: Engine = {
    ...createAgentSide(page, { tokens, isVaulted: hasVaulted, ready: async () => (await vault()).ready() }),
    getToken: async (target, options) => (await tokens()).getToken(target, options),
    mcp: async () => (await mcp()).mcp,
    resume() {
      resuming ??= hasFlows() ? connector().then((it) => it.resume()) : Promise.resolve(undefined)
      return resuming
    },
    run: async () => (await connector()).run,
    async refuse(provider) {
      throw refusal(provider)
    },
    async announce(providers) {
      for (const provider of providers) {
        if (store.getState().providers[provider.id]?.error) continue
        const error = refusal(provider)
        console.error(`Latchkey: ${error.message}`)
        page.setProvider(provider.id, { status: 'idle', error })
      }
    },
    async prepare(provider) {
      await (provider.kind === 'api-key' ? keys() : connector())
      if (provider.kind === 'oauth') await endpoints.clientId(provider)
    },
    answer: async (url) => (await connector()).answer(url),
    resumeAgain() {
      resuming = undefined
      if (mounted?.aborted === false) engine.resume().catch(() => {})
    },
    connectKey: async (id, fields, options = {}) => (await keys()).connectKey(keyProvider(id), fields, options),
    async verifyKey(id, fields) {
      const verdict = await (await keys()).verify(keyProvider(id), fields)
      return verdict.status === 'verified' ? { status: 'verified', username: verdict.profile.username } : verdict
    },
    resolveChange: async (id, choice) => (await connector()).adopter.resolveChange(id, choice),
    pause: (id) => turn(id, true),
    unpause: (id) => turn(id, false),
    async disconnect(id) {
      const account = store.getState().accounts[id]
      if (!account) return { status: 'removed' }
      // Gone here first, whatever the provider will say.
      await accounts.forget(id)
      const receipt = await (account.custody === 'vault'
        ? vault().then((it) => it.disconnect(account))
        : refresher().then((it) => it.revoke(account))
      ).catch((thrown) =>
        accounts.postpone(account, asLatchkeyError(thrown, 'network', 'The server could not be told.')),
      )
      if (receipt.status === 'pending') followRevocations().catch(() => {})
      return receipt
    },
    async disconnectAll() {
      const ids = Object.keys(store.getState().accounts)
      return Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await engine.disconnect(id)] as const)))
    },
    async reportInvalidToken(id) {
      const account = page.findAccount(id)
      return account.custody === 'vault' ? (await vault()).check(account) : (await refresher()).refused(account)
    },
    requestConnect: async (request, { signal } = {}) => (await requests())(request, signal),
    async refreshProfile(id) {
      const account = page.findAccount(id)
      const provider = page.find(account.provider)
      if (provider.kind === 'api-key' || account.custody === 'vault') return account
      const { secret } = await (await tokens()).use({ accountId: id })
      const token = secret.token?.access_token ?? ''
      if (!isMcp(provider)) return (await refresher()).refreshProfile(id, token)
      await describe(accounts, mcp, provider, account, token)
      return page.findAccount(id)
    },
    writeDefault: ({ id, provider }) => accounts.writer.writeDefault(provider, id),
    writeExcluded: (agentId, excluded) => accounts.writer.writeExcluded(agentId, excluded),
    wipe(everywhere) {
      flows.clear(page.prefix)
      return accounts.wipe(everywhere)
    },
    async importIdentities() {
      const [{ readIdentities }, { adopter }] = await Promise.all([import('./connect/import.ts'), connector()])
      return accounts.secrets.exclusive('import', () => readIdentities(accounts, adopter.adopt))
    },
    start(signal) {
      mounted = signal
      // What the server did meanwhile. Where it cannot be asked, what is known stays.
      if (hasVaulted()) sync().catch(() => {})
      keepFresh(accounts, refresher, signal)
      followRevocations().catch(() => {})
      addEventListener('online', () => void followRevocations().catch(() => {}), { signal })
      signal.addEventListener('abort', store.subscribe(prepareEnd))
      prepareEnd()
      engine.resume().catch(() => {})
    },
  }
  followNames(page)
  return engine
}

interface AgentSide {
  tokens(): Promise<Tokens>
  /** The server keeps accounts. */
  isVaulted(): boolean
  /** Brings the facts of those up to date. */
  ready(): Promise<void>
}

/** What a run of an agent carries. */
function createAgentSide(
  page: Page,
  { tokens, isVaulted, ready }: AgentSide,
): Pick<Engine, 'getAgentAccounts' | 'getConnectedAccounts' | 'getIdentities'> {
  const { store } = page
  const wanted = (only: readonly string[] | undefined) => page.providers.filter(({ id }) => !only || only.includes(id))
  const identityOf = async (provider: Provider, account: ConnectedAccount | undefined) =>
    account && (await tokens()).identity(provider, account)
  /** To an account that the server keeps and that can be used. */
  const referenceTo = (account: ConnectedAccount | undefined): AccountReference | undefined => {
    if (account?.custody !== 'vault' || !isUsable(account.status)) return undefined
    const { id: accountId, provider, status, scopes } = account
    return { provider, accountId, status, scopes: [...scopes] }
  }
  return {
    async getIdentities({ agent, providers: only } = {}) {
      const chosen = ({ id }: Provider) => includedDefault(store.getState(), id, agent)
      const found = await Promise.all(wanted(only).map((provider) => identityOf(provider, chosen(provider))))
      return found.filter((one) => one !== undefined)
    },
    async getConnectedAccounts({ agent, providers: only } = {}) {
      if (!isVaulted()) return []
      await ready()
      const state = store.getState()
      return wanted(only).flatMap(({ id }) => referenceTo(includedDefault(state, id, agent)) ?? [])
    },
    async getAgentAccounts({ agent, providers: only } = {}) {
      if (isVaulted()) await ready()
      const state = store.getState()
      const found = wanted(only).flatMap((provider) =>
        includedAccounts(state, provider.id, agent).map(async (account) => {
          const one = referenceTo(account) ?? (await identityOf(provider, account))
          return one && { ...one, label: account.label }
        }),
      )
      return (await Promise.all(found)).filter((one) => one !== undefined)
    },
  }
}

/** Reads what an MCP server says of itself, and names an account after it that has no person's name. */
async function describe(
  accounts: AccountStore,
  mcp: () => Promise<McpAccounts>,
  provider: McpProvider,
  account: ConnectedAccount,
  token: string,
): Promise<void> {
  const server = await (await mcp()).describe(provider, token)
  await accounts.secrets.exclusive(account.id, () =>
    accounts.change(account.id, (newest) => ({
      ...newest,
      server,
      ...(server.name && !hasPerson(newest) && { label: server.name }),
    })),
  )
}

/** Shows MCP servers under their own names, as far as accounts know them. */
function followNames(page: Page): void {
  const load = onceLoaded(() => import('./mcp/server-names.ts'))
  let nameServers: ((page: Page) => void) | undefined
  const read = () => {
    if (nameServers) return nameServers(page)
    if (!Object.values(page.store.getState().accounts).some(({ server }) => server)) return
    load().then(
      (loaded) => {
        nameServers = loaded.nameServers
        nameServers(page)
      },
      () => {},
    )
  }
  page.store.subscribe(read)
  read()
}

/** Why `connect` opens no window for this provider. */
function refusal(provider: Provider) {
  const { kind, name } = provider
  const key = `${name} is connected with a key: call connectKey().`
  if (kind === 'api-key') return errorAbout(provider, 'misuse', key, { next: 'edit-key' })
  const secret = `${name} needs a client secret, which only a server can keep. Mount createBroker() of @latchkey/server and pass its address as \`broker\`.`
  return errorAbout(provider, 'not_configured', secret)
}
