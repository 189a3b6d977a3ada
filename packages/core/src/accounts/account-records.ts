import { LatchkeyError } from '../errors.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { StateStorage } from '../storage.ts'

/** The version of what is written under our keys. Data of a newer one is left alone. */
const VERSION = 1

/** What storage holds of one account: its facts, and a copy of its sealed secret. */
export interface StoredRecord {
  account: ConnectedAccount
  sealed?: string
}

/** Everything that is not a secret's authority, as read at start. */
export interface Loaded {
  accounts: Record<string, ConnectedAccount>
  defaults: Record<string, string>
  excluded: Record<string, readonly string[]>
}

type MaybePromise<T> = T | Promise<T>

/** Sync storage answers in the same tick, so a reloaded page paints its accounts at once. */
function then<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

const STATUSES = ['connected', 'expiring', 'paused', 'needs-reconnect', 'error']
/** Facts that a UI renders as they are. */
const WORDS = ['subject', 'username', 'name', 'email', 'avatar', 'url', 'reason', 'resource']
/** Longer than any token: somebody else wrote it. */
const MAX_RECORD = 1e5
const ID = /^[a-z0-9-]+\.[\w-]{22}$/
const OURS = /^(?:(?:unreadable:)?[a-z0-9-]+\.[\w-]{22}|(?:default|agent):.*|v|index|imported)$/s

function parseRecord(id: string, raw: string): StoredRecord | 'newer' | 'unreadable' {
  if (raw.length > MAX_RECORD) return 'unreadable'
  try {
    const { v, sealed, account } = JSON.parse(raw)
    if (typeof v === 'number' && v > VERSION) return 'newer'
    const good =
      v === VERSION &&
      account.id === id &&
      id.startsWith(`${account.provider}.`) &&
      typeof account.issuer === 'string' &&
      typeof account.label === 'string' &&
      STATUSES.includes(account.status) &&
      Array.isArray(account.scopes) &&
      account.scopes.every((scope: unknown) => typeof scope === 'string') &&
      WORDS.every((word) => account[word] === undefined || typeof account[word] === 'string') &&
      Number.isInteger(account.rev) &&
      Number.isFinite(account.connectedAt)
    const missingScopes = texts(account.missingScopes)
    return good
      ? { account: { ...account, missingScopes }, sealed: typeof sealed === 'string' ? sealed : undefined }
      : 'unreadable'
  } catch {
    return 'unreadable'
  }
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((text) => typeof text === 'string') : []

function parseJson(raw: string | null): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(raw ?? '')
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Latchkey's keys in a storage: `<prefix>:<accountId>`, `<prefix>:default:<provider>`, `<prefix>:agent:<agentId>`,
 * `<prefix>:v`. A write touches the key of one account and holds no other.
 */
export function createRecords(storage: StateStorage, prefix: string) {
  const key = (rest: string) => `${prefix}:${rest}`
  const indexKey = key('index')

  const index = () =>
    then(storage.getItem(indexKey), (raw) => {
      const names = parseJson(raw)
      return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
    })
  /** Where storage cannot list its keys, we do. */
  let listing: Promise<void> = Promise.resolve()
  function list(rest: string, present: boolean): Promise<void> | undefined {
    if (storage.keys) return
    const change = async () => {
      const others = (await index()).filter((name) => name !== rest)
      await storage.setItem(indexKey, JSON.stringify(present ? [...others, rest] : others))
    }
    // One after the other: two accounts connected at once both stay in the list.
    listing = listing.then(change, change)
    return listing
  }

  function names(): MaybePromise<string[]> {
    if (!storage.keys) return index()
    return then(storage.keys(), (keys) =>
      keys.flatMap((name) => (name.startsWith(`${prefix}:`) ? [name.slice(prefix.length + 1)] : [])),
    )
  }

  /** Keeps what cannot be read out of the way of the account that may be written there. */
  async function setAside(id: string, raw: string): Promise<void> {
    await storage.setItem(key(`unreadable:${id}`), raw)
    await storage.removeItem(key(id))
  }

  async function set(rest: string, value: object): Promise<void> {
    await storage.setItem(key(rest), JSON.stringify(value))
    await storage.setItem(key('v'), String(VERSION))
    await list(rest, true)
  }

  return {
    /** Reads all accounts and settings; in the same tick when the storage is sync. */
    load(): MaybePromise<Loaded> {
      return then(names(), (all) => {
        const raws = all.map((name) => storage.getItem(key(name)))
        const read = (values: (string | null)[]): Loaded => {
          // Names out of storage may be `__proto__`.
          const empty = () => Object.create(null)
          const loaded: Loaded = { accounts: empty(), defaults: empty(), excluded: empty() }
          all.forEach((name, at) => {
            const raw = values[at]
            if (raw === null || raw === undefined) return
            if (ID.test(name)) {
              const record = parseRecord(name, raw)
              if (record === 'unreadable') setAside(name, raw).catch(() => {})
              else if (record !== 'newer') loaded.accounts[name] = record.account
            } else if (name.startsWith('default:')) {
              const id = parseJson(raw)?.account
              if (typeof id === 'string') loaded.defaults[name.slice('default:'.length)] = id
            } else if (name.startsWith('agent:')) {
              const excluded = parseJson(raw)?.excluded
              if (Array.isArray(excluded)) loaded.excluded[name.slice('agent:'.length)] = excluded.map(String)
            }
          })
          return loaded
        }
        return raws.some((raw) => raw instanceof Promise)
          ? Promise.all(raws).then(read)
          : read(raws as (string | null)[])
      })
    },
    has: async (id: string) => (await storage.getItem(key(id))) !== null,
    async read(id: string): Promise<StoredRecord | undefined> {
      const raw = await storage.getItem(key(id))
      const record = raw === null ? undefined : parseRecord(id, raw)
      return typeof record === 'object' ? record : undefined
    },
    /**
     * Writes one account. Unless it is `fresh`, only one that is there is changed, so news about an account that another
     * tab disconnected does not bring it back. Without `sealed` the copy of its secret stays.
     *
     * @throws LatchkeyError `storage_unavailable` when a newer version of Latchkey owns the key.
     */
    async write(account: ConnectedAccount, sealed?: string, fresh?: boolean): Promise<void> {
      const raw = await storage.getItem(key(account.id))
      if (raw === null && !fresh) return
      const old = raw === null ? undefined : parseRecord(account.id, raw)
      if (old === 'newer') {
        throw new LatchkeyError(
          'storage_unavailable',
          'A newer version of this app keeps this account. Reload the page.',
        )
      }
      if (old === 'unreadable') await setAside(account.id, raw as string)
      const kept = typeof old === 'object' ? old.sealed : undefined
      await set(account.id, { v: VERSION, account, sealed: sealed ?? kept })
    },
    async remove(id: string): Promise<void> {
      await storage.removeItem(key(id))
      await list(id, false)
    },
    /** Removes every key of this person of the app, and none of another's. */
    async clear(): Promise<void> {
      for (const name of await names()) if (OURS.test(name)) await storage.removeItem(key(name))
      await storage.removeItem(indexKey)
      await storage.removeItem(key('v'))
    },
    /** Notes that something which happens once has happened; `has` tells. */
    mark: (what: string) => set(what, { v: VERSION }),
    writeDefault: (provider: string, account: string) => set(`default:${provider}`, { v: VERSION, account }),
    writeExcluded: (agent: string, excluded: readonly string[]) => set(`agent:${agent}`, { v: VERSION, excluded }),
    /** Calls back when another tab changed something of ours. */
    subscribe: (changed: () => void) =>
      storage.subscribe?.((name) => {
        if (name === null || name.startsWith(`${prefix}:`)) changed()
      }),
  }
}
