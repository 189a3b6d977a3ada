import type { Provider } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { gmail } from '@latchkey/core/providers/gmail'
import { kaggle } from '@latchkey/core/providers/kaggle'

/** The app's registration at one provider, with the secret that no browser may see. @see RFC 6749 §2.3.1 */
export interface BrokerClient {
  /** An entry without one counts as absent, so environment variables can be passed as they are. */
  client_id: string | undefined
  /** Needed unless the provider's `token_endpoint_auth_method` is `none`. */
  client_secret?: string | undefined
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * Client registrations out of the environment: `GITHUB_CLIENT_ID` and `GITHUB_CLIENT_SECRET`, by the provider's id in
 * capitals. Google's services share `GOOGLE_CLIENT_ID` unless they have one of their own, such as `GMAIL_CLIENT_ID`.
 */
export function clientsFromEnv(providers: readonly Provider[], env: Env = process.env): Record<string, BrokerClient> {
  const found = providers.flatMap((provider): [string, BrokerClient][] => {
    if (provider.kind !== 'oauth') return []
    const prefix = prefixesOf(provider).find((name) => env[`${name}_CLIENT_ID`])
    if (!prefix) return []
    const client_id = env[`${prefix}_CLIENT_ID`]
    return [[provider.id, { client_id, client_secret: env[`${prefix}_CLIENT_SECRET`] }]]
  })
  return Object.fromEntries(found)
}

/** The known providers that the environment has a client for, and those that need none. */
export function providersFromEnv(env: Env = process.env): Provider[] {
  const known = [github(), gmail(), kaggle()]
  const clients = clientsFromEnv(known, env)
  return known.filter(({ id, kind }) => kind === 'api-key' || Object.hasOwn(clients, id))
}

const prefixesOf = ({ id, envNames }: Provider) => [
  id.toUpperCase().replaceAll('-', '_'),
  ...(envNames.some((name) => name.startsWith('GOOGLE_')) ? ['GOOGLE'] : []),
]
