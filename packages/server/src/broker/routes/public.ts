import { callbackPage, callbackScriptHash } from '@latchkey/core/callback'
import type { Hono } from 'hono'
import type { Setup } from '../options.ts'
import type { Env } from '../request.ts'

/** What anybody may ask for. */
export function publicRoutes<Session>(app: Hono<Env>, { providers, custodyOf, clientOf }: Setup<Session>): void {
  app.get('/providers', (c) =>
    c.json({
      providers: [...providers.values()].flatMap((provider) => {
        const mode = custodyOf(provider)
        if (provider.kind === 'api-key') return { id: provider.id, mode }
        const { client_id } = clientOf(provider)
        return client_id ? { id: provider.id, client_id, mode } : []
      }),
    }),
  )

  // No Cross-Origin-Opener-Policy: it could cut the page off from the app that waits for it.
  app.get('/callback', (c) =>
    c.html(callbackPage, 200, {
      'content-security-policy': `default-src 'none'; script-src '${callbackScriptHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
    }),
  )
}
