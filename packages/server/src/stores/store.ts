/** Whose rows are meant. A store never answers with another tenant's. */
export interface Owner {
  tenant: string
  user: string
}

/** One account in the vault. Facts are readable, as they are in a browser; the secret is sealed. */
export interface AccountRow extends Owner {
  provider: string
  account: string
  /** The account's facts as JSON. */
  facts: string
  sealed: Uint8Array
  kid: string
  /** Grows with every write, also across a disconnect, so a late write finds that it is late. */
  rev: number
  /** When it should be refreshed, in milliseconds since the epoch; absent when nothing is due. */
  dueAt?: number
}

/** An authorization under way. Its verifier is sealed, its state only known by its digest. */
export interface FlowRow extends Owner {
  id: string
  /** Digest of the session that began it. */
  session: string
  sealed: Uint8Array
  kid: string
  expiresAt: number
}

export interface AuditRow {
  tenant: string
  seq: number
  /** Milliseconds since the epoch. */
  at: number
  user: string
  /** The event as JSON: what was hashed, byte by byte. */
  event: string
  hash: string
}

export type AuditEntry = Pick<AuditRow, 'at' | 'user' | 'event'>

/**
 * Where a vault keeps its rows: {@link memoryStore}, {@link sqliteStore}, {@link postgresStore}, or your own, which has
 * to pass the same contract tests. Every call concerns one tenant, but for `tenants()`.
 */
export interface VaultStore {
  /** `memory`, `sqlite`, `postgres`, …: for logs. */
  readonly type: string
  get(owner: Owner, account: string): Promise<AccountRow | undefined>
  list(owner: Owner): Promise<AccountRow[]>
  /** Writes if the stored row is still of `previous`, or still absent. False when it is not. */
  put(row: AccountRow, previous: number | undefined): Promise<boolean>
  remove(owner: Owner, account: string): Promise<AccountRow | undefined>
  /**
   * Takes the right to refresh an account for some seconds, by the store's clock. Undefined when another holds it or the
   * row is gone; a holder that died loses it by time.
   */
  lease(owner: Owner, account: string, holder: string, seconds: number): Promise<AccountRow | undefined>
  release(owner: Owner, account: string, holder: string): Promise<void>
  /** Accounts of a tenant that are due before this time, the longest due first. */
  due(tenant: string, before: number, limit: number): Promise<AccountRow[]>
  /** Accounts of a tenant that are sealed with another key than this. */
  sealedOtherwise(tenant: string, kid: string, limit: number): Promise<AccountRow[]>
  /** Every tenant that ever had an account. */
  tenants(): Promise<string[]>
  /** Keeps a flow, and drops those that ended before `now`. */
  putFlow(flow: FlowRow, now: number): Promise<void>
  /** Takes a flow out, once; `foreign`, and left alone, when another session began it. */
  takeFlow(owner: Owner, id: string, session: string, now: number): Promise<FlowRow | 'foreign' | undefined>
  /** Appends to the tenant's log. `hash` chains each entry to the one before; there is no way to change one. */
  appendAudit(
    tenant: string,
    entries: readonly AuditEntry[],
    hash: (previous: string, row: Omit<AuditRow, 'hash'>) => string,
  ): Promise<void>
  /** In order, `after` a sequence number; of one user, or of all. */
  readAudit(tenant: string, options: { user?: string; after?: number; limit: number }): Promise<AuditRow[]>
  /** The last entry's number and hash, kept apart from the entries: a log that lost its end does not reach it. */
  auditHead(tenant: string): Promise<{ seq: number; hash: string } | undefined>
  close(): Promise<void>
}

/** What the first entry is chained to. */
export const GENESIS = '0'.repeat(64)
