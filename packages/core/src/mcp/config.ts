import { LatchkeyError } from '../errors.ts'
import { defineProvider, envName, type McpProvider, type OAuthProvider } from '../provider.ts'
import { hostKind } from './host-kind.ts'

/** How a server wants to be signed in to. */
export interface McpServerAuth {
  type?: 'oauth2'
  /** This app's client id there, when it was registered before. */
  clientId?: string
  /** Scopes to ask for. Default: what the server's challenge names, else all that it knows. */
  scopes?: readonly string[]
  /** Its authorization server's metadata, where the server itself does not lead there. */
  discoveryUrl?: string
  /** The authorization server that `clientId` belongs to. Default: the first that it is used at. */
  issuer?: string
  /** The resource identifier to accept instead of the URL: its origin, or a parent path. @see RFC 9728 §3.3 */
  resource?: string
}

/** One entry of `mcpServers`, as agents are configured with it. */
export interface McpServerConfig {
  type?: string
  url?: string
  /** `null`: the server needs no login. */
  auth?: McpServerAuth | null
  headers?: Readonly<Record<string, string>>
  command?: string
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  disabled?: boolean
}

/** A variable that an entry takes from the environment, such as `${GITHUB_TOKEN}`. */
export interface McpReference {
  /** Where it stands: `mcpServers.github.env.GITHUB_TOKEN`. */
  path: string
  variable: string
}

/** An entry of the configuration, understood. */
export interface McpServerEntry {
  id: string
  name: string
  /** `oauth`: connected by signing in. `open`: needs no login. `headers`: carries what the headers say. `command`: runs beside the agent. */
  kind: 'oauth' | 'open' | 'headers' | 'command'
  url?: string
  headers?: Readonly<Record<string, string>>
  command?: string
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  /** Variables that connected accounts fill. */
  references: readonly McpReference[]
}

/** The entries of an MCP configuration. */
export interface McpServers {
  /** One per server that people sign in to. */
  providers: McpProvider[]
  /** Every entry, in order. */
  servers: McpServerEntry[]
}

/** One MCP server, and how to sign in to it. */
export interface McpOptions extends McpServerAuth {
  /** Default: the host. */
  id?: string
  name?: string
  description?: string
  url: string
  /** Ask through the broker, for servers that forbid browsers (CORS). Default: only where asking directly fails. */
  via?: 'broker'
  /**
   * Where people sign in, when that is another origin than the issuer's. Without it such a server is used only if its
   * answers name their issuer. The `mcpServers` JSON cannot say it: it may be pasted.
   *
   * @see RFC 9700 §4.4 · RFC 9207
   */
  authorizationOrigin?: string
}

/** An MCP server that people sign in to. Endpoints and client are found out when somebody connects. */
export function mcp(options: McpOptions): McpProvider {
  const { url: address, clientId, scopes = [], discoveryUrl, issuer, resource, via, authorizationOrigin } = options
  const where = options.id ?? 'mcp'
  const url = httpUrl(address, `${where}.url`)
  if (discoveryUrl) httpUrl(discoveryUrl, `${where}.auth.discoveryUrl`)
  if (resource) checkResource(resource, url, `${where}.auth.resource`)
  const name = options.name ?? url.host
  const id = options.id ?? slug(url.host + url.pathname)
  return defineProvider({
    kind: 'mcp',
    id,
    name: cleanName(name),
    description: options.description ?? url.host,
    issuer: url.origin,
    apiBaseUrl: url.href,
    envNames: [envName(id)],
    baseUrl: url.origin,
    mcp: {
      url: url.href,
      ...(discoveryUrl && { discoveryUrl }),
      ...(issuer && { issuer }),
      ...(resource && { resource }),
      ...(via && { via }),
      ...(authorizationOrigin && {
        authorizationOrigin: httpUrl(authorizationOrigin, `${where}.authorizationOrigin`).origin,
      }),
    },
    server: { issuer: url.origin },
    client: { ...(clientId && { client_id: clientId }), token_endpoint_auth_method: 'none' },
    scopes,
    scopeMeanings: {},
  } satisfies OAuthProvider & { mcp: McpProvider['mcp'] }) as McpProvider
}

const wrong = (path: string, what: string) => new LatchkeyError('misuse', `${path}: ${what}`, { next: 'configure' })

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads the `mcpServers` JSON that agents are configured with: the whole file, or its inner object.
 *
 * @throws LatchkeyError `misuse` that names the path of the mistake.
 */
export function mcpServers(config: unknown): McpServers {
  const json = typeof config === 'string' ? parse(config) : config
  if (!isObject(json)) throw wrong('mcpServers', 'expected an object of servers by name.')
  const root = 'mcpServers' in json ? json.mcpServers : json
  if (!isObject(root)) throw wrong('mcpServers', 'expected an object of servers by name.')
  const providers: McpProvider[] = []
  const servers: McpServerEntry[] = []
  for (const [name, value] of Object.entries(root)) {
    const path = `mcpServers.${name}`
    if (!isObject(value)) throw wrong(path, 'expected an object with "url" or "command".')
    if (value.disabled === true) continue
    const id = slug(name)
    if (!id) throw wrong(path, 'the name needs a letter or a digit.')
    if (servers.some((server) => server.id === id)) throw wrong(path, `another server is called "${id}" already.`)
    const entry = readEntry(id, cleanName(name), value, path)
    servers.push(entry)
    if (entry.kind === 'oauth') {
      try {
        providers.push(mcp({ ...readAuth(value.auth, `${path}.auth`), id, name, url: entry.url ?? '' }))
      } catch (error) {
        throw error instanceof LatchkeyError && !error.message.startsWith(path)
          ? wrong(path, error.message.replace(`${id}.`, ''))
          : error
      }
    }
  }
  return { providers, servers }
}

function parse(text: string): unknown {
  if (text.length > 256 * 1024) throw wrong('mcpServers', 'the text is too long.')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw wrong('mcpServers', `this is not JSON (${(error as Error).message.slice(0, 120)}).`)
  }
}

function readEntry(id: string, name: string, value: Record<string, unknown>, path: string): McpServerEntry {
  const { url, command, auth } = value
  if ((url === undefined) === (command === undefined)) {
    throw wrong(path, 'expected either "url", for a server on the network, or "command", for one beside the agent.')
  }
  const headers = strings(value.headers, `${path}.headers`)
  const env = strings(value.env, `${path}.env`)
  const references = [...referencesIn(env, `${path}.env`), ...referencesIn(headers, `${path}.headers`)]
  if (command !== undefined) {
    if (typeof command !== 'string' || !command) throw wrong(`${path}.command`, 'expected the name of a program.')
    noReference(command, `${path}.command`)
    const args = value.args ?? []
    if (!Array.isArray(args)) throw wrong(`${path}.args`, 'expected a list of strings.')
    args.forEach((arg, at) => {
      if (typeof arg !== 'string') throw wrong(`${path}.args.${at}`, 'expected a string.')
      noReference(arg, `${path}.args.${at}`)
    })
    return { id, name, kind: 'command', command, args, env, references }
  }
  if (typeof url !== 'string') throw wrong(`${path}.url`, 'expected the URL of the server.')
  noReference(url, `${path}.url`)
  const address = httpUrl(url, `${path}.url`).href
  if (auth !== undefined && auth !== null && !isObject(auth)) {
    throw wrong(`${path}.auth`, 'expected { "type": "oauth2" }, or null for a server without a login.')
  }
  if (Object.keys(headers).length > 0) {
    if (isObject(auth)) throw wrong(`${path}.auth`, 'a server has either headers of its own or a login.')
    return { id, name, kind: 'headers', url: address, headers, references }
  }
  return { id, name, kind: auth === null ? 'open' : 'oauth', url: address, references }
}

function readAuth(auth: unknown, path: string): McpServerAuth {
  if (!isObject(auth)) return {}
  const { type = 'oauth2', scopes, clientSecret, client_secret } = auth
  if (type !== 'oauth2') throw wrong(`${path}.type`, 'expected "oauth2".')
  if (clientSecret !== undefined || client_secret !== undefined) {
    throw wrong(`${path}.clientSecret`, 'a browser cannot keep a secret. Give it to the server, not to the page.')
  }
  const text = (name: 'clientId' | 'discoveryUrl' | 'issuer' | 'resource') => {
    const value = auth[name]
    if (value === undefined) return {}
    if (typeof value !== 'string' || !value) throw wrong(`${path}.${name}`, 'expected a string.')
    if (name !== 'clientId') httpUrl(value, `${path}.${name}`)
    return { [name]: value }
  }
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every((one) => typeof one === 'string'))) {
    throw wrong(`${path}.scopes`, 'expected a list of strings.')
  }
  return {
    ...text('clientId'),
    ...text('discoveryUrl'),
    ...text('issuer'),
    ...text('resource'),
    ...(Array.isArray(scopes) && { scopes }),
  }
}

function strings(value: unknown, path: string): Record<string, string> {
  if (value === undefined) return {}
  if (!isObject(value)) throw wrong(path, 'expected an object of strings.')
  for (const [name, one] of Object.entries(value)) {
    if (typeof one !== 'string') throw wrong(`${path}.${name}`, 'expected a string.')
  }
  return value as Record<string, string>
}

const REFERENCE = /\$\{(?:env:)?([A-Za-z_]\w*)(?::-[^}]*)?\}/g

/** Arguments are in every process list, addresses in every log. */
function noReference(value: string, path: string) {
  if (value.match(REFERENCE)) throw wrong(path, 'an account would be seen here. Refer to it in "env" or "headers".')
}

function* referencesIn(values: Record<string, string>, path: string): Generator<McpReference> {
  for (const [name, value] of Object.entries(values)) {
    for (const [, variable] of value.matchAll(REFERENCE)) yield { path: `${path}.${name}`, variable: variable! }
  }
}

/**
 * Fills `${NAME}` references from an environment, such as the one that identities make. One that is not in there is an
 * error: a server must not be started with a hole where its token should be.
 */
export function fillReferences(value: string, env: Readonly<Record<string, string | undefined>>): string {
  return value.replace(REFERENCE, (_, name: string) => {
    const found = Object.hasOwn(env, name) ? env[name] : undefined
    if (found === undefined)
      throw new LatchkeyError('login_required', `Nothing connected provides ${name}.`, { next: 'connect' })
    return found
  })
}

function httpUrl(value: string, path: string): URL {
  if (!URL.canParse(value)) throw wrong(path, 'this is not a URL.')
  const url = new URL(value)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw wrong(path, 'expected an https URL.')
  if (url.username || url.password) throw wrong(path, 'a URL must hold no credentials.')
  if (url.hash) throw wrong(path, 'a URL must have no fragment.')
  if (url.protocol === 'http:' && hostKind(url.hostname) !== 'loopback') {
    throw wrong(path, 'expected https: http is for this machine only.')
  }
  return url
}

/** The origin of the server, or a path above it. */
function checkResource(resource: string, url: URL, path: string) {
  const { origin, pathname } = httpUrl(resource, path)
  const base = pathname.replace(/\/$/, '')
  if (origin !== url.origin || (url.pathname !== base && !url.pathname.startsWith(`${base}/`))) {
    throw wrong(path, "expected the server's origin, or a path above its own.")
  }
}

const slug = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)

/** Text of somebody else as a name to show: no invisible or direction-changing characters, one line, short. */
export function cleanName(name: string): string {
  return (
    name
      .normalize('NFC')
      .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, '')
      .replace(/[<>]/g, '')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 64) || 'MCP server'
  )
}
