// `npm run size`: minified + gzip bytes that a browser downloads, peers external, before and after the first intent
// (hover, focus or click on Connect). Bundled from source by esbuild, with code splitting as an app's bundler does it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, transformSync } from 'esbuild'

const root = path.join(import.meta.dirname, '..')
const external = ['react', 'react-dom', 'react/jsx-runtime', '@tanstack/react-query']
const from = (file) => path.join(root, 'packages', file)

const entries = {
  'core: connect path': `export { createLatchkey } from '${from('core/src/index.ts')}'`,
  'core + 3 providers': `export { createLatchkey } from '${from('core/src/index.ts')}'
export { github, gmail, kaggle } from '${from('core/src/providers/index.ts')}'`,
  'headless + hooks': `export { LatchkeyProvider, useLatchkey, useAccounts, useAccount, useConnect, useDisconnect, useToken, useIdentities, useAgentAccounts } from '${from('react/src/index.ts')}'`,
  // The protocol alone, as the two entries after it have it: discovery, registration, challenges, auth providers.
  'core/mcp': `export * from '${from('core/src/mcp.ts')}'`,
  'core/mcp + connect path': `export { createLatchkey } from '${from('core/src/index.ts')}'
export { mcpServers, mcpFetch } from '${from('core/src/mcp.ts')}'`,
  'use-mcp': `export * from 'use-mcp'`,
  'MCP SDK 1.x client/auth': `export * from '@modelcontextprotocol/sdk/client/auth.js'`,
  'panel (with the above)': `export { LatchkeyProvider, ConnectedAccounts } from '${from('react/src/index.ts')}'`,
}

const folder = mkdtempSync(path.join(root, 'node_modules', '.size-'))
const kb = (bytes) => `${(bytes / 1000).toFixed(2).padStart(6)} kB`
const gzip = (text) => gzipSync(text, { level: 9 }).length
console.log(`${''.padEnd(24)} before intent   in all`)
try {
  for (const [name, contents] of Object.entries(entries)) {
    const { metafile, outputFiles } = await build({
      stdin: { contents, resolveDir: root, sourcefile: 'entry.ts' },
      outdir: folder,
      bundle: true,
      splitting: true,
      format: 'esm',
      minify: true,
      write: false,
      metafile: true,
      jsx: 'automatic',
      external,
      platform: 'browser',
      logLevel: 'error',
    })
    const bytes = (file) => gzip(outputFiles.find((output) => output.path.endsWith(path.basename(file))).contents)
    const now = new Set()
    const visit = (file) => {
      if (now.has(file) || !metafile.outputs[file]) return
      now.add(file)
      for (const { path: next, kind } of metafile.outputs[file].imports) if (kind === 'import-statement') visit(next)
    }
    visit(Object.keys(metafile.outputs).find((file) => file.endsWith('stdin.js')))
    const sum = (files) => [...files].reduce((total, file) => total + bytes(file), 0)
    console.log(`${name.padEnd(24)} ${kb(sum(now)).padStart(13)} ${kb(sum(Object.keys(metafile.outputs))).padStart(8)}`)
    if (process.argv.includes('--files')) {
      for (const file of Object.keys(metafile.outputs)) {
        console.log(`    ${now.has(file) ? 'now  ' : 'later'} ${kb(bytes(file))} ${path.basename(file)}`)
        const inputs = Object.entries(metafile.outputs[file].inputs).sort(
          (a, b) => b[1].bytesInOutput - a[1].bytesInOutput,
        )
        for (const [input, { bytesInOutput }] of inputs.slice(0, 12))
          console.log(`          ${kb(bytesInOutput)} ${input}`)
      }
    }
  }
  const css = transformSync(readFileSync(from('react/src/styles.css'), 'utf8'), { loader: 'css', minify: true }).code
  console.log(`${'styles.css'.padEnd(24)} ${kb(gzip(css)).padStart(13)}`)
} finally {
  rmSync(folder, { recursive: true })
}
