import { generateKeyPairSync, type JsonWebKey, randomBytes, randomInt } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import { HTTPException } from 'hono/http-exception'
import {
  type AccessToken,
  type Adapter,
  type AdapterPayload,
  type Configuration,
  errors,
  type Grant,
  type Interaction,
  type InteractionResults,
  interactionPolicy,
  Provider,
  type RefreshToken,
} from 'oidc-provider'
import { avatar, type Brand, consentPage, errorPage, loginPage, type Person, type ScopeLine } from './pages.ts'
import { type App, type AppContext, optionalText, readObject, type StandIn } from './stand-in.ts'

/** How people behave when nobody is there to click. */
export interface Policy {
  /** Log in and consent without showing a page. */
  auto?: boolean
  /** Who logs in with `auto` (login at GitHub, address at Google); whoever is logged in, or the first, by default. */
  user?: string
  /** Refuse at once, as if Cancel had been pressed. */
  deny?: boolean
  /** Grant these scopes at most, whatever was asked for and ticked. */
  grantOnly?: string[]
}

export interface Client {
  client_id: string
  client_secret: string
}

export interface OAuthStandIn extends StandIn {
  readonly client: Client
  /** Replaces the whole policy; `{}` brings the pages back. */
  setPolicy(policy: Policy): void
}

export interface User extends Person {
  claims: Record<string, string | number | boolean>
}

export interface AuthorizationServerOptions {
  app: App
  issuer: string
  /** Path below which the provider's own routes lie; the path of the issuer. */
  mount: string
  brand: Brand
  client: Client
  redirectUris: string[]
  users: User[]
  /** Every scope that can be granted. */
  scopes: Record<string, ScopeLine>
  /** A scope that is granted silently and cannot be refused: the provider gives nothing when no scope is granted. */
  impliedScope: string
  /** Turns other spellings of a scope into the one in `scopes`. */
  canonicalScope?: (scope: string) => string
  /** Whether this authorization also carries every scope granted earlier. */
  keepsGrantedScopes: (params: Record<string, unknown>) => boolean
  configuration: Configuration
  /** What tokens look like. */
  tokenPrefixes: { code: string; access: string; refresh: string }
}

export interface AuthorizationServer {
  provider: Provider
  /** Hands the request to the provider, optionally with another query or form, and returns its answer. */
  ask(c: AppContext, change?: { query?: URLSearchParams; form?: URLSearchParams }): Promise<Response>
  errorPage(c: AppContext, message: string): Promise<Response>
  setPolicy(policy: Policy): void
  findAccessToken(value: string | undefined): Promise<AccessToken | undefined>
  findRefreshToken(value: string | undefined): Promise<RefreshToken | undefined>
  /** Ends everything this grant led to: all tokens, and the consent. */
  revokeGrant(grantId: string | undefined): Promise<void>
  isLive(value: string): Promise<boolean>
  /** An access token dies alone, as if it had expired; a refresh token takes the grant with it. */
  revoke(value: string): Promise<boolean>
  /** Forgets the policy, every session, consent and token. */
  reset(): void
}

const APP_NAME = 'Latchkey demo'
const YEARS = 10 * 365 * 86_400
const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

const randomText = (length: number): string =>
  Array.from({ length }, () => ALPHANUMERIC[randomInt(ALPHANUMERIC.length)]).join('')

/** One key for the whole process: making an RSA key is slow, and tests start many sandboxes. */
let signingKey: JsonWebKey | undefined
export function getSigningKey(): JsonWebKey {
  signingKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  return signingKey
}

/** `scope` parameter to names; some clients write commas. */
export const splitScope = (scope: unknown): string[] =>
  typeof scope === 'string' ? scope.split(/[\s,]+/).filter(Boolean) : []

/** What GitHub and Google have in common: the provider, its login and consent pages, and who granted what. */
export function createAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const { app, issuer, mount, brand, client, users, scopes, impliedScope } = options
  const store = new Map<string, AdapterPayload>()
  /** One grant per client and user, kept here so that consent outlives the browser session. */
  const grantIds = new Map<string, string>()
  let policy: Policy = {}

  const consent = interactionPolicy.base().get('consent')!
  for (const { reason } of [...consent.checks]) if (reason !== 'consent_prompt') consent.checks.remove(reason)
  consent.checks.add(
    new interactionPolicy.Check('scopes_missing', 'scopes not granted yet', 'consent_required', ({ oidc }) => {
      if (oidc.result?.consent) return false
      const granted = splitScope((oidc.entities.Grant as Grant | undefined)?.getOIDCScope())
      return Boolean(policy.deny) || [...oidc.requestParamOIDCScopes].some((scope) => !granted.includes(scope))
    }),
  )
  const login = interactionPolicy.base().get('login')!
  login.checks.add(
    new interactionPolicy.Check('policy_user', 'another user is to log in', 'login_required', ({ oidc }) =>
      Boolean(policy.auto && policy.user && policy.user !== oidc.session?.accountId && !oidc.result?.login),
    ),
  )

  const cookiePrefix = `sandbox_${brand.id}`
  const provider = new Provider(issuer, {
    adapter: (name) => memoryAdapter(store, name),
    jwks: { keys: [{ ...getSigningKey(), use: 'sig', alg: 'RS256' }] },
    // Cookies do not tell ports apart, so two stand-ins on one host need different names.
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      names: {
        session: `${cookiePrefix}_session`,
        interaction: `${cookiePrefix}_interaction`,
        resume: `${cookiePrefix}_resume`,
      },
      long: { httpOnly: true, sameSite: 'lax', overwrite: true },
      short: { httpOnly: true, sameSite: 'lax', overwrite: true },
    },
    clients: [
      {
        ...client,
        client_name: APP_NAME,
        redirect_uris: options.redirectUris,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    clientAuthMethods: ['client_secret_post', 'client_secret_basic'],
    responseTypes: ['code'],
    scopes: [impliedScope, ...Object.keys(scopes)],
    pkce: { required: () => false },
    rotateRefreshToken: false,
    issueRefreshToken: () => false,
    expiresWithSession: () => false,
    clientBasedCORS: () => true,
    findAccount: (_ctx, id) => {
      const user = users.find((one) => one.id === id)
      return user && { accountId: id, claims: () => ({ sub: id, ...user.claims }) }
    },
    loadExistingGrant: ({ oidc }) => findGrant(oidc.client?.clientId, oidc.session?.accountId),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}`, policy: [login, consent] },
    renderError: async (ctx, out) => {
      ctx.type = 'html'
      ctx.body = String(await errorPage(brand, out.error_description ?? out.error))
    },
    ...options.configuration,
    ttl: {
      AccessToken: YEARS,
      AuthorizationCode: 600,
      Grant: YEARS,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: YEARS,
      Session: 14 * 86_400,
      ...options.configuration.ttl,
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      userinfo: { enabled: false },
      ...options.configuration.features,
    },
  })
  shapeIds(provider.AuthorizationCode, options.tokenPrefixes.code)
  shapeIds(provider.AccessToken, options.tokenPrefixes.access)
  shapeIds(provider.RefreshToken, options.tokenPrefixes.refresh)

  provider.on('authorization.accepted', (ctx) => {
    const { params, entities } = ctx.oidc
    if (!params || !options.keepsGrantedScopes(params)) return
    const granted = splitScope((entities.Grant as Grant).getOIDCScope())
    params.scope = [...new Set([...splitScope(params.scope), ...granted])].join(' ')
  })

  async function findGrant(clientId?: string, accountId?: string): Promise<Grant | undefined> {
    const id = grantIds.get(`${clientId} ${accountId}`)
    return id ? provider.Grant.find(id) : undefined
  }

  /** Writes the person's decision into the grant. `ticked` is absent when there was no page. */
  async function writeGrant(accountId: string, asked: string[], ticked?: string[]): Promise<string> {
    const grant =
      (await findGrant(client.client_id, accountId)) ?? new provider.Grant({ accountId, clientId: client.client_id })
    const most = policy.grantOnly?.map(options.canonicalScope ?? String)
    const granted = new Set(splitScope(grant.getOIDCScope()))
    for (const scope of asked) {
      const refused = ticked && scopes[scope]?.optional && !ticked.includes(scope)
      const withheld = most && scope !== impliedScope && !most.includes(scope)
      if (refused || withheld) granted.delete(scope)
      else granted.add(scope)
    }
    grant.openid = { scope: [...granted].join(' ') }
    const id = await grant.save()
    grantIds.set(`${client.client_id} ${accountId}`, id)
    return id
  }

  const known = (scope: unknown) =>
    splitScope(scope).filter((one) => one === impliedScope || Object.hasOwn(scopes, one))

  async function submit(c: AppContext, details: Interaction, result: InteractionResults): Promise<Response> {
    const to = await provider.interactionResult(c.env.incoming, c.env.outgoing, result)
    const accountId = result.login?.accountId
    if (accountId && details.session?.accountId && details.session.accountId !== accountId) {
      // Otherwise the provider would stop at a logout page before it lets another person in.
      const session = await provider.Session.findByUid(details.session.uid)
      if (session) {
        session.accountId = undefined
        session.authorizations = undefined
        await session.persist()
      }
    }
    return c.redirect(to, 303)
  }

  const deny = (c: AppContext, details: Interaction) =>
    submit(c, details, {
      error: 'access_denied',
      error_description: 'The user has denied your application access.',
    })

  async function findInteraction(c: AppContext): Promise<Interaction | undefined> {
    try {
      return await provider.interactionDetails(c.env.incoming, c.env.outgoing)
    } catch (error) {
      if (error instanceof errors.SessionNotFound) return undefined
      throw error
    }
  }

  const showError = async (c: AppContext, message: string) => c.html(await errorPage(brand, message), 400)
  const expired = (c: AppContext) => showError(c, 'This sign-in has expired. Go back to the application and try again.')

  app.use('/interaction/*', async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
    // No form-action: browsers apply it to redirects too, and these forms end at the application.
    c.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
    )
  })

  app.get('/interaction/:uid', async (c) => {
    const details = await findInteraction(c)
    if (!details) return expired(c)
    if (policy.deny) return deny(c, details)
    const asked = known(details.params.scope)
    if (policy.auto) {
      const accountId = policy.user ?? details.session?.accountId ?? users[0]!.id
      return submit(c, details, { login: { accountId }, consent: { grantId: await writeGrant(accountId, asked) } })
    }
    const user = users.find(({ id }) => id === details.session?.accountId)
    if (!user || details.prompt.name === 'login' || c.req.query('switch') !== undefined) {
      return c.html(await loginPage(brand, users))
    }
    return c.html(
      await consentPage(brand, {
        appName: APP_NAME,
        returnsTo: new URL(String(details.params.redirect_uri)).host,
        user,
        scopes: asked.filter((scope) => scope !== impliedScope).map((name) => ({ name, ...scopes[name]! })),
      }),
    )
  })

  app.post('/interaction/:uid', async (c) => {
    const details = await findInteraction(c)
    if (!details) return expired(c)
    const form = new URLSearchParams(await c.req.text())
    const user = users.find(({ id }) => id === form.get('user'))
    if (user) return submit(c, details, { login: { accountId: user.id } })
    const accountId = details.session?.accountId
    if (form.get('answer') !== 'allow' || !accountId) return deny(c, details)
    const grantId = await writeGrant(accountId, known(details.params.scope), form.getAll('scope'))
    return submit(c, details, { consent: { grantId } })
  })

  app.get('/avatars/:file', (c) => {
    const user = users.find(({ picture }) => picture === c.req.path)
    return user ? c.body(avatar(user.name), 200, { 'content-type': 'image/svg+xml' }) : c.notFound()
  })

  function setPolicy(next: Policy): void {
    const user = users.find(({ id, handle }) => id === next.user || handle === next.user)
    if (next.user !== undefined && !user) {
      throw new HTTPException(400, { message: `There is no user "${next.user}"` })
    }
    policy = { ...next, user: user?.id }
  }

  app.post('/__sandbox/policy', async (c) => {
    const body = await readObject(c)
    const next: Policy = { auto: body.auto === true, deny: body.deny === true, user: optionalText(body, 'user') }
    if (Array.isArray(body.grantOnly)) next.grantOnly = body.grantOnly.map(String)
    setPolicy(next)
    return c.json({})
  })

  const server: AuthorizationServer = {
    provider,
    setPolicy,
    errorPage: showError,

    ask: (c, change) => askProvider(provider, mount, c, change),

    async findAccessToken(value) {
      return value ? provider.AccessToken.find(value) : undefined
    },
    async findRefreshToken(value) {
      return value ? provider.RefreshToken.find(value) : undefined
    },

    async revokeGrant(grantId) {
      if (!grantId) return
      await provider.AccessToken.revokeByGrantId(grantId)
      store.delete(`Grant:${grantId}`)
    },

    async isLive(value) {
      return Boolean((await server.findAccessToken(value)) ?? (await server.findRefreshToken(value)))
    },

    async revoke(value) {
      const access = await server.findAccessToken(value)
      await access?.destroy()
      const refresh = await server.findRefreshToken(value)
      await server.revokeGrant(refresh?.grantId)
      return Boolean(access ?? refresh)
    },

    reset() {
      policy = {}
      store.clear()
      grantIds.clear()
    },
  }
  return server
}

/** Hands a request to a provider below `mount`, optionally with another query or form, and returns its answer. */
export async function askProvider(
  provider: Provider,
  mount: string,
  c: AppContext,
  { query, form }: { query?: URLSearchParams; form?: URLSearchParams } = {},
): Promise<Response> {
  const request = new IncomingMessage(c.env.incoming.socket)
  const { pathname, search } = new URL(c.req.url)
  const body = form ? form.toString() : await c.req.text()
  request.method = c.req.method
  request.url = pathname.slice(mount.length) + (query ? `?${query}` : search)
  request.headers = { ...c.env.incoming.headers }
  if (form) {
    request.headers['content-type'] = 'application/x-www-form-urlencoded'
    request.headers['content-length'] = String(Buffer.byteLength(body))
    delete request.headers['transfer-encoding']
  }
  // Whoever accepts HTML would get errors of the token endpoint as a page.
  if (request.method === 'POST') request.headers.accept = 'application/json'
  // The provider builds its own addresses from this.
  Object.assign(request, { baseUrl: mount })
  if (body) request.push(body)
  request.push(null)
  // An incomplete message would take the connection down with it.
  request.complete = true
  const response = new CollectedResponse(request)
  await provider.callback()(request, response)
  return response.collected
}

/** Lets the provider answer into a `Response`, so that its answers can be bent before they leave. */
export class CollectedResponse extends ServerResponse {
  #resolve: (response: Response) => void
  readonly collected: Promise<Response>

  constructor(request: IncomingMessage) {
    super(request)
    const { promise, resolve } = Promise.withResolvers<Response>()
    this.collected = promise
    this.#resolve = resolve
  }

  override end(...[chunk]: unknown[]): this {
    const headers = new Headers()
    for (const [name, value] of Object.entries(this.getHeaders())) {
      for (const one of [value ?? []].flat()) headers.append(name, String(one))
    }
    // Its length may change, and is counted again on the way out.
    headers.delete('content-length')
    const body = typeof chunk === 'string' || Buffer.isBuffer(chunk) ? String(chunk) : null
    this.#resolve(new Response(body || null, { status: this.statusCode, headers }))
    return this
  }
}

/** Gives the ids of a model, which are the tokens themselves, the look of the original. */
function shapeIds(model: { prototype: object }, prefix: string): void {
  const prototype = model.prototype as { generateTokenId(): string }
  const generate = prototype.generateTokenId
  prototype.generateTokenId = function (this: unknown) {
    generate.call(this) // also notes the format on the token
    return prefix + randomText(36)
  }
}

/** Storage for one kind of model. Expiry is checked by the provider when it reads. */
export function memoryAdapter(store: Map<string, AdapterPayload>, kind: string): Adapter {
  const key = (id: string) => `${kind}:${id}`
  return {
    async upsert(id, payload) {
      store.set(key(id), payload)
    },
    async find(id) {
      return store.get(key(id))
    },
    async findByUid(uid) {
      return [...store].find(([name, payload]) => name.startsWith(`${kind}:`) && payload.uid === uid)?.[1]
    },
    async findByUserCode() {},
    async consume(id) {
      const payload = store.get(key(id))
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      store.delete(key(id))
    },
    async revokeByGrantId(grantId) {
      for (const [name, payload] of store) if (payload.grantId === grantId) store.delete(name)
    },
  }
}
