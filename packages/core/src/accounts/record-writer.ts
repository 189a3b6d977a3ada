import { errorAbout } from '../errors.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import { parseRecord, type StoredRecord, VERSION } from './account-records.ts'
import type { Page } from './page.ts'

/** Every name that we write. Another program's keys with our prefix are not among them. */
const OURS = /^(?:(?:unreadable:)?[a-z0-9-]+\.[\w-]{22}|(?:default|agent|pending|former):.*|v|index|imported)$/s

/** Writes what {@link Records} reads. A write touches the key of one account and holds no other. */
export interface RecordWriter {
  has(name: string): Promise<boolean>
  read(id: string): Promise<StoredRecord | undefined>
  /**
   * Writes one account. Unless it is `fresh`, only one that is there is changed, so news about an account that another
   * tab disconnected does not bring it back. Without `sealed` the copy of its secret stays.
   *
   * @throws LatchkeyError `storage_unavailable` when a newer version of Latchkey owns the key.
   */
  write(account: ConnectedAccount, sealed?: string, fresh?: boolean): Promise<void>
  remove(id: string): Promise<void>
  /** Removes every key of this person of the app, and none of another's. */
  clear(): Promise<void>
  /** Notes something under a name: that it happened once, which `has` tells, or more of it. */
  note(name: string, value?: object): Promise<void>
  writeDefault(provider: string, account: string): Promise<void>
  writeExcluded(agent: string, excluded: readonly string[]): Promise<void>
}

export function createRecordWriter({ storage, records: { key, names } }: Page): RecordWriter {
  let listing: Promise<void> = Promise.resolve()
  /** Where storage cannot list its keys, we do. */
  function list(name: string, present: boolean): Promise<void> | undefined {
    if (storage.keys) return
    const change = async () => {
      const others = (await names()).filter((other) => other !== name)
      await storage.setItem(key('index'), JSON.stringify(present ? [...others, name] : others))
    }
    // One after the other: two accounts connected at once both stay in the list.
    listing = listing.then(change, change)
    return listing
  }

  async function set(name: string, value: object): Promise<void> {
    await storage.setItem(key(name), JSON.stringify({ v: VERSION, ...value }))
    await storage.setItem(key('v'), String(VERSION))
    await list(name, true)
  }

  return {
    has: async (name) => (await storage.getItem(key(name))) !== null,
    async read(id) {
      const raw = await storage.getItem(key(id))
      const record = raw === null ? undefined : parseRecord(id, raw)
      return typeof record === 'object' ? record : undefined
    },
    async write(account, sealed, fresh) {
      const { id } = account
      const raw = await storage.getItem(key(id))
      if (raw === null && !fresh) return
      const old = raw === null ? undefined : parseRecord(id, raw)
      if (old === 'newer') {
        const message = 'A newer version of this app keeps this account. Reload the page.'
        throw errorAbout(account, 'storage_unavailable', message)
      }
      // Kept: a person may want to know what it was.
      if (old === 'unreadable') await storage.setItem(key(`unreadable:${id}`), raw as string)
      const kept = typeof old === 'object' ? old.sealed : undefined
      await set(id, { account, sealed: sealed ?? kept })
    },
    async remove(id) {
      await storage.removeItem(key(id))
      await list(id, false)
    },
    async clear() {
      for (const name of await names()) if (OURS.test(name)) await storage.removeItem(key(name))
      await storage.removeItem(key('index'))
      await storage.removeItem(key('v'))
    },
    note: (name, value = {}) => set(name, value),
    writeDefault: (provider, account) => set(`default:${provider}`, { account }),
    writeExcluded: (agent, excluded) => set(`agent:${agent}`, { excluded }),
  }
}
