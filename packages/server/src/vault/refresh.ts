import { type ConnectedAccount, LatchkeyError } from '@latchkey/core'
import { isUsable, lives } from '@latchkey/core/server'
import type { Owner } from '../stores/store.ts'
import { traced } from '../telemetry.ts'
import type { Opened } from './accounts.ts'
import { refreshDue } from './background.ts'
import { checkKey, markChanged, recheck } from './check.ts'
import { absent, ended } from './errors.ts'
import { createRenewal } from './renewal.ts'
import { openBound, type Upkeep } from './upkeep.ts'

/** A token that lives for fewer seconds than this is refreshed before use. */
const MIN_VALIDITY = 60

/** Keeps accounts usable. */
export interface Refresher {
  /**
   * The account with a secret that lives for some seconds more.
   *
   * @param seconds default 60
   * @throws LatchkeyError why there is none.
   */
  ensureFresh(owner: Owner, id: string, seconds?: number): Promise<Opened>
  /** Finds out whether an account can still be used, because an API refused its secret. Returns its facts after that. */
  recheck(owner: Owner, id: string): Promise<ConnectedAccount | undefined>
  /** Refreshes what expires within some seconds. Resolves to the number of refreshed accounts. */
  refreshDue(aheadSeconds: number): Promise<number>
}

export function createRefresher(upkeep: Upkeep): Refresher {
  const { vault } = upkeep
  const renewal = createRenewal(upkeep)

  async function ensureFresh(owner: Owner, id: string, seconds = MIN_VALIDITY): Promise<Opened> {
    const opened = await openBound(upkeep, owner, id)
    if (!opened) throw absent(id)
    const { account, secret } = opened
    if (!isUsable(account.status)) throw ended(account)
    if (await markChanged(upkeep, owner, account)) throw ended(account)
    if (account.reason === 'unverified') return checkKey(upkeep, owner, opened)
    if (lives(secret, seconds)) return opened
    if (!secret.token?.refresh_token) {
      if (lives(secret, 0)) return opened
      await vault.mark(owner, id, 'needs-reconnect', 'expired')
      throw ended(account)
    }
    let renewed: Opened
    try {
      const fresh = (held: Opened) => held.account.status !== 'connected' || lives(held.secret, seconds)
      const attributes = { 'latchkey.provider': account.provider, 'latchkey.account': id }
      renewed = await traced('latchkey.refresh', attributes, () => renewal.renew(owner, id, fresh))
    } catch (error) {
      // The provider may be back before this token expires.
      const gone = error instanceof LatchkeyError && error.code === 'login_required'
      if (!gone && lives(secret, 0)) return opened
      throw error
    }
    if (renewed.account.status !== 'connected') throw ended(renewed.account)
    return renewed
  }

  return {
    ensureFresh,
    recheck: (owner, id) => recheck(upkeep, renewal, owner, id),
    refreshDue: (aheadSeconds) => refreshDue(vault, ensureFresh, aheadSeconds),
  }
}
