import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { parse } from 'hono/utils/cookie'

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
  const sign = (id: string) => createHmac('sha256', secret).update(`${cookie} ${id}`).digest('base64url')
  const read = (value = ''): string | undefined => {
    const [id = '', signature = ''] = value.split('.')
    const [expected, given] = [Buffer.from(sign(id)), Buffer.from(signature)]
    // An id that somebody made up, or carried over from elsewhere, is none.
    return id && expected.length === given.length && timingSafeEqual(expected, given) ? id : undefined
  }
  const renew = (c: Context) => {
    const id = randomUUID()
    setCookie(c, cookie, `${id}.${sign(id)}`, { httpOnly: true, sameSite: 'Lax', path: '/', secure })
  }
  return {
    start(c: Context): void {
      if (!read(getCookie(c, cookie))) renew(c)
    },
    /** A new id: to be called when somebody signs in or out. */
    renew,
    find: (request: Request) => read(parse(request.headers.get('cookie') ?? '', cookie)[cookie]),
  }
}
