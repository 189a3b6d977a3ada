import type { ConnectRequest } from '../identities.ts'
import { isObject } from '../json.ts'
import { parseChallenges, scopeNames } from '../protocol/www-authenticate.ts'
import { safeUrl } from '../urls.ts'

/** Who keeps the account that is asked for, by the shape of what it says. */
export type ForeignVault =
  | 'vercel-connect'
  | 'composio'
  | 'arcade'
  | 'agentcore'
  | 'google-adk'
  | 'cloudflare-agents'
  /** An MCP server that asks for a visit by URL elicitation. */
  | 'mcp'

/**
 * What another vault says when its person has to visit a page first. It came over the wire, so only `host` says whose page
 * it is: what it says of itself is left out.
 */
export interface ForeignRequest {
  vault: ForeignVault
  /** The page: https, without credentials. */
  url: string
  /** Where that is, as a browser writes it: `connect.composio.dev`. A name in another script begins with `xn--`. */
  host: string
  /** What the person types there. Letters, digits and hyphens. */
  deviceCode?: string
  /** When the page ends, in milliseconds since the epoch. */
  expiresAt?: number
}

type Said = Record<string, unknown>

/** A member of an object, by its path. Undefined if it is not there. */
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce((one, name) => (isObject(one) && Object.hasOwn(one, name) ? one[name] : undefined), value)

/** The first of some members that is there: in JavaScript and in Python one is written differently. */
const first = (value: unknown, ...paths: string[]): unknown =>
  paths.map((path) => at(value, path)).find((one) => one !== undefined)

const isSaid = (value: unknown, path: string, ...words: string[]): boolean =>
  words.some((word) => word === at(value, path))

const COMPOSIO_WAITS = ['INITIATED', 'INITIALIZING', 'initiated', 'initializing', 'pending']

/** Of a result about several toolkits: the first that waits. */
function ofToolkits(value: Said): unknown {
  const results = at(value, 'data.results')
  const all = Array.isArray(results) ? results : Object.values(isObject(results) ? results : {})
  return first(
    all.slice(0, 16).find((one) => isSaid(one, 'status', ...COMPOSIO_WAITS)),
    'redirect_url',
    'redirectUrl',
  )
}

/** Where each vault says its page. A word that others use too is asked for together with one that they do not. */
const SHAPES: readonly (readonly [ForeignVault, page: (value: Said) => unknown])[] = [
  ['vercel-connect', (it) => isSaid(it, 'status', 'connect_required') && it.url],
  ['vercel-connect', (it) => isSaid(it, 'name', 'ConsentRequiredError') && it.url],
  ['composio', (it) => isSaid(it, 'status', ...COMPOSIO_WAITS) && first(it, 'redirect_url', 'redirectUrl')],
  ['composio', (it) => first(it, 'data.response_data.redirect_url', 'data.redirect_url')],
  ['composio', ofToolkits],
  ['arcade', (it) => isSaid(it, 'status', 'pending') && it.url],
  ['arcade', (it) => isSaid(it, 'output.authorization.status', 'pending') && at(it, 'output.authorization.url')],
  ['agentcore', (it) => typeof it.sessionUri === 'string' && it.authorizationUrl],
  [
    'google-adk',
    (it) =>
      first(
        first(it, 'args', 'functionCall.args') ?? it,
        'authConfig.exchangedAuthCredential.oauth2.authUri',
        'auth_config.exchanged_auth_credential.oauth2.auth_uri',
        'exchangedAuthCredential.oauth2.authUri',
        'exchanged_auth_credential.oauth2.auth_uri',
      ),
  ],
  ['cloudflare-agents', (it) => isSaid(it, 'state', 'authenticating') && first(it, 'authUrl', 'auth_url')],
]

/** A moment as vendors write it: ISO 8601, or seconds or milliseconds since the epoch. */
function momentOf(value: unknown): number | undefined {
  // Seconds have ten digits until the year 2286.
  const moment = typeof value === 'number' ? value * (value < 1e11 ? 1000 : 1) : Date.parse(`${value}`)
  return Number.isFinite(moment) ? moment : undefined
}

/**
 * Recognises what other vaults answer when an account is missing: Vercel Connect, Composio, Arcade, Amazon Bedrock AgentCore,
 * Google's ADK and Cloudflare Agents. Null for anything else. A tool's answer, the arguments of a call that the ADK makes up
 * for it, and the state of a server are objects, and only these are read: text is never one, since others may have written it.
 *
 * ```ts
 * const foreign = readForeignRequest(part.output)
 * return foreign && <ForeignPrompt request={foreign} onReturn={regenerate} />
 * ```
 */
export function readForeignRequest(value: unknown): ForeignRequest | null {
  if (!isObject(value)) return null
  for (const [vault, pageIn] of SHAPES) {
    const page = foreignPage(vault, pageIn(value))
    if (!page) continue
    const expiresAt = momentOf(first(value, 'expiresAt', 'expires_at'))
    const deviceCode = first(value, 'deviceCode', 'userCode', 'user_code')
    return {
      ...page,
      ...(typeof deviceCode === 'string' && /^[\w-]{1,32}$/.test(deviceCode) && { deviceCode }),
      ...(expiresAt !== undefined && { expiresAt }),
    }
  }
  return null
}

/** A page of another vault, by its address alone. Null where a click must not open it. */
export function foreignPage(vault: ForeignVault, address: unknown): ForeignRequest | null {
  const url = safeUrl(address)
  return url && url.href.length <= 4096 ? { vault, url: url.href, host: url.host } : null
}

/** What a page is called whose host is its owner's alone. */
const OWNERS: readonly (readonly [name: string, host: RegExp])[] = [
  ['Vercel', /^(connect\.)?vercel\.com$/],
  ['Composio', /^(connect|platform|backend|app)\.composio\.dev$/],
  ['Arcade', /^(cloud|api|app)\.arcade\.dev$/],
  ['Amazon Bedrock AgentCore', /^bedrock-agentcore\.[a-z0-9-]+\.amazonaws\.com$/],
]

/**
 * Whose page it is, for people: a vault's own page, or the sign-in of a provider that the page knows. Undefined for any other,
 * which is shown by its host.
 *
 * @param signIns names of providers by the host of their authorization endpoint
 */
export const ownerOf = (
  { host }: ForeignRequest,
  signIns: ReadonlyMap<string, string> = new Map(),
): string | undefined => OWNERS.find(([, own]) => own.test(host))?.[0] ?? signIns.get(host)

/**
 * Recognises an answer that wants a better sign-in for an account of this page's own: a tool's `_meta["mcp/www_authenticate"]`,
 * as the OpenAI Apps SDK has it, or the body of an HTTP 412 that lists `missing_scopes`. Null for anything else.
 *
 * ```ts
 * const request = readAccessRequest(part.output, { provider: 'github' })
 * return request && <ConnectPrompt request={request} />
 * ```
 *
 * @param from.provider id of the provider that the answer is from: it asks for more of its own account only
 * @see RFC 6750 §3
 */
export function readAccessRequest(value: unknown, { provider }: { provider: string }): ConnectRequest | null {
  const scopes = challengedScopes(value) ?? missingScopes(value)
  if (!scopes) return null
  return { type: 'authorization_required', provider, ...(scopes.length > 0 && { scopes: scopes.slice(0, 100) }) }
}

/** Of the first challenge that a Bearer token meets. Undefined if there is none. */
function challengedScopes(value: unknown): string[] | undefined {
  const said = isObject(value) && isObject(value._meta) ? value._meta['mcp/www_authenticate'] : undefined
  const lines = (Array.isArray(said) ? said.slice(0, 16) : [said]).filter((line) => typeof line === 'string')
  const bearer = lines.flatMap(parseChallenges).find(({ scheme }) => scheme === 'bearer')
  return bearer && scopeNames(bearer.parameters.get('scope'))
}

function missingScopes(value: unknown): string[] | undefined {
  const listed = isObject(value) && Array.isArray(value.missing_scopes) ? value.missing_scopes.slice(0, 100) : []
  const scopes = scopeNames(listed.filter((scope) => typeof scope === 'string').join(' '))
  return scopes.length > 0 ? scopes : undefined
}
