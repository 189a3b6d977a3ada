import { expect, it } from 'vitest'
import { SHAPES } from '../../fixtures/foreign-shapes.ts'
import { ownerOf, readAccessRequest, readForeignRequest } from './foreign.ts'

const signIns = new Map([['accounts.google.com', 'Google']])

it.each(SHAPES)('recognises %s, and whose page it is', (_, vault, say, page, owner) => {
  const found = readForeignRequest(say(page))
  expect(found).toMatchObject({ vault, url: page, host: new URL(page).host })
  expect(found && ownerOf(found, signIns)).toBe(owner)
})

it('has what the person types, and when the page ends', () => {
  const said = { status: 'connect_required', url: 'https://vercel.com/c', user_code: 'WDJB-MJHT' }
  expect(readForeignRequest({ ...said, expiresAt: 1_795_516_800 })).toMatchObject({
    deviceCode: 'WDJB-MJHT',
    expiresAt: 1_795_516_800_000,
  })
  expect(readForeignRequest({ ...said, expires_at: '2026-11-30T00:00:00Z' })?.expiresAt).toBe(Date.UTC(2026, 10, 30))
  expect(readForeignRequest({ ...said, expiresAt: 1_795_516_800_123 })?.expiresAt).toBe(1_795_516_800_123)
})

it.each(SHAPES)('shows a page of somebody else by its host alone: %s', (_, vault, say) => {
  for (const host of [
    'evil.example',
    'vercel.com.evil.example',
    'composio.dev',
    'bucket.s3.amazonaws.com',
    'xn--ggle-0nda.com',
  ]) {
    const found = readForeignRequest(say(`https://${host}/link`))
    expect(found).toMatchObject({ vault, host })
    expect(found && ownerOf(found, signIns)).toBeUndefined()
  }
})

it.each(SHAPES)('opens nothing but a page: %s', (_, _vault, say) => {
  const hostile = [
    'javascript:alert(1)',
    'data:text/html,<script>1</script>',
    'http://connect.composio.dev/link/1',
    'https://vercel.com@evil.example/',
    'https://user:secret@vercel.com/',
    '//vercel.com/a',
    `https://vercel.com/${'a'.repeat(5000)}`,
    'vercel.com',
    '',
    7,
    null,
    ['https://vercel.com'],
    { href: 'https://vercel.com' },
  ]
  for (const page of hostile) expect(readForeignRequest(say(page))).toBeNull()
})

it('keeps nothing that a vault says of itself', () => {
  const found = readForeignRequest({
    status: 'connect_required',
    connector: 'GitHub\u202E',
    name: 'Latchkey',
    message: 'Type your password here',
    token: 'CANARY',
    deviceCode: 'AB\u202ECD',
    expiresAt: 'soon',
    url: 'https://gооgle.example/a',
  })
  expect(found).toEqual({
    vault: 'vercel-connect',
    url: 'https://xn--ggle-55da.example/a',
    host: 'xn--ggle-55da.example',
  })
})

it.each([
  ['text', JSON.stringify({ status: 'connect_required', url: 'https://vercel.com/a' })],
  ['a list', [{ status: 'connect_required', url: 'https://vercel.com/a' }]],
  ['nothing', null],
  ['an answer with an address', { status: 'done', url: 'https://vercel.com/a' }],
  ['a connection that is there', { status: 'ACTIVE', redirectUrl: 'https://connect.composio.dev/link/1' }],
  ['an authorization that is complete', { status: 'completed', url: 'https://cloud.arcade.dev/oauth/1' }],
  ['a session without an address', { sessionUri: 'urn:a', accessToken: 'CANARY' }],
  ['a server that is ready', { state: 'ready', auth_url: 'https://mcp.example.com/authorize' }],
  ['inherited members', Object.create({ status: 'connect_required', url: 'https://vercel.com/a' })],
])('takes %s for no request', (_, value) => {
  expect(readForeignRequest(value)).toBeNull()
})

const bearer = 'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"'
const wants = (...scopes: string[]) => ({
  type: 'authorization_required',
  provider: 'github',
  ...(scopes.length > 0 && { scopes }),
})
it.each([
  [
    'a list of challenges',
    { isError: true, _meta: { 'mcp/www_authenticate': [`${bearer}, scope="repo gist"`] } },
    wants('repo', 'gist'),
  ],
  ['one challenge', { _meta: { 'mcp/www_authenticate': `${bearer}, error="invalid_token"` } }, wants()],
  [
    'the first that takes a Bearer token',
    { _meta: { 'mcp/www_authenticate': ['Basic realm="a"', `${bearer}, scope="repo"`] } },
    wants('repo'),
  ],
  ['the body of an HTTP 412', { status: 412, missing_scopes: ['repo', 'repo', 'gist'] }, wants('repo', 'gist')],
  ['another account than its own', { provider: 'gmail', missing_scopes: ['repo'] }, wants('repo')],
  ['what is no scope', { missing_scopes: ['re"po', 7, '\u202Egist', 'repo'] }, wants('repo')],
  ['no scope at all', { missing_scopes: [7, null] }, null],
  ['an empty list', { missing_scopes: [] }, null],
  ['another scheme', { _meta: { 'mcp/www_authenticate': 'Basic realm="a"' } }, null],
  ['no text', { _meta: { 'mcp/www_authenticate': [{ scope: 'repo' }] } }, null],
  ['text', `{"missing_scopes":["repo"]}`, null],
  ['nothing', null, null],
])('recognises what asks for more of an account: %s', (_, value, request) => {
  expect(readAccessRequest(value, { provider: 'github' })).toEqual(request)
})
