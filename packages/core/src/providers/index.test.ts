import { describe, expect, it } from 'vitest'
import type { Provider } from '../provider.ts'
import { github, gmail, kaggle, providersFromConfig } from './index.ts'

/** Every http(s) URL in a provider, by its path. */
function urls(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'string') return /^https?:/.test(value) ? [[path, value]] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => urls(inner, path ? `${path}.${key}` : key))
}

const hosts = (provider: Provider) => [...new Set(urls(provider).map(([, url]) => new URL(url).host))].sort()

describe.each([
  ['github', github, ['api.github.com', 'github.com']],
  [
    'gmail',
    gmail,
    [
      'accounts.google.com',
      'gmail.googleapis.com',
      'myaccount.google.com',
      'oauth2.googleapis.com',
      'www.googleapis.com',
    ],
  ],
  ['kaggle', kaggle, ['api.kaggle.com', 'www.kaggle.com']],
] as const)('%s()', (id, factory, ownHosts) => {
  it('is data, at its own hosts', () => {
    const provider = factory()
    expect(provider.id).toBe(id)
    expect(JSON.parse(JSON.stringify(provider))).toMatchObject({ id, kind: provider.kind })
    // Scope names are not URLs that are requested.
    const places = hosts({
      ...provider,
      scopes: [],
      readOnlyScopes: [],
      scopeMeanings: {},
      scopeAliases: {},
    } as unknown as Provider)
    expect(places).toEqual(ownHosts)
    expect(urls(provider).every(([, url]) => url.startsWith('https:'))).toBe(true)
  })

  it('baseUrl moves every host except those of links for people', () => {
    const provider = factory({ baseUrl: 'http://127.0.0.1:9000/' })
    for (const [path, url] of urls({
      ...provider,
      scopes: [],
      readOnlyScopes: [],
      scopeMeanings: {},
      scopeAliases: {},
    })) {
      const link = path === 'keyUrl' || path === 'manageUrl'
      // Kaggle's issuer only identifies the service; no request goes there.
      const name = id === 'kaggle' && path === 'issuer'
      expect([path, new URL(url).origin === 'http://127.0.0.1:9000']).toEqual([path, !link && !name])
    }
  })

  it('describes what each scope allows', () => {
    const provider: Provider = factory()
    if (provider.kind === 'api-key') return expect(provider.cautions.length).toBeGreaterThan(0)
    for (const scope of provider.scopes) expect(provider.scopeMeanings).toHaveProperty([scope])
  })

  it('can be connected read-only: by scopes that change nothing, and that say whose account it is', () => {
    const provider: Provider = factory()
    if (provider.kind === 'api-key') return expect(provider).not.toHaveProperty('readOnlyScopes')
    const { readOnlyScopes = [], requiredScopes = [], scopeMeanings } = provider
    expect(readOnlyScopes).toEqual(expect.arrayContaining([...requiredScopes]))
    expect(readOnlyScopes.map((scope) => scopeMeanings[scope]?.access)).toEqual(readOnlyScopes.map(() => 'read'))
    // Also where the app asks for more.
    expect(factory({ scopes: ['more'] } as object)).toMatchObject({ readOnlyScopes })
  })
})

it('take a client id, scopes and words, and never a secret', () => {
  const options = { clientId: 'app', scopes: ['repo'], name: 'Hub', description: 'Code' }
  expect(github(options)).toMatchObject({
    client: { client_id: 'app' },
    scopes: ['repo'],
    name: 'Hub',
    description: 'Code',
  })
  expect(gmail(options)).toMatchObject({ client: { client_id: 'app' }, scopes: ['repo'], name: 'Hub' })
  expect(kaggle({ name: 'K', description: 'Data' })).toMatchObject({ name: 'K', description: 'Data' })
  // @ts-expect-error A browser keeps no client secret.
  const provider = github({ clientSecret: 'shh' })
  expect(JSON.stringify(provider)).not.toContain('shh')
})

describe('providersFromConfig()', () => {
  it('reads the configuration of agent-runtimes', () => {
    const { providers, tokens } = providersFromConfig({
      github: { type: 'oauth', clientId: 'app', scopes: ['repo'] },
      kaggle: { type: 'token', token: 'KGAT_x', baseUrl: 'http://127.0.0.1:9000' },
      gmail: { type: 'oauth' },
    })
    expect(providers.map(({ id }) => id)).toEqual(['github', 'kaggle', 'gmail'])
    expect(providers[0]).toMatchObject({ client: { client_id: 'app' }, scopes: ['repo'] })
    expect(providers[1]).toMatchObject({ baseUrl: 'http://127.0.0.1:9000' })
    expect(tokens).toEqual({ kaggle: { key: 'KGAT_x' } })
    expect(providersFromConfig({ kaggle: { type: 'token' } }).tokens).toEqual({})
  })

  it('takes the text of kaggle.json as the token', () => {
    const token = '{"username":"ada","key":"abc"}'
    expect(providersFromConfig({ kaggle: { type: 'token', token } }).tokens).toEqual({
      kaggle: { username: 'ada', key: 'abc' },
    })
  })

  it.each([
    ['an unknown provider', { acme: { type: 'oauth' } }, /^acme: /],
    ['the wrong type', { github: { type: 'token' } }, /^github: /],
    ['no entry', { kaggle: null }, /^kaggle: /],
    ['a name of every object', { constructor: { type: 'oauth' } }, /^constructor: /],
    ['an address without https', { github: { type: 'oauth', baseUrl: 'nonsense' } }, /baseUrl|issuer/],
  ])('names the path of a mistake: %s', (_what, config, message) => {
    const read = () => providersFromConfig(config as never)
    expect(read).toThrow(message)
    expect(read).toThrow(expect.objectContaining({ code: 'misuse' }))
  })
})
