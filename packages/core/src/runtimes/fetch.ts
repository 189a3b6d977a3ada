import type { IdentityOptions } from '../engine.ts'
import { LatchkeyError } from '../errors.ts'
import { isObject, parseObject } from '../json.ts'
import { hostKind } from '../mcp/host-kind.ts'
import { answered } from '../protocol/http.ts'
import { safeUrl } from '../urls.ts'
import { identitiesBody } from './ai-sdk.ts'

/** Which accounts an agent's requests carry, where they go, and how. */
export interface IdentitiesFetchOptions extends IdentityOptions {
  /** The agent's endpoint: an absolute URL, or a path of this page. No other address gets an account. */
  url: string
  /**
   * Where the accounts are put in a body: at its top, as AG-UI servers read them, or in `params.metadata` of JSON-RPC, as A2A and
   * ACP have them. There only the calls that run the agent get them.
   *
   * @default 'top'
   */
  at?: 'top' | 'params.metadata'
  /** What sends the request. @default the `fetch` of the page */
  fetch?: typeof fetch
}

/** Calls of JSON-RPC that run an agent: of A2A 1.0, of A2A 0.3 and of ACP. */
const RUNS: readonly unknown[] = [
  ...['SendMessage', 'SendStreamingMessage', 'message/send', 'message/stream'],
  'session/prompt',
]

const hrefOf = (url: string): string | undefined => {
  const page = globalThis.location?.href
  return URL.canParse(url, page) ? new URL(url, page).href : undefined
}

/**
 * A `fetch` for a runtime that takes one, such as AG-UI or A2A. It puts the accounts into the body of each request when it is sent,
 * as {@link identitiesBody} has them: fresh, granted, none under a name that has none. What else stood under these names is taken out.
 *
 * ```ts
 * new HttpAgent({ url, fetch: identitiesFetch(client, { url, agent: 'assistant' }) })
 * ```
 *
 * A request to another address, or whose body is no text of a JSON object, passes as it is. One with accounts is not redirected.
 *
 * @throws LatchkeyError `misuse` for an endpoint without https, unless it is of this page or on this machine.
 */
export function identitiesFetch(
  client: Parameters<typeof identitiesBody>[0],
  { url, at = 'top', fetch: send = (...sent) => globalThis.fetch(...sent), ...options }: IdentitiesFetchOptions,
): typeof fetch {
  const endpoint = hrefOf(url)
  const isOwn = (one: URL) => one.origin === globalThis.location?.origin || hostKind(one.hostname) === 'loopback'
  // While a server renders the page, a path has no address yet, and no request is sent.
  const isRendered = endpoint === undefined && globalThis.location === undefined
  if (!isRendered && !safeUrl(endpoint, isOwn)) {
    throw new LatchkeyError('misuse', `${JSON.stringify(url)} is no https URL of an agent.`)
  }
  const accounts = identitiesBody(client, options)
  const place = at === 'top' ? atTop : inMetadata
  const ask = answered(send)
  return async (input, init) => {
    const isAgent = hrefOf(input instanceof Request ? input.url : String(input)) === endpoint
    const body = endpoint && isAgent && typeof init?.body === 'string' ? parseObject(init.body) : undefined
    const put = body && place(body)
    if (!put) return ask(input, init)
    return ask(input, { ...init, body: JSON.stringify(put(await accounts())), redirect: 'error' })
  }
}

type Body = Record<string, unknown>
type Put = (accounts: object) => Body

/** Without what was there before: it may be of accounts that are excluded or gone. */
function withAccounts({ identities: _, connectedAccounts: _c, accounts: _a, ...rest }: Body, accounts: object): Body {
  return { ...rest, ...accounts }
}

const atTop =
  (body: Body): Put =>
  (accounts) =>
    withAccounts(body, accounts)

function inMetadata(body: Body): Put | undefined {
  const { method, params } = body
  if (!RUNS.includes(method) || !isObject(params)) return undefined
  return (accounts) => {
    const { metadata: given, ...rest } = params
    const metadata = withAccounts(isObject(given) ? given : {}, accounts)
    return { ...body, params: { ...rest, ...(Object.keys(metadata).length > 0 && { metadata }) } }
  }
}
