// Emits page.ts of the connect card as document.ts: the parts of its document, and a policy that allows no other script or style.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { buildSync, transformSync } from 'esbuild'

const style = `
:root{color-scheme:light dark;font:14px/1.4 system-ui,sans-serif;color:CanvasText;background:Canvas}
body{margin:0}
main{padding:16px}
main[hidden]{display:none}
h1{margin:0;font-size:16px}
p{margin:8px 0;overflow-wrap:anywhere}
p:empty{margin:0}
button{font:inherit;min-height:32px;padding:4px 12px;margin-inline-end:8px}
`.replaceAll('\n', '')

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** The module with the document, from the current source. */
export function emitCard() {
  const folder = new URL('../src/agent/card/', import.meta.url)
  const stdin = { contents: `import { card } from './page.ts'\ncard()`, resolveDir: folder.pathname }
  const built = buildSync({ stdin, bundle: true, write: false, format: 'iife', target: 'es2022' })
  const options = { minify: true, target: 'es2022' } as const
  const script = transformSync(built.outputFiles[0]!.text, options).code.trim()
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; base-uri 'none'; form-action 'none'`
  const before = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>Connect an account</title><style>${style}</style></head><body><main id="card" hidden><h1 id="title"></h1><p id="where"></p><button id="open" type="button"></button><button id="next" type="button" hidden>Continue</button><p id="status" role="status"></p></main><script type="application/json">`
  const after = `</script><script>${script}</script></body></html>\n`
  const module = `// Made by scripts/card.ts from page.ts: do not edit.
/** The document of the connect card, up to what it knows and after that. */
export const cardDocument = [
  ${JSON.stringify(before)},
  ${JSON.stringify(after)},
] as const
`
  return { module, file: new URL('document.ts', folder) }
}

if (import.meta.main) {
  const { module, file } = emitCard()
  writeFileSync(file, module)
}
