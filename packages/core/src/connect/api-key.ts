import type { AccountStore } from '../accounts/account-store.ts'
import type { Endpoints } from '../accounts/endpoints.ts'
import { errorAbout, type LatchkeyError } from '../errors.ts'
import { callBroker } from '../protocol/broker.ts'
import type { Verification } from '../protocol/profile.ts'
import { type ApiKeyProvider, type KeyFields, keyScheme } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { Adopter } from './adopt.ts'
import type { ConnectOutcome } from './flow.ts'
import type { VaultClient } from './vault-client.ts'

const MAX_KEY = 8 * 1024
// What could not stand in a header cannot be a key.
const HEADER_SAFE = /^[\x20-\x7e]+$/

const UNCHECKED: Verification = { status: 'unchecked' }

/** What `connectKey` can be told beside the key. */
export interface ConnectKeyOptions {
  /** The account whose key is replaced. Absent: the key's own account, or a new one. */
  accountId?: string
}

/** Accounts that a person connects by pasting a key. */
export interface KeyConnector {
  /** Asks the provider about a key, through the broker. @throws LatchkeyError `invalid_token` for one that it refuses. */
  verify(provider: ApiKeyProvider, fields: KeyFields): Promise<Verification>
  connectKey(provider: ApiKeyProvider, fields: KeyFields, options: ConnectKeyOptions): Promise<ConnectOutcome>
  /** Tries a key that could not be checked when it was entered, once a page. */
  checkAtFirstUse(account: ConnectedAccount): Promise<ConnectedAccount>
}

export function createKeyConnector(
  accounts: AccountStore,
  { isVaulted }: Endpoints,
  { adopt, connected, discard, fail }: Adopter,
  vault: () => Promise<VaultClient>,
): KeyConnector {
  const { broker } = accounts.options
  const verdicts = new WeakMap<KeyFields, Verification>()
  const checked = new Set<string>()

  const verify: KeyConnector['verify'] = async (provider, fields) => {
    checkFields(provider, fields)
    const isTheirs = await isVaulted(provider)
    // Before the key leaves the page: it could not be kept here.
    if (!isTheirs) accounts.assertCrypto()
    // The server takes a key once: when it is connected.
    if (!broker || isTheirs) return UNCHECKED
    const known = verdicts.get(fields)
    if (known) return known
    const asked = callBroker<Verification>(broker, 'verify', { provider: provider.id, issuer: provider.issuer, fields })
    const verdict = await asked.catch((error: LatchkeyError) => {
      if (error.code === 'invalid_token') throw error
      return UNCHECKED
    })
    verdicts.set(fields, verdict)
    return verdict
  }

  return {
    verify,
    async connectKey(provider, key, { accountId }) {
      const began = accounts.epoch
      discard(provider.id)
      try {
        const verdict = await verify(provider, key)
        if (await isVaulted(provider)) {
          return connected(provider, await (await vault()).connectKey(provider, key, accountId))
        }
        const profile = verdict.status === 'verified' ? verdict.profile : undefined
        const names = keyScheme(provider, key)?.fields ?? []
        const fields = Object.fromEntries(names.map((name) => [name, key[name] ?? '']))
        const reason = profile ? undefined : 'unverified'
        return connected(provider, await adopt(provider, { fields }, began, { profile, target: accountId, reason }))
      } catch (error) {
        return fail(provider, error)
      }
    },
    async checkAtFirstUse(account) {
      const { id } = account
      const provider = accounts.find(account.provider)
      if (provider.kind !== 'api-key' || !broker || checked.has(id)) return account
      checked.add(id)
      const began = accounts.epoch
      const fields = (await accounts.secrets.read(account))?.secret.fields
      if (!fields) return account
      try {
        const verdict = await verify(provider, fields)
        if (verdict.status !== 'verified') return account
        return await adopt(provider, { fields }, began, { profile: verdict.profile })
      } catch (error) {
        await accounts.secrets.exclusive(id, () => accounts.mark(id, 'needs-reconnect', 'invalid_token'))
        throw error
      }
    },
  }
}

function checkFields(provider: ApiKeyProvider, fields: KeyFields): void {
  const needed = keyScheme(provider, fields)?.fields ?? [provider.fields[0]?.name ?? 'key']
  const wrong = needed.find((name) => {
    const value = fields[name]
    return !value || value.length > MAX_KEY || !HEADER_SAFE.test(value)
  })
  if (wrong === undefined) return
  const label = provider.fields.find(({ name }) => name === wrong)?.label ?? wrong
  const message = `${label}: this cannot be right. Copy it again, without line breaks.`
  throw errorAbout(provider, 'invalid_token', message, { next: 'edit-key' })
}
