// What is true of an account, whoever keeps its secret: the browser and the vault on a server ask the same rules. Pure:
// no network, no storage, no page.
import type { Identity } from '../identities.ts'
import { randomValue, s256 } from '../protocol/pkce.ts'
import type { Profile } from '../protocol/profile.ts'
import type { Token, TokenAnswer } from '../protocol/token-endpoint.ts'
import { type KeyFields, type OAuthProvider, type Provider, parseScope } from '../provider.ts'
import type { AccountStatus, ConnectedAccount, Reason } from '../snapshot.ts'
import { apiOf, bindingChange, issuerOf } from './binding.ts'

export { nextWord, wordAt } from '../snapshot.ts'
export { isResourceOf } from './binding.ts'
export { bindingChange, issuerOf }

/** What an account is used with: a token and the end of its life by this clock, or the fields of an API key. */
export interface AccountSecret {
  token?: Token
  /** Milliseconds since the epoch. Absent: the server does not say. */
  expiresAt?: number
  fields?: KeyFields
}

/** What is known of a secret before it belongs to an account. */
export interface Evidence {
  profile?: Profile
  /** Scopes that were asked for, by canonical name. @default `granted` */
  asked?: readonly string[]
  /** Scopes that the server granted, by canonical name. @default none */
  granted?: readonly string[]
  reason?: Reason
  /** The account that the person meant to connect again. */
  target?: string
}

/** An account as it will be, and the account without a name whose place it takes. */
export interface Identified {
  account: ConnectedAccount
  nameless?: ConnectedAccount
}

/** The same in every browser and on every server: `<provider>.` and 22 characters of SHA-256 over issuer and subject. */
export const accountId = async (provider: string, issuer: string, subject: string): Promise<string> =>
  `${provider}.${(await s256(`${issuer}\n${subject}`)).slice(0, 22)}`

/** An id for an account whose person is not known. */
export const randomAccountId = (provider: string): string => `${provider}.${randomValue(17).slice(0, 22)}`

/** Seconds, about 30 years: a longer life is the same, and its end is still a number that every store takes. */
const LONGEST_LIFE = 1e9

/** The end of an access token by this clock, from the time its answer came. @see RFC 6749 §5.1 */
export const endOf = ({ token }: TokenAnswer): number | undefined =>
  token.expires_in === undefined ? undefined : Date.now() + Math.floor(Math.min(LONGEST_LIFE, token.expires_in) * 1000)

/** What the server granted; if it does not say, what was asked. @see RFC 6749 §5.1 */
export const granted = (provider: OAuthProvider, { token }: TokenAnswer, asked: readonly string[]) =>
  token.scope === undefined ? asked : parseScope(provider, token.scope)

/** Whether a secret can be used for some seconds more. A token without an end is used until a server refuses it. */
export const lives = ({ token, fields, expiresAt = Number.MAX_VALUE }: AccountSecret, seconds: number): boolean =>
  fields !== undefined || (token !== undefined && expiresAt - seconds * 1000 > Date.now())

/** Seconds that a token must still live to be used. */
const MIN_VALIDITY = 60

/** A token that lives for a short time is used for two thirds of it: it would be refreshed before every use otherwise. */
export const leastValidity = (life = Number.POSITIVE_INFINITY, seconds = MIN_VALIDITY): number =>
  Math.min(seconds, life / 3)

/** Whether a secret can be used now, and long enough for one call. */
export const isFresh = (secret: AccountSecret): boolean => lives(secret, leastValidity(secret.token?.expires_in))

/** Whether an account with this status can be used. */
export const isUsable = (status: AccountStatus): boolean => status === 'connected' || status === 'expiring'

/** The status of an account that is paused, or is not any more: its reason was kept. */
export function pausedStatus({ status, reason }: ConnectedAccount, paused: boolean): AccountStatus {
  if (paused) return 'paused'
  if (status !== 'paused') return status
  return reason === undefined || reason === 'unverified' || reason === 'offline' ? 'connected' : 'needs-reconnect'
}

/** An account's facts about its person. */
export function facts(provider: Provider, profile: Profile | undefined, secret?: AccountSecret) {
  const { subject, username = secret?.fields?.username, name, email, avatar, url } = profile ?? {}
  return { subject, username, name, email, avatar, url, label: username ?? email ?? name ?? provider.name }
}

/** An account's facts about the life of its secret, which came now. */
const lifeOf = ({ token, expiresAt }: AccountSecret) => ({
  expiresAt: token && expiresAt,
  issuedAt: token && Date.now(),
  renewable: token?.refresh_token !== undefined,
})

/** An account's facts about what it may do. */
function scopeFacts(asked: readonly string[], granted: readonly string[], renewable: boolean) {
  const extra = granted.filter((scope) => !asked.includes(scope))
  return {
    scopes: granted,
    // A refresh token is what `offline_access` is for, and few servers repeat it.
    missingScopes: asked.filter((scope) => !granted.includes(scope) && !(renewable && scope === 'offline_access')),
    ...(extra.length > 0 && { extraScopes: extra }),
  }
}

/** Whose secret this is: one of the accounts that are there, or a new one. */
export async function identify(
  provider: Provider,
  secret: AccountSecret,
  accounts: readonly ConnectedAccount[],
  { profile, granted = [], asked = granted, reason, target: meant }: Evidence,
): Promise<Identified> {
  const issuer = secret.token?.issuer ?? provider.issuer
  const known = facts(provider, profile, secret)
  const { subject, username } = known
  const target = accounts.find(({ id }) => id === meant)
  const isNameless = (account: ConnectedAccount | undefined) =>
    account?.provider === provider.id &&
    account.subject === undefined &&
    // A key that names no person belongs to the account that it was meant for.
    ((account === target && username === undefined) || (account.username ?? username) === username)
  const nameless = [target, ...accounts].find(isNameless)
  const id = subject ? await accountId(provider.id, issuer, subject) : (nameless?.id ?? randomAccountId(provider.id))
  const life = lifeOf(secret)
  const account: ConnectedAccount = {
    id,
    provider: provider.id,
    issuer,
    resource: secret.token?.resource ?? (provider.kind === 'mcp' ? undefined : apiOf(provider)),
    ...known,
    ...scopeFacts(asked, granted, life.renewable),
    status: 'connected',
    reason,
    ...life,
    connectedAt: nameless?.connectedAt ?? Date.now(),
    rev: 0,
  }
  return { account, nameless }
}

/** Whether a secret for this resource may be sent to a provider's API or MCP server. */
export const isFor = (provider: Provider, resource: string | undefined): boolean =>
  bindingChange(provider, { issuer: issuerOf(provider), resource }) === undefined

/** Whether an account was connected again at another issuer: there the same person is another account, which replaces it. */
export const isMoved = (found: ConnectedAccount, meant: ConnectedAccount | undefined): meant is ConnectedAccount =>
  meant !== undefined && meant.issuer !== found.issuer && meant.id !== found.id

/** Whether a person who was to connect one account again came back as another person. */
export const isOtherPerson = (found: ConnectedAccount, meant: ConnectedAccount | undefined): boolean =>
  found.subject !== undefined && meant?.subject !== undefined && meant.id !== found.id && !isMoved(found, meant)

/**
 * The secret to keep when an account is connected again. Google gives a refresh token once: an answer without one does
 * not take the old one away. What one authorization server gave, or was for one resource, is never used for another.
 */
export function withOldRefreshToken<S extends AccountSecret>(secret: S, old: AccountSecret | undefined): S {
  const refresh_token = old?.token?.refresh_token
  if (!secret.token || secret.token.refresh_token || !refresh_token) return secret
  const isSame = old.token?.issuer === secret.token.issuer && old.token?.resource === secret.token.resource
  return isSame ? { ...secret, token: { ...secret.token, refresh_token } } : secret
}

/** The account as it is kept, with the secret that {@link withOldRefreshToken} made of it. `old`: what was kept so far. */
export function connectedAgain(
  found: ConnectedAccount,
  secret: AccountSecret,
  old: ConnectedAccount | undefined,
): ConnectedAccount {
  const { renewable } = lifeOf(secret)
  return {
    ...found,
    renewable,
    missingScopes: found.missingScopes.filter((scope) => !(renewable && scope === 'offline_access')),
    connectedAt: old?.connectedAt ?? found.connectedAt,
    rev: old?.rev ?? 0,
    ...(old?.server && old.resource === found.resource && { server: old.server }),
  }
}

/** The secret after a refresh. A member that the answer leaves out stays, the refresh token above all. @see RFC 6749 §6 */
export function renewedSecret(old: Token, answer: TokenAnswer): { token: Token; expiresAt?: number } {
  const fresh = Object.entries(answer.token).filter(([, value]) => value !== undefined)
  return { token: { ...old, ...Object.fromEntries(fresh) }, expiresAt: endOf(answer) }
}

/** The account after a refresh. An answer that names no person, or another one, does not rename it. */
export function renewedAccount(
  provider: OAuthProvider,
  account: ConnectedAccount,
  answer: TokenAnswer,
  secret: AccountSecret,
): ConnectedAccount {
  const life = lifeOf(secret)
  const { extraScopes, ...others } = account
  const asked = [...account.scopes, ...account.missingScopes].filter((scope) => !extraScopes?.includes(scope))
  return {
    ...others,
    ...facts(provider, (answer.profile?.subject === account.subject && answer.profile) || account, secret),
    ...scopeFacts(asked, granted(provider, answer, account.scopes), life.renewable),
    ...life,
    // Paused meanwhile: it stays so.
    status: account.status === 'paused' ? 'paused' : 'connected',
    reason: undefined,
  }
}

const primaryField = (provider: Provider) => (provider.kind === 'api-key' ? (provider.fields[0]?.name ?? 'key') : '')

/** What an API call carries: the access token, or the key itself. */
export const accessTokenOf = (provider: Provider, { token, fields }: AccountSecret): string =>
  token?.access_token ?? fields?.[primaryField(provider)] ?? ''

/** An account and its secret in the form in which a runtime receives them. */
export function identityOf(provider: Provider, account: ConnectedAccount, secret: AccountSecret): Identity {
  const { [primaryField(provider)]: _primary, ...rest } = secret.fields ?? {}
  const expiresAt = secret.token && secret.expiresAt
  return {
    provider: provider.id,
    accessToken: accessTokenOf(provider, secret),
    ...(account.scopes.length > 0 && { scopes: [...account.scopes] }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(account.resource && { resource: account.resource }),
    accountId: account.id,
    ...(Object.keys(rest).length > 0 && { fields: rest }),
  }
}
