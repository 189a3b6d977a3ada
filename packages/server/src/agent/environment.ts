import { type ApiKeyProvider, type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { envName, keyScheme } from '@latchkey/core/internal'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { currentIdentities } from './bind.ts'

/** Well-known variable names other than `{PROVIDER}_TOKEN`, by provider id. */
const ENV_NAMES = new Map<string, readonly string[]>([
  ['google', ['GOOGLE_ACCESS_TOKEN']],
  ['microsoft', ['AZURE_ACCESS_TOKEN']],
  ['linkedin', ['LINKEDIN_ACCESS_TOKEN']],
  ['huggingface', ['HUGGINGFACE_TOKEN', 'HF_TOKEN']],
  ['slack', ['SLACK_TOKEN', 'SLACK_BOT_TOKEN']],
])

/** Providers whose variables depend on the kind of key. */
const KNOWN: readonly Provider[] = [gmail(), kaggle()]

/** Which identities become environment variables, and under which names. */
export interface IdentityEnvOptions {
  /**
   * Providers whose `envNames` and key schemes are used.
   *
   * @default [], which uses well-known names by provider id
   */
  providers?: readonly Provider[]
  /**
   * Ids of the providers that a tool declares. Others are left out.
   *
   * @default all
   */
  only?: readonly string[]
}

/**
 * Identities as environment variables for a child process. Returns a new object: `process.env` is shared by all users, so it
 * is neither read nor written. The child gets these variables and any that you add.
 *
 * @param identities {@link currentIdentities} by default.
 */
export function getIdentityEnv(
  identities: readonly Identity[] = currentIdentities(),
  { providers = [], only }: IdentityEnvOptions = {},
): Record<string, string> {
  const own: Record<string, string> = {}
  const shared: Record<string, string> = {}
  for (const identity of identities) {
    const { provider: id, accessToken } = identity
    if (only && !only.includes(id)) continue
    const provider = [...providers, ...KNOWN].find((one) => one.id === id)
    const [name = envName(id), ...others] = provider?.envNames ?? ENV_NAMES.get(id) ?? []
    own[name] = accessToken
    for (const other of others) shared[other] = accessToken
    if (provider?.kind === 'api-key') Object.assign(own, keyEnv(provider, identity))
  }
  // GOOGLE_ACCESS_TOKEN is a name of both gmail and google. google takes precedence.
  return { ...shared, ...own }
}

/** The account that a variable is filled from, where server code names one. */
export const namedFor = (accounts: Readonly<Record<string, string>> = {}, variable: string): string | undefined =>
  Object.hasOwn(accounts, variable) ? accounts[variable] : undefined

/** @throws LatchkeyError `misuse` for the name of no variable: what it is meant for would get another account. */
export function checkNamed(accounts: Readonly<Record<string, string>> = {}, variables: readonly string[]): void {
  const other = Object.keys(accounts).find((name) => !variables.includes(name))
  if (other === undefined) return
  throw new LatchkeyError('misuse', `accounts names ${JSON.stringify(other)}, which no variable here is.`)
}

/** The further variables of a key, which depend on its kind. None if a field of that kind is missing. */
function keyEnv(provider: ApiKeyProvider, { accessToken, fields }: Identity): Record<string, string> {
  const all = new Map(Object.entries(fields ?? {})).set(provider.fields[0]?.name ?? '', accessToken)
  const scheme = keyScheme(provider, Object.fromEntries(all))
  if (!scheme?.fields.every((field) => all.has(field))) return {}
  return Object.fromEntries(Object.entries(scheme.env ?? {}).map(([name, field]) => [name, all.get(field) ?? '']))
}

/** Providers whose variables have well-known names, tried in this order: GOOGLE_ACCESS_TOKEN matches google before gmail. */
const WELL_KNOWN = ['google', 'microsoft', 'linkedin', 'huggingface', 'slack', 'kaggle', 'gmail']

/** A sample account of each kind, to list all of its variable names. */
const samples = (provider: string): Identity[] => [
  { provider, accessToken: 'KGAT_sample', fields: { username: 'sample' } },
  { provider, accessToken: 'sample', fields: { username: 'sample' } },
]

/**
 * The provider that an environment variable belongs to: `github` for `GITHUB_TOKEN`, `kaggle` for `KAGGLE_KEY`.
 *
 * @param path where a configuration names the variable, for the error.
 * @throws LatchkeyError `misuse` for a name that belongs to no provider.
 */
export function providerOfName(name: string, providers: readonly Provider[] = [], path?: string): string {
  const ids = [...providers.map(({ id }) => id), ...WELL_KNOWN]
  const found = ids.find((id) => samples(id).some((one) => Object.hasOwn(getIdentityEnv([one], { providers }), name)))
  if (found) return found
  const [, plain] = /^([A-Z][A-Z0-9_]*)_TOKEN$/.exec(name) ?? []
  if (plain) return plain.toLowerCase().replaceAll('_', '-')
  const message = `${JSON.stringify(name)} is not a variable of any provider.`
  throw new LatchkeyError('misuse', path ? `${path}: ${message}` : message)
}
