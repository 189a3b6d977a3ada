import { github, gmail, kaggle } from '@latchkey/core/providers'
import { createBroker } from '@latchkey/server'
import { Hono } from 'hono'

type Env = Readonly<Record<string, string | undefined>>
/** Returns the person's session or user id, or null to refuse the request. */
type Authenticate = (request: Request) => Promise<string | null>

export function createServer(authenticate: Authenticate, env: Env = process.env): Hono {
  const broker = createBroker({
    providers: [github(), gmail(), kaggle()],
    clients: {
      github: { client_id: env.GITHUB_CLIENT_ID, client_secret: env.GITHUB_CLIENT_SECRET },
      gmail: { client_id: env.GOOGLE_CLIENT_ID, client_secret: env.GOOGLE_CLIENT_SECRET },
    },
    authenticate,
    allowedOrigins: ['https://app.example'],
  })

  const app = new Hono()
  app.all('/api/latchkey/*', (c) => broker(c.req.raw))
  return app
}
