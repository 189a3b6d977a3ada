// A small authorization server, with an API and a broker. Codes and rotated refresh tokens work once, PKCE is checked,
// and a replay ends the whole grant. Tests can change its answers.
import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Part of every secret that the server makes, so that tests can search for leaks. */
export const CANARY = 'CANARY_'

export interface Person {
  sub: string
  preferred_username?: string
  name?: string
  email?: string
  picture?: string
}

export const ADA: Person = { sub: '1815', preferred_username: 'ada', name: 'Ada Lovelace', email: 'ada@example.com' }
export const GRACE: Person = { sub: '1906', preferred_username: 'grace', name: 'Grace Hopper' }

/** A request that the server received. */
export interface TinyRequest {
  method: string
  path: string
  /** The query string with its `?`, or empty. */
  search: string
  headers: IncomingHttpHeaders
  body: string
}

/** Replaces the next answer of a route. */
export interface TinyFault {
  status?: number
  headers?: Record<string, string>
  body?: string | Record<string, unknown>
  /** Answers as usual after this promise has settled. */
  after?: Promise<unknown>
  /** Refuses, with the request's body in the error description. */
  echo?: true
  /** Changes the usual answer. */
  change?: (answer: Record<string, unknown>) => Record<string, unknown>
}

type Answer = [status: number, body: Record<string, unknown>]

interface Grant {
  person: Person
  scope: string
  ended?: true
}

interface TinySettings {
  /** Lifetime of access tokens in seconds. Undefined: answers have no `expires_in`. */
  expiresIn: number | undefined
  /** Whether refresh tokens rotate: each works once. */
  rotate: boolean
  /** Extra members of the metadata. */
  metadata: Record<string, unknown>
  /** Headers of every answer. */
  headers: Record<string, string>
  /** Status of the key check. 200: valid keys get 200, others 401. */
  verify: number
}

/** The server without a network: its state, and its answers as a `fetch`. */
export interface TinyAuthorizationServer {
  origin: string
  readonly settings: TinySettings
  /** Keys that the API accepts, with their profiles. */
  readonly keys: Map<string, Record<string, unknown>>
  /** How often a used refresh token was sent again. */
  readonly reused: number
  answer(request: TinyRequest): Answer
  /** A `fetch` without a network. Request and answer take a turn of the event loop each, so other code runs between. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /** Issues tokens without a flow. */
  grant(person: Person | string): { access_token: string; refresh_token: string }
  /** Approves an authorization request; returns the query of the redirect. */
  approve(url: string, person?: Person | string, change?: Record<string, string | null>): string
  /** Whether the grant of a token has not ended. */
  isLive(token: string): boolean
  /** Whether a refresh token has not been used. */
  isUnused(token: string): boolean
  /** Ends every grant, as a person does in the provider's settings. */
  endGrants(): void
  reset(): void
}

export interface TinyServer extends TinyAuthorizationServer {
  readonly broker: string
  readonly requests: TinyRequest[]
  /** The first of these handles a request and is removed, if it returns true. */
  readonly instead: ((path: string, response: ServerResponse) => boolean)[]
  /** Requests to one route, in order. */
  to(path: string): TinyRequest[]
  /** Requests to the token endpoint for a refresh. */
  refreshes(): TinyRequest[]
  /** Replaces the next answers of a route. */
  fault(path: string, ...next: TinyFault[]): void
  close(): Promise<void>
}

const personOf = (person: Person | string): Person =>
  typeof person === 'string' ? { sub: person, preferred_username: person } : person
const defaults = (): TinySettings => ({ expiresIn: 3600, rotate: true, metadata: {}, headers: {}, verify: 200 })

/** The codes and tokens that the server has issued. */
function createTokens(settings: TinySettings) {
  const codes = new Map<string, { grant: Grant; challenge: string; redirect_uri: string; used?: true }>()
  const access = new Map<string, Grant>()
  const refresh = new Map<string, { grant: Grant; used?: true }>()
  let count = 0
  let reused = 0

  const issue = (grant: Grant) => {
    count += 1
    const token = { access_token: `${CANARY}AT_${count}`, refresh_token: `${CANARY}RT_${count}` }
    access.set(token.access_token, grant)
    refresh.set(token.refresh_token, { grant })
    return { ...token, token_type: 'bearer', expires_in: settings.expiresIn, scope: grant.scope }
  }

  /** @see RFC 6749 §5.1, §5.2 */
  const redeem = (form: Record<string, string | undefined>): Answer => {
    const refusal: Answer = [400, { error: 'invalid_grant', error_description: `${CANARY}WORDS` }]
    if (form.grant_type === 'authorization_code') {
      const code = codes.get(form.code ?? '')
      if (code?.used) code.grant.ended = true
      const challenge = createHash('sha256')
        .update(form.code_verifier ?? '')
        .digest('base64url')
      if (!code || code.used || code.redirect_uri !== form.redirect_uri) return refusal
      code.used = true
      return code.challenge === challenge ? [200, issue(code.grant)] : refusal
    }
    const held = refresh.get(form.refresh_token ?? '')
    if (form.grant_type !== 'refresh_token' || !held || held.grant.ended) return refusal
    if (held.used) {
      reused += 1
      held.grant.ended = true
      return refusal
    }
    if (!settings.rotate) {
      const { refresh_token: _same, ...answer } = issue(held.grant)
      return [200, answer]
    }
    held.used = true
    return [200, issue(held.grant)]
  }

  return {
    access,
    refresh,
    issue,
    redeem,
    get reused() {
      return reused
    },
    grantOf: (token: string) => access.get(token) ?? refresh.get(token)?.grant,
    code(asked: URLSearchParams, person: Person): string {
      count += 1
      const code = `${CANARY}CODE_${count}`
      codes.set(code, {
        grant: { person, scope: asked.get('scope') ?? '' },
        challenge: asked.get('code_challenge') ?? '',
        redirect_uri: asked.get('redirect_uri') ?? '',
      })
      return code
    },
    reset() {
      count = 0
      reused = 0
      for (const all of [codes, access, refresh]) all.clear()
    },
  }
}

export function createTinyServer(origin = 'https://acme.test'): TinyAuthorizationServer {
  const settings = defaults()
  const keys = new Map<string, Record<string, unknown>>()
  const tokens = createTokens(settings)
  const bearer = ({ headers }: TinyRequest) => (headers.authorization ?? '').replace('Bearer ', '')

  const routes: Record<string, (request: TinyRequest) => Answer> = {
    '/token': ({ body }) => tokens.redeem(Object.fromEntries(new URLSearchParams(body))),
    '/revoke': ({ body }) => {
      const grant = tokens.grantOf(new URLSearchParams(body).get('token') ?? '')
      if (grant) grant.ended = true
      return [200, {}]
    },
    '/userinfo': (request) => {
      const grant = tokens.access.get(bearer(request))
      return grant && !grant.ended ? [200, { ...grant.person }] : [401, { error: 'invalid_token' }]
    },
    '/key': (request) => {
      const profile = keys.get(bearer(request))
      if (settings.verify !== 200) return [settings.verify, {}]
      return profile ? [200, profile] : [401, {}]
    },
    '/.well-known/openid-configuration': () => [
      200,
      {
        issuer: server.origin,
        authorization_endpoint: `${server.origin}/authorize`,
        token_endpoint: `${server.origin}/token`,
        revocation_endpoint: `${server.origin}/revoke`,
        userinfo_endpoint: `${server.origin}/userinfo`,
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
        ...settings.metadata,
      },
    ],
    '/broker/providers': () => [200, { providers: [{ id: 'github', client_id: 'named-by-broker' }] }],
    '/broker/token': ({ body }) => {
      const { response, ...form } = JSON.parse(body)
      const [status, answer] = tokens.redeem({ ...form, code: new URLSearchParams(response).get('code') })
      if (status !== 200) return [status, answer]
      const person = tokens.access.get(String(answer.access_token))?.person
      const { sub: subject, preferred_username: username, name, email } = person ?? ({} as Person)
      return [200, { token: { ...answer, issuer: server.origin }, profile: { subject, username, name, email } }]
    },
    '/broker/revoke': () => [200, { status: 'revoked', tokens: ['refresh_token', 'access_token'] }],
    '/broker/verify': ({ body }) => {
      const profile = keys.get(JSON.parse(body).fields.key)
      return profile ? [200, { status: 'verified', profile }] : [401, { error: 'invalid_token' }]
    },
  }
  /** Any path of the API. */
  const callApi = (request: TinyRequest): Answer => {
    const grant = tokens.access.get(bearer(request))
    return grant && !grant.ended ? [200, { ok: true }] : [401, { error: 'invalid_token' }]
  }

  const server: TinyAuthorizationServer = {
    origin,
    settings,
    keys,
    get reused() {
      return tokens.reused
    },
    answer: (request) =>
      routes[request.path]?.(request) ??
      (request.path.startsWith('/api/') ? callApi(request) : [404, { error: 'not_found' }]),
    async fetch(input, init) {
      await new Promise((resolve) => setTimeout(resolve))
      const { pathname: path, search } = new URL(String(input))
      const headers = Object.fromEntries(new Headers(init?.headers))
      const method = init?.method ?? 'GET'
      const [status, body] = server.answer({ method, path, search, headers, body: String(init?.body ?? '') })
      await new Promise((resolve) => setTimeout(resolve))
      return Response.json(body, { status })
    },
    grant: (person) => tokens.issue({ person: personOf(person), scope: 'read' }),
    approve(url, person = ADA, change = {}) {
      const asked = new URL(url).searchParams
      const code = tokens.code(asked, personOf(person))
      const answer = new URLSearchParams({ code, state: asked.get('state') ?? '', iss: server.origin })
      for (const [name, value] of Object.entries(change)) {
        if (value === null) answer.delete(name)
        else answer.set(name, value)
      }
      return `?${answer}`
    },
    isLive(token) {
      const grant = tokens.grantOf(token)
      return grant !== undefined && !grant.ended
    },
    isUnused: (token) => tokens.refresh.has(token) && !tokens.refresh.get(token)?.used,
    endGrants() {
      for (const grant of tokens.access.values()) grant.ended = true
    },
    reset() {
      tokens.reset()
      keys.clear()
      Object.assign(settings, defaults())
    },
  }
  return server
}

/** Starts one on a free port of 127.0.0.1. */
export async function startTinyServer(): Promise<TinyServer> {
  const tiny = createTinyServer()
  const requests: TinyRequest[] = []
  const faults: Record<string, TinyFault[]> = {}
  const instead: TinyServer['instead'] = []

  const http = createServer(async (incoming: IncomingMessage, response) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    const { pathname: path, search } = new URL(incoming.url ?? '', 'http://localhost')
    const request = { method: incoming.method ?? '', path, search, headers: incoming.headers, body }
    requests.push(request)
    if (instead[0]?.(path, response)) {
      instead.shift()
      return
    }
    const json = { 'content-type': 'application/json' }
    const fault = faults[path]?.shift()
    await fault?.after
    if (fault?.status !== undefined || fault?.body !== undefined) {
      const text = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? {})
      response.writeHead(fault.status ?? 200, { ...json, ...fault.headers }).end(text)
      return
    }
    if (fault?.echo) {
      const answer = { error: 'invalid_request', error_description: decodeURIComponent(body).slice(-150) }
      response.writeHead(400, json).end(JSON.stringify(answer))
      return
    }
    const [status, answer] = tiny.answer(request)
    response
      .writeHead(status, { ...json, 'cache-control': 'no-store', ...tiny.settings.headers })
      .end(JSON.stringify(fault?.change?.(answer) ?? answer))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  tiny.origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`

  const { reset } = tiny
  return Object.assign(tiny, {
    broker: `${tiny.origin}/broker`,
    requests,
    instead,
    to: (path: string) => requests.filter((request) => request.path === path),
    refreshes: () =>
      requests.filter(({ path, body }) => path === '/token' && body.includes('grant_type=refresh_token')),
    fault(path: string, ...next: TinyFault[]) {
      faults[path] = [...(faults[path] ?? []), ...next]
    },
    reset() {
      reset()
      requests.length = 0
      instead.length = 0
      for (const path of Object.keys(faults)) delete faults[path]
    },
    close: () =>
      new Promise<void>((resolve) => {
        http.closeAllConnections()
        http.close(() => resolve())
      }),
  })
}
