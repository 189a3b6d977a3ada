import { setTimeout as wait } from 'node:timers/promises'
import { createAuthorizationServer } from './authorization-server.ts'
import { openServer } from './stand-in.ts'

export interface RotatingServer {
  readonly origin: string
  /** Seconds that the next access tokens live. */
  accessTtl: number
  /** How each refresh request was answered. */
  readonly refreshes: { status: number; body: string }[]
  /** Awaited before the token endpoint answers. */
  onTokenRequest?: (() => void | Promise<void>) | undefined
  close(): Promise<void>
}

/**
 * A server whose refresh tokens rotate: a used one revokes its whole grant (RFC 9700 §4.14.2). It has one person, who
 * agrees to everything without a page. Every request takes `delay` milliseconds longer.
 */
export async function startRotatingServer(redirectUris: string[], delay = 40): Promise<RotatingServer> {
  const { app, url: origin, close } = await openServer(0)
  const oauth = createAuthorizationServer({
    issuer: origin,
    brand: { id: 'rotating', name: 'Lab', hue: 0 },
    configuration: {
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
      features: { revocation: { enabled: true }, userinfo: { enabled: true } },
      ttl: { AccessToken: () => server.accessTtl },
    },
  })
  const server: RotatingServer = { origin, accessTtl: 3600, refreshes: [], close }

  app.use(async (_c, next) => {
    await wait(delay)
    await next()
  })
  app.get('/interaction/:uid', async (c) => {
    const details = await oauth.findInteraction(c)
    if (!details) return oauth.errorPage(c, 'This sign-in has expired.')
    const grant = new oauth.provider.Grant({ accountId: 'ada', clientId: 'lab' })
    grant.addOIDCScope(String(details.params.scope))
    return oauth.submit(c, { login: { accountId: 'ada' }, consent: { grantId: await grant.save() } })
  })
  app.post('/token', async (c) => {
    await server.onTokenRequest?.()
    const answer = await oauth.ask(c)
    if (new URLSearchParams(await c.req.text()).get('grant_type') === 'refresh_token') {
      server.refreshes.push({ status: answer.status, body: await answer.clone().text() })
    }
    return answer
  })
  app.all('*', (c) => oauth.ask(c))
  return server
}
