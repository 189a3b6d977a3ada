import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createHeadlessBrowser, type GitHubStandIn, type Page, type Sandbox, startSandbox } from './index.ts'

const CALLBACK = 'http://localhost:5173/api/latchkey/callback'
let sandbox: Sandbox
let github: GitHubStandIn

beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['http://localhost:5173', 'http://127.0.0.1:5173'] })
  github = sandbox.github
})
afterEach(() => github.reset())
afterAll(() => sandbox.close())

const authorizeUrl = (parameters: Record<string, string> = {}) =>
  `${github.url}/login/oauth/authorize?${new URLSearchParams({
    client_id: 'sandbox-github',
    redirect_uri: CALLBACK,
    scope: 'read:user',
    state: 'a-state',
    ...parameters,
  })}`

const postToken = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${github.url}/login/oauth/access_token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ ...github.client, ...fields }),
  })

async function getCode(parameters: Record<string, string> = {}, user = 'octocat', browser = createHeadlessBrowser()) {
  github.setPolicy({ auto: true, user })
  const { url } = await browser.open(authorizeUrl(parameters))
  return url.searchParams.get('code') ?? ''
}

async function getToken(parameters: Record<string, string> = {}, user = 'octocat') {
  const code = await getCode(parameters, user)
  const response = await postToken({ code, redirect_uri: CALLBACK }, { accept: 'application/json' })
  return (await response.json()) as { access_token: string; scope: string; token_type: string }
}

const api = (path: string, token: string, headers: Record<string, string> = {}) =>
  fetch(`${github.url}/api/v3${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } })

const corsHeaders = (response: Response) => [...response.headers.keys()].filter((name) => name.startsWith('access-'))

describe('a person', () => {
  test('logs in, sees what is asked for and allows it', async () => {
    const browser = createHeadlessBrowser()
    const login = await browser.open(authorizeUrl({ scope: 'read:user repo' }))
    expect(login.html).toContain('Continue as Mona Lisa')
    const consent = await browser.press(login, 'Continue as Mona Lisa')
    expect(consent.html).toContain('Allow Latchkey demo')
    expect(consent.html).toContain('Read and change all your repositories, private ones too')
    expect(consent.html).not.toContain('public<')
    const { url } = await browser.press(consent, 'Allow')
    expect(url.href).toMatch(`${CALLBACK}?code=`)
    expect(url.searchParams.get('state')).toBe('a-state')
    expect(url.searchParams.get('iss')).toBe(`${github.url}/login/oauth`)
    const token = await (
      await postToken({ code: url.searchParams.get('code')! }, { accept: 'application/json' })
    ).json()
    expect(await (await api('/user', token.access_token)).json()).toMatchObject({ login: 'mona', name: 'Mona Lisa' })
  })

  test.each(['login', 'consent'])('cancels on the %s page', async (where) => {
    const browser = createHeadlessBrowser()
    let page: Page = await browser.open(authorizeUrl())
    if (where === 'consent') page = await browser.press(page, 'Continue as Hubot')
    const { url } = await browser.press(page, 'Cancel')
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      error: 'access_denied',
      state: 'a-state',
      iss: `${github.url}/login/oauth`,
    })
  })

  test('a logged-in person sees only the consent page, and no page once consent is given', async () => {
    const browser = createHeadlessBrowser()
    const login = await browser.open(authorizeUrl())
    await browser.press(await browser.press(login, 'Continue as The Octocat'), 'Allow')
    expect((await browser.open(authorizeUrl())).url.searchParams.has('code')).toBe(true)
    const more = await browser.open(authorizeUrl({ scope: 'gist' }))
    expect(more.html).toContain('Create and change gists')
    expect(more.html).toContain('@octocat')
  })

  test('chooses another account with prompt=select_account, or from the consent page', async () => {
    const browser = createHeadlessBrowser()
    await browser.press(await browser.open(authorizeUrl()), 'Continue as The Octocat')
    const again = await browser.open(authorizeUrl({ prompt: 'select_account' }))
    const consent = await browser.press(again, 'Continue as Mona Lisa')
    expect(consent.html).toContain('@mona')
    const choice = await browser.open(new URL('?switch', consent.url))
    const other = await browser.press(choice, 'Continue as Hubot')
    expect(other.html).toContain('@hubot')
    expect((await browser.press(other, 'Allow')).url.searchParams.has('code')).toBe(true)
  })

  test('two providers on one host do not log each other out', async () => {
    const browser = createHeadlessBrowser()
    await browser.press(await browser.open(authorizeUrl()), 'Continue as The Octocat')
    const google = await browser.open(
      `${sandbox.google.url}/o/oauth2/v2/auth?${new URLSearchParams({
        client_id: sandbox.google.client.client_id,
        redirect_uri: CALLBACK,
        response_type: 'code',
        scope: 'email',
      })}`,
    )
    await browser.press(google, 'Continue as Ada Lovelace')
    expect((await browser.open(authorizeUrl())).html).toContain('@octocat')
  })
})

describe('authorization endpoint', () => {
  test.each([
    ['an unregistered redirect_uri', { redirect_uri: 'http://evil.example/callback' }],
    ['an unknown client', { client_id: '<script>alert(1)</script>' }],
  ])('%s gets an error page and no redirect', async (_name, parameters) => {
    const page = await createHeadlessBrowser().open(authorizeUrl(parameters))
    expect(page.status).toBe(400)
    expect(page.html).toContain('This does not work')
    expect(page.html).not.toContain('<script>')
  })

  test('takes either of the registered redirect URIs', async () => {
    const browser = createHeadlessBrowser()
    github.setPolicy({ auto: true })
    const redirect_uri = 'http://127.0.0.1:5173/api/latchkey/callback'
    expect((await browser.open(authorizeUrl({ redirect_uri }))).url.host).toBe('127.0.0.1:5173')
  })

  test('an interaction without its cookie has expired', async () => {
    const { url } = await createHeadlessBrowser().open(authorizeUrl())
    const page = await createHeadlessBrowser().open(url)
    expect(page.status).toBe(400)
    expect(page.html).toContain('expired')
  })

  test('has no discovery document', async () => {
    for (const path of ['', '/login/oauth'].flatMap((base) => [
      `${base}/.well-known/openid-configuration`,
      `${base}/.well-known/oauth-authorization-server`,
    ])) {
      expect((await fetch(github.url + path)).status).toBe(404)
    }
  })
})

describe('token endpoint', () => {
  test('answers form-encoded with comma-separated scopes, without expiry and refresh token', async () => {
    const code = await getCode({ scope: 'read:user,repo' })
    const response = await postToken({ code, redirect_uri: CALLBACK })
    expect(response.headers.get('content-type')).toContain('application/x-www-form-urlencoded')
    const fields = Object.fromEntries(new URLSearchParams(await response.text()))
    expect(fields).toEqual({
      access_token: expect.stringMatching(/^gho_\w{36}$/),
      scope: 'read:user,repo',
      token_type: 'bearer',
    })
  })

  test('answers JSON when asked to', async () => {
    const token = await getToken({ scope: 'read:user user:email' })
    expect(token).toEqual({
      access_token: expect.stringMatching(/^gho_/),
      scope: 'read:user,user:email',
      token_type: 'bearer',
    })
  })

  test('gives an empty scope when none was asked for', async () => {
    expect((await getToken({ scope: '' })).scope).toBe('')
  })

  test('gives the union of everything granted so far, per user', async () => {
    await getToken({ scope: 'gist' })
    expect((await getToken({ scope: 'read:user' })).scope.split(',').sort()).toEqual(['gist', 'read:user'])
    expect((await getToken({ scope: 'read:user' }, 'mona')).scope).toBe('read:user')
  })

  test('errors come with status 200', async () => {
    const json = { accept: 'application/json' }
    const wrong = await postToken({ code: 'nonsense', redirect_uri: CALLBACK }, json)
    expect(wrong.status).toBe(200)
    expect(await wrong.json()).toMatchObject({ error: 'bad_verification_code' })

    const form = new URLSearchParams(await (await postToken({ code: 'nonsense', redirect_uri: CALLBACK })).text())
    expect(form.get('error')).toBe('bad_verification_code')

    const code = await getCode()
    await postToken({ code })
    expect(await (await postToken({ code }, json)).json()).toMatchObject({ error: 'bad_verification_code' })
  })

  test('requires the client secret, even with PKCE', async () => {
    const code_verifier = 'v'.repeat(43)
    const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
    const code = await getCode({ code_challenge, code_challenge_method: 'S256' })
    for (const body of [
      { client_id: 'sandbox-github', code, code_verifier, redirect_uri: CALLBACK },
      { ...github.client, client_secret: 'wrong', code, code_verifier, redirect_uri: CALLBACK },
    ]) {
      const response = await fetch(`${github.url}/login/oauth/access_token`, {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: new URLSearchParams(body),
      })
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({ error: 'incorrect_client_credentials' })
    }
    const right = await postToken({ code, code_verifier, redirect_uri: CALLBACK })
    expect(await right.text()).toContain('access_token=gho_')
  })

  test('takes the client secret as HTTP Basic too', async () => {
    const code = await getCode()
    const response = await fetch(`${github.url}/login/oauth/access_token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('sandbox-github:sandbox-github-secret')}` },
      body: new URLSearchParams({ code }),
    })
    expect(await response.text()).toContain('access_token=gho_')
  })

  test.each([
    ['missing', {}],
    ['wrong', { code_verifier: 'w'.repeat(43) }],
  ])('refuses a %s code_verifier when there was a challenge', async (_name, fields) => {
    const code_challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
    const code = await getCode({ code_challenge, code_challenge_method: 'S256' })
    const response = await postToken({ code, ...fields }, { accept: 'application/json' })
    expect(await response.json()).toMatchObject({ error: 'bad_verification_code' })
  })

  test('has no CORS', async () => {
    const origin = 'http://localhost:5173'
    expect(corsHeaders(await postToken({ code: 'nonsense' }, { origin }))).toEqual([])
    expect(corsHeaders(await postToken({ code: await getCode() }, { origin }))).toEqual([])
    const preflight = await fetch(`${github.url}/login/oauth/access_token`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    })
    expect(preflight.status).toBe(404)
    expect(corsHeaders(preflight)).toEqual([])
  })
})

describe('API', () => {
  test('user', async () => {
    const { access_token } = await getToken()
    const response = await api('/user', access_token)
    expect(response.headers.get('x-oauth-scopes')).toBe('read:user')
    const user = await response.json()
    expect(user).toMatchObject({
      id: expect.any(Number),
      login: 'octocat',
      name: 'The Octocat',
      email: 'octocat@example.com',
      html_url: expect.stringContaining('octocat'),
    })
    const picture = await fetch(user.avatar_url)
    expect(picture.headers.get('content-type')).toContain('image/svg+xml')
    const hubot = await getToken({}, 'hubot')
    expect((await (await api('/user', hubot.access_token)).json()).email).toBeNull()
  })

  test('emails need their scope, which `user` includes', async () => {
    const without = await getToken()
    const refused = await api('/user/emails', without.access_token)
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ message: 'Resource not accessible' })
    expect(refused.headers.get('x-oauth-scopes')).toBe('read:user')
    const { access_token } = await getToken({ scope: 'user' }, 'hubot')
    expect(await (await api('/user/emails', access_token)).json()).toEqual([
      expect.objectContaining({ primary: true, verified: true }),
    ])
    expect((await api('/user', (await getToken({ scope: 'gist' }, 'mona')).access_token)).status).toBe(403)
  })

  test('private repositories are listed only with the scope `repo`', async () => {
    const names = async (token: string, query = '') =>
      ((await (await api(`/user/repos${query}`, token)).json()) as Array<{ name: string }>).map(({ name }) => name)
    const reader = await getToken()
    expect(await names(reader.access_token)).toEqual(['coral-charts', 'hello-world', 'tide-tables'])
    const writer = await getToken({ scope: 'repo' })
    expect(await names(writer.access_token)).toContain('harbour-notes')
    expect(await names(writer.access_token, '?visibility=private')).toEqual(['harbour-notes'])
    expect(await names(writer.access_token, '?per_page=2')).toHaveLength(2)
    github.addRepository({ owner: 'octocat', name: 'aaa', private: true })
    expect(await names(writer.access_token)).toContain('aaa')
    expect(await names(reader.access_token)).not.toContain('aaa')
  })

  test('an issue is opened with a write scope, in a repository that the user may see', async () => {
    const open = (token: string, repository: string, issue: object) =>
      fetch(`${github.url}/api/v3/repos/${repository}/issues`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(issue),
      })
    const before = github.issues.length
    const reader = await getToken()
    expect((await open(reader.access_token, 'octocat/hello-world', { title: 'Typo' })).status).toBe(403)
    const mona = await getToken({ scope: 'repo' }, 'mona')
    expect((await open(mona.access_token, 'octocat/harbour-notes', { title: 'Typo' })).status).toBe(404)
    expect((await open(mona.access_token, 'octocat/hello-world', { title: '' })).status).toBe(422)
    expect(github.issues).toHaveLength(before)

    const opened = await open(mona.access_token, 'octocat/hello-world', { title: 'Typo', body: 'helo' })
    expect(opened.status).toBe(201)
    const { number, html_url } = await opened.json()
    expect(html_url).toBe(`${github.url}/octocat/hello-world/issues/${number}`)
    const issue = { repository: 'octocat/hello-world', number, title: 'Typo', body: 'helo', user: 'mona' }
    expect(github.issues.slice(before)).toEqual([issue])
    const behind = await (await fetch(`${github.url}/__sandbox/issues`)).json()
    expect(behind.at(-1)).toEqual(issue)
  })

  test('is open to pages of any origin', async () => {
    const { access_token } = await getToken()
    const response = await api('/user', access_token, { origin: 'http://localhost:5173' })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    const refused = await api('/user', 'gho_dead', { origin: 'http://localhost:5173' })
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
    const preflight = await fetch(`${github.url}/api/v3/user`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:5173',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
  })

  test('revokes one token, with the right client credentials only', async () => {
    const first = await getToken()
    const second = await getToken()
    const revoke = (access_token: string, basic = 'sandbox-github:sandbox-github-secret') =>
      fetch(`${github.url}/api/v3/applications/sandbox-github/token`, {
        method: 'DELETE',
        headers: { authorization: `Basic ${btoa(basic)}` },
        body: JSON.stringify({ access_token }),
      })
    expect((await revoke(first.access_token, 'sandbox-github:wrong')).status).toBe(401)
    expect((await api('/user', first.access_token)).status).toBe(200)
    expect((await revoke(first.access_token)).status).toBe(204)
    const dead = await api('/user', first.access_token)
    expect(dead.status).toBe(401)
    expect(await dead.json()).toMatchObject({ message: 'Bad credentials' })
    expect((await api('/user', second.access_token)).status).toBe(200)
    expect((await revoke(first.access_token)).status).toBe(404)
  })
})
