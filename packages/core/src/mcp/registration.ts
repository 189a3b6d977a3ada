import { openDatabase } from '../accounts/database.ts'
import type { AppMetadata } from '../accounts/page.ts'
import { keySeal, plainSeal } from '../accounts/seal.ts'
import { asLatchkeyError, LatchkeyError } from '../errors.ts'
import { wordsOf } from '../protocol/answers.ts'
import { codeFromServer } from '../protocol/error-codes.ts'
import { type Ask, askObject, isAway, limited } from '../protocol/http.ts'
import type { OAuthProvider } from '../provider.ts'
import { localStorageStore, type StateStorage } from '../storage.ts'
import { httpUrl, wrong } from './config.ts'
import type { McpAuthorizationServer } from './discovery.ts'
import { hostKind } from './host-kind.ts'

/**
 * How a client authenticates at the token endpoint.
 *
 * @see RFC 7591 §2
 */
export type AuthMethod = OAuthProvider['client']['token_endpoint_auth_method']

/** The best first. */
const METHODS = ['none', 'client_secret_basic', 'client_secret_post'] as const satisfies AuthMethod[]

/** How a client id came to be. */
export type RegistrationMethod = 'pre-registered' | 'metadata-document' | 'dynamic'

/** This app at one authorization server: facts only. Belongs to `issuer` and is shown to no other. */
export interface Registration {
  issuer: string
  client_id: string
  method: RegistrationMethod
  token_endpoint_auth_method: AuthMethod
  redirect_uris: readonly string[]
  /** Seconds since the epoch. */
  client_id_issued_at?: number
  /** Seconds since the epoch; absent: never. */
  client_secret_expires_at?: number
  /** Where it can be read, changed and deleted. @see RFC 7592 §3 */
  registration_client_uri?: string
  /** The server publishes no metadata: MCP 2025-03-26. */
  legacy?: true
}

/** A registration with what proves it. Never shown, never in a snapshot. */
export interface RegisteredClient extends Registration {
  client_secret?: string
  registration_access_token?: string
}

/** What a new registration asks for. */
export interface RegisterOptions {
  redirectUri: string
  app?: AppMetadata
  /** Scopes the client may ask for; most servers ignore it. */
  scope?: string
  /** What the server is called in errors. */
  name?: string
  provider?: string
  ask?: Ask
}

/** Where registrations are stored. */
export interface RegistrationsOptions {
  storage?: StateStorage
  prefix?: string
}

/** Which ways of getting a client id a server supports. */
export interface RegistrationSupport {
  metadataDocument: boolean
  dynamic: boolean
}

const isPrintable = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x20-\x7e]{1,2048}$/.test(value)

/** One client per authorization server, by issuer. What comes out of it are facts, never a secret. @see RFC 7591 · RFC 7592 */
export interface Registrations {
  /** This app's client at an issuer. */
  find(issuer: string): Promise<Registration | undefined>
  list(): Promise<Registration[]>
  /** Keeps a client that was registered elsewhere: in the server's console, or by a metadata document. */
  remember(client: RegisteredClient): Promise<Registration>
  /** @throws LatchkeyError with the server's code when it refuses. */
  register(server: McpAuthorizationServer, options: RegisterOptions): Promise<Registration>
  /**
   * Sends the app's metadata again, which also renews an expiring secret.
   *
   * @throws LatchkeyError `misuse` where the server offers no way.
   * @see RFC 7592 §2.2
   */
  update(issuer: string, options: RegisterOptions): Promise<Registration>
  /**
   * The client at a server. It is made in the best way that the server supports when there is none, or when it has
   * expired.
   *
   * @throws LatchkeyError `not_configured` where there is no such way.
   */
  getOrCreate(server: McpAuthorizationServer, options: RegisterOptions): Promise<Registration>
  /** Deletes the registration at the server, where it offers that, and here in every case. @see RFC 7592 §2.3 */
  delete(issuer: string, ask?: Ask): Promise<{ status: 'deleted' | 'forgotten' }>
  /** Deletes the registration here. */
  forget(issuer: string): Promise<void>
  /** Calls back when a registration comes, changes or goes. Returns what ends it. */
  subscribe(listener: () => void): () => void
}

/** Registrations, and the secrets in them: for what talks to token endpoints. */
export interface RegistrationStore extends Registrations {
  /** The client with its secret. Undefined also where the secret is lost: then a new one is made. */
  open(issuer: string): Promise<RegisteredClient | undefined>
}

/**
 * Keeps one client registration per authorization server, and makes those that are missing.
 *
 * @see RFC 7591
 */
export function createRegistrations(options: RegistrationsOptions = {}): RegistrationStore {
  const { storage = localStorageStore(), prefix = 'latchkey' } = options
  const seal = storage.secrets === 'plain' ? plainSeal : keySeal(openDatabase(prefix))
  const keyOf = (issuer: string) => `${prefix}:registration:${issuer}`
  const context = (issuer: string) => `${prefix}\nregistration\n${issuer}`
  const pending = new Map<string, Promise<Registration>>()
  const listeners = new Set<() => void>()
  const indexKey = `${prefix}:registrations`

  async function issuers(): Promise<string[]> {
    try {
      const names: unknown = JSON.parse((await storage.getItem(indexKey)) ?? '[]')
      return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
    } catch {
      return []
    }
  }

  async function write(client: RegisteredClient): Promise<Registration> {
    const { client_secret, registration_access_token } = client
    const facts = withoutSecrets(client)
    const hasSecret = client_secret || registration_access_token
    const secrets = JSON.stringify({ client_secret, registration_access_token })
    const sealed = hasSecret ? await seal.seal(secrets, context(client.issuer)) : undefined
    await storage.setItem(keyOf(client.issuer), JSON.stringify({ v: 1, facts, sealed }))
    await storage.setItem(indexKey, JSON.stringify([...new Set([...(await issuers()), client.issuer])]))
    for (const listener of listeners) listener()
    return facts
  }

  async function open(issuer: string): Promise<RegisteredClient | undefined> {
    try {
      const { v, facts, sealed } = JSON.parse((await storage.getItem(keyOf(issuer))) ?? 'null')
      if (v !== 1 || facts.issuer !== issuer || !isPrintable(facts.client_id)) return undefined
      if (!sealed) return facts
      const secret = await seal.unseal(sealed, context(issuer))
      return secret === undefined ? undefined : { ...facts, ...JSON.parse(secret) }
    } catch {
      return undefined
    }
  }

  async function forget(issuer: string): Promise<void> {
    await storage.removeItem(keyOf(issuer))
    await storage.setItem(indexKey, JSON.stringify((await issuers()).filter((name) => name !== issuer)))
    for (const listener of listeners) listener()
  }

  async function create(server: McpAuthorizationServer, register: RegisterOptions): Promise<Registration> {
    const { issuer } = server
    const { redirectUri, app, name = issuer, provider } = register
    const known = await open(issuer)
    if (known && fits(known, redirectUri)) return withoutSecrets(known)
    const { metadataDocument, dynamic } = supports(server)
    if (app?.clientMetadataUrl && metadataDocument) {
      return write({
        issuer,
        client_id: checkClientMetadataUrl(app.clientMetadataUrl),
        method: 'metadata-document',
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirectUri],
      })
    }
    if (dynamic) return registrations.register(server, register)
    throw new LatchkeyError(
      'not_configured',
      `${name} takes only apps that were registered with it before. Register this app there and add its client id.`,
      { provider },
    )
  }

  const registrations: RegistrationStore = {
    open,
    async find(issuer) {
      const client = await open(issuer)
      return client && withoutSecrets(client)
    },
    forget,
    remember: write,
    register: async (server, register) => write(await requestRegistration(server, register)),
    async update(issuer, register) {
      const old = await open(issuer)
      if (!old?.registration_client_uri || !old.registration_access_token) {
        throw new LatchkeyError('misuse', `The registration at ${issuer} cannot be changed: the server offers no way.`)
      }
      return write(await requestRegistration({ issuer } as McpAuthorizationServer, register, old))
    },
    async delete(issuer, ask) {
      const { registration_client_uri: uri, registration_access_token: token } = (await open(issuer)) ?? {}
      await forget(issuer)
      if (!uri || !token) return { status: 'forgotten' }
      const headers = { authorization: `Bearer ${token}` }
      const request = { method: 'DELETE', headers, redirect: 'error', credentials: 'omit' } as const
      const { ok, status } = await limited({ fetch: ask })(uri, request).catch(() => Response.error())
      // 401: it was deleted there before. RFC 7592 §2.3
      return { status: ok || status === 401 || status === 404 ? 'deleted' : 'forgotten' }
    },
    getOrCreate(server, register) {
      const key = keyOf(server.issuer)
      // One at a time in this page and among its tabs, so that many connects at once make one registration.
      const locks = storage.scope === 'tab' ? undefined : globalThis.navigator?.locks
      const make = () => create(server, register)
      const begin = () => Promise.resolve(locks ? locks.request(key, make) : make())
      const made = pending.get(key) ?? begin().finally(() => pending.delete(key))
      pending.set(key, made)
      return made
    },
    async list() {
      const found = await Promise.all((await issuers()).map(open))
      return found.flatMap((client) => (client ? withoutSecrets(client) : []))
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return registrations
}

/** Which ways of getting a client id this server supports. */
export function supports(server: McpAuthorizationServer): RegistrationSupport {
  return {
    metadataDocument: server.client_id_metadata_document_supported === true,
    dynamic: server.registration_endpoint !== undefined,
  }
}

/** What may be shown of a client. */
export const withoutSecrets = ({
  client_secret: _,
  registration_access_token: __,
  ...facts
}: RegisteredClient): Registration => facts

const fits = ({ redirect_uris, method, ...client }: Registration, redirectUri: string) =>
  !expired(client) && (method === 'pre-registered' || redirect_uris.includes(redirectUri))

/** A minute early: it should last until the token endpoint has seen it. */
export const expired = ({ client_secret_expires_at }: Pick<Registration, 'client_secret_expires_at'>): boolean =>
  client_secret_expires_at !== undefined && (client_secret_expires_at - 60) * 1000 <= Date.now()

/** What this app tells a server about itself. @see RFC 7591 §2 · OpenID Connect Dynamic Client Registration §2 */
function metadata(
  server: McpAuthorizationServer,
  { redirectUri, app, scope }: RegisterOptions,
  old: RegisteredClient | undefined,
) {
  const { clientMetadataUrl: _url, client_name = 'Latchkey', ...rest } = app ?? {}
  const { hostname, protocol } = new URL(redirectUri)
  const methods = server.token_endpoint_auth_methods_supported
  return {
    ...rest,
    client_name,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    client_id: old?.client_id,
    token_endpoint_auth_method:
      old?.token_endpoint_auth_method ?? METHODS.find((method) => methods?.includes(method)) ?? 'none',
    application_type: protocol === 'https:' && hostKind(hostname) !== 'loopback' ? 'web' : 'native',
    scope,
  }
}

async function requestRegistration(
  server: McpAuthorizationServer,
  options: RegisterOptions,
  old?: RegisteredClient,
): Promise<RegisteredClient> {
  const { ask, provider, name = server.issuer } = options
  const asked = metadata(server, options, old)
  const headers = old && { authorization: `Bearer ${old.registration_access_token}` }
  const about = { provider, next: 'retry' } as const
  const { response, answer = {} } = await askObject(
    old?.registration_client_uri ?? server.registration_endpoint ?? '',
    {
      method: old ? 'PUT' : 'POST',
      headers,
      credentials: 'omit',
      json: asked,
    },
    { fetch: ask },
  ).catch((error) => {
    throw asLatchkeyError(error, 'network', `${name} could not be reached to register this app.`, about)
  })
  if (!response.ok) {
    const code = isAway(response) ? 'temporarily_unavailable' : codeFromServer(answer.error, 'unauthorized_client')
    const detail = wordsOf(answer.error_description, { headers })
    throw new LatchkeyError(code, `${name} does not register this app: ${code}.`, { ...about, detail })
  }
  return checkAnswer(answer, asked, server, old, about)
}

/** Believes an answer only where it says what was asked for. @see RFC 7591 §3.2.1 */
function checkAnswer(
  answer: Record<string, unknown>,
  asked: ReturnType<typeof metadata>,
  server: McpAuthorizationServer,
  old: RegisteredClient | undefined,
  about: { provider?: string; next: 'retry' },
): RegisteredClient {
  const { client_id, redirect_uris = asked.redirect_uris, client_secret = old?.client_secret } = answer
  const { token_endpoint_auth_method = asked.token_endpoint_auth_method } = answer
  const method = METHODS.find((one) => one === token_endpoint_auth_method)
  const { registration_client_uri: uri = old?.registration_client_uri } = answer
  const { registration_access_token: token = old?.registration_access_token } = answer
  const refuse = (what: string) =>
    new LatchkeyError('malformed_response', `The registration at ${server.issuer} ${what}.`, about)
  if (!isPrintable(client_id)) throw refuse('has no usable client id')
  if (old && client_id !== old.client_id) throw refuse('came back as another')
  if (
    !Array.isArray(redirect_uris) ||
    (redirect_uris.length > 0 && asked.redirect_uris.some((uri) => !redirect_uris.includes(uri)))
  ) {
    throw refuse('sends people to another address')
  }
  if (client_secret !== undefined && !isPrintable(client_secret)) throw refuse('has no usable secret')
  if (!method) throw refuse('asks for a way to authenticate that is not known here')
  if (method !== 'none' && !client_secret) throw refuse('has no secret')
  // Its token goes there: to the server that gave it, and nowhere else.
  const isManaged =
    isPrintable(token) &&
    typeof uri === 'string' &&
    URL.canParse(uri) &&
    new URL(uri).origin === new URL(old?.registration_client_uri ?? server.registration_endpoint ?? '').origin
  const client: RegisteredClient = {
    issuer: server.issuer,
    client_id,
    method: 'dynamic',
    token_endpoint_auth_method: method,
    redirect_uris: asked.redirect_uris,
    client_id_issued_at: Number(answer.client_id_issued_at) || undefined,
    ...(method !== 'none' && {
      client_secret,
      client_secret_expires_at: Number(answer.client_secret_expires_at) || undefined,
    }),
    ...(isManaged && { registration_client_uri: uri, registration_access_token: token }),
    legacy: server.legacy,
  }
  if (expired(client)) throw refuse('has expired already')
  return client
}

/** Checks the URL of this app's own client ID metadata document. @throws LatchkeyError `misuse` */
export function checkClientMetadataUrl(value: string): string {
  const path = 'clientMetadataUrl'
  const { protocol, pathname } = httpUrl(value, path)
  if (protocol !== 'https:') throw wrong(path, 'expected an https URL.')
  if (value.includes('@')) throw wrong(path, 'a URL must hold no credentials.')
  if (pathname === '/') throw wrong(path, 'the URL needs a path.')
  if (/\/(\.|%2e){1,2}(\/|$)/i.test(value.slice('https://'.length))) throw wrong(path, 'expected no "." or ".." in it.')
  return value
}

/**
 * Reads this app's client ID metadata document as an authorization server would, and says what is wrong with it.
 *
 * @throws LatchkeyError `misuse` with the mistake.
 * @see OAuth Client ID Metadata Document §4
 */
export async function checkClientMetadata(url: string, redirectUri: string, ask?: Ask): Promise<void> {
  const where = `The document at ${checkClientMetadataUrl(url)}`
  const refuse = (what: string) => new LatchkeyError('misuse', `${where} ${what}.`)
  const { response, answer = {} } = await askObject(url, { credentials: 'omit', redirect: 'manual' }, { fetch: ask })
  if (response.status !== 200) throw refuse('is not there without a session or a redirect (status 200)')
  const { client_id, client_name, client_secret, redirect_uris, token_endpoint_auth_method: method } = answer
  if (client_id !== url) throw refuse('must name its own URL as client_id')
  if (typeof client_name !== 'string') throw refuse('needs a client_name')
  if (!Array.isArray(redirect_uris) || !redirect_uris.includes(redirectUri)) {
    throw refuse(`must list ${redirectUri} in redirect_uris`)
  }
  if (client_secret !== undefined || (typeof method === 'string' && method.startsWith('client_secret'))) {
    throw refuse('must hold no secret, and use no method that needs one')
  }
}
