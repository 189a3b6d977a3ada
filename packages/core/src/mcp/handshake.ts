import { isObject, parseObject } from '../json.ts'
import { cleanText } from '../names.ts'
import { type Answer, type Ask, limited, readText } from '../protocol/http.ts'
import { type Challenge, readChallenge } from '../protocol/www-authenticate.ts'
import type { McpProvider } from '../provider.ts'
import type { McpServerFacts } from '../snapshot.ts'

const VERSION = '2025-06-18'

/** How a request of MCP is sent. */
interface Sending {
  ask: Ask
  token?: string
  /** More headers: those of a session. */
  headers?: Record<string, string>
}

/** Sends one message of MCP. */
function send({ mcp }: McpProvider, { ask, token, headers }: Sending, message: object): Promise<Response> {
  return limited({ fetch: ask })(mcp.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    redirect: 'manual',
    credentials: 'omit',
  })
}

/** The first request of MCP. @see MCP 2025-06-18 "Initialization" */
const initialize = (name = 'Latchkey') => ({
  id: 1,
  method: 'initialize',
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name, version: '0' } },
})

/** What is at a server's address, as a request without a token shows. */
export interface Probe {
  /** How the server refuses the request. Absent where it does not, or does not answer. */
  challenge?: Challenge
  /** `open`: it needs no token. `not-mcp`: something else answers. Absent: it refuses, or does not answer. */
  found?: 'open' | 'not-mcp'
}

/** Sends a first request without a token. Never rejects: a server that is away is told of by what is asked next. */
export async function probe(provider: McpProvider, ask: Ask, clientName?: string): Promise<Probe> {
  try {
    const response = await send(provider, { ask }, initialize(clientName))
    const { status, ok } = response
    if (ok) {
      const result = await resultOf(response).catch(() => undefined)
      return { found: isObject(result?.serverInfo) ? 'open' : 'not-mcp' }
    }
    await response.body?.cancel()
    if (status === 401) return { challenge: readChallenge(response.headers) }
    return status === 404 || status === 405 || status === 410 ? { found: 'not-mcp' } : {}
  } catch {
    return {}
  }
}

/** How the server refuses a request without a token. Undefined where it does not, or does not answer. */
export const challengeOf = async (provider: McpProvider, ask: Ask, clientName?: string) =>
  (await probe(provider, ask, clientName)).challenge

/** Pages of a list of tools that are read, and names of tools that are kept. */
const MAX_PAGES = 4
const MAX_TOOLS = 50

/**
 * What the server says of itself to those who are signed in: its name, its picture and its tools.
 *
 * @throws if it does not answer as an MCP server does. One that lists no tools is no error.
 */
export async function describeServer(
  provider: McpProvider,
  ask: Ask,
  token: string,
  clientName?: string,
): Promise<McpServerFacts> {
  const response = await send(provider, { ask, token }, initialize(clientName))
  const session = response.headers.get('mcp-session-id')
  const { serverInfo, protocolVersion } = await resultOf(response)
  if (!isObject(serverInfo)) throw new TypeError('This is no MCP server.')
  const version = typeof protocolVersion === 'string' ? protocolVersion : VERSION
  const headers = { 'mcp-protocol-version': version, ...(session && { 'mcp-session-id': session }) }
  const said = { name: textOf(serverInfo.title) || textOf(serverInfo.name), icon: iconOf(serverInfo.icons) }
  const tools = await listTools(provider, { ask, token, headers }).catch(() => undefined)
  return {
    ...(said.name && { name: said.name }),
    ...(said.icon && { icon: said.icon }),
    ...(tools && { toolCount: tools.length, tools: tools.slice(0, MAX_TOOLS) }),
    readAt: Date.now(),
  }
}

/** What a person would call the server's tools. @see MCP 2025-06-18 "Listing Tools" */
async function listTools(provider: McpProvider, sending: Sending): Promise<string[]> {
  const ready = await send(provider, sending, { method: 'notifications/initialized' })
  await ready.body?.cancel()
  const found: string[] = []
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = typeof cursor === 'string' ? { cursor } : {}
    const request = { id: page + 2, method: 'tools/list', params }
    const { tools, nextCursor } = await resultOf(await send(provider, sending, request))
    if (!Array.isArray(tools)) throw new TypeError('This is no list of tools.')
    for (const { title, annotations, name } of tools.filter(isObject)) {
      const words = [title, isObject(annotations) && annotations.title, name].map(textOf).find(Boolean)
      if (words) found.push(words)
    }
    if (!nextCursor) break
    cursor = nextCursor
  }
  return found
}

/** The result of a response: a JSON object, or the message of an event stream that has one. */
async function resultOf(response: Response): Promise<Answer> {
  const text = await readText(response)
  for (const line of text.trimStart().startsWith('{') ? [text] : text.split(/\r?\n/)) {
    const { result } = parseObject(line.replace(/^data: ?/, '')) ?? {}
    if (isObject(result)) return result
  }
  throw new TypeError('This is no answer of MCP.')
}

const textOf = (value: unknown) => (typeof value === 'string' ? cleanText(value) : '')

/** Characters. A picture that is shown at 36 px needs no more. */
const MAX_ICON = 16 * 1024

/** A picture out of the answer itself: pixels only, and nothing that would be loaded from anywhere. */
function iconOf(icons: unknown): string | undefined {
  const sources = Array.isArray(icons) ? icons.map((icon) => isObject(icon) && icon.src) : []
  const isSafe = (src: unknown): src is string =>
    typeof src === 'string' &&
    src.length <= MAX_ICON &&
    /^data:image\/(?:png|jpeg|webp|gif);base64,[\w+/]+={0,2}$/.test(src)
  return sources.find(isSafe)
}
