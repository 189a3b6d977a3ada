import { randomInt } from 'node:crypto'
import { HTTPException } from 'hono/http-exception'
import { type Configuration, type Grant, type Interaction, interactionPolicy } from 'oidc-provider'
import { type AuthorizationServer, createAuthorizationServer, DENIED } from './authorization-server.ts'
import { avatar, type Brand, consentPage, loginPage, type Person, type ScopeLine } from './pages.ts'
import { type App, type AppContext, optionalText, readObject, type StandIn } from './stand-in.ts'

/** Answers sign-ins without a person. */
export interface Policy {
  /** Log in and consent without showing a page. */
  auto?: boolean
  /** The user for `auto`: a login at GitHub, an address at Google. @default the one who is logged in, else the first */
  user?: string
  /** Refuse without showing a page, as if Cancel had been pressed. */
  deny?: boolean
  /** Grant at most these scopes, whatever was requested and ticked. */
  grantOnly?: string[]
}

export interface Client {
  client_id: string
  client_secret: string
}

export interface OAuthStandIn extends StandIn {
  readonly client: Client
  /** Replaces the policy. With `{}` the pages are shown. */
  setPolicy(policy: Policy): void
}

export interface User extends Person {
  claims: Record<string, string | number | boolean>
}

export interface SignInOptions {
  app: App
  issuer: string
  /** The path of the issuer, below which oidc-provider has its routes. */
  mount: string
  brand: Brand
  client: Client
  redirectUris: string[]
  users: User[]
  /** Every scope that can be granted. */
  scopes: Record<string, ScopeLine>
  /** Always granted and never shown, because oidc-provider issues no token without a granted scope. */
  impliedScope: string
  /** Maps other spellings of a scope to the one in `scopes`. */
  canonicalScope?: (scope: string) => string
  /** Whether the new token also has the scopes that were granted earlier. */
  keepsGrantedScopes: (params: Record<string, unknown>) => boolean
  configuration: Configuration
  /** How codes and tokens begin. */
  tokenPrefixes: { code: string; access: string; refresh: string }
}

export interface SignIn extends AuthorizationServer {
  setPolicy(policy: Policy): void
}

const APP_NAME = 'Latchkey demo'
const YEARS = 10 * 365 * 86_400
const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

const randomText = (length: number): string =>
  Array.from({ length }, () => ALPHANUMERIC[randomInt(ALPHANUMERIC.length)]).join('')

/** Splits a `scope` parameter. Some clients separate scopes with commas. */
export const splitScope = (scope: unknown): string[] =>
  typeof scope === 'string' ? scope.split(/[\s,]+/).filter(Boolean) : []

/** An authorization server with login and consent pages, for GitHub and Google. */
export function createSignIn(options: SignInOptions): SignIn {
  const { app, brand, client, users, scopes, impliedScope } = options
  /** Grant ids by client and user, so that consent outlives the browser session. */
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

  const server = createAuthorizationServer({
    issuer: options.issuer,
    mount: options.mount,
    brand,
    configuration: {
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
      scopes: [impliedScope, ...Object.keys(scopes)],
      pkce: { required: () => false },
      rotateRefreshToken: false,
      issueRefreshToken: () => false,
      findAccount: (_ctx, id) => {
        const user = users.find((one) => one.id === id)
        return user && { accountId: id, claims: () => ({ sub: id, ...user.claims }) }
      },
      loadExistingGrant: ({ oidc }) => findGrant(oidc.client?.clientId, oidc.session?.accountId),
      interactions: { url: (_ctx, { uid }) => `/interaction/${uid}`, policy: [login, consent] },
      ...options.configuration,
      ttl: { AccessToken: YEARS, Grant: YEARS, RefreshToken: YEARS, ...options.configuration.ttl },
    },
  })
  const { provider } = server
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

  /** Saves the person's decision as a grant. `ticked` is absent if no page was shown. */
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

  async function logIn(c: AppContext, details: Interaction, accountId: string, grantId?: string): Promise<Response> {
    const answer = await server.submit(c, { login: { accountId }, ...(grantId && { consent: { grantId } }) })
    if (details.session?.accountId && details.session.accountId !== accountId) {
      // Otherwise oidc-provider shows a logout page before another person can log in.
      const session = await provider.Session.findByUid(details.session.uid)
      if (session) {
        session.accountId = undefined
        session.authorizations = undefined
        await session.persist()
      }
    }
    return answer
  }

  const expired = (c: AppContext) =>
    server.errorPage(c, 'This sign-in has expired. Go back to the application and try again.')

  app.use('/interaction/*', async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
    // No form-action: browsers apply it to redirects too, and these forms redirect to the application.
    c.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
    )
  })

  app.get('/interaction/:uid', async (c) => {
    const details = await server.findInteraction(c)
    if (!details) return expired(c)
    if (policy.deny) return server.submit(c, DENIED)
    const asked = known(details.params.scope)
    if (policy.auto) {
      const accountId = policy.user ?? details.session?.accountId ?? users[0]!.id
      return logIn(c, details, accountId, await writeGrant(accountId, asked))
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
    const details = await server.findInteraction(c)
    if (!details) return expired(c)
    const form = new URLSearchParams(await c.req.text())
    const user = users.find(({ id }) => id === form.get('user'))
    if (user) return logIn(c, details, user.id)
    const accountId = details.session?.accountId
    if (form.get('answer') !== 'allow' || !accountId) return server.submit(c, DENIED)
    const grantId = await writeGrant(accountId, known(details.params.scope), form.getAll('scope'))
    return server.submit(c, { consent: { grantId } })
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

  return {
    ...server,
    setPolicy,
    reset() {
      policy = {}
      grantIds.clear()
      server.reset()
    },
  }
}

/** Gives tokens the prefix and length of the original's. A model's id is the token itself. */
function shapeIds(model: { prototype: object }, prefix: string): void {
  const prototype = model.prototype as { generateTokenId(): string }
  const generate = prototype.generateTokenId
  prototype.generateTokenId = function (this: unknown) {
    generate.call(this) // also sets the token's format
    return prefix + randomText(36)
  }
}
