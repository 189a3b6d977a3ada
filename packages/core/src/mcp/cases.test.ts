// Security cases H, 130-148, 217, 218, 220, 223-225, 366: SSRF, discovery, registration. A release waits for 130-134, 138-141, 217, 218, 220, 223-225.
// The security cases for MCP servers, tested with oidc-provider or with hostile metadata.
import { CLIENT_METADATA_URL, createHeadlessBrowser, type McpSandbox, startMcpSandbox } from '@latchkey/sandbox'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ORIGIN, openPage, REDIRECT_URI, type Visit } from '../../fixtures/mcp-page.ts'
import { eventually } from '../../fixtures/page.ts'
import { isPageOf } from '../identities.ts'
import { type ConnectOutcome, cardStatus, LatchkeyError, memoryStore, readConnectRequest } from '../index.ts'
import type { Ask } from '../protocol/http.ts'
import { readChallenge } from '../protocol/www-authenticate.ts'
import { discoverMcp } from './discovery.ts'
import {
  checkClientMetadata,
  checkClientMetadataUrl,
  cleanName,
  createRegistrations,
  type McpAuthorizationServer,
  mcp,
  mcpFetch,
} from './index.ts'

let sandbox: McpSandbox
let person: { visit: Visit; visited: string[] }
let page: ReturnType<typeof openPage>

const agree: Visit = async (url) => {
  const end = await createHeadlessBrowser().open(url)
  return end.url.href.startsWith(REDIRECT_URI) ? end.url.href : undefined
}

beforeAll(async () => {
  sandbox = await startMcpSandbox({ appOrigins: [ORIGIN], callbackPath: '/callback' })
})
afterAll(() => sandbox.close())
beforeEach(() => {
  person = { visit: agree, visited: [] }
  page = openPage(person)
  for (const server of sandbox.all) server.setPolicy({ auto: true })
})
afterEach(async () => {
  vi.useRealTimers()
  for (const server of sandbox.all) await server.reset()
})

const failure = (promise: Promise<unknown>): Promise<LatchkeyError> =>
  promise.then(
    () => {
      throw new Error('It did not fail.')
    },
    (error) => {
      if (error instanceof LatchkeyError) return error
      throw error
    },
  )

const open = () => page.client({ providers: [mcp({ id: 'tickets', name: 'Tickets', url: sandbox.tickets.mcp })] })
const tokenRequests = () => sandbox.all.flatMap(({ log }) => log.filter(({ path }) => path === '/token'))

/** Connects, with a changed authorization response. */
function answered(change: (answer: URLSearchParams) => void) {
  person.visit = async (url) => {
    const answer = new URL((await agree(url))!)
    change(answer.searchParams)
    return answer.href
  }
  return open().connect('tickets')
}

const HOST = 'https://mcp.example'
const SERVER = `${HOST}/mcp`
const AS = 'https://as.example'
const RESOURCE = { resource: SERVER, authorization_servers: [AS], scopes_supported: ['read'] }
const METADATA = {
  issuer: AS,
  authorization_endpoint: `${AS}/authorize`,
  token_endpoint: `${AS}/token`,
  registration_endpoint: `${AS}/register`,
  code_challenge_methods_supported: ['S256'],
}

/** Documents by URL. The list has every URL that was requested. */
function world(documents: Record<string, unknown>): { ask: Ask; asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async ask(url) {
      asked.push(url)
      const document = documents[url]
      return document === undefined ? new Response(null, { status: 404 }) : Response.json(document)
    },
  }
}
const discover = (resource: object = RESOURCE, metadata: object = METADATA, url = SERVER) => {
  const { ask, asked } = world({
    [`${HOST}/.well-known/oauth-protected-resource/mcp`]: resource,
    [`${AS}/.well-known/oauth-authorization-server`]: metadata,
  })
  return Object.assign(discoverMcp(mcp({ id: 'm', name: 'M', url }), ask), { asked })
}

describe('the authorization request and its answer', () => {
  it('correct metadata and responses are accepted', async () => {
    expect(await discover()).toMatchObject({ resource: SERVER, server: METADATA, scopes: ['read'] })
  })

  it.each([undefined, ['plain'], 'S256', []])(
    'case 9: metadata that lists %j for PKCE is refused, and the window not sent anywhere',
    async (methods) => {
      await expect(discover(RESOURCE, { ...METADATA, code_challenge_methods_supported: methods })).rejects.toThrow(
        'PKCE',
      )
      sandbox.tickets.metadata.code_challenge_methods_supported = methods
      expect((await failure(open().connect('tickets'))).message).toContain('PKCE')
      expect(person.visited).toEqual([])
    },
  )

  it('case 11: an answer that names another issuer reaches no token endpoint', async () => {
    const error = await failure(answered((answer) => answer.set('iss', 'https://evil.example')))
    expect(error.code).toBe('issuer_mismatch')
    expect(tokenRequests()).toEqual([])
  })

  it('case 12: a promised iss must be present; otherwise it may be absent, but never wrong', async () => {
    expect((await failure(answered((answer) => answer.delete('iss')))).code).toBe('issuer_mismatch')
    sandbox.tickets.metadata.authorization_response_iss_parameter_supported = undefined
    expect((await failure(answered((answer) => answer.set('iss', 'https://evil.example')))).code).toBe(
      'issuer_mismatch',
    )
    expect(await answered((answer) => answer.delete('iss'))).toMatchObject({ status: 'connected' })
  })

  it.each([
    ['a slash more', (iss: string) => `${iss}/`],
    ['another case', (iss: string) => iss.replace('http', 'HTTP')],
    ['an escaped character', (iss: string) => iss.replace('127.0.0.1', '127%2E0.0.1')],
  ])('case 13: an iss with %s is another issuer', async (_name, change) => {
    const error = await failure(answered((answer) => answer.set('iss', change(answer.get('iss')!))))
    expect(error.code).toBe('issuer_mismatch')
    expect(tokenRequests()).toEqual([])
  })

  it('case 14: the text of an error is not shown if it is from another issuer', async () => {
    const error = await failure(
      answered((answer) => {
        answer.delete('code')
        answer.set('error', 'server_error')
        answer.set('error_description', 'Call 555-0199 to go on')
        answer.set('iss', 'https://evil.example')
      }),
    )
    expect(error.code).toBe('issuer_mismatch')
    expect(JSON.stringify(error)).not.toContain('555')
  })

  it('case 15: an issuer with a path must match exactly, not only by its origin', async () => {
    const issuer = 'https://as.example/login/oauth'
    const at = (said: string) => {
      const { ask } = world({
        [`${HOST}/.well-known/oauth-protected-resource/mcp`]: { ...RESOURCE, authorization_servers: [issuer] },
        'https://as.example/.well-known/oauth-authorization-server/login/oauth': { ...METADATA, issuer: said },
      })
      return discoverMcp(mcp({ id: 'm', url: SERVER }), ask)
    }
    expect((await at(issuer)).server.issuer).toBe(issuer)
    expect((await failure(at(AS))).code).toBe('issuer_mismatch')
  })

  it('case 16: a server that uses the sign-in page of another never gets its codes', async () => {
    // Its metadata names the authorization endpoint of another server, and its own token endpoint.
    const { notes, tickets } = sandbox
    tickets.metadata.authorization_endpoint = `${notes.url}/auth`
    tickets.metadata.registration_endpoint = undefined
    tickets.metadata.client_id_metadata_document_supported = true
    // A correct server would issue no code for the resource of another. Suppose that it did.
    person.visit = async (url) => {
      const honest = new URL(url)
      honest.searchParams.set('resource', notes.mcp)
      return agree(honest.href)
    }
    const client = page.client({
      providers: [mcp({ id: 'tickets', url: tickets.mcp })],
      app: { clientMetadataUrl: CLIENT_METADATA_URL },
    })
    const error = await failure(client.connect('tickets'))
    expect(error.code).toBe('issuer_mismatch')
    expect(person.visited[0]).toContain(notes.url)
    expect(tokenRequests()).toEqual([])
  })

  it.each([
    'javascript:alert(1)',
    ' java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,x',
    'blob:https://as.example/x',
    'http://as.example/authorize',
    'https://user:pass@as.example/authorize',
  ])('case 25: an authorization endpoint of %j is refused', async (authorization_endpoint) => {
    await expect(discover(RESOURCE, { ...METADATA, authorization_endpoint })).rejects.toThrow('not safe')
    sandbox.tickets.metadata.authorization_endpoint = authorization_endpoint
    await failure(open().connect('tickets'))
    expect(person.visited).toEqual([])
  })
})

describe('what an account is for', () => {
  const notes = (url: string) => mcp({ id: 'notes', name: 'Notes', url })

  it('case 217: another server with the id of a connected one gets no token of it', async () => {
    const { tickets, ledger } = sandbox
    const storage = memoryStore()
    const client = page.client({ storage, providers: [notes(tickets.mcp)] })
    await client.connect('notes')
    const token = await client.getToken('notes')
    const [id = ''] = Object.keys(client.getSnapshot().accounts)

    const reloaded = page.client({ storage, providers: [notes(ledger.mcp)] })
    client.setProviders([notes(ledger.mcp)])
    tickets.log.length = 0
    for (const one of [client, reloaded]) {
      expect(cardStatus(one.getSnapshot(), 'notes')).toBe('needs-reconnect')
      expect(one.getSnapshot().accounts[id]).toMatchObject({ reason: 'resource_changed' })
      await expect(one.getToken('notes')).rejects.toMatchObject({ code: 'invalid_token', next: 'reconnect' })
      await expect(one.getToken({ accountId: id })).rejects.toMatchObject({ code: 'invalid_token' })
      expect(await one.getIdentities()).toEqual([])
      await one.reportInvalidToken(id)
      const fetch = mcpFetch(one, 'notes')
      expect((await failure(fetch(ledger.mcp, { method: 'POST', body: '{}' }))).code).toBe('login_required')
    }
    expect(ledger.log.map(({ path }) => path)).toContain('/mcp')
    expect(JSON.stringify(ledger.log)).not.toContain(token)
    expect(JSON.stringify([...ledger.log, ...tickets.log])).not.toContain('refresh_token=')

    // At its old address, the server has its account again.
    client.setProviders([notes(tickets.mcp)])
    expect(await client.getToken('notes')).toBe(token)
    expect(await client.getIdentities()).toMatchObject([{ accessToken: token, resource: tickets.mcp }])
    // At its new address it is connected as new, with no token of the old one.
    expect(await reloaded.reconnect(id)).toMatchObject({ status: 'connected', account: { resource: ledger.mcp } })
    expect(JSON.stringify(ledger.log)).not.toContain(token)
  })

  it('case 217: a token is revoked only at the server that issued it', async () => {
    const { tickets, ledger } = sandbox
    const client = page.client({ providers: [notes(tickets.mcp)] })
    await client.connect('notes')
    const [id = ''] = Object.keys(client.getSnapshot().accounts)
    client.setProviders([notes(ledger.mcp)])
    expect(await client.disconnect(id)).toMatchObject({ status: 'revoked' })
    expect(tickets.log.map(({ path }) => path)).toContain('/token/revocation')
    expect(ledger.log).toEqual([])
  })

  it('case 224: a second server with the same id is left out, and the page keeps working', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const client = page.client({ providers: [notes(sandbox.tickets.mcp)] })
    client.setProviders([notes(sandbox.tickets.mcp), notes(sandbox.ledger.mcp)])
    expect(client.providers).toMatchObject([{ mcp: { url: sandbox.tickets.mcp } }])
    expect(logged).toHaveBeenCalledWith(expect.stringContaining('Two providers have the id "notes"'))
    logged.mockRestore()
  })

  it('case 220: a server that sends people to the sign-in page of another is refused before the window leaves', async () => {
    // Neither server promises `iss` in its metadata.
    const { notes: honest, tickets } = sandbox
    tickets.metadata.authorization_endpoint = `${honest.url}/auth`
    tickets.metadata.authorization_response_iss_parameter_supported = undefined
    const error = await failure(open().connect('tickets'))
    expect(error).toMatchObject({ code: 'malformed_response', message: expect.stringContaining('another server') })
    expect(person.visited).toEqual([])
    expect(tokenRequests()).toEqual([])
  })

  it('case 220: a sign-in page of another origin is allowed if the responses name their issuer, or the app trusts it', async () => {
    const metadata = { ...METADATA, authorization_endpoint: 'https://login.example/authorize' }
    await expect(discover(RESOURCE, metadata)).rejects.toThrow('another server')
    const promised = { ...metadata, authorization_response_iss_parameter_supported: true }
    expect(await discover(RESOURCE, promised)).toMatchObject({ server: metadata })
    const { ask } = world({
      [`${HOST}/.well-known/oauth-protected-resource/mcp`]: RESOURCE,
      [`${AS}/.well-known/oauth-authorization-server`]: metadata,
    })
    const trusted = mcp({ id: 'm', url: SERVER, authorizationOrigin: 'https://login.example' })
    expect(await discoverMcp(trusted, ask)).toMatchObject({ server: metadata })
  })
})

describe('discovery', () => {
  it.each([`${AS}/`, 'https://AS.example', 'https://evil.example', undefined])(
    'case 138: metadata with the issuer %j is not that of the issuer asked for',
    async (issuer) => {
      expect((await failure(discover(RESOURCE, { ...METADATA, issuer }))).code).toBe('issuer_mismatch')
    },
  )

  it.each(['https://evil.example/mcp', `${HOST}/other`, HOST, `${SERVER}?x=1`, undefined])(
    'case 139: metadata for the resource %j is not that of this server',
    async (resource) => {
      await expect(discover({ ...RESOURCE, resource })).rejects.toThrow('another server')
    },
  )

  it('case 139: a resource at a parent path is accepted only if the app configures exactly that one', async () => {
    const { ask } = world({
      [`${HOST}/.well-known/oauth-protected-resource/mcp`]: { ...RESOURCE, resource: HOST },
      [`${AS}/.well-known/oauth-authorization-server`]: METADATA,
    })
    expect(await discoverMcp(mcp({ id: 'm', url: SERVER, resource: HOST }), ask)).toMatchObject({ resource: HOST })
    expect(() => mcp({ id: 'm', url: SERVER, resource: 'https://evil.example' })).toThrow('m.auth.resource')
  })

  it.each([
    ['token_endpoint', 'http://169.254.169.254/latest'],
    ['registration_endpoint', 'https://10.0.0.1/register'],
    ['jwks_uri', 'https://192.168.1.1/jwks'],
    ['revocation_endpoint', 'https://[::1]/revoke'],
    ['token_endpoint', 'https://localhost/token'],
    ['token_endpoint', 'https://2130706433/token'],
  ])('case 140: a %s of %s is refused', async (name, url) => {
    await expect(discover(RESOURCE, { ...METADATA, [name]: url })).rejects.toThrow('not safe')
  })

  it('case 140: no request goes to an authorization server or metadata at a private address', async () => {
    const found = discover({ ...RESOURCE, authorization_servers: ['https://10.1.2.3'] })
    await expect(found).rejects.toThrow('must not be asked')
    expect(found.asked).toHaveLength(1)
    const { ask, asked } = world({})
    const challenge = { resource_metadata: 'http://169.254.169.254/prm' }
    await expect(discoverMcp(mcp({ id: 'm', url: SERVER }), ask, challenge)).rejects.toThrow('must not be asked')
    expect(asked).toEqual([])
  })

  it('case 141: a server that moves to another issuer gets no token of the old one', async () => {
    const { tickets, ledger } = sandbox
    const client = open()
    await client.connect('tickets')
    const before = await (await client.mcp()).registrations.find(tickets.url)
    const token = await client.getToken('tickets')
    // From now on the server names another authorization server, and wants its tokens.
    const real = globalThis.fetch
    globalThis.fetch = async (input, init) => {
      const url = String(input)
      if (url.startsWith(`${tickets.url}/.well-known/oauth-protected-resource`))
        return Response.json({ resource: tickets.mcp, authorization_servers: [ledger.url], scopes_supported: [] })
      return url === tickets.mcp && new Headers(init?.headers).has('authorization')
        ? new Response(null, { status: 401 })
        : real(input, init)
    }
    try {
      tickets.log.length = 0
      const fetch = mcpFetch(client, 'tickets', {
        authorize: (_request, connect): Promise<ConnectOutcome> => connect(),
        fetch: (input, init) => globalThis.fetch(input, init),
      })
      await fetch(tickets.mcp, { method: 'POST', body: '{}' }).catch(() => {})
    } finally {
      globalThis.fetch = real
    }
    // The new server was asked, and the app registered there, ...
    expect(ledger.log.map(({ path }) => path)).toContain('/reg')
    // ... and it got neither client, token nor refresh token of the old one.
    expect(JSON.stringify(ledger.log)).not.toContain(before?.client_id)
    expect(JSON.stringify(ledger.log)).not.toContain(token)
    expect(ledger.log.filter(({ body }) => body.includes('refresh_token='))).toEqual([])
    expect(tickets.log.filter(({ path }) => path === '/token')).toEqual([])
  })

  it('case 366: a server that never answers a call is given up after five minutes; a stream that began goes on', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { tickets } = sandbox
    let sent: AbortSignal | null | undefined
    const silent = mcpFetch(open(), 'tickets', {
      fetch: (_url, init) =>
        new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
    })
    for (const url of [tickets.mcp, `${tickets.url}/elsewhere`, new Request(tickets.mcp)]) {
      const ended = expect(silent(url)).rejects.toMatchObject({ name: 'TimeoutError' })
      await vi.advanceTimersByTimeAsync(300_000)
      await ended
    }
    const caller = new AbortController()
    const streaming = mcpFetch(open(), 'tickets', {
      fetch: async (_url, init) => {
        sent = init?.signal
        return new Response(new ReadableStream())
      },
    })
    for (const request of [tickets.mcp, new Request(tickets.mcp, { signal: caller.signal })]) {
      await streaming(request, request instanceof Request ? {} : { signal: caller.signal })
      await vi.advanceTimersByTimeAsync(3_600_000)
      expect(sent?.aborted).toBe(false)
    }
    caller.abort()
    expect(sent?.aborted).toBe(true)
  })

  it('case 141: a configured client id is used only at its own issuer', async () => {
    const client = page.client({ providers: [mcp({ id: 'files', url: sandbox.files.mcp, clientId: 'files-app' })] })
    const { registrations } = await client.mcp()
    await registrations.remember({
      issuer: 'https://former.example',
      client_id: 'files-app',
      method: 'pre-registered',
      token_endpoint_auth_method: 'none',
      redirect_uris: [REDIRECT_URI],
    })
    expect(await failure(client.connect('files'))).toMatchObject({ code: 'not_configured', next: 'configure' })
    expect(person.visited).toEqual([])
  })
})

// What servers really answer: packages/server/src/agent/mcp/answers.test.ts.
describe('a server that forgot this app', () => {
  it('case 259: after a window that never came back, the client is registered once more', async () => {
    const client = open()
    const { registrations } = await client.mcp()
    // Its page says that it does not know the client, and stays.
    person.visit = async () => undefined
    const first = client.connect('tickets')
    await eventually(() => expect(person.visited).toHaveLength(1))
    const [before] = await registrations.list()
    client.cancel('tickets')
    expect(await first).toMatchObject({ status: 'cancelled' })
    sandbox.tickets.deleteClients()
    person.visit = agree
    expect(await client.connect('tickets')).toMatchObject({ status: 'connected' })
    const [after] = await registrations.list()
    expect(after?.client_id).not.toBe(before?.client_id)
    // A client that tokens can be refreshed with stays.
    person.visit = async () => undefined
    const again = client.connect('tickets', { intent: 'add-account' })
    await eventually(() => expect(person.visited).toHaveLength(3))
    client.cancel('tickets')
    await again
    expect(await registrations.list()).toEqual([after])
  })
})

describe('registration', () => {
  const server = METADATA as unknown as McpAuthorizationServer
  const registrations = () => createRegistrations({ storage: memoryStore() })
  const answers = (...list: object[]) => {
    const sent: Record<string, unknown>[] = []
    const ask: Ask = async (_url, init) => {
      sent.push(JSON.parse(String(init?.body)))
      return Response.json(list.length > 1 ? list.shift() : list[0], { status: 201 })
    }
    return { ask, sent }
  }

  it.each([
    ['no client id', {}],
    ['an empty one', { client_id: '' }],
    ['a huge one', { client_id: 'x'.repeat(3000) }],
    ['a line break in it', { client_id: 'a\r\nx: y' }],
    ['other redirect URIs', { client_id: 'a', redirect_uris: ['https://evil.example/'] }],
    [
      'a secret that has expired',
      {
        client_id: 'a',
        client_secret: 's',
        token_endpoint_auth_method: 'client_secret_post',
        client_secret_expires_at: 1,
      },
    ],
    ['a secret with a line break', { client_id: 'a', client_secret: 's\n' }],
    ['an unknown method', { client_id: 'a', token_endpoint_auth_method: 'private_key_jwt' }],
  ])('case 142: an answer with %s is refused', async (_name, answer) => {
    const { ask } = answers(answer)
    const store = registrations()
    expect((await failure(store.register(server, { redirectUri: REDIRECT_URI, ask }))).code).toBe('malformed_response')
    expect(await store.list()).toEqual([])
  })

  it("case 229: a refusal's words are cut before they are searched", async () => {
    const said = (error_description: string): Ask => {
      return async () => Response.json({ error: 'invalid_client_metadata', error_description }, { status: 400 })
    }
    const refusal = (ask: Ask) => failure(registrations().register(server, { redirectUri: REDIRECT_URI, ask }))
    const time = async (length: number) => {
      const started = process.cpuUsage()
      expect((await refusal(said('eyJ-'.repeat(length / 4)))).detail).toBe('[redacted]')
      return process.cpuUsage(started).user / 1000
    }
    await time(1000)
    const [small, large] = [await time(120_000), await time(240_000)]
    expect(large).toBeLessThan(Math.max(100, 3 * small))
    expect((await refusal(said('Not now.'))).detail).toBe('Not now.')
  })

  it('case 142: a secret that expires later is replaced by registering once more', async () => {
    const store = registrations()
    const soon = Math.floor(Date.now() / 1000) + 120
    const secret = { token_endpoint_auth_method: 'client_secret_post', client_secret: 's' }
    const { ask, sent } = answers({ client_id: 'one', ...secret, client_secret_expires_at: soon }, { client_id: 'two' })
    const get = () => store.getOrCreate(server, { redirectUri: REDIRECT_URI, ask })
    expect((await get()).client_id).toBe('one')
    const again = await get()
    expect(again.client_id).toBe('one')
    // What an app gets are facts; the secret is for the token endpoint.
    expect(again).not.toHaveProperty('client_secret')
    const known = await store.find(AS)
    await store.remember({ ...known!, client_secret_expires_at: soon - 120 })
    expect((await get()).client_id).toBe('two')
    expect(sent).toHaveLength(2)
    expect(sent[0]).toMatchObject({ application_type: 'native', grant_types: ['authorization_code', 'refresh_token'] })
  })

  it('case 143: a hundred connects make one registration', async () => {
    const store = registrations()
    const { ask, sent } = answers({ client_id: 'one' })
    const all = await Promise.all(
      Array.from({ length: 100 }, () => store.getOrCreate(server, { redirectUri: REDIRECT_URI, ask })),
    )
    expect(new Set(all.map(({ client_id }) => client_id))).toEqual(new Set(['one']))
    expect(sent).toHaveLength(1)
  })

  it.each([
    ['http://app.example/client.json', 'https'],
    ['https://app.example', 'a path'],
    ['https://app.example/a/../client.json', '..'],
    ['https://app.example/%2e%2e/client.json', '..'],
    ['https://app.example/client.json#x', 'fragment'],
    ['https://user@app.example/client.json', 'credentials'],
    ['client.json', 'URL'],
  ])('case 144: %s cannot be the URL of a client metadata document', (url, words) => {
    expect(() => checkClientMetadataUrl(url)).toThrow(words)
  })

  it.each([
    ['another client_id', { client_id: 'https://app.example/other.json' }, 'its own URL'],
    ['no name', { client_name: undefined }, 'client_name'],
    ['another redirect URI', { redirect_uris: ['https://app.example/'] }, 'redirect_uris'],
    ['a secret', { client_secret: 's' }, 'no secret'],
    ['a method with a secret', { token_endpoint_auth_method: 'client_secret_basic' }, 'no secret'],
  ])('case 144: a client metadata document with %s is refused', async (_name, change, words) => {
    const url = 'https://app.example/client.json'
    const document = { client_id: url, client_name: 'App', redirect_uris: [REDIRECT_URI] }
    const serve =
      (status: number, json: object): Ask =>
      async (_url, init) => {
        expect(init?.credentials).toBe('omit')
        return Response.json(json, { status })
      }
    await checkClientMetadata(url, REDIRECT_URI, serve(200, document))
    await expect(checkClientMetadata(url, REDIRECT_URI, serve(200, { ...document, ...change }))).rejects.toThrow(words)
    await expect(checkClientMetadata(url, REDIRECT_URI, serve(302, document))).rejects.toThrow('status 200')
  })
})

describe('text that servers send', () => {
  it.each([
    ['64 kB of one value', `Bearer scope="${'x'.repeat(65_536)}"`],
    ['64 kB of quotes', `Bearer ${'"\\'.repeat(32_768)}`],
    ['64 kB of equals signs', `Bearer a${'='.repeat(65_536)}`],
    ['64 kB of commas', `Bearer ${','.repeat(65_536)}`],
    ['fifty challenges', Array.from({ length: 50 }, (_, at) => `S${at} realm="x", Bearer error="e${at}"`).join(', ')],
    ['nested quotes', 'Bearer scope="a \\"b\\" c", realm="\\\\", error="insufficient_scope'],
  ])('case 145: %s takes no time and throws nothing', (_name, header) => {
    // This process's own time, in microseconds: on a busy machine the clock goes on without it.
    const started = process.cpuUsage()
    readChallenge(new Headers({ 'www-authenticate': header }))
    expect(process.cpuUsage(started).user).toBeLessThan(50_000)
  })

  it('case 145: a valid header is read in any spelling', () => {
    const read = (header: string) => readChallenge(new Headers({ 'www-authenticate': header }))
    expect(
      read('Basic realm="x", BEARER Scope="a b", resource_metadata="https://m.example/prm", error=invalid_token'),
    ).toEqual({
      scope: 'a b',
      resource_metadata: 'https://m.example/prm',
      error: 'invalid_token',
    })
    expect(read('Negotiate abc==, Bearer')).toEqual({})
    expect(read('Basic realm="Bearer scope=x"')).toBeUndefined()
  })

  it.each([
    ['\u202egro.elgoog\u202c Mail', 'gro.elgoog Mail'],
    ['Goo\u200bgle\u0000', 'Google'],
    ['<img src=x onerror=alert(1)>', 'img src=x onerror=alert(1)'],
    ['x'.repeat(500), 'x'.repeat(64)],
    ['\u200b', 'MCP server'],
  ])('case 146: the name %j is shown as clean text', async (name, shown) => {
    expect(cleanName(name)).toBe(shown)
    expect((await discover({ ...RESOURCE, resource_name: name })).name).toBe(shown)
    // The real host is always shown beside it.
    expect(mcp({ id: 'm', name, url: SERVER })).toMatchObject({ name: shown, description: 'mcp.example' })
  })
})

describe('URL-mode elicitation', () => {
  const page = { mode: 'url', message: 'Sign in to Acme', url: 'https://acme.example/connect', elicitationId: 'e1' }
  const request = {
    type: 'authorization_required',
    provider: 'notes',
    message: 'Sign in to Acme',
    mode: 'url',
    url: 'https://acme.example/connect',
    elicitationId: 'e1',
  }
  it.each([
    ['the parameters of elicitation/create', page],
    ['elicitation/create itself', { method: 'elicitation/create', params: page }],
    ['the error -32042', { code: -32042, message: 'Needed', data: { elicitations: [page] } }],
    [
      'a result that wants input (2026-07-28)',
      { inputRequests: { k: { method: 'elicitation/create', params: page } } },
    ],
  ])('%s becomes a ConnectRequest of the server', (_name, value) => {
    expect(readConnectRequest(value, { provider: 'notes' })).toEqual(request)
    expect(readConnectRequest(value)).toBeNull()
  })

  it.each([
    'javascript:alert(1)',
    'http://acme.example/',
    'data:text/html,x',
    'https://user:pass@acme.example/',
    'http://127.0.0.1:4110/page',
  ])('%s is not opened', (url) => {
    expect(readConnectRequest({ ...page, url }, { provider: 'notes' })).toBeNull()
    expect(readConnectRequest({ ...request, url })).not.toHaveProperty('url')
    expect(readConnectRequest({ ...page, url }, { provider: 'notes', server: 'https://notes.example/mcp' })).toBeNull()
  })

  it('a page on this machine is opened only for a server that is configured there', () => {
    const url = 'http://127.0.0.1:4110/page'
    const here = { provider: 'notes', server: 'http://127.0.0.1:4110/mcp' }
    expect(readConnectRequest({ ...page, url }, here)).toMatchObject({ url })
    expect(readConnectRequest({ ...request, url }, here)).toMatchObject({ url, mode: 'url' })
    for (const server of ['http://127.0.0.1:4111/mcp', 'http://localhost:4110/mcp', 'http://notes.example/mcp']) {
      expect(readConnectRequest({ ...page, url }, { provider: 'notes', server })).toBeNull()
    }
    // Plain http is never allowed, whatever the configuration says.
    expect(isPageOf('http://notes.example/page', 'http://notes.example/mcp')).toBe(false)
  })
})
