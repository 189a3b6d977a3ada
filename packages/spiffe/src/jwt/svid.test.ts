import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { FlattenedSign, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { Bundle, BundleSet, readJwtSvid, SpiffeError, verifyJwtSvid } from '../index.ts'

const AUDIENCE = 'https://api.b.test'
const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ours = pair()
const theirs = pair()
const bundles = new BundleSet([
  new Bundle('a.test', { jwtAuthorities: new Map([['key-a', ours.publicKey]]) }),
  new Bundle('b.test', { jwtAuthorities: new Map([['key-b', theirs.publicKey]]) }),
  new Bundle('gone.test'),
])

interface Made {
  header?: Partial<JWTHeaderParameters>
  claims?: Record<string, unknown>
  key?: KeyObject | Uint8Array
}

const now = Math.floor(Date.now() / 1000)

function token({ header = {}, claims = {}, key = ours.privateKey }: Made = {}): Promise<string> {
  const payload = { sub: 'spiffe://a.test/agent', aud: AUDIENCE, exp: now + 300, iat: now, ...claims }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', kid: 'key-a', ...header } as JWTHeaderParameters)
    .sign(key)
}

async function outcome(token: string): Promise<string> {
  try {
    const { id } = await verifyJwtSvid(token, bundles, AUDIENCE)
    return String(id)
  } catch (error) {
    return error instanceof SpiffeError ? `${error.code}: ${error.message}` : `not ours: ${error}`
  }
}

it('case 172: bad JWT-SVIDs are refused', async () => {
  // Valid tokens, in every valid form.
  for (const made of [
    {},
    { header: { typ: 'JWT' } },
    { header: { typ: 'JOSE' } },
    { claims: { aud: [AUDIENCE, 'https://other.test'] } },
  ])
    expect(await outcome(await token(made)), JSON.stringify(made)).toBe('spiffe://a.test/agent')

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsaBundle = new Bundle('a.test', { jwtAuthorities: new Map([['key-a', rsa.publicKey]]) })
  for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
    const made = await token({ header: { alg }, key: rsa.privateKey })
    expect(String((await verifyJwtSvid(made, rsaBundle, AUDIENCE)).id)).toBe('spiffe://a.test/agent')
  }
  // The public key, which is not secret, used as an HMAC key (algorithm confusion).
  const secret = ours.publicKey.export({ format: 'der', type: 'spki' })
  expect(await outcome(await token({ header: { alg: 'HS256' }, key: secret }))).toMatch(/^invalid_token: .*algorithm/)
  const none = new UnsecuredJWT({ sub: 'spiffe://a.test/agent', aud: AUDIENCE, exp: now + 300 }).encode()
  expect(await outcome(none)).toMatch(/^invalid_token/)
  expect(await outcome(`${none}AAAA`)).toMatch(/^invalid_token: .*algorithm/)
  const ed = generateKeyPairSync('ed25519')
  expect(await outcome(await token({ header: { alg: 'EdDSA' }, key: ed.privateKey }))).toMatch(/algorithm/)

  for (const [what, claims, why] of [
    ['no audience', { aud: undefined }, /audience/],
    ['empty audience', { aud: [] }, /audience/],
    ['other audience', { aud: 'https://other.test' }, /audience/],
    ['audience as a prefix', { aud: `${AUDIENCE}/` }, /audience/],
    ['no expiry', { exp: undefined }, /never expires/],
    ['expired', { exp: now - 1 }, /has expired/],
    ['not valid yet', { nbf: now + 60 }, /not valid yet/],
    ['no subject', { sub: undefined }, /no subject/],
    ['empty subject', { sub: '' }, /subject is not a SPIFFE ID/],
    ['bad subject', { sub: 'https://a.test/agent' }, /subject is not a SPIFFE ID/],
    ['subject of odd spelling', { sub: 'spiffe://a.test/../agent' }, /subject is not a SPIFFE ID/],
  ] as const)
    expect(await outcome(await token({ claims })), what).toMatch(new RegExp(`^invalid_token: .*${why.source}`))

  expect(await outcome(await token({ header: { kid: undefined } }))).toMatch(/^invalid_token: .*names no key/)
  expect(await outcome(await token({ header: { kid: '' } }))).toMatch(/^invalid_token: .*names no key/)
  expect(await outcome(await token({ header: { kid: 'unknown' } }))).toMatch(
    /^untrusted: .*not one of its trust domain/,
  )
  // A key of b.test cannot sign for a.test, by its own key id or by that of a.test.
  const stolen = { key: theirs.privateKey }
  expect(await outcome(await token({ ...stolen, header: { kid: 'key-b' } }))).toMatch(/^untrusted/)
  expect(await outcome(await token(stolen))).toMatch(/^invalid_token: .*signature/)
  expect(await outcome(await token({ claims: { sub: 'spiffe://c.test/agent' } }))).toMatch(/^untrusted: No bundle/)
  expect(await outcome(await token({ claims: { sub: 'spiffe://gone.test/agent' } }))).toMatch(/^untrusted/)

  expect(await outcome(await token({ header: { typ: 'at+jwt' } }))).toMatch(/^invalid_token: .*type/)
  expect(await outcome(await token({ header: { typ: 'jwt' } }))).toMatch(/^invalid_token: .*type/)
  const crit = await token()
  const [, payload, signature] = crit.split('.')
  const critical = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'key-a', crit: ['exp'] })).toString('base64url')
  expect(await outcome(`${critical}.${payload}.${signature}`)).toMatch(/^invalid_token: .*critical/)

  const json = await new FlattenedSign(
    Buffer.from(JSON.stringify({ sub: 'spiffe://a.test/agent', aud: AUDIENCE, exp: now + 300 })),
  )
    .setProtectedHeader({ alg: 'ES256', kid: 'key-a' })
    .sign(ours.privateKey)
  expect(await outcome(JSON.stringify(json))).toMatch(/^invalid_token: .*compact/)
  const good = await token()
  for (const text of ['', 'a.b', `${good}.x`, ` ${good}`, good.slice(0, -4), good.replace(/\.[^.]+\./, '.e30.')])
    expect(await outcome(text), text.slice(-20)).toMatch(/^invalid_token/)
})

describe('JwtSvid', () => {
  it('keeps its token out of logs', async () => {
    const made = await token()
    const svid = await verifyJwtSvid(made, bundles, AUDIENCE)
    expect(svid.token).toBe(made)
    expect(svid).toMatchObject({ audience: [AUDIENCE], expiresAt: (now + 300) * 1000, issuedAt: now * 1000 })
    for (const shown of [JSON.stringify(svid), inspect(svid, { depth: 9, showHidden: true }), String(svid)])
      expect(shown).not.toContain(made.split('.')[2])
  })

  it('can be parsed without verification, but must still have the required claims', async () => {
    const made = await token({ key: theirs.privateKey })
    expect(String(readJwtSvid(made, AUDIENCE, 'internal').id)).toBe('spiffe://a.test/agent')
    expect(() => readJwtSvid(made, 'https://other.test')).toThrow(SpiffeError)
  })
})
