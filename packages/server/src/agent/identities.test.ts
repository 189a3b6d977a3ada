import { ReadableStream as NodeStream } from 'node:stream/web'
import { setImmediate as turn } from 'node:timers/promises'
import { apiKey, type Identity, readConnectRequest } from '@latchkey/core'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { describe, expect, it } from 'vitest'
import { fingerprint, type Seen, startAgentRuntimes } from '../../../core/fixtures/agent-runtimes.ts'
import {
  AuthorizationRequired,
  currentIdentities,
  getIdentity,
  getIdentityEnv,
  requireIdentity,
  withIdentities,
} from '../index.ts'
import { bindIdentities } from './bind.ts'
import { takeAccounts } from './wire.ts'

const github = (accessToken: string): Identity => ({ provider: 'github', accessToken })
const ada = [github('CANARY_AT_ada')]
const bob = [github('CANARY_AT_bob')]
const whose = () => getIdentity('github')?.accessToken ?? 'nobody'

describe('takeAccounts', () => {
  it('takes them from the top of the body (AG-UI, AI SDK)', () => {
    const original = { messages: [{ id: '1' }], identities: ada, threadId: 't' }
    const { identities, body } = takeAccounts(original)
    expect(identities).toEqual(ada)
    expect(body).toEqual({ messages: [{ id: '1' }], threadId: 't' })
    expect(original.identities).toBe(ada)
  })

  it('takes them from params.metadata (A2A, ACP), and keeps its other members', () => {
    const original = { method: 'message/send', params: { message: {}, metadata: { identities: ada, trace: 1 } } }
    const { identities, body } = takeAccounts(original)
    expect(identities).toEqual(ada)
    expect(body).toEqual({ method: 'message/send', params: { message: {}, metadata: { trace: 1 } } })
    expect(original.params.metadata.identities).toBe(ada)
  })

  it('removes both, and prefers the top level', () => {
    const { identities, body } = takeAccounts({ identities: ada, params: { metadata: { identities: bob } } })
    expect(identities).toEqual(ada)
    expect(JSON.stringify(body)).not.toContain('CANARY')
  })

  it('takes references too, and prefers a reference to a token', () => {
    const references = [
      { provider: 'github', accountId: `github.${'a'.repeat(22)}`, status: 'connected', scopes: ['repo'] },
      { provider: 'gmail', accountId: 'not an id' },
      { provider: '../x', accountId: `github.${'a'.repeat(22)}` },
      null,
    ]
    const kept = new Map([['github', `github.${'a'.repeat(22)}`]])
    const sent = { identities: [...ada, { provider: 'kaggle', accessToken: 'CANARY' }], connectedAccounts: references }
    const identities = [{ provider: 'kaggle', accessToken: 'CANARY' }]
    expect(takeAccounts({ ...sent, x: 1 })).toEqual({ identities, references: kept, choices: [], body: { x: 1 } })
    const nested = takeAccounts({ params: { metadata: { ...sent, x: 1 } } })
    expect(nested).toEqual({ identities, references: kept, choices: [], body: { params: { metadata: { x: 1 } } } })
    const newer = [{ provider: 'github', accountId: `github.${'b'.repeat(22)}` }]
    const both = takeAccounts({ params: { metadata: sent }, connectedAccounts: newer })
    expect([...both.references.values()]).toEqual([`github.${'b'.repeat(22)}`])
  })

  it('takes all accounts of a provider out, wherever they stand', () => {
    const id = (letter: string) => `github.${letter.repeat(22)}`
    const mine = { ...github('CANARY_1'), accountId: id('a'), label: 'work' }
    const home = { ...github('CANARY_2'), accountId: id('b'), scopes: ['repo'] }
    const kept = {
      provider: 'gmail',
      accountId: `gmail.${'c'.repeat(22)}`,
      label: 'ada@example.com',
      status: 'connected',
    }
    const accounts = [
      mine,
      home,
      kept,
      // A reference wins over a token.
      { provider: 'gmail', accountId: kept.accountId, accessToken: 'CANARY_3' },
      // These cannot be named, or are not well formed.
      github('CANARY_4'),
      { ...github('CANARY_5'), accountId: 'github.\u202Edlrow' },
      { ...mine, accessToken: ['CANARY_6'] },
      { provider: 'gmail', accountId: 'CANARY_7' },
      'CANARY_8',
      null,
    ]
    const { label: _, ...identity } = mine
    const choices = [
      { provider: 'github', accountId: id('a'), label: 'work', held: identity },
      { provider: 'github', accountId: id('b'), held: home },
      { provider: 'gmail', accountId: kept.accountId, label: 'ada@example.com' },
    ]
    for (const body of [
      { identities: [identity], accounts },
      { params: { metadata: { identities: [identity], accounts } } },
    ]) {
      const taken = takeAccounts(body)
      expect(taken).toMatchObject({ identities: [identity], choices })
      expect(taken.choices).toHaveLength(3)
      expect(JSON.stringify(taken.body)).not.toContain('CANARY')
    }
    for (const malformed of ['CANARY', { a: home }, 7, null]) {
      expect(takeAccounts({ accounts: malformed, x: 1 })).toMatchObject({ choices: [], body: { x: 1 } })
      expect(takeAccounts({ accounts: malformed, x: 1 }).body).not.toHaveProperty('accounts')
    }
  })

  it('ignores malformed entries, and still removes them', () => {
    for (const identities of [
      null,
      'CANARY',
      [{ provider: 'github' }],
      [{ provider: '../x', accessToken: 'CANARY' }],
    ]) {
      expect(takeAccounts({ identities })).toEqual({ identities: [], references: new Map(), choices: [], body: {} })
      const nested = takeAccounts({ params: { metadata: { identities } } })
      expect(nested).toMatchObject({ identities: [], body: { params: { metadata: {} } } })
    }
    for (const body of [undefined, null, 'text', 7, [ada]])
      expect(takeAccounts(body)).toEqual({ identities: [], references: new Map(), choices: [], body })
    for (const params of [null, [], 'x', { metadata: null }, { metadata: [] }]) {
      expect(takeAccounts({ params }).body).toEqual({ params })
    }
    const { body } = takeAccounts(JSON.parse('{"__proto__":{"polluted":true},"identities":[]}'))
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype)
  })
})

describe('scope', () => {
  it('is empty outside, and can be nested', async () => {
    expect(currentIdentities()).toEqual([])
    await withIdentities(ada, async () => {
      await turn()
      withIdentities(bob, () => expect(whose()).toBe('CANARY_AT_bob'))
      withIdentities([], () => expect(whose()).toBe('nobody'))
      expect(currentIdentities()).toEqual(ada)
    })
    expect(whose()).toBe('nobody')
    expect(getIdentity('__proto__')).toBeUndefined()
  })

  it("case 87: a hundred interleaved requests never see each other's accounts", async () => {
    let running = 0
    let most = 0
    const request = (index: number) =>
      withIdentities(index % 2 ? ada : bob, async () => {
        most = Math.max(most, ++running)
        const seen = new Set<string>()
        for (let step = 0; step < 5 + (index % 7); step++) {
          await (step % 2 ? turn() : Promise.resolve())
          seen.add(whose())
        }
        running--
        return [...seen]
      })
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => request(index)))
    expect(most).toBe(100)
    expect(answers).toEqual(answers.map((_, index) => [index % 2 ? 'CANARY_AT_ada' : 'CANARY_AT_bob']))
  })
})

/** Three values, and a clean-up that reports the user it ran as. */
async function* run(log: string[] = []): AsyncGenerator<string> {
  try {
    for (let step = 0; step < 3; step++) {
      await turn()
      yield whose()
    }
  } finally {
    log.push(whose())
  }
}

/** The same as a stream. */
const streamOf = (log?: string[]) => NodeStream.from(run(log)) as unknown as ReadableStream<string>

async function collect(source: AsyncIterable<string>): Promise<string[]> {
  const values: string[] = []
  for await (const value of source) values.push(value)
  return values
}

async function drain<T>(stream: ReadableStream<T>): Promise<T[]> {
  const reader = stream.getReader()
  const values: T[] = []
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return values
    values.push(value)
  }
}

const three = (value: string) => [value, value, value]

describe('bindIdentities', () => {
  it("is needed: without it a stream that is read later runs as its reader's person", async () => {
    const source = withIdentities(ada, () => run())
    expect(await withIdentities(bob, () => collect(source))).toEqual(three('CANARY_AT_bob'))
    const stream = withIdentities(ada, () => streamOf())
    expect(await drain(stream)).toContain('nobody')
  })

  it('keeps the user of a generator that is read outside, or in the scope of another', async () => {
    const source = () => withIdentities(ada, () => bindIdentities(run()))
    expect(await collect(source())).toEqual(three('CANARY_AT_ada'))
    await withIdentities(bob, async () => {
      for await (const value of source()) {
        expect(value).toBe('CANARY_AT_ada')
        expect(whose()).toBe('CANARY_AT_bob')
      }
    })
  })

  it('cleans up a generator as its user, and passes errors in and out', async () => {
    const log: string[] = []
    for await (const _ of withIdentities(ada, () => bindIdentities(run(log)))) break
    const thrown = withIdentities(ada, () => bindIdentities(run(log)))
    await thrown.next()
    await expect(thrown.throw?.(new Error('stop'))).rejects.toThrow('stop')
    expect(log).toEqual(['CANARY_AT_ada', 'CANARY_AT_ada'])
    const plain = bindIdentities<string>({
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: 1 }) }),
    })
    expect(await plain.return?.('end')).toEqual({ done: true, value: 'end' })
    expect(() => plain.throw?.(new Error('stop'))).toThrow('stop')
  })

  it('keeps the user of a stream while it is read, ends, fails or is cancelled', async () => {
    const log: string[] = []
    const bound = () => withIdentities(ada, () => bindIdentities(streamOf(log)))
    expect(await withIdentities(bob, () => drain(bound()))).toEqual(three('CANARY_AT_ada'))
    const reader = bound().getReader()
    await reader.read()
    await reader.cancel()
    expect(log).toEqual(['CANARY_AT_ada', 'CANARY_AT_ada'])
    const broken = new ReadableStream<string>({ pull: () => Promise.reject(new Error('broken')) })
    await expect(drain(bindIdentities(broken))).rejects.toThrow('broken')
  })

  it('keeps the user of a response, and its status and headers', async () => {
    const answer = () =>
      new Response(streamOf().pipeThrough(new TextEncoderStream()), { status: 201, headers: { x: 'y' } })
    const bound = withIdentities(ada, () => bindIdentities(answer()))
    expect([bound.status, bound.headers.get('x')]).toEqual([201, 'y'])
    expect(await withIdentities(bob, () => bound.text())).toBe(three('CANARY_AT_ada').join(''))
    const empty = new Response(null, { status: 204 })
    expect(bindIdentities(empty)).toBe(empty)
  })

  it('case 87: a hundred interleaved streams keep their own user each', async () => {
    const streams = Array.from({ length: 100 }, (_, index) =>
      withIdentities(index % 2 ? ada : bob, () =>
        index % 4 < 2 ? collect(bindIdentities(run())) : bindIdentities(streamOf()),
      ),
    )
    const answers = await Promise.all(streams.map((one) => (one instanceof ReadableStream ? drain(one) : one)))
    expect(answers).toEqual(answers.map((_, index) => three(index % 2 ? 'CANARY_AT_ada' : 'CANARY_AT_bob')))
  })
})

describe('getIdentityEnv', () => {
  const of = (provider: string, accessToken = 'CANARY', fields?: Record<string, string>): Identity => ({
    provider,
    accessToken,
    ...(fields && { fields }),
  })

  it('knows the names that tools read', () => {
    const names: Record<string, string[]> = {
      github: ['GITHUB_TOKEN'],
      gitlab: ['GITLAB_TOKEN'],
      google: ['GOOGLE_ACCESS_TOKEN'],
      gmail: ['GMAIL_TOKEN', 'GOOGLE_ACCESS_TOKEN'],
      microsoft: ['AZURE_ACCESS_TOKEN'],
      bitbucket: ['BITBUCKET_TOKEN'],
      linkedin: ['LINKEDIN_ACCESS_TOKEN'],
      huggingface: ['HF_TOKEN', 'HUGGINGFACE_TOKEN'],
      slack: ['SLACK_BOT_TOKEN', 'SLACK_TOKEN'],
      notion: ['NOTION_TOKEN'],
      'my-service': ['MY_SERVICE_TOKEN'],
      constructor: ['CONSTRUCTOR_TOKEN'],
    }
    for (const [provider, expected] of Object.entries(names)) {
      const env = getIdentityEnv([of(provider)])
      expect(Object.keys(env).sort()).toEqual(expected)
      expect(new Set(Object.values(env))).toEqual(new Set(['CANARY']))
    }
    expect(getIdentityEnv([])).toEqual({})
  })

  it('has every name that agent-runtimes has, with the same token, where a shell takes that name', async () => {
    const runtimes = await startAgentRuntimes()
    const ids = ['github', 'gitlab', 'google', 'microsoft', 'bitbucket', 'linkedin', 'kaggle', 'huggingface']
    const identities = [...ids, 'slack', 'notion', 'other', 'my-service', 'github'].map((id, at) =>
      of(id, `token-${at}`),
    )
    const body = JSON.stringify({ identities })
    const answer = await fetch(`${runtimes.api}/agents/a/trigger/run`, { method: 'POST', body })
    const { seen } = (await answer.json()) as { seen: Seen }
    await runtimes.close()
    const { 'MY-SERVICE_TOKEN': _, ...theirs } = seen.env
    expect(Object.keys(theirs)).toHaveLength(11)
    const ours = Object.entries(getIdentityEnv(identities)).map(([name, token]) => [name, fingerprint(token)])
    expect(Object.fromEntries(ours)).toMatchObject(theirs)
  })

  it("tells Kaggle's two kinds of key apart, with or without the provider at hand", () => {
    for (const options of [{}, { providers: [kaggle()] }]) {
      expect(getIdentityEnv([of('kaggle', 'KGAT_1', { username: 'ada' })], options)).toEqual({
        KAGGLE_TOKEN: 'KGAT_1',
        KAGGLE_API_TOKEN: 'KGAT_1',
      })
      expect(getIdentityEnv([of('kaggle', 'abc', { username: 'ada' })], options)).toEqual({
        KAGGLE_TOKEN: 'abc',
        KAGGLE_USERNAME: 'ada',
        KAGGLE_KEY: 'abc',
      })
      expect(getIdentityEnv([of('kaggle', 'abc')], options)).toEqual({ KAGGLE_TOKEN: 'abc' })
    }
  })

  it("uses a provider's own names, and gives a shared name to the one it belongs to", () => {
    const weather = apiKey({
      id: 'weather',
      name: 'Weather',
      keyUrl: 'https://weather.test/keys',
      apiBaseUrl: 'https://api.weather.test',
      envNames: ['WX_KEY', 'WEATHER'],
    })
    expect(getIdentityEnv([of('weather')], { providers: [weather] })).toEqual({ WX_KEY: 'CANARY', WEATHER: 'CANARY' })
    const both = [of('google', 'of-google'), of('gmail', 'of-gmail')]
    for (const identities of [both, both.toReversed()]) {
      expect(getIdentityEnv(identities)).toEqual({ GOOGLE_ACCESS_TOKEN: 'of-google', GMAIL_TOKEN: 'of-gmail' })
    }
    expect(getIdentityEnv(both, { only: ['gmail'] })).toEqual({
      GOOGLE_ACCESS_TOKEN: 'of-gmail',
      GMAIL_TOKEN: 'of-gmail',
    })
  })

  it('case 86: leaves nothing behind for the next run', () => {
    const before = { ...process.env }
    expect(withIdentities(ada, () => getIdentityEnv())).toEqual({ GITHUB_TOKEN: 'CANARY_AT_ada' })
    expect(getIdentityEnv()).toEqual({})
    expect(process.env).toEqual(before)
  })
})

describe('requireIdentity', () => {
  it('returns the identity if it has the scopes, or states none', () => {
    const scoped = { ...github('a'), scopes: ['repo', 'gist'] }
    withIdentities([scoped], () => expect(requireIdentity('github', { scopes: ['gist'] })).toBe(scoped))
    withIdentities(ada, () => expect(requireIdentity('github', { scopes: ['repo'] })).toBe(ada[0]))
  })

  it('throws a request that a runtime can pass to the person unchanged', () => {
    const missing = () => requireIdentity('kaggle', { scopes: ['read'], toolName: 'list_datasets' })
    expect(() => withIdentities(ada, missing)).toThrow(AuthorizationRequired)
    const narrow = [{ ...github('a'), scopes: ['gist'] }]
    expect(() => withIdentities(narrow, () => requireIdentity('github', { scopes: ['gist', 'repo'] }))).toThrow('repo')
    try {
      missing()
    } catch (error) {
      expect(readConnectRequest(JSON.parse(JSON.stringify(error)))).toEqual({
        type: 'authorization_required',
        provider: 'kaggle',
        scopes: ['read'],
        toolName: 'list_datasets',
        message: 'Connect kaggle to continue (read).',
      })
    }
    expect.assertions(3)
  })
})
