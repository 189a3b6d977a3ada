import type { Provider } from '@latchkey/core'
import { issuerOf } from '@latchkey/core/server'
import { type CodeGrant, verifyKey } from '@latchkey/core/token'
import type { Hono } from 'hono'
import { badRequest, refusal } from '../answers.ts'
import { keyFields, optionalText, text, tokenOf } from '../body.ts'
import type { Setup } from '../options.ts'
import type { Body, Env } from '../request.ts'

/** Routes for accounts that the browser keeps: they add the client secret, and keep nothing. */
export function mediateRoutes<Session>(app: Hono<Env>, setup: Setup<Session>): void {
  const { providerOf, endpointOf, redirectUriOf, fetchFor } = setup

  app.post('/token', async (c) => {
    const { body } = c.var
    const provider = providerOf('mediate', 'oauth', body)
    const endpoint = endpointOf(provider)
    switch (body.grant_type) {
      case 'authorization_code':
        return c.json(await endpoint.redeem(codeGrant(body, redirectUriOf(c), endpoint.client_id)))
      case 'refresh_token':
        refuseOther(provider, body)
        return c.json(await endpoint.refresh(tokenOf(provider, { refresh_token: text(body, 'refresh_token') })))
      default:
        throw refusal(400, 'unsupported_grant_type', 'grant_type must be authorization_code or refresh_token.')
    }
  })

  app.post('/revoke', async (c) => {
    const { body } = c.var
    const provider = providerOf('mediate', 'oauth', body)
    const endpoint = endpointOf(provider)
    const access_token = optionalText(body, 'access_token')
    const refresh_token = optionalText(body, 'refresh_token')
    if (!access_token && !refresh_token) {
      throw badRequest('There is nothing to revoke: access_token or refresh_token is needed.')
    }
    refuseOther(provider, body)
    return c.json(await endpoint.revoke(tokenOf(provider, { access_token, refresh_token })))
  })

  app.post('/verify', async (c) => {
    const provider = providerOf('mediate', 'api-key', c.var.body)
    refuseOther(provider, c.var.body)
    return c.json(await verifyKey(provider, keyFields(provider, c.var.body), { fetch: fetchFor() }))
  })
}

/** A page that was open while a provider moved has secrets of the issuer of before: they are for no other. */
function refuseOther(provider: Provider, body: Body): void {
  const issuer = optionalText(body, 'issuer')
  if (issuer === undefined || issuer === issuerOf(provider)) return
  throw refusal(400, 'issuer_mismatch', `${provider.name} has moved. Reload the page, and connect it again.`)
}

function codeGrant(body: Body, redirect_uri: string, client_id: string): CodeGrant {
  const code_verifier = text(body, 'code_verifier')
  if (!/^[\w.~-]{43,128}$/.test(code_verifier)) {
    throw badRequest('code_verifier must be 43 to 128 unreserved characters (RFC 7636 §4.1).')
  }
  return {
    response: new URLSearchParams(text(body, 'response')),
    state: text(body, 'state'),
    issuer: text(body, 'issuer'),
    redirect_uri,
    code_verifier,
    client_id,
    nonce: optionalText(body, 'nonce'),
  }
}
