import { type ConnectedAccount, nextWord, wordAt } from '../snapshot.ts'
import { lives } from './account-rules.ts'
import { type AccountStore, withAccount } from './account-store.ts'
import type { Refresher } from './refresh.ts'

/** A refresh comes at this part of a token's life, and this long before its end, whichever is earlier. */
const PART = 0.8
const AHEAD = 60_000
/** The shortest time between two refreshes, whatever a server says about the life of its tokens. */
const PAUSE = 30_000
/** Longer than {@link sweep} leaves a row. */
const SWEEP_EVERY = 60_001
/** The longest that a timer of a browser can run. */
const LONGEST = 2 ** 31 - 1

/** Keeps accounts fresh and their statuses true while the page is visible, with one timer, until the signal ends it. */
export function keepFresh(accounts: AccountStore, refresher: () => Promise<Refresher>, signal: AbortSignal): void {
  const { store, storage, records, database } = accounts
  /** By account: its share of the spread, so that many tabs and accounts do not ask at once. */
  const spread = new Map<string, number>()
  const attempts = new Map<string, number>()
  const refreshing = new Set<string>()
  let loaded: Refresher | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let sweeping: ReturnType<typeof setTimeout> | undefined

  const visible = () => document.visibilityState === 'visible'

  /** When to refresh this account next; Infinity for one that is not refreshed by itself. */
  function dueAt({ id, provider, status, reason, renewable, expiresAt, issuedAt, connectedAt, rev }: ConnectedAccount) {
    if (status !== 'connected' || !renewable || expiresAt === undefined || refreshing.has(id))
      return Number.POSITIVE_INFINITY
    // The app may not know this provider any more.
    const kind = accounts.providers.find((known) => known.id === provider)?.kind
    if (!kind || kind === 'api-key') return Number.POSITIVE_INFINITY
    const began = Math.min(issuedAt ?? connectedAt, expiresAt)
    const life = expiresAt - began
    const share = spread.get(`${id} ${rev}`) ?? Math.random()
    spread.set(`${id} ${rev}`, share)
    const ideal = Math.min(began + life * PART, expiresAt - AHEAD) - share * Math.min(10_000, life * 0.02)
    // For lack of a network no server was asked.
    const rested = reason === 'offline' ? 0 : Math.max(began, attempts.get(id) ?? 0) + PAUSE
    return Math.max(ideal, rested, loaded?.waitsUntil(id) ?? 0)
  }

  async function refresh(account: ConnectedAccount) {
    refreshing.add(account.id)
    attempts.set(account.id, Date.now())
    try {
      loaded ??= await refresher()
      // Another tab may have been first: then its token, which ends later, is enough.
      const left = ((account.expiresAt ?? 0) - Date.now()) / 1000 + 1
      await loaded.refresh(account, (secret) => lives(secret, Math.max(60, left)))
    } catch {
      // The account says why, and the wait says when to try again.
    } finally {
      refreshing.delete(account.id)
      // A wait is the better reason not to try at once than the time of the last try.
      if (loaded && loaded.waitsUntil(account.id) > Date.now()) attempts.delete(account.id)
      plan()
    }
  }

  /** Does what is due, and comes back for the next. */
  function plan() {
    clearTimeout(timer)
    if (signal.aborted) return
    const now = Date.now()
    let next = Number.POSITIVE_INFINITY
    let snapshot = store.getState()
    for (const account of Object.values(snapshot.accounts)) {
      const word = wordAt(account, now)
      if (word !== account) snapshot = withAccount(snapshot, word)
      next = Math.min(next, nextWord(word, now))
      if (!visible() || navigator.onLine === false) continue
      const due = dueAt(word)
      if (due <= now) void refresh(word)
      else next = Math.min(next, due)
    }
    // Comes back here by the subscription.
    if (snapshot !== store.getState()) store.setState(snapshot)
    else if (next < Number.POSITIVE_INFINITY) timer = setTimeout(plan, Math.min(Math.max(next - now, 0), LONGEST))
  }

  /** What is left is looked at again; so is what cannot be read now. */
  const sweep = async () => {
    const { sweep } = await import('./sweep.ts')
    if ((await sweep(accounts)) > 0) sweepSoon()
  }
  const sweepSoon = () => {
    clearTimeout(sweeping)
    if (!signal.aborted) sweeping = setTimeout(() => sweep().catch(() => {}), SWEEP_EVERY)
  }

  /** What sweeps is loaded where there is something to sweep. */
  const begin = async () => {
    const known = store.getState().accounts
    const rows = await Promise.all([database?.keys('secrets'), database?.keys('leases')])
    // Nothing is known, and something was.
    const isEmptied = Object.keys(known).length === 0 && (await storage.getItem(records.key('v'))) !== null
    if (isEmptied || rows.some((ids) => ids?.some((id) => !known[id]))) await sweep()
  }

  const look = () => {
    if (!visible()) return
    // A tab that was frozen may have missed what others did.
    accounts.read()
    plan()
  }
  const online = async () => {
    loaded ??= await refresher().catch(() => undefined)
    loaded?.online()
    plan()
  }

  const unfollow = store.subscribe((now, before) => {
    plan()
    // Gone here, or in another tab.
    if (Object.keys(before.accounts).some((id) => !now.accounts[id])) sweepSoon()
  })
  signal.addEventListener('abort', () => {
    unfollow()
    clearTimeout(timer)
    clearTimeout(sweeping)
  })
  document.addEventListener('visibilitychange', look, { signal })
  addEventListener('focus', look, { signal })
  addEventListener('online', online, { signal })
  begin().catch(() => {})
  plan()
}
