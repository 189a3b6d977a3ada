import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanUp, inSeconds, type LeafOptions, type Made, OpensslCa } from '../../fixtures/openssl.ts'
import {
  BundleSet,
  idFromCertificate,
  readCertificate,
  readCertificates,
  SpiffeError,
  verifyX509Svid,
  X509Svid,
} from '../index.ts'
import { FakeCa } from '../testing/index.ts'

let ca: OpensslCa
beforeAll(() => {
  ca = OpensslCa.root('a.test')
})
afterAll(cleanUp)

const ID = 'URI:spiffe://a.test/agent'

function outcome(run: () => unknown): string {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return error instanceof SpiffeError ? `${error.code}: ${error.message}` : `not ours: ${error}`
  }
}

const verify = (der: readonly Buffer[], bundles = ca.bundle() as Parameters<typeof verifyX509Svid>[1]) =>
  outcome(() => verifyX509Svid(der, bundles))
const parse = ({ der, keyDer }: Made, chain: readonly Buffer[] = []) =>
  outcome(() => X509Svid.parseRaw(Buffer.concat([der, ...chain]), keyDer))

/** A leaf with these options, checked as a peer's certificate and as our own. */
function judge(options: LeafOptions) {
  const made = ca.leaf(options)
  return { peer: verify([made.der]), own: parse(made) }
}

it('a good leaf is accepted, so that the refusals below mean something', () => {
  expect(judge({})).toEqual({ peer: 'accepted', own: 'accepted' })
  expect(judge({ names: [ID, 'DNS:agent.a.test'] })).toEqual({ peer: 'accepted', own: 'accepted' })
  expect(judge({ extendedKeyUsage: null })).toEqual({ peer: 'accepted', own: 'accepted' })
  expect(judge({ basicConstraints: null })).toEqual({ peer: 'accepted', own: 'accepted' })
  const { id, path } = verifyX509Svid([ca.leaf().der], ca.bundle())
  expect(String(id)).toBe('spiffe://a.test/agent')
  expect(path).toHaveLength(2)
})

it('case 165: the ID is the one URI name, read from the DER', () => {
  expect(judge({ names: ['DNS:agent.a.test'] }).peer).toMatch(/^invalid_svid: .*no URI name/)
  expect(judge({ names: [] }).peer).toMatch(/^invalid_svid: .*no URI name/)
  for (const names of [
    [ID, 'URI:spiffe://a.test/other'],
    [ID, 'URI:https://a.test/agent'],
    [ID, ID],
  ]) {
    const { peer, own } = judge({ names })
    expect(peer).toMatch(/^invalid_svid: .*more than one URI name/)
    expect(own).toBe(peer)
  }
  // A DNS name whose text would read as a URI name in Node's own rendering.
  const posing = ca.leaf({ names: ['DNS:x, URI:spiffe://a.test/admin'] })
  expect(verify([posing.der])).toMatch(/^invalid_svid: .*no URI name/)
  expect(() => idFromCertificate(readCertificate(posing.der))).toThrow(SpiffeError)
  const both = ca.leaf({ names: ['DNS:x, URI:spiffe://a.test/admin', ID] })
  expect(String(idFromCertificate(readCertificate(both.der)))).toBe('spiffe://a.test/agent')
  for (const uri of ['https://a.test/agent', 'Spiffe://a.test/agent', 'spiffe://a.test/a/../b', 'spiffe://A.test/b'])
    expect(judge({ names: [`URI:${uri}`] }).peer, uri).toMatch(/^invalid_id/)
})

it('case 166: a CA cannot pose as a workload', () => {
  const { peer, own } = judge({ basicConstraints: 'critical,CA:TRUE' })
  expect(peer).toMatch(/^invalid_svid: .*A CA may not pose/)
  expect(own).toBe(peer)
})

it('case 167: key usage is read bit by bit', () => {
  for (const [keyUsage, why] of [
    ['critical,digitalSignature,keyCertSign', 'may sign certificates'],
    ['critical,digitalSignature,cRLSign', 'may sign revocation lists'],
    ['critical,keyEncipherment', 'may not sign handshakes'],
    ['critical,keyAgreement', 'may not sign handshakes'],
    ['digitalSignature', 'not critical'],
    [null, 'missing'],
  ] as const) {
    const { peer, own } = judge({ keyUsage })
    expect(peer, String(keyUsage)).toMatch(/^invalid_svid/)
    expect(peer).toContain(why)
    expect(own).toBe(peer)
  }
  expect(judge({ keyUsage: 'critical,digitalSignature,keyEncipherment,keyAgreement' }).peer).toBe('accepted')
  expect(judge({ extendedKeyUsage: 'serverAuth' }).peer).toMatch(/^invalid_svid: .*extended key usage/)
  expect(judge({ extendedKeyUsage: 'clientAuth' }).peer).toMatch(/^invalid_svid: .*extended key usage/)
})

it('case 168: the name of a trust domain is not the name of a workload', () => {
  const { peer, own } = judge({ names: ['URI:spiffe://a.test'] })
  expect(peer).toMatch(/^invalid_svid: .*trust domain is not the name of a workload/)
  expect(own).toBe(peer)
})

it('case 169: validity and chain are those of RFC 5280', { timeout: 120_000 }, () => {
  expect(judge({ from: inSeconds(-7200), to: inSeconds(-3600) }).peer).toMatch(/^untrusted: .*expired/)
  expect(judge({ from: inSeconds(3600), to: inSeconds(7200) }).peer).toMatch(/^untrusted: .*not valid yet/)

  // One good intermediate; then one missing, of another root, not a CA, not allowed to sign, expired, and too deep.
  const middle = ca.below()
  const leaf = middle.leaf().der
  expect(verify([leaf, ...middle.chain])).toBe('accepted')
  const svid = middle.leaf()
  expect(parse(svid, middle.chain)).toBe('accepted')
  expect(verify([leaf])).toMatch(/^untrusted: No root/)
  const stranger = OpensslCa.root('a.test').below()
  expect(verify([leaf, ...stranger.chain])).toMatch(/^untrusted: No root/)
  expect(verify([stranger.leaf().der, ...stranger.chain])).toMatch(/^untrusted: No root/)
  const named = { subject: '/CN=same name' }
  const one = ca.below(named)
  expect(verify([one.leaf().der, ...ca.below(named).chain])).toMatch(/^untrusted: No root/)

  for (const [what, options, why] of [
    ['not a CA', { basicConstraints: 'critical,CA:FALSE' }, /^untrusted/],
    ['no basic constraints', { basicConstraints: null }, /^untrusted/],
    ['not allowed to sign', { keyUsage: 'critical,digitalSignature' }, /^untrusted/],
    ['no key usage', { keyUsage: null }, /^untrusted/],
    ['expired', { from: inSeconds(-7200), to: inSeconds(-3600) }, /^untrusted: .*expired/],
    ['future', { from: inSeconds(3600), to: inSeconds(7200) }, /^untrusted: .*not valid yet/],
    ['unknown critical extension', { extra: ['1.2.3.4 = critical,ASN1:NULL'] }, /^untrusted: .*not understood/],
    ['other URI names only', { nameConstraints: 'critical,permitted;URI:b.test' }, /^untrusted: .*outside/],
    ['these URI names not', { nameConstraints: 'critical,excluded;URI:a.test' }, /^untrusted: .*outside/],
    ['unknown kind of constraint', { nameConstraints: 'critical,permitted;email:a.test' }, /^untrusted: .*constrains/],
  ] as const) {
    const bad = ca.below(options)
    expect(verify([bad.leaf().der, ...bad.chain]), what).toMatch(why)
  }
  const unsigned = ca.below({ keyUsage: 'critical,digitalSignature' })
  expect(parse(unsigned.leaf(), unsigned.chain)).toMatch(/^invalid_svid: .*may not sign/)

  const own = ca.below({ nameConstraints: 'critical,permitted;URI:a.test' })
  expect(verify([own.leaf().der, ...own.chain])).toBe('accepted')
  const shallow = ca.below({ basicConstraints: 'critical,CA:TRUE,pathlen:0' })
  expect(verify([shallow.leaf().der, ...shallow.chain])).toBe('accepted')
  const deeper = shallow.below()
  expect(verify([deeper.leaf().der, ...deeper.chain])).toMatch(/^untrusted: .*longer than/)
  const sha1 = ca.leaf({ digest: 'sha1' })
  expect(verify([sha1.der])).toMatch(/^untrusted: .*broken algorithm/)

  // A leaf cannot be its own root, and an expired root is not trusted.
  const old = OpensslCa.root('a.test', { from: inSeconds(-7200), to: inSeconds(-3600) })
  expect(verify([old.leaf().der], old.bundle())).toMatch(/^untrusted: .*expired/)
  expect(verify([ca.leaf().der], new BundleSet())).toMatch(/^untrusted: No bundle/)
  expect(outcome(() => verifyX509Svid([ca.leaf().der], ca.bundle(), { now: Date.now() + 3_601_000 }))).toMatch(
    /expired/,
  )
})

it("the number of signature checks for a peer's chain is limited", () => {
  const chain = Array.from({ length: 9 }, () => ca.below({ subject: '/CN=maze' }))
  const leaf = chain[0]?.leaf().der as Buffer
  const result = verify([leaf, ...chain.slice(1).flatMap((one) => one.chain)])
  expect(result).toMatch(/^untrusted/)
  let deep = ca
  for (let depth = 0; depth < 9; depth++) deep = deep.below()
  expect(verify([deep.leaf().der, ...deep.chain])).toMatch(/^untrusted/)
})

describe('X509Svid', () => {
  it('is read from PEM and DER, and written back', () => {
    const middle = ca.below()
    const { pem, key } = middle.leaf()
    const svid = X509Svid.parse(pem + middle.certificate.pem, key, 'internal')
    expect(svid).toMatchObject({ hint: 'internal' })
    expect(svid.certificates).toHaveLength(2)
    const again = X509Svid.parse(svid.marshal().certificates, svid.marshal().key)
    expect(again.id.equals(svid.id)).toBe(true)
    const raw = svid.marshalRaw()
    expect(X509Svid.parseRaw(raw.certificates, raw.key).certificates).toHaveLength(2)
    expect(readCertificates(raw.certificates)).toHaveLength(2)
  })

  it('refuses a key of another certificate, and unreadable input', () => {
    const { der, keyDer, pem, key } = ca.leaf()
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const otherDer = other.export({ format: 'der', type: 'pkcs8' })
    expect(outcome(() => X509Svid.parseRaw(der, otherDer))).toMatch(/^invalid_svid: .*another certificate/)
    expect(outcome(() => X509Svid.parseRaw(Buffer.alloc(0), keyDer))).toMatch(/^invalid_svid: .*no certificate/)
    expect(outcome(() => X509Svid.parse('not PEM', key))).toMatch(/^invalid_svid: .*no certificate/)
    expect(outcome(() => X509Svid.parse(pem, 'CANARY_KEY'))).toMatch(/^invalid_svid: .*cannot be read/)
    for (const bytes of [der.subarray(0, 40), Buffer.concat([der, Buffer.from([0])]), Buffer.from('not DER')])
      expect(outcome(() => X509Svid.parseRaw(bytes, keyDer))).toMatch(/^invalid_certificate/)
  })
})

it('the CA of the test kit issues valid certificates', () => {
  const fake = new FakeCa('a.test')
  fake.addIntermediate()
  const svid = fake.issue('/agent')
  expect(String(verifyX509Svid(svid.certificates, fake.bundle()).id)).toBe('spiffe://a.test/agent')
  expect(inspect(svid, { depth: 9, showHidden: true })).not.toContain('PRIVATE')
})
