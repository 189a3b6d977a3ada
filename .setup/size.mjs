// `npm run size`: minified + gzip bytes that a browser downloads, peers external: at first load; then by itself, while
// nobody touches the page; in all. Bundled from source by Vite, as most apps do it. What loads by itself is seen in a
// browser. Writes the figures to `packages/{core,react}/size.txt`. With `--check [FILTER]`: writes nothing, and fails if a
// figure is more than 1 % above the file's, or above a goal that the file's figure has met. `--files` prints the chunks.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { chromium } from '@playwright/test'
import { transformSync } from 'esbuild'
import { build } from 'vite'
import { launchOptions } from './browser.mjs'

const root = path.join(import.meta.dirname, '..')
const external = ['react', 'react-dom', 'react/jsx-runtime', '@tanstack/react-query']
const from = (file) => path.join(root, 'packages', file)

/** The most bytes at first load that an entry may have, once its committed figure is that small. */
const goals = {
  ...{ 'headless + hooks': 6000, 'panel (with the above)': 15_000, 'styles.css': 5000 },
  ...Object.fromEntries(
    [
      'for all',
      'any fetch',
      'AI SDK',
      'LangGraph',
      'AG-UI',
      'ACP',
      'A2A',
      'ADK',
      'MCP',
      'TanStack AI',
      'other vaults',
    ].map((name) => [`core/runtimes: ${name}`, 1500]),
  ),
}

const entries = {
  'core: connect path': `export { createLatchkey } from '${from('core/src/index.ts')}'`,
  'core + 3 providers': `export { createLatchkey } from '${from('core/src/index.ts')}'
export { github, gmail, kaggle } from '${from('core/src/providers/index.ts')}'`,
  'headless + hooks': `export { LatchkeyProvider, useLatchkey, useAccounts, useAccount, useConnect, useDisconnect, useToken, useIdentities, useAgentAccounts } from '${from('react/src/index.ts')}'`,
  // The protocol alone, as the two entries after it have it: discovery, registration, challenges, auth providers.
  'core/mcp': `export * from '${from('core/src/mcp/index.ts')}'`,
  'core/mcp + connect path': `export { createLatchkey } from '${from('core/src/index.ts')}'
export { mcpServers, mcpFetch } from '${from('core/src/mcp/index.ts')}'`,
  'use-mcp': `export * from 'use-mcp'`,
  'MCP SDK 1.x client/auth': `export * from '@modelcontextprotocol/sdk/client/auth.js'`,
  'core/runtimes: AI SDK': `export * from '${from('core/src/runtimes/ai-sdk.ts')}'`,
  'core/runtimes: any fetch': `export * from '${from('core/src/runtimes/fetch.ts')}'`,
  'core/runtimes: for all': `export * from '${from('core/src/runtimes/requests.ts')}'`,
  'core/runtimes: TanStack AI': `export * from '${from('core/src/runtimes/tanstack-ai.ts')}'`,
  'core/runtimes: LangGraph': `export * from '${from('core/src/runtimes/langgraph.ts')}'`,
  'core/runtimes: AG-UI': `export * from '${from('core/src/runtimes/ag-ui.ts')}'`,
  'core/runtimes: ACP': `export * from '${from('core/src/runtimes/acp.ts')}'`,
  'core/runtimes: A2A': `export * from '${from('core/src/runtimes/a2a.ts')}'`,
  'core/runtimes: ADK': `export * from '${from('core/src/runtimes/adk.ts')}'`,
  'core/runtimes: MCP': `export * from '${from('core/src/runtimes/mcp-client.ts')}'`,
  'core/runtimes: other vaults': `export { ownerOf, readForeignRequest } from '${from('core/src/runtimes/foreign.ts')}'`,
  'agents (with a provider)': `export * from '${from('react/src/agents.ts')}'
export { LatchkeyProvider } from '${from('react/src/index.ts')}'`,
  'panel (with the above)': `export { LatchkeyProvider, ConnectedAccounts } from '${from('react/src/index.ts')}'`,
}

const client = `createLatchkey({ providers: [github(), gmail(), kaggle()], broker: '/api/latchkey' })`
const imports = `import { createLatchkey } from '${from('core/src/index.ts')}'
import { github, gmail, kaggle } from '${from('core/src/providers/index.ts')}'`
const rendered = (element) => `${imports}
import { createElement as h } from 'react'
import { createRoot } from 'react-dom/client'
import { ConnectedAccounts, LatchkeyProvider, useAccounts, useConnect } from '${from('react/src/index.ts')}'
const Headless = () => h('button', { onClick: useConnect('github').connect }, useAccounts().length)
createRoot(document.body.appendChild(document.createElement('div'))).render(
  h(LatchkeyProvider, { client: ${client} }, h(${element})))`
/** An account in the vault, as the page kept it. The broker of the pages below says it is called Ada by now. */
const vaulted = {
  ...{ id: `github.${'a'.repeat(22)}`, provider: 'github', issuer: 'https://github.com/login/oauth', subject: '1' },
  ...{ label: 'ada', scopes: [], missingScopes: [], status: 'connected', renewable: true, custody: 'vault' },
  ...{ connectedAt: 1, rev: 1 },
}
const token = { access_token: 'at', token_type: 'bearer', expires_in: 3600, issuer: vaulted.issuer }
/** What the broker of a page answers. */
const answers = {
  providers: { providers: ['github', 'gmail', 'kaggle'].map((id) => ({ id, client_id: 'app', mode: 'mediate' })) },
  token: { token, profile: { subject: '1', username: 'ada' } },
  accounts: { accounts: [{ ...vaulted, label: 'Ada', rev: 2 }] },
}
/** Pages that have an entry and are left alone: what a visitor without accounts downloads. */
const pages = {
  'core + 3 providers': `${imports}
${client}.mount()`,
  'headless + hooks': rendered('Headless'),
  'panel (with the above)': rendered('ConnectedAccounts'),
  'core: first connect through a broker': `${imports}
globalThis.open = () => ({
  document: { body: {} }, focus() {}, close() {},
  location: {
    replace(url) {
      const state = new URL(url).searchParams.get('state')
      const channel = new BroadcastChannel('latchkey:flow:' + state)
      const again = setInterval(() => channel.postMessage({ query: '?code=c&state=' + state }), 50)
      channel.onmessage = () => clearInterval(again)
    },
  },
})
const client = ${client}
client.mount()
globalThis.ended = client.connect('github').then(({ status }) => status)`,
  'core: vault custody, page start': `${imports}
localStorage.setItem('latchkey:${vaulted.id}', JSON.stringify({ v: 1, account: ${JSON.stringify(vaulted)} }))
const client = ${client}
client.mount()
globalThis.ended = new Promise((resolve) => {
  const look = () => client.getSnapshot().accounts['${vaulted.id}']?.label === 'Ada' && resolve('synced')
  client.subscribe(look)
})`,
}
/** Entries that load no oauth4webapi, and how each ends. */
const withoutOAuth = {
  'core: first connect through a broker': 'connected',
  'core: vault custody, page start': 'synced',
}

/** Whose `size.txt` has an entry; what others made is only printed, for comparison. */
const owner = (name) => {
  if (/^(use-mcp|MCP SDK)/.test(name)) return undefined
  return name.startsWith('core') ? 'core' : 'react'
}
const [check, files] = ['--check', '--files'].map((flag) => process.argv.includes(flag))
const filter = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const chosen = (name) => filter.length === 0 || filter.some((part) => name.includes(part))

/** What an adapter shares with others. */
const shared = ['runtimes/requests.ts', 'runtimes/foreign.ts', 'identities.ts', 'json.ts', 'errors.ts'].map((file) =>
  from(`core/src/${file}`),
)

const kb = (bytes) => `${(bytes / 1000).toFixed(2).padStart(6)} kB`
const gzip = (text) => gzipSync(text, { level: 9 }).length

/** The chunks of a bundle of `code`, and the names of those that load first. */
async function bundled(code, external) {
  const { output } = await build({
    configFile: false,
    root,
    logLevel: 'error',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'virtual:entry' ? id : undefined),
        load: (id) => (id === 'virtual:entry' ? code : undefined),
      },
    ],
    build: {
      write: false,
      modulePreload: false,
      // The entry of an app exports nothing, so what its lazy chunks share with it stays in it.
      rollupOptions: { input: 'virtual:entry', preserveEntrySignatures: 'allow-extension', external },
    },
  })
  const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((chunk) => [chunk.fileName, chunk]))
  const first = new Set()
  const visit = (file) => {
    if (first.has(file) || !chunks.has(file)) return
    first.add(file)
    chunks.get(file).imports.forEach(visit)
  }
  for (const { isEntry, fileName } of chunks.values()) if (isEntry) visit(fileName)
  return { chunks, first }
}

const sum = (chunks, names) => [...names].reduce((total, file) => total + gzip(chunks.get(file).code), 0)

let browser
/** Bytes that the page of an entry fetches after its first load, until it asks for nothing more. */
async function byItself(name) {
  const code = pages[name]
  if (!code) return 0
  const { chunks, first } = await bundled(code, [])
  browser ??= await chromium.launch(launchOptions)
  const page = await browser.newPage()
  const [entry] = first
  const asked = new Set()
  const errors = []
  page.on('pageerror', (error) => errors.push(error))
  await page.route('**/*', (route) => {
    const file = new URL(route.request().url()).pathname.slice(1)
    if (!file)
      return route.fulfill({ contentType: 'text/html', body: `<script type="module" src="/${entry}"></script>` })
    const answer = answers[file.replace('api/latchkey/', '')]
    if (answer) return route.fulfill({ json: answer })
    if (!chunks.has(file)) return route.fulfill({ status: 404 })
    asked.add(file)
    return route.fulfill({ contentType: 'text/javascript', body: chunks.get(file).code })
  })
  await page.goto('https://app.test/', { waitUntil: 'networkidle' })
  const ended = await page.evaluate(() => globalThis.ended)
  await page.close()
  if (ended !== withoutOAuth[name]) throw new Error(`${name}: ${ended} where ${withoutOAuth[name]} was expected.`)
  const isOAuth = (file) => Object.keys(chunks.get(file).modules).some((id) => id.includes('/oauth4webapi/'))
  if (ended && [...asked].some(isOAuth)) throw new Error(`${name}: the page loads oauth4webapi.`)
  if (errors.length > 0 || !asked.has(entry)) throw new AggregateError(errors, 'The page that is measured does not run')
  return sum(
    chunks,
    [...asked].filter((file) => !first.has(file)),
  )
}

const measured = new Map()
for (const name in withoutOAuth) entries[name] = pages[name]
for (const [name, code] of Object.entries(entries).filter(([name]) => chosen(name))) {
  // An adapter is measured beside what all of them share, which has figures of its own, and what every page with a client has.
  const beside = name.startsWith('core/runtimes') && !/all|vaults$/.test(name) ? shared : []
  const { chunks, first } = await bundled(code, [...external, ...beside])
  measured.set(name, [sum(chunks, first), await byItself(name), sum(chunks, chunks.keys())])
  if (!files) continue
  console.log(name)
  for (const { fileName, code: text, modules } of chunks.values()) {
    console.log(`    ${first.has(fileName) ? 'now  ' : 'later'} ${kb(gzip(text))} ${path.basename(fileName)}`)
    const largest = Object.entries(modules).sort(([, a], [, b]) => b.renderedLength - a.renderedLength)
    for (const [id, { renderedLength }] of largest.slice(0, 12)) {
      console.log(`          ${kb(renderedLength)} ${path.relative(root, id)}, not minified`)
    }
  }
}
await browser?.close()
for (const sheet of ['styles.css', 'oversight.css'].filter(chosen)) {
  const css = readFileSync(from(`react/src/${sheet}`), 'utf8')
  const bytes = gzip(transformSync(css, { loader: 'css', minify: true }).code)
  measured.set(sheet, [bytes, 0, bytes])
}
if (measured.size === 0)
  throw new Error(`No entry is called ${filter.join(' or ')}: ${Object.keys(entries).join(', ')}`)

const columns = ['first load', 'by itself', 'in all']
console.log(`${''.padEnd(36)} ${columns.map((column) => column.padStart(10)).join(' ')}`)
for (const [name, figures] of measured) {
  console.log(`${name.padEnd(36)} ${figures.map((bytes) => kb(bytes).padStart(10)).join(' ')}`)
}

const heading =
  'Bytes, minified and gzipped: at first load, then by itself while nobody acts, in all. Written by `npm run size`.'
for (const folder of ['core', 'react']) {
  const file = from(`${folder}/size.txt`)
  const own = [...measured].filter(([name]) => owner(name) === folder)
  if (!check) {
    if (filter.length > 0) continue
    const lines = own.map(
      ([name, figures]) => `${name.padEnd(36)} ${figures.map((bytes) => String(bytes).padStart(6)).join(' ')}`,
    )
    writeFileSync(file, `${[heading, ...lines].join('\n')}\n`)
    continue
  }
  const committed = new Map(
    [...readFileSync(file, 'utf8').matchAll(/^(.+?) +(\d+) +(\d+) +(\d+)$/gm)].map(([, name, ...figures]) => [
      name,
      figures.map(Number),
    ]),
  )
  for (const [name, figures] of own) {
    const known = committed.get(name)
    for (const [at, column] of columns.entries()) {
      const allowed = known && Math.floor(known[at] * 1.01)
      const goal = at === 0 && known?.[0] <= goals[name] ? goals[name] : Number.POSITIVE_INFINITY
      if (figures[at] <= Math.min(allowed ?? -1, goal)) continue
      process.exitCode = 1
      const limit = known ? `more than the ${Math.min(allowed, goal)} allowed` : `not in packages/${folder}/size.txt`
      console.error(
        `${name}: ${figures[at]} bytes ${column}, ${limit}. Make it smaller, or commit what \`npm run size\` writes.`,
      )
    }
  }
  const gone = filter.length > 0 ? [] : [...committed.keys()].filter((name) => !measured.has(name))
  if (gone.length > 0) throw new Error(`packages/${folder}/size.txt has what is not measured: ${gone.join(', ')}`)
}
