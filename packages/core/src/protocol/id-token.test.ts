import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { defineProvider, type OAuthProvider } from '../provider.ts'
import { authorizationServer } from './token-endpoint.ts'

const ours = generateKeyPairSync('rsa', { modulusLength: 2048 })
const theirs = generateKeyPairSync('rsa', { modulusLength: 2048 })
const client_id = 'app'
const nonce = 'n'.repeat(43)
let idToken: string | undefined
let issuer = ''
let provider: OAuthProvider

const server = createServer((request, response) => {
  request.resume()
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify(
      request.url === '/jwks'
        ? { keys: [{ ...ours.publicKey.export({ format: 'jwk' }), kid: 'ours', alg: 'RS256', use: 'sig' }] }
        : { access_token: 'token', token_type: 'bearer', id_token: idToken },
    ),
  )
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  provider = defineProvider({
    kind: 'oauth',
    id: 'acme',
    name: 'Acme',
    description: '',
    issuer,
    baseUrl: issuer,
    apiBaseUrl: issuer,
    envNames: [],
    server: {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
    },
    client: { token_endpoint_auth_method: 'none' },
    scopes: ['openid'],
    scopeMeanings: {},
  })
})
afterAll(() => server.close())

const now = () => Math.floor(Date.now() / 1000)
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

interface Forgery {
  header?: object
  claims?: object
  key?: KeyObject
}

function signed({ header, claims, key = ours.privateKey }: Forgery = {}): string {
  const good = { iss: issuer, aud: client_id, sub: 'ada', nonce, iat: now(), exp: now() + 300 }
  const input = `${part({ alg: 'RS256', kid: 'ours', ...header })}.${part({ ...good, ...claims })}`
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), key).toString('base64url')}`
}

const redeem = (sent: string | undefined = nonce) =>
  authorizationServer(provider, { client_id }).redeem({
    response: new URLSearchParams({ code: 'c', state: 's' }),
    state: 's',
    issuer,
    redirect_uri: 'http://127.0.0.1/callback',
    code_verifier: 'v'.repeat(43),
    client_id,
    nonce: sent,
  })

it('accepts a valid ID token, and an answer without one', async () => {
  idToken = signed()
  expect((await redeem()).token.access_token).toBe('token')
  idToken = undefined
  expect((await redeem()).token.access_token).toBe('token')
})

it.each<[string, () => string]>([
  ['alg none', () => `${part({ alg: 'none' })}.${signed().split('.')[1]}.`],
  ['another audience', () => signed({ claims: { aud: 'somebody-else' } })],
  ['another issuer', () => signed({ claims: { iss: 'https://evil.example' } })],
  ['another nonce', () => signed({ claims: { nonce: 'x'.repeat(43) } })],
  ['no nonce', () => signed({ claims: { nonce: undefined } })],
  ['an end in the past', () => signed({ claims: { iat: now() - 900, exp: now() - 600 } })],
  ['an unknown kid', () => signed({ header: { kid: 'theirs' }, key: theirs.privateKey })],
  ['our kid under another key', () => signed({ key: theirs.privateKey })],
])('case 27: an ID token with %s is refused', async (_what, forge) => {
  idToken = forge()
  await expect(redeem()).rejects.toMatchObject({ name: 'LatchkeyError', code: 'malformed_response' })
})

it('case 27: an ID token with a nonce is refused if the request had none', async () => {
  idToken = signed()
  await expect(redeem('')).rejects.toMatchObject({ code: 'malformed_response' })
})
