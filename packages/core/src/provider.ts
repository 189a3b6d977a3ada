import { LatchkeyError } from './errors.ts'
import { safeUrl } from './urls.ts'

/** What a scope lets an agent do, in words a person understands. */
export interface ScopeMeaning {
  /** Plain words, shown on the card: "See your profile". */
  label: string
  access: 'read' | 'write'
  /**
   * The same in a few small words, for the account's row: "read email", "send email" become "Can read and send email".
   * Only for what writes or is sensitive: the row says nothing of the others.
   */
  short?: string
  /** Shown in warning style and never preselected. */
  sensitive?: true
}

/** Where a profile field is found in a provider's answer: a member name, or several to try in turn. Dots descend. */
export type ProfileField = string | readonly string[]

/** Reads who an account belongs to. `subject` must be stable for life: never an email address. */
export interface ProfileSource {
  endpoint: string
  method?: 'GET' | 'POST'
  fields: { subject: ProfileField } & Partial<Record<'username' | 'name' | 'email' | 'avatar' | 'url', ProfileField>>
  /** A second place to ask for the primary email address, whose failure is tolerated (GitHub). */
  emailsEndpoint?: string
  /** The endpoint answers browsers of any origin, so a profile can be refreshed without a broker. */
  cors?: true
}

interface ProviderBase<Id extends string> {
  /** `[a-z0-9-]+`, unique among an app's providers; also the prefix of its account ids. */
  id: Id
  /** The service's name as people know it. */
  name: string
  /** One line below the name. */
  description: string
  /** Where accounts come from, as the identity of the service: an issuer URL. @see RFC 8414 §2 */
  issuer: string
  /** Base URL of the service's API, without a trailing slash. */
  apiBaseUrl: string
  /** Environment variables that carry the primary secret into a tool. */
  envNames: readonly string[]
  /** Set by a factory's `baseUrl`: the one origin that may be http or private. */
  baseUrl?: string
}

/** Authorization server metadata under its registered names. @see RFC 8414 §2 */
export interface AuthorizationServer {
  issuer: string
  /** Absent: found by discovery on first intent. */
  authorization_endpoint?: string
  token_endpoint?: string
  revocation_endpoint?: string
  userinfo_endpoint?: string
  jwks_uri?: string
  code_challenge_methods_supported?: string[]
  authorization_response_iss_parameter_supported?: boolean
}

/** A provider that people sign in to, by OAuth 2.0 or OpenID Connect. */
export interface OAuthProvider<Id extends string = string> extends ProviderBase<Id> {
  /** `mcp`: server and client are found out when a person connects. See {@link McpProvider}. */
  kind: 'oauth' | 'mcp'
  server: AuthorizationServer
  /**
   * The client registration, without a secret: that belongs to the broker. `client_id` may be absent when a broker
   * names it. @see RFC 7591 §2
   */
  client: {
    client_id?: string
    token_endpoint_auth_method: 'none' | 'client_secret_post' | 'client_secret_basic'
  }
  /** Scopes asked for unless `connect` names others. */
  scopes: readonly string[]
  /** Those of them that a person who is asked first cannot leave out. Default: none. */
  requiredScopes?: readonly string[]
  /** The scopes of a sign-in that can change nothing. Absent: the service has none. */
  readOnlyScopes?: readonly string[]
  /** Every scope's meaning, by its canonical name. */
  scopeMeanings: Readonly<Record<string, ScopeMeaning>>
  /** What separates scopes in the request. Default: a space. @see RFC 6749 §3.3 */
  scopeSeparator?: ' ' | ','
  /** Other names under which the server answers with a scope, mapped to the canonical one. */
  scopeAliases?: Readonly<Record<string, string>>
  /** The server's own error codes, mapped to registered ones. @see RFC 6749 §4.1.2.1, §5.2 */
  errorAliases?: Readonly<Record<string, string>>
  /**
   * Where the access token is in an answer, such as `authed_user.access_token`. Dots descend. Its scope, refresh token
   * and life are read beside it. Default: `access_token`.
   */
  tokenPath?: string
  /** Further parameters of the authorization request. They never override protocol parameters. */
  authorizationParams?: Readonly<Record<string, string>>
  /** Parameters that make the server ask which account, for adding one to those that are connected. */
  chooserParams?: Readonly<Record<string, string>>
  /** Parameters that make the server grant what is asked for, without what was granted before. */
  onlyParams?: Readonly<Record<string, string>>
  profile?: ProfileSource
  /** How to revoke, where it is not RFC 7009 at `server.revocation_endpoint`. `{client_id}` is filled in. */
  revocation?: { endpoint: string; method: 'DELETE'; member: string }
  /** The revocation endpoint wants the token alone, without client authentication (Google). */
  revocationAuth?: 'none'
  /** Where a person can end the app's access by hand. */
  manageUrl?: string
  /** What the tokens are for; sent with every request for one. @see RFC 8707 §2 */
  resource?: string
}

/** An MCP server that wants a login. Made by `mcp()` or `mcpServers()` of `@latchkey/core/mcp`. */
export interface McpProvider<Id extends string = string> extends OAuthProvider<Id> {
  kind: 'mcp'
  mcp: {
    /** The server's endpoint (Streamable HTTP). */
    url: string
    /** Its authorization server's metadata, where the server itself does not lead there. */
    discoveryUrl?: string
    /** The authorization server that the configured client id belongs to. Default: the first that it is used at. */
    issuer?: string
    /** The resource identifier to accept instead of the URL itself: its origin, or a parent path. @see RFC 9728 §3.3 */
    resource?: string
    /** Ask through the broker, for servers that forbid browsers (CORS). Default: only where asking directly fails. */
    via?: 'broker'
    /**
     * Where people sign in, when that is another origin than the issuer's. Without it such a server is used only if its
     * answers name their issuer. The `mcpServers` JSON cannot say it: it may be pasted.
     *
     * @see RFC 9700 §4.4 · RFC 9207
     */
    authorizationOrigin?: string
    /** A `data:` URL of its picture. The client fills it in, with the name, once the server has said who it is. */
    icon?: string
  }
}

/** Whether a provider is an MCP server. */
export const isMcp = (provider: Provider | undefined): provider is McpProvider => provider?.kind === 'mcp'

/** One field of a key form. The first field of a provider is the primary secret. */
export interface KeyField {
  name: string
  label: string
  /** Masked while it is typed, unless the person asks to see it, and never shown again. */
  secret?: true
  /** Default: `text`. `url` takes an https URL; `multiline` takes JSON of several lines, and keeps it in one. */
  type?: 'text' | 'url' | 'select' | 'multiline'
  /** What a `select` offers. */
  options?: readonly { value: string; label: string }[]
  placeholder?: string
  /** A regular expression that the whole value must match. */
  pattern?: string
  /** A line below the field. */
  help?: string
}

/** One kind of credential a provider takes, told apart by the shape of the primary field. */
export interface KeyScheme {
  /** A regular expression for the primary field; absent: any. The first scheme that matches is meant. */
  pattern?: string
  /** Names of all fields it needs. */
  fields: readonly string[]
  /** How requests carry it. @see RFC 6750 §2.1 · RFC 7617 §2 */
  authorization:
    | { scheme: 'Bearer'; token: string }
    | { scheme: 'Basic'; username: string; password: string }
    | { header: string; value: string }
  /** Further environment variables: name → field. */
  env?: Readonly<Record<string, string>>
  /** The cheap call that tells a good key from a bad one. Only 401 and `refused` say "bad"; the rest says nothing. */
  verify?: ProfileSource & {
    /** JSON body; a value `{field}` is replaced by that field. */
    body?: Readonly<Record<string, string>>
    /** Statuses beside 401 that mean a bad key here. */
    refused?: readonly number[]
    /** A member that must be true for the key to be good (RFC 7662 §2.2 `active`). */
    active?: string
  }
}

/** A provider that people connect with a key that they paste. */
export interface ApiKeyProvider<Id extends string = string> extends ProviderBase<Id> {
  kind: 'api-key'
  fields: readonly KeyField[]
  schemes: readonly KeyScheme[]
  /** Where a person makes a key; opened in a new tab. */
  keyUrl: string
  /** A credential file that people paste or drop whole: for each field the member that holds it. */
  file?: { name: string; fields: Readonly<Record<string, string>> }
  /** What a person should know before pasting a key. */
  cautions: readonly string[]
  manageUrl?: string
}

/** A service that accounts come from. Pure data, made by a factory such as `github()`, `oauth()` or `apiKey()`. */
export type Provider<Id extends string = string> = OAuthProvider<Id> | McpProvider<Id> | ApiKeyProvider<Id>

/** The fields of an ApiKey by name, such as `{ key }` or `{ username, key }`. */
export type KeyFields = Record<string, string>

const misuse = (message: string, provider?: string) => new LatchkeyError('misuse', message, { provider })

/**
 * Checks a provider and returns it: id, and every URL in it. https is required, except at the origin of its own
 * `baseUrl` (self-hosted services, test servers).
 *
 * @throws LatchkeyError `misuse` with the path of the mistake.
 */
export function defineProvider<P extends Provider>(provider: P): P {
  if (!/^[a-z0-9-]+$/.test(provider.id)) {
    throw misuse(`Provider id ${JSON.stringify(provider.id)} must be of a-z, 0-9 and "-".`)
  }
  const own = provider.baseUrl === undefined ? undefined : parse(provider.baseUrl, 'baseUrl', provider.id).origin
  const check = (value: unknown, path: string): void => {
    if (typeof value === 'string') {
      // `fields.url` names a member of an answer.
      if (!/url$|endpoint$|issuer$|_uri$/i.test(path) || /\bfields\./.test(path)) return
      const url = parse(value.replace('{client_id}', 'id'), path, provider.id)
      const linkForPeople = path === 'keyUrl' || path === 'manageUrl'
      if (!safeUrl(url.href, ({ origin }) => origin === own && !linkForPeople)) {
        throw misuse(
          `${path} of provider "${provider.id}" must be an https URL without credentials. A test service: pass its origin as baseUrl.`,
          provider.id,
        )
      }
    } else if (value && typeof value === 'object') {
      for (const [key, inner] of Object.entries(value)) check(inner, path ? `${path}.${key}` : key)
    }
  }
  check(provider, '')
  return provider
}

/** Whether a URL met at run time may be used for this provider: https, or the origin of its own `baseUrl`. */
export function isAllowedUrl(provider: Provider, value: unknown): value is string {
  const { baseUrl } = provider
  return safeUrl(value, ({ origin }) => baseUrl !== undefined && origin === new URL(baseUrl).origin) !== undefined
}

function parse(value: string, path: string, provider: string): URL {
  if (!URL.canParse(value)) throw misuse(`${path} of provider "${provider}" is not a URL.`, provider)
  const url = new URL(value)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw misuse(`${path} of provider "${provider}" must be an http(s) URL.`, provider)
  }
  return url
}

/** A base URL without trailing slashes, for joining paths to it. */
export function trimBase(baseUrl: string): string {
  return baseUrl.replace(/\/+$/, '')
}

/** What any factory for a known OAuth provider takes. There is no client secret here: it belongs to the broker. */
export interface OAuthFactoryOptions {
  /** Public client identifier. Default: the broker names it on first intent. @see RFC 6749 §2.2 */
  clientId?: string
  /** Scopes to ask for. Default: the provider's least useful set. */
  scopes?: readonly string[]
  /** Those that the app is of no use without. Default: the scopes that tell who the account belongs to. */
  requiredScopes?: readonly string[]
  /** Moves authorization server, token, API and profile hosts together: a self-hosted service or a test server. */
  baseUrl?: string
  name?: string
  description?: string
}

/** What both {@link oauth} and {@link oidc} take, beside where the service is. */
interface AnyOAuthOptions<Id extends string>
  extends Pick<
    OAuthProvider<Id>,
    | 'id'
    | 'name'
    | 'authorizationParams'
    | 'manageUrl'
    | 'readOnlyScopes'
    | 'scopeAliases'
    | 'errorAliases'
    | 'tokenPath'
  > {
  description?: string
  clientId?: string
  /** The service checks PKCE with S256. Only for one whose metadata does not say so. @see RFC 8414 §2 */
  pkce?: 'S256'
  /** Default: `none`, a public client that talks to the token endpoint itself. Any other needs a broker. */
  tokenEndpointAuthMethod?: OAuthProvider['client']['token_endpoint_auth_method']
  scopeMeanings?: OAuthProvider['scopeMeanings']
  /** Default: the origin of the authorization endpoint, or of the issuer of {@link oidc}. */
  apiBaseUrl?: string
  /** Default: `{PROVIDER}_TOKEN`. */
  envNames?: readonly string[]
  /** The origin that may be http or private: pass the issuer of a test server here too. */
  baseUrl?: string
}

/** Options of {@link oauth}: any OAuth 2.0 service whose endpoints are known. */
export interface OAuthOptions<Id extends string = string>
  extends AnyOAuthOptions<Id>,
    Pick<OAuthProvider<Id>, 'scopeSeparator' | 'profile'> {
  /** Default: the origin of the authorization endpoint. @see RFC 9207 §2 */
  issuer?: string
  authorizationEndpoint: string
  tokenEndpoint: string
  revocationEndpoint?: string
  /** Default: none. */
  scopes?: readonly string[]
  /** Those of them that the app is of no use without. Default: none. */
  requiredScopes?: readonly string[]
}

/** What the options of both kinds become. `origin` is the service's own. */
const anyOAuth = <Id extends string>(options: AnyOAuthOptions<Id>, origin: string) => ({
  kind: 'oauth' as const,
  id: options.id,
  name: options.name,
  description: options.description ?? `Connect your ${options.name} account`,
  baseUrl: options.baseUrl,
  apiBaseUrl: options.apiBaseUrl ?? origin,
  envNames: options.envNames ?? [envName(options.id)],
  client: { client_id: options.clientId, token_endpoint_auth_method: options.tokenEndpointAuthMethod ?? 'none' },
  authorizationParams: options.authorizationParams,
  readOnlyScopes: options.readOnlyScopes,
  scopeAliases: options.scopeAliases,
  errorAliases: options.errorAliases,
  tokenPath: options.tokenPath,
  manageUrl: options.manageUrl,
})

const pkceOf = ({ pkce }: Pick<AnyOAuthOptions<string>, 'pkce'>) => pkce && { code_challenge_methods_supported: [pkce] }

/** Any OAuth 2.0 provider, by its endpoints: authorization code with PKCE. @see RFC 6749 §4.1 · RFC 7636 */
export function oauth<const Id extends string>(options: OAuthOptions<Id>): OAuthProvider<Id> {
  const { origin } = parse(options.authorizationEndpoint, 'authorizationEndpoint', options.id)
  const { issuer = origin } = options
  return defineProvider({
    issuer,
    ...anyOAuth(options, origin),
    server: {
      issuer,
      authorization_endpoint: options.authorizationEndpoint,
      token_endpoint: options.tokenEndpoint,
      revocation_endpoint: options.revocationEndpoint,
      ...pkceOf(options),
    },
    scopes: options.scopes ?? [],
    requiredScopes: options.requiredScopes,
    scopeMeanings: options.scopeMeanings ?? {},
    scopeSeparator: options.scopeSeparator,
    profile: options.profile,
  })
}

/** Options of {@link oidc}: an OpenID Connect service, found by its issuer. */
export interface OidcOptions<Id extends string = string> extends AnyOAuthOptions<Id> {
  /** Its metadata is read from `{issuer}/.well-known/openid-configuration`. @see OpenID Connect Discovery 1.0 §4 */
  issuer: string
  /** Default: `openid profile email`. */
  scopes?: readonly string[]
  /** Those of them that the app is of no use without. Default: `openid`. */
  requiredScopes?: readonly string[]
}

const OIDC_SCOPES: OAuthProvider['scopeMeanings'] = {
  openid: { label: 'Know who you are', access: 'read' },
  profile: { label: 'See your name and picture', access: 'read' },
  email: { label: 'See your email address', access: 'read' },
  offline_access: { label: 'Keep access when you are away, until you disconnect', access: 'read' },
}

/** Where an OpenID Connect userinfo answer holds a profile. @see OpenID Connect Core 1.0 §5.1 */
export const OIDC_PROFILE_FIELDS: ProfileSource['fields'] = {
  subject: 'sub',
  username: ['preferred_username', 'email'],
  name: 'name',
  email: 'email',
  avatar: 'picture',
  url: 'profile',
}

/** Any OpenID Connect provider, by its issuer; endpoints come from discovery. @see OpenID Connect Discovery 1.0 §4 */
export function oidc<const Id extends string>(options: OidcOptions<Id>): OAuthProvider<Id> {
  const { issuer, scopes = ['openid', 'profile', 'email'], requiredScopes = ['openid'] } = options
  return defineProvider({
    issuer,
    ...anyOAuth(options, parse(issuer, 'issuer', options.id).origin),
    server: { issuer, ...pkceOf(options) },
    scopes,
    requiredScopes,
    scopeMeanings: { ...OIDC_SCOPES, ...options.scopeMeanings },
  })
}

/** Options of {@link apiKey}: any service that people connect by pasting a key. */
export interface ApiKeyOptions<Id extends string = string>
  extends Pick<ApiKeyProvider<Id>, 'id' | 'name' | 'keyUrl' | 'apiBaseUrl' | 'file' | 'manageUrl' | 'baseUrl'> {
  description?: string
  /** Default: one field, "API key". The first is the primary secret. */
  fields?: readonly KeyField[]
  /** Default: `Authorization: Bearer` with the primary field. */
  schemes?: readonly KeyScheme[]
  /** A cheap call that a good key passes and a bad one fails with 401. Absent: keys are saved as "Not checked yet". */
  verify?: KeyScheme['verify']
  /** Default: the origin of `apiBaseUrl`. */
  issuer?: string
  envNames?: readonly string[]
  cautions?: readonly string[]
}

/** Any provider that people connect by pasting an API key. */
export function apiKey<const Id extends string>(options: ApiKeyOptions<Id>): ApiKeyProvider<Id> {
  const fields = options.fields ?? [{ name: 'key', label: 'API key', secret: true }]
  const [primary] = fields
  if (!primary) throw misuse(`Provider "${options.id}" needs at least one field: the key.`, options.id)
  const names = fields.map(({ name }) => name)
  return defineProvider({
    kind: 'api-key',
    id: options.id,
    name: options.name,
    description: options.description ?? `Connect ${options.name} with an API key`,
    issuer: options.issuer ?? parse(options.apiBaseUrl, 'apiBaseUrl', options.id).origin,
    baseUrl: options.baseUrl,
    apiBaseUrl: trimBase(options.apiBaseUrl),
    envNames: options.envNames ?? [envName(options.id)],
    fields,
    schemes: options.schemes ?? [
      { fields: names, authorization: { scheme: 'Bearer', token: primary.name }, verify: options.verify },
    ],
    keyUrl: options.keyUrl,
    file: options.file,
    cautions: options.cautions ?? [],
    manageUrl: options.manageUrl,
  })
}

/** The environment variable of a provider without one of its own: `my-service` → `MY_SERVICE_TOKEN`. */
export function envName(providerId: string): string {
  return `${providerId.toUpperCase().replace(/\W/g, '_')}_TOKEN`
}

/** The kind of credential that these fields are, or undefined when the primary field is empty. */
export function keyScheme(provider: ApiKeyProvider, fields: KeyFields): KeyScheme | undefined {
  const primary = provider.fields[0] && fields[provider.fields[0].name]
  if (!primary) return undefined
  return provider.schemes.find(({ pattern }) => !pattern || new RegExp(pattern).test(primary))
}

/**
 * The fields in the text of a provider's credential file, such as a whole pasted or dropped `kaggle.json`. Undefined
 * for any text that is not one.
 */
export function readKeyFile(provider: ApiKeyProvider, text: string): KeyFields | undefined {
  const primary = provider.fields[0]?.name
  if (!provider.file || !primary || !text.trimStart().startsWith('{')) return undefined
  try {
    const file: Record<string, unknown> = JSON.parse(text)
    const found = Object.entries(provider.file.fields).flatMap(([field, member]) => {
      const value = Object.hasOwn(file, member) ? file[member] : undefined
      return typeof value === 'string' ? [[field, value.trim()] as const] : []
    })
    const fields = Object.fromEntries(found)
    return fields[primary] ? fields : undefined
  } catch {
    return undefined
  }
}

/** What a server's own name for a scope or an error stands for. */
export const aliasOf = (aliases: Readonly<Record<string, string>> = {}, name: string): string =>
  (Object.hasOwn(aliases, name) && aliases[name]) || name

/** Scope names out of a server's answer, whichever separator and alias it used. @see RFC 6749 §3.3 */
export function parseScope(provider: OAuthProvider, scope: string): string[] {
  const names = scope.split(/[\s,]+/).filter(Boolean)
  return [...new Set(names.map((name) => aliasOf(provider.scopeAliases, name)))]
}
