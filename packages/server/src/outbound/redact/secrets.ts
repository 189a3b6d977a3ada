import type { Identity, Provider } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'

/** All secrets in these identities: tokens, and the fields of API keys that are not known to be public. */
export function secretsOf(identities: readonly Identity[], providers: readonly Provider[] = []): string[] {
  return identities.flatMap(({ provider: id, accessToken, fields = {} }) => {
    const provider = [...providers, kaggle()].find((one) => one.id === id)
    const known = provider?.kind === 'api-key' ? provider.fields : []
    const isPublic = (name: string) => known.some((field) => field.name === name && !field.secret)
    return [accessToken, ...Object.entries(fields).flatMap(([name, value]) => (isPublic(name) ? [] : [value]))]
  })
}
