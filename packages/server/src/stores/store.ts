/** The owner of a row. A store never returns rows of another tenant. */
export interface Owner {
  tenant: string
  user: string
}

/** One account in the vault. Its facts are readable, as in a browser; its secret is encrypted. */
export interface AccountRow extends Owner {
  provider: string
  account: string
  /** The account's facts as JSON. */
  facts: string
  sealed: Uint8Array
  kid: string
  /** Grows with every write, also across a disconnect, so that a write based on an old row fails. */
  rev: number
  /** When to refresh it or to tell of its end, in milliseconds since the epoch. Absent if neither is due. */
  dueAt?: number
}

/** An authorization in progress. Its PKCE verifier is encrypted; of its `state` only the digest is stored. */
export interface FlowRow extends Owner {
  id: string
  /** Digest of the session that started it. */
  session: string
  sealed: Uint8Array
  kid: string
  expiresAt: number
}

/** One row of the audit log as it is stored. */
export interface AuditRow {
  tenant: string
  seq: number
  /** Milliseconds since the epoch. */
  at: number
  user: string
  /** The event as JSON, exactly the bytes that were hashed. */
  event: string
  hash: string
}

/** An audit row before it has a place in the chain. */
export interface AuditEntry extends Pick<AuditRow, 'at' | 'user' | 'event'> {
  /** Set if an account was used. It is not part of the chain: {@link VaultStore.lastUses} is made of it. */
  used?: Pick<LastUseRow, 'account' | 'agent' | 'tool'>
}

/** When an agent first and last called a tool with an account, in milliseconds since the epoch. */
export interface LastUseRow {
  account: string
  agent: string
  /** Empty for a call of no known tool. */
  tool: string
  firstAt: number
  lastAt: number
}

/**
 * One document of a person: a request that waits, an approval, a call in the ledger. Its content is encrypted, and what
 * the store needs to find it is not.
 */
export interface DocumentRow {
  /** `request`, `call`, … */
  kind: string
  id: string
  sealed: Uint8Array
  kid: string
  /** Milliseconds since the epoch. From then on no method returns it. */
  expiresAt: number
}

/** Chains an audit entry to the one before. */
export type AuditHash = (previous: string, row: Omit<AuditRow, 'hash'>) => string

/** All rows of one person, inside of one transaction. */
export interface PersonRows {
  /** Milliseconds since the epoch. Never earlier than in a transaction of this person before. */
  readonly now: number
  /** The person's rules as JSON. */
  readonly rules: string | undefined
  account(id: string): Promise<AccountRow | undefined>
  document(kind: string, id: string): Promise<DocumentRow | undefined>
  /** In order of their ids. At most 1000. */
  documents(kind: string): Promise<DocumentRow[]>
  putRules(rules: string): Promise<void>
  /** Writes it, also over one of the same kind and id. */
  putDocument(row: DocumentRow): Promise<void>
  removeDocument(kind: string, id: string): Promise<void>
  /** As {@link VaultStore.appendAudit}, in this transaction. Call it last: until the end nobody else of the tenant appends. */
  appendAudit(entries: readonly AuditEntry[], hash: AuditHash): Promise<void>
}

/** What the work of {@link VaultStore.asPerson} reads first. */
export interface FirstReads {
  /** Account id. */
  account?: string | undefined
  /** The one document of this kind and id. */
  document?: { kind: string; id: string } | undefined
}

/**
 * Where a vault stores its rows: {@link memoryStore}, {@link sqliteStore}, {@link postgresStore}, or your own, which must
 * pass the `storeContract` of `@latchkey/server/testing`. Every call is for one tenant, except `due()` and `tenants()`.
 */
export interface VaultStore {
  /** `memory`, `sqlite`, `postgres`, …, for logs. */
  readonly type: string
  get(owner: Owner, account: string): Promise<AccountRow | undefined>
  list(owner: Owner): Promise<AccountRow[]>
  /**
   * Writes if the stored row still has the revision `previous`, or is still absent. Else, and for a revision that is not
   * newer than a removed one, returns false.
   */
  put(row: AccountRow, previous: number | undefined): Promise<boolean>
  /**
   * Deletes a row and remembers its revision for ever. No method returns or changes a row of that revision or an older
   * one, such as a row from a backup, and `put` writes over it as if it were absent.
   */
  remove(owner: Owner, account: string): Promise<AccountRow | undefined>
  /** The revision of the last row that was removed here. */
  removed(owner: Owner, account: string): Promise<number | undefined>
  /**
   * Takes a lease to refresh an account, for some seconds by the store's clock. Undefined if another process holds it or
   * the row is gone. The lease of a process that died expires.
   */
  lease(owner: Owner, account: string, holder: string, seconds: number): Promise<AccountRow | undefined>
  release(owner: Owner, account: string, holder: string): Promise<void>
  /** Accounts of all tenants that are due before this time, the earliest first, in one transaction. */
  due(before: number, limit: number): Promise<AccountRow[]>
  /** Accounts of a tenant that are encrypted with another key than this. */
  sealedOtherwise(tenant: string, kid: string, limit: number): Promise<AccountRow[]>
  /** Every tenant that ever had an account. */
  tenants(): Promise<string[]>
  /**
   * Stores a flow. Deletes flows that expired before `now`, of every tenant and a bounded number at once, and the oldest
   * of a user who has more than 50.
   */
  putFlow(flow: FlowRow, now: number): Promise<void>
  /** Removes a flow and returns it. Returns `foreign`, and removes nothing, if another session started it. */
  takeFlow(owner: Owner, id: string, session: string, now: number): Promise<FlowRow | 'foreign' | undefined>
  /** Appends to the tenant's log. `hash` chains each entry to the one before. Entries cannot be changed. */
  appendAudit(tenant: string, entries: readonly AuditEntry[], hash: AuditHash): Promise<void>
  /**
   * Entries of one user or of all: those `after` a sequence number, the oldest first, or those `before` one, the newest
   * first. Of one `agent` or `account`, if the store can tell: it may return others, too.
   */
  readAudit(
    tenant: string,
    options: {
      user?: string
      agent?: string | undefined
      account?: string | undefined
      after?: number
      before?: number
      limit: number
    },
  ): Promise<AuditRow[]>
  /** The last entry's number and hash, stored separately, so that a truncated log does not match them. */
  auditHead(tenant: string): Promise<{ seq: number; hash: string } | undefined>
  /**
   * For each account, agent and tool that entries of a person were `used` with, when that was. The latest first, at most
   * 1000. It takes as long for a log of a million entries as for a short one.
   */
  lastUses(owner: Owner): Promise<LastUseRow[]>
  /**
   * Runs `work` in one transaction, while no other transaction of this person runs. `rows.now` is `now`, or the latest
   * that was stored of this person, and is stored. Deletes documents of this person that expired, a bounded number at
   * once, and of a kind with more than 1000 those that expire first. `work` uses nothing of the store but its rows, and
   * is short: others wait for it. A store may run it again if what it wrote was undone.
   *
   * @param reads what `work` reads first, if that is known. A store may read it in one go with its lock, or ignore this.
   * @throws what `work` throws: then nothing is written.
   */
  asPerson<T>(owner: Owner, now: number, work: (rows: PersonRows) => Promise<T>, reads?: FirstReads): Promise<T>
  /** Deletes the rules, documents and last uses of a person. The audit log stays, and so does the latest `now`. */
  forgetPerson(owner: Owner): Promise<void>
  close(): Promise<void>
}

/** Flows that a user has at most: a person answers one at a time. */
export const FLOWS_PER_USER = 50
/** Documents of one kind that a person has at most. */
export const DOCUMENTS_PER_KIND = 1000

/** The previous hash of the first entry. */
export const GENESIS = '0'.repeat(64)
