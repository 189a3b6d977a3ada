import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type BrowserContext, chromium } from '@playwright/test'
import { executablePath } from '../.setup/browser.mjs'

/**
 * Chromium as people have it. Playwright's own flags switch off the popup blocker and storage partitioning, so none of
 * them are passed.
 */
export async function withStockChromium(act: (context: BrowserContext) => Promise<void>): Promise<void> {
  const profile = mkdtempSync(path.join(tmpdir(), 'latchkey-profile-'))
  const args = [
    '--headless',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    'about:blank',
  ]
  const context = await chromium.launchPersistentContext(profile, { executablePath, ignoreDefaultArgs: true, args })
  try {
    await act(context)
  } finally {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
