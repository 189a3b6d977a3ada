import { describe, expect, it } from 'vitest'
import {
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
  parseTrustDomain,
  SpiffeError,
  SpiffeId,
} from '../index.ts'

const refused = (text: string) => {
  try {
    SpiffeId.parse(text)
    return 'accepted'
  } catch (error) {
    return error instanceof SpiffeError ? error.code : String(error)
  }
}

it('case 155: bad SPIFFE IDs are refused from the raw string', () => {
  for (const text of [
    '',
    's',
    'spiffe:/',
    'Spiffe://trustdomain/path',
    'SPIFFE://trustdomain/path',
    ' spiffe://trustdomain/path',
    'spiffe://trustdomain/path ',
    'spiffe://trustdomain/path\n',
    'spiffe://',
    'spiffe:///',
    'spiffe:///path',
    'spiffe://trustdomain/',
    'spiffe://trustdomain//',
    'spiffe://trustdomain//path',
    'spiffe://trustdomain/path/',
    'spiffe://trustdomain/.',
    'spiffe://trustdomain/./path',
    'spiffe://trustdomain/path/./other',
    'spiffe://trustdomain/path/..',
    'spiffe://trustdomain/..',
    'spiffe://trustdomain/../path',
    'spiffe://trustdomain/path/../other',
    'spiffe://TrustDomain/path',
    'spiffe://%F0%9F%A4%AF/path',
    'spiffe://trustdomain/%F0%9F%A4%AF',
    'spiffe://%62%61%64/path',
    'spiffe://trustdomain/%62%61%64',
    'spiffe://trustdomain:8080/path',
    'spiffe://user@trustdomain/path',
    'spiffe://user:password@trustdomain/path',
    'spiffe://trustdomain/path?query',
    'spiffe://trustdomain/path#fragment',
    'spiffe://trustdomain?query',
    'https://trustdomain/path',
  ])
    expect(refused(text), JSON.stringify(text)).toBe('invalid_id')

  // Every character of one byte, at the end of a trust domain and of a segment.
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code)
    if (character === '/') continue
    const inDomain = refused(`spiffe://trustdomain${character}/path`)
    expect(inDomain, `trust domain ${code}`).toBe(/[a-z0-9._-]/.test(character) ? 'accepted' : 'invalid_id')
    const inPath = refused(`spiffe://trustdomain/path${character}`)
    expect(inPath, `path ${code}`).toBe(/[a-zA-Z0-9._-]/.test(character) ? 'accepted' : 'invalid_id')
  }

  const longest = `spiffe://trustdomain/${'a'.repeat(2048 - 'spiffe://trustdomain/'.length)}`
  expect(longest).toHaveLength(2048)
  expect(refused(longest)).toBe('accepted')
  expect(refused(`${longest}a`)).toBe('invalid_id')
  expect(refused(`spiffe://${'a'.repeat(255)}/a`)).toBe('accepted')
  expect(refused(`spiffe://${'a'.repeat(256)}/a`)).toBe('invalid_id')

  for (const path of ['', '/.path', '/..path', '/...', '/a/b', '/A_b-c.9'])
    expect(SpiffeId.parse(`spiffe://trustdomain${path}`)).toMatchObject({ trustDomain: 'trustdomain', path })
})

describe('SpiffeId', () => {
  it('is made of a path or of segments', () => {
    expect(String(SpiffeId.fromPath('acme.com', '/a/b'))).toBe('spiffe://acme.com/a/b')
    expect(String(SpiffeId.fromPath('spiffe://acme.com', ''))).toBe('spiffe://acme.com')
    expect(String(SpiffeId.fromSegments('acme.com', 'a', 'b'))).toBe('spiffe://acme.com/a/b')
    expect(String(SpiffeId.fromSegments('acme.com'))).toBe('spiffe://acme.com')
    expect(() => SpiffeId.fromPath('acme.com', 'a')).toThrow('begins with a slash')
    for (const segment of ['', '/', '/a', 'a/b', '$', '.', '..'])
      expect(() => SpiffeId.fromSegments('acme.com', segment)).toThrow(SpiffeError)
  })

  it('compares IDs, and has a text and a JSON form', () => {
    const id = SpiffeId.parse('spiffe://acme.com/a')
    expect(id.equals(SpiffeId.parse('spiffe://acme.com/a'))).toBe(true)
    expect(id.equals(SpiffeId.parse('spiffe://acme.com/A'))).toBe(false)
    expect(id.memberOf('acme.com')).toBe(true)
    expect(id.memberOf('spiffe://acme.com')).toBe(true)
    expect(id.memberOf('com')).toBe(false)
    expect(JSON.stringify({ id })).toBe('{"id":"spiffe://acme.com/a"}')
    expect(SpiffeId.from(id)).toBe(id)
  })

  it('reads trust domains by name or by ID', () => {
    expect(parseTrustDomain('acme.com')).toBe('acme.com')
    expect(parseTrustDomain('spiffe://acme.com/a')).toBe('acme.com')
    for (const text of ['', 'Acme.com', 'acme.com/', 'acme.com:1', 'https://acme.com', 'a b'])
      expect(() => parseTrustDomain(text), text).toThrow(SpiffeError)
  })
})

it('authorizers: any, one, one of, member of', () => {
  const a = SpiffeId.parse('spiffe://acme.com/a')
  const b = SpiffeId.parse('spiffe://acme.com/b')
  const other = SpiffeId.parse('spiffe://evil.com/a')
  expect([a, b, other].map(authorizeAny())).toEqual([true, true, true])
  expect([a, b, other].map((id) => authorizeId(a)(id))).toEqual([true, false, false])
  expect([a, b, other].map((id) => authorizeOneOf(a, String(b))(id))).toEqual([true, true, false])
  expect([a, b, other].map((id) => authorizeOneOf()(id))).toEqual([false, false, false])
  expect([a, b, other].map((id) => authorizeMemberOf('acme.com')(id))).toEqual([true, true, false])
  expect(() => authorizeId('acme.com/a')).toThrow(SpiffeError)
})
