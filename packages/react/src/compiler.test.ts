import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { transformSync } from '@babel/core'
import { expect, test } from 'vitest'

interface CompilerEvent {
  kind: string
  fnName?: string | null
  detail?: { options: { category: string; reason: string } }
}

/** What React Compiler reports about each component and hook of a file. */
function compile(file: string): CompilerEvent[] {
  const events: CompilerEvent[] = []
  const logger = { logEvent: (_file: string | null, event: CompilerEvent) => events.push(event) }
  transformSync(readFileSync(path.join(import.meta.dirname, file), 'utf8'), {
    filename: file,
    babelrc: false,
    configFile: false,
    parserOpts: { plugins: ['typescript', 'jsx'] },
    plugins: [['babel-plugin-react-compiler', { target: '18', panicThreshold: 'none', logger }]],
  })
  return events
}

test('no component or hook breaks a rule of React that React Compiler relies on', () => {
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.tsx?$/.test(file) && !/\.(test|stories)\.|^messages\//.test(file),
  )
  expect(sources.length).toBeGreaterThan(50)
  const events = sources.flatMap((file) => compile(file).map((event) => ({ file, ...event })))
  const broken = events.flatMap(({ file, kind, fnName, detail }) => {
    // Code that the compiler cannot compile yet is left unchanged.
    if (kind === 'CompileSuccess' || detail?.options.category === 'Todo') return []
    return `${file} ${fnName ?? ''}: ${detail?.options.reason ?? kind}`
  })
  expect(broken).toEqual([])
  expect(events.filter(({ kind }) => kind === 'CompileSuccess').length).toBeGreaterThan(sources.length)
}, 120_000)
