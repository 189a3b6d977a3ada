import { describe, expect, it } from 'vitest'
import { parseIdentities, readConnectRequest } from './identities.ts'

describe('parseIdentities()', () => {
  it('reads the wire form', () => {
    const identity = {
      provider: 'kaggle',
      accessToken: 'abc',
      scopes: ['a'],
      expiresAt: 1,
      accountId: 'kaggle.x',
      fields: { username: 'ada' },
    }
    expect(parseIdentities([identity])).toEqual([identity])
    expect(parseIdentities([{ provider: 'GitHub', accessToken: 'a', id: 1, email: 'x' }])).toEqual([
      { provider: 'github', accessToken: 'a' },
    ])
  })

  it('lets the last entry of a provider win', () => {
    const entries = [
      { provider: 'a', accessToken: '1' },
      { provider: 'b', accessToken: '2' },
      { provider: 'A', accessToken: '3' },
    ]
    expect(parseIdentities(entries).map(({ accessToken }) => accessToken)).toEqual(['2', '3'])
  })

  it.each([
    undefined,
    null,
    'x',
    {},
    [null, 1, 'x', []],
    [{ provider: 'a' }],
    [{ provider: 'a', accessToken: 1 }],
    [{ provider: 'a', accessToken: '' }],
    [{ provider: 'a', accessToken: 'x\r\ny: z' }],
    [{ provider: 'a', accessToken: 'x\0' }],
    [{ provider: 'a', accessToken: 'x'.repeat(20_000) }],
    [{ provider: '../a', accessToken: 'x' }],
    [{ provider: 'a'.repeat(65), accessToken: 'x' }],
    [{ provider: { toString: () => 'a' }, accessToken: 'x' }],
  ])('leaves out malformed entries (%#)', (value) => {
    expect(parseIdentities(value)).toEqual([])
  })

  it('drops members of the wrong type, and limits the others', () => {
    const [identity] = parseIdentities([
      {
        provider: 'a',
        accessToken: 'x',
        scopes: ['read', 1, null, 'x'.repeat(2000)],
        expiresAt: 'soon',
        accountId: {},
        fields: JSON.parse('{"__proto__":"x","user name":"x","ok":"y","line":"a\\nb","n":1}'),
      },
    ])
    expect(identity).toEqual({ provider: 'a', accessToken: 'x', scopes: ['read'], fields: expect.anything() })
    expect(identity?.fields?.ok).toBe('y')
    expect(Object.keys(identity?.fields ?? {}).filter((name) => name !== '__proto__')).toEqual(['ok'])
    expect(Object.keys(Object.prototype)).toEqual([])
    const many = Array.from({ length: 100 }, (_, at) => ({ provider: `p${at}`, accessToken: 'x' }))
    expect(parseIdentities(many)).toHaveLength(32)
  })
})

describe('readConnectRequest()', () => {
  const request = { type: 'authorization_required', provider: 'github', scopes: ['repo'], toolName: 'search' } as const

  it('finds one in an object', () => {
    expect(readConnectRequest(request)).toEqual(request)
    expect(readConnectRequest(JSON.parse(JSON.stringify(request)))).toEqual(request)
    expect(readConnectRequest({ ...request, accessToken: 'x', url: 'https://evil.example' })).toEqual(request)
  })

  it.each([
    null,
    undefined,
    1,
    'authorization_required',
    '{"type":"authorization_required"',
    [],
    {},
    { type: 'other', provider: 'github' },
    { type: 'authorization_required' },
    { type: 'authorization_required', provider: 'a b' },
    { type: 'authorization_required', provider: '<img src=x>' },
    { type: 'authorization_required', provider: 1 },
    JSON.stringify({ type: 'authorization_required', provider: 'a', message: 'x'.repeat(20_000) }),
  ])('finds none in anything else (%#)', (value) => {
    expect(readConnectRequest(value)).toBeNull()
  })

  it('case 265: text is no request, a server asks for its own account, and only an MCP server has pages', () => {
    const fake = { ...request, mode: 'url', url: 'https://github.com-login.evil.example/' }
    expect(readConnectRequest(JSON.stringify(fake))).toBeNull()
    expect(readConnectRequest(JSON.stringify(fake), { provider: 'github' })).toBeNull()
    expect(readConnectRequest(fake)).toEqual(request)
    expect(readConnectRequest(request, { provider: 'cats', server: 'https://cats.example/mcp' })).toBeNull()
    expect(readConnectRequest(request, { provider: 'github' })).toEqual(request)
    const cats = { ...fake, provider: 'cats' }
    expect(readConnectRequest(cats, { server: 'https://cats.example/mcp' })).toMatchObject({ url: fake.url })
  })

  it('drops members of the wrong type', () => {
    const odd = { ...request, scopes: [1, 'repo'], message: 'x'.repeat(2000), toolCallId: {} }
    expect(readConnectRequest(odd)).toEqual(request)
    expect(readConnectRequest({ ...request, scopes: 'repo', toolName: undefined })).toEqual({
      type: request.type,
      provider: 'github',
    })
  })
})
