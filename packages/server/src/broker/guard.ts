import { BROKER_HEADER } from '@latchkey/core/token'
import type { Context, MiddlewareHandler } from 'hono'
import { MCP_HEADERS } from '../outbound/mcp-proxy.ts'
import { refusal } from './answers.ts'
import type { BrokerOptions, Setup } from './options.ts'
import type { Env } from './request.ts'

/** Request headers that a page may send to an API, and for which a browser asks first. */
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since']

/** Headers of every answer. An allowed origin, and no other, is named to CORS. */
export function answerHeaders<Session>(options: BrokerOptions<Session>): MiddlewareHandler<Env> {
  const { allowedOrigins, vault, mcp, proxy } = options
  const exposed = ['retry-after', ...(mcp ? MCP_HEADERS : []), ...(proxy ? ['etag', 'link'] : [])].join(', ')
  const methods = new Set(['GET', 'POST', ...(vault ? ['DELETE', ...(proxy?.methods ?? [])] : [])])
  const allowed = ['content-type', BROKER_HEADER, 'last-event-id', ...(proxy ? CONDITIONS : [])].join(', ')
  return async (c, next) => {
    await next()
    const headers = c.res.headers
    headers.set('cache-control', 'no-store')
    headers.set('x-content-type-options', 'nosniff')
    headers.append('vary', 'Origin')
    const origin = c.req.header('origin')
    if (origin === undefined || !allowedOrigins.includes(origin)) return
    headers.set('access-control-allow-origin', origin)
    headers.set('access-control-allow-credentials', 'true')
    headers.set('access-control-expose-headers', exposed)
    if (c.req.method === 'OPTIONS') {
      headers.set('access-control-allow-methods', [...methods].join(', '))
      headers.set('access-control-allow-headers', allowed)
      headers.set('access-control-max-age', '600')
    }
  }
}

/** Lets the app's own pages in, with a session, and sets whose accounts it is about. */
export function createGuard<Session>(
  { authenticate, allowedOrigins, limit, vault, owner }: BrokerOptions<Session>,
  { ownerOf }: Setup<Session>,
): MiddlewareHandler<Env> {
  const count = limiter(limit?.perMinute ?? Infinity)

  /** Whether the app's own page asks. A page of another origin can send none of this without a preflight. */
  const isFromApp = (c: Context<Env>): boolean => {
    const origin = c.req.header('origin')
    const site = c.req.header('sec-fetch-site')
    if (c.req.header(BROKER_HEADER) === undefined || site === 'none') return false
    // Browsers leave Origin out of a GET to their own origin.
    const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
    if (isRead && origin === undefined) return site === undefined || site === 'same-origin'
    if (!allowedOrigins.includes(origin ?? '')) return false
    // A form can send neither this type nor the header above.
    const json = /^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')
    return json || isRead || c.req.method === 'DELETE'
  }

  async function sessionOf(c: Context<Env>) {
    if (c.env && 'session' in c.env) return c.env.session as Session
    try {
      return await authenticate(c.req.raw)
    } catch (error) {
      c.set('thrown', error)
      throw error
    }
  }

  return async (c, next) => {
    const { raw } = c.req
    if (!isFromApp(c)) {
      throw refusal(
        403,
        'invalid_request',
        "Only the app's own pages may call this. Is the page's origin in allowedOrigins?",
      )
    }
    const session = await sessionOf(c)
    if (!session) throw refusal(401, 'login_required', 'Sign in to the app first.')
    const wait = limit && count(limit.key(session, raw))
    if (wait) {
      throw refusal(429, 'temporarily_unavailable', 'Too many requests. Wait a minute and try again.', {
        'retry-after': String(wait),
      })
    }
    // Without a vault only the routes of a person ask whose it is, and an app may have no `owner`.
    if (vault || owner || typeof session === 'string') c.set('owner', ownerOf(session))
    c.set('isStill', async () => {
      // One that the app handed over is as old as the request.
      const now = c.env && 'session' in c.env ? null : await authenticate(raw)
      if (!now) return false
      const { tenant, user } = ownerOf(now)
      return tenant === c.var.owner.tenant && user === c.var.owner.user
    })
    await next()
  }
}

/** Counts in fixed windows of a minute, so that old keys are forgotten. Answers the seconds to wait when over. */
function limiter(perMinute: number): (key: string) => number | undefined {
  let minute = 0
  const counts = new Map<string, number>()
  return (key) => {
    const now = Date.now()
    if (minute !== Math.floor(now / 60_000)) {
      minute = Math.floor(now / 60_000)
      counts.clear()
    }
    const used = (counts.get(key) ?? 0) + 1
    counts.set(key, used)
    return used > perMinute ? 60 - Math.floor((now / 1000) % 60) : undefined
  }
}
