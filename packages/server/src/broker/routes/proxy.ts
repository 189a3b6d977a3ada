import { LatchkeyError, type Provider } from '@latchkey/core'
import type { Hono, MiddlewareHandler } from 'hono'
import { ALL_CALLS, allowRules } from '../../outbound/allow-rules.ts'
import { PAGE_POLICY, secretOf, sendAs } from '../../outbound/api-request.ts'
import { ApprovalRequired } from '../../use/answers.ts'
import type { Door } from '../../use/door.ts'
import { type Ending, type Failure, failureOfStatus } from '../../use/endings.ts'
import { effectOfMethod, judgedTool } from '../../use/tools.ts'
import { absent } from '../../vault/accounts.ts'
import type { Custodian } from '../../vault/custodian.ts'
import { badRequest, needsApproval, noAccount, noRoute, refusal } from '../answers.ts'
import { readBytes } from '../body.ts'
import type { Setup } from '../options.ts'
import type { Env } from '../request.ts'

/** The agent that a page is: in `agents` of `createBroker`, and in the audit log. */
const PAGE = 'page'

/** Lets pages call the API of an account with its secret, by these methods. */
export function proxyRoutes<Session>(
  app: Hono<Env>,
  { providers, fetchFor, routeOf }: Setup<Session>,
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
    // As it was sent: what a router has decoded could not be told from what was written.
    const path = routeOf(c.req.raw).replace(/^\/accounts\/[^/]+\/api/, '') + new URL(c.req.url).search
    const verdict = allowRules([{ provider, allow: ALL_CALLS }])(method, provider.apiBaseUrl + path)
    if ('reason' in verdict) throw badRequest(`This path does not belong to the API of ${provider.name}.`)
    const bytes = await readBytes(c.req.raw)
    const body = bytes.length > 0 ? bytes : undefined
    const tool = judgedTool({
      provider,
      toolName: `api.${method}`,
      title: `Call ${provider.name}`,
      effect: effectOfMethod(method),
    })
    const args = {
      method,
      path: verdict.url.pathname + verdict.url.search,
      ...(body && { body: new TextDecoder().decode(body) }),
    }
    const call = { owner, provider: provider.id, accountId: id, agent: PAGE, audience: verdict.url.origin, tool, args }
    const use = await door.authorize(call).catch((error) => {
      if (error instanceof ApprovalRequired) throw needsApproval(error)
      if (!(error instanceof LatchkeyError) || error.code !== 'access_denied') throw error
      throw refusal(403, error.code, error.message)
    })
    // A call of a page is a turn of its own, so none was made already.
    if ('done' in use) throw absent(id)
    let ending: Ending = 'unsent'
    let failure: Failure | undefined
    try {
      const secret = secretOf(provider, await door.open(use))
      if (!secret) throw absent(id)
      ending = 'unknown'
      const { headers } = c.req.raw
      const request = { url: verdict.url, method, headers, body, signal: use.signal, fetch: fetchFor() }
      const answer = await sendAs(secret, request, PAGE_POLICY)
      ending = {}
      failure = isRedirect(answer) ? 'malformed_response' : failureOfStatus(answer.status)
      return await passedOn(provider, answer)
    } catch (error) {
      failure ??= error instanceof LatchkeyError ? error.code : undefined
      throw error
    } finally {
      await door.end(use, ending, failure)
    }
  })
}

const isRedirect = ({ status }: Response) => status >= 300 && status < 400 && status !== 304

/** What the page gets of an API's answer. */
async function passedOn(provider: Provider, answer: Response): Promise<Response> {
  if (answer.status === 401 || isRedirect(answer)) {
    await answer.body?.cancel()
    const message = `${provider.name} did not answer this call.`
    // 401 here would mean the session of the app, and a redirect is not an answer for a page.
    throw isRedirect(answer) ? refusal(502, 'malformed_response', message) : refusal(424, 'invalid_token', message)
  }
  answer.headers.set('content-security-policy', "sandbox; default-src 'none'")
  return answer
}
