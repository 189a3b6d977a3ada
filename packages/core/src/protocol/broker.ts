import { asLatchkeyError, errorAbout } from '../errors.ts'
import type { OAuthProvider } from '../provider.ts'
import { askObject, type RequestOptions } from './http.ts'
import type { TokenAnswer, TokenEndpoint } from './token-endpoint.ts'

/** The header every call to a broker carries: a page of another origin cannot send it without a preflight. */
export const BROKER_HEADER = 'latchkey-request'

/** Milliseconds. Longer than one request: behind a broker's answer are several, at 10 s each. */
const BROKER_LIMIT = 30_000

/** One call to a broker's JSON API. @throws LatchkeyError with the broker's code, or `network`. */
export async function callBroker<T>(
  broker: string,
  route: string,
  body?: object,
  method = 'POST',
  options?: RequestOptions,
): Promise<T> {
  const { response, answer } = await askObject(
    `${broker}/${route}`,
    { method, headers: { [BROKER_HEADER]: '1' }, json: body },
    { limit: BROKER_LIMIT, ...options },
  ).catch((error) => {
    const away = 'The server of this app could not be reached. Check the connection and try again.'
    throw asLatchkeyError(error, 'network', away, { source: 'app' })
  })
  if (response.ok && answer) return answer as T
  const { refusal } = await import('./broker-refusal.ts')
  throw refusal(response, answer, route)
}

/** A broker as the token endpoint of one provider: the same steps, with the client secret added on the way. */
export function brokered(broker: string, provider: OAuthProvider): TokenEndpoint {
  // The broker may know the provider at another issuer by now.
  const { issuer } = provider.server
  const ask = async (grant: object): Promise<TokenAnswer> => {
    const answer = await callBroker<TokenAnswer>(broker, 'token', { provider: provider.id, ...grant })
    if (typeof answer.token?.access_token !== 'string' || !answer.token.access_token) {
      throw errorAbout(provider, 'malformed_response', 'The server of this app gave no token.', { source: 'app' })
    }
    return answer
  }
  return {
    redeem: ({ response, state, issuer, redirect_uri, code_verifier, nonce }) => {
      const flow = { state, issuer, redirect_uri, code_verifier, nonce }
      return ask({ grant_type: 'authorization_code', response: response.toString(), ...flow })
    },
    refresh: ({ refresh_token }) => ask({ grant_type: 'refresh_token', refresh_token, issuer }),
    revoke: ({ access_token, refresh_token }) =>
      callBroker(broker, 'revoke', { provider: provider.id, access_token, refresh_token, issuer }),
  }
}
