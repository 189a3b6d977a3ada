import { randomUUID } from 'node:crypto'
import { LatchkeyError } from '@latchkey/core'
import { renewedAccount, renewedSecret } from '@latchkey/core/server'
import type { TokenAnswer } from '@latchkey/core/token'
import type { Owner } from '../stores/store.ts'
import type { Opened } from './accounts.ts'
import { absent, ended } from './errors.ts'
import { oauthOf, type Upkeep } from './upkeep.ts'

/** Refreshes tokens at their providers. */
export interface Renewal {
  /**
   * Refreshes an account once for all callers of all processes.
   *
   * @param fresh Whether what is stored will do. It is asked before each try.
   */
  renew(owner: Owner, id: string, fresh: (opened: Opened) => boolean): Promise<Opened>
}

export function createRenewal(upkeep: Upkeep): Renewal {
  const { vault, endpointOf } = upkeep
  const { store, leaseSeconds } = vault
  const renewing = new Map<string, Promise<Opened>>()

  async function renewWithLease(owner: Owner, id: string, fresh: (opened: Opened) => boolean): Promise<Opened> {
    const holder = randomUUID()
    for (let wait = 25; ; wait = Math.min(wait * 1.5, 500)) {
      const leased = await store.lease(owner, id, holder, leaseSeconds)
      const row = leased ?? (await store.get(owner, id))
      if (!row) throw absent(id)
      try {
        const opened = await vault.openRow(row)
        if (fresh(opened)) return opened
        if (leased) return await keep(owner, opened, await ask(owner, opened))
      } finally {
        // If this fails, the lease expires.
        if (leased) await store.release(owner, id, holder).catch(() => {})
      }
      // Another process is asking. It answers with a new row, or its lease expires.
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }

  /** Asks the provider, once. A grant that ended there is deleted here. */
  async function ask(owner: Owner, { account, secret }: Opened): Promise<Opened> {
    const { id, provider } = account
    const event = { action: 'refresh', provider, account: id } as const
    const old = secret.token
    if (!old?.refresh_token) throw ended(account)
    let answer: TokenAnswer
    try {
      answer = await endpointOf(oauthOf(upkeep, provider)).refresh(old)
    } catch (error) {
      const code = error instanceof LatchkeyError ? error.code : 'server_error'
      await vault.audit.record(owner, { ...event, outcome: 'failed', reason: code })
      if (code !== 'invalid_grant') throw error
      return { account: { ...account, status: 'needs-reconnect', reason: 'revoked' }, secret: { revoked: true } }
    }
    await vault.audit.record(owner, { ...event, outcome: 'allowed' })
    const renewed = renewedSecret(old, answer)
    return { account: renewedAccount(oauthOf(upkeep, provider), account, answer, renewed), secret: renewed }
  }

  /** Saves before any caller gets it. If the account was connected again meanwhile, that secret wins. */
  async function keep(owner: Owner, from: Opened, renewed: Opened): Promise<Opened> {
    const { id, provider } = from.account
    let newest: Opened | undefined
    const account = await vault.write(owner, id, async (stored) => {
      newest = stored && (stored.rev === from.account.rev ? from : await vault.openRow(stored))
      return JSON.stringify(newest?.secret) === JSON.stringify(from.secret) ? renewed : undefined
    })
    if (account) return { account, secret: renewed.secret }
    const late = renewed.secret.token
    if (late)
      await endpointOf(oauthOf(upkeep, provider))
        .revoke(late)
        .catch(() => {})
    if (newest) return newest
    throw absent(id)
  }

  return {
    renew(owner, id, fresh) {
      const key = JSON.stringify([owner.tenant, owner.user, id])
      const running = renewing.get(key)
      if (running) return running
      const renewal = renewWithLease(owner, id, fresh).finally(() => renewing.delete(key))
      renewing.set(key, renewal)
      return renewal
    },
  }
}
