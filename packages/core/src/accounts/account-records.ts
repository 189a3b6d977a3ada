import type { ConnectedAccount, Snapshot } from '../snapshot.ts'
import type { StateStorage } from '../storage.ts'

/** The version of what is written under our keys. Data of a newer one is left alone. */
export const VERSION = 1

/** What storage holds of one account: its facts, and a copy of its sealed secret. */
export interface StoredRecord {
  account: ConnectedAccount
  sealed?: string
}

/** Everything that storage holds but secrets, as read at start. */
export type Loaded = Pick<Snapshot, 'accounts' | 'defaults' | 'excluded'>

/**
 * Latchkey's keys in a storage, read: `<prefix>:<accountId>`, `<prefix>:default:<provider>`, `<prefix>:agent:<agentId>`,
 * `<prefix>:v`. The half that writes them, `record-writer.ts`, loads on first use.
 */
export interface Records {
  /** The key in storage of one of our names. */
  key(name: string): string
  /** Our names. Where storage cannot list its keys, they are in a list of ours. */
  names(): MaybePromise<string[]>
  /** Reads all accounts and settings; in the same tick when the storage is sync. What cannot be read is left out. */
  load(): MaybePromise<Loaded>
  /** Calls back when another tab changed something of ours. Returns what ends it. */
  subscribe(changed: () => void): (() => void) | undefined
}

type MaybePromise<T> = T | Promise<T>

/** Sync storage answers in the same tick, so a reloaded page paints its accounts at once. */
function then<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

const STATUSES = ['connected', 'expiring', 'paused', 'needs-reconnect']
/** Facts that a UI renders as they are. */
const WORDS = ['subject', 'username', 'name', 'email', 'avatar', 'url', 'reason', 'resource'] as const
/** Longer than any token: another program wrote it. */
const MAX_RECORD = 1e5
const ID = /^[a-z0-9-]+\.[\w-]{22}$/

export function parseRecord(id: string, raw: string): StoredRecord | 'newer' | 'unreadable' {
  const { v, sealed, account } = parseJson(raw.length > MAX_RECORD ? null : raw)
  if (typeof v === 'number' && v > VERSION) return 'newer'
  const facts: ConnectedAccount = Object(account)
  const good =
    v === VERSION &&
    facts.id === id &&
    id.startsWith(`${facts.provider}.`) &&
    isText(facts.issuer) &&
    isText(facts.label) &&
    STATUSES.includes(facts.status) &&
    Array.isArray(facts.scopes) &&
    facts.scopes.every(isText) &&
    WORDS.every((word) => facts[word] === undefined || isText(facts[word])) &&
    Number.isInteger(facts.rev) &&
    Number.isFinite(facts.connectedAt)
  if (!good) return 'unreadable'
  return { account: { ...facts, missingScopes: texts(facts.missingScopes) }, ...(isText(sealed) && { sealed }) }
}

const isText = (value: unknown): value is string => typeof value === 'string'
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter(isText) : [])

function parseJson(raw: string | null): Record<string, unknown> {
  try {
    return Object(JSON.parse(raw ?? ''))
  } catch {
    return {}
  }
}

export function createRecords(storage: StateStorage, prefix: string): Records {
  const key = (name: string) => `${prefix}:${name}`

  function names(): MaybePromise<string[]> {
    if (!storage.keys) return then(storage.getItem(key('index')), (raw) => texts(parseJson(raw)))
    const isOurs = (name: string) => name.startsWith(key(''))
    return then(storage.keys(), (keys) => keys.filter(isOurs).map((name) => name.slice(key('').length)))
  }

  function parse(all: string[], raws: (string | null)[]): Loaded {
    // Names out of storage may be `__proto__`.
    const empty = () => Object.create(null)
    const loaded = { accounts: empty(), defaults: empty(), excluded: empty() }
    all.forEach((name, at) => {
      const raw = raws[at] ?? null
      const [kind, ...rest] = name.split(':')
      const record = raw !== null && ID.test(name) && parseRecord(name, raw)
      if (typeof record === 'object') loaded.accounts[name] = record.account
      const { account, excluded } = parseJson(kind === 'default' || kind === 'agent' ? raw : null)
      if (kind === 'default' && isText(account)) loaded.defaults[rest.join(':')] = account
      if (kind === 'agent' && Array.isArray(excluded)) loaded.excluded[rest.join(':')] = excluded.map(String)
    })
    return loaded
  }

  return {
    key,
    names,
    load: () =>
      then(names(), (all) => {
        const raws = all.map((name) => storage.getItem(key(name)))
        return raws.some((raw) => raw instanceof Promise)
          ? Promise.all(raws).then((values) => parse(all, values))
          : parse(all, raws as (string | null)[])
      }),
    subscribe: (changed) =>
      storage.subscribe?.((name) => {
        if (name === null || name.startsWith(key(''))) changed()
      }),
  }
}
