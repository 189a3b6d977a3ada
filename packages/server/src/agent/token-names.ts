import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { getIdentityEnv } from './identities.ts'

/** Providers that have names of their own for their token, tried in this order: GOOGLE_ACCESS_TOKEN is Google's first. */
const WELL_KNOWN = ['google', 'microsoft', 'linkedin', 'huggingface', 'kaggle', 'gmail']

/** Enough of an account of each kind for all of its names to show. */
const samples = (provider: string): Identity[] => [
  { provider, accessToken: 'KGAT_sample', fields: { username: 'sample' } },
  { provider, accessToken: 'sample', fields: { username: 'sample' } },
]

/**
 * The provider whose account an environment variable holds: `GITHUB_TOKEN` is github's, `KAGGLE_KEY` is kaggle's.
 *
 * @throws LatchkeyError `misuse` for a name that is no provider's.
 */
export function providerOfName(name: string, providers: readonly Provider[] = []): string {
  const ids = [...providers.map(({ id }) => id), ...WELL_KNOWN]
  const found = ids.find((id) => samples(id).some((one) => Object.hasOwn(getIdentityEnv([one], { providers }), name)))
  if (found) return found
  const [, plain] = /^([A-Z][A-Z0-9_]*)_TOKEN$/.exec(name) ?? []
  if (plain) return plain.toLowerCase().replaceAll('_', '-')
  throw new LatchkeyError('misuse', `${JSON.stringify(name)} is not the variable of any provider's account.`, {
    next: 'configure',
  })
}
