import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startSandbox } from '@latchkey/sandbox'
import { test } from '@playwright/test'
import { build } from 'esbuild'
import { card, expect, panel, throughPopup } from './demo.ts'

const root = path.join(import.meta.dirname, '..')
function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

/** The samples of the README. */
function readmeLines(): string {
  const lines = /```tsx\n([\s\S]*?)```/.exec(readFileSync(path.join(root, 'README.md'), 'utf8'))?.[1]
  if (!lines) throw new Error('The README has no tsx example')
  return lines
}

/** Every published entry point with types. A wildcard is one for each of its files, which packing has made. */
function publicEntries(): string[] {
  const folders = path.join(root, 'packages')
  return readdirSync(folders).flatMap((name) => {
    const { publishConfig } = JSON.parse(readFileSync(path.join(folders, name, 'package.json'), 'utf8'))
    return Object.entries<{ types: string }>(publishConfig.exports)
      .filter(([entry]) => !/\.(css|html)$/.test(entry))
      .flatMap(([entry, { types }]) => {
        const [start = '', end] = types.split('*')
        if (end === undefined) return [entry]
        const files = readdirSync(path.join(folders, name, start)).filter((file) => file.endsWith(end))
        return files.map((file) => entry.replace('*', file.slice(0, -end.length)))
      })
      .map((entry) => path.posix.join(`@latchkey/${name}`, entry))
  })
}

/** The packages as they would be published, by name. */
const tarballs: Record<string, string> = {}
const packed = mkdtempSync(path.join(tmpdir(), 'latchkey-packed-'))

test.describe.configure({ mode: 'serial' })

test.beforeAll(() => {
  test.setTimeout(180_000)
  run(root, 'pnpm', '-r', '--filter', './packages/*', 'exec', 'pnpm', 'pack', '--pack-destination', packed)
  for (const file of readdirSync(packed)) {
    tarballs[file.replace(/^latchkey-(\w+)-.*$/, '@latchkey/$1')] = path.join(packed, file)
  }
})

test.afterAll(() => rmSync(packed, { recursive: true, force: true }))

test('packed packages are sound', () => {
  expect(Object.keys(tarballs).sort()).toEqual([
    '@latchkey/core',
    '@latchkey/react',
    '@latchkey/server',
    '@latchkey/spiffe',
  ])
  for (const tarball of Object.values(tarballs)) {
    expect(run(root, 'pnpm', 'exec', 'publint', tarball, '--strict')).toContain('All good!')
    // Fails with the problems found. Style sheets and pages have no types.
    const sheets = ['styles.css', 'styles.unlayered.css', 'oversight.css', 'oversight.unlayered.css', 'shadcn.css']
    const untyped = [...sheets, 'callback.html'].flatMap((entry) => ['--exclude-entrypoints', entry])
    run(root, 'pnpm', 'exec', 'attw', tarball, '--profile', 'esm-only', ...untyped)
  }
})

test('server components can import the package: client code is marked "use client"', () => {
  const folder = path.join(root, 'packages/react')
  const modules = readdirSync(path.join(folder, 'dist'), { recursive: true, encoding: 'utf8' })
  const boundaries = modules.filter((file) => {
    if (!file.endsWith('.js')) return false
    const text = readFileSync(path.join(folder, 'dist', file), 'utf8')
    const client = /^['"]use client['"]/.test(text)
    if (/from ['"](react|react-dom|@radix-ui\/[^'"]+|@tanstack\/react-query)['"]/.test(text))
      expect(client, file).toBe(true)
    return client
  })
  expect(boundaries).toEqual(expect.arrayContaining(['provider.js', path.join('parts', 'context.js')]))

  // Like a bundler for server components: client code is referenced, not loaded.
  const hooks = `
import { registerHooks } from 'node:module'
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    const text = String(loaded.source)
    if (!/^['"]use client['"]/.test(text)) return loaded
    const names = [...text.matchAll(/^export (?:async )?(?:const|function|class) (\\w+)/gm)].map((found) => found[1])
    return { ...loaded, source: names.map((name) => 'export const ' + name + ' = Symbol.for("react.client.reference")').join('\\n') }
  },
})`
  const entries = Object.keys(JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).publishConfig.exports)
  const urls = entries
    .filter((entry) => !entry.endsWith('.css'))
    .map((entry) => path.join(folder, 'dist', `${entry === '.' ? 'index' : entry}.js`))
  const script = `for (const file of ${JSON.stringify(urls)}) console.log(Object.keys(await import(file)).join())`
  const printed = run(
    folder,
    'node',
    '--conditions=react-server',
    '--import',
    `data:text/javascript,${encodeURIComponent(hooks)}`,
    '--input-type=module',
    '--eval',
    script,
  )
  expect(printed).toContain('ConnectedAccounts')
  expect(printed).toContain('createFakeClient')
})

test('packed packages install into an empty app with the README’s lines, type-check, build and connect', async ({
  page,
}) => {
  test.setTimeout(600_000)
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-app-'))
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const sandbox = await startSandbox({ appOrigins: [origin] })
  let server: ReturnType<typeof spawn> | undefined
  try {
    const catalog = readFileSync(path.join(root, 'pnpm-workspace.yaml'), 'utf8')
    const version = (name: string) => {
      const found = new RegExp(`^ {2}'?${name}'?: (\\S+)$`, 'm').exec(catalog)?.[1]
      if (!found) throw new Error(`${name} is not in the catalog`)
      return found
    }
    const versions = (...names: string[]) => Object.fromEntries(names.map((name) => [name, version(name)]))
    const packages = Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`]))
    const files = {
      'package.json': JSON.stringify({
        private: true,
        type: 'module',
        dependencies: {
          ...packages,
          ...versions('react', 'react-dom', '@tanstack/react-query', 'hono', '@hono/node-server'),
        },
        devDependencies: {
          ...versions('vite', '@vitejs/plugin-react', '@types/node', '@types/react', '@types/react-dom'),
          'typescript-6': version('typescript'),
          'typescript-7': version('typescript-7'),
        },
      }),
      // Outside of the workspace, with tarballs in place of versions that are not published yet.
      'pnpm-workspace.yaml': `packages: []\nallowBuilds: { protobufjs: false }\noverrides: ${JSON.stringify({ ...packages, rolldown: version('rolldown') })}\n`,
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          strict: true,
          target: 'es2022',
          lib: ['es2022', 'dom'],
          module: 'esnext',
          moduleResolution: 'bundler',
          jsx: 'react-jsx',
          types: ['vite/client'],
          noEmit: true,
        },
        include: ['src'],
      }),
      'types/tsconfig.json': JSON.stringify({
        compilerOptions: {
          strict: true,
          skipLibCheck: false,
          target: 'es2024',
          lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable'],
          module: 'nodenext',
          types: ['node'],
          noEmit: true,
        },
        include: ['.'],
      }),
      'types/entries.ts': publicEntries()
        .map((entry, at) => `export * as e${at} from '${entry}'`)
        .join('\n'),
      'index.html': '<!doctype html><div id="root"></div><script type="module" src="/src/main.tsx"></script>',
      'src/main.tsx': readmeLines()
        .replace('github()', `github({ baseUrl: '${sandbox.github.url}' })`)
        .replace('gmail()', `gmail({ baseUrl: '${sandbox.google.url}' })`)
        .replace('kaggle()', `kaggle({ baseUrl: '${sandbox.kaggle.url}' })`),
      'server.mjs': `
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { github } from '@latchkey/core/providers'
import { createBroker } from '@latchkey/server'
import { Hono } from 'hono'
const broker = createBroker({
  providers: [github({ baseUrl: '${sandbox.github.url}' })],
  clients: { github: ${JSON.stringify(sandbox.github.client)} },
  authenticate: () => 'somebody',
  allowedOrigins: ['${origin}'],
})
const app = new Hono()
app.all('/api/latchkey/*', (c) => broker(c.req.raw))
app.use('*', serveStatic({ root: './dist' }))
serve({ fetch: app.fetch, port: ${port} }, () => console.log('ready'))
`,
    }
    mkdirSync(path.join(folder, 'src'))
    mkdirSync(path.join(folder, 'types'))
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text)
    run(folder, 'pnpm', 'install', '--no-frozen-lockfile')
    // Every run uses one compiler; `npm run test:all` uses both.
    for (const compiler of process.env.TEST_ALL ? ['typescript-7', 'typescript-6'] : ['typescript-7']) {
      const bin = path.join(folder, 'node_modules', compiler, 'bin')
      const tsc = readdirSync(bin).find((name) => /^tsc6?(\.js)?$/.test(name)) ?? ''
      for (const project of ['.', 'types']) run(folder, 'node', path.join(bin, tsc), '-p', project)
    }
    run(folder, 'pnpm', 'exec', 'vite', 'build')

    // A browser bundle of everything public fails on the first node: import.
    const entries = [
      '@latchkey/core',
      '@latchkey/core/providers',
      '@latchkey/core/runtimes/ai-sdk',
      '@latchkey/core/token',
      '@latchkey/react',
      '@latchkey/react/testing',
    ]
    const bundle = await build({
      stdin: {
        contents: entries.map((entry, at) => `export * as e${at} from '${entry}'`).join('\n'),
        resolveDir: folder,
      },
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      external: ['react', 'react-dom', '@tanstack/react-query'],
      metafile: true,
      logLevel: 'silent',
    })
    const reached = Object.values(bundle.metafile.outputs).flatMap(({ imports }) => imports.map((found) => found.path))
    expect(reached.filter((name) => name.startsWith('node:'))).toEqual([])

    server = spawn(process.execPath, ['server.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => server?.stdout?.once('data', resolve))
    await page.goto(origin)
    await throughPopup(page, () => panel(page).getByRole('button', { name: 'Connect GitHub' }).click(), 'Mona Lisa')
    await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')
    await expect(card(page, 'github')).toContainText('Connected as mona')
    await page.reload()
    await expect(card(page, 'github')).toHaveAttribute('data-status', 'connected')
  } finally {
    server?.kill()
    await sandbox.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
