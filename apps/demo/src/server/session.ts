import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { parse } from 'hono/utils/cookie'

/**
 * Anonymous sessions: a random cookie, kept in memory until this process ends. An app with users has its own sessions;
 * what the broker wants is `find`, which says whose request it is.
 */
export function createSessions(cookie: string) {
  const sessions = new Set<string>()
  return {
    start(c: Context): void {
      if (sessions.has(getCookie(c, cookie) ?? '')) return
      const session = crypto.randomUUID()
      sessions.add(session)
      setCookie(c, cookie, session, { httpOnly: true, sameSite: 'Lax', path: '/' })
    },
    find(request: Request): string | undefined {
      const session = parse(request.headers.get('cookie') ?? '', cookie)[cookie]
      return session && sessions.has(session) ? session : undefined
    },
  }
}
