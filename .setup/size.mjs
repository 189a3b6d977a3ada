// `npm run size`: minified + gzip bytes that a browser downloads, peers external, before and after the first intent
// (hover, focus or click on Connect). Bundled from source by Vite, as most apps do it.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { transformSync } from 'esbuild'
import { build } from 'vite'

const root = path.join(import.meta.dirname, '..')
const external = ['react', 'react-dom', 'react/jsx-runtime', '@tanstack/react-query']
const from = (file) => path.join(root, 'packages', file)

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

const kb = (bytes) => `${(bytes / 1000).toFixed(2).padStart(6)} kB`
const gzip = (text) => gzipSync(text, { level: 9 }).length
console.log(`${''.padEnd(24)} before intent   in all`)
for (const [name, code] of Object.entries(entries)) {
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
      rollupOptions: { input: 'virtual:entry', preserveEntrySignatures: 'strict', external },
    },
  })
  const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((chunk) => [chunk.fileName, chunk]))
  const now = new Set()
  const visit = (file) => {
    if (now.has(file) || !chunks.has(file)) return
    now.add(file)
    chunks.get(file).imports.forEach(visit)
  }
  for (const { isEntry, fileName } of chunks.values()) if (isEntry) visit(fileName)
  const sum = (files) => [...files].reduce((total, file) => total + gzip(chunks.get(file).code), 0)
  console.log(`${name.padEnd(24)} ${kb(sum(now)).padStart(13)} ${kb(sum(chunks.keys())).padStart(8)}`)
  if (!process.argv.includes('--files')) continue
  for (const { fileName, code: text, modules } of chunks.values()) {
    console.log(`    ${now.has(fileName) ? 'now  ' : 'later'} ${kb(gzip(text))} ${path.basename(fileName)}`)
    const largest = Object.entries(modules).sort(([, a], [, b]) => b.renderedLength - a.renderedLength)
    for (const [id, { renderedLength }] of largest.slice(0, 12)) {
      console.log(`          ${kb(renderedLength)} ${path.relative(root, id)}, not minified`)
    }
  }
}
const css = transformSync(readFileSync(from('react/src/styles.css'), 'utf8'), { loader: 'css', minify: true }).code
console.log(`${'styles.css'.padEnd(24)} ${kb(gzip(css)).padStart(13)}`)
