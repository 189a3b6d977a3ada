import type { AccountStore } from '../accounts/account-store.ts'
import { isObject } from '../protocol/http.ts'
import { parseScope } from '../provider.ts'
import type { ConnectedAccount } from '../snapshot.ts'
import type { Adopter } from './adopt.ts'

/** Where agent-runtimes keeps identities, with their tokens as plain text. */
const OLD_KEY = 'datalayer-agent-identities'

type Fields = Record<string, unknown>

const object = (value: unknown): Fields => (isObject(value) ? value : {})
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= 16_384 ? value : undefined

/** What `importIdentities()` does, under the lock. The old entry is removed, whatever was in it. */
export async function readIdentities(accounts: AccountStore, adopt: Adopter['adopt']): Promise<ConnectedAccount[]> {
  const { writer, store } = accounts
  const raw = localStorage.getItem(OLD_KEY)
  if (raw === null) return []
  const found: ConnectedAccount[] = []
  try {
    if (!(await writer.has('imported'))) {
      const began = accounts.epoch
      for (const identity of identitiesOf(raw)) {
        const provider = accounts.providers.find(({ id }) => id === identity.provider)
        const has = Object.values(store.getState().accounts).some((account) => account.provider === provider?.id)
        if (!provider || has) continue
        found.push(await one(identity, provider, began))
      }
      await writer.mark('imported')
    }
  } finally {
    // Kept only where the accounts live in this page alone: then another start finds them again.
    if (store.getState().persistence === 'available') localStorage.removeItem(OLD_KEY)
  }
  return found

  async function one(
    identity: Old,
    provider: AccountStore['providers'][number],
    began: number,
  ): Promise<ConnectedAccount> {
    const { token, profile } = identity
    if (provider.kind === 'api-key') {
      const fields = { [provider.fields[0]?.name ?? 'key']: token.accessToken }
      return adopt(provider, { fields }, { profile, began, reason: 'unverified' })
    }
    const scopes = parseScope(provider, token.scopes.join(' '))
    const secret = {
      token: {
        access_token: token.accessToken,
        token_type: 'bearer',
        refresh_token: token.refreshToken,
        issuer: provider.server.issuer,
      },
      expiresAt: token.expiresAt,
    }
    // What was asked for was kept there as granted, so nothing is known to be missing.
    return adopt(provider, secret, { profile, began, granted: scopes })
  }
}

interface Old {
  provider: string
  token: { accessToken: string; refreshToken?: string; expiresAt?: number; scopes: string[] }
  profile?: { subject?: string; username?: string; name?: string; email?: string; avatar?: string; url?: string }
}

/** zustand's persist wraps the state; a Map became an array of entries, or an object. */
function identitiesOf(raw: string): Old[] {
  let state: Fields
  try {
    state = object(object(JSON.parse(raw)).state)
  } catch {
    return []
  }
  const { identities } = state
  const list = Array.isArray(identities)
    ? identities.map((entry) => (Array.isArray(entry) ? { provider: entry[0], ...object(entry[1]) } : object(entry)))
    : Object.entries(object(identities)).map(([provider, entry]) => ({ provider, ...object(entry) }))
  return list.slice(0, 100).flatMap((entry: Fields) => {
    const { accessToken, refreshToken, expiresAt, scopes } = object(entry.token)
    const provider = text(entry.provider)
    const access = text(accessToken)
    if (!provider || !access) return []
    const { id, username, name, email, avatarUrl, profileUrl } = object(entry.userInfo)
    const subject = typeof id === 'number' ? String(id) : text(id)
    const granted = Array.isArray(scopes) ? scopes : Array.isArray(entry.scopes) ? entry.scopes : []
    const web = (url: unknown) => (/^https?:\/\//i.test(text(url) ?? '') ? text(url) : undefined)
    return {
      provider,
      token: {
        accessToken: access,
        refreshToken: text(refreshToken),
        expiresAt: typeof expiresAt === 'number' && Number.isFinite(expiresAt) ? expiresAt : undefined,
        scopes: granted.flatMap((scope) => text(scope) ?? []),
      },
      profile: {
        subject,
        username: text(username),
        name: text(name),
        email: text(email),
        avatar: web(avatarUrl),
        url: web(profileUrl),
      },
    }
  })
}
