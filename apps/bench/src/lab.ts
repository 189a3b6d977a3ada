import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => unknown

export interface Server {
  readonly port: number
  /** The origin as 127.0.0.1 and as localhost: two sites to a browser. */
  readonly origin: string
  readonly namedOrigin: string
  close(): Promise<void>
}

/** Starts a server on a free port of 127.0.0.1. */
export async function serve(handler: Handler): Promise<Server> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
    Promise.resolve(handler(request, response, url)).catch((error) => {
      console.error(error)
      response.writeHead(500).end()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    namedOrigin: `http://localhost:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export const html = (response: ServerResponse, body: string, headers: Record<string, string> = {}) =>
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body)

export async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

let bundling: Promise<Map<string, string>> | undefined

/** The page's program with @latchkey/core in it, as a bundler makes it for a browser. */
function bundle(): Promise<Map<string, string>> {
  bundling ??= build({
    entryPoints: { app: path.join(import.meta.dirname, 'page.ts') },
    outdir: 'app',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    logLevel: 'error',
  }).then(({ outputFiles }) => new Map(outputFiles.map((file) => [`/app/${path.basename(file.path)}`, file.text])))
  return bundling
}

const callbackPage = readFileSync(fileURLToPath(import.meta.resolve('@latchkey/core/callback.html')), 'utf8')

export interface LabApp extends Server {
  /** Response headers of the app's page, and of its callback page. Change them at any time. */
  headers: { app: Record<string, string>; callback: Record<string, string> }
  /** The URL of the page, with a provider at this authorization server. */
  at(server: string, options?: { kind?: 'oauth' | 'oidc'; origin?: string; prefix?: string }): string
}

/** The smallest app: @latchkey/core, a button and the callback page, without broker and React. */
export async function startApp(): Promise<LabApp> {
  const files = await bundle()
  const headers: LabApp['headers'] = { app: {}, callback: {} }
  const server = await serve((_request, response, { pathname }) => {
    const script = files.get(pathname)
    if (script !== undefined) response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    else if (pathname === '/callback') html(response, callbackPage, headers.callback)
    else if (pathname === '/') {
      const page =
        '<title>Lab</title><button>Connect Lab</button><pre></pre><script type="module" src="/app/app.js"></script>'
      html(response, `<!doctype html><meta charset="utf-8">${page}`, headers.app)
    } else response.writeHead(204).end()
  })
  return {
    ...server,
    headers,
    at: (authorizationServer, { kind = 'oauth', origin = server.origin, prefix } = {}) =>
      `${origin}/?${new URLSearchParams({ server: authorizationServer, kind, ...(prefix && { prefix }) })}`,
  }
}

export interface LabServer extends Server {
  /** How the authorization page answers. Change it at any time. */
  authorize: {
    headers: Record<string, string>
    /** The page, given the URL of the redirect. @default goOn, which redirects at once */
    page: (next: string) => string
  }
  /** Awaited before the discovery document is sent. */
  discovery: () => Promise<unknown>
  /** Awaited before the token endpoint answers. */
  token: () => Promise<unknown>
  /** Codes and refresh tokens that the token endpoint received, in order. */
  redeemed: string[]
  /** All codes, access tokens and refresh tokens that were issued. */
  secrets: string[]
  /** Paths of requests to no endpoint of OAuth. */
  visits: string[]
}

export const goOn = (next: string) => `<!doctype html><script>location.replace(${JSON.stringify(next)})</script>`
export const linkOn = (next: string) => `<!doctype html><a href="${next.replaceAll('&', '&amp;')}">Continue</a>`

/** An authorization server without login and consent, whose pages and headers tests can set. */
export async function startAuthorizationServer(): Promise<LabServer> {
  let count = 0
  const secret = (kind: string) => {
    const value = `CANARY_${kind}_${++count}_${crypto.randomUUID()}`
    lab.secrets.push(value)
    return value
  }
  const json = (response: ServerResponse, value: unknown) =>
    response
      .writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' })
      .end(JSON.stringify(value))
  const server = await serve(async (request, response, url) => {
    if (request.method === 'OPTIONS') {
      response
        .writeHead(204, {
          'access-control-allow-origin': '*',
          'access-control-allow-headers': 'authorization, content-type',
        })
        .end()
    } else if (url.pathname === '/authorize') {
      const next = new URL(url.searchParams.get('redirect_uri') ?? '')
      next.searchParams.set('code', secret('CODE'))
      next.searchParams.set('state', url.searchParams.get('state') ?? '')
      html(response, lab.authorize.page(next.href), lab.authorize.headers)
    } else if (url.pathname === '/token' && request.method === 'POST') {
      const form = new URLSearchParams(await bodyOf(request))
      lab.redeemed.push(form.get('code') ?? form.get('refresh_token') ?? '')
      await lab.token()
      json(response, {
        access_token: secret('AT'),
        refresh_token: secret('RT'),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: form.get('scope') ?? undefined,
      })
    } else if (url.pathname === '/userinfo')
      json(response, { sub: 'ada', name: 'Ada Lovelace', preferred_username: 'ada' })
    else if (url.pathname === '/.well-known/openid-configuration') {
      await lab.discovery()
      json(response, {
        issuer: server.origin,
        authorization_endpoint: `${server.origin}/authorize`,
        token_endpoint: `${server.origin}/token`,
        userinfo_endpoint: `${server.origin}/userinfo`,
        code_challenge_methods_supported: ['S256'],
      })
    } else {
      lab.visits.push(url.pathname)
      html(response, '<!doctype html><p>Nothing here')
    }
  })
  const lab: LabServer = {
    ...server,
    authorize: { headers: {}, page: goOn },
    discovery: () => Promise.resolve(),
    token: () => Promise.resolve(),
    redeemed: [],
    secrets: [],
    visits: [],
  }
  return lab
}
