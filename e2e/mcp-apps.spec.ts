// The connect card of MCP Apps in a real host: a real MCP server, its client, and the bridge of the official SDK.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { github } from '@latchkey/core/providers/github'
import { kaggle } from '@latchkey/core/providers/kaggle'
import { withAccount, withIdentities } from '@latchkey/server'
import { connectCard } from '@latchkey/server/runtimes/mcp-apps'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { type ConsoleMessage, expect, type Page, test } from '@playwright/test'
import { build } from 'esbuild'
import { z } from 'zod'
import type { HostOptions } from './mcp-apps/host.ts'

const TOKEN = 'CANARY_AT'
const PAGE = 'https://app.example.com/connect'
/** Where the frame of the card has been: nowhere but in its own document. */
const LOADED = ['about:blank', 'about:srcdoc']

let server: Server
let origin: string
let isConnected = false
/** Every path that somebody asked the server for. */
const asked: string[] = []

test.beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, 'mcp-apps/host.ts')],
    ...{ bundle: true, write: false, format: 'esm', logLevel: 'error' },
  })
  const card = connectCard({ providers: [github(), kaggle()], url: PAGE })
  const list = withAccount(
    { provider: github(), toolName: 'list', effect: 'read' },
    async ({ owner }: { owner: string }, account) => ({
      content: [{ type: 'text' as const, text: `${owner} has none, says ${await account.getToken()}.` }],
    }),
  )
  const mcp = createMcpHandler(() => {
    const app = new McpServer({ name: 'files', version: '1.0.0' })
    card.register(app)
    const config = { inputSchema: z.object({ owner: z.string() }), _meta: card.toolMeta }
    app.registerTool('list', config, (input) =>
      withIdentities(isConnected ? [{ provider: 'github', accessToken: TOKEN }] : [], () =>
        card.orCard(list)(input, {}),
      ),
    )
    return app
  })
  server = createServer(async (request, response) => {
    asked.push(request.url ?? '')
    if (request.url === '/host.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(outputFiles[0]?.contents)
    } else if (request.url === '/mcp') {
      const headers = Object.entries(request.headersDistinct).flatMap(([name, values = []]) =>
        values.map((value): [string, string] => [name, value]),
      )
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const { method = 'GET' } = request
      const body = method === 'POST' ? Buffer.concat(chunks) : undefined
      const answer = await mcp.fetch(new Request(origin + request.url, { method, headers, body }))
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()))
    } else
      response.writeHead(200, { 'content-type': 'text/html' }).end('<script type="module" src="/host.js"></script>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
test.afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** A chat that shows the card, and all that left it. */
async function open(page: Page, options: HostOptions = {}) {
  isConnected = false
  const left: string[] = []
  const faults: string[] = []
  page.on('request', (request) => request.frame() !== page.mainFrame() && left.push(request.url()))
  page.on('framenavigated', (frame) => frame.parentFrame() && left.push(frame.url()))
  page.context().on('page', (other) => left.push(other.url()))
  page.on('pageerror', (error) => faults.push(String(error)))
  // The server has no stream, which the client asks for.
  const isFault = (message: ConsoleMessage) => message.type() === 'error' && !message.location().url.endsWith('/mcp')
  page.on('console', (message) => isFault(message) && faults.push(message.text()))
  await page.goto(origin)
  await page.waitForFunction(() => window.host)
  await page.evaluate((one) => window.host.start(one), options)
  const frame = page.frameLocator('iframe').first()
  const card = frame.locator('main')
  return {
    ...{ card, left, faults },
    connect: card.getByRole('button', { name: 'Connect GitHub' }),
    next: card.getByRole('button', { name: 'Continue' }),
    status: card.getByRole('status'),
    inside: page.frames()[1] as NonNullable<ReturnType<Page['frames']>[number]>,
    host: () => page.evaluate(() => ({ ...window.host, bridge: undefined })),
    /** Shows a result that a tool may have written. */
    result: (structuredContent: unknown) =>
      page.evaluate(
        (value) =>
          window.host.bridge?.sendToolResult({ content: [], structuredContent: value as Record<string, unknown> }),
        structuredContent,
      ),
  }
}
const ask = (provider: unknown, more: object = {}) => ({ type: 'authorization_required', provider, ...more })

test('an account is connected on the page of the app, and the tool is called again', async ({ page }) => {
  const { card, connect, next, status, host, left, faults } = await open(page, { theme: 'dark' })
  await expect(card).toContainText('Connect GitHub')
  await expect(card).toContainText('You connect it at app.example.com, not here.')
  await expect(page.frameLocator('iframe').locator('html')).toHaveCSS('color-scheme', 'dark')
  await expect(next).toBeHidden()
  await connect.click()
  await expect(status).toHaveText('Continue here when you are back.')
  expect((await host()).opened).toEqual([`${PAGE}?provider=github`])

  // They are back, and have not connected it: the card asks again.
  await next.click()
  await expect.poll(async () => (await host()).told.match(/tool-result/g)).toHaveLength(2)
  await expect(status).toBeEmpty()
  await expect(next).toBeHidden()

  await connect.click()
  isConnected = true
  await next.click()
  await expect(card).toBeHidden()
  const { messages, heights, told } = await host()
  const text = 'I have connected GitHub. Please continue.'
  expect(messages).toEqual([[{ type: 'text', text }], [{ type: 'text', text }]])
  await expect.poll(async () => (await host()).heights.at(-1)).toBe(0)
  expect(Math.max(...heights)).toBeGreaterThan(50)
  // The tool has used the token, and nothing of it came to the card.
  expect(told).toContain('ada has none')
  expect(told).not.toContain(TOKEN)
  expect(left).toEqual(LOADED)
  expect(faults).toEqual([])
})

for (const links of ['refuse', 'cannot'] as const) {
  test(`a host that does not open links (${links}): the card says which page it is`, async ({ page }) => {
    const { connect, next, status, host, left } = await open(page, { links })
    await connect.click()
    await expect(status).toHaveText(`Open this page yourself: ${PAGE}?provider=github`)
    await expect(next).toBeHidden()
    await expect(connect).toBeEnabled()
    expect((await host()).opened).toEqual([])
    expect(left).toEqual(LOADED)
  })
}

test('a result that others have written changes no word and no address', async ({ page }) => {
  const { card, connect, host, result, left, faults } = await open(page)
  const own = await card.innerText()
  const evil = {
    ...{
      url: 'https://evil.example/',
      mode: 'url',
      page: 'javascript:alert(1)',
      id: 'evil',
      name: '<img src=x onerror=alert(1)>',
    },
    ...{
      message: '\u202EEvil <script>alert(1)</script>',
      toolName: '<b>',
      scopes: ['<i>'],
      accountId: 'javascript:alert(1)',
    },
  }
  await result(ask('kaggle', evil))
  await expect(card).toContainText('Connect Kaggle')
  await result(ask('github', evil))
  await expect.poll(() => card.innerText()).toBe(own)
  await connect.click()
  await expect.poll(async () => (await host()).opened).toEqual([`${PAGE}?provider=github`])
  expect(left).toEqual(LOADED)
  expect(faults).toEqual([])
})

test('of what the server does not know, nothing is shown', async ({ page }) => {
  const { card, result, left } = await open(page)
  const unknown = [
    'evil',
    'GitHub',
    'git\u202Ehub',
    '__proto__',
    'constructor',
    'javascript:alert(1)',
    'https://evil.example/',
  ]
  const odd = [null, 7, ['github'], { toString: 'github' }, '', '<b>github</b>']
  const needs = [...unknown, ...odd].map((provider) => ask(provider))
  for (const need of [...needs, { provider: 'github' }, { ...ask('github'), type: 'connect' }, {}]) {
    await result(ask('kaggle'))
    await expect(card).toContainText('Connect Kaggle')
    await result(need)
    await expect(card, JSON.stringify(need)).toBeHidden()
  }
  expect(left).toEqual(LOADED)
})

test('the card hears its host only', async ({ page }) => {
  const { card, connect, next, status, host } = await open(page, { links: 'refuse' })
  const params = { content: [], structuredContent: ask('kaggle') }
  const messages = [
    { jsonrpc: '2.0', method: 'ui/notifications/tool-result', params },
    ...[1, 2, 3].map((id) => ({ jsonrpc: '2.0', id, result: {} })),
  ]
  for (const message of messages) await page.evaluate((one) => window.host.fromOtherFrame(one), message)
  await connect.click()
  await expect(status).toContainText('Open this page yourself')
  await expect(next).toBeHidden()
  await expect(card).not.toContainText('Kaggle')
  expect((await host()).opened).toEqual([])
})

for (const isLax of [undefined, true] as const)
  test(`what got into the card can neither load nor send anything${isLax ? ', by its own policy' : ''}`, async ({
    page,
  }) => {
    const { inside } = await open(page, isLax ? { isLax } : {})
    asked.length = 0
    const outcome = await inside.evaluate(async (target) => {
      const image = new Image()
      const loaded = new Promise((resolve) => {
        image.onload = () => resolve('loaded')
        image.onerror = () => resolve('blocked')
      })
      image.src = `${target}/image`
      const sent = await fetch(`${target}/fetch`, { mode: 'no-cors' }).then(
        () => 'sent',
        () => 'blocked',
      )
      const script = document.createElement('script')
      script.textContent = 'globalThis.isRun = true'
      const remote = document.createElement('script')
      remote.src = `${target}/script`
      const style = document.createElement('style')
      style.textContent = `@import url(${target}/style)`
      const frame = document.createElement('iframe')
      frame.src = `${target}/frame`
      const form = document.createElement('form')
      form.action = `${target}/form`
      document.body.append(script, remote, style, frame, form)
      form.submit()
      return [await loaded, sent, 'isRun' in globalThis, String(window.open(`${target}/window`))]
    }, origin)
    expect(outcome).toEqual(['blocked', 'blocked', false, 'null'])
    // Whatever was under way has come by now.
    await page.evaluate(() => fetch('/last'))
    expect(asked.filter((one) => one !== '/mcp')).toEqual(['/last'])
  })
