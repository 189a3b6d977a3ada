// Emits the far end of popup.ts as the callback page: callback.html for apps, callback-page.ts for the broker.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { buildSync, transformSync } from 'esbuild'

/** The page and the CSP hash of its script, from the current source. */
export function emitCallback() {
  const folder = new URL('../', import.meta.url)
  const built = buildSync({
    stdin: {
      contents: `import { callback } from './connect/popup.ts'\ncallback()`,
      resolveDir: new URL('src', folder).pathname,
    },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  })
  const script = transformSync(built.outputFiles[0]!.text, {
    minify: true,
    target: 'es2022',
    format: 'esm',
  }).code.trim()
  const hash = `sha256-${createHash('sha256').update(script).digest('base64')}`
  const html = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width"><title>Connecting</title><p role="status">One moment</p><script>${script}</script>\n`
  const module = `// Made by scripts/callback.ts from popup.ts: do not edit.
/** The callback page: what the authorization server sends the person back to. */
export const callbackPage = ${JSON.stringify(html)}

/** The CSP source of its one inline script. @see CSP Level 3 §2.3.1 */
export const callbackScriptHash = ${JSON.stringify(hash)}
`
  return {
    html,
    module,
    files: { html: new URL('callback.html', folder), module: new URL('src/connect/callback-page.ts', folder) },
  }
}

if (import.meta.main) {
  const { html, module, files } = emitCallback()
  writeFileSync(files.html, html)
  writeFileSync(files.module, module)
  console.log(`${readFileSync(files.html).length} bytes`)
}
