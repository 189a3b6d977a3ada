import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { authorizationServer } from '../protocol/token-endpoint.ts'
import { oauth } from '../provider.ts'
import { github } from '../providers/github.ts'
import { gmail } from '../providers/gmail.ts'
import { authorizationRequest, authorizationResponse, type Flow } from './authorization.ts'

afterEach(() => vi.restoreAllMocks())

const OPTIONS = {
  redirect_uri: 'https://app.example/callback',
  client_id: 'app',
  scopes: ['read', 'write'],
  mode: 'popup',
} as const

const acme = (further: Partial<Parameters<typeof oauth>[0]> = {}) =>
  oauth({
    id: 'acme',
    name: 'Acme',
    authorizationEndpoint: 'https://acme.example/authorize',
    tokenEndpoint: 'https://acme.example/token',
    ...further,
  })

const parametersOf = (url: string) => Object.fromEntries(new URL(url).searchParams)

describe('the request', () => {
  it('is a code flow with PKCE', async () => {
    const { url, flow } = await authorizationRequest(acme(), OPTIONS)
    expect(url.startsWith('https://acme.example/authorize?')).toBe(true)
    expect(parametersOf(url)).toEqual({
      response_type: 'code',
      client_id: 'app',
      redirect_uri: 'https://app.example/callback',
      scope: 'read write',
      state: flow.state,
      code_challenge: createHash('sha256').update(flow.code_verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    expect(flow).toMatchObject({ ...OPTIONS, provider: 'acme', issuer: 'https://acme.example' })
  })

  it('case 5: ten thousand states and verifiers are unique, have 256 bits each, and do not use Math.random', async () => {
    vi.spyOn(Math, 'random').mockImplementation(() => {
      throw new Error('Math.random was asked.')
    })
    const requests = await Promise.all(Array.from({ length: 10_000 }, () => authorizationRequest(acme(), OPTIONS)))
    const values = requests.flatMap(({ flow }) => [flow.state, flow.code_verifier])
    expect(new Set(values).size).toBe(20_000)
    for (const value of values) expect(Buffer.from(value, 'base64url')).toHaveLength(32)
  })

  it('case 8: the challenge is S256 of a verifier that follows RFC 7636', async () => {
    const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
    // RFC 7636 Appendix B: these octets, this verifier, this challenge.
    const octets = Buffer.from(VERIFIER, 'base64url')
    vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
      ;(array as unknown as Uint8Array).set(octets)
      return array
    })
    const { url, flow } = await authorizationRequest(acme(), OPTIONS)
    expect(flow.code_verifier).toBe(VERIFIER)
    expect(flow.code_verifier).toMatch(/^[\w.~-]{43,128}$/)
    expect(parametersOf(url)).toMatchObject({
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    })
    expect(url).not.toContain('plain')
  })

  it('case 26: protocol parameters override extra parameters and the query of the endpoint', async () => {
    const smuggled = {
      client_id: 'evil',
      redirect_uri: 'https://evil.example',
      state: 'evil',
      code_challenge: 'evil',
      code_challenge_method: 'plain',
      response_type: 'token',
      scope: 'evil',
    }
    const provider = acme({
      authorizationEndpoint: `https://acme.example/authorize?tenant=1&${new URLSearchParams(smuggled)}`,
      authorizationParams: { ...smuggled, prompt: 'consent' },
    })
    const { url, flow } = await authorizationRequest(provider, OPTIONS)
    expect(url).not.toContain('evil')
    const { searchParams } = new URL(url)
    for (const name of searchParams.keys()) expect(searchParams.getAll(name)).toHaveLength(1)
    expect(parametersOf(url)).toMatchObject({
      tenant: '1',
      prompt: 'consent',
      response_type: 'code',
      client_id: 'app',
      state: flow.state,
      scope: 'read write',
    })
  })

  it("joins scopes with the provider's separator, and omits `scope` when there are none", async () => {
    const commas = await authorizationRequest(acme({ scopeSeparator: ',' }), OPTIONS)
    expect(parametersOf(commas.url).scope).toBe('read,write')
    const none = await authorizationRequest(acme(), { ...OPTIONS, scopes: [] })
    expect(parametersOf(none.url)).not.toHaveProperty('scope')
  })

  it('refuses an endpoint with an unsafe URL, from configuration or discovery', async () => {
    const provider = acme()
    for (const authorization_endpoint of ['javascript:alert(1)', 'http://acme.example/', 'https://a:b@acme.example/']) {
      const bad = { ...provider, server: { ...provider.server, authorization_endpoint } }
      await expect(authorizationRequest(bad, OPTIONS)).rejects.toMatchObject({ code: 'misuse', provider: 'acme' })
    }
  })

  it('asks Google for a refresh token', async () => {
    const { url } = await authorizationRequest(gmail({ clientId: 'app' }), OPTIONS)
    const less = await authorizationRequest(gmail({ clientId: 'app' }), OPTIONS, 'only')
    expect(new URL(less.url).searchParams.get('include_granted_scopes')).toBe('false')
    expect(parametersOf(url)).toMatchObject({ access_type: 'offline', prompt: 'consent' })
  })
})

describe('the response', () => {
  const flowOf = (provider: ReturnType<typeof acme>): Flow => ({
    ...OPTIONS,
    provider: provider.id,
    issuer: provider.server.issuer,
    state: 'state',
    code_verifier: 'verifier',
    startedAt: 0,
  })
  const judge = (provider: ReturnType<typeof acme>, query: Record<string, string>) =>
    authorizationResponse(provider, flowOf(provider), new URLSearchParams({ state: 'state', ...query }))

  it('case 12: a promised issuer must be present, and a present issuer must be right', async () => {
    const plain = acme()
    const promising = {
      ...plain,
      server: { ...plain.server, authorization_response_iss_parameter_supported: true },
    }
    const right = { code: 'c', iss: 'https://acme.example' }
    const wrong = { code: 'c', iss: 'https://evil.example' }
    const mismatch = { code: 'issuer_mismatch', next: 'connect' }
    await expect(judge(promising, { code: 'c' })).rejects.toMatchObject(mismatch)
    await expect(judge(promising, wrong)).rejects.toMatchObject(mismatch)
    await expect(judge(plain, wrong)).rejects.toMatchObject(mismatch)
    expect((await judge(promising, right)).get('code')).toBe('c')
    expect((await judge(plain, right)).get('code')).toBe('c')
    expect((await judge(plain, { code: 'c' })).get('code')).toBe('c')
  })

  it.each([
    'https://acme.example/',
    'https://ACME.example',
    'https://acme.example:443',
    'https://acme.example%2F',
    'https://acme.example ',
    'https://acme.example.evil.test',
    '',
  ])('case 13: an issuer that only looks right (%j) is refused', async (iss) => {
    await expect(judge(acme(), { code: 'c', iss })).rejects.toMatchObject({ code: 'issuer_mismatch' })
  })

  it('case 15: the issuer of GitHub must match exactly, not only by its origin', async () => {
    const iss = 'https://github.com/login/oauth'
    expect((await judge(github(), { code: 'c', iss })).get('code')).toBe('c')
    await expect(judge(github(), { code: 'c', iss: 'https://github.com' })).rejects.toMatchObject({
      code: 'issuer_mismatch',
    })
  })

  it('checks the state before anything else', async () => {
    await expect(judge(acme(), { state: 'other', iss: 'https://evil', error: 'x' })).rejects.toMatchObject({
      code: 'state_mismatch',
    })
  })

  it('is malformed without a code', async () => {
    for (const query of [{}, { code: '' }])
      await expect(judge(acme(), query as Record<string, string>)).rejects.toMatchObject({ code: 'malformed_response' })
  })

  it('turns an unregistered error code into a known one', async () => {
    const said = { error: 'x_custom', error_description: 'words' }
    await expect(judge(acme(), said)).rejects.toMatchObject({ code: 'server_error', detail: 'words' })
  })
})

it('the page and oauth4webapi give the same verdict about a thousand responses', async () => {
  const ISSUER = 'https://acme.example'
  /** A member of a response: as it should be, absent, wrong, or twice. */
  const member = (name: string, good: string[], wrong: string) => {
    const others = [[], [wrong], [...good, wrong], [wrong, ...good], [wrong, wrong], [...good, ...good]]
    return fc
      .oneof({ weight: 12, arbitrary: fc.constant(good) }, fc.constantFrom(...others))
      .map((values) => values.map((value) => [name, value]))
  }
  const members = fc.tuple(
    member('state', ['state'], 'other'),
    member('code', ['c'], ''),
    // Empty values are not among them: the library treats them as absent, and the page refuses them.
    member('iss', [ISSUER], 'https://evil.example'),
    member('error', [], 'access_denied'),
    member('error', [], ''),
    member('response', [], 'e30.e30.'),
    member('response', [], ''),
    member('id_token', [], 'e30.e30.'),
    member('token', [], 't'),
  )
  const plain = acme()
  const verdicts = { accepted: 0, refused: 0 }
  const judge = async (verdict: Promise<unknown>) =>
    verdict.then(
      () => 'accepted',
      () => 'refused',
    )
  await fc.assert(
    fc.asyncProperty(
      members,
      fc.boolean(),
      member('', [ISSUER], 'https://old.example'),
      async (pairs, promised, at) => {
        const server = { ...plain.server, authorization_response_iss_parameter_supported: promised }
        const provider = { ...plain, server }
        const { flow } = await authorizationRequest(provider, OPTIONS)
        const begun = { ...flow, state: 'state', issuer: at[0]?.[1] ?? ISSUER }
        const response = new URLSearchParams(pairs.flat() as [string, string][])
        const fetch = vi.fn(async () => Response.json({ access_token: 'at', token_type: 'bearer' }))
        const page = await judge(authorizationResponse(provider, begun, response))
        const endpoint = authorizationServer(provider, { client_id: 'app', fetch })
        expect(await judge(endpoint.redeem({ ...begun, response }))).toBe(page)
        expect(fetch).toHaveBeenCalledTimes(page === 'accepted' ? 1 : 0)
        verdicts[page as keyof typeof verdicts] += 1
      },
    ),
    { numRuns: 1000, seed: 9207 },
  )
  expect(Math.min(verdicts.accepted, verdicts.refused)).toBeGreaterThan(150)
})
