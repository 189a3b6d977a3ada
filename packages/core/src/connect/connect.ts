import {
  connectedAgain,
  type Evidence,
  endOf,
  granted,
  type Identified,
  identify,
  isOtherPerson,
  withOldRefreshToken,
} from '../accounts/account-rules.ts'
import type { Keeper } from '../accounts/account-store.ts'
import type { Renewal } from '../accounts/refresh.ts'
import type { Secret } from '../accounts/secret-store.ts'
import { asLatchkeyError, LatchkeyError, type NextAction } from '../errors.ts'
import { callBroker } from '../protocol/broker.ts'
import type { Verification } from '../protocol/profile.ts'
import { isVaultFlow, type VaultClient } from '../protocol/vault-client.ts'
import type { Challenge } from '../protocol/www-authenticate.ts'
import {
  type ApiKeyProvider,
  type KeyFields,
  keyScheme,
  type OAuthProvider,
  type Provider,
  parseScope,
} from '../provider.ts'
import { type ConnectedAccount, defaultAccount } from '../snapshot.ts'
import { authorizationRequest, authorizationResponse, type Flow } from './authorization.ts'
import { closeWindow, embedded, flows, listen } from './popup.ts'

/** A flow that is never answered ends after this long. */
const FLOW_LIFE = 10 * 60_000
const MAX_KEY = 8 * 1024
const MAX_KEPT = 8 * 1024
// What could not stand in a header cannot be a key.
const HEADER_SAFE = /^[\x20-\x7e]+$/

/** How one connect or reconnect goes. */
export interface ConnectOptions {
  /** Scopes to ask for. Default: the provider's. */
  scopes?: readonly string[]
  /** The account to reconnect. */
  accountId?: string
  /**
   * `default`: the provider's default account, or a first one. `add-account`: one more, so the provider is told to ask
   * which, where it can.
   *
   * @default 'default'
   */
  intent?: 'default' | 'add-account'
  /** `tab` opens a plain new tab, `redirect` leaves the page and comes back. Default: `popup`. */
  mode?: 'popup' | 'tab' | 'redirect'
  /** JSON of at most 8 kB, such as typed text: comes back as `kept` of the outcome when a redirect has returned. */
  keep?: unknown
  signal?: AbortSignal
  /** What an MCP server said when it refused: where its metadata is, and which scopes it wants. @see RFC 9728 §5.1 */
  challenge?: Challenge
}

/** What `connectKey` can be told beside the key. */
export interface ConnectKeyOptions {
  /** The account whose key is replaced. Absent: the key's own account, or a new one. */
  accountId?: string
}

/** How a connect ended. `next` says what helps. */
export type ConnectOutcome =
  | { status: 'connected'; account: ConnectedAccount; kept?: unknown }
  | { status: 'cancelled' | 'denied' | 'blocked'; next: NextAction; kept?: unknown }

/** What becomes of two accounts after a reconnect came back as somebody else. */
export type ChangeChoice = 'keep-both' | 'replace' | 'cancel'

/** A flow of this page that waits for its window. */
export interface Running {
  window: Window | null
  /** Set once the request is built; a window that is opened again goes there too. */
  url?: string
  /** Told the address as soon as there is one. */
  told?: (url: string) => void
  /** Absent when the app names no page of this origin. */
  redirectUri?: string
  /** Began before the page was reloaded. */
  resumed?: true
  state?: string
  /** Takes an answer that came by another way than the callback page. */
  heard?: (query: string) => void
  end: AbortController
  outcome?: Promise<ConnectOutcome>
}

/** Everything between a click and an account. Loaded on intent: a page that only shows accounts never needs it. */
export type Connecting = ReturnType<typeof createConnecting>

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: longer than the limit since before it was set.
export function createConnecting(
  keeper: Keeper,
  renewal: Renewal,
  running: Map<string, Running>,
  vault: () => Promise<VaultClient>,
) {
  const { options, store, secrets } = keeper
  const verdicts = new WeakMap<KeyFields, Verification>()
  const checked = new Set<string>()

  /** What came back as somebody else, until it is decided. The secret is nowhere but here. */
  const changes = new Map<string, { from: ConnectedAccount; found: Found }>()

  /** A connected account keeps what it has: more scopes are asked for together with those. */
  function wanted(provider: OAuthProvider, { scopes, accountId, intent }: ConnectOptions): readonly string[] {
    const snapshot = store.getState()
    const account = accountId
      ? snapshot.accounts[accountId]
      : scopes && intent !== 'add-account'
        ? defaultAccount(snapshot, provider.id)
        : undefined
    const asked = scopes ? parseScope(provider, scopes.join(' ')) : provider.scopes
    return [...new Set([...asked, ...(account?.scopes ?? [])])]
  }

  /** Sends the window, or this page, to the authorization server. */
  async function begin(provider: OAuthProvider, flow: Running, connect: ConnectOptions): Promise<Flow> {
    const mode: Flow['mode'] = connect.mode === 'redirect' ? 'redirect' : 'popup'
    if (!flow.redirectUri) {
      throw new LatchkeyError(
        'misuse',
        'redirectUri must be a page of this origin: serve @latchkey/core/callback.html and pass its address.',
        { provider: provider.id, next: 'configure' },
      )
    }
    const keep = mode === 'redirect' ? connect.keep : undefined
    if (JSON.stringify(keep ?? null).length > MAX_KEPT) {
      throw new LatchkeyError('misuse', '`keep` is for a few words: at most 8 kB.', { provider: provider.id })
    }
    const another =
      connect.intent === 'add-account' &&
      !connect.accountId &&
      defaultAccount(store.getState(), provider.id) !== undefined
    const ask = (await renewal.isVaulted(provider)) ? (await vault()).request : authorizationRequest
    const bound = await renewal.bind(provider, { ...connect, redirectUri: flow.redirectUri })
    const asked = {
      redirect_uri: flow.redirectUri,
      client_id: await renewal.clientId(bound),
      scopes: bound === provider ? wanted(provider, connect) : bound.scopes,
      accountId: connect.accountId,
      mode,
      prefix: keeper.prefix,
      keep,
      returnTo: mode === 'redirect' ? location.href.slice(location.origin.length) : undefined,
    }
    const request = await ask(bound, asked, another)
    flow.end.signal.throwIfAborted()
    const written = flows.write(request.flow.state, request.flow)
    flow.url = request.url
    flow.told?.(request.url)
    if (mode === 'popup') flow.window?.location.replace(request.url)
    else if (written) location.assign(request.url)
    else {
      throw new LatchkeyError(
        'storage_unavailable',
        'This browser keeps nothing for this page, so it cannot leave and come back.',
      )
    }
    return request.flow
  }

  /** Runs a flow to its end, however it ends: connected, said no, cancelled, timed out, failed. */
  async function run(
    provider: OAuthProvider,
    flow: Running,
    connect: ConnectOptions,
    resumed?: Flow,
  ): Promise<ConnectOutcome> {
    const cancel = () => flow.end.abort()
    connect.signal?.addEventListener('abort', cancel)
    if (connect.signal?.aborted) cancel()
    discard(provider.id)
    try {
      flow.end.signal.throwIfAborted()
      const record = resumed ?? (await begin(provider, flow, connect))
      flow.state = record.state
      return await complete(provider, record, await response(provider, flow, record))
    } catch (error) {
      closeWindow(flow.window)
      if (!flow.end.signal.aborted) return fail(provider, error)
      // Another one may have taken its place.
      if (running.get(provider.id) === flow) keeper.setProvider(provider.id)
      return { status: 'cancelled', next: 'connect' }
    } finally {
      connect.signal?.removeEventListener('abort', cancel)
      if (running.get(provider.id) === flow) running.delete(provider.id)
      if (flow.state) flows.remove(flow.state)
    }
  }

  /** The query of the authorization response. A closed window is only a hint: servers can make an open one look so. */
  function response(provider: OAuthProvider, flow: Running, { state, startedAt }: Flow): Promise<string> {
    return new Promise((resolve, reject) => {
      flow.heard = (query) => {
        tidy()
        resolve(query)
      }
      const stop = listen(state, flow.heard)
      const watch = setInterval(() => {
        if (flow.window?.closed && !store.getState().providers[provider.id]?.reason) {
          const reason = embedded() ? 'embedded' : 'popup_closed'
          keeper.setProvider(provider.id, { status: 'connecting', reason })
        }
      }, 500)
      const ended = () => {
        tidy()
        reject(late(provider))
      }
      const timer = setTimeout(ended, startedAt + FLOW_LIFE - Date.now())
      const tidy = () => {
        stop()
        clearInterval(watch)
        clearTimeout(timer)
        flow.end.signal.removeEventListener('abort', ended)
      }
      if (flow.end.signal.aborted) ended()
      else flow.end.signal.addEventListener('abort', ended)
    })
  }

  /** From the authorization response to the account. */
  async function complete(provider: OAuthProvider, flow: Flow, query: string): Promise<ConnectOutcome> {
    // Used once: a second answer finds no flow.
    flows.remove(flow.state)
    if (expired(flow)) throw late(provider)
    if (isVaultFlow(flow)) return connected(provider, await (await vault()).finish(flow, query), flow)
    const began = keeper.epoch
    const bound = await renewal.bind(provider, flow)
    const answer = await authorizationResponse(bound, flow, new URLSearchParams(query))
    const { redirect_uri, code_verifier, client_id, nonce } = flow
    const endpoint = await renewal.endpoint(provider, flow)
    const tokens = await endpoint.redeem({ response: answer, redirect_uri, code_verifier, client_id, nonce })
    const secret = { token: tokens.token, expiresAt: endOf(tokens) }
    const account = await adopt(provider, secret, {
      profile: tokens.profile,
      asked: flow.scopes,
      granted: granted(provider, tokens, flow.scopes),
      target: flow.accountId,
      began,
    })
    return connected(provider, account, flow)
  }

  function connected(provider: Provider, account: ConnectedAccount, flow?: Flow): ConnectOutcome {
    keeper.setProvider(provider.id)
    return { status: 'connected', account, ...(flow && keptOf(flow)) }
  }

  /** Puts a secret on its account, under the account's lock. */
  async function settle({ account: found, secret, nameless, began }: Found, since?: number): Promise<ConnectedAccount> {
    const { id } = found
    const account = await secrets.exclusive(id, async () => {
      if (keeper.epoch !== began) throw new LatchkeyError('cancelled', 'Signed out meanwhile.', { next: 'connect' })
      const old = store.getState().accounts[id]
      const held = old && (await secrets.read(old).catch(() => undefined))
      const complete = withOldRefreshToken(secret, held?.secret)
      return keeper.save(
        {
          ...connectedAgain(found, complete, old),
          ...(!old && since !== undefined && { connectedAt: since }),
        },
        complete,
        { paused: false },
      )
    })
    // The account had no name until now: it is this one.
    if (found.subject && nameless && nameless.id !== id) {
      await keeper.forget(nameless.id)
      await secrets.exclusive(nameless.id, () => secrets.remove(nameless)).catch(keeper.unavailable)
    }
    return account
  }

  /**
   * Puts a new secret on the account it belongs to: the same person's, or a new one.
   *
   * @throws LatchkeyError `account_changed` when it was to be another's; nothing is changed then until it is decided.
   */
  async function adopt(
    provider: Provider,
    secret: Secret,
    { began, ...evidence }: Adoption,
  ): Promise<ConnectedAccount> {
    const { accounts } = store.getState()
    const found = { ...(await identify(provider, secret, Object.values(accounts), evidence)), secret, began }
    const from = accounts[evidence.target ?? '']
    if (!from || !isOtherPerson(found.account, from)) return settle(found)
    discard(provider.id)
    changes.set(provider.id, { from, found })
    throw new LatchkeyError('account_changed', `You signed in to another ${provider.name} account.`, {
      provider: provider.id,
      account: from.id,
      next: 'choose',
    })
  }

  /** Drops what nobody decided about, and ends its token where that ends nothing else. */
  async function discard(providerId: string): Promise<void> {
    const change = changes.get(providerId)
    changes.delete(providerId)
    const token = change?.found.secret.token
    const provider = keeper.providers.find(({ id }) => id === providerId)
    if (!change || !token || !provider || provider.kind === 'api-key') return
    const { issuer, subject } = change.found.account
    // One grant of a person may stand behind several tokens and accounts, as at Google.
    const shared = Object.values(store.getState().accounts).some(
      (account) => account.issuer === issuer && account.subject === subject,
    )
    if (shared) return
    try {
      await (await renewal.endpoint(provider, token)).revoke(token)
    } catch {
      // It is held by nobody now, and ends by itself.
    }
  }

  /** Ends a connect in the card's words, and for the caller by what it can do about it. */
  function fail(provider: Provider, error: unknown, flow?: Flow): ConnectOutcome {
    const known = asLatchkeyError(error, 'network', `${provider.name} could not be connected.`, {
      provider: provider.id,
    })
    if (known.code === 'access_denied') {
      keeper.setProvider(provider.id, { status: 'idle', reason: 'access_denied' })
      return { status: 'denied', next: 'connect', ...keptOf(flow) }
    }
    const change = known.code === 'account_changed' ? changes.get(provider.id) : undefined
    keeper.setProvider(provider.id, {
      status: 'idle',
      error: known,
      ...(change && { changed: { from: change.from, to: change.found.account } }),
    })
    throw known
  }

  async function finish(provider: OAuthProvider, flow: Flow, query: string): Promise<ConnectOutcome> {
    keeper.setProvider(provider.id, { status: 'connecting' })
    try {
      return await complete(provider, flow, query)
    } catch (error) {
      return fail(provider, error, flow)
    }
  }

  async function judge(provider: ApiKeyProvider, fields: KeyFields): Promise<Verification> {
    checkFields(provider, fields)
    // The server takes a key once: when it is connected.
    if (await renewal.isVaulted(provider)) return { status: 'unchecked' }
    const known = verdicts.get(fields)
    if (known || !options.broker) return known ?? { status: 'unchecked' }
    const verdict = await callBroker<Verification>(options.broker, 'verify', { provider: provider.id, fields }).catch(
      (error: LatchkeyError): Verification => {
        if (error.code === 'invalid_token') throw error
        return { status: 'unchecked' }
      },
    )
    verdicts.set(fields, verdict)
    return verdict
  }

  /** The page was left for a redirect, and it is here again without an answer. */
  async function lost(provider: Provider): Promise<ConnectOutcome> {
    return fail(
      provider,
      new LatchkeyError('flow_lost', `${provider.name} did not send you back with an answer.`, {
        provider: provider.id,
      }),
    )
  }

  return {
    run,
    judge,
    adopt,
    async connectKey(
      provider: ApiKeyProvider,
      key: KeyFields,
      { accountId }: ConnectKeyOptions,
    ): Promise<ConnectOutcome> {
      const began = keeper.epoch
      discard(provider.id)
      try {
        const verdict = await judge(provider, key)
        if (await renewal.isVaulted(provider)) {
          return connected(provider, await (await vault()).connectKey(provider, key, accountId))
        }
        const profile = verdict.status === 'verified' ? verdict.profile : undefined
        const names = keyScheme(provider, key)?.fields ?? []
        const fields = Object.fromEntries(names.map((name) => [name, key[name] ?? '']))
        const reason = profile ? undefined : 'unverified'
        return connected(provider, await adopt(provider, { fields }, { profile, target: accountId, reason, began }))
      } catch (error) {
        return fail(provider, error)
      }
    },
    /** Tries a key that could not be checked when it was entered, once a page. */
    async checkAtFirstUse(account: ConnectedAccount): Promise<ConnectedAccount> {
      const provider = keeper.find(account.provider)
      if (provider.kind !== 'api-key' || !options.broker || checked.has(account.id)) return account
      checked.add(account.id)
      const began = keeper.epoch
      const fields = (await secrets.read(account))?.secret.fields
      if (!fields) return account
      try {
        const verdict = await judge(provider, fields)
        return verdict.status === 'verified'
          ? await adopt(provider, { fields }, { profile: verdict.profile, began })
          : account
      } catch (error) {
        await secrets.exclusive(account.id, () => keeper.mark(account.id, 'needs-reconnect', 'invalid_token'))
        throw error
      }
    },
    async resolveChange(providerId: string, choice: ChangeChoice): Promise<ConnectOutcome> {
      const provider = keeper.find(providerId)
      const change = changes.get(providerId)
      if (!change) {
        throw new LatchkeyError('flow_unknown', `There is nothing to choose for ${provider.name}.`, {
          provider: providerId,
        })
      }
      const { from, found } = change
      keeper.setProvider(providerId)
      if (choice === 'cancel') {
        await discard(providerId)
        return { status: 'cancelled', next: 'connect' }
      }
      changes.delete(providerId)
      try {
        const replaces = choice === 'replace'
        const wasDefault = defaultAccount(store.getState(), providerId)?.id === from.id
        const account = await settle(found, replaces ? from.connectedAt : undefined)
        if (replaces && wasDefault) keeper.setDefault(account)
        if (replaces && store.getState().accounts[from.id]) {
          await keeper.forget(from.id)
          await renewal.revoke(from)
        }
        return { status: 'connected', account }
      } catch (error) {
        return fail(provider, error)
      }
    },
    /** Goes on with the flows that this tab began before it was reloaded or went away. */
    async resume(): Promise<ConnectOutcome | undefined> {
      const answered: Promise<ConnectOutcome>[] = []
      for (const state of flows.states(keeper.prefix)) {
        const flow = flows.read(state) as Flow | null
        const provider = keeper.providers.find(({ id }) => id === flow?.provider)
        if (!flow || (expired(flow) && flow.response === undefined)) flows.remove(state)
        else if (!provider || provider.kind === 'api-key' || running.has(provider.id)) continue
        else if (flow.response !== undefined) answered.push(finish(provider, flow, flow.response))
        else if (flow.mode === 'redirect') {
          flows.remove(state)
          answered.push(lost(provider))
        } else if (flow.mode === 'popup') {
          const waiting: Running = { window: null, resumed: true, end: new AbortController() }
          running.set(provider.id, waiting)
          keeper.setProvider(provider.id, { status: 'connecting' })
          waiting.outcome = run(provider, waiting, {}, flow)
          waiting.outcome.catch(() => {})
        }
      }
      // The card shows how each ended; the caller hears of the last.
      for (const outcome of answered) outcome.catch(() => {})
      return answered.at(-1)
    },
    /** Finishes the flow whose answer this URL holds. */
    async answer(url: string): Promise<ConnectOutcome> {
      const { origin, pathname, search, searchParams } = new URL(url, location.href)
      const flow = flows.read(searchParams.get('state') ?? '') as Flow | null
      const provider = keeper.providers.find(({ id }) => id === flow?.provider)
      // Answers come to the redirect URI of their request, and to no other. @see RFC 9700 §2.1
      if (flow && provider && provider.kind !== 'api-key' && flow.redirect_uri.split('?')[0] === origin + pathname) {
        const waiting = running.get(provider.id)
        if (waiting?.state !== flow.state || !waiting.heard || !waiting.outcome) return finish(provider, flow, search)
        waiting.heard(search)
        return waiting.outcome
      }
      throw flows.states(keeper.prefix).length > 0
        ? new LatchkeyError('state_mismatch', 'The answer does not belong to the connection under way.', {
            next: 'connect',
          })
        : new LatchkeyError('flow_unknown', 'There is no connection under way for this answer.', { next: 'connect' })
    },
  }
}

/** What is known of a secret before it belongs to an account. */
interface Adoption extends Evidence {
  /** The keeper's epoch when all this began. */
  began: number
}

/** An account as it will be, and its secret. */
interface Found extends Identified {
  secret: Secret
  began: number
}

const keptOf = (flow?: Flow) => (flow?.keep === undefined ? {} : { kept: flow.keep })

const expired = ({ startedAt }: Flow) => !(Date.now() - startedAt <= FLOW_LIFE)

const late = ({ id, name }: Provider) =>
  new LatchkeyError('timeout', `${name} was not answered in ten minutes.`, { provider: id, next: 'connect' })

function checkFields(provider: ApiKeyProvider, fields: KeyFields): void {
  const needed = keyScheme(provider, fields)?.fields ?? [provider.fields[0]?.name ?? 'key']
  const wrong = needed.find((name) => {
    const value = fields[name]
    return !value || value.length > MAX_KEY || !HEADER_SAFE.test(value)
  })
  if (wrong === undefined) return
  const label = provider.fields.find(({ name }) => name === wrong)?.label ?? wrong
  throw new LatchkeyError('invalid_token', `${label}: this cannot be right. Copy it again, without line breaks.`, {
    provider: provider.id,
    next: 'edit-key',
  })
}
