import { setTimeout } from 'node:timers/promises'
import type { ApiKeyProvider, OAuthProvider } from '@latchkey/core'
import { isObject, parseObject, readBounded } from '@latchkey/core/server'
import type { Token } from '@latchkey/core/token'
import { HTTPException } from 'hono/http-exception'
import { badRequest, refusal } from './answers.ts'
import { type Body, TIMEOUT } from './request.ts'

const MAX_BODY = 16 * 1024
const MAX_FIELD = 8 * 1024

/** What a request carries, byte for byte. */
export async function readBytes({ headers, body }: Request): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => refusal(413, 'invalid_request', 'The body is larger than 16 kB.')
  if (Number(headers.get('content-length')) > MAX_BODY) throw tooLarge()
  const tooSlow = setTimeout(TIMEOUT, undefined, { ref: false }).then(() => {
    throw refusal(408, 'invalid_request', 'The body took too long to arrive.')
  })
  return await Promise.race([readBounded(body, MAX_BODY, tooLarge), tooSlow]).catch((error) => {
    throw error instanceof HTTPException ? error : badRequest('The body broke off.')
  })
}

/** The JSON object that a request carries. */
export async function readObject(request: Request): Promise<Body> {
  const value = parseObject(new TextDecoder().decode(await readBytes(request)))
  if (value) return value
  throw badRequest('The body must be a JSON object.')
}

export function optionalText(body: Body, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && value.length <= MAX_FIELD) return value
  throw badRequest(`${name} must be a string.`)
}

export function text(body: Body, name: string): string {
  const value = optionalText(body, name)
  if (value === undefined) throw badRequest(`${name} is missing.`)
  return value
}

export function scopesOf(body: Body): string[] | undefined {
  const { scopes } = body
  if (scopes === undefined || scopes === null) return undefined
  // RFC 6749 §3.3: what a scope may consist of.
  const good = Array.isArray(scopes) && scopes.length <= 100
  if (good && scopes.every((scope) => typeof scope === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(scope))) {
    return scopes
  }
  throw refusal(400, 'invalid_scope', 'scopes must be a list of scope names (RFC 6749 §3.3).')
}

export const tokenOf = ({ issuer }: OAuthProvider, { access_token = '', refresh_token }: Partial<Token>): Token => ({
  access_token,
  token_type: 'bearer',
  refresh_token,
  issuer,
})

/** The fields this provider knows. A character that would break out of a header makes the key a bad one. */
export function keyFields(provider: ApiKeyProvider, { fields }: Body): Record<string, string> {
  if (!isObject(fields)) throw badRequest('fields must be an object.')
  const known: Record<string, string> = {}
  for (const { name, label } of provider.fields) {
    const value = optionalText(fields, name)
    if (value === undefined) continue
    if (!/^[\x20-\x7e]+$/.test(value)) {
      throw refusal(400, 'invalid_token', `${label} holds a line break or another character that keys do not have.`)
    }
    known[name] = value
  }
  return known
}
