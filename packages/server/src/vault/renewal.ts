import { randomUUID } from 'node:crypto'
import type { Owner, VaultStore } from '../stores/store.ts'
import { type AccountRows, gone, type Opened } from './accounts.ts'

/** How an account is renewed. */
export interface RenewSteps {
  /** Whether what is stored will do. */
  fresh(opened: Opened): boolean
  /** Asks the provider. */
  refresh(opened: Opened): Promise<Opened>
  /** Gets what came back for an account that was disconnected or connected again meanwhile. */
  discard(opened: Opened): Promise<void>
}

/** Renews accounts, each once for all callers of all processes. */
export interface Renewal {
  renew(owner: Owner, account: string, steps: RenewSteps): Promise<Opened>
}

/** @param leaseSeconds how long one process may take before another may try. */
export function createRenewal(store: VaultStore, { openRow, write }: AccountRows, leaseSeconds: number): Renewal {
  const renewing = new Map<string, Promise<Opened>>()

  async function renewWithLease(owner: Owner, id: string, steps: RenewSteps): Promise<Opened> {
    const holder = randomUUID()
    for (let wait = 25; ; wait = Math.min(wait * 1.5, 500)) {
      const leased = await store.lease(owner, id, holder, leaseSeconds)
      if (!leased) {
        const row = await store.get(owner, id)
        if (!row) throw gone(id)
        const opened = await openRow(row)
        if (steps.fresh(opened)) return opened
        // Another process is asking. It answers by a new row, or by its lease running out.
        await new Promise((resolve) => setTimeout(resolve, wait))
        continue
      }
      try {
        const opened = await openRow(leased)
        if (steps.fresh(opened)) return opened
        const renewed = await steps.refresh(opened)
        return await keepRenewed(owner, id, opened, renewed, steps)
      } finally {
        // Where this fails, time does it.
        await store.release(owner, id, holder).catch(() => {})
      }
    }
  }

  /** Saves before anybody gets it. What changed meanwhile decides whose secret it is. */
  async function keepRenewed(
    owner: Owner,
    id: string,
    from: Opened,
    renewed: Opened,
    steps: RenewSteps,
  ): Promise<Opened> {
    let newest: Opened | undefined
    let first = true
    const account = await write(owner, id, async (row) => {
      newest = undefined
      if (!row) return undefined
      const current: Opened = first && row.rev === from.account.rev ? from : await openRow(row)
      first = false
      // Connected again while the provider was asked: that secret is younger than ours.
      if (JSON.stringify(current.secret) !== JSON.stringify(from.secret)) {
        newest = current
        return undefined
      }
      return renewed
    })
    if (account) return { account, secret: renewed.secret }
    await steps.discard(renewed).catch(() => {})
    if (newest) return newest
    throw gone(id)
  }

  return {
    renew(owner, id, steps) {
      const key = JSON.stringify([owner.tenant, owner.user, id])
      const under = renewing.get(key)
      if (under) return under
      const renewal = renewWithLease(owner, id, steps).finally(() => renewing.delete(key))
      renewing.set(key, renewal)
      return renewal
    },
  }
}
