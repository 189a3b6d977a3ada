import type { LatchkeyOptions, Page } from '../accounts/page.ts'
import { errorAbout, type LatchkeyError, type NextAction } from '../errors.ts'
import type { Challenge } from '../protocol/www-authenticate.ts'
import type { OAuthProvider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { Flow } from './authorization.ts'
import { closeWindow, openWindow } from './window.ts'

/** How one connect or reconnect goes. */
export interface ConnectOptions {
  /** Scopes to ask for. @default the provider's */
  scopes?: readonly string[]
  /**
   * Asks for these scopes and no others. What the account has beside them is given up.
   *
   * @default false: a connected account keeps what it has
   */
  only?: boolean
  /** The account to reconnect. */
  accountId?: string
  /**
   * `default`: the provider's default account, or a first one. `add-account`: one more, so the provider is told to ask
   * which, where it can.
   *
   * @default 'default'
   */
  intent?: 'default' | 'add-account'
  /** `tab` opens a plain new tab, `redirect` leaves the page and comes back. @default 'popup' */
  mode?: 'popup' | 'tab' | 'redirect'
  /** JSON of at most 8 kB, such as typed text: comes back as `kept` of the outcome when a redirect has returned. */
  keep?: unknown
  signal?: AbortSignal
  /** What an MCP server said when it refused: where its metadata is, and which scopes it wants. @see RFC 9728 §5.1 */
  challenge?: Challenge
}

/** How a connect ended. `next` says what helps. */
export type ConnectOutcome =
  | { status: 'connected'; account: ConnectedAccount; kept?: unknown }
  | { status: 'cancelled' | 'denied' | 'blocked'; next: NextAction; kept?: unknown }

/** One way from a click to an account, in this page. */
export interface Attempt {
  /** Null where a link is opened elsewhere, or the page was reloaded. */
  window: Window | null
  /** Absent when the app names no page of this origin. */
  readonly redirectUri: string | undefined
  /** The flow that began before the page was reloaded. */
  readonly resumed?: Flow
  /** Told the address as soon as there is one. */
  readonly told?: (url: string) => void
  readonly end: AbortController
  outcome: Promise<ConnectOutcome>
  /** How far it is. Only `connect.ts` writes it. */
  readonly progress: {
    /** Set once the request is built; a window that is opened again goes there too. */
    url?: string
    state?: string
    /** Takes an answer that came by another way than the callback page. */
    heard?: (query: string) => void
  }
}

/** Runs an attempt to its end. Its code loads on first use. */
export type Run = (provider: OAuthProvider, attempt: Attempt, connect: ConnectOptions) => Promise<ConnectOutcome>

/** The attempts under way. */
export interface Attempts {
  /** By provider id. */
  readonly running: Map<string, Attempt>
  /** Opens a window in the click's own tick and begins, or joins the attempt under way. */
  connect(provider: OAuthProvider, connect: ConnectOptions): Promise<ConnectOutcome>
  /** Begins without a window. Resolves to the address that the person opens elsewhere. */
  link(provider: OAuthProvider, connect: ConnectOptions): Promise<string>
  /** @param start what is known of the attempt already. */
  begin(provider: OAuthProvider, connect: ConnectOptions, start: Partial<Attempt>): Promise<ConnectOutcome>
}

export function createAttempts(page: Page, load: () => Promise<Run>): Attempts {
  const running = new Map<string, Attempt>()

  /** Shows on the card why nothing came of a connect. */
  const refuse = (id: string, error: LatchkeyError): Promise<never> => {
    page.setProvider(id, { status: 'idle', error })
    return Promise.reject(error)
  }

  const begin: Attempts['begin'] = (provider, connect, start) => {
    const { id } = provider
    const redirectUri = callbackUri(page.options)
    const attempt = { window: null, redirectUri, end: new AbortController(), progress: {}, ...start } as Attempt
    running.set(id, attempt)
    page.setProvider(id, { status: 'connecting' })
    attempt.outcome = load().then(
      (run) => run(provider, attempt, connect),
      (error) => {
        closeWindow(attempt.window)
        if (running.get(id) === attempt) running.delete(id)
        return refuse(id, error)
      },
    )
    return attempt.outcome
  }

  return {
    running,
    begin,
    connect(provider, connect) {
      const { id } = provider
      const popup = connect.mode !== 'redirect'
      const open = () => openWindow(connect.mode === 'tab')
      const pending = running.get(id)
      // One that goes on since before a reload has no address to open again, and a redirect needs no window.
      if (pending && (pending.resumed || !popup)) pending.end.abort()
      else if (pending) {
        if (pending.window && !pending.window.closed) pending.window.focus()
        else {
          pending.window = open()
          if (pending.progress.url) pending.window?.location.replace(pending.progress.url)
          page.setProvider(id, { status: 'connecting', reason: pending.window ? undefined : 'popup_blocked' })
        }
        return pending.outcome
      }
      // A window would only come and go.
      if (navigator.onLine === false) return refuse(id, errorAbout(provider, 'network', 'Offline.'))
      const opens = popup && callbackUri(page.options) !== undefined
      // Before anything is awaited: later, browsers take a window for an advertisement.
      const opened = opens ? open() : null
      if (!opens || opened) return begin(provider, connect, { window: opened })
      page.setProvider(id, { status: 'idle', reason: 'popup_blocked' })
      return Promise.resolve({ status: 'blocked', next: 'redirect' })
    },
    link(provider, connect) {
      const pending = running.get(provider.id)
      if (pending?.progress.url) return Promise.resolve(pending.progress.url)
      pending?.end.abort()
      return new Promise((told, reject) => {
        const ended = () => reject(errorAbout(provider, 'cancelled', `${provider.name} was not connected.`))
        begin(provider, connect, { told }).then(ended, reject)
      })
    },
  }
}

/** Where the authorization server sends people back to; undefined when that is no page of this origin. */
function callbackUri({ redirectUri, broker }: LatchkeyOptions): string | undefined {
  const uri = redirectUri ?? (broker && `${broker}/callback`)
  const absolute = uri && new URL(uri, location.href)
  return absolute && absolute.origin === location.origin ? absolute.href : undefined
}
