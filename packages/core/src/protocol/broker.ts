import { asLatchkeyError, type ErrorCode, LatchkeyError, type NextAction } from '../errors.ts'
import type { OAuthProvider } from '../provider.ts'
import { codeFromServer } from './error-codes.ts'
import { limited, malformed, parseObject, readText, retryAfter } from './http.ts'
import type { TokenAnswer, TokenEndpoint } from './token-endpoint.ts'

/** The header every call to a broker carries: a page of another origin cannot send it without a preflight. */
export const BROKER_HEADER = 'latchkey-request'

/** Milliseconds. Longer than one request: behind a broker's answer are several, at 10 s each. */
const BROKER_LIMIT = 30_000

/** Codes of ours that a broker may answer with, beside those of OAuth. */
const OUR_CODES: ErrorCode[] = [
  'not_configured',
  'state_mismatch',
  'issuer_mismatch',
  'account_changed',
  'malformed_response',
]
const NEXT: Partial<Record<ErrorCode, NextAction>> = { invalid_token: 'edit-key', account_changed: 'reconnect' }

/** One call to a broker's JSON API. @throws LatchkeyError with the broker's code, or `network`. */
export async function callBroker<T>(broker: string, route: string, body?: object, method = 'POST'): Promise<T> {
  let response: Response
  let answer: Record<string, unknown> | undefined
  try {
    response = await limited({ limit: BROKER_LIMIT })(`${broker}/${route}`, {
      method,
      headers: {
        accept: 'application/json',
        [BROKER_HEADER]: '1',
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
      redirect: 'error',
    })
    answer = parseObject(await readText(response))
  } catch (error) {
    throw asLatchkeyError(error, 'network', 'The app could not be reached. Check the connection and try again.')
  }
  if (response.ok && answer) return answer as T
  // The server has ended it, or never had it.
  if (response.status === 404 && route.startsWith('accounts/')) {
    // It names the account: a session of the app that has ended has the same code, and names none.
    throw new LatchkeyError('login_required', 'This account is not connected any more.', {
      account: route.slice('accounts/'.length),
    })
  }
  const unknown = response.status >= 500 || response.status === 429 ? 'temporarily_unavailable' : 'malformed_response'
  const wait = retryAfter(response)
  if (!answer) {
    throw new LatchkeyError(unknown, `The app's broker answered with status ${response.status}.`, { retryAfter: wait })
  }
  const { error, message } = answer
  const code = OUR_CODES.find((one) => one === error) ?? codeFromServer(error, unknown)
  throw new LatchkeyError(
    code,
    typeof message === 'string' ? message.slice(0, 300) : `The app's broker refused: ${code}.`,
    { retryAfter: wait, next: NEXT[code] ?? (wait === undefined ? undefined : 'wait') },
  )
}

/** A broker as the token endpoint of one provider: the same steps, with the client secret added on the way. */
export function brokered(broker: string, provider: OAuthProvider): TokenEndpoint {
  const checked = (answer: TokenAnswer): TokenAnswer => {
    if (typeof answer.token?.access_token !== 'string' || !answer.token.access_token) throw malformed(provider)
    return answer
  }
  return {
    redeem: async ({ response, state, issuer, redirect_uri, code_verifier, nonce }) =>
      checked(
        await callBroker(broker, 'token', {
          provider: provider.id,
          grant_type: 'authorization_code',
          response: response.toString(),
          state,
          issuer,
          code_verifier,
          redirect_uri,
          nonce,
        }),
      ),
    refresh: async ({ refresh_token }) =>
      checked(await callBroker(broker, 'token', { provider: provider.id, grant_type: 'refresh_token', refresh_token })),
    revoke: ({ access_token, refresh_token }) =>
      callBroker(broker, 'revoke', { provider: provider.id, access_token, refresh_token }),
  }
}
