import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const panel = readFileSync(new URL('../../packages/react/examples/headless.tsx', import.meta.url), 'utf8')

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
