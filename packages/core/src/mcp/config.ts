import { LatchkeyError } from '../errors.ts'
import { isObject } from '../json.ts'
import { cleanName } from '../names.ts'
import { defineProvider, envName, type McpProvider } from '../provider.ts'
import { safeUrl } from '../urls.ts'
import { hostKind } from './host-kind.ts'

/** How a server wants to be signed in to. */
export interface McpServerAuth extends Pick<McpProvider['mcp'], 'discoveryUrl' | 'issuer' | 'resource'> {
  type?: 'oauth2'
  /** This app's client id there, when it was registered before. */
  clientId?: string
  /** Scopes to ask for. Default: what the server's challenge names, else all that it knows. */
  scopes?: readonly string[]
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
export interface McpServerEntry extends Pick<McpServerConfig, 'url' | 'headers' | 'command' | 'args' | 'env'> {
  id: string
  name: string
  /** `oauth`: connected by signing in. `open`: needs no login. `headers`: carries what the headers say. `command`: runs beside the agent. */
  kind: 'oauth' | 'open' | 'headers' | 'command'
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
export interface McpOptions extends McpServerAuth, Pick<McpProvider['mcp'], 'url' | 'via' | 'authorizationOrigin'> {
  /** Default: the host. */
  id?: string
  name?: string
  description?: string
}

/** An MCP server that people sign in to. Endpoints and client are discovered when a person connects. */
export const mcp = (options: McpOptions): McpProvider => define(options, options.id ?? 'mcp')

/** What {@link mcp} makes this provider of, as JSON. It holds no secret. */
export function mcpOptions({ id, name, description, client, scopes, mcp }: McpProvider): McpOptions {
  const { url, discoveryUrl, issuer, resource, via, authorizationOrigin } = mcp
  const place = { url, discoveryUrl, issuer, resource, via, authorizationOrigin }
  return { id, name, description, ...place, clientId: client.client_id, scopes }
}

/** @param path where the options stand in a configuration. */
function define(options: McpOptions, path: string): McpProvider {
  const { clientId, scopes = [], discoveryUrl, issuer, resource, via, authorizationOrigin } = options
  const url = httpUrl(options.url, `${path}.url`)
  const signIn = authorizationOrigin && httpUrl(authorizationOrigin, `${path}.authorizationOrigin`).origin
  for (const [name, value] of Object.entries({ discoveryUrl, issuer, resource })) {
    if (value) httpUrl(value, `${path}.auth.${name}`)
  }
  if (resource && !isAbove(new URL(resource), url)) {
    throw wrong(`${path}.auth.resource`, "expected the server's origin, or a path above its own.")
  }
  const { host, href, origin, pathname } = url
  const id = options.id ?? slug(host + pathname)
  return defineProvider({
    kind: 'mcp',
    id,
    name: cleanName(options.name ?? host),
    description: options.description ?? host,
    issuer: origin,
    apiBaseUrl: href,
    envNames: [envName(id)],
    baseUrl: origin,
    mcp: { url: href, discoveryUrl, issuer, resource, via, authorizationOrigin: signIn },
    server: { issuer: origin },
    client: { client_id: clientId, token_endpoint_auth_method: 'none' },
    scopes,
    scopeMeanings: {},
  })
}

export const wrong = (path: string, what: string) => new LatchkeyError('misuse', `${path}: ${what}`)

/**
 * Reads the `mcpServers` JSON that agents are configured with: the whole file, or its inner object.
 *
 * @throws LatchkeyError `misuse` that names the path of the mistake.
 */
export function mcpServers(config: unknown): McpServers {
  const json = typeof config === 'string' ? parse(config) : config
  const root = isObject(json) && 'mcpServers' in json ? json.mcpServers : json
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
      providers.push(define({ ...readAuth(value.auth, `${path}.auth`), id, name, url: entry.url ?? '' }, path))
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
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every((one) => typeof one === 'string'))) {
    throw wrong(`${path}.scopes`, 'expected a list of strings.')
  }
  const { clientId, discoveryUrl, issuer, resource } = auth
  const texts = { clientId, discoveryUrl, issuer, resource }
  for (const [name, value] of Object.entries(texts)) {
    if (value !== undefined && (typeof value !== 'string' || !value))
      throw wrong(`${path}.${name}`, 'expected a string.')
  }
  return { ...(texts as McpServerAuth), scopes }
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

/** Whether two URLs are those of one MCP server: they differ in spelling at most. */
export const isSameServer = (a: string, b: string): boolean => {
  const plain = (url: string) => new URL(url).href.replace(/\/$/, '')
  return plain(a) === plain(b)
}

/**
 * Fills `${NAME}` references from an environment, such as the one that identities make. One that is not in there is an
 * error: a server must not be started with a hole where its token should be.
 */
export function fillReferences(value: string, env: Readonly<Record<string, string | undefined>>): string {
  return value.replace(REFERENCE, (_, name: string) => {
    const found = Object.hasOwn(env, name) ? env[name] : undefined
    if (found === undefined) throw new LatchkeyError('login_required', `Nothing connected provides ${name}.`)
    return found
  })
}

/** @throws LatchkeyError `misuse` */
export function httpUrl(value: string, path: string): URL {
  if (!URL.canParse(value)) throw wrong(path, 'this is not a URL.')
  const url = new URL(value)
  if (url.username || url.password) throw wrong(path, 'a URL must hold no credentials.')
  if (value.includes('#')) throw wrong(path, 'a URL must have no fragment.')
  if (!safeUrl(value, ({ hostname }) => hostKind(hostname) === 'loopback')) {
    throw wrong(path, 'expected https: http is for this machine only.')
  }
  return url
}

/** Whether a resource is the server's origin, or a path above it. */
function isAbove({ origin, pathname }: URL, server: URL): boolean {
  const base = pathname.replace(/\/$/, '')
  return origin === server.origin && (server.pathname === base || server.pathname.startsWith(`${base}/`))
}

const slug = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
