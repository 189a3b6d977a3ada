// The panel from a server: streamed HTML, hydrated in a browser that has an account, on every React that is supported.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { transformAsync } from '@babel/core'
import { expect, type Page, test } from '@playwright/test'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import type { Seen } from './rendering/observe.ts'

declare const seen: Seen

const here = path.join(import.meta.dirname, 'rendering')
const styles = readFileSync(path.join(import.meta.dirname, '../packages/react/src/styles.css'), 'utf8')
const oneReact = /^(react|react-dom|@radix-ui\/[\w-]+|@tanstack\/react-query)(\/|$)/

/** React 18.3, and what our packages use that is made for one React, from the package that has them. */
const react18: Plugin = {
  name: 'react-18',
  setup(bundle) {
    bundle.onResolve({ filter: oneReact }, ({ path: name, kind, importer, pluginData }) => {
      if (pluginData === 'asked' || importer.includes('node_modules')) return
      return bundle.resolve(name, { resolveDir: path.join(import.meta.dirname, 'react-18'), kind, pluginData: 'asked' })
    })
  },
}

/** The package's sources, compiled by React Compiler. */
const compiled: Plugin = {
  name: 'compiled',
  setup(bundle) {
    bundle.onLoad({ filter: /packages[\\/]react[\\/]src[\\/].+\.tsx?$/ }, async ({ path: file }) => {
      const result = await transformAsync(readFileSync(file, 'utf8'), {
        filename: file,
        babelrc: false,
        configFile: false,
        parserOpts: { plugins: ['typescript', 'jsx'] },
        plugins: [['babel-plugin-react-compiler', { target: '19', panicThreshold: 'critical_errors' }]],
      })
      return { contents: result?.code ?? '', loader: 'tsx' }
    })
  },
}

/** A bundle of `entry` as development sees it, where React complains of what does not match. */
async function bundled(entry: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(here, entry)],
    bundle: true,
    write: false,
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'error',
    ...options,
  })
  return outputFiles?.[0]?.text ?? ''
}

type Respond = (pathname: string, response: ServerResponse, css: string) => void

for (const [name, version, plugins] of [
  ['React 19', '19.', []],
  ['React 18.3', '18.3.', [react18]],
  ['React 19 and its compiler', '19.', [compiled]],
] as [string, string, Plugin[]][]) {
  test.describe(name, () => {
    let server: Server
    let origin: string
    let folderOfServer: string

    test.beforeAll(async () => {
      const [forServer, client, observe] = await Promise.all([
        bundled('server.tsx', { plugins, platform: 'node', format: 'cjs' }),
        bundled('client.tsx', { plugins, platform: 'browser', format: 'esm' }),
        bundled('observe.ts', { platform: 'browser', format: 'iife' }),
      ])
      expect(client.includes('react/compiler-runtime')).toBe(plugins.includes(compiled))
      folderOfServer = mkdtempSync(path.join(tmpdir(), 'latchkey-rendering-'))
      const file = path.join(folderOfServer, 'server.cjs')
      writeFileSync(file, forServer)
      const { respond } = createRequire(import.meta.url)(file) as { respond: Respond }
      const scripts: Record<string, string> = { '/client.js': client, '/observe.js': observe }
      server = createServer((request, response) => {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost')
        const script = scripts[pathname]
        if (script !== undefined) response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
        else if (pathname.startsWith('/api/')) response.writeHead(404).end()
        else respond(pathname, response, styles)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })

    test.afterAll(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folderOfServer, { recursive: true, force: true })
    })

    for (const pathname of ['/strict', '/loose', '/streamed']) {
      test(`${pathname}: an account in storage hydrates into its card, and nothing moves`, async ({ page }) => {
        const complaints: string[] = []
        page.on('console', (message) => {
          if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
        })
        page.on('pageerror', (error) => complaints.push(String(error)))
        const url = origin + pathname

        // The first visit stores accounts, the second shows them, and the third is tested.
        await page.goto(url)
        await leaveAccounts(page)
        await page.reload()
        await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')
        await page.evaluate(() => document.fonts.ready)

        let load: () => void = () => {}
        const loaded = new Promise<void>((resolve) => {
          load = resolve
        })
        await page.route('**/client.js', async (route) => {
          await loaded
          await route.continue()
        })
        await page.reload({ waitUntil: 'commit' })
        expect(await page.title()).toContain(`React ${version}`)
        await expect(card(page, 'kaggle')).toHaveAttribute('data-status', 'loading')
        expect(await page.locator('#root').innerHTML()).not.toMatch(/octocat|CANARY/)
        const before = await boxes(page)
        load()
        await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')
        await expect(card(page, 'github')).toContainText('octocat')
        await expect(page.getByText('Encrypted and stored in this browser')).toBeVisible()
        expect(await boxes(page)).toEqual(before)
        // Layout shifts are reported after the next frame.
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))))
        const { shifts, words, recovered } = await page.evaluate(() => seen)
        expect(shifts).toEqual([])
        expect(words).toEqual({
          github: ['loading', 'connected'],
          gmail: ['loading', 'disconnected'],
          kaggle: ['loading', 'connected'],
        })
        expect(recovered).toEqual([])
        expect(complaints).toEqual([])

        // The panel reacts to a click.
        await page.getByRole('button', { name: 'More options for Kaggle' }).click()
        await page.getByRole('menuitem', { name: 'Disconnect Kaggle' }).click()
        await expect(page.getByRole('dialog', { name: /^Disconnect .* from Kaggle\?$/ })).toBeVisible()
      })
    }
  })
}

const card = (page: Page, provider: string) => page.locator(`article[data-provider=${provider}]`)

/** Where the panel is, its cards, and what stands below it. */
const boxes = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.latchkey-panel, .latchkey-card, .latchkey-foot, #below')].map((element) => {
      const { x, y, width, height } = element.getBoundingClientRect()
      return { element: element.className || element.id, x, y, width, height }
    }),
  )

/** The storage of an earlier visit: two accounts, one of them with a picture. */
async function leaveAccounts(page: Page): Promise<void> {
  await page.evaluate(() => {
    const common = { scopes: [], missingScopes: [], status: 'connected', renewable: false, connectedAt: Date.now() }
    const accounts = [
      {
        id: `github.${'a'.repeat(22)}`,
        provider: 'github',
        issuer: 'https://github.com/login/oauth',
        subject: '1',
        label: 'octocat',
        username: 'octocat',
        name: 'The Octocat',
        avatar: 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7',
        ...common,
        scopes: ['read:user', 'user:email'],
        rev: 1,
      },
      {
        id: `kaggle.${'b'.repeat(22)}`,
        provider: 'kaggle',
        issuer: 'https://www.kaggle.com',
        subject: 'ada',
        label: 'ada',
        username: 'ada',
        ...common,
        rev: 1,
      },
    ]
    for (const account of accounts) {
      localStorage.setItem(`latchkey:${account.id}`, JSON.stringify({ v: 1, account, sealed: 'CANARY_SEALED' }))
    }
  })
}
