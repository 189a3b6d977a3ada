import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { emitCallback } from '../../scripts/callback.ts'
import { callbackPage, callbackScriptHash } from './callback-page.ts'

it('has the script of popup.ts, in both of its files', () => {
  const { html, module, files } = emitCallback()
  expect(readFileSync(files.html, 'utf8')).toBe(html)
  expect(readFileSync(files.module, 'utf8')).toBe(module)
  expect(callbackPage).toBe(html)
})

it('is under 1 kB, has no external links, sends no Referer, and its script matches the hash in its CSP', () => {
  expect(Buffer.byteLength(callbackPage)).toBeLessThan(1000)
  expect(callbackPage).not.toMatch(/https?:|\/\/|src=|href=/)
  expect(callbackPage).toContain('<meta name="referrer" content="no-referrer">')
  const scripts = [...callbackPage.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => script ?? '')
  expect(scripts).toHaveLength(1)
  expect(callbackScriptHash).toBe(`sha256-${createHash('sha256').update(scripts[0]!).digest('base64')}`)
  // A server's text never becomes HTML.
  expect(callbackPage).not.toMatch(/innerHTML|insertAdjacent|document\.write|eval/)
})
