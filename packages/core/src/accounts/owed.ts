// What a disconnect still owes: the revocation at a provider, or the word to the server that has the account, when these
// could not be reached. It is kept beside the accounts, its token sealed as theirs are, and done once they answer.
import { LatchkeyError } from '../errors.ts'
import { isMcp } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import { type AccountStore, OWED, type Settled, UNREACHED } from './account-store.ts'
import { bindingChange } from './binding.ts'
import type { Endpoints } from './endpoints.ts'

/** An account that is gone here, and not yet at its provider. */
export interface Owed {
  account: ConnectedAccount
  /** Its token; empty for one that the server has. */
  sealed: string
  since: number
}

/** Ends what is owed. */
export interface Debts {
  /** Tries everything that is owed, once. What is not reached stays. */
  settle(): Promise<void>
  /** Tries at once and now and then, until nothing is owed or the signal ends it. */
  follow(signal: AbortSignal): void
}

/** Milliseconds until another try, and until the last. */
const AGAIN = 5 * 60_000
const GIVE_UP = 30 * 24 * 60 * 60_000

/** What is owed, as storage has it. */
export async function owed({ records, storage }: AccountStore): Promise<Owed[]> {
  const names = (await records.names()).filter((name) => name.startsWith(OWED))
  const texts = await Promise.all(names.map((name) => storage.getItem(records.key(name))))
  return texts.flatMap((text) => {
    try {
      const one = JSON.parse(text ?? '') as Owed
      return typeof one.account.id === 'string' && typeof one.sealed === 'string' ? [one] : []
    } catch {
      return []
    }
  })
}

/** @param end tells the server, which has the account, that it is over. */
export function createDebts(
  accounts: AccountStore,
  endpoints: Endpoints,
  end: (account: ConnectedAccount) => Promise<void>,
): Debts {
  const { secrets, store, writer } = accounts

  async function pay({ account, sealed }: Owed): Promise<Settled> {
    const { accounts: connected, providers } = store.getState()
    // Connected again, or just now: one revocation can end the whole grant of a person.
    if (connected[account.id]) return 'removed'
    if (providers[account.provider]?.status === 'connecting') throw later('It is being connected.')
    if (account.custody === 'vault') return end(account).then(() => 'revoked')
    const provider = accounts.providers.find(({ id }) => id === account.provider)
    if (!provider) throw later('The page does not list its provider.')
    const secret = await secrets.unsealApart(account, sealed)
    if (provider.kind === 'api-key' || !secret?.token) return 'removed'
    if (!isMcp(provider) && bindingChange(provider, account)) return 'removed'
    await (await endpoints.endpoint(provider, secret.token)).revoke(secret.token)
    return 'revoked'
  }

  const settle = () =>
    secrets.inTurn('owed', async () => {
      for (const one of await owed(accounts)) {
        const settled = await pay(one).catch((thrown) => {
          // Only a server's own answer is one: code that could not be loaded asked nobody.
          const isAnswer = thrown instanceof LatchkeyError && !UNREACHED.includes(thrown.code)
          return isAnswer || Date.now() - one.since >= GIVE_UP ? 'removed' : undefined
        })
        if (!settled) continue
        accounts.owing.get(one.account.id)?.(settled)
        await writer.remove(`${OWED}${one.account.id}`)
      }
    })

  let timer: ReturnType<typeof setTimeout> | undefined
  let followed: AbortSignal | undefined
  const round = async () => {
    clearTimeout(timer)
    if (navigator.onLine !== false) await settle().catch(() => {})
    if (followed?.aborted === false && (await owed(accounts)).length > 0) timer = setTimeout(round, AGAIN)
  }
  return {
    settle,
    follow(signal) {
      if (followed !== signal) signal.addEventListener('abort', () => clearTimeout(timer))
      followed = signal
      round().catch(() => {})
    },
  }
}

const later = (why: string) => new LatchkeyError('temporarily_unavailable', why)
