import { safeUrl } from './urls.ts'

/**
 * The wire form of a granted account handed to an agent run: `identities` in the request body, compatible with
 * agent-runtimes. Never a refresh token, and never a key `id`, `sub`, `username` or `email` at the top.
 */
export interface Identity {
  /** Provider id. */
  provider: string
  /** The access token, or an ApiKey's primary field. */
  accessToken: string
  scopes?: string[]
  /** Milliseconds since the epoch. */
  expiresAt?: number
  /** What the token is for: the URL of an MCP server or the origin of an API. It is sent nowhere else. @see RFC 8707 §2 */
  resource?: string
  accountId?: string
  /** What its person calls the account: foreign text. Only where several accounts of a provider are sent. */
  label?: string
  /** An ApiKey's other fields. */
  fields?: Record<string, string>
}

/**
 * What a tool that lacks an account answers, and what every runtime's pause carries. Model- and tool-controlled: a UI
 * shows provider and scopes from its own registry and refuses unknown ones.
 */
export interface ConnectRequest {
  type: 'authorization_required'
  /** Provider id. */
  provider: string
  scopes?: string[]
  accountId?: string
  toolName?: string
  toolCallId?: string
  message?: string
  /** A page of the server's own that the person has to visit, instead of a sign-in: URL-mode elicitation of MCP. */
  url?: string
  /** Goes with `url`, which means nothing without it. */
  mode?: 'url'
  elicitationId?: string
}

const LIMITS = { entries: 32, token: 16 * 1024, provider: /^[a-z0-9._-]{1,64}$/ }
// Control characters would split a header that the value is put into.
const PRINTABLE = /^[\x20-\x7e]+$/

const isSecret = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= LIMITS.token && PRINTABLE.test(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 1024
/** Those of these members that are text. */
const texts = (from: object, names: (keyof ConnectRequest)[]): Partial<ConnectRequest> =>
  Object.fromEntries(Object.entries(from).filter(([name, value]) => names.some((one) => one === name) && isText(value)))

/**
 * Reads identities out of untrusted input. Entries that are not well formed are left out; of two entries of one
 * provider the last wins, as in agent-runtimes.
 */
export function parseIdentities(value: unknown): Identity[] {
  if (!Array.isArray(value)) return []
  const found = new Map<string, Identity>()
  for (const entry of value.slice(0, LIMITS.entries)) {
    const identity = readIdentity(entry)
    if (!identity) continue
    found.delete(identity.provider)
    found.set(identity.provider, identity)
  }
  return [...found.values()]
}

/** One identity out of untrusted input, or undefined if it is not well formed. */
export function readIdentity(entry: unknown): Identity | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  const { provider: id, accessToken, scopes, expiresAt, resource, accountId, fields } = entry as Record<string, unknown>
  const provider = typeof id === 'string' ? id.toLowerCase() : ''
  if (!LIMITS.provider.test(provider) || !isSecret(accessToken)) return undefined
  return {
    provider,
    accessToken,
    ...(Array.isArray(scopes) && { scopes: scopes.filter(isText).slice(0, 100) }),
    ...(Number.isFinite(expiresAt) && { expiresAt: expiresAt as number }),
    ...(isText(resource) && URL.canParse(resource) && { resource }),
    ...(isText(accountId) && { accountId }),
    ...(typeof fields === 'object' && fields !== null && { fields: fieldsOf(fields) }),
  }
}

function fieldsOf(fields: object): Record<string, string> {
  const good = Object.entries(fields).filter(([name, value]) => /^\w{1,64}$/.test(name) && isSecret(value))
  return Object.fromEntries(good.slice(0, 16))
}

/**
 * Whether a person's click may open a page for an MCP server: https, where a browser shows whose it is, or one of the
 * server's own origin where that is configured to be on this machine.
 *
 * @param server the configured URL of the MCP server.
 */
export function isPageOf(value: unknown, server?: string): value is string {
  const own = server !== undefined && URL.canParse(server) ? new URL(server).origin : undefined
  const isLocal = ({ origin, hostname }: URL) => origin === own && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
  return isText(value) && safeUrl(value, isLocal) !== undefined
}

/** MCP's error for "the person has to visit a page first". @see MCP 2025-11-25 "URL Elicitation Required" */
const URL_ELICITATION_REQUIRED = -32042

/** The members of an object or list that are objects themselves. */
const objectsIn = (value: unknown): Record<string, unknown>[] =>
  value && typeof value === 'object'
    ? Object.values(value)
        .slice(0, 16)
        .filter((one) => one && typeof one === 'object')
    : []

/**
 * URL-mode elicitation in any of its forms: the parameters of an `elicitation/create` request, the request itself, a
 * 2026-07-28 result with `inputRequests`, and the error -32042.
 */
function readElicitation(value: Record<string, unknown>, provider: string, server?: string): ConnectRequest | null {
  const { code, data, params, inputRequests, mode, url } = value
  const inner =
    code === URL_ELICITATION_REQUIRED
      ? objectsIn((data as { elicitations?: unknown } | undefined)?.elicitations)
      : [...objectsIn(inputRequests), ...objectsIn([params])]
  for (const one of inner) {
    const { params: nested = one } = one
    const found = readElicitation({ ...(nested as object), params: undefined }, provider, server)
    if (found) return found
  }
  if (mode !== 'url' || !isPageOf(url, server)) return null
  return {
    type: 'authorization_required',
    provider,
    mode,
    url: new URL(url).href,
    ...texts(value, ['message', 'elicitationId']),
  }
}

/**
 * Recognises a {@link ConnectRequest} in a tool's answer, which is an object; null for anything else. Text is never one:
 * others may have written it. Of an MCP server, name its provider's id in `provider`, its configured URL in `server`, or
 * both. Only an MCP server has pages, and its answers ask for its own account only. With its id its URL-mode elicitation is
 * recognised, too. Pages are https; only with `server` may they be on this machine, where that is.
 */
export function readConnectRequest(
  value: unknown,
  from: { provider?: string; server?: string } = {},
): ConnectRequest | null {
  if (typeof value !== 'object' || value === null) return null
  const elicitation = from.provider && readElicitation(value as Record<string, unknown>, from.provider, from.server)
  if (elicitation) return elicitation
  const request = readAccountRequest(value)
  if (!request || (from.provider && from.provider !== request.provider)) return null
  const { mode, url } = value as Record<string, unknown>
  const isPage = (from.provider || from.server) && mode === 'url' && isPageOf(url, from.server)
  return { ...request, ...(isPage && { mode, url: new URL(url).href }) }
}

/** {@link readConnectRequest} of a tool that is not an MCP server's, which has no pages. */
export function readAccountRequest(value: unknown): ConnectRequest | null {
  if (typeof value !== 'object' || value === null) return null
  const { type, provider, scopes } = value as Record<string, unknown>
  if (type !== 'authorization_required' || typeof provider !== 'string' || !LIMITS.provider.test(provider)) return null
  return {
    type,
    provider,
    ...(Array.isArray(scopes) && { scopes: scopes.filter(isText) }),
    ...texts(value, ['accountId', 'toolName', 'toolCallId', 'message', 'elicitationId']),
  }
}
