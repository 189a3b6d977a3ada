import { inspect } from 'node:util'
import { type EnterpriseSandbox, startEnterprise } from '@latchkey/sandbox'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { AgentContext, EnterpriseCredentials, type EnterpriseCredentialsOptions } from '../index.ts'

let sandbox: EnterpriseSandbox
/** ID tokens by person. */
const signedIn = new Map<string, string>()
beforeAll(async () => {
  sandbox = await startEnterprise()
})
beforeEach(async () => {
  signedIn.clear()
  for (const person of ['ada', 'grace']) signedIn.set(person, await sandbox.company.signIn(person))
  await Promise.all([sandbox.company.reset(), sandbox.notes.reset()])
})
afterEach(() => {
  vi.useRealTimers()
})
afterAll(() => sandbox.close())

const registered = ({
  client_id: clientId,
  client_secret: clientSecret,
}: {
  client_id: string
  client_secret: string
}) => ({
  clientId,
  clientSecret,
})

function credentials(options: Partial<EnterpriseCredentialsOptions> = {}) {
  const { company, notes } = sandbox
  return new EnterpriseCredentials({
    ...registered(notes.client),
    issuer: notes.url,
    resource: notes.resource,
    identityProvider: { ...registered(company.client), issuer: company.url },
    idToken: async (userId) => signedIn.get(userId),
    ...options,
  })
}

const api = () => sandbox.notes.resource
const requests = ({ log }: { log: EnterpriseSandbox['notes']['log'] }) =>
  log.filter(({ path }) => path === '/token').map(({ body }) => new URLSearchParams(body))

describe('what a company has authorized', () => {
  it('is an ID token, then an ID-JAG, then an access token, with which the API answers', async () => {
    const answer = await credentials({ scopes: ['notes.read'] }).fetch(api(), { userId: 'ada' })
    expect(await answer.json()).toEqual({ person: 'ada', client: 'agent', scope: 'notes.read' })
    const [exchange] = requests(sandbox.company)
    expect(Object.fromEntries(exchange ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      subject_token: signedIn.get('ada'),
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      audience: sandbox.notes.url,
      resource: api(),
      scope: 'notes.read',
    })
    const [redemption] = requests(sandbox.notes)
    expect(redemption?.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const claims = decodeJwt(redemption?.get('assertion') ?? '')
    expect(claims).toMatchObject({ sub: 'ada', aud: sandbox.notes.url, resource: api(), client_id: 'agent' })
  })

  it('case 380: a token is for its person alone, asked for once, by whoever runs', async () => {
    const notes = credentials()
    const asked = ['ada', 'grace'].flatMap((userId) => Array.from({ length: 20 }, () => notes.getToken({ userId })))
    const tokens = await Promise.all(asked)
    expect(new Set(tokens.slice(0, 20)).size).toBe(1)
    expect(new Set(tokens).size).toBe(2)
    expect(requests(sandbox.company)).toHaveLength(2)
    expect(requests(sandbox.notes)).toHaveLength(2)
    const whose = async () => (await (await notes.fetch(api())).json()).person
    const runs = ['ada', 'grace'].map((userId) => new AgentContext({ userId, oauthTokens: {} }).run(whose))
    expect(await Promise.all(runs)).toEqual(['ada', 'grace'])
    expect(requests(sandbox.notes)).toHaveLength(2)
    await expect(notes.getToken()).rejects.toMatchObject({ code: 'misuse' })
  })

  it('is renewed before the token ends, and after the API has refused it', async () => {
    const notes = credentials()
    const first = await notes.getToken({ userId: 'ada' })
    await sandbox.notes.revoke(first)
    const answers = await Promise.all(Array.from({ length: 5 }, () => notes.fetch(api(), { userId: 'ada' })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(requests(sandbox.notes)).toHaveLength(2)
    const second = await notes.getToken({ userId: 'ada' })
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + 3_541_000)
    // Its ID token has not ended yet: it came later.
    signedIn.set('ada', await sandbox.company.signIn('ada'))
    expect(await notes.getToken({ userId: 'ada' })).not.toBe(second)
  })

  it('case 385: what is held of a person goes when they sign out, and what was on its way is not kept', async () => {
    const notes = credentials()
    const first = await notes.getToken({ userId: 'ada' })
    const grace = await notes.getToken({ userId: 'grace' })
    notes.forget('ada')
    const under = notes.getToken({ userId: 'ada' })
    notes.forget('ada')
    expect(await under).not.toBe(first)
    signedIn.delete('ada')
    await expect(notes.getToken({ userId: 'ada' })).rejects.toMatchObject({ code: 'login_required', next: 'connect' })
    expect(await notes.getToken({ userId: 'grace' })).toBe(grace)
  })
})

describe('what is refused', () => {
  const failing = async (options: Partial<EnterpriseCredentialsOptions> = {}) => {
    const error = await credentials(options)
      .getToken({ userId: 'ada' })
      .catch((thrown: unknown) => thrown)
    const secrets = [...signedIn.values(), sandbox.notes.client.client_secret, sandbox.company.client.client_secret]
    const sent = requests(sandbox.notes).map((body) => body.get('assertion') ?? '')
    const text = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + String(error)
    for (const secret of [...secrets, ...sent]) expect(text.includes(secret)).toBe(false)
    return error
  }

  it.each([
    ['for another audience', { audience: 'https://id.other.example' }],
    ['that has ended', { lifetime: -60 }],
  ])('case 384: an authorization %s, by its authorization server', async (_what, policy) => {
    sandbox.company.setPolicy(policy)
    expect(await failing()).toMatchObject({ code: 'invalid_grant', next: 'configure' })
    expect(requests(sandbox.notes)).toHaveLength(1)
  })

  it('case 384: an authorization of another client, and one that was used', async () => {
    const other = registered(sandbox.notes.otherClient)
    expect(await failing(other)).toMatchObject({ code: 'invalid_grant', next: 'configure' })
    await credentials().getToken({ userId: 'ada' })
    const replay = requests(sandbox.notes).at(-1) ?? new URLSearchParams()
    const { client_id, client_secret } = sandbox.notes.client
    const headers = { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` }
    const answer = await fetch(`${sandbox.notes.url}/token`, { method: 'POST', headers, body: replay })
    expect([answer.status, (await answer.json()).error]).toEqual([400, 'invalid_grant'])
    // Ours never sends one twice.
    await credentials().getToken({ userId: 'ada' })
    const assertions = requests(sandbox.notes).map((body) => body.get('assertion'))
    expect(new Set(assertions).size).toBe(assertions.length - 1)
  })

  it.each([
    ['access_denied', { code: 'access_denied', next: 'none' }],
    ['invalid_grant', { code: 'login_required' }],
    ['unauthorized_client', { code: 'unauthorized_client', next: 'configure' }],
    ['invalid_target', { code: 'invalid_target', next: 'configure' }],
    ['of_its_own', { code: 'server_error', next: 'configure' }],
  ])('case 384: by the company, as %s', async (deny, expected) => {
    sandbox.company.setPolicy({ deny })
    expect(await failing()).toMatchObject(expected)
    expect(requests(sandbox.notes)).toHaveLength(0)
  })

  it('case 381: a token that is no ID-JAG is sent to nobody', async () => {
    for (const type of ['access_token', 'id_token', 'jwt']) {
      sandbox.company.setPolicy({ issuedTokenType: `urn:ietf:params:oauth:token-type:${type}` })
      expect(await failing()).toMatchObject({ code: 'malformed_response', next: 'configure' })
    }
    expect(requests(sandbox.company)).toHaveLength(3)
    expect(requests(sandbox.notes)).toHaveLength(0)
  })

  it('case 382: an authorization server that describes itself as another gets no authorization', async () => {
    const path = '/.well-known/oauth-authorization-server'
    const headers = { 'content-type': 'application/json' }
    const metadata = { issuer: 'https://id.other.example', token_endpoint: `${sandbox.notes.url}/token` }
    sandbox.notes.addFaults(path, [{ status: 200, headers, body: JSON.stringify(metadata) }])
    expect(await failing()).toMatchObject({ code: 'malformed_response' })
    expect(requests(sandbox.company)).toHaveLength(0)
    expect(requests(sandbox.notes)).toHaveLength(0)
  })

  it('case 383: an ID token goes to its issuer alone, and not after its end', async () => {
    const { client, url } = sandbox.company
    const elsewhere = { ...registered(client), issuer: 'https://login.other.example', tokenEndpoint: `${url}/token` }
    expect(await failing({ identityProvider: elsewhere })).toMatchObject({ code: 'misuse', next: 'configure' })
    expect(await failing({ idToken: async () => 'CANARY' })).toMatchObject({ code: 'misuse' })
    expect(await failing({ idToken: () => Promise.reject(new Error('CANARY')) })).toMatchObject({ code: 'misuse' })
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + 3_601_000)
    expect(await failing()).toMatchObject({ code: 'login_required' })
    expect(requests(sandbox.company)).toHaveLength(0)
  })

  it('by options that lack what binds a token, and for another origin', async () => {
    const bad: Partial<EnterpriseCredentialsOptions>[] = [
      { issuer: '' },
      { resource: '' },
      { resource: 'notes' },
      { clientId: '' },
      { issuer: 'http://id.notes.example' },
      { identityProvider: { clientId: '', issuer: sandbox.company.url } },
      { identityProvider: { clientId: 'app' } },
    ]
    for (const options of bad) expect(() => credentials(options)).toThrow(expect.objectContaining({ code: 'misuse' }))
    const elsewhere = credentials().fetch('https://evil.example/', { userId: 'ada' })
    await expect(elsewhere).rejects.toMatchObject({ code: 'access_denied' })
    expect(JSON.stringify(credentials())).not.toContain(sandbox.notes.client.client_secret)
  })
})
