import { LatchkeyError, providerError } from '../errors.ts'
import { parseObject } from '../json.ts'
import { cleanText } from '../names.ts'
import {
  type ApiKeyProvider,
  isAllowedUrl,
  type KeyFields,
  type KeyScheme,
  keyScheme,
  type OAuthProvider,
  OIDC_PROFILE_FIELDS,
  type ProfileField,
  type ProfileSource,
  type Provider,
} from '../provider.ts'
import { type ResolvedServer, resolveServer } from './discovery.ts'
import { basic, failure, limited, type RequestOptions, readText } from './http.ts'

/** Who an account belongs to. */
export type Profile = Partial<Record<keyof ProfileSource['fields'], string>>

/** Whether a token or key still works: the profile it reads, or that the provider offers no check. */
export type Verification = { status: 'verified'; profile: Profile } | { status: 'unchecked' }

/** Milliseconds. A rotated token that came waits for it, and is not saved before. */
const PROFILE_LIMIT = 5000

/** The person behind an access token. A profile that cannot be read costs the account its name, not its life. */
export async function profileOf(
  provider: OAuthProvider,
  server: ResolvedServer,
  access_token: string,
  options: RequestOptions,
): Promise<Profile | undefined> {
  const source = profileSource(provider, server)
  if (!source) return undefined
  return readProfile(source, `Bearer ${access_token}`, { ...options, limit: PROFILE_LIMIT }).catch(() => undefined)
}

export function profileSource(provider: OAuthProvider, server: ResolvedServer): ProfileSource | undefined {
  if (provider.profile) return provider.profile
  const endpoint = server.userinfo_endpoint
  return endpoint && isAllowedUrl(provider, endpoint) ? { endpoint, fields: OIDC_PROFILE_FIELDS } : undefined
}

/** Reads the profile of a connected account at the provider itself. @throws LatchkeyError */
export async function fetchProfile(provider: OAuthProvider, access_token: string): Promise<Profile> {
  try {
    const source = provider.profile ?? profileSource(provider, await resolveServer(provider))
    if (!source) throw providerError(provider, 'misuse', 'names no place to read a profile.')
    return await readProfile(source, `Bearer ${access_token}`, {})
  } catch (error) {
    throw failure(provider, error)
  }
}

async function readProfile(source: ProfileSource, authorization: string, options: RequestOptions): Promise<Profile> {
  const get = async (url: string) => {
    const response = await limited(options)(url, {
      headers: { authorization, accept: 'application/json' },
      redirect: 'error',
    })
    if (!response.ok) {
      const code = response.status === 401 ? 'invalid_token' : 'temporarily_unavailable'
      throw new LatchkeyError(code, `The profile could not be read (status ${response.status}).`)
    }
    return JSON.parse(await readText(response)) as unknown
  }
  const profile = pickProfile(await get(source.endpoint), source.fields)
  if (profile.email === undefined && source.emailsEndpoint) {
    const emails = await get(source.emailsEndpoint).catch(() => undefined)
    const primary = Array.isArray(emails) ? emails.find((entry) => entry?.primary && entry?.verified) : undefined
    if (typeof primary?.email === 'string') profile.email = primary.email
  }
  return profile
}

export function pickProfile(answer: unknown, fields: ProfileSource['fields']): Profile {
  const profile: Profile = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = pick(answer, field)
    const isUrl = name === 'avatar' || name === 'url'
    if (value === undefined || (isUrl && !/^https?:\/\//i.test(value))) continue
    profile[name as keyof Profile] = value.slice(0, isUrl ? 2048 : 200)
  }
  return profile
}

/**
 * A person as the authorization server of an MCP server names them. It is any server, so its words are cleaned; a picture
 * would be loaded from an address that it chooses.
 */
export function cleanProfile({ subject, avatar: _, url: __, ...words }: Profile): Profile {
  const clean = Object.entries(words).map(([field, value]) => [field, cleanText(value)] as const)
  return { subject, ...Object.fromEntries(clean.filter(([, value]) => value)) }
}

function pick(answer: unknown, field: ProfileField): string | undefined {
  for (const path of typeof field === 'string' ? [field] : field) {
    let value = answer
    for (const step of path.split('.')) {
      value = value && typeof value === 'object' ? Reflect.get(value, step) : undefined
    }
    if (typeof value === 'number') return String(value)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

/** The header that carries an API key. */
export function keyAuthorization({ authorization }: KeyScheme, fields: KeyFields): { name: string; value: string } {
  const of = (field: string) => fields[field] ?? ''
  if ('header' in authorization) return { name: authorization.header, value: of(authorization.value) }
  const value =
    authorization.scheme === 'Bearer'
      ? `Bearer ${of(authorization.token)}`
      : basic(of(authorization.username), of(authorization.password))
  return { name: 'authorization', value }
}

/**
 * Asks the provider whether a key is good. Only a definite no is an error; a provider that is away, limits or forbids
 * says nothing about the key, so that is `unchecked`.
 *
 * @throws LatchkeyError `invalid_token` when the provider refuses the key.
 * @see RFC 6750 §3.1
 */
export async function verifyKey(
  provider: ApiKeyProvider,
  fields: KeyFields,
  options: RequestOptions = {},
): Promise<Verification> {
  const scheme = keyScheme(provider, fields)
  if (!scheme) throw refusedKey(provider)
  const source = scheme.verify
  if (!source) return { status: 'unchecked' }
  const { name, value } = keyAuthorization(scheme, fields)
  const filled = Object.entries(source.body ?? {}).map(([member, text]) => [
    member,
    text.replace(/\{(\w+)\}/g, (_, field: string) => fields[field] ?? ''),
  ])
  let response: Response
  try {
    response = await limited(options)(source.endpoint, {
      method: source.method ?? 'GET',
      headers: {
        [name]: value,
        accept: 'application/json',
        ...(source.body && { 'content-type': 'application/json' }),
      },
      body: source.body && JSON.stringify(Object.fromEntries(filled)),
      redirect: 'manual',
    })
  } catch {
    return { status: 'unchecked' }
  }
  if (response.status === 401 || source.refused?.includes(response.status)) {
    await response.body?.cancel()
    throw refusedKey(provider)
  }
  const answer = await readText(response).then(parseObject, () => undefined)
  if (!response.ok || !answer) return { status: 'unchecked' }
  if (source.active && answer[source.active] === false) throw refusedKey(provider)
  return { status: 'verified', profile: pickProfile(answer, source.fields) }
}

const refusedKey = (provider: Provider) =>
  providerError(provider, 'invalid_token', 'does not accept this key.', { next: 'edit-key' })
