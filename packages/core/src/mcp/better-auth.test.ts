// The same with another authorization server, better-auth, whose issuer has a path.
import { type BetterAuthStandIn, createHeadlessBrowser, startBetterAuth } from '@latchkey/sandbox'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { openPage, REDIRECT_URI, type Visit } from '../../fixtures/mcp-page.ts'
import { cardStatus, type LatchkeyClient } from '../index.ts'
import { mcp, mcpTransport } from './index.ts'

let server: BetterAuthStandIn
let person: { visit: Visit; visited: string[] }
let page: ReturnType<typeof openPage>

const agree: Visit = async (url) => {
  const browser = createHeadlessBrowser()
  let at = await browser.open(url)
  if (at.html.includes('Allow')) at = await browser.press(at, 'Allow')
  return at.url.href.startsWith(REDIRECT_URI) ? at.url.href : undefined
}

beforeAll(async () => {
  server = await startBetterAuth()
})
afterAll(() => server.close())
beforeEach(() => {
  vi.useRealTimers()
  person = { visit: agree, visited: [] }
  page = openPage(person)
})

const asks = { authorize: (_request: unknown, connect: () => Promise<unknown>) => connect() }
async function call(client: LatchkeyClient): Promise<string> {
  const agent = new Client({ name: 'agent', version: '1' })
  await agent.connect(new StreamableHTTPClientTransport(new URL(server.mcp), mcpTransport(client, 'better', asks)))
  const { content } = await agent.callTool({ name: 'list_notes', arguments: {} })
  await agent.close()
  return (content as { text: string }[])[0]!.text
}

it('registers, signs in, calls a tool, refreshes, and reports a revocation', async () => {
  const client = page.client({ providers: [mcp({ id: 'better', name: 'Better Notes', url: server.mcp })] })
  expect(await call(client)).toContain('Behind better-auth')
  const [account] = Object.values(client.getSnapshot().accounts)
  expect(account).toMatchObject({ issuer: server.issuer, renewable: true, status: 'connected' })
  const { registrations } = await client.mcp()
  expect(await registrations.list()).toMatchObject([{ issuer: server.issuer, method: 'dynamic' }])

  // Called again without a prompt, and after the token has expired, with a refresh.
  expect(await call(client)).toContain('Behind better-auth')
  const old = await client.getToken('better')
  await client.reportInvalidToken(account!.id)
  expect(await client.getToken('better')).not.toBe(old)
  expect(person.visited).toHaveLength(1)

  server.revokeAll()
  await client.reportInvalidToken(account!.id)
  expect(cardStatus(client.getSnapshot(), 'better')).toBe('needs-reconnect')
  expect(await client.reconnect(account!.id)).toMatchObject({ status: 'connected' })
  expect(Object.keys(client.getSnapshot().accounts)).toHaveLength(1)
})

it('is named after the person in the ID token, if `openid` was granted', async () => {
  const client = page.client({ providers: [mcp({ id: 'better', url: server.mcp, scopes: ['openid', 'mcp:read'] })] })
  await client.connect('better')
  const [account] = Object.values(client.getSnapshot().accounts)
  expect(account?.subject).toMatch(/./)
  expect(account).toMatchObject({ issuer: server.issuer, status: 'connected' })
  // The claims of the ID token are read, so /userinfo is not asked.
  expect(server.log.filter(({ path }) => path.includes('userinfo'))).toEqual([])
  // The same person gets the same account again.
  await client.connect('better')
  expect(Object.keys(client.getSnapshot().accounts)).toEqual([account?.id])
})
