import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { type Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'

/** One request as the server saw it. Requests to the back door are left out. */
export interface LogEntry {
  method: string
  path: string
  /** Query string with its `?`, or empty. */
  search: string
  headers: Record<string, string>
  /** The raw body. */
  body: string
  /** Absent while the request runs, and if a fault dropped the connection. */
  status?: number
}

/** A failure of the next request to a path, instead of the usual answer or before it. */
export interface Fault {
  /** Milliseconds to wait first. */
  delay?: number
  /** Close the connection without an answer; the server does nothing. */
  drop?: boolean
  /** The server acts, but its answer is lost. */
  passThenDrop?: boolean
  /** Answer this status (with `headers` and `body`) and do nothing else. */
  status?: number
  headers?: Record<string, string>
  body?: string
}

/** The interface of every stand-in for tests in this process. Other processes use the HTTP back door. */
export interface StandIn {
  readonly url: string
  readonly log: LogEntry[]
  /** Faults still to come, by path. */
  readonly faults: Record<string, Fault[]>
  /** Queues faults. Each request to `path` uses one. */
  addFaults(path: string, faults: Fault[]): void
  /** Whether this token or key is accepted right now. */
  isLive(value: string): Promise<boolean>
  /** Revokes one token or key; false if there was none. */
  revoke(value: string): Promise<boolean>
  /** Removes faults, log, policy, sessions and grants. Data and registered clients stay. */
  reset(): Promise<void>
  close(): Promise<void>
}

export type App = Hono<{ Bindings: HttpBindings }>
export type AppContext = Context<{ Bindings: HttpBindings }>
type JsonObject = Record<string, unknown>

export interface OpenServer {
  url: string
  app: App
  log: LogEntry[]
  faults: Record<string, Fault[]>
  close(): Promise<void>
}

const BACK_DOOR = '/__sandbox/'

/**
 * Opens a port whose requests pass the log and the faults first. It listens before it has routes, because the stand-ins
 * need their own URL (the issuer).
 */
export async function openServer(port: number): Promise<OpenServer> {
  const log: LogEntry[] = []
  const faults: Record<string, Fault[]> = {}
  const app: App = new Hono()

  app.use(`${BACK_DOOR}*`, async (c, next) => {
    // Browsers send Origin with every cross-origin write. A web page must not control the sandbox.
    if (c.req.header('origin') !== undefined) return c.json({ message: 'The back door is not for web pages.' }, 403)
    return next()
  })

  app.use(async (c, next) => {
    const { pathname, search } = new URL(c.req.url)
    if (pathname.startsWith(BACK_DOOR)) return next()
    const entry: LogEntry = {
      method: c.req.method,
      path: pathname,
      search,
      headers: c.req.header(),
      body: await c.req.text(),
    }
    log.push(entry)
    const fault = faults[pathname]?.shift()
    if (fault?.delay) await wait(fault.delay)
    if (fault?.drop) return hangUp(c)
    if (fault?.status) {
      entry.status = fault.status
      return new Response(fault.body ?? null, {
        status: fault.status,
        headers: fault.headers ?? { 'content-type': 'application/json' },
      })
    }
    await next()
    if (fault?.passThenDrop) {
      c.res = hangUp(c)
      return
    }
    entry.status = c.res.status
  })

  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const { port: actualPort } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${actualPort}`,
    app,
    log,
    faults,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

function hangUp(c: AppContext): Response {
  c.env.incoming.socket.destroy()
  return RESPONSE_ALREADY_SENT
}

/** Creates a stand-in from a server and its functions for credentials, and adds the back door's common routes. */
export function createStandIn(
  { url, app, log, faults, close }: OpenServer,
  own: Pick<StandIn, 'isLive' | 'revoke'> & { reset(): void },
): StandIn {
  const standIn: StandIn = {
    url,
    log,
    faults,
    close,
    isLive: own.isLive,
    revoke: own.revoke,
    addFaults(path, more) {
      faults[path] = [...(faults[path] ?? []), ...more]
    },
    async reset() {
      log.length = 0
      for (const path of Object.keys(faults)) delete faults[path]
      own.reset()
    },
  }

  app.get('/__sandbox/log', (c) => c.json(log))
  app.get('/__sandbox/tokens/:value{.+}', async (c) => c.json({ active: await own.isLive(c.req.param('value')) }))
  app.post('/__sandbox/revoke', async (c) => {
    const body = await readObject(c)
    return c.json({ revoked: await own.revoke(requireText(body, 'value')) })
  })
  app.post('/__sandbox/faults', async (c) => {
    const body = await readObject(c)
    if (!Array.isArray(body.faults)) throw new HTTPException(400, { message: '"faults" must be a list' })
    standIn.addFaults(requireText(body, 'path'), body.faults)
    return c.json({})
  })
  app.post('/__sandbox/reset', async (c) => {
    await standIn.reset()
    return c.json({})
  })
  return standIn
}

/** The JSON object in the body; an empty one when the body is empty. */
export async function readObject(c: AppContext): Promise<JsonObject> {
  const text = await c.req.text()
  try {
    const value: unknown = JSON.parse(text || '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  } catch {
    // Refused below, like every other body that is not an object.
  }
  throw new HTTPException(400, { message: 'The body must be a JSON object' })
}

/** A required string. */
export function requireText(body: JsonObject, name: string): string {
  const value = body[name]
  if (typeof value !== 'string' || value === '') throw new HTTPException(400, { message: `"${name}" must be a string` })
  return value
}

/** An optional string. */
export function optionalText(body: JsonObject, name: string): string | undefined {
  return body[name] === undefined ? undefined : requireText(body, name)
}

/** User and password of HTTP Basic, or undefined. */
export function readBasic(header: string | undefined): { user: string; password: string } | undefined {
  const encoded = /^basic +(\S+)$/i.exec(header ?? '')?.[1]
  if (!encoded) return undefined
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString().split(':')
  return { user, password: rest.join(':') }
}
