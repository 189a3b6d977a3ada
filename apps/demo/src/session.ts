import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'
import { parseSigned } from 'hono/utils/cookie'

export interface SessionOptions {
  /** The pages are served over https: then no other host and no plain connection can set or see the cookie. */
  secure: boolean
  /** What ids are signed with. Default: made anew, so sessions end with this process. */
  secret?: string | Uint8Array
}

/**
 * Anonymous sessions: a random id in a signed cookie. An app with users has its own sessions; what the broker wants is
 * `find`, which says whose request it is.
 */
export function createSessions(name: string, { secure, secret = randomBytes(32) }: SessionOptions) {
  const cookie = secure ? `__Host-${name}` : name
  // A key per cookie: the id of one demo is none at another.
  const key = createHmac('sha256', secret).update(cookie).digest('base64url')
  const renew = (c: Context) =>
    setSignedCookie(c, cookie, randomUUID(), key, { httpOnly: true, sameSite: 'Lax', path: '/', secure })
  return {
    async start(c: Context): Promise<void> {
      if (!(await getSignedCookie(c, key, cookie))) await renew(c)
    },
    /** A new id: to be called when somebody signs in or out. */
    renew,
    /** An id that is not signed, or was signed elsewhere, is none. */
    async find(request: Request): Promise<string | null> {
      const values = await parseSigned(request.headers.get('cookie') ?? '', key, cookie)
      return values[cookie] || null
    },
  }
}
