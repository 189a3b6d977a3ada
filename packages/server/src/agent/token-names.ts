import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { getIdentityEnv } from './identities.ts'

/** Providers whose variables have well-known names, tried in this order: GOOGLE_ACCESS_TOKEN matches google before gmail. */
const WELL_KNOWN = ['google', 'microsoft', 'linkedin', 'huggingface', 'kaggle', 'gmail']

/** A sample account of each kind, to list all of its variable names. */
const samples = (provider: string): Identity[] => [
  { provider, accessToken: 'KGAT_sample', fields: { username: 'sample' } },
  { provider, accessToken: 'sample', fields: { username: 'sample' } },
]

/**
 * The provider that an environment variable belongs to: `github` for `GITHUB_TOKEN`, `kaggle` for `KAGGLE_KEY`.
 *
 * @throws LatchkeyError `misuse` for a name that belongs to no provider.
 */
export function providerOfName(name: string, providers: readonly Provider[] = []): string {
  const ids = [...providers.map(({ id }) => id), ...WELL_KNOWN]
  const found = ids.find((id) => samples(id).some((one) => Object.hasOwn(getIdentityEnv([one], { providers }), name)))
  if (found) return found
  const [, plain] = /^([A-Z][A-Z0-9_]*)_TOKEN$/.exec(name) ?? []
  if (plain) return plain.toLowerCase().replaceAll('_', '-')
  throw new LatchkeyError('misuse', `${JSON.stringify(name)} is not a variable of any provider.`, {
    next: 'configure',
  })
}
