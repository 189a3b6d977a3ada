// @vitest-environment jsdom
import { describe, expect, it, vi } from 'vitest'
import { type IdentitiesFetchOptions, identitiesFetch } from './fetch.ts'

const TOKEN = 'CANARY_AT'
const url = 'https://agent.example/run'
const identities = [{ provider: 'github', accessToken: TOKEN }]

/** A fetch that only remembers what it was given, and one that adds accounts to it. */
function open({
  accounts = identities,
  ...options
}: Partial<IdentitiesFetchOptions> & { accounts?: typeof identities } = {}) {
  const sent: [input: unknown, init: RequestInit][] = []
  const send = vi.fn(async (input: unknown, init: RequestInit = {}) => {
    sent.push([input, init])
    return new Response()
  })
  const getIdentities = vi.fn(async () => accounts)
  const fetch = identitiesFetch({ getIdentities }, { url, fetch: send as typeof globalThis.fetch, ...options })
  const post = async (body: unknown, to: string | URL | Request = url) => {
    await fetch(to, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
    const [, init] = sent.at(-1) ?? []
    return { ...init, text: String(init?.body) }
  }
  return { fetch, post, sent, getIdentities }
}

describe('at the top', () => {
  it('adds the accounts of the agent, and is not redirected', async () => {
    const { post, getIdentities } = open({ agent: 'writer', providers: ['github'] })
    const { text, redirect, method } = await post({ threadId: 't1' })
    expect(JSON.parse(text)).toEqual({ threadId: 't1', identities })
    expect([redirect, method]).toEqual(['error', 'POST'])
    expect(getIdentities).toHaveBeenCalledWith({ agent: 'writer', providers: ['github'] })
  })

  it('takes out what was there before', async () => {
    const old = [{ provider: 'github', accessToken: 'old' }]
    const stale = { a: 1, identities: old, connectedAccounts: old, accounts: old }
    expect(JSON.parse((await open().post(stale)).text)).toEqual({ a: 1, identities })
    expect(JSON.parse((await open({ accounts: [] }).post(stale)).text)).toEqual({ a: 1 })
  })

  it.each([
    ['text', 'Hello'],
    ['a list', [1]],
    ['nothing', 'null'],
  ])('leaves %s as it is', async (_, body) => {
    const { post, sent } = open()
    const before = typeof body === 'string' ? body : JSON.stringify(body)
    expect((await post(body)).text).toBe(before)
    expect(sent[0]?.[1].redirect).toBeUndefined()
  })

  it.each([
    'https://agent.example/run/other',
    'https://agent.example/run?next=1',
    'https://agent.example.evil.example/run',
    'https://evil.example/https://agent.example/run',
    'http://agent.example/run',
    'https://agent.example:8443/run',
    'https://user@agent.example/run',
    'no url at all:',
    '',
  ])('gives %j no account', async (other) => {
    const { post, getIdentities } = open()
    expect((await post({}, other)).text).toBe('{}')
    expect(getIdentities).not.toHaveBeenCalled()
  })

  it('knows its endpoint in every form', async () => {
    for (const same of [new URL(url), new Request(url), 'https://AGENT.example:443/run']) {
      expect((await open().post({}, same)).text).toContain(TOKEN)
    }
    expect((await open({ url: '/api/agent' }).post({}, new URL('/api/agent', location.href))).text).toContain(TOKEN)
  })

  it('refuses an endpoint that others on the way could read', () => {
    for (const bad of ['http://agent.example/run', 'https://user:pass@agent.example/run', 'data:,a', 'http://']) {
      expect(() => open({ url: bad })).toThrow(expect.objectContaining({ code: 'misuse' }))
    }
    for (const good of ['http://127.0.0.1:8000/run', 'http://localhost:8000/run', '/run']) open({ url: good })
  })

  it('can be made while a server renders the page, where a path has no address', async () => {
    vi.stubGlobal('location', undefined)
    const { post } = open({ url: '/api/agent' })
    expect((await post({}, '/api/agent')).text).toBe('{}')
    vi.unstubAllGlobals()
  })
})

describe('in params.metadata', () => {
  const call = (method: string, params?: object) => ({ jsonrpc: '2.0', id: 1, method, ...(params && { params }) })
  const post = async (body: object, accounts = identities) =>
    JSON.parse((await open({ at: 'params.metadata', accounts }).post(body)).text)

  it.each(['SendMessage', 'SendStreamingMessage', 'message/send', 'message/stream', 'session/prompt'])(
    'adds the accounts to %s, beside other metadata',
    async (method) => {
      expect(await post(call(method, { a: 1 }))).toEqual(call(method, { a: 1, metadata: { identities } }))
      const given = { metadata: { model: 'm', identities: 'old' } }
      expect(await post(call(method, given))).toEqual(call(method, { metadata: { model: 'm', identities } }))
      expect(await post(call(method, given), [])).toEqual(call(method, { metadata: { model: 'm' } }))
      expect(await post(call(method, {}), [])).toEqual(call(method, {}))
    },
  )

  it.each([
    call('GetTask', { id: 't1' }),
    call('tasks/pushNotificationConfig/set', { taskId: 't1' }),
    call('initialize', {}),
    call('message/send'),
    { jsonrpc: '2.0', id: 1, result: {} },
  ])('leaves %j as it is', async (body) => {
    expect(await post(body)).toEqual(body)
  })
})
