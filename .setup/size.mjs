// `npm run size`: minified + gzip bytes that a browser downloads, peers external, before the first intent (hover, focus
// or click on Connect) and in all. Bundled from source by Vite, as most apps do it. Writes the figures to
// `packages/{core,react}/size.txt`. With `--check [FILTER]`: writes nothing, and fails if a figure is more than 1 % above
// the file's, or above a goal that the file's figure has met. `--files` prints the chunks.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { transformSync } from 'esbuild'
import { build } from 'vite'

const root = path.join(import.meta.dirname, '..')
const external = ['react', 'react-dom', 'react/jsx-runtime', '@tanstack/react-query']
const from = (file) => path.join(root, 'packages', file)

/** The most bytes before intent that an entry may have, once its committed figure is that small. */
const goals = { 'headless + hooks': 6000, 'panel (with the above)': 15_000, 'styles.css': 5000 }

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
  'panel (with the above)': `export { LatchkeyProvider, ConnectedAccounts } from '${from('react/src/index.ts')}'`,
}

/** Whose `size.txt` has an entry; what others made is only printed, for comparison. */
const owner = (name) => {
  if (/^(use-mcp|MCP SDK)/.test(name)) return undefined
  return name.startsWith('core') ? 'core' : 'react'
}
const [check, files] = ['--check', '--files'].map((flag) => process.argv.includes(flag))
const filter = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const chosen = (name) => filter.length === 0 || filter.some((part) => name.includes(part))

const kb = (bytes) => `${(bytes / 1000).toFixed(2).padStart(6)} kB`
const gzip = (text) => gzipSync(text, { level: 9 }).length

/** The chunks of a bundle of `code`, and the names of those that load before intent. */
async function bundled(code) {
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

const measured = new Map()
for (const [name, code] of Object.entries(entries).filter(([name]) => chosen(name))) {
  const { chunks, first } = await bundled(code)
  const sum = (names) => [...names].reduce((total, file) => total + gzip(chunks.get(file).code), 0)
  measured.set(name, [sum(first), sum(chunks.keys())])
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
if (chosen('styles.css')) {
  const css = readFileSync(from('react/src/styles.css'), 'utf8')
  const bytes = gzip(transformSync(css, { loader: 'css', minify: true }).code)
  measured.set('styles.css', [bytes, bytes])
}
if (measured.size === 0)
  throw new Error(`No entry is called ${filter.join(' or ')}: ${Object.keys(entries).join(', ')}`)

console.log(`${''.padEnd(24)} before intent   in all`)
for (const [name, [before, all]] of measured) {
  console.log(`${name.padEnd(24)} ${kb(before).padStart(13)} ${kb(all).padStart(8)}`)
}

const heading = 'Bytes, minified and gzipped: before the first intent, in all. Written by `npm run size`.'
for (const folder of ['core', 'react']) {
  const file = from(`${folder}/size.txt`)
  const own = [...measured].filter(([name]) => owner(name) === folder)
  if (!check) {
    if (filter.length > 0) continue
    const lines = own.map(
      ([name, [before, all]]) => `${name.padEnd(24)} ${String(before).padStart(6)} ${String(all).padStart(6)}`,
    )
    writeFileSync(file, `${[heading, ...lines].join('\n')}\n`)
    continue
  }
  const committed = new Map(
    [...readFileSync(file, 'utf8').matchAll(/^(.+?) +(\d+) +(\d+)$/gm)].map(([, name, ...figures]) => [
      name,
      figures.map(Number),
    ]),
  )
  for (const [name, figures] of own) {
    const known = committed.get(name)
    for (const [at, column] of ['before intent', 'in all'].entries()) {
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
