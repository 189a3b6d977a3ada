import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (file: string) => readFileSync(new URL(`../../packages/react/${file}`, import.meta.url), 'utf8')
const panel = read('examples/headless.tsx')

it('the headless panel is short, and made of parts and hooks only', () => {
  expect(panel.trim().split('\n').length).toBeLessThanOrEqual(60)
  const imports = [...panel.matchAll(/^import (?:type )?\{ (.+) \} from '(.+)'$/gm)].map(([, names, from]) => [
    from,
    names,
  ])
  // Every import is one of these lines: nothing is imported another way, and no style.
  expect(panel.match(/\bimport\b/g)).toHaveLength(imports.length)
  expect(Object.fromEntries(imports)).toEqual({
    '@latchkey/react': 'Account, useAccount, useConnect, useLatchkey',
    react: 'FormEvent',
  })
  expect(panel).not.toMatch(/className|style=|latchkey-/)
})

it('theme.css sets variables that there are', () => {
  const known = new Set(read('src/styles.css').match(/--latchkey-[\w-]+(?=:)/g))
  const set = read('examples/theme.css').match(/--latchkey-[\w-]+(?=:)/g) ?? []
  expect(set.length).toBeGreaterThan(5)
  expect(set.filter((name) => !known.has(name))).toEqual([])
})
