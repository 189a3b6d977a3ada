import type { Hono, MiddlewareHandler } from 'hono'
import type { Custodian } from '../../vault/custodian.ts'
import { noAccount, refusal } from '../answers.ts'
import { keyFields, optionalText, scopesOf, text } from '../body.ts'
import type { Setup } from '../options.ts'
import type { Env } from '../request.ts'

/** Routes for accounts that the vault keeps: no secret leaves by one. */
export function vaultRoutes<Session>(
  app: Hono<Env>,
  { providerOf, redirectUriOf }: Setup<Session>,
  custodian: Custodian,
  guard: MiddlewareHandler<Env>,
): void {
  app.post('/flows', async (c) => {
    const { body, owner } = c.var
    const provider = providerOf('vault', 'oauth', body)
    const request = {
      redirect_uri: redirectUriOf(c),
      scopes: scopesOf(body),
      accountId: optionalText(body, 'accountId'),
      choose: body.choose === true,
      only: body.only === true,
    }
    return c.json(await custodian.start(owner, provider, request))
  })

  app.post('/flows/:state', async (c) => {
    const { body, owner } = c.var
    const account = await custodian.finish(owner, c.req.param('state'), text(body, 'response'))
    if (account === 'foreign') throw refusal(403, 'access_denied', 'Another session started this connection.')
    if (!account) throw refusal(404, 'invalid_request', 'There is no connection under way for this answer.')
    return c.json({ account })
  })

  app.get('/accounts', guard, async (c) => c.json({ accounts: await custodian.list(c.var.owner) }))

  app.post('/accounts', async (c) => {
    const { body, owner } = c.var
    const provider = providerOf('vault', 'api-key', body)
    const fields = keyFields(provider, body)
    return c.json({ account: await custodian.connectKey(owner, provider, fields, optionalText(body, 'accountId')) })
  })

  app.get('/accounts/:id', guard, async (c) => {
    const account = await custodian.find(c.var.owner, c.req.param('id'))
    if (!account) throw noAccount()
    return c.json({ account })
  })

  app.post('/accounts/:id', async (c) => {
    const { body, owner } = c.var
    const id = c.req.param('id')
    const isTurned = typeof body.paused === 'boolean'
    const account = await (isTurned
      ? custodian.pause(owner, id, body.paused === true)
      : custodian.recheck(owner, id).catch((error) => {
          // Told until when. Else the account's status says what there is to say.
          if (error.retryAfter !== undefined) throw error
          return custodian.find(owner, id)
        }))
    if (!account) throw noAccount()
    return c.json({ account })
  })

  app.delete('/accounts/:id', guard, async (c) => {
    const receipt = await custodian.disconnect(c.var.owner, c.req.param('id'))
    if (!receipt) throw noAccount()
    if (receipt.status === 'revoked') return c.json(receipt)
    const { error, ...rest } = receipt
    return c.json({ ...rest, ...(error && { error: error.code, message: error.message }) })
  })
}
