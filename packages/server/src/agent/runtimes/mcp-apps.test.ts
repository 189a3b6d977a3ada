// What a real MCP server says of the card, as a real client reads it. `e2e/mcp-apps.spec.ts` shows it in a real host.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readConnectRequest } from '@latchkey/core'
import { github } from '@latchkey/core/providers/github'
import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
import { McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { emitCard } from '../../../scripts/card.ts'
import { AuthorizationRequired, withAccount, withIdentities } from '../../index.ts'
import { connectCard } from './mcp-apps.ts'

const TOKEN = 'CANARY_AT'
const options = { providers: [github()], url: 'https://app.example.com/connect?from=chat' }
const card = connectCard(options)

/** A server with one tool that needs an account, and one that fails, and its client. */
async function open(identities: { provider: string; accessToken: string }[] = []) {
  const server = new McpServer({ name: 'files', version: '1.0.0' })
  card.register(server)
  const config = { inputSchema: z.object({ owner: z.string() }), _meta: card.toolMeta }
  const tool = { provider: github(), toolName: 'list', scopes: ['repo'], effect: 'read' } as const
  const list = withAccount(tool, ({ owner }: { owner: string }) => ({
    content: [{ type: 'text' as const, text: `${owner} has none.` }],
  }))
  server.registerTool('list', config, (input) => withIdentities(identities, () => card.orCard(list)(input, {})))
  const fails = card.orCard(() => {
    throw new Error('It broke.')
  })
  server.registerTool('fails', config, fails)
  const client = new Client({ name: 'chat', version: '1.0.0' })
  const [here, there] = InMemoryTransport.createLinkedPair()
  await Promise.all([server.connect(there), client.connect(here)])
  return client
}
const call = { name: 'list', arguments: { owner: 'ada' } }

describe('the server', () => {
  it('has the card as a resource that loads nothing, and the tool names it', async () => {
    const client = await open()
    const { tools } = await client.listTools()
    expect(tools[0]?._meta).toEqual({ ui: { resourceUri: 'ui://latchkey/connect' } })
    const { resources } = await client.listResources()
    expect(resources).toMatchObject([{ uri: 'ui://latchkey/connect', mimeType: 'text/html;profile=mcp-app' }])
    const { contents } = await client.readResource({ uri: 'ui://latchkey/connect' })
    expect(contents).toEqual([
      {
        uri: 'ui://latchkey/connect',
        mimeType: 'text/html;profile=mcp-app',
        text: expect.stringContaining('<!doctype html>'),
        _meta: {
          ui: {
            csp: { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] },
            prefersBorder: true,
          },
        },
      },
    ])
  })

  it('answers with what a tool needs, and with what the tool answers once the account is there', async () => {
    const asked = await (await open()).callTool(call)
    expect(asked.isError).toBe(true)
    expect(readConnectRequest(asked.structuredContent)).toMatchObject({ provider: 'github', scopes: ['repo'] })
    const text = 'Connect GitHub at https://app.example.com/connect?from=chat&provider=github to continue.'
    expect(asked.content).toEqual([{ type: 'text', text }])
    const given = await (await open([{ provider: 'github', accessToken: TOKEN }])).callTool(call)
    expect(given).toEqual({ content: [{ type: 'text', text: 'ada has none.' }] })
    expect(JSON.stringify([asked, given])).not.toContain(TOKEN)
  })

  it('says of a provider that is not listed what the tool says', async () => {
    const tool = card.orCard(() => {
      throw new AuthorizationRequired({ provider: 'other' })
    })
    expect(await tool()).toEqual({
      isError: true,
      content: [{ type: 'text', text: 'Connect other to continue.' }],
      structuredContent: { type: 'authorization_required', provider: 'other', message: 'Connect other to continue.' },
    })
  })

  it('leaves any other error to the server', async () => {
    const failed = await (await open()).callTool({ ...call, name: 'fails' })
    expect(failed).toEqual({ isError: true, content: [{ type: 'text', text: 'It broke.' }] })
  })

  it.each([
    ['http:', { url: 'http://app.example.com/connect' }],
    ['a script', { url: 'javascript:alert(1)' }],
    ['a password', { url: 'https://ada:secret@app.example.com/connect' }],
    ['a path', { url: '/connect' }],
    ['an address of no card', { uri: 'https://app.example.com/card' }],
  ])('refuses %s', (_, change) => {
    expect(() => connectCard({ ...options, ...change })).toThrow(expect.objectContaining({ code: 'misuse' }))
  })
})

describe('the document', () => {
  const textOf = (made: typeof card) => {
    let text = ''
    made.register({
      registerResource: (_name, _uri, _config, read) => {
        text = read().contents[0]?.text ?? ''
      },
    })
    return text
  }

  it('has the script of page.ts', () => {
    const { module, file } = emitCard()
    expect(readFileSync(file, 'utf8')).toBe(module)
  })

  it('allows its own script and style, and nothing else', () => {
    const text = textOf(card)
    const [, policy = ''] = /Content-Security-Policy" content="([^"]+)"/.exec(text) ?? []
    const of = (tag: string) => {
      const [, inside = ''] = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(text) ?? []
      return `'sha256-${createHash('sha256').update(inside).digest('base64')}'`
    }
    const own = [`script-src ${of('script')}`, `style-src ${of('style')}`]
    expect(policy.split('; ')).toEqual(["default-src 'none'", ...own, "base-uri 'none'", "form-action 'none'"])
    expect(text).not.toMatch(
      /src=|href=|innerHTML|insertAdjacent|eval|fetch\(|localStorage|cookie|window\.open|location/,
    )
    expect(text.match(/https?:[^"' ]*/g)).toEqual(['https://app.example.com/connect?from=chat&provider=github'])
  })

  it('cannot be left by a name', () => {
    const name = '\u202E</script><script>alert(1)</script><b>Evil'
    const text = textOf(connectCard({ ...options, providers: [{ id: 'a"<&', name }] }))
    expect(text.match(/<script/g)).toHaveLength(2)
    expect(text.match(/<\/script>/g)).toHaveLength(2)
    const [, data = ''] = /<script type="application\/json">(.*?)<\/script>/s.exec(text) ?? []
    expect(JSON.parse(data)).toEqual([
      {
        id: 'a"<&',
        name: '/scriptscriptalert(1)/scriptbEvil',
        url: 'https://app.example.com/connect?from=chat&provider=a%22%3C%26',
      },
    ])
  })
})
