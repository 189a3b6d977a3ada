import { setTimeout } from 'node:timers/promises'
import { LatchkeyError } from '@latchkey/core'
import { memoryStore } from '../stores/memory.ts'
import type { VaultStore } from '../stores/store.ts'
import { type AccountFacts, createAccounts, type VaultAccounts } from './accounts.ts'
import { type Audit, createAudit } from './audit.ts'
import { createFlows, type Flows } from './flows.ts'
import { type KeyProvider, keysFromEnv } from './keys.ts'
import { type Reencryption, reencrypt } from './reencrypt.ts'
import { createWebhooks, type WebhookOptions, type Webhooks } from './webhooks.ts'

/** What `createVault` is made with. */
export interface VaultOptions {
  /** Default: rows in this process. {@link vaultFromEnv} reads the choice from the environment. */
  store?: VaultStore
  /** {@link localKeys}, or a KMS. Default: `TOKEN_ENCRYPTION_KEY`. */
  keys?: KeyProvider
  /** Told when an account is connected, needs its person, ends soon or is gone, and when an agent asks a person. */
  webhooks?: readonly WebhookOptions[]
  /**
   * Seconds ahead of its end at which `webhooks` are told of an account that cannot be renewed, once for each end: by the
   * background, or by `refreshDue`. Never before the last third of its life. One that was connected before there were webhooks
   * is told of after it is connected again. Default: 259_200, three days.
   */
  expiryNoticeSeconds?: number
  /**
   * How long one process may take to refresh an account before another may try. Longer than any call to a provider,
   * which is cut off after 10 s. Default: 15.
   */
  leaseSeconds?: number
}

/** Accounts of users with their secrets, encrypted. Made by {@link createVault}, used through the broker. */
export interface Vault extends AccountFacts {
  /** `memory`, `sqlite`, `postgres`, …, for logs. */
  readonly storeType: string
  readonly audit: Audit
  /** Encrypts with the current key what another key encrypted, while everything goes on. */
  reencrypt(): Promise<Reencryption>
  /** Closes the store, after the refreshes under way, or 10 seconds. Stop the server first: nothing begins after this. */
  close(): Promise<void>
}

/** All of a vault, secrets too: for the code that connects, refreshes and revokes. */
export interface VaultInside extends VaultAccounts, Flows {
  readonly store: VaultStore
  readonly keys: KeyProvider
  readonly audit: Audit
  readonly hooks: Webhooks
  readonly leaseSeconds: number
  /** Aborted when the vault closes. */
  readonly closing: AbortSignal
  /** Does work that has to be finished before the vault closes, such as to save a token that was rotated. */
  during<T>(work: () => Promise<T>): Promise<T>
}

/** Milliseconds that closing waits for work. */
const CLOSE_WAIT = 10_000

const insides = new WeakMap<Vault, VaultInside>()

/** @throws LatchkeyError `misuse` if `createVault` did not make it. */
export function insideOf(vault: Vault): VaultInside {
  const inside = insides.get(vault)
  if (!inside) throw new LatchkeyError('misuse', 'vault must come from createVault.')
  return inside
}

/**
 * Makes a vault: `createVault({ store: sqliteStore('vault.db'), keys: localKeys(key) })`.
 *
 * @throws LatchkeyError `misuse` for a key that is missing or weak: then nothing starts.
 */
export function createVault({
  store = memoryStore(),
  keys = keysFromEnv(),
  webhooks = [],
  expiryNoticeSeconds = 259_200,
  leaseSeconds = 15,
}: VaultOptions = {}): Vault {
  const audit = createAudit(store)
  const hooks = createWebhooks(webhooks)
  const notice = webhooks.length > 0 ? { seconds: expiryNoticeSeconds, tell: hooks.expiring } : undefined
  const accounts = createAccounts({ store, keys, audit, tell: hooks.tell, notice })
  const closing = new AbortController()
  const working = new Set<Promise<unknown>>()
  async function during<T>(work: () => Promise<T>): Promise<T> {
    if (closing.signal.aborted) throw new LatchkeyError('temporarily_unavailable', 'The vault is closed.')
    const result = work()
    working.add(result)
    return result.finally(() => working.delete(result))
  }
  const vault: Vault = {
    list: accounts.list,
    find: accounts.find,
    storeType: store.type,
    audit,
    reencrypt: () => reencrypt(store, keys),
    async close() {
      closing.abort()
      await Promise.race([Promise.allSettled(working), setTimeout(CLOSE_WAIT, undefined, { ref: false })])
      hooks.close()
      await store.close()
    },
  }
  const inside = { ...accounts, ...createFlows(store, keys), store, keys, audit, hooks, leaseSeconds }
  insides.set(vault, { ...inside, closing: closing.signal, during })
  return vault
}

/**
 * A vault out of the environment: `TOKEN_ENCRYPTION_KEY`, `TOKEN_STORE_TYPE` (`memory`, `sqlite` or `postgres`; default
 * `sqlite`) and `TOKEN_STORE_URL` (a file, or `postgres://…`; default `latchkey-vault.db`). Only the driver of the chosen
 * store is loaded.
 *
 * @throws LatchkeyError `misuse` for a key that is missing or weak, and for a store that there is not.
 */
export async function vaultFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
  options: Omit<VaultOptions, 'store' | 'keys'> = {},
): Promise<Vault> {
  return createVault({ ...options, keys: keysFromEnv(env), store: await storeFromEnv(env) })
}

async function storeFromEnv({
  TOKEN_STORE_TYPE: type = 'sqlite',
  TOKEN_STORE_URL: url,
}: Readonly<Record<string, string | undefined>>): Promise<VaultStore> {
  if (type === 'memory') return memoryStore()
  if (type === 'sqlite') {
    const { sqliteStore } = await import('../stores/sqlite.ts')
    return sqliteStore(url?.replace(/^(sqlite|file):(\/\/)?/, '') || 'latchkey-vault.db')
  }
  if (type === 'postgres' && url) {
    const { postgresStore } = await import('../stores/postgres.ts')
    return postgresStore({ url })
  }
  throw new LatchkeyError(
    'misuse',
    type === 'postgres'
      ? 'TOKEN_STORE_TYPE is postgres, so TOKEN_STORE_URL has to say where: postgres://user:password@host/database.'
      : `TOKEN_STORE_TYPE ${JSON.stringify(type)} is none of memory, sqlite and postgres.`,
  )
}
