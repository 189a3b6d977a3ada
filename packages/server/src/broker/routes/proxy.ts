import { LatchkeyError, type Provider } from '@latchkey/core'
import type { Hono, MiddlewareHandler } from 'hono'
import { ALL_CALLS, allowRules } from '../../outbound/allow-rules.ts'
import { PAGE_POLICY, secretOf, sendAs } from '../../outbound/api-request.ts'
import type { Owner } from '../../stores/store.ts'
import type { Door } from '../../use/door.ts'
import type { Custodian } from '../../vault/custodian.ts'
import { noAccount, noRoute, refusal } from '../answers.ts'
import type { Setup } from '../options.ts'
import type { Env } from '../request.ts'

/** The agent that a page is: in `agents` of `createBroker`, and in the audit log. */
const PAGE = 'page'

/** Lets pages call the API of an account, by these methods. */
export function proxyRoutes<Session>(
  app: Hono<Env>,
  { providers, fetchFor }: Setup<Session>,
  { custodian, door, methods }: { custodian: Custodian; door: Door; methods: readonly string[] },
  guard: MiddlewareHandler<Env>,
): void {
  app.all('/accounts/:id/api/:path{.*}', guard, async (c) => {
    const { method } = c.req
    if (!methods.includes(method)) throw noRoute()
    const { owner } = c.var
    const id = c.req.param('id')
    const account = await custodian.find(owner, id)
    const provider = account && providers.get(account.provider)
    if (!provider) throw noAccount()
    const { pathname, search } = new URL(c.req.url)
    // As it was sent: what a router has decoded could not be told from what was written.
    const path = pathname.slice(pathname.indexOf(`${id}/api/`) + `${id}/api`.length)
    const verdict = allowRules([{ provider, allow: ALL_CALLS }])(method, provider.apiBaseUrl + path + search)
    if ('reason' in verdict)
      throw refusal(400, 'invalid_request', `This path does not belong to the API of ${provider.name}.`)
    const body = c.var.body && JSON.stringify(c.var.body)
    const { headers } = c.req.raw
    return callApi(door, owner, { account: id, provider, url: verdict.url }, { method, headers, body }, fetchFor())
  })
}

/** Sends one call of a page with the account's secret, to its own API. A redirect is not an answer for a page. */
async function callApi(
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
