// Security cases F, 94-103: Leaks. A release waits for 94-97.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import react from '@vitejs/plugin-react'
import { build } from 'vite'
import {
  addresses,
  backDoor,
  card,
  closing,
  connectGitHub,
  connectGmail,
  connectKaggle,
  conversation,
  disconnect,
  expect,
  expectConnected,
  kaggleCredentials,
  open,
  panel,
  say,
  test,
  untilOver,
} from './demo.ts'
import { type Leak, listenTo, plant, walk } from './leaks.ts'

const root = path.join(import.meta.dirname, '..')
const files = (folder: string, pattern: RegExp) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file) && !/(^|\/)(node_modules|dist)\//.test(file))
    .map((file) => path.join(folder, file))
const text = (file: string) => readFileSync(path.join(root, file), 'utf8')

/** The demo's client as in production. */
const dist = path.join(tmpdir(), `latchkey-dist-${process.pid}`)
let building: Promise<unknown> | undefined
const built = () => {
  building ??= build({
    root: path.join(root, 'apps/demo'),
    configFile: false,
    logLevel: 'error',
    plugins: [react()],
    build: { outDir: dist, emptyOutDir: true },
  })
  return building
}
test.afterAll(() => rmSync(dist, { recursive: true, force: true }))

test('case 50: every link to a new tab has noopener and noreferrer, and key pages are constants', () => {
  const sources = [...files('packages', /\.(tsx|ts|html)$/), ...files('apps', /\.(tsx|ts|html)$/)]
  expect(sources.length).toBeGreaterThan(50)
  let links = 0
  for (const file of sources.filter((name) => !/\.(test|stories)\./.test(name))) {
    for (const { 0: tag } of text(file).matchAll(/<\w+\b(?:[^<>]|=>)*\btarget=[{'"]+_blank[^<]*?>/g)) {
      links++
      expect(tag, file).toMatch(/rel="noopener noreferrer"/)
    }
  }
  expect(links).toBeGreaterThan(1)
  // No script opens a link, except the flow's own window.
  const opening = sources.filter(
    (file) => !/\.(test|stories)\./.test(file) && /\bopen\((?!\))[^)]*_blank/.test(text(file)),
  )
  expect(opening).toEqual(['packages/core/src/connect/window.ts'])
  for (const file of files('packages/core/src/providers', /(?<!\.test)\.ts$/)) {
    for (const { 1: value } of text(file).matchAll(/^\s*keyUrl: (.*),$/gm))
      expect(value, file).toMatch(/^'https:\/\/[^$]+'$/)
  }
})

test.describe('after a whole session', () => {
  test.describe.configure({ mode: 'serial' })

  let context: BrowserContext
  let page: Page
  let said: string[]
  const secrets = new Set<string>()
  const leaks: Leak[] = []

  test.afterAll(() => context?.close())

  test('the walker finds a canary in every place it searches', async ({ page }) => {
    const said = listenTo(page)
    await open(page)
    const places = await plant(page, 'CANARY_PLANTED')
    await expect.poll(() => said.join()).toContain('CANARY_PLANTED')
    const found = new Set((await walk(page, ['CANARY_PLANTED'], said)).map(({ place }) => place))
    expect([...found].sort()).toEqual([...places].sort())
  })

  test('a whole session is walked', async ({ browser }) => {
    test.setTimeout(180_000)
    context = await browser.newContext()
    page = await context.newPage()
    said = listenTo(page)
    await context.route('**/api/latchkey/token', async (route) => {
      const sent = route.request().postDataJSON() as Record<string, string>
      const code = new URLSearchParams(sent.response).get('code')
      for (const secret of [code, sent.code_verifier, sent.refresh_token]) if (secret) secrets.add(secret)
      const response = await route.fetch()
      const { token } = (await response.json()) as { token?: { access_token: string; refresh_token?: string } }
      for (const secret of [token?.access_token, token?.refresh_token]) if (secret) secrets.add(secret)
      await route.fulfill({ response })
    })
    const credentials = await kaggleCredentials()
    secrets.add(credentials.token)
    const walkNow = async () => leaks.push(...(await walk(page, [...secrets], said)))

    await open(page)
    // A refused flow, and a refused key.
    const [refused] = await Promise.all([
      page.waitForEvent('popup'),
      panel(page).getByRole('button', { name: 'Connect GitHub' }).click(),
    ])
    await closing(refused, refused.getByRole('button', { name: 'Cancel' }))
    await expect(card(page, 'github')).toContainText('You declined access')
    await connectGitHub(page)
    await backDoor('google', 'access-ttl', { seconds: 1 })
    await connectGmail(page)
    await backDoor('google', 'access-ttl', { seconds: 3599 })
    await connectKaggle(page, credentials.token)
    await walkNow()

    await say(page, 'List my repositories')
    await expect(conversation(page)).toContainText('octocat/')
    await untilOver(1)
    // This one is refreshed first.
    await say(page, 'Search my mail for invoices')
    await expect(conversation(page)).toContainText(/invoice/i)
    await say(page, 'List my datasets')
    await expect(conversation(page)).toContainText('adalovelace/')
    await walkNow()

    await page.reload()
    await expectConnected(page, 'github', 'gmail', 'kaggle')
    await backDoor('github', 'reset', {})
    await say(page, 'List my repositories')
    await expect(conversation(page).getByRole('button', { name: 'Reconnect GitHub' })).toBeVisible()
    await disconnect(page, 'Gmail')
    await expect(card(page, 'gmail')).toHaveAttribute('data-status', 'disconnected')
    await walkNow()
    // Codes, verifiers, access tokens of three answers, a refresh token and a key.
    expect(secrets.size).toBeGreaterThanOrEqual(9)
  })

  const inPlaces = (...places: string[]) => leaks.filter(({ place }) => places.includes(place))

  test('case 95: no secret is written to the console, by the page or its windows', () => {
    expect(secrets.size).toBeGreaterThan(0)
    expect(inPlaces('console')).toEqual([])
  })

  test('case 96: no secret is in the React tree or in the document', () => {
    expect(secrets.size).toBeGreaterThan(0)
    expect(inPlaces('tree', 'document')).toEqual([])
  })

  test('case 97: no secret is in the store or in the query cache', () => {
    expect(secrets.size).toBeGreaterThan(0)
    expect(inPlaces('store', 'query cache')).toEqual([])
  })

  test('no secret is anywhere else: URLs, history, storage, caches, cookies', () => {
    expect(leaks).toEqual([])
  })
})

test('case 98: a key leaves the form when it is saved, and no browser is asked to remember it', async ({ page }) => {
  const { token } = await kaggleCredentials()
  await open(page)
  await panel(page).getByRole('button', { name: 'Connect Kaggle' }).click()
  const field = page.getByLabel('Kaggle API key')
  await expect(field).toHaveAttribute('type', 'password')
  await expect(field).toHaveAttribute('autocomplete', 'off')
  await expect(page.locator('form').filter({ has: field })).toHaveAttribute('autocomplete', 'off')
  const node = await field.elementHandle()
  await field.fill(token)
  expect((await walk(page, [token])).map(({ place }) => place)).toEqual(['document'])
  await page.keyboard.press('Enter')
  await expectConnected(page, 'kaggle')
  await expect(field).toHaveCount(0)
  expect(await walk(page, [token])).toEqual([])
  // Nor in the removed field.
  expect(await node?.evaluate((input) => (input as HTMLInputElement).value)).toBe('')
})

test('case 99: no secret, and nothing that looks like one, is in the files that the demo serves', async () => {
  test.slow()
  await built()
  const output = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.(js|css|html|map)$/.test(file),
  )
  expect(output.length).toBeGreaterThan(2)
  const shapes: Record<string, RegExp> = {
    // The names of authentication methods are no secrets.
    'a client secret': /client_?secret(?!_(?:post|basic|jwt)\b)["']?\s*[:=]\s*["'`]/i,
    'a secret of the environment': /VITE_\w*(?:SECRET|TOKEN|KEY)/,
    'a GitHub token': /\b(?:gh[oprsu]_\w{20}|github_pat_\w{20})/,
    'a Google secret': /GOCSPX-|AIza[\w-]{35}|ya29\.[\w-]{20}/,
    'a Kaggle key': /KGAT_[0-9a-f]{16}/i,
    'a model key': /\bsk-(?:ant-|proj-)?[\w-]{20}/,
    'a cloud key': /\bAKIA[0-9A-Z]{16}\b/,
    'a Slack token': /\bxox[abprs]-\w{8}/,
    'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY/,
    'a secret of the sandbox': /sandbox-\w+-secret/,
  }
  for (const file of output) {
    const content = readFileSync(path.join(dist, file), 'utf8')
    for (const [name, shape] of Object.entries(shapes))
      expect(shape.exec(content)?.[0], `${name} in ${file}`).toBeUndefined()
  }
  // The patterns match real tokens.
  expect(shapes['a client secret']?.test('{client_secret:"x"}')).toBe(true)
  expect(shapes['a client secret']?.test('token_endpoint_auth_method:"client_secret_post"')).toBe(false)
})

test('case 103: connecting works under a strict Content Security Policy with Trusted Types', async ({ page }) => {
  test.slow()
  await built()
  const violations: string[] = []
  await page.exposeFunction('violated', (what: string) => violations.push(what))
  await page.addInitScript(() => {
    document.addEventListener(
      'securitypolicyviolation',
      ({ violatedDirective, blockedURI, sample, sourceFile, columnNumber }) => {
        ;(window as unknown as { violated(what: string): void }).violated(
          `${violatedDirective} ${blockedURI} ${sample} ${sourceFile}:${columnNumber}`,
        )
      },
    )
  })
  await page.route(`${addresses.app}/**`, (route) => {
    const { pathname } = new URL(route.request().url())
    if (pathname.startsWith('/api/')) return route.continue()
    const policy = "script-src 'self'; require-trusted-types-for 'script'"
    return route.fulfill({
      path: path.join(dist, pathname === '/' ? 'index.html' : pathname),
      headers: { 'content-security-policy': policy },
    })
  })
  await open(page)
  await connectGitHub(page)
  await connectKaggle(page)
  await say(page, 'List my repositories')
  await expect(conversation(page)).toContainText('octocat/')
  await page.reload()
  await expectConnected(page, 'github', 'kaggle')
  await disconnect(page, 'GitHub')
  await expect(card(page, 'github')).toHaveAttribute('data-status', 'disconnected')
  expect(violations).toEqual([])
  // The policy is active.
  await page.evaluate(() => {
    try {
      document.body.innerHTML = 'x'
    } catch {}
  })
  await expect.poll(() => violations.length).toBe(1)
})
