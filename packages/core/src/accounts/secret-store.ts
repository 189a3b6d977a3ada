import { errorAbout, LatchkeyError } from '../errors.ts'
import type { Token } from '../protocol/token-endpoint.ts'
import type { KeyFields } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { Database } from './database.ts'
import type { Wait } from './retry-rules.ts'
import type { Seal } from './seal.ts'

/** What an account is used with: a token, with the end of its life by this clock, or the fields of an API key. */
export type Secret = { token: Token; expiresAt?: number; fields?: undefined } | { fields: KeyFields; token?: undefined }

/** What all tabs have to know of an account before they use its secret. */
export interface Notes {
  paused?: boolean
  wait?: Wait
  /** When a start first found it without its account. */
  orphan?: number
}

/** A secret and its version. */
export interface Held extends Notes {
  rev: number
  secret: Secret
}

/** In IndexedDB; `sealed: null` says that the account was disconnected at this version, an empty one that its grant ended. */
export interface Row extends Notes {
  rev: number
  sealed: string | null
}

/**
 * Secrets by account. localStorage reaches another tab later than a Web Lock does, so inside the lock only IndexedDB is
 * believed about which secret is newest.
 */
export interface Secrets {
  /** The secret in memory, unless storage says that there is a newer one. */
  peek(account: ConnectedAccount): Secret | undefined
  /**
   * The newest secret; undefined when it cannot be unsealed, null when it was taken away on purpose.
   *
   * @throws LatchkeyError `storage_unavailable` when the database refuses and memory has none.
   */
  read(account: ConnectedAccount): Promise<Held | undefined | null>
  /**
   * Keeps a new version, under the lock; the caller writes the returned copy to storage next. `notes` of the old one
   * go with it, unless others are given.
   */
  write(account: ConnectedAccount, secret: Secret, notes?: Notes): Promise<{ rev: number; sealed: string } & Notes>
  /** Notes something beside a secret, under the lock. Storage of one tab keeps no notes. */
  note(accountId: string, notes: Notes): Promise<void>
  /** Keeps a secret for this page only. */
  hold(account: ConnectedAccount, secret: Secret): number
  /** Drops the secret, and leaves a mark that outlives a late copy of it: the account is gone, or only its grant. */
  remove(account: ConnectedAccount, what?: 'gone' | 'ended'): Promise<void>
  /** What all tabs know of an account without a secret. */
  mark(accountId: string): Promise<'gone' | 'ended' | undefined>
  /** Seals a secret of an account that is gone, for its revocation. As an account's own secret it does not open. */
  sealApart(account: ConnectedAccount, secret: Secret): Promise<string>
  unsealApart(account: ConnectedAccount, sealed: string): Promise<Secret | undefined>
  /** Lets go of everything this page holds. */
  forget(): void
  /**
   * Runs alone for this account, among all tabs. A closed tab's turn ends with it. Nothing in here asks a server, so nobody
   * waits for an answer.
   *
   * @throws LatchkeyError `timeout` when the tab whose turn it is does not end it.
   */
  exclusive<T>(accountId: string, act: () => Promise<T>): Promise<T>
  /** The same, for the one refresh of an account, which asks a server. What is exclusive goes on meanwhile. */
  inTurn<T>(accountId: string, act: () => Promise<T>, patience?: number): Promise<T>
}

/** Milliseconds. Longer than any request. */
const PATIENCE = 60_000

/**
 * @param database says which secret is newest, for all tabs. Absent where the storage belongs to one tab.
 * @param copy the copy in storage, read only when the database has no row.
 */
export function createSecrets(
  prefix: string,
  seal: Seal,
  database: Database | undefined,
  copy: (accountId: string) => Promise<string | undefined>,
): Secrets {
  const memory = new Map<string, Pick<Held, 'rev' | 'secret'>>()
  const waiting = new Map<string, Promise<unknown>>()
  // A sealed secret moved under another account, issuer, provider or person does not open.
  const context = ({ id, provider, issuer }: ConnectedAccount) => [prefix, provider, issuer, id].join('\n')
  const apart = (account: ConnectedAccount) => `pending\n${context(account)}`

  async function open(account: ConnectedAccount, sealed: string, rev: number): Promise<Held | undefined> {
    try {
      const text = (await seal.unseal(sealed, context(account))) ?? ''
      const held = { rev, secret: JSON.parse(text) as Secret }
      memory.set(account.id, held)
      return held
    } catch {
      return undefined
    }
  }

  function alone<T>(name: string, act: () => Promise<T>, patience = PATIENCE): Promise<T> {
    const limit = AbortSignal.timeout(patience)
    let began = false
    const run = () => {
      limit.throwIfAborted()
      began = true
      return act()
    }
    const here = (turn = run) => {
      const next = (waiting.get(name) ?? Promise.resolve()).then(turn, turn)
      waiting.set(name, next)
      return next as Promise<T>
    }
    const among = async (): Promise<T> => {
      if (!database) return here()
      const { locks } = globalThis.navigator ?? {}
      if (!locks) return here(async () => (await import('./lease.ts')).underLease(database, name, run))
      // Where storage is forbidden, so are locks: then there is no other tab to wait for.
      return (locks.request(name, run) as Promise<T>).catch((error) => {
        if (began || limit.aborted) throw error
        return here()
      })
    }
    const message = 'Another tab of this app does not finish. Close it, and try again.'
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => began || reject(new LatchkeyError('timeout', message, { next: 'retry' }))
      limit.addEventListener('abort', giveUp)
    })
    return Promise.race([among(), late])
  }

  return {
    peek(account) {
      const held = memory.get(account.id)
      return held && held.rev >= account.rev ? held.secret : undefined
    },
    async read(account) {
      const held = memory.get(account.id)
      let row: Row | undefined
      try {
        row = await database?.get<Row>('secrets', account.id)
      } catch (cause) {
        if (held) return held
        throw errorAbout(account, 'storage_unavailable', 'This browser refuses to read what it kept.', { cause })
      }
      if (row?.sealed === null) {
        memory.delete(account.id)
        return null
      }
      if (!row) return held ?? open(account, (await copy(account.id)) ?? '', account.rev)
      const found = held?.rev === row.rev ? held : await open(account, row.sealed, row.rev)
      return found && { ...found, paused: row.paused, wait: row.wait }
    },
    async write(account, secret, notes) {
      const sealed = await seal.seal(JSON.stringify(secret), context(account))
      const known = Math.max(memory.get(account.id)?.rev ?? 0, account.rev)
      const row = await database?.change<Row>('secrets', account.id, (old) => ({
        paused: old?.paused,
        ...notes,
        rev: Math.max(old?.rev ?? 0, known) + 1,
        sealed,
      }))
      const rev = row?.rev ?? known + 1
      memory.set(account.id, { rev, secret })
      return { rev, sealed, paused: row && row.paused === true }
    },
    async note(accountId, notes) {
      await database?.change<Row>('secrets', accountId, (row) => row && { ...row, ...notes })
    },
    hold(account, secret) {
      const rev = account.rev + 1
      memory.set(account.id, { rev, secret })
      return rev
    },
    async remove(account, what = 'gone') {
      const known = Math.max(memory.get(account.id)?.rev ?? 0, account.rev)
      memory.delete(account.id)
      await database?.change<Row>('secrets', account.id, (row) => ({
        ...(what === 'ended' && { paused: row?.paused }),
        rev: Math.max(row?.rev ?? 0, known) + 1,
        sealed: what === 'gone' ? null : '',
      }))
    },
    async mark(accountId) {
      const row = await database?.get<Row>('secrets', accountId).catch(() => undefined)
      return row?.sealed === null ? 'gone' : row?.sealed === '' ? 'ended' : undefined
    },
    sealApart: (account, secret) => seal.seal(JSON.stringify(secret), apart(account)),
    async unsealApart(account, sealed) {
      const text = await seal.unseal(sealed, apart(account))
      return text === undefined ? undefined : (JSON.parse(text) as Secret)
    },
    forget() {
      memory.clear()
      seal.forget()
    },
    exclusive: (accountId, act) => alone(`${prefix}:${accountId}:write`, act),
    inTurn: (accountId, act, patience) => alone(`${prefix}:${accountId}`, act, patience),
  }
}
