import { type Identity, LatchkeyError, type Provider } from '@latchkey/core'
import { keyScheme } from '@latchkey/core/internal'
import { readBounded } from '@latchkey/core/server'
import { keyAuthorization } from '@latchkey/core/token'
import { createRedactor, type Redactor, secretsOf } from './redact/redactor.ts'

/** An account's credential for one request, and the secrets to redact from the answer. */
export interface Secret {
  provider: Pick<Provider, 'id' | 'name'>
  /** The header that carries the credential. */
  header: { name: string; value: string }
  redactor: Redactor
}

export interface ApiRequest extends Pick<RequestInit, 'method' | 'headers' | 'body' | 'signal'> {
  /** The URL that the secret is sent to. The caller must have checked it. */
  url: string | URL
  /** @default globalThis.fetch */
  fetch?: ((url: string, init?: RequestInit) => Promise<Response>) | undefined
}

/** Which headers pass between a caller and an API. */
export interface HeaderPolicy {
  /** Request headers that a caller may set: never credentials, cookies, host or connection headers. */
  request: RegExp
  /** Response headers that the caller receives. */
  response: RegExp
  /**
   * Maximum bytes of an answer, which is then buffered.
   *
   * @default undefined: the body is streamed
   */
  maxBytes?: number
}

/** For agents and their tools. */
export const AGENT_POLICY: HeaderPolicy = {
  request:
    /^(?:accept|accept-language|content-type|content-language|if-(?:none-)?match|if-(?:un)?modified-since|prefer|range|(?:x-)?[a-z]+-(?:api-)?version)$/,
  response:
    /^(?:content-(?:type|language|range|disposition)|etag|last-modified|link|location|date|retry-after|(?:x-)?ratelimit-[a-z-]+|x-(?:accepted-)?oauth-scopes|x-total-count|x-next-page)$/,
  maxBytes: 4 * 1024 * 1024,
}

/** For pages in a browser. */
export const PAGE_POLICY: HeaderPolicy = {
  request: /^(?:accept|accept-language|content-type|if-match|if-none-match|if-modified-since)$/,
  response: /^(?:content-type|content-language|etag|last-modified|link|retry-after)$/,
}

/** For a service account, which may set every header. A body that was read has neither its length nor its encoding. */
export const SERVICE_POLICY: HeaderPolicy = { request: /./, response: /^(?!content-(?:length|encoding)$)/ }

/** For an MCP client. */
export const MCP_POLICY: HeaderPolicy = {
  request: /^(?:accept|content-type|last-event-id|mcp-[a-z-]+)$/,
  response: SERVICE_POLICY.response,
}

/** A bearer token, for the provider or service of this name. @see RFC 6750 §2.1 */
export const bearer = (provider: Secret['provider'], token: string): Secret => ({
  provider,
  header: { name: 'authorization', value: `Bearer ${token}` },
  redactor: createRedactor([`Bearer ${token}`, token]),
})

/** Undefined for a key that lacks a field. */
export function secretOf(provider: Provider, identity: Identity): Secret | undefined {
  const { accessToken } = identity
  if (provider.kind !== 'api-key') return bearer(provider, accessToken)
  const fields = { ...identity.fields, [provider.fields[0]?.name ?? 'key']: accessToken }
  const scheme = keyScheme(provider, fields)
  if (!scheme?.fields.every((name) => fields[name])) return undefined
  const header = keyAuthorization(scheme, fields)
  return { provider, header, redactor: createRedactor([header.value, ...secretsOf([identity], [provider])]) }
}

/**
 * Sends one request to an API with the secret of an account, which is redacted from the answer. Redirects are handed back,
 * not followed.
 *
 * @throws LatchkeyError `network` when the API cannot be reached, `malformed_response` when its answer is too large.
 */
export async function sendAs(secret: Secret, request: ApiRequest, policy: HeaderPolicy): Promise<Response> {
  const { provider, header, redactor } = secret
  const { url, method, signal, fetch = globalThis.fetch } = request
  const headers = new Headers([...new Headers(request.headers)].filter(([name]) => policy.request.test(name)))
  headers.set(header.name, header.value)
  let response: Response
  let answer: BodyInit | null
  try {
    response = await fetch(String(url), { method, headers, body: request.body, redirect: 'manual', signal })
    const { maxBytes } = policy
    const tooLarge = () =>
      new LatchkeyError('malformed_response', `The answer is larger than ${(maxBytes ?? 0) / 1024 / 1024} MB.`)
    const body = response.body?.pipeThrough(redactor.through()) ?? null
    answer = maxBytes ? await readBounded(body, maxBytes, tooLarge) : body
  } catch (error) {
    if (error instanceof LatchkeyError) throw error
    // If the caller aborted, it gets its own abort reason.
    if (signal?.aborted && signal.reason?.name !== 'TimeoutError') throw signal.reason
    const message = `${provider.name} could not be reached.`
    throw new LatchkeyError('network', message, { provider: provider.id, cause: error })
  }
  const told = [...response.headers].filter(([name]) => policy.response.test(name))
  return new Response([204, 205, 304].includes(response.status) ? null : answer, {
    status: response.status,
    // The session id goes back to the server that made it, so it stays what it is. @see MCP, Transports: Session Management
    headers: told.map(([name, value]) => [name, name === 'mcp-session-id' ? value : redactor.text(value)]),
  })
}

/**
 * Sends a request. If the API answers 401, renews the secret with `open` and sends once more.
 *
 * @returns undefined when the API refuses the renewed secret too.
 */
export async function sendRenewing<Opened>(
  open: (renew: boolean) => Promise<Opened>,
  send: (opened: Opened) => Promise<Response>,
): Promise<Response | undefined> {
  for (const renew of [false, true]) {
    const response = await send(await open(renew))
    if (response.status !== 401) return response
    await response.body?.cancel()
  }
  return undefined
}
