import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createHeadlessBrowser, type Sandbox, startSandbox } from './index.ts'

const CALLBACK = 'https://app.example/cb'
let sandbox: Sandbox

beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['https://app.example'], callbackPath: '/cb' })
})
afterEach(() => Promise.all([sandbox.github.reset(), sandbox.google.reset(), sandbox.kaggle.reset()]))
afterAll(() => sandbox.close())

const send = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })

async function getGitHubToken() {
  const { github } = sandbox
  const query = new URLSearchParams({ client_id: github.client.client_id, redirect_uri: CALLBACK, scope: 'repo' })
  const { url } = await createHeadlessBrowser().open(`${github.url}/login/oauth/authorize?${query}`)
  const body = new URLSearchParams({ ...github.client, code: url.searchParams.get('code') ?? '' })
  const answer = await fetch(`${github.url}/login/oauth/access_token`, { method: 'POST', body })
  return new URLSearchParams(await answer.text()).get('access_token') ?? ''
}

describe('back door', () => {
  test('refuses requests with an Origin and sends no CORS headers', async () => {
    for (const { url } of [sandbox.github, sandbox.google, sandbox.kaggle]) {
      const page = await send(`${url}/__sandbox/reset`, {}, { origin: url })
      expect(page.status).toBe(403)
      const test = await send(`${url}/__sandbox/reset`, {})
      expect(test.status).toBe(200)
      for (const { headers } of [page, test]) {
        expect([...headers.keys()].filter((name) => name.startsWith('access-'))).toEqual([])
      }
    }
  })

  test('does over HTTP what the methods do', async () => {
    const { github, google, kaggle } = sandbox
    await send(`${github.url}/__sandbox/policy`, { auto: true, user: 'mona', grantOnly: ['repo'] })
    const token = await getGitHubToken()
    const isLive = async () => (await fetch(`${github.url}/__sandbox/tokens/${encodeURIComponent(token)}`)).json()
    expect(await isLive()).toEqual({ active: true })

    await send(`${github.url}/__sandbox/repositories`, { owner: 'mona', name: 'secret-plan', private: true })
    const list = await fetch(`${github.url}/api/v3/user/repos`, { headers: { authorization: `token ${token}` } })
    expect(await list.text()).toContain('secret-plan')

    expect(await (await send(`${github.url}/__sandbox/revoke`, { value: token })).json()).toEqual({ revoked: true })
    expect(await isLive()).toEqual({ active: false })

    const message = { user: 'ada@example.com', from: 'a@example.com', subject: 'Hello' }
    expect(await (await send(`${google.url}/__sandbox/messages`, message)).json()).toEqual({ id: expect.any(String) })
    expect((await send(`${google.url}/__sandbox/access-ttl`, { seconds: 5 })).status).toBe(200)
    const made = await (await send(`${kaggle.url}/__sandbox/credentials`, { username: 'new' })).json()
    expect(await kaggle.isLive(made.token)).toBe(true)
    expect((await send(`${kaggle.url}/__sandbox/datasets`, { owner: 'new', title: 'Set' })).status).toBe(201)
  })

  test('finds tokens that contain slashes', async () => {
    const { google } = sandbox
    google.setPolicy({ auto: true })
    const query = new URLSearchParams({
      client_id: google.client.client_id,
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'openid',
      access_type: 'offline',
    })
    const { url } = await createHeadlessBrowser().open(`${google.url}/o/oauth2/v2/auth?${query}`)
    const code = url.searchParams.get('code') ?? ''
    const body = new URLSearchParams({
      ...google.client,
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
    })
    const { access_token, refresh_token } = await (await fetch(`${google.url}/token`, { method: 'POST', body })).json()
    const ask = async (value: string) =>
      (await fetch(`${google.url}/__sandbox/tokens/${encodeURIComponent(value)}`)).json()
    expect(await ask(refresh_token)).toEqual({ active: true })
    expect(await google.revoke(access_token)).toBe(true)
    expect(await ask(refresh_token)).toEqual({ active: true })
    expect(await google.revoke(refresh_token)).toBe(true)
    expect(await ask(refresh_token)).toEqual({ active: false })
  })

  test.each([
    ['github', 'policy', { user: 'nobody' }],
    ['github', 'repositories', { owner: 'nobody', name: 'x' }],
    ['github', 'repositories', { owner: 'mona' }],
    ['google', 'messages', { user: 'nobody', from: 'x', subject: 'x' }],
    ['google', 'access-ttl', { seconds: 'soon' }],
    ['kaggle', 'faults', { path: '/x' }],
    ['github', 'policy', []],
  ] as const)('%s %s says what is wrong', async (name, path, body) => {
    expect((await send(`${sandbox[name].url}/__sandbox/${path}`, body)).status).toBe(400)
  })

  test('reset ends sessions, grants and tokens', async () => {
    const { github } = sandbox
    github.setPolicy({ auto: true })
    const token = await getGitHubToken()
    await github.reset()
    expect(await github.isLive(token)).toBe(false)
    expect(github.log).toEqual([])
  })
})

describe('log', () => {
  test('keeps each request raw', async () => {
    const { kaggle } = sandbox
    await send(`${kaggle.url}/v1/api.v1.DiagnosticsService/Hello?a=b`, { x: 1 }, { 'x-test': 'yes' })
    expect(kaggle.log).toEqual([
      {
        method: 'POST',
        path: '/v1/api.v1.DiagnosticsService/Hello',
        search: '?a=b',
        headers: expect.objectContaining({ 'x-test': 'yes' }),
        body: '{"x":1}',
        status: 401,
      },
    ])
    expect(await (await fetch(`${kaggle.url}/__sandbox/log`)).json()).toEqual(kaggle.log)
  })

  test('nothing is printed', async () => {
    const spies = (['log', 'info', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name))
    const other = await startSandbox({ appOrigins: ['https://app.example'] })
    await fetch(`${other.google.url}/token`, { method: 'POST', body: new URLSearchParams({ code: 'x' }) })
    await other.close()
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled()
      spy.mockRestore()
    }
  })
})

describe('faults', () => {
  const path = '/login/oauth/access_token'

  test('are used up one by one', async () => {
    const { github } = sandbox
    await send(`${github.url}/__sandbox/faults`, {
      path,
      faults: [{ status: 503, headers: { 'retry-after': '1' }, body: 'busy' }, { drop: true }, { delay: 1 }],
    })
    const busy = await fetch(github.url + path, { method: 'POST' })
    expect(busy.status).toBe(503)
    expect(busy.headers.get('retry-after')).toBe('1')
    expect(await busy.text()).toBe('busy')
    await expect(fetch(github.url + path, { method: 'POST' })).rejects.toThrow()
    expect((await fetch(github.url + path, { method: 'POST' })).status).toBe(200)
    expect(github.log.map(({ status }) => status)).toEqual([503, undefined, 200])
  })

  test('passThenDrop acts and loses the answer', async () => {
    const { github } = sandbox
    github.setPolicy({ auto: true })
    github.addFaults(path, [{ passThenDrop: true }])
    await expect(getGitHubToken()).rejects.toThrow()
    expect(github.log.filter((entry) => entry.path === path)).toHaveLength(1)
    const code = new URLSearchParams(github.log.at(-1)?.body).get('code') ?? ''
    const body = new URLSearchParams({ ...github.client, code })
    const again = await fetch(github.url + path, { method: 'POST', body })
    expect(await again.text()).toContain('bad_verification_code')
  })
})

test('close ends open connections', async () => {
  const other = await startSandbox({ appOrigins: ['https://app.example'] })
  const { kaggle } = other
  kaggle.addFaults('/slow', [{ delay: 600_000 }])
  const pending = fetch(`${kaggle.url}/slow`).then(
    () => 'answered',
    () => 'closed',
  )
  await vi.waitUntil(() => kaggle.log.length === 1)
  await other.close()
  expect(await pending).toBe('closed')
})
