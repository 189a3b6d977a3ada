// Revocations that could not be made at a disconnect: at a provider, or by the server that has the account. Each is kept
// beside the accounts, its token sealed as theirs are, and made once they answer.
import { LatchkeyError } from '../errors.ts'
import { isMcp, type Provider } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import { type AccountStore, PENDING, type Settled, UNREACHED } from './account-store.ts'
import { bindingChange } from './binding.ts'
import type { Endpoints } from './endpoints.ts'

/** An account that is gone here, and not yet at its provider. */
export interface PendingRevocation {
  account: ConnectedAccount
  /** Its token; empty for one that the server has. */
  sealed: string
  since: number
}

export interface RevocationOptions {
  /** Also those that the page lists no more. */
  providers: () => readonly Provider[]
  /** Tells the server, which has the account, that it is over. */
  end: (account: ConnectedAccount) => Promise<void>
  /** Called when a revocation is not pending any more. */
  onSettled: () => Promise<void>
}

/** Milliseconds until another try, and until the last. */
const AGAIN = 5 * 60_000
const GIVE_UP = 30 * 24 * 60 * 60_000

/** The pending revocations that storage has. */
export async function pendingRevocations({ records, storage }: AccountStore): Promise<PendingRevocation[]> {
  const names = (await records.names()).filter((name) => name.startsWith(PENDING))
  const texts = await Promise.all(names.map((name) => storage.getItem(records.key(name))))
  return texts.flatMap((text) => {
    try {
      const one = JSON.parse(text ?? '') as PendingRevocation
      return typeof one.account.id === 'string' && typeof one.sealed === 'string' ? [one] : []
    } catch {
      return []
    }
  })
}

/**
 * Makes pending revocations.
 *
 * @returns what tries them at once and now and then, until none is pending or the signal ends it.
 */
export function createRevocations(
  accounts: AccountStore,
  endpoints: Endpoints,
  { providers, end, onSettled }: RevocationOptions,
): (signal: AbortSignal) => void {
  const { secrets, store, writer } = accounts

  async function revoke({ account, sealed }: PendingRevocation): Promise<Settled> {
    const { accounts: connected, providers: states } = store.getState()
    // Connected again, or just now: one revocation can end the whole grant of a person.
    if (connected[account.id]) return 'removed'
    if (states[account.provider]?.status === 'connecting') throw later('It is being connected.')
    if (account.custody === 'vault') return end(account).then(() => 'revoked')
    const provider = providers().find(({ id }) => id === account.provider)
    if (!provider) throw later('The page does not list its provider.')
    const secret = await secrets.unsealApart(account, sealed)
    if (provider.kind === 'api-key' || !secret?.token) return 'removed'
    if (!isMcp(provider) && bindingChange(provider, account)) return 'removed'
    await (await endpoints.endpoint(provider, secret.token)).revoke(secret.token)
    return 'revoked'
  }

  const tryAll = () =>
    secrets.inTurn('pending', async () => {
      for (const one of await pendingRevocations(accounts)) {
        const settled = await revoke(one).catch((thrown) => {
          // An error of another kind says nothing: the code that asks was not loaded.
          const isAnswer = thrown instanceof LatchkeyError && !UNREACHED.includes(thrown.code)
          return isAnswer || Date.now() - one.since >= GIVE_UP ? 'removed' : undefined
        })
        if (!settled) continue
        await writer.remove(`${PENDING}${one.account.id}`)
        accounts.waiting.get(one.account.id)?.(settled)
        accounts.waiting.delete(one.account.id)
        await onSettled()
      }
    })

  let timer: ReturnType<typeof setTimeout> | undefined
  let followed: AbortSignal | undefined
  const round = async () => {
    clearTimeout(timer)
    if (navigator.onLine !== false) await tryAll().catch(() => {})
    if (followed?.aborted === false && (await pendingRevocations(accounts)).length > 0) timer = setTimeout(round, AGAIN)
  }
  return (signal) => {
    if (followed !== signal) signal.addEventListener('abort', () => clearTimeout(timer))
    followed = signal
    round().catch(() => {})
  }
}

const later = (why: string) => new LatchkeyError('temporarily_unavailable', why)
