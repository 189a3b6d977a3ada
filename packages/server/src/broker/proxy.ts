import { LatchkeyError, type Provider } from '@latchkey/core'
import { PAGE_POLICY, secretOf, sendAs } from '../outbound/api-request.ts'
import type { Owner } from '../stores/store.ts'
import type { Custodian } from '../vault/custodian.ts'

/** The agent that a page is: in `agents` of `createBroker`, and in the audit log. */
const PAGE = 'page'

/** Sends one call of a page with the account's secret, to its own API. A redirect is not an answer for a page. */
export async function callApi(
  custodian: Custodian,
  owner: Owner,
  { account, provider, url }: { account: string; provider: Provider; url: URL },
  request: { method: string; headers: Headers; body?: string },
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  const about = { agent: PAGE, audience: url.origin }
  const found = await custodian.authorize(owner, { provider: provider.id, accountId: account }, about)
  if (found instanceof LatchkeyError) {
    if (found.code !== 'access_denied') throw found
    return Response.json({ error: found.code, message: found.message }, { status: 403 })
  }
  const secret = secretOf(provider, found)
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
