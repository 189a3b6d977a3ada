import { generateKeyPairSync } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import Provider from 'oidc-provider'
import { type Server, serve } from './lab.ts'

export interface RotatingServer extends Server {
  /** Seconds that access tokens live from now on. */
  accessTtl: number
  /** Refresh requests that came, and how each was answered. */
  refreshes: { status: number; body: string }[]
  /** Called when a refresh request has come, before it is answered. */
  onRefresh?: () => void | Promise<void>
}

/**
 * oidc-provider as it comes, but for one option: refresh tokens rotate. A used one revokes the whole grant, as RFC 9700
 * §4.14.2 wants it. It knows one person and asks nothing. Every request takes `delay` milliseconds longer.
 */
export async function startRotatingServer(redirectUris: string[], delay = 40): Promise<RotatingServer> {
  let handle: ReturnType<Provider['callback']> | undefined
  let provider: Provider
  const server = await serve(async (request, response, { pathname }) => {
    await wait(delay)
    if (pathname.startsWith('/interaction/')) {
      const { params } = await provider.interactionDetails(request, response)
      const grant = new provider.Grant({ accountId: 'ada', clientId: 'lab' })
      grant.addOIDCScope(String(params.scope))
      const result = { login: { accountId: 'ada' }, consent: { grantId: await grant.save() } }
      return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
    }
    await handle?.(request, response)
  })
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  provider = new Provider(server.origin, {
    clients: [
      {
        client_id: 'lab',
        redirect_uris: redirectUris,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    ],
    rotateRefreshToken: true,
    issueRefreshToken: () => true,
    expiresWithSession: () => false,
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['lab'] },
    clientBasedCORS: () => true,
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    ttl: {
      AccessToken: () => rotating.accessTtl,
      Grant: 86_400,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 86_400,
      Session: 3600,
    },
  })
  const rotating: RotatingServer = { ...server, accessTtl: 3600, refreshes: [] }
  provider.use(async (ctx, next) => {
    const held = ctx.path === '/token' ? rotating.onRefresh : undefined
    if (held && ctx.method === 'POST') await held()
    await next()
    const { params } = ctx.oidc ?? {}
    if (ctx.path === '/token' && params?.grant_type === 'refresh_token') {
      rotating.refreshes.push({ status: ctx.status, body: JSON.stringify(ctx.body) })
    }
  })
  handle = provider.callback()
  return rotating
}
