import type { ConnectedAccount } from '@latchkey/core'
import { bindingChange } from '@latchkey/core/server'
import { type Verification, verifyKey } from '@latchkey/core/token'
import type { Owner } from '../stores/store.ts'
import type { Opened } from './accounts.ts'
import { adopt } from './connect.ts'
import type { Renewal } from './renewal.ts'
import { openBound, type Upkeep } from './upkeep.ts'

/** Marks an account that is not for its provider as the broker lists it now. Returns whether it did. */
export async function markChanged(
  { vault, providers }: Upkeep,
  owner: Owner,
  account: ConnectedAccount,
): Promise<boolean> {
  const provider = providers.get(account.provider)
  const reason = provider && bindingChange(provider, account)
  if (reason) await vault.mark(owner, account.id, 'needs-reconnect', reason)
  return reason !== undefined
}

/** Verifies a key that could not be verified when it was entered. @throws LatchkeyError if the provider refuses it. */
export async function checkKey(upkeep: Upkeep, owner: Owner, opened: Opened): Promise<Opened> {
  const { account, secret } = opened
  const provider = upkeep.providers.get(account.provider)
  if (provider?.kind !== 'api-key' || !secret.fields) return opened
  let verdict: Verification
  try {
    verdict = await verifyKey(provider, secret.fields, { fetch: upkeep.fetchFor() })
  } catch (error) {
    await upkeep.vault.mark(owner, account.id, 'needs-reconnect', 'invalid_token')
    throw error
  }
  if (verdict.status !== 'verified') return opened
  return { account: await adopt(upkeep, owner, provider, secret, { profile: verdict.profile }), secret }
}

/** Finds out whether an account can still be used, because an API refused its secret. Returns its facts after that. */
export async function recheck(
  upkeep: Upkeep,
  { renew }: Renewal,
  owner: Owner,
  id: string,
): Promise<ConnectedAccount | undefined> {
  const { vault, providers, fetchFor } = upkeep
  const opened = await openBound(upkeep, owner, id)
  if (!opened) return undefined
  const { account, secret } = opened
  try {
    if (await markChanged(upkeep, owner, account)) return await vault.find(owner, id)
    if (account.reason === 'unverified') return (await checkKey(upkeep, owner, opened)).account
    if (account.status !== 'connected') return account
    const provider = providers.get(account.provider)
    if (secret.token?.refresh_token) {
      await renew(owner, id, (held) => held.account.rev !== account.rev || held.account.status !== 'connected')
    } else if (provider?.kind === 'api-key' && secret.fields) {
      // A key that the provider still takes was refused for another reason.
      await verifyKey(provider, secret.fields, { fetch: fetchFor() }).catch(() =>
        vault.mark(owner, id, 'needs-reconnect', 'invalid_token'),
      )
    } else await vault.mark(owner, id, 'needs-reconnect', 'revoked')
  } catch {
    // The account's status says what happened.
  }
  return vault.find(owner, id)
}
