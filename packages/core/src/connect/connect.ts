import { endOf, granted } from '../accounts/account-rules.ts'
import type { AccountStore } from '../accounts/account-store.ts'
import type { Endpoints } from '../accounts/endpoints.ts'
import type { Refresher } from '../accounts/refresh.ts'
import { errorAbout, LatchkeyError } from '../errors.ts'
import { type OAuthProvider, type Provider, parseScope } from '../provider.ts'
import { defaultAccount } from '../snapshot.ts'
import { type Adopter, createAdopter } from './adopt.ts'
import { authorizationRequest, authorizationResponse, type Flow } from './authorization.ts'
import type { Attempt, Attempts, ConnectOptions, ConnectOutcome, Run } from './flow.ts'
import { flows, listen } from './popup.ts'
import type { VaultClient } from './vault-client.ts'
import { closeWindow, embedded, tried } from './window.ts'

/** A flow that is never answered ends after this long. */
const FLOW_LIFE = 10 * 60_000
const MAX_KEPT = 8 * 1024

/** Everything between a click and an account. Loaded on intent: a page that only shows accounts never needs it. */
export interface Connector {
  readonly adopter: Adopter
  run: Run
  /** Goes on with the flows that this tab began before it was reloaded or went away. Resolves to how the last ended. */
  resume(): Promise<ConnectOutcome | undefined>
  /** Finishes the flow whose answer this URL holds. */
  answer(url: string): Promise<ConnectOutcome>
}

export function createConnector(
  accounts: AccountStore,
  endpoints: Endpoints,
  refresher: () => Promise<Refresher>,
  attempts: Attempts,
  vault: () => Promise<VaultClient>,
): Connector {
  const adopter = createAdopter(accounts, endpoints, refresher)
  const request = createRequester(accounts, endpoints, vault)
  const { running } = attempts
  const { adopt, connected, discard, fail } = adopter
  const unanswered = (provider: OAuthProvider, flow: Flow) => endpoints.unanswered(provider, flow).catch(() => {})

  /** Runs an attempt to its end, however it ends: connected, said no, cancelled, timed out, failed. */
  const run: Run = async (provider, attempt, connect) => {
    const { end, progress } = attempt
    const cancel = () => end.abort()
    connect.signal?.addEventListener('abort', cancel)
    if (connect.signal?.aborted) cancel()
    discard(provider.id)
    // A page that is left ends its flows, unless it mounts again at once, as React does in strict mode.
    const follow = () =>
      accounts.life?.addEventListener('abort', () =>
        queueMicrotask(() => (accounts.life?.aborted ? cancel() : follow())),
      )
    follow()
    // Whatever it waits for: a server may never answer.
    const stopped = new Promise<never>((_, stop) => end.signal.addEventListener('abort', () => stop(end.signal.reason)))
    const work = async () => {
      end.signal.throwIfAborted()
      const flow = attempt.resumed ?? (await request(provider, attempt, connect))
      progress.state = flow.state
      return complete(provider, flow, await answerTo(provider, attempt, flow), end.signal)
    }
    try {
      return await Promise.race([work(), stopped])
    } catch (error) {
      closeWindow(attempt.window)
      if (!end.signal.aborted) return fail(provider, error)
      endpoints.letGo()
      // Another attempt may have taken its place.
      if (running.get(provider.id) === attempt) accounts.setProvider(provider.id)
      return { status: 'cancelled', next: 'connect' }
    } finally {
      connect.signal?.removeEventListener('abort', cancel)
      if (running.get(provider.id) === attempt) running.delete(provider.id)
      if (progress.state) flows.remove(progress.state)
    }
  }

  /** The query of the authorization response. A closed window is only a hint: servers can make an open one look so. */
  function answerTo(provider: OAuthProvider, attempt: Attempt, flow: Flow): Promise<string> {
    const { state, startedAt } = flow
    const { signal } = attempt.end
    let tidy = () => {}
    const answer = new Promise<string>((resolve, reject) => {
      const ended = () => reject(late(provider))
      const stop = listen(state, resolve)
      const watch = setInterval(() => {
        // A timer stands still while a computer sleeps, or a page is kept for the back button.
        if (expired({ startedAt })) ended()
        if (attempt.window?.closed && !accounts.store.getState().providers[provider.id]?.reason) {
          const reason = embedded() ? 'embedded' : 'popup_closed'
          accounts.setProvider(provider.id, { status: 'connecting', reason })
        }
      }, 500)
      const timer = setTimeout(ended, startedAt + FLOW_LIFE - Date.now())
      tidy = () => {
        stop()
        clearInterval(watch)
        clearTimeout(timer)
      }
      attempt.progress.heard = resolve
      signal.addEventListener('abort', ended)
      if (signal.aborted) ended()
    })
    return answer.finally(tidy).catch(async (error) => {
      await unanswered(provider, flow)
      throw error
    })
  }

  /** From the authorization response to the account. */
  async function complete(provider: OAuthProvider, flow: Flow, query: string, signal?: AbortSignal) {
    signal?.throwIfAborted()
    accounts.setProvider(provider.id, { status: 'connecting', reason: 'finishing' })
    // Used once: a second answer finds no flow.
    flows.remove(flow.state)
    if (expired(flow)) throw late(provider)
    if (flow.custody === 'vault') {
      const account = await (await vault()).finish(flow, query, signal)
      // Cancelled: another flow may be under way by now.
      signal?.throwIfAborted()
      return connected(provider, account, flow)
    }
    const began = accounts.epoch
    const bound = await endpoints.bind(provider, flow)
    const response = await endpoints.whileKnown(provider, flow, () =>
      authorizationResponse(bound, flow, new URLSearchParams(query)),
    )
    const { scopes: asked, accountId: target } = flow
    const endpoint = await endpoints.endpoint(provider, flow)
    const tokens = await endpoint.redeem({ ...flow, response })
    const secret = { token: tokens.token, expiresAt: endOf(tokens) }
    const evidence = { profile: tokens.profile, asked, granted: granted(provider, tokens, asked), target }
    return connected(provider, await adopt(provider, secret, began, evidence, signal), flow)
  }

  /** Finishes a flow whose answer came while this page was away. */
  async function finish(provider: OAuthProvider, flow: Flow, query: string | undefined): Promise<ConnectOutcome> {
    try {
      if (query !== undefined) return await complete(provider, flow, query)
      flows.remove(flow.state)
      await unanswered(provider, flow)
      throw errorAbout(provider, 'flow_lost', `${provider.name} did not send you back with an answer.`)
    } catch (error) {
      return fail(provider, error, query === undefined ? undefined : flow)
    }
  }

  /** A flow that this tab keeps, with its provider. */
  function kept(state: string): { flow?: Flow; provider?: OAuthProvider } {
    const flow = (flows.read(state) as Flow | null) ?? undefined
    const provider = accounts.providers.find(({ id }) => id === flow?.provider)
    return { flow, provider: provider?.kind === 'api-key' ? undefined : provider }
  }

  return {
    adopter,
    run,
    async resume() {
      const answered: Promise<ConnectOutcome>[] = []
      for (const state of flows.states(accounts.prefix)) {
        const { flow, provider } = kept(state)
        if (!flow || (expired(flow) && flow.response === undefined)) flows.remove(state)
        else if (!provider || running.has(provider.id)) continue
        else if (flow.response !== undefined || flow.mode === 'redirect')
          answered.push(finish(provider, flow, flow.response))
        // The card shows how it ends.
        else if (flow.mode === 'popup') attempts.begin(provider, {}, { resumed: flow }).catch(() => {})
      }
      // The card shows how each ended; the caller hears of the last.
      for (const outcome of answered) outcome.catch(() => {})
      return answered.at(-1)
    },
    async answer(url) {
      const { origin, pathname, search, searchParams } = new URL(url, location.href)
      const { flow, provider } = kept(searchParams.get('state') ?? '')
      // Answers come to the redirect URI of their request, and to no other. @see RFC 9700 §2.1
      if (flow && provider && flow.redirect_uri.split('?')[0] === origin + pathname) {
        const waiting = running.get(provider.id)
        if (waiting?.progress.state !== flow.state || !waiting.progress.heard) return finish(provider, flow, search)
        waiting.progress.heard(search)
        return waiting.outcome
      }
      throw flows.states(accounts.prefix).length > 0
        ? new LatchkeyError('state_mismatch', 'The answer does not belong to the connection under way.')
        : new LatchkeyError('flow_unknown', 'There is no connection under way for this answer.')
    },
  }
}

/** Until a window leaves for its provider it says where it goes, in the colours of the reader's system. */
function nameWindow(opened: Window | null, name: string): void {
  tried(() => {
    if (opened?.location.href !== 'about:blank') return
    const { document } = opened
    document.title = name
    document.documentElement.style.colorScheme = 'light dark'
    document.body.style.cssText = 'display: grid; place-content: center; height: 100vh; margin: 0; font: 16px system-ui'
    document.body.textContent = `${name} …`
  }, undefined)
}

/** Sends the attempt's window, or this page, to the authorization server. Resolves to the flow that waits for the answer. */
function createRequester(accounts: AccountStore, endpoints: Endpoints, vault: () => Promise<VaultClient>) {
  const { store, prefix } = accounts

  /** Unless told otherwise a connected account keeps what it has: more scopes are asked for together with those. */
  function wanted(provider: OAuthProvider, { scopes, accountId, intent, only }: ConnectOptions): readonly string[] {
    const snapshot = store.getState()
    const account = accountId
      ? snapshot.accounts[accountId]
      : scopes && intent !== 'add-account'
        ? defaultAccount(snapshot, provider.id)
        : undefined
    const asked = scopes ? parseScope(provider, scopes.join(' ')) : provider.scopes
    return [...new Set([...asked, ...((!only && account?.scopes) || [])])]
  }

  return async (provider: OAuthProvider, attempt: Attempt, connect: ConnectOptions): Promise<Flow> => {
    const mode: Flow['mode'] = connect.mode === 'redirect' ? 'redirect' : 'popup'
    const { redirectUri } = attempt
    nameWindow(attempt.window, provider.name)
    if (!redirectUri) {
      const message =
        'redirectUri must be a page of this origin: serve @latchkey/core/callback.html and pass its address.'
      throw errorAbout(provider, 'misuse', message)
    }
    const keep = mode === 'redirect' ? connect.keep : undefined
    if (JSON.stringify(keep ?? null).length > MAX_KEPT) {
      throw errorAbout(provider, 'misuse', '`keep` is for a few words: at most 8 kB.')
    }
    const had = defaultAccount(store.getState(), provider.id)
    const another = had !== undefined && connect.intent === 'add-account' && !connect.accountId
    const ask = (await endpoints.isVaulted(provider)) ? (await vault()).request : authorizationRequest
    const bound = await endpoints.bind(provider, { ...connect, redirectUri })
    const asked = {
      redirect_uri: redirectUri,
      client_id: await endpoints.clientId(bound),
      scopes: bound === provider ? wanted(provider, connect) : bound.scopes,
      accountId: connect.accountId,
      mode,
      prefix,
      keep,
      returnTo: mode === 'redirect' ? location.href.slice(location.origin.length) : undefined,
    }
    const { flow, url } = await ask(bound, asked, another ? 'choose' : connect.only ? 'only' : undefined)
    attempt.end.signal.throwIfAborted()
    const written = flows.write(flow.state, flow)
    attempt.progress.url = url
    attempt.told?.(url)
    if (mode === 'popup') attempt.window?.location.replace(url)
    else if (written) location.assign(url)
    else {
      const message = 'This browser keeps nothing for this page, so it cannot leave and come back.'
      throw errorAbout(provider, 'storage_unavailable', message)
    }
    return flow
  }
}

const expired = ({ startedAt }: Pick<Flow, 'startedAt'>) => !(Date.now() - startedAt <= FLOW_LIFE)

const late = (provider: Provider) =>
  errorAbout(provider, 'timeout', `${provider.name} was not answered in ten minutes.`)
