import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'
import { parseSigned } from 'hono/utils/cookie'

export interface SessionOptions {
  /** The pages are served over https. The cookie gets the `__Host-` prefix and `Secure`. */
  secure: boolean
  /** Signs the ids. @default random, so sessions end with this process */
  secret?: string | Uint8Array
}

/**
 * Anonymous sessions: a random id in a signed cookie. An app with users has its own sessions. The broker needs only
 * `find`, which returns the session of a request.
 */
export function createSessions(name: string, { secure, secret = randomBytes(32) }: SessionOptions) {
  const cookie = secure ? `__Host-${name}` : name
  // One key per cookie name, so that a session of one demo is invalid at another.
  const key = createHmac('sha256', secret).update(cookie).digest('base64url')
  const renew = async (c: Context) => {
    const id = randomUUID()
    await setSignedCookie(c, cookie, id, key, { httpOnly: true, sameSite: 'Lax', path: '/', secure })
    return id
  }
  return {
    /** The session id of a request. Without a session it starts one. */
    start: async (c: Context): Promise<string> => (await getSignedCookie(c, key, cookie)) || renew(c),
    /** Starts a new session, and returns its id. Call it at sign-in and sign-out. */
    renew,
    /** The session id of a request; null if the cookie's signature is missing or wrong. */
    async find(request: Request): Promise<string | null> {
      const values = await parseSigned(request.headers.get('cookie') ?? '', key, cookie)
      return values[cookie] || null
    },
  }
}
