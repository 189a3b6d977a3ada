import type { AccountStore } from '../accounts/account-store.ts'
import { isObject, parseObject } from '../json.ts'
import { parseScope } from '../provider.ts'
import { accountsOf, type ConnectedAccount } from '../snapshot.ts'
import type { Adopter } from './adopt.ts'

/** Where agent-runtimes keeps identities, with their tokens as plain text. */
const OLD_KEY = 'datalayer-agent-identities'

type Fields = Record<string, unknown>

const object = (value: unknown): Fields => (isObject(value) ? value : {})
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= 16_384 ? value : undefined
const web = (value: unknown) => (/^https?:\/\//i.test(text(value) ?? '') ? text(value) : undefined)

/** What `importIdentities()` does, under the lock. The old entry is removed, whatever was in it. */
export async function readIdentities(accounts: AccountStore, adopt: Adopter['adopt']): Promise<ConnectedAccount[]> {
  const { writer, store } = accounts
  const raw = localStorage.getItem(OLD_KEY)
  const found: ConnectedAccount[] = []
  if (raw === null) return found
  try {
    if (await writer.has('imported')) return found
    const began = accounts.epoch
    for (const { id, access_token, refresh_token, expiresAt, scopes, profile } of identitiesOf(raw)) {
      const provider = accounts.providers.find((known) => known.id === id)
      if (!provider || accountsOf(store.getState(), id).length > 0) continue
      if (provider.kind === 'api-key') {
        const fields = { [provider.fields[0]?.name ?? 'key']: access_token }
        found.push(await adopt(provider, { fields }, began, { profile, reason: 'unverified' }))
      } else {
        const token = { access_token, token_type: 'bearer', refresh_token, issuer: provider.server.issuer } as const
        // What was asked for was kept there as granted, so nothing is known to be missing.
        const granted = parseScope(provider, scopes.join(' '))
        found.push(await adopt(provider, { token, expiresAt }, began, { profile, granted }))
      }
    }
    await writer.note('imported')
    return found
  } finally {
    // Kept only where the accounts live in this page alone: then another start finds them again.
    if (store.getState().persistence === 'available') localStorage.removeItem(OLD_KEY)
  }
}

/** zustand's persist wraps the state; a Map became an array of entries, or an object. */
function identitiesOf(raw: string) {
  const { identities } = object(object(parseObject(raw)).state)
  const list = Array.isArray(identities)
    ? identities.map((entry) => (Array.isArray(entry) ? { provider: entry[0], ...object(entry[1]) } : object(entry)))
    : Object.entries(object(identities)).map(([provider, entry]) => ({ provider, ...object(entry) }))
  return list.slice(0, 100).flatMap((entry: Fields) => {
    const { accessToken, refreshToken, expiresAt, scopes } = object(entry.token)
    const [id, access_token] = [text(entry.provider), text(accessToken)]
    if (!id || !access_token) return []
    const user = object(entry.userInfo)
    return {
      id,
      access_token,
      refresh_token: text(refreshToken),
      expiresAt: typeof expiresAt === 'number' && Number.isFinite(expiresAt) ? expiresAt : undefined,
      scopes: ([scopes, entry.scopes].find(Array.isArray) ?? []).flatMap((scope) => text(scope) ?? []),
      profile: {
        subject: typeof user.id === 'number' ? String(user.id) : text(user.id),
        username: text(user.username),
        name: text(user.name),
        email: text(user.email),
        avatar: web(user.avatarUrl),
        url: web(user.profileUrl),
      },
    }
  })
}
