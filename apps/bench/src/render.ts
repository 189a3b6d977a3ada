import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser } from 'playwright'
import { html, serve } from './lab.ts'
import type { RenderLab } from './render-page.tsx'

declare const lab: RenderLab

export const PROVIDERS = 1000

interface Times {
  panel: number[]
  plain: number[]
}

export interface Renders {
  /** Milliseconds by what was done, contestant and round. */
  times: Record<'mount, first cards' | 'mount, all cards' | 'search' | 'one change', Times>
  /** What one change renders and touches. */
  cards: number
  commits: number
  touched: number
}

const page = path.join(import.meta.dirname, 'render-page.tsx')
const styles = fileURLToPath(import.meta.resolve('@latchkey/react/styles.css'))

async function bundle(alias: Record<string, string>): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [page],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    alias,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** Compares the panel with many providers with a plain list of the same markup, in alternating rounds. */
export async function render(browser: Browser, rounds = 9): Promise<Renders> {
  const scripts: Record<string, string> = {
    '/measure.js': await bundle({}),
    // React counts renders only in this build, which is a little slower.
    '/count.js': await bundle({ 'react-dom/client': 'react-dom/profiling' }),
  }
  const server = await serve((_request, response, { pathname }) => {
    const script = scripts[pathname]
    if (script !== undefined) response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    else if (pathname === '/styles.css')
      response.writeHead(200, { 'content-type': 'text/css' }).end(readFileSync(styles))
    else if (pathname === '/favicon.ico') response.writeHead(204).end()
    else {
      const head = '<meta charset="utf-8"><title>Render</title><link rel="stylesheet" href="/styles.css">'
      html(response, `<!doctype html>${head}<body><script type="module" src="${pathname}.js"></script>`)
    }
  })
  const tab = await browser.newPage()
  try {
    await tab.goto(`${server.origin}/measure`)
    const times = await tab.evaluate(
      async ({ rounds, providers }) => {
        await lab.prepare(providers)
        const none = (): Times => ({ panel: [], plain: [] })
        const times: Renders['times'] = {
          'mount, first cards': none(),
          'mount, all cards': none(),
          search: none(),
          'one change': none(),
        }
        // The first round warms up.
        for (let round = 0; round <= rounds; round++) {
          for (const name of round % 2 ? (['panel', 'plain'] as const) : (['plain', 'panel'] as const)) {
            const contestant = lab[name]
            const { first, all } = await contestant.mount()
            const search = await contestant.search()
            const change = await contestant.change()
            await contestant.unmount()
            if (round === 0) continue
            times['mount, first cards'][name].push(first)
            times['mount, all cards'][name].push(all)
            if (search !== undefined) times.search[name].push(search)
            times['one change'][name].push(change)
          }
        }
        return times
      },
      { rounds, providers: PROVIDERS },
    )
    const touched = await tab.evaluate(() => lab.touched())
    await tab.goto(`${server.origin}/count`)
    const counted = await tab.evaluate((providers) => lab.rendered(providers), PROVIDERS)
    return { times, touched, ...counted }
  } finally {
    await tab.close()
    await server.close()
  }
}
