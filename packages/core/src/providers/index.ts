import { LatchkeyError } from '../errors.ts'
import { type KeyFields, type Provider, readKeyFile } from '../provider.ts'
import { github } from './github.ts'
import { gmail } from './gmail.ts'
import { kaggle } from './kaggle.ts'

export { github, gmail, kaggle }

/** One entry of {@link providersFromConfig}, in the shape of agent-runtimes. */
export type ProviderConfig =
  | { type: 'oauth'; clientId?: string; scopes?: readonly string[]; baseUrl?: string }
  | { type: 'token'; token?: string; baseUrl?: string }

const oauthFactories = { github, gmail }
const keyFactories = { kaggle }

/**
 * Providers from configuration, such as `{ github: { type: 'oauth', clientId, scopes }, kaggle: { type: 'token', token } }`.
 * A given token comes back under `tokens`, for `LatchkeyProvider` to connect on mount.
 *
 * @throws LatchkeyError `misuse` that names the path of the mistake.
 */
export function providersFromConfig(config: Readonly<Record<string, ProviderConfig>>): {
  providers: Provider[]
  tokens: Record<string, KeyFields>
} {
  const providers: Provider[] = []
  const tokens: Record<string, KeyFields> = {}
  for (const [id, entry] of Object.entries(config)) {
    if (entry?.type === 'oauth' && Object.hasOwn(oauthFactories, id)) {
      const { clientId, scopes, baseUrl } = entry
      providers.push(oauthFactories[id as keyof typeof oauthFactories]({ clientId, scopes, baseUrl }))
    } else if (entry?.type === 'token' && Object.hasOwn(keyFactories, id)) {
      const provider = keyFactories[id as keyof typeof keyFactories]({ baseUrl: entry.baseUrl })
      providers.push(provider)
      if (entry.token)
        tokens[id] = readKeyFile(provider, entry.token) ?? { [primaryField(provider)]: entry.token.trim() }
    } else {
      throw new LatchkeyError(
        'misuse',
        `${id}: expected { type: 'oauth' } for ${Object.keys(oauthFactories).join(' or ')}, or { type: 'token' } for ${Object.keys(keyFactories).join(' or ')}. Make any other provider with oauth(), oidc() or apiKey().`,
        { provider: id, next: 'configure' },
      )
    }
  }
  return { providers, tokens }
}

const primaryField = ({ fields }: ReturnType<typeof kaggle>) => fields[0]?.name ?? 'key'
