import { createHash, randomBytes } from 'node:crypto'
import { createRemoteJWKSet, exportJWK, generateKeyPair, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { errors, type TokenEndpointGrantContext } from 'oidc-provider'
import { createAuthorizationServer } from './authorization-server.ts'
import { createHeadlessBrowser } from './headless-browser.ts'
import type { Client } from './sign-in.ts'
import { createStandIn, openServer, type StandIn } from './stand-in.ts'

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'
const REDIRECT_URI = 'https://app.example/callback'
const SCOPES = ['notes.read', 'notes.write']

/** What the company does with the next exchanges, instead of what it should. */
export interface CompanyPolicy {
  /** Refuse, with this error. */
  deny?: string
  /** Authorize for another authorization server than was asked for. */
  audience?: string
  /** Seconds from now to the end of an authorization. @default 300 */
  lifetime?: number
  /** @default ID-JAG */
  issuedTokenType?: string
}

/** The company's identity provider: its people sign in to the app there, and it authorizes the app for their accounts. */
export interface CompanyStandIn extends StandIn {
  /** The app's registration. */
  readonly client: Client
  /** Signs a person in to the app. Returns their ID token. */
  signIn(user: string): Promise<string>
  setPolicy(policy: CompanyPolicy): void
}

/** An authorization server that trusts the company, and its API. */
export interface NotesStandIn extends StandIn {
  /** What tokens are for. `GET` answers whose token it is. */
  readonly resource: string
  /** The app's registration, which the company knows. */
  readonly client: Client
  /** A client that the company does not authorize. */
  readonly otherClient: Client
}

/** A company and a service that it has bought for its people, by the identity assertion authorization grant. */
export interface EnterpriseSandbox {
  company: CompanyStandIn
  notes: NotesStandIn
  close(): Promise<void>
}

const newClient = (client_id: string): Client => ({
  client_id,
  client_secret: randomBytes(24).toString('base64url'),
})

/** Starts both on 127.0.0.1. @see draft-ietf-oauth-identity-assertion-authz-grant */
export async function startEnterprise(): Promise<EnterpriseSandbox> {
  const app = newClient('app')
  const agent = newClient('agent')
  const company = await startCompany(app, agent.client_id)
  const notes = await startNotes(company.url, [agent, newClient('other')])
  return {
    company,
    notes,
    async close() {
      await Promise.all([company.close(), notes.close()])
    },
  }
}

/** @param known the app's client id at the service, which the company was told */
async function startCompany(client: Client, known: string): Promise<CompanyStandIn> {
  const server = await openServer(0)
  const { app, url } = server
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  let policy: CompanyPolicy = {}
  let user = ''

  const oauth = createAuthorizationServer({
    issuer: url,
    brand: { id: 'company', name: 'Company', hue: 0 },
    configuration: {
      clients: [],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'ES256' }] },
      enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
      ttl: { AccessToken: 3600 },
    },
  })
  oauth.store.set(`Client:${client.client_id}`, {
    ...client,
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', TOKEN_EXCHANGE],
    id_token_signed_response_alg: 'ES256',
  })

  const params = ['requested_token_type', 'subject_token', 'subject_token_type', 'audience', 'resource', 'scope']
  const exchange = async (ctx: TokenEndpointGrantContext<Record<string, unknown>>) => {
    const { params, client: asking } = ctx.oidc
    const isAsked = params.requested_token_type === ID_JAG && params.subject_token_type === ID_TOKEN
    if (!isAsked || !params.audience || !params.resource) throw new errors.InvalidRequest('not an exchange for ID-JAG')
    const audience = asking.clientId
    const { payload } = await jwtVerify(String(params.subject_token), publicKey, { issuer: url, audience }).catch(
      () => {
        throw new errors.InvalidGrant('the subject token is not valid')
      },
    )
    if (policy.deny) throw new errors.CustomOIDCProviderError(policy.deny, `Not for ${params.subject_token}.`)
    const { lifetime = 300, issuedTokenType = ID_JAG } = policy
    const scope = params.scope === undefined ? undefined : String(params.scope)
    const claims = { client_id: known, resource: params.resource, ...(scope && { scope }) }
    const now = Math.floor(Date.now() / 1000)
    const jag = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'oauth-id-jag+jwt' })
      .setIssuer(url)
      .setSubject(payload.sub ?? '')
      .setAudience(policy.audience ?? String(params.audience))
      .setJti(randomBytes(16).toString('base64url'))
      .setIssuedAt(now)
      .setExpirationTime(now + lifetime)
      .sign(privateKey)
    ctx.body = { issued_token_type: issuedTokenType, access_token: jag, token_type: 'N_A' }
  }
  oauth.provider.registerGrantType(TOKEN_EXCHANGE, exchange, params)

  // Everybody agrees to everything, without a page.
  app.get('/interaction/:uid', async (c) => {
    const details = await oauth.findInteraction(c)
    if (!details) return oauth.errorPage(c, 'This sign-in has expired.')
    const grant = new oauth.provider.Grant({ accountId: user, clientId: client.client_id })
    grant.addOIDCScope(String(details.params.scope))
    return oauth.submit(c, { login: { accountId: user }, consent: { grantId: await grant.save() } })
  })
  app.all('*', (c) => oauth.ask(c))

  async function signIn(who: string): Promise<string> {
    user = who
    const code_verifier = randomBytes(32).toString('base64url')
    const request = new URLSearchParams({
      ...{ client_id: client.client_id, redirect_uri: REDIRECT_URI, response_type: 'code', scope: 'openid' },
      code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    const page = await createHeadlessBrowser().open(`${url}/auth?${request}`)
    const code = page.url.searchParams.get('code')
    if (!code) throw new Error(`The company did not sign ${who} in: ${page.url} ${page.html}`)
    const redemption = { grant_type: 'authorization_code', code, code_verifier, redirect_uri: REDIRECT_URI }
    const answer = await fetch(`${url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
      body: new URLSearchParams(redemption),
    })
    const { id_token } = await answer.json()
    return id_token
  }

  const standIn = createStandIn(server, {
    ...oauth,
    reset() {
      policy = {}
      oauth.reset()
    },
  })
  return Object.assign(standIn, {
    client,
    signIn,
    setPolicy(next: CompanyPolicy) {
      policy = next
    },
  })
}

async function startNotes(company: string, [client, otherClient]: [Client, Client]): Promise<NotesStandIn> {
  const server = await openServer(0)
  const { app, url } = server
  const resource = `${url}/notes`
  const keys = createRemoteJWKSet(new URL(`${company}/jwks`))
  const seen = new Set<string>()

  const oauth = createAuthorizationServer({
    issuer: url,
    brand: { id: 'notes', name: 'Notes', hue: 0 },
    configuration: { clients: [], scopes: SCOPES, ttl: { AccessToken: 3600 } },
  })
  for (const one of [client, otherClient]) {
    const grants = { grant_types: [JWT_BEARER], redirect_uris: [], response_types: [], scope: SCOPES.join(' ') }
    oauth.store.set(`Client:${one.client_id}`, { ...one, ...grants })
  }

  const { AccessToken, Grant } = oauth.provider
  const redeem = async (ctx: TokenEndpointGrantContext<Record<string, unknown>>) => {
    const { params, client: asking } = ctx.oidc
    const claims = await read(String(params.assertion))
    const isTheirs = claims.client_id === asking.clientId && claims.resource === resource
    const isNew = claims.jti !== undefined && !seen.has(claims.jti)
    if (!isTheirs || !isNew) throw new errors.InvalidGrant('the assertion is not for this client, or was used before')
    seen.add(claims.jti ?? '')
    const accountId = claims.sub ?? ''
    const grant = new Grant({ accountId, clientId: asking.clientId })
    const scope = typeof claims.scope === 'string' ? claims.scope : ''
    const grantId = await grant.save()
    const token = new AccessToken({
      client: asking,
      accountId,
      scope,
      grantId,
      gty: 'jwt-bearer',
      aud: resource,
    } as never)
    ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration, scope }
  }
  oauth.provider.registerGrantType(JWT_BEARER, redeem, ['assertion', 'scope'])

  async function read(assertion: string): Promise<JWTPayload> {
    const expected = { issuer: company, audience: url, typ: 'oauth-id-jag+jwt' }
    const { payload } = await jwtVerify(assertion, keys, expected).catch((error) => {
      throw new errors.InvalidGrant(`the assertion is not valid: ${error.code}`)
    })
    return payload
  }

  app.get('/notes', async (c) => {
    const token = await oauth.findToken(/^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1])
    if (token?.kind !== 'AccessToken') return c.json({ error: 'invalid_token' }, 401)
    return c.json({ person: token.accountId, client: token.clientId, scope: token.scope })
  })
  app.all('*', (c) => oauth.ask(c))

  const standIn = createStandIn(server, {
    ...oauth,
    reset() {
      seen.clear()
      oauth.reset()
    },
  })
  return Object.assign(standIn, { resource, client, otherClient })
}
