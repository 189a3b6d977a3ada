import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createHeadlessBrowser, type GoogleStandIn, type HeadlessBrowser, type Sandbox, startSandbox } from './index.ts'

const CALLBACK = 'http://localhost:5173/api/latchkey/callback'
const AUTH = 'https://www.googleapis.com/auth/'
const READ_MAIL = `${AUTH}gmail.readonly`
let sandbox: Sandbox
let google: GoogleStandIn

beforeAll(async () => {
  sandbox = await startSandbox({ appOrigins: ['http://localhost:5173'] })
  google = sandbox.google
})
afterEach(() => google.reset())
afterAll(() => sandbox.close())

interface Tokens {
  access_token: string
  refresh_token?: string
  id_token?: string
  expires_in: number
  scope: string
  token_type: string
}

const authorizeUrl = (parameters: Record<string, string> = {}) =>
  `${google.url}/o/oauth2/v2/auth?${new URLSearchParams({
    client_id: 'sandbox-google.apps.example',
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: `openid email profile ${READ_MAIL}`,
    ...parameters,
  })}`

const postToken = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${google.url}/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ ...google.client, redirect_uri: CALLBACK, ...fields }),
  })

async function redeem(url: URL): Promise<Tokens> {
  const code = url.searchParams.get('code') ?? ''
  return (await (await postToken({ grant_type: 'authorization_code', code })).json()) as Tokens
}

async function getTokens(parameters: Record<string, string> = {}, browser: HeadlessBrowser = createHeadlessBrowser()) {
  google.setPolicy({ auto: true, user: 'ada@example.com' })
  return redeem((await browser.open(authorizeUrl(parameters))).url)
}

const refresh = (refresh_token = '') => postToken({ grant_type: 'refresh_token', refresh_token })

const api = (path: string, token: string, headers: Record<string, string> = {}) =>
  fetch(google.url + path, { headers: { authorization: `Bearer ${token}`, ...headers } })

const scopes = ({ scope }: Tokens) => scope.split(' ').sort()

describe('consent', () => {
  test('unticked scopes are not granted', async () => {
    const browser = createHeadlessBrowser()
    const scope = `openid email ${READ_MAIL} ${AUTH}gmail.send`
    const login = await browser.open(authorizeUrl({ scope }))
    const consent = await browser.press(login, 'Continue as Grace Hopper')
    expect(consent.html).toContain('Read all your email')
    expect(consent.html.match(/type="checkbox"/g)).toHaveLength(2)
    const { url } = await browser.press(consent, 'Allow', [`${AUTH}gmail.send`])
    expect(scopes(await redeem(url))).toEqual([READ_MAIL, `${AUTH}userinfo.email`, 'openid'])
  })

  test('granting no scope is a refusal', async () => {
    const browser = createHeadlessBrowser()
    const login = await browser.open(authorizeUrl({ scope: READ_MAIL }))
    const consent = await browser.press(login, 'Continue as Grace Hopper')
    const { url } = await browser.press(consent, 'Allow', [READ_MAIL])
    expect(url.searchParams.get('error')).toBe('access_denied')
  })

  test('is shown again with prompt=consent only', async () => {
    const browser = createHeadlessBrowser()
    const login = await browser.open(authorizeUrl())
    await browser.press(await browser.press(login, 'Continue as Ada Lovelace'), 'Allow')
    expect((await browser.open(authorizeUrl())).url.searchParams.has('code')).toBe(true)
    const forced = await browser.open(authorizeUrl({ prompt: 'consent' }))
    expect(forced.html).toContain('ada@example.com')
    const fewer = await redeem((await browser.press(forced, 'Allow', [READ_MAIL])).url)
    expect(scopes(fewer)).not.toContain(READ_MAIL)
    const both = await browser.open(authorizeUrl({ prompt: 'select_account consent' }))
    expect(both.html).toContain('Continue as Grace Hopper')
    expect((await browser.press(both, 'Continue as Ada Lovelace')).html).toContain('Allow Latchkey demo')
  })

  test('prompt=none answers an error instead of a page', async () => {
    const { url } = await createHeadlessBrowser().open(authorizeUrl({ prompt: 'none', state: 's' }))
    expect(url.searchParams.get('error')).toBe('login_required')
    expect(url.searchParams.get('iss')).toBe(google.url)
  })

  test('a missing scope and an unregistered redirect_uri get an error page', async () => {
    const wrong: Array<Record<string, string>> = [{ scope: '' }, { redirect_uri: 'http://localhost:5173/elsewhere' }]
    for (const parameters of wrong) {
      const page = await createHeadlessBrowser().open(authorizeUrl(parameters))
      expect(page.status).toBe(400)
      expect(page.html).toContain('This does not work')
    }
  })

  test('a policy grants fewer scopes, or none', async () => {
    google.setPolicy({ auto: true, grantOnly: ['email'] })
    const { url } = await createHeadlessBrowser().open(authorizeUrl())
    expect(scopes(await redeem(url))).toEqual([`${AUTH}userinfo.email`, 'openid'])
    google.setPolicy({ deny: true })
    const denied = await createHeadlessBrowser().open(authorizeUrl())
    expect(denied.url.searchParams.get('error')).toBe('access_denied')
  })

  test('include_granted_scopes=true adds what was granted earlier', async () => {
    await getTokens({ scope: 'openid email' })
    expect(scopes(await getTokens({ scope: READ_MAIL }))).toEqual([READ_MAIL])
    expect(scopes(await getTokens({ scope: READ_MAIL, include_granted_scopes: 'true' }))).toEqual([
      READ_MAIL,
      `${AUTH}userinfo.email`,
      'openid',
    ])
  })
})

describe('token endpoint', () => {
  test('gives an access token for 3599 seconds, scopes as full URLs and an ID token', async () => {
    const tokens = await getTokens()
    expect(tokens).toEqual({
      access_token: expect.stringMatching(/^ya29\./),
      expires_in: 3599,
      id_token: expect.any(String),
      scope: expect.any(String),
      token_type: 'Bearer',
    })
    expect(scopes(tokens)).toEqual([READ_MAIL, `${AUTH}userinfo.email`, `${AUTH}userinfo.profile`, 'openid'])
    const claims = JSON.parse(Buffer.from(tokens.id_token!.split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ iss: google.url, email: 'ada@example.com', name: 'Ada Lovelace' })
    expect(claims.sub).toMatch(/^\d{21}$/)
  })

  test('gives a refresh token with access_type=offline, and again with prompt=consent only', async () => {
    expect((await getTokens()).refresh_token).toBeUndefined()
    const offline = { access_type: 'offline' }
    expect((await getTokens(offline)).refresh_token).toMatch(/^1\/\//)
    expect((await getTokens(offline)).refresh_token).toBeUndefined()
    expect((await getTokens({ prompt: 'consent' })).refresh_token).toBeUndefined()
    expect((await getTokens({ ...offline, prompt: 'consent' })).refresh_token).toMatch(/^1\/\//)
  })

  test('refresh tokens stay valid and are not sent again', async () => {
    const { refresh_token } = await getTokens({ access_type: 'offline' })
    for (let round = 0; round < 2; round++) {
      const renewed = (await (await refresh(refresh_token)).json()) as Tokens
      expect(renewed).toMatchObject({ access_token: expect.stringMatching(/^ya29\./), expires_in: 3599 })
      expect(renewed).not.toHaveProperty('refresh_token')
      expect((await api('/oauth2/v3/userinfo', renewed.access_token)).status).toBe(200)
    }
    const wrong = await refresh('1//nonsense')
    expect(wrong.status).toBe(400)
    expect(await wrong.json()).toEqual({
      error: 'invalid_grant',
      error_description: 'Token has been expired or revoked.',
    })
  })

  test('the lifetime of access tokens can be set', async () => {
    google.setAccessTtl(7)
    expect((await getTokens()).expires_in).toBe(7)
    await google.reset()
    expect((await getTokens()).expires_in).toBe(3599)
  })

  test('requires the client secret and checks PKCE', async () => {
    const code_verifier = 'v'.repeat(43)
    const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
    google.setPolicy({ auto: true })
    const { url } = await createHeadlessBrowser().open(authorizeUrl({ code_challenge, code_challenge_method: 'S256' }))
    const fields = { grant_type: 'authorization_code', code: url.searchParams.get('code')! }
    const without = await fetch(`${google.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: google.client.client_id,
        redirect_uri: CALLBACK,
        code_verifier,
        ...fields,
      }),
    })
    expect(without.status).toBe(400)
    expect(await without.json()).toMatchObject({ error_description: 'client_secret is missing.' })
    const wrongSecret = await postToken({ ...fields, code_verifier, client_secret: 'wrong' })
    expect(wrongSecret.status).toBe(401)
    expect(await wrongSecret.json()).toMatchObject({ error: 'invalid_client' })
    const wrongVerifier = await postToken({ ...fields, code_verifier: 'w'.repeat(43) })
    expect(wrongVerifier.status).toBe(400)
    expect(await wrongVerifier.json()).toEqual({ error: 'invalid_grant', error_description: 'Bad Request' })
    expect((await postToken({ ...fields, code_verifier })).status).toBe(200)
  })

  test('can be read by pages, errors too', async () => {
    const origin = 'http://localhost:5173'
    const response = await postToken({ grant_type: 'authorization_code', code: 'nonsense' }, { origin })
    expect(response.status).toBe(400)
    expect(response.headers.get('access-control-allow-origin')).toBe(origin)
    const preflight = await fetch(`${google.url}/token`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    })
    expect(preflight.status).toBe(204)
  })

  test('discovery and keys', async () => {
    const discovery = await (await fetch(`${google.url}/.well-known/openid-configuration`)).json()
    expect(discovery).toMatchObject({
      issuer: google.url,
      authorization_endpoint: `${google.url}/o/oauth2/v2/auth`,
      token_endpoint: `${google.url}/token`,
      revocation_endpoint: `${google.url}/revoke`,
      userinfo_endpoint: `${google.url}/oauth2/v3/userinfo`,
      jwks_uri: `${google.url}/oauth2/v3/certs`,
    })
    const { keys } = (await (await fetch(discovery.jwks_uri)).json()) as { keys: object[] }
    expect(keys).toHaveLength(1)
    expect(keys[0]).not.toHaveProperty('d')
  })
})

describe('revocation', () => {
  const revoke = (token = '') => fetch(`${google.url}/revoke`, { method: 'POST', body: new URLSearchParams({ token }) })

  test.each(['access_token', 'refresh_token'] as const)('by %s kills both, and works once', async (kind) => {
    const tokens = await getTokens({ access_type: 'offline' })
    expect((await revoke(tokens[kind])).status).toBe(200)
    expect((await api('/oauth2/v3/userinfo', tokens.access_token)).status).toBe(401)
    expect((await refresh(tokens.refresh_token)).status).toBe(400)
    const again = await revoke(tokens[kind])
    expect(again.status).toBe(400)
    expect(await again.json()).toMatchObject({ error: 'invalid_token' })
  })

  test('the next consent gives a refresh token again', async () => {
    const browser = createHeadlessBrowser()
    const first = await getTokens({ access_type: 'offline' }, browser)
    await revoke(first.access_token)
    google.setPolicy({})
    const consent = await browser.open(authorizeUrl({ access_type: 'offline' }))
    expect(consent.html).toContain('Allow Latchkey demo')
    expect((await redeem((await browser.press(consent, 'Allow')).url)).refresh_token).toMatch(/^1\/\//)
  })
})

describe('userinfo', () => {
  test('shows what the scopes allow', async () => {
    const all = await getTokens()
    const profile = await (await api('/oauth2/v3/userinfo', all.access_token)).json()
    expect(profile).toMatchObject({
      sub: expect.stringMatching(/^\d+$/),
      name: 'Ada Lovelace',
      email: 'ada@example.com',
      email_verified: true,
    })
    expect((await fetch(profile.picture)).headers.get('content-type')).toContain('image/svg+xml')
    const some = await getTokens({ scope: 'openid email' })
    expect(await (await api('/oauth2/v3/userinfo', some.access_token)).json()).not.toHaveProperty('name')
  })

  test('is open to pages', async () => {
    const response = await api('/oauth2/v3/userinfo', 'dead', { origin: 'http://localhost:5173' })
    expect(response.status).toBe(401)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })
})

describe('mail', () => {
  const list = '/gmail/v1/users/me/messages'
  interface Found {
    messages?: Array<{ id: string; threadId: string }>
    resultSizeEstimate: number
  }

  test('lists, finds and shows messages', async () => {
    const { access_token } = await getTokens()
    const find = async (query: string) => (await (await api(list + query, access_token)).json()) as Found
    expect((await find('?maxResults=2')).messages).toHaveLength(2)
    const invoices = await find('?q=INVOICE')
    expect(invoices.resultSizeEstimate).toBe(2)
    expect(await find('?q=nothing+like+that')).toEqual({ resultSizeEstimate: 0 })

    const { id } = invoices.messages![0]!
    const message = await (await api(`${list}/${id}?format=metadata`, access_token)).json()
    expect(message).toMatchObject({ id, threadId: id, snippet: expect.stringContaining('invoice') })
    expect(message.payload.headers).toContainEqual({ name: 'Subject', value: 'Invoice 2041 for November' })
    expect(message.payload).not.toHaveProperty('body')
    const full = await (await api(`${list}/${id}?format=full`, access_token)).json()
    expect(Buffer.from(full.payload.body.data, 'base64url').toString()).toContain('brass gears')
    expect((await api(`${list}/unknown`, access_token)).status).toBe(404)
  })

  test('shows new mail first and keeps mailboxes apart', async () => {
    const id = google.addMessage({ user: 'grace@example.com', from: 'me@example.com', subject: 'Nanoseconds' })
    const ada = await getTokens()
    expect((await api(`${list}/${id}`, ada.access_token)).status).toBe(404)
    google.setPolicy({ auto: true, user: 'grace@example.com' })
    const grace = await redeem((await createHeadlessBrowser().open(authorizeUrl())).url)
    const { messages } = (await (await api(list, grace.access_token)).json()) as Found
    expect(messages?.[0]?.id).toBe(id)
  })

  test('needs a live token with the right scope', async () => {
    expect((await fetch(google.url + list)).status).toBe(401)
    const { access_token } = await getTokens({ scope: 'openid email' })
    const refused = await api(list, access_token, { origin: 'http://localhost:5173' })
    expect(refused.status).toBe(403)
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
    expect(await refused.json()).toMatchObject({ error: { code: 403, status: 'PERMISSION_DENIED' } })
  })

  test('a draft of one user is deleted once, with the scope for drafts', async () => {
    const drafts = '/gmail/v1/users/me/drafts'
    const id = google.addDraft({ user: 'ada@example.com', to: 'mary@example.com', subject: 'Tea?' })
    const remove = (token: string) =>
      fetch(`${google.url}${drafts}/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
    const reader = await getTokens()
    const list = async () => (await (await api(drafts, reader.access_token)).json()) as { drafts: { id: string }[] }
    expect((await list()).drafts.map((draft) => draft.id)).toContain(id)
    const { message } = await (await api(`${drafts}/${id}?format=metadata`, reader.access_token)).json()
    expect(message.payload.headers).toContainEqual({ name: 'Subject', value: 'Tea?' })
    expect((await remove(reader.access_token)).status).toBe(403)

    const writer = await getTokens({ scope: `${AUTH}gmail.compose` })
    google.setPolicy({ auto: true, user: 'grace@example.com' })
    const url = authorizeUrl({ scope: `${AUTH}gmail.compose` })
    const grace = await redeem((await createHeadlessBrowser().open(url)).url)
    expect((await remove(grace.access_token)).status).toBe(404)
    expect(google.drafts.find((draft) => draft.id === id)?.isDeleted).toBe(false)
    expect((await remove(writer.access_token)).status).toBe(204)
    expect((await remove(writer.access_token)).status).toBe(404)
    expect(google.drafts.find((draft) => draft.id === id)?.isDeleted).toBe(true)
    expect((await list()).drafts.map((draft) => draft.id)).not.toContain(id)
  })

  test('gmail.metadata allows neither search nor bodies', async () => {
    const { access_token } = await getTokens({ scope: `${AUTH}gmail.metadata` })
    const { messages } = (await (await api(list, access_token)).json()) as Found
    expect((await api(`${list}?q=invoice`, access_token)).status).toBe(403)
    expect((await api(`${list}/${messages![0]!.id}`, access_token)).status).toBe(403)
    expect((await api(`${list}/${messages![0]!.id}?format=metadata`, access_token)).status).toBe(200)
  })
})
