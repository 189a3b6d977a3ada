import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
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

it('each hook that is exported has a page and an example', () => {
  const [...exported] = read('src/index.ts').matchAll(/\b(use[A-Z]\w+)/g)
  const hooks = [...new Set(exported.map(([, name]) => name as string))]
  expect(hooks.length).toBeGreaterThan(8)
  for (const hook of hooks) {
    const file = hook.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
    const page = readFileSync(path.join(import.meta.dirname, `hooks/${file}.mdx`), 'utf8')
    expect(page).toContain(`title="Components/Hooks/${hook}"`)
    expect(read(`examples/hooks/${file}.tsx`)).toMatch(
      new RegExp(`import \\{.*\\b${hook}\\b.*\\} from '@latchkey/react'`),
    )
  }
})

it('M6: each example of a component imports it', () => {
  const examples = globSync('../../packages/react/examples/components/*.tsx', { cwd: import.meta.dirname })
  expect(examples.length).toBeGreaterThan(10)
  for (const file of examples) {
    const name = path.basename(file, '.tsx').replace(/(^|-)(\w)/g, (_, _dash, letter) => letter.toUpperCase())
    const text = readFileSync(path.join(import.meta.dirname, file), 'utf8')
    const component = name === 'Languages' ? 'ConnectedAccounts' : name
    expect(text).toMatch(new RegExp(`import \\{.*\\b${component}\\b.*\\} from '@latchkey/react(/agents)?'`))
  }
})
