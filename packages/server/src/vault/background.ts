import type { ConnectedAccount } from '@latchkey/core'
import type { Owner } from '../stores/store.ts'
import type { VaultAccounts } from './accounts.ts'

const ACCOUNTS = 1000
const AT_ONCE = 8

/** Refreshes what expires within some seconds. Resolves to the number of refreshed accounts. */
export async function refreshDue(
  vault: Pick<VaultAccounts, 'due'>,
  ensureFresh: (owner: Owner, id: string, seconds: number) => Promise<unknown>,
  aheadSeconds: number,
): Promise<number> {
  const due = (await vault.due(Date.now() + aheadSeconds * 1000, ACCOUNTS)).values()
  let refreshed = 0
  const worker = async () => {
    for (const { owner, account } of due) {
      const seconds = marginOf(account, aheadSeconds)
      if ((account.expiresAt ?? 0) - seconds * 1000 > Date.now()) continue
      try {
        await ensureFresh(owner, account.id, seconds)
        refreshed += 1
      } catch {
        // The audit log has it, and the next round tries again.
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return refreshed
}

/** A token that lives for a short time is refreshed in the last third of its life, not in every round. */
const marginOf = ({ expiresAt = 0, issuedAt = 0 }: ConnectedAccount, aheadSeconds: number) =>
  Math.max(1, Math.min(aheadSeconds, (expiresAt - issuedAt) / 3000))
