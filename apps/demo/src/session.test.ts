import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { createSessions } from './session.ts'

const secret = 'a secret of this test'

async function started(secure: boolean, path = '/', headers: Record<string, string> = {}) {
  const sessions = createSessions('demo', { secure, secret })
  const app = new Hono()
  app.get('/', async (c) => {
    await sessions.start(c)
    return c.text('')
  })
  app.get('/login', async (c) => {
    await sessions.renew(c)
    return c.text('')
  })
  const line = (await app.request(path, { headers })).headers.get('set-cookie') ?? ''
  const cookie = line.split(';')[0] ?? ''
  const find = (value: string) => sessions.find(new Request('http://localhost', { headers: { cookie: value } }))
  return { line, cookie, find }
}

test('case 122: the session cookie has every flag, and a new id after a login', async () => {
  const { line, cookie, find } = await started(true)
  expect(line).toMatch(/^__Host-demo=[\w-]+\.[\w%-]+;/)
  for (const flag of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) expect(line).toContain(`; ${flag}`)
  expect(line).not.toContain('Domain=')
  const id = (await find(cookie)) ?? ''
  expect(id).toMatch(/^[\w-]{36}$/)
  // A valid id is kept, renewed at login, and never adopted from a foreign cookie.
  expect((await started(true, '/', { cookie })).line).toBe('')
  const after = await started(true, '/login', { cookie })
  expect(await after.find(after.cookie)).not.toBe(id)
  const [name, signature] = [cookie.split('=')[0], cookie.split('.')[1]]
  for (const forged of [
    '',
    `${name}=chosen`,
    `${name}=chosen.${signature}`,
    `${name}=${id}.`,
    `${name}=${id}`,
    cookie.slice(0, -2),
  ]) {
    expect(await find(forged)).toBeNull()
  }
  expect((await started(true, '/', { cookie: `${name}=chosen.${signature}` })).line).toMatch(/^__Host-demo=/)
})

test('over plain http to this machine the cookie works without the flags that need https', async () => {
  const { line, cookie, find } = await started(false)
  expect(line).toMatch(/^demo=/)
  expect(line).not.toContain('Secure')
  expect(await find(cookie)).toBeTruthy()
})
