import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Bundle, BundleSet, firstOf, SpiffeError, verifyJwtSvid, verifyX509Svid } from '../index.ts'
import { FakeCa } from '../testing/index.ts'

const ca = new FakeCa('a.test')
const document = () => JSON.parse(ca.bundle({ sequence: 7, refreshHint: 60 }).marshal())
const refused = (text: string | Uint8Array) => () => Bundle.parse('a.test', text)

it('case 175: an empty bundle revokes its whole trust domain', async () => {
  const revoked = Bundle.parse('a.test', '{"keys":[]}')
  expect(revoked.empty).toBe(true)
  const bundles = new BundleSet([revoked, new FakeCa('b.test').bundle()])
  const svid = ca.issue('/agent')
  expect(() => verifyX509Svid(svid.certificates, ca.bundle())).not.toThrow()
  expect(() => verifyX509Svid(svid.certificates, bundles)).toThrow(expect.objectContaining({ code: 'untrusted' }))
  const { svid: token } = await ca.jwt({ sub: 'spiffe://a.test/agent', aud: 'x' })
  await expect(verifyJwtSvid(token, ca.bundle(), 'x')).resolves.toBeDefined()
  await expect(verifyJwtSvid(token, bundles, 'x')).rejects.toMatchObject({ code: 'untrusted' })
  // Keys of unknown kinds and uses are skipped, so the bundle stays empty.
  const odd = {
    keys: [
      { use: 'wit-svid', kty: 'EC' },
      { use: 'jwt-svid', kty: 'OKP', kid: 'x' },
      { kty: 'oct', k: 'eA' },
    ],
  }
  expect(Bundle.parse('a.test', JSON.stringify(odd)).empty).toBe(true)
})

describe('Bundle', () => {
  it('is read from JWKS and written back', () => {
    const bundle = Bundle.parse('spiffe://a.test', JSON.stringify(document()))
    expect(bundle).toMatchObject({ trustDomain: 'a.test', sequence: 7, refreshHint: 60, empty: false })
    expect(bundle.x509Authorities).toHaveLength(1)
    expect([...bundle.jwtAuthorities.keys()]).toEqual([ca.jwtKeyId])
    expect(Bundle.parse('a.test', bundle.marshal()).equals(bundle)).toBe(true)
    expect(Bundle.parse('b.test', bundle.marshal()).equals(bundle)).toBe(false)
    const pem = Bundle.parsePem('a.test', ca.root.x509.toString().repeat(2))
    expect(pem.x509Authorities).toHaveLength(1)
  })

  it('takes the first certificate of an entry', () => {
    const twice = document()
    twice.keys[0].x5c.push('not a certificate')
    expect(Bundle.parse('a.test', JSON.stringify(twice)).x509Authorities).toHaveLength(1)
  })

  it('is refused as a whole if it is malformed', () => {
    for (const text of ['', '[]', 'null', '{}', '{"keys":{}}', '{"keys":[7]}', '{"keys":[],"spiffe_sequence":-1}'])
      expect(refused(text), text).toThrow(expect.objectContaining({ code: 'invalid_bundle' }))
    expect(refused(Buffer.from([0xff]))).toThrow(SpiffeError)
    for (const key of [
      { use: 'x509-svid', kty: 'EC' },
      { use: 'x509-svid', kty: 'EC', x5c: [] },
      { use: 'x509-svid', kty: 'EC', x5c: ['AAAA'] },
      { use: 'jwt-svid', kty: 'EC' },
      { use: 'jwt-svid', kty: 'EC', kid: '', crv: 'P-256' },
      { use: 'jwt-svid', kty: 'EC', kid: 'x', crv: 'P-256', x: 'AA', y: 'AA' },
    ])
      expect(refused(JSON.stringify({ keys: [key] })), JSON.stringify(key)).toThrow(SpiffeError)
    expect(() => Bundle.parsePem('a.test', 'nothing')).toThrow(SpiffeError)
  })

  it('never holds a private key, even if the document has one', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = { ...privateKey.export({ format: 'jwk' }), use: 'jwt-svid', kid: 'x' }
    const bundle = Bundle.parse('a.test', JSON.stringify({ keys: [jwk] }))
    expect(bundle.jwtAuthorities.get('x')?.type).toBe('public')
  })

  it('takes JWT keys without a use only from the Workload API', () => {
    const { keys } = document()
    const [, { use: _, ...jwt }] = keys
    const text = JSON.stringify({ keys: [jwt] })
    expect(Bundle.parseJwt('a.test', text).jwtAuthorities.size).toBe(1)
    expect(Bundle.parse('a.test', text).jwtAuthorities.size).toBe(0)
    expect(Bundle.parseJwt('a.test', JSON.stringify({ keys })).x509Authorities).toEqual([])
  })
})

describe('BundleSet', () => {
  it('is read from a bundle map; one invalid entry refuses the whole map', () => {
    const set = new BundleSet([ca.bundle(), new FakeCa('b.test').bundle()])
    const read = BundleSet.parse(set.marshal())
    expect(read.trustDomains).toEqual(['a.test', 'b.test'])
    expect(read.getBundle('a.test')?.equals(ca.bundle())).toBe(true)
    expect(read.getBundle('c.test')).toBeUndefined()
    for (const text of [
      '{}',
      '{"trust_domains":{"A":{"keys":[]}}}',
      '{"trust_domains":{"a.test":{"keys":[]},"b.test":{}}}',
    ])
      expect(() => BundleSet.parse(text), text).toThrow(SpiffeError)
  })

  it('asks providers in order and merges no bundles', () => {
    const other = new FakeCa('a.test')
    const first = firstOf(new BundleSet(), ca.bundle(), other.bundle())
    expect(first.getBundle('a.test')?.equals(ca.bundle())).toBe(true)
    expect(first.getBundle('b.test')).toBeUndefined()
  })
})
