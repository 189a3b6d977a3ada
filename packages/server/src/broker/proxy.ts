import { LatchkeyError, type Provider } from '@latchkey/core'
import { PAGE_POLICY, secretOf, sendAs } from '../outbound/api-request.ts'
import type { Owner } from '../stores/store.ts'
import type { Door } from '../use/door.ts'

/** The agent that a page is: in `agents` of `createBroker`, and in the audit log. */
const PAGE = 'page'

/** Sends one call of a page with the account's secret, to its own API. A redirect is not an answer for a page. */
export async function callApi(
  door: Door,
  owner: Owner,
  { account, provider, url }: { account: string; provider: Provider; url: URL },
  request: { method: string; headers: Headers; body?: string },
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  const identity = await door
    .authorize({ owner, provider: provider.id, accountId: account, agent: PAGE, audience: url.origin })
    .then(door.open)
    .catch((error) => {
      if (error instanceof LatchkeyError && error.code === 'access_denied') return error
      throw error
    })
  if (identity instanceof LatchkeyError) {
    return Response.json({ error: identity.code, message: identity.message }, { status: 403 })
  }
  const secret = secretOf(provider, identity)
  if (!secret) throw new LatchkeyError('login_required', 'This account is not connected.', { account })
  const answer = await sendAs(secret, { ...request, url, fetch }, PAGE_POLICY)
  const { status } = answer
  if (status === 401 || (status >= 300 && status < 400 && status !== 304)) {
    await answer.body?.cancel()
    const message = `${provider.name} did not answer this call.`
    // 401 here would mean the session of the app.
    return status === 401
      ? Response.json({ error: 'invalid_token', message }, { status: 424 })
      : Response.json({ error: 'malformed_response', message }, { status: 502 })
  }
  answer.headers.set('content-security-policy', "sandbox; default-src 'none'")
  return answer
}
