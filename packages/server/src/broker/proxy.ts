import type { Provider } from '@latchkey/core'
import type { Owner } from '../stores/store.ts'
import type { Custodian } from '../vault/custodian.ts'

/** What a call may say to an API. Cookies, credentials, hop-by-hop headers and the rest stay where they are. */
const REQUEST_HEADERS = ['accept', 'accept-language', 'content-type', 'if-match', 'if-none-match', 'if-modified-since']
/** What an API may say to the page. */
const RESPONSE_HEADERS = ['content-type', 'content-language', 'etag', 'last-modified', 'link', 'retry-after']

/**
 * The address below a provider's API, or undefined when it would lead anywhere else. Checked twice: by what the path is
 * made of, since servers read `%2f` and `\` in their own ways, and by where it ends up.
 */
export function apiUrl({ apiBaseUrl }: Provider, path: string): URL | undefined {
  const [pathname = ''] = path.split('?')
  if (!/^[\w.~!$&'()*+,;=:@%/-]*$/.test(pathname) || /%(2f|5c|2e|00|0a|0d|25)/i.test(pathname)) return undefined
  if (pathname.startsWith('/') || /\/\/|(^|\/)\.{1,2}(\/|$)/.test(pathname) || /^[a-z][\w+.-]*:/i.test(pathname)) {
    return undefined
  }
  if (!URL.canParse(`${apiBaseUrl}/${path}`)) return undefined
  const base = new URL(`${apiBaseUrl}/`)
  const url = new URL(`${apiBaseUrl}/${path}`)
  url.hash = ''
  return url.origin === base.origin && url.pathname.startsWith(base.pathname) && !url.username ? url : undefined
}

/** Sends one call with the account's secret, to its own API and nowhere else. A redirect is an answer, not a way. */
export async function callApi(
  custodian: Custodian,
  owner: Owner,
  { account, provider, url }: { account: string; provider: Provider; url: URL },
  request: { method: string; headers: Headers; body?: string },
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  const opened = await custodian.use(owner, account)
  const { name, value } = custodian.headerOf(provider, opened)
  const headers = new Headers()
  for (const allowed of REQUEST_HEADERS) {
    const given = request.headers.get(allowed)
    if (given !== null) headers.set(allowed, given)
  }
  headers.set(name, value)
  const { method, body } = request
  const answer = await fetch(url, { method, headers, body: body || undefined, redirect: 'manual' })
  const out = new Headers({ 'content-security-policy': "sandbox; default-src 'none'" })
  for (const allowed of RESPONSE_HEADERS) {
    const given = answer.headers.get(allowed)
    if (given !== null) out.set(allowed, given)
  }
  // 401 here would mean the session of the app.
  const status =
    answer.status === 401
      ? 424
      : answer.status >= 300 && answer.status < 400 && answer.status !== 304
        ? 502
        : answer.status
  if (status === 204 || status === 304) return new Response(null, { status, headers: out })
  if (status === 424 || status === 502) {
    await answer.body?.cancel()
    const error = status === 424 ? 'invalid_token' : 'malformed_response'
    return Response.json({ error, message: `${provider.name} did not answer this call.` }, { status })
  }
  return new Response(answer.body, { status, headers: out })
}
