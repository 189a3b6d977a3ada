import type { Account, Reason } from './accounts.ts'
import { authorizationRequest, authorizationResponse, type Flow } from './authorization.ts'
import type { Challenge } from './challenge.ts'
import { asLatchkeyError, LatchkeyError, type NextAction } from './errors.ts'
import type { Keeper } from './keeper.ts'
import { closeWindow, flows, listen } from './popup.ts'
import { type ApiKeyProvider, type KeyFields, keyScheme, type OAuthProvider, type Provider } from './provider.ts'
import { endOf, facts, granted, type Renewal } from './renewal.ts'
import type { Secret } from './secrets.ts'
import { callBroker, type Profile, type Verification } from './token.ts'

/** A flow that is never answered ends after this long. */
const FLOW_LIFE = 10 * 60_000
const MAX_KEY = 8 * 1024
// What could not stand in a header cannot be a key.
const HEADER_SAFE = /^[\x20-\x7e]+$/

export interface ConnectOptions {
  /** Scopes to ask for. Default: the provider's. */
  scopes?: readonly string[]
  /** The fields of an API key, for a provider of kind `api-key`. */
  apiKey?: KeyFields
  /** The account to reconnect. */
  accountId?: string
  /** `redirect` leaves the page and comes back. Default: `popup`. */
  mode?: 'popup' | 'redirect'
  signal?: AbortSignal
  /** What an MCP server said when it refused: where its metadata is, and which scopes it wants. @see RFC 9728 §5.1 */
  challenge?: Challenge
}

export type ConnectOutcome =
  | { status: 'connected'; account: Account }
  | { status: 'cancelled' | 'denied' | 'blocked'; next: NextAction }

/** A flow of this page that waits for its window. */
export interface Running {
  window: Window | null
  /** Set once the request is built; a window that is opened again goes there too. */
  url?: string
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

export function createConnecting(keeper: Keeper, renewal: Renewal, running: Map<string, Running>) {
  const { options, store, secrets } = keeper
  const verdicts = new WeakMap<KeyFields, Verification>()
  const checked = new Set<string>()

  /** A reconnected account asks for what it had, too. */
  function wanted(provider: OAuthProvider, { scopes, accountId }: ConnectOptions): readonly string[] {
    const had = store.getState().accounts[accountId ?? '']?.scopes ?? []
    return scopes ?? [...new Set([...provider.scopes, ...had])]
  }

  /** Sends the window, or this page, to the authorization server. */
  async function begin(provider: OAuthProvider, flow: Running, connect: ConnectOptions): Promise<Flow> {
    const mode = connect.mode ?? 'popup'
    if (!flow.redirectUri) {
      throw new LatchkeyError(
        'misuse',
        'redirectUri must be a page of this origin: serve @latchkey/core/callback.html and pass its address.',
        { provider: provider.id, next: 'configure' },
      )
    }
    const bound = await renewal.bind(provider, { ...connect, redirectUri: flow.redirectUri })
    const request = await authorizationRequest(bound, {
      redirect_uri: flow.redirectUri,
      client_id: await renewal.clientId(bound),
      scopes: bound === provider ? wanted(provider, connect) : bound.scopes,
      accountId: connect.accountId,
      mode,
      returnTo: mode === 'redirect' ? location.href.slice(location.origin.length) : undefined,
    })
    flow.end.signal.throwIfAborted()
    const written = flows.write(request.flow.state, request.flow)
    flow.url = request.url
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
          keeper.setProvider(provider.id, { status: 'connecting', reason: 'popup_closed' })
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
    const bound = await renewal.bind(provider, flow)
    const answer = await authorizationResponse(bound, flow, new URLSearchParams(query))
    const { redirect_uri, code_verifier, client_id } = flow
    const endpoint = await renewal.endpoint(provider, flow)
    const tokens = await endpoint.redeem({ response: answer, redirect_uri, code_verifier, client_id })
    const secret = { token: tokens.token, expiresAt: endOf(tokens) }
    const account = await adopt(provider, tokens.profile, granted(provider, tokens, flow.scopes), secret, flow)
    keeper.setProvider(provider.id)
    return { status: 'connected', account }
  }

  /**
   * Puts a new secret on the account it belongs to: the same person's, or a new one.
   *
   * @throws LatchkeyError `account_changed` when `expected` is somebody else; nothing is changed then.
   */
  async function adopt(
    provider: Provider,
    profile: Profile | undefined,
    scopes: readonly string[],
    secret: Secret,
    { accountId: expected, reason }: { accountId?: string; reason?: Reason } = {},
  ): Promise<Account> {
    const issuer = secret.token?.issuer ?? provider.issuer
    const known = facts(provider, profile, secret)
    const { subject } = known
    const nameless = Object.values(store.getState().accounts).find(
      (account) =>
        account.provider === provider.id &&
        account.subject === undefined &&
        (account.username ?? known.username) === known.username,
    )
    const id = subject ? await accountId(provider.id, issuer, subject) : (nameless?.id ?? randomId(provider.id))
    if (subject && id !== expected && store.getState().accounts[expected ?? '']?.subject) {
      throw new LatchkeyError('account_changed', `You signed in to another ${provider.name} account.`, {
        provider: provider.id,
        account: expected,
        next: 'reconnect',
      })
    }
    const account = await secrets.exclusive(id, async () => {
      const old = store.getState().accounts[id]
      const complete = old ? await withOldRefreshToken(old, secret) : secret
      return keeper.save(
        {
          id,
          provider: provider.id,
          issuer,
          ...known,
          scopes,
          status: 'connected',
          reason,
          expiresAt: complete.token && complete.expiresAt,
          renewable: complete.token?.refresh_token !== undefined,
          connectedAt: old?.connectedAt ?? nameless?.connectedAt ?? Date.now(),
          rev: old?.rev ?? 0,
        },
        complete,
      )
    })
    // The account had no name until now: it is this one.
    if (subject && nameless && nameless.id !== id) {
      await keeper.forget(nameless.id)
      await secrets.exclusive(nameless.id, () => secrets.remove(nameless)).catch(keeper.unavailable)
    }
    return account
  }

  /** Google gives a refresh token once: an answer without one does not take the old one away. */
  async function withOldRefreshToken(account: Account, secret: Secret): Promise<Secret> {
    if (!secret.token || secret.token.refresh_token) return secret
    const held = await secrets.read(account).catch(() => undefined)
    // What one authorization server gave is never shown to another.
    if (held?.secret.token?.issuer !== secret.token.issuer) return secret
    const { refresh_token } = held.secret.token
    return refresh_token ? { ...secret, token: { ...secret.token, refresh_token } } : secret
  }

  /** Ends a connect in the card's words, and for the caller by what it can do about it. */
  function fail(provider: Provider, error: unknown): ConnectOutcome {
    const known = asLatchkeyError(error, 'network', `${provider.name} could not be connected.`, {
      provider: provider.id,
    })
    if (known.code === 'access_denied') {
      keeper.setProvider(provider.id, { status: 'idle', reason: 'access_denied' })
      return { status: 'denied', next: 'connect' }
    }
    keeper.setProvider(provider.id, { status: 'idle', error: known })
    throw known
  }

  async function finish(provider: OAuthProvider, flow: Flow, query: string): Promise<ConnectOutcome> {
    keeper.setProvider(provider.id, { status: 'connecting' })
    try {
      return await complete(provider, flow, query)
    } catch (error) {
      return fail(provider, error)
    }
  }

  async function judge(provider: ApiKeyProvider, fields: KeyFields): Promise<Verification> {
    checkFields(provider, fields)
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

  return {
    run,
    judge,
    async connectKey(provider: ApiKeyProvider, { apiKey, accountId }: ConnectOptions): Promise<ConnectOutcome> {
      try {
        if (!apiKey) {
          throw new LatchkeyError('misuse', `${provider.name} is connected with a key: pass { apiKey }.`, {
            next: 'edit-key',
          })
        }
        const verdict = await judge(provider, apiKey)
        const profile = verdict.status === 'verified' ? verdict.profile : undefined
        const names = keyScheme(provider, apiKey)?.fields ?? []
        const fields = Object.fromEntries(names.map((name) => [name, apiKey[name] ?? '']))
        const reason = profile ? undefined : 'unverified'
        const account = await adopt(provider, profile, [], { fields }, { accountId, reason })
        keeper.setProvider(provider.id)
        return { status: 'connected', account }
      } catch (error) {
        return fail(provider, error)
      }
    },
    /** Tries a key that could not be checked when it was entered, once a page. */
    async checkAtFirstUse(account: Account): Promise<Account> {
      const provider = keeper.find(account.provider)
      if (provider.kind !== 'api-key' || !options.broker || checked.has(account.id)) return account
      checked.add(account.id)
      const fields = (await secrets.read(account))?.secret.fields
      if (!fields) return account
      try {
        const verdict = await judge(provider, fields)
        return verdict.status === 'verified' ? await adopt(provider, verdict.profile, [], { fields }) : account
      } catch (error) {
        await keeper.mark(account.id, 'needs-reconnect', 'invalid_token')
        throw error
      }
    },
    /** Goes on with the flows that this tab began before it was reloaded or went away. */
    async resume(): Promise<ConnectOutcome | undefined> {
      const answered: Promise<ConnectOutcome>[] = []
      for (const state of flows.states()) {
        const flow = flows.read(state) as Flow | null
        const provider = keeper.providers.find(({ id }) => id === flow?.provider)
        if (!flow || (expired(flow) && flow.response === undefined)) flows.remove(state)
        else if (!provider || provider.kind === 'api-key' || running.has(provider.id)) continue
        else if (flow.response !== undefined) answered.push(finish(provider, flow, flow.response))
        else if (flow.mode === 'popup') {
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
      throw flows.states().length > 0
        ? new LatchkeyError('state_mismatch', 'The answer does not belong to the connection under way.', {
            next: 'connect',
          })
        : new LatchkeyError('flow_unknown', 'There is no connection under way for this answer.', { next: 'connect' })
    },
  }
}

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

async function accountId(provider: string, issuer: string, subject: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${issuer}\n${subject}`))
  return `${provider}.${base64url(new Uint8Array(digest)).slice(0, 22)}`
}

const randomId = (provider: string) =>
  `${provider}.${base64url(crypto.getRandomValues(new Uint8Array(17))).slice(0, 22)}`

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
