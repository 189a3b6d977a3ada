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
  accountId?: string
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
}

const LIMITS = { entries: 32, token: 16 * 1024, provider: /^[a-z0-9._-]{1,64}$/ }
// Control characters would split a header that the value is put into.
const PRINTABLE = /^[\x20-\x7e]+$/

const isSecret = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= LIMITS.token && PRINTABLE.test(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 1024

/**
 * Reads identities out of untrusted input. Entries that are not well formed are left out; of two entries of one
 * provider the last wins, as in agent-runtimes.
 */
export function parseIdentities(value: unknown): Identity[] {
  if (!Array.isArray(value)) return []
  const found = new Map<string, Identity>()
  for (const entry of value.slice(0, LIMITS.entries)) {
    if (typeof entry !== 'object' || entry === null) continue
    const { accessToken, scopes, expiresAt, accountId, fields } = entry
    const provider = typeof entry.provider === 'string' ? entry.provider.toLowerCase() : ''
    if (!LIMITS.provider.test(provider) || !isSecret(accessToken)) continue
    found.delete(provider)
    found.set(provider, {
      provider,
      accessToken,
      ...(Array.isArray(scopes) && { scopes: scopes.filter(isText).slice(0, 100) }),
      ...(Number.isFinite(expiresAt) && { expiresAt }),
      ...(isText(accountId) && { accountId }),
      ...(fields &&
        typeof fields === 'object' && {
          fields: Object.fromEntries(
            Object.entries(fields)
              .filter((pair): pair is [string, string] => /^\w{1,64}$/.test(pair[0]) && isSecret(pair[1]))
              .slice(0, 16),
          ),
        }),
    })
  }
  return [...found.values()]
}

/**
 * Recognises a {@link ConnectRequest} in a tool's answer, as an object or as JSON text; null for anything else.
 */
export function readConnectRequest(value: unknown): ConnectRequest | null {
  let request = value
  if (typeof value === 'string' && value.length < 10_000 && value.includes('authorization_required')) {
    try {
      request = JSON.parse(value)
    } catch {
      return null
    }
  }
  if (typeof request !== 'object' || request === null) return null
  const { type, provider, scopes, accountId, toolName, toolCallId, message } = request as Record<string, unknown>
  if (type !== 'authorization_required' || typeof provider !== 'string' || !LIMITS.provider.test(provider)) return null
  return {
    type,
    provider,
    ...(Array.isArray(scopes) && { scopes: scopes.filter(isText) }),
    ...(isText(accountId) && { accountId }),
    ...(isText(toolName) && { toolName }),
    ...(isText(toolCallId) && { toolCallId }),
    ...(isText(message) && { message }),
  }
}
