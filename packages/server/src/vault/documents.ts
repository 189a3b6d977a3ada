import { LatchkeyError } from '@latchkey/core'
import type { DocumentRow, Owner, PersonRows } from '../stores/store.ts'
import type { KeyProvider } from './keys.ts'
import { seal, unseal } from './seal.ts'

/** A document of a person, opened. */
export interface Opened<T> {
  content: T
  /** Milliseconds since the epoch. */
  expiresAt: number
}

/** What one person's documents hold, each kind with its own type, in one transaction. */
export interface Documents<Kinds extends object> {
  /** @throws LatchkeyError `secret_unavailable` if it cannot be decrypted. */
  read<K extends keyof Kinds & string>(kind: K, id: string): Promise<Opened<Kinds[K]> | undefined>
  /** Those that can be decrypted. */
  all<K extends keyof Kinds & string>(kind: K): Promise<Kinds[K][]>
  count(kind: keyof Kinds & string): Promise<number>
  write<K extends keyof Kinds & string>(kind: K, id: string, content: Kinds[K], expiresAt: number): Promise<void>
  remove(kind: keyof Kinds & string, id: string): Promise<void>
}

/** Documents are sealed with their kind, id and end, so none stands for another, or longer. */
export function documentsOf<Kinds extends object>(rows: PersonRows, owner: Owner, keys: KeyProvider): Documents<Kinds> {
  // No provider id begins with a slash: a document never opens as the secret of an account.
  const contextOf = ({ kind, id, expiresAt }: Pick<DocumentRow, 'kind' | 'id' | 'expiresAt'>) => ({
    ...{ tenant: owner.tenant, user: owner.user, provider: `/${kind}`, account: id, facts: `${expiresAt}` },
  })
  const open = async (row: DocumentRow) => JSON.parse(await unseal(keys, { ...row, ...contextOf(row) }))
  return {
    async read(kind, id) {
      const row = await rows.document(kind, id)
      return row && { content: await open(row), expiresAt: row.expiresAt }
    },
    async all(kind) {
      const found = []
      for (const row of await rows.documents(kind)) {
        const content = await open(row).catch((error) => {
          // Of a lost key. What cannot be read cannot be answered either.
          if (!(error instanceof LatchkeyError) || error.code !== 'secret_unavailable') throw error
        })
        if (content !== undefined) found.push(content)
      }
      return found
    },
    count: async (kind) => (await rows.documents(kind)).length,
    async write(kind, id, content, expiresAt) {
      const row = { kind, id, expiresAt }
      await rows.putDocument({ ...row, ...(await seal(keys, contextOf(row), JSON.stringify(content))) })
    },
    remove: (kind, id) => rows.removeDocument(kind, id),
  }
}
