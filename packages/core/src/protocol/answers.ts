import { isObject, parseObject } from '../json.ts'
import { aliasOf, type OAuthProvider } from '../provider.ts'
import * as http from './http.ts'

/** A server whose answers are read, and what is known of them. */
export type Answering = http.Named & Pick<OAuthProvider, 'errorAliases' | 'tokenPath'>

/**
 * A fetch that turns what servers really answer at the token endpoint into what RFC 6749 §5 says they answer: errors
 * under status 200 become 400, form bodies become JSON, and the members are those that are registered.
 */
export function lenientFetch(server: Answering, fetch: http.Ask): http.Ask {
  return async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'manual' })
    if (http.isAway(response)) {
      await response.body?.cancel()
      throw http.unavailable(server, response)
    }
    const text = await http.readText(response)
    const isForm = response.headers.get('content-type')?.includes('application/x-www-form-urlencoded')
    const said = isForm ? Object.fromEntries<unknown>(new URLSearchParams(text)) : parseObject(text)
    const isRefused = response.status >= 400
    const unnamed = response.status === 401 ? 'invalid_client' : 'invalid_request'
    if (!said) {
      if (response.ok && text === '') return new Response(null, { status: response.status })
      // In words of its own, such as a page.
      if (isRefused) return Response.json({ error: unnamed }, { status: response.status })
      throw http.malformed(server)
    }
    const answer = http.saying(said)
    if (answer.error === undefined && (answer.ok === false || isRefused)) {
      // HubSpot has its code in `status`.
      answer.error = typeof answer.status === 'string' ? answer.status : unnamed
    }
    if (typeof answer.error === 'string') {
      answer.error = aliasOf(server.errorAliases, answer.error)
      answer.error_description = wordsOf(answer.error_description, init)
      return Response.json(answer, { status: response.status < 400 ? 400 : response.status })
    }
    const isRefresh = new URLSearchParams(init?.body?.toString()).get('grant_type') === 'refresh_token'
    return Response.json(tokenIn(server, answer, isRefresh), { status: response.status })
  }
}

/** The token of an answer, with its members in their registered form. @see RFC 6749 §5.1 */
function tokenIn(server: Answering, answer: http.Answer, isRefresh: boolean): http.Answer {
  const steps = server.tokenPath?.split('.') ?? []
  const name = steps.pop() ?? 'access_token'
  const part = steps.reduce<unknown>((whole, step) => (isObject(whole) ? whole[step] : undefined), answer)
  // Another token of the same answer is never taken for it. A refresh answers with what was refreshed.
  const found = isObject(part) ? http.saying(part) : isRefresh ? answer : {}
  const token = { ...found, access_token: found[name] ?? (isRefresh ? found.access_token : undefined) }
  const { token_type, scope }: http.Answer = token
  if (`${token_type}`.toLowerCase() === 'dpop') {
    const words = 'gave a token that works only with a key of its own (DPoP), which is not supported.'
    throw http.malformed(server, undefined, words)
  }
  const list = [scope].flat()
  const words = list.every((one) => typeof one === 'string') ? list.join(' ').replaceAll(',', ' ').trim() : scope
  return { ...token, token_type: 'bearer', scope: words || undefined }
}

/**
 * A fetch with a time limit for a library that reads answers itself: its answers are bounded as well, an error repeats no secret, and
 * no redirect is followed.
 */
export function bounded(options: http.RequestOptions): http.Ask {
  const fetch = http.limited(options)
  return async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'manual' })
    // No such response can be made: a redirect in a browser, and 101.
    if (response.status < 200) return response
    const text = await http.readText(response)
    const refusal = response.ok ? undefined : parseObject(text)
    if (refusal) refusal.error_description = wordsOf(refusal.error_description, init)
    const answer = new Response((refusal ? JSON.stringify(refusal) : text) || null, response)
    // The library searches it with patterns whose time grows faster than the text.
    const challenge = answer.headers.get('www-authenticate')
    if (challenge) answer.headers.set('www-authenticate', challenge.slice(0, 2048))
    return answer
  }
}

/** A server's words, or undefined if they repeat a secret of the request, which would then stand in an error. */
export function wordsOf(words: unknown, { headers, body }: RequestInit = {}): string | undefined {
  const said = typeof words === 'string' ? words : undefined
  const [scheme, proof = ''] = new Headers(headers).get('authorization')?.split(' ') ?? []
  const basic = scheme === 'Basic' ? atob(proof).replace(/^[^:]*:/, '') : ''
  const secrets = [proof, basic, new URLSearchParams(`s=${basic}`).get('s') ?? '']
  for (const [name, value] of body instanceof URLSearchParams ? body : []) {
    if (/(?:code|token|secret|assertion|verifier)$/.test(name)) secrets.push(value)
  }
  const repeats = (one: string) => said?.includes(one) || said?.includes(encodeURIComponent(one))
  return secrets.some((one) => one.length > 3 && repeats(one)) ? undefined : said
}
