import { type ErrorCode, errorAbout, type LatchkeyError } from '../errors.ts'
import { webCrypto } from '../protocol/pkce.ts'
import type { RevokedToken } from '../protocol/token-endpoint.ts'
import { type ConnectedAccount, type Reason, type Snapshot, withDefault } from '../snapshot.ts'
import { pausedStatus } from './account-rules.ts'
import { type Database, openDatabase } from './database.ts'
import { gone, type Page } from './page.ts'
import { createRecordWriter, type RecordWriter } from './record-writer.ts'
import { keySeal, plainSeal } from './seal.ts'
import { createSecrets, type Held, type Notes, type Secret, type Secrets } from './secret-store.ts'

/** How a pending revocation ended: at the provider, or only here. */
export type Settled = 'revoked' | 'removed'

/** How a disconnect ended. `settled` tells how a pending one ends, if this page sees it. */
export type DisconnectReceipt =
  /** Ended at the provider: these tokens. */
  | { status: 'revoked'; tokens: RevokedToken[] }
  /** Removed here. The provider, or the server that has it, could not be reached: it is told when it can be. */
  | { status: 'pending'; manageUrl?: string; error: LatchkeyError; settled?: Promise<Settled> }
  /** Only removed here: the provider has no revocation for it, or refused it. */
  | { status: 'removed'; manageUrl?: string; error?: LatchkeyError }

/** A page's accounts as they change: facts in the snapshot and in storage, secrets apart. Loaded on first use. */
export interface AccountStore extends Page {
  /** By account: called with how its pending revocation ended. */
  readonly waiting: Map<string, (settled: Settled) => void>
  readonly writer: RecordWriter
  readonly secrets: Secrets
  /** Shared by all tabs; absent where the storage belongs to one. */
  readonly database: Database | undefined
  /** @throws LatchkeyError `misuse` where the browser gives no cryptography, so that no secret can be kept. */
  assertCrypto(): void
  /** Changes facts of an account, if it is still there, on top of the newest that are known. */
  change(
    id: string,
    next: (account: ConnectedAccount) => ConnectedAccount,
    options?: { sealed?: string; always?: boolean },
  ): Promise<void>
  /** Sets an account's status, and while it is paused only the reason. */
  mark(id: string, status: ConnectedAccount['status'], reason: Reason | undefined, sealed?: string): Promise<void>
  /**
   * Keeps an account and its secret, under its lock: database, storage, memory, and only then is it handed out.
   *
   * @param notes given for an account that a person connects; a refreshed one stays what it is.
   */
  save(account: ConnectedAccount, secret: Secret, notes?: Notes): Promise<ConnectedAccount>
  /** Keeps facts of an account whose secret is on the server, which knows what is paused. */
  keepVaulted(account: ConnectedAccount): Promise<ConnectedAccount>
  /** Removes the facts; the secret is removed under the lock. */
  forget(id: string): Promise<void>
  /**
   * The receipt of a disconnect that failed. Where another try may succeed it is noted, with the secret sealed apart, and
   * done later: see `pending-revocations.ts`. Never rejects.
   */
  postpone(account: ConnectedAccount, error: LatchkeyError, secret?: Secret): Promise<DisconnectReceipt>
  setDefault(account: ConnectedAccount): void
  /**
   * Takes over what the database knows of an account and storage has not told yet.
   *
   * @throws LatchkeyError `access_denied` when another tab paused it.
   */
  catchUp(account: ConnectedAccount, held: Held): Promise<void>
  pause(id: string, paused: boolean): Promise<void>
  /** Why a paused account is not used. */
  pausedError(account: ConnectedAccount): LatchkeyError
  /** Forgets everything; `everywhere` also what all tabs share. */
  wipe(everywhere: boolean): Promise<void>
  /**
   * An account's secret.
   *
   * @throws LatchkeyError `secret_unavailable` when this browser lost its key, `invalid_token` when its grant has ended,
   * `login_required` when it was disconnected. The account is marked.
   */
  open(account: ConnectedAccount): Promise<Held>
}

/** The start of a name under which storage has a pending revocation. */
export const PENDING = 'pending:'

/** The same for a removed MCP server with pending revocations. */
export const FORMER = 'former:'

/** These say nothing about an account: another try may succeed. */
export const UNREACHED: readonly ErrorCode[] = ['network', 'timeout', 'temporarily_unavailable']

export function createAccountStore(page: Page): AccountStore {
  const { prefix, storage, store, unavailable, unwritten } = page
  const database = openDatabase(prefix)
  const tab = storage.scope === 'tab'
  const plain = storage.secrets === 'plain'
  if (plain && !tab) {
    console.warn(
      'Latchkey: dangerouslyPlaintext writes tokens and keys to storage as they are. Do not ship this. See "Custody" in the README of @latchkey/core.',
    )
  }
  const writer = createRecordWriter(page)
  const shared = tab ? undefined : database
  const seal = plain ? plainSeal : keySeal(database)
  const secrets = createSecrets(prefix, seal, shared, async (id) => (await writer.read(id))?.sealed)
  const facts = createFacts(page, writer, secrets)
  const { change, mark } = facts

  /** The secret of an account that is disconnected, and nothing of it stays. */
  const takeOut = (account: ConnectedAccount) =>
    secrets.exclusive(account.id, async () => {
      const held = account.custody === 'vault' ? undefined : await secrets.read(account)
      await secrets.remove(account)
      return held?.secret
    })

  const own = {
    ...facts,
    waiting: new Map<string, (settled: Settled) => void>(),
    writer,
    secrets,
    database: shared,
    assertCrypto: () => void webCrypto(),
    pausedError: (account: ConnectedAccount) =>
      errorAbout(account, 'access_denied', `${account.label} is paused.`, { next: 'unpause' }),
    async forget(id: string) {
      unwritten.delete(id)
      store.setState(withoutAccount(store.getState(), id), true)
      await writer.remove(id).catch(unavailable)
    },
    async postpone(account: ConnectedAccount, error: LatchkeyError, secret?: Secret): Promise<DisconnectReceipt> {
      const manageUrl = page.providers.find(({ id }) => id === account.provider)?.manageUrl
      const { id, provider, issuer, resource, custody, connectedAt, rev, status } = account
      // Connected again meanwhile: that stays.
      const isOver = !UNREACHED.includes(error.code) || store.getState().accounts[id] !== undefined
      if (isOver) return { status: 'removed', manageUrl, error }
      // Without its person's name.
      const facts = { id, provider, issuer, resource, custody, connectedAt, rev, status, label: '' }
      const kept: ConnectedAccount = { ...facts, scopes: [], missingScopes: [], renewable: false }
      try {
        const held = secret ?? (await takeOut(account))
        const sealed = held ? await secrets.sealApart(kept, held) : ''
        await writer.note(`${PENDING}${id}`, { account: kept, sealed, since: Date.now() })
        return { status: 'pending', manageUrl, error, settled: new Promise((settle) => own.waiting.set(id, settle)) }
      } catch {
        return { status: 'removed', manageUrl, error }
      }
    },
    setDefault(account: ConnectedAccount) {
      store.setState(withDefault(store.getState(), account))
      writer.writeDefault(account.provider, account.id).catch(unavailable)
    },
    async catchUp(account: ConnectedAccount, { rev, secret, paused }: Held): Promise<void> {
      const expiresAt = secret.token && secret.expiresAt
      await change(account.id, (newest) => ({
        ...newest,
        ...(paused && { status: 'paused' as const }),
        ...(rev > newest.rev && { rev, expiresAt, renewable: secret.token?.refresh_token !== undefined }),
      }))
      if (paused) throw own.pausedError(account)
    },
    async wipe(everywhere: boolean): Promise<void> {
      page.empty()
      secrets.forget()
      if (everywhere || tab) await writer.clear().catch(unavailable)
      // The key of a session's secrets, too: its other tabs are emptied as well.
      if (everywhere && !(tab && plain)) await database.clear().catch(unavailable)
    },
    async open(account: ConnectedAccount): Promise<Held> {
      const { id, label } = account
      if (page.changeOf(account))
        throw errorAbout(account, 'invalid_token', `${label} was connected at another address.`)
      const held = await secrets.read(account)
      if (held) return held
      // Another tab ended it, and storage may hear of it later than the database.
      if (held === null) throw gone(id)
      const isEnded = (await secrets.mark(id)) === 'ended'
      await mark(id, 'needs-reconnect', isEnded ? 'revoked' : 'secret_unavailable')
      throw isEnded
        ? errorAbout(account, 'invalid_token', `${label} has to be connected again.`)
        : errorAbout(account, 'secret_unavailable', `This browser lost the key to ${label}.`)
    },
  }
  // Its members beside those of the page, whose `providers` and `epoch` change.
  return Object.setPrototypeOf(own, page)
}

/** The ways in which facts change, in the snapshot and in storage together. */
function createFacts(page: Page, writer: RecordWriter, secrets: Secrets) {
  const { store, unavailable, unwritten } = page
  /** Accounts that are being paused, or not any more, before the database knows. */
  const turning = new Map<string, boolean>()
  const update = (next: (snapshot: Snapshot) => Snapshot) => store.setState(next, true)
  const show = (account: ConnectedAccount) => update((snapshot) => withAccount(snapshot, page.asNow(account)))

  const keep = async (account: ConnectedAccount, sealed?: string, fresh?: boolean) => {
    const began = page.epoch
    try {
      await writer.write(account, sealed, fresh)
      if (unwritten.delete(account.id) && unwritten.size === 0) store.setState({ persistence: 'available' })
    } catch {
      unwritten.add(account.id)
      unavailable()
    }
    // Disconnected while it was written: then this is old news.
    if (began === page.epoch && (fresh || store.getState().accounts[account.id])) show(account)
  }

  const change: AccountStore['change'] = async (id, next, { sealed, always } = {}) => {
    // Storage may still show an account that another tab has disconnected: the database knows.
    const isGone = !unwritten.has(id) && (await secrets.mark(id)) === 'gone'
    if (isGone) update((snapshot) => withoutAccount(snapshot, id))
    const ours = store.getState().accounts[id]
    if (!ours) return
    const theirs = (await writer.read(id).catch(() => undefined))?.account
    const newest = theirs && theirs.rev > ours.rev ? theirs : ours
    const changed = next(newest)
    if (always || JSON.stringify(changed) !== JSON.stringify(ours)) await keep(changed, sealed)
  }

  const mark: AccountStore['mark'] = (id, status, reason, sealed) =>
    change(id, (account) => ({ ...account, status: account.status === 'paused' ? 'paused' : status, reason }), {
      sealed,
    })

  return {
    change,
    mark,
    async save(account: ConnectedAccount, secret: Secret, notes?: Notes): Promise<ConnectedAccount> {
      const fresh = notes !== undefined
      try {
        const { rev, sealed, paused } = await secrets.write(account, secret, notes)
        const saved = { ...account, rev }
        const stays = fresh ? undefined : (turning.get(account.id) ?? paused)
        // Tabs agree on this by the database; where there is none, the account says it.
        if (stays) saved.status = 'paused'
        else if (stays === false && saved.status === 'paused') saved.status = 'connected'
        await keep(saved, sealed, fresh || unwritten.has(account.id))
        return saved
      } catch {
        unwritten.add(account.id)
        unavailable()
        const held = { ...account, rev: secrets.hold(account, secret) }
        show(held)
        return held
      }
    },
    async keepVaulted(account: ConnectedAccount): Promise<ConnectedAccount> {
      await keep(account, '', true)
      return account
    },
    async pause(id: string, paused: boolean): Promise<void> {
      const turned = (account: ConnectedAccount) => ({ ...account, status: pausedStatus(account, paused) })
      const account = page.findAccount(id)
      turning.set(id, paused)
      // Stopped at once; written under the lock, after a refresh that may be under way in another tab.
      if (paused) update((snapshot) => withAccount(snapshot, turned(account)))
      await secrets.exclusive(id, async () => {
        await secrets.note(id, { paused }).catch(unavailable)
        await change(id, turned, { always: true })
        if (turning.get(id) === paused) turning.delete(id)
      })
    },
  }
}

/** The snapshot with one account added or replaced. */
export function withAccount(snapshot: Snapshot, account: ConnectedAccount): Snapshot {
  return { ...snapshot, accounts: { ...snapshot.accounts, [account.id]: account } }
}

/** The snapshot without one account. */
function withoutAccount(snapshot: Snapshot, accountId: string): Snapshot {
  if (!snapshot.accounts[accountId]) return snapshot
  const { [accountId]: _gone, ...accounts } = snapshot.accounts
  return { ...snapshot, accounts }
}
