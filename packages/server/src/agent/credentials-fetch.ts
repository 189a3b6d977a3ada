import { LatchkeyError } from '@latchkey/core'
import { limited } from '@latchkey/core/server'
import { bearer, SERVICE_POLICY, sendAs, sendRenewing } from '../outbound/api-request.ts'
import { assertSafe } from './oauth-client.ts'

/** Where tokens of an app's own credentials may be sent. */
export interface ApiOptions {
  /** The API that the tokens are for. @see RFC 8707 §2 */
  resource?: string
  /**
   * Origins that `fetch` may send a token to.
   *
   * @default the origin of `resource`
   */
  origins?: readonly string[]
  /** @default globalThis.fetch */
  fetch?: typeof globalThis.fetch
  /**
   * Maximum milliseconds for one answer to `fetch`, with its body.
   *
   * @default 30_000
   */
  timeout?: number
}

/** Whose call it is, and how its token is come by. */
interface Caller {
  clientId: string
  /** As errors call it, within a sentence. */
  name: string
  getToken(request: { refused: string | undefined }): Promise<string>
}

/**
 * Calls an API with a token. After a 401 it retries once with a new token. Redirects are not followed.
 *
 * @throws LatchkeyError `access_denied` for an origin that is not allowed, `invalid_token` if the API refuses the new token
 *   too, `network` if it cannot be reached.
 */
export async function fetchAs(
  { clientId, name, getToken }: Caller,
  { resource, fetch, timeout: limit = 30_000, ...options }: ApiOptions,
  url: string | URL,
  init: RequestInit,
): Promise<Response> {
  const { origins = resource ? [new URL(resource).origin] : [] } = options
  const { origin, username, password } = new URL(url)
  if (!origins.includes(origin) || username || password) {
    const hint = origins.length === 0 ? ' Name the origins of its API when you make the ServiceCredentials.' : ''
    throw new LatchkeyError('access_denied', `This ${name} is not for ${origin}.${hint}`, { next: 'configure' })
  }
  assertSafe(origin)
  // A stream can be read only once, but the request may be sent twice.
  const body = init.body instanceof ReadableStream ? await new Response(init.body).arrayBuffer() : init.body
  const request = { ...init, url, body, fetch: limited({ fetch, limit }) }
  let token: string | undefined
  const response = await sendRenewing(
    async (renew) => {
      token = await getToken({ refused: renew ? token : undefined })
      return bearer({ id: clientId, name: `The API at ${origin}` }, token)
    },
    (secret) => sendAs(secret, request, SERVICE_POLICY),
  )
  if (response) return response
  throw new LatchkeyError('invalid_token', `The API at ${origin} does not accept this ${name}.`, { next: 'configure' })
}
