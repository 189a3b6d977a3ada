import { describe, expect, it } from 'vitest'
import {
  apiKey,
  defineProvider,
  envName,
  isAllowedUrl,
  keyScheme,
  type OAuthOptions,
  oauth,
  oidc,
  parseScope,
  readKeyFile,
} from './provider.ts'
import { github } from './providers/github.ts'
import { gmail } from './providers/gmail.ts'
import { kaggle } from './providers/kaggle.ts'

const OPTIONS: OAuthOptions = {
  id: 'acme',
  name: 'Acme',
  authorizationEndpoint: 'https://acme.example/authorize',
  tokenEndpoint: 'https://acme.example/token',
}

describe('oauth()', () => {
  it('makes a public client from two endpoints', () => {
    expect(oauth(OPTIONS)).toMatchObject({
      kind: 'oauth',
      id: 'acme',
      issuer: 'https://acme.example',
      apiBaseUrl: 'https://acme.example',
      envNames: ['ACME_TOKEN'],
      server: {
        issuer: 'https://acme.example',
        authorization_endpoint: 'https://acme.example/authorize',
        token_endpoint: 'https://acme.example/token',
      },
      client: { client_id: undefined, token_endpoint_auth_method: 'none' },
      scopes: [],
    })
  })

  it.each(['', 'Acme', 'a b', 'a.b', 'a_b', '../a'])('refuses the id %j', (id) => {
    expect(() => oauth({ ...OPTIONS, id })).toThrow(/must be of a-z/)
  })

  it.each([
    ['http', 'http://acme.example/token', /server\.token_endpoint of provider "acme" must be an https URL/],
    ['another scheme', 'javascript:alert(1)', /server\.token_endpoint of provider "acme" must be an http\(s\) URL/],
    ['no URL', '/token', /server\.token_endpoint of provider "acme" is not a URL/],
    ['credentials', 'https://a:b@acme.example/token', /without credentials/],
  ])('refuses a token endpoint with %s, naming its path', (_what, tokenEndpoint, message) => {
    expect(() => oauth({ ...OPTIONS, tokenEndpoint })).toThrow(message)
    expect(() => oauth({ ...OPTIONS, tokenEndpoint })).toThrow(
      expect.objectContaining({ name: 'LatchkeyError', code: 'misuse', next: 'configure' }),
    )
  })

  it('checks every URL, however deeply nested', () => {
    const profile = { endpoint: 'http://acme.example/me', fields: { subject: 'id' } }
    expect(() => oauth({ ...OPTIONS, profile })).toThrow(/profile\.endpoint/)
    expect(() => oauth({ ...OPTIONS, revocationEndpoint: 'http://acme.example' })).toThrow(/revocation_endpoint/)
    expect(() => oauth({ ...OPTIONS, manageUrl: 'javascript:alert(1)' })).toThrow(/manageUrl/)
    expect(() => oauth({ ...OPTIONS, authorizationEndpoint: 'nonsense' })).toThrow(/authorizationEndpoint/)
  })

  it('knows a read-only sign-in only where the app names its scopes', () => {
    expect(oauth({ ...OPTIONS, readOnlyScopes: ['read'] }).readOnlyScopes).toEqual(['read'])
    expect(oauth(OPTIONS).readOnlyScopes).toBeUndefined()
  })

  it('allows http only at the origin of its own baseUrl', () => {
    const local = {
      ...OPTIONS,
      baseUrl: 'http://127.0.0.1:9000',
      authorizationEndpoint: 'http://127.0.0.1:9000/authorize',
      tokenEndpoint: 'http://127.0.0.1:9000/token',
    }
    const provider = oauth(local)
    expect(provider.server.token_endpoint).toBe('http://127.0.0.1:9000/token')
    expect(() => oauth({ ...local, tokenEndpoint: 'http://127.0.0.1:9001/token' })).toThrow(/https/)
    expect(() => oauth({ ...local, manageUrl: 'http://127.0.0.1:9000/apps' })).toThrow(/manageUrl/)
    expect(isAllowedUrl(provider, 'http://127.0.0.1:9000/x')).toBe(true)
    expect(isAllowedUrl(provider, 'https://anywhere.example')).toBe(true)
    for (const url of ['http://127.0.0.1:9001/', 'http://localhost:9000/', 'javascript:1', '', 'https://a@b.example'])
      expect(isAllowedUrl(provider, url)).toBe(false)
  })
})

it('oidc() takes an issuer, and the endpoints are discovered', () => {
  const provider = oidc({ id: 'corp', name: 'Corp', issuer: 'https://id.corp.example/realms/a' })
  expect(provider).toMatchObject({
    issuer: 'https://id.corp.example/realms/a',
    apiBaseUrl: 'https://id.corp.example',
    server: { issuer: 'https://id.corp.example/realms/a' },
    scopes: ['openid', 'profile', 'email'],
    scopeMeanings: { openid: { label: 'Know who you are' } },
  })
  expect(provider.server).not.toHaveProperty('token_endpoint')
  expect(() => oidc({ id: 'corp', name: 'Corp', issuer: 'http://id.corp.example' })).toThrow(/issuer/)
})

describe('apiKey()', () => {
  const provider = apiKey({
    id: 'weather',
    name: 'Weather',
    keyUrl: 'https://weather.example/keys',
    apiBaseUrl: 'https://api.weather.example/v1/',
  })

  it('is one masked field, sent as Bearer', () => {
    expect(provider).toMatchObject({
      kind: 'api-key',
      issuer: 'https://api.weather.example',
      apiBaseUrl: 'https://api.weather.example/v1',
      fields: [{ name: 'key', label: 'API key', secret: true }],
      schemes: [{ fields: ['key'], authorization: { scheme: 'Bearer', token: 'key' } }],
      envNames: ['WEATHER_TOKEN'],
      cautions: [],
    })
  })

  it('needs a field, and a key page that is https', () => {
    const options = { id: 'x', name: 'X', keyUrl: 'https://x.example', apiBaseUrl: 'https://x.example' }
    expect(() => apiKey({ ...options, fields: [] })).toThrow(/at least one field/)
    expect(() => apiKey({ ...options, keyUrl: 'http://x.example', baseUrl: 'http://x.example' })).toThrow(/keyUrl/)
  })
})

describe('Kaggle keys', () => {
  it('reads kaggle.json, even with other members in it', () => {
    expect(readKeyFile(kaggle(), '\n{"username":"ada","key":" abc ","x":1}\n')).toEqual({ username: 'ada', key: 'abc' })
    expect(readKeyFile(kaggle(), '{"key":"abc"}')).toEqual({ key: 'abc' })
    for (const text of ['', '{"half', '[]', '{}', '{"username":1}', '{"key":5}', '{"__proto__":{"key":"x"}}', 'abc'])
      expect(readKeyFile(kaggle(), text), text).toBeUndefined()
    expect(readKeyFile({ ...kaggle(), file: undefined }, '{"key":"abc"}')).toBeUndefined()
  })

  it('tells a new token from a legacy key by its shape', () => {
    expect(keyScheme(kaggle(), { key: 'KGAT_abc' })).toMatchObject({
      fields: ['key'],
      authorization: { scheme: 'Bearer' },
      env: { KAGGLE_API_TOKEN: 'key' },
    })
    expect(keyScheme(kaggle(), { key: 'abc', username: 'ada' })).toMatchObject({
      authorization: { scheme: 'Basic' },
      env: { KAGGLE_USERNAME: 'username', KAGGLE_KEY: 'key' },
    })
    expect(keyScheme(kaggle(), { key: '' })).toBeUndefined()
    expect(keyScheme(kaggle(), {})).toBeUndefined()
  })
})

describe('scopes of an answer', () => {
  it('are split at spaces and commas, without duplicates, by canonical name', () => {
    expect(parseScope(github(), 'repo,gist  repo')).toEqual(['repo', 'gist'])
    expect(parseScope(github(), ' ')).toEqual([])
    const long = 'https://www.googleapis.com/auth/'
    expect(parseScope(gmail(), `openid ${long}userinfo.email ${long}gmail.readonly`)).toEqual([
      'openid',
      'email',
      `${long}gmail.readonly`,
    ])
  })
})

it('names an environment variable after any provider', () => {
  expect(envName('my-service2')).toBe('MY_SERVICE2_TOKEN')
})

it('defineProvider() returns what it was given', () => {
  const provider = github()
  expect(defineProvider(provider)).toBe(provider)
})
