import { type ApiKeyProvider, type Identity, keyScheme, LatchkeyError, type Provider } from '@latchkey/core'
import { keyAuthorization } from '@latchkey/core/token'
import type { AgentContext, AgentToken } from '../agent/context.ts'
import { AuthorizationRequired } from '../agent/identities.ts'
import { createRedactor, secretsOf } from './redact.ts'

/** One use of an account, or an attempt, for an audit log. Holds no secret, and of an address no query. */
export interface UseEntry {
  /** Milliseconds since the epoch. */
  at: number
  userId: string
  action: 'used' | 'refused' | 'missing'
  toolName?: string
  provider?: string
  accountId?: string
  method?: string
  url?: string
  /** What the provider answered. */
  status?: number
  /** Why it was refused. */
  reason?: string
}

export type OnUse = (entry: UseEntry) => void

/** What may be called with the account of one provider. Its own API is the only place that account goes to. */
export interface EgressRule {
  provider: Provider
  /**
   * Calls that are allowed, as `METHOD /path` below the provider's `apiBaseUrl`. `*` stands for any method and for one
   * path segment, `**` for any rest of the path. Default: `['GET /**', 'HEAD /**']`, reading.
   */
  allow?: readonly string[]
  /** Scopes that a call needs. */
  scopes?: readonly string[]
}

export interface EgressOptions {
  rules: readonly EgressRule[]
  /** Whose accounts are used. */
  context: AgentContext
  toolName?: string
  onUse?: OnUse | undefined
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch | undefined
}

export type EgressInit = Pick<RequestInit, 'method' | 'body' | 'signal'> & { headers?: HeadersInit }

/** What {@link createEgress} makes: like `fetch`, for a provider's API only, and with the account added. */
export type Egress = (url: string, init?: EgressInit) => Promise<Response>

const READ = ['GET /**', 'HEAD /**']
const MAX_BYTES = 4 * 1024 * 1024
const TIMEOUT = 30_000

// What a caller may say about a request. Who makes it, for which host and how is not theirs to say.
const REQUEST_HEADERS =
  /^(?:accept|accept-language|content-type|content-language|if-(?:none-)?match|if-(?:un)?modified-since|prefer|range|(?:x-)?[a-z]+-(?:api-)?version)$/
// What a caller is told about an answer. Cookies and challenges are not.
const RESPONSE_HEADERS =
  /^(?:content-(?:type|language|range|disposition)|etag|last-modified|link|location|date|retry-after|(?:x-)?ratelimit-[a-z-]+|x-(?:accepted-)?oauth-scopes|x-total-count|x-next-page)$/

/**
 * A `fetch` that puts a person's token on a request at the last moment, so that the caller never holds it. It goes to
 * the exact origin of a provider's own API, over https (or at the provider's own `baseUrl`), for the methods and paths
 * of its rule; anything else is refused before a name is looked up, and recorded. Redirects are handed back, not
 * followed. Credentials of the caller's own are dropped. The answer is scrubbed of the token.
 *
 * A token that is not accepted is renewed once where the context can do that; then the call asks for the account.
 *
 * @throws LatchkeyError `access_denied` when the call is not allowed, `network` when the provider cannot be reached.
 * @throws AuthorizationRequired when the account is missing or not accepted any more.
 */
export function createEgress(options: EgressOptions): Egress {
  const { context, toolName, onUse, fetch } = options
  const targets = options.rules.map(target)

  return async (raw, init = {}) => {
    const method = (init.method ?? 'GET').toUpperCase()
    const record = (entry: Omit<UseEntry, 'at' | 'userId' | 'toolName' | 'method' | 'url'>) =>
      onUse?.({
        at: Date.now(),
        userId: context.userId,
        ...(toolName && { toolName }),
        method,
        url: addressOf(raw),
        ...entry,
      })

    const found = choose(targets, raw, method)
    if ('reason' in found) {
      record({ action: 'refused', reason: found.reason })
      throw new LatchkeyError('access_denied', `This call is not allowed: ${found.reason}`, { next: 'none' })
    }
    const { rule, url } = found
    const { provider, scopes } = rule

    const get = async (forceRefresh: boolean) => {
      try {
        return await context.getToken(provider.id, { scopes, toolName, forceRefresh })
      } catch (error) {
        if (error instanceof AuthorizationRequired) record({ action: 'missing', provider: provider.id })
        throw error
      }
    }
    const send = async (token: AgentToken) => {
      const answer = await call(provider, url, method, init, token.toIdentity(), fetch)
      const { accountId } = token
      record({ action: 'used', provider: provider.id, ...(accountId && { accountId }), status: answer.status })
      return answer
    }

    const token = await get(false)
    const answer = await send(token)
    if (answer.status !== 401) return answer
    // Once: an API that refuses every token would otherwise be asked for ever.
    const renewed = await get(true)
    const second = await send(renewed)
    if (second.status !== 401) return second
    record({ action: 'missing', provider: provider.id })
    throw new AuthorizationRequired({
      provider: provider.id,
      ...(scopes && { scopes: [...scopes] }),
      ...(token.accountId !== undefined && { accountId: token.accountId }),
      ...(toolName && { toolName }),
    })
  }
}

interface Target {
  rule: EgressRule
  origin: string
  /** Path of the API at its origin, without a trailing slash. */
  base: string
  allows(method: string, path: string): boolean
}

function target(rule: EgressRule): Target {
  const { provider, allow = READ } = rule
  const { origin, protocol, pathname } = new URL(provider.apiBaseUrl)
  const isOwn = provider.baseUrl !== undefined && new URL(provider.baseUrl).origin === origin
  if (protocol !== 'https:' && !isOwn) {
    throw new LatchkeyError('misuse', `The API of ${provider.name} is not https.`, { next: 'configure' })
  }
  const patterns = allow.map((line) => {
    const [, method = '', path = ''] = /^(\*|[A-Z]+) (\/\S*)$/.exec(line) ?? []
    if (!method) {
      throw new LatchkeyError('misuse', `${JSON.stringify(line)} is not a rule such as "GET /user/**".`, {
        next: 'configure',
      })
    }
    const source = path.split(/(\*\*|\*)/).map((part) => {
      if (part === '**') return '.*'
      return part === '*' ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    })
    return { method, path: new RegExp(`^${source.join('')}$`) }
  })
  return {
    rule,
    origin,
    base: pathname.replace(/\/+$/, ''),
    allows: (method, path) =>
      patterns.some((one) => (one.method === '*' || one.method === method) && one.path.test(path)),
  }
}

/** The rule that a call falls under, or why it falls under none. Nothing is normalized into what it was not. */
function choose(
  targets: readonly Target[],
  raw: string,
  method: string,
): { rule: EgressRule; url: URL } | { reason: string } {
  // The host as written must be the host that is meant: no user part, no look-alike that a parser folds into it.
  const written = /^https?:\/\/([a-z0-9.:[\]-]+)(?=[/?#]|$)[\x21-\x7e]*$/i.exec(raw)?.[1]?.toLowerCase()
  if (written === undefined || raw.includes('\\') || !URL.canParse(raw))
    return { reason: 'it is not a plain http address' }
  const url = new URL(raw)
  const at = targets.filter(({ origin }) => origin === url.origin)
  const isWritten =
    written === url.host || (url.port === '' && written === `${url.host}:443` && url.protocol === 'https:')
  if (at.length === 0 || !isWritten) return { reason: 'its host is none of the API hosts of your accounts' }
  const path = decodeFully(url.pathname)
  if (path === undefined || /\/\.{1,2}(?=\/|$)|\\|\0/.test(path)) return { reason: 'its path is ambiguous' }
  const found = at.find(({ base, allows }) =>
    // Both as written and as a server may read it.
    [url.pathname, path].every((one) => one.startsWith(`${base}/`) && allows(method, one.slice(base.length))),
  )
  return found ? { rule: found.rule, url } : { reason: `${method} is not allowed there` }
}

function decodeFully(path: string): string | undefined {
  let decoded = path
  try {
    for (let round = 0; round < 8; round++) {
      const next = decodeURIComponent(decoded)
      if (next === decoded) return decoded
      decoded = next
    }
  } catch {
    // Not UTF-8, or a bare %: what a server makes of it is anybody's guess.
  }
  return undefined
}

/** An address for the log: without query, which is where data leaves by. */
function addressOf(raw: string): string {
  if (!URL.canParse(raw)) return 'not an address'
  const { origin, protocol, host, pathname } = new URL(raw)
  return (origin === 'null' ? `${protocol}//${host}` : origin) + pathname.slice(0, 200)
}

async function call(
  provider: Provider,
  url: URL,
  method: string,
  init: EgressInit,
  identity: Identity,
  fetch = globalThis.fetch,
): Promise<Response> {
  const headers = new Headers()
  for (const [name, value] of new Headers(init.headers)) if (REQUEST_HEADERS.test(name)) headers.set(name, value)
  const { name, value } = authorization(provider, identity)
  headers.set(name, value)
  const timeout = AbortSignal.timeout(TIMEOUT)
  const redactor = createRedactor([value, ...secretsOf([identity], [provider])])
  let response: Response
  let body: Uint8Array
  try {
    response = await fetch(url, {
      method,
      headers,
      body: init.body ?? null,
      redirect: 'manual',
      signal: init.signal ? AbortSignal.any([init.signal, timeout]) : timeout,
    })
    body = await readLimited(response)
  } catch (error) {
    if (error instanceof LatchkeyError) throw error
    init.signal?.throwIfAborted()
    throw new LatchkeyError('network', `${provider.name} could not be reached.`, {
      provider: provider.id,
      cause: error,
    })
  }
  const told = [...response.headers].filter(([key]) => RESPONSE_HEADERS.test(key))
  const isEmpty = [204, 205, 304].includes(response.status)
  return new Response(isEmpty ? null : (redactor.value(body) as Uint8Array<ArrayBuffer>), {
    status: response.status,
    headers: told.map(([key, one]) => [key, redactor.text(one)]),
  })
}

async function readLimited(response: Response): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.byteLength
    if (size > MAX_BYTES) throw new LatchkeyError('malformed_response', 'The answer is larger than 4 MB.')
    pieces.push(piece)
  }
  return new Uint8Array(Buffer.concat(pieces))
}

/** The header that carries an account: a bearer token, or whatever this kind of API key asks for. */
function authorization(provider: Provider, { accessToken, fields }: Identity): { name: string; value: string } {
  if (provider.kind !== 'api-key') return { name: 'authorization', value: `Bearer ${accessToken}` }
  const key = { ...fields, [primaryField(provider)]: accessToken }
  const scheme = keyScheme(provider, key)
  // A key without its other half is as good as none.
  if (!scheme?.fields.every((name) => key[name])) throw new AuthorizationRequired({ provider: provider.id })
  return keyAuthorization(scheme, key)
}

const primaryField = (provider: ApiKeyProvider): string => provider.fields[0]?.name ?? 'key'
