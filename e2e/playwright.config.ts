import { defineConfig } from '@playwright/test'
import { launchOptions } from '../.setup/browser.mjs'
import type { Custody } from './demo-server.ts'
import { ofStorybook } from './storybook.config.ts'

/**
 * With the accounts on the server, what can end otherwise than with accounts in the browser: a test is tagged @vault if
 * the server's part decides how it ends, and @store if it also depends on what two writers do in one database. What is
 * the page's alone (which account a message carries, menus, keyboard, languages) runs once, in the browser's custody.
 */
const inVault = (custody: Custody, tag: string, ...own: string[]) => ({
  name: custody,
  testMatch: [
    'demo.spec.ts',
    'one-server.spec.ts',
    'person-in-charge.spec.ts',
    'tutorial.spec.ts',
    'vault.spec.ts',
    ...own,
  ],
  grep: new RegExp(tag),
  use: { custody },
})

/** What depends on the store runs in PostgreSQL in every run, and in SQLite, too, in `npm run test:all`. */
const ofStore = 'vault\\.spec|@store'

/** What ends otherwise in PostgreSQL alone. */
const ofPostgres = 'connections.spec.ts'

export default defineConfig<object, { custody: Custody }>({
  testDir: '.',
  outputDir: '.results',
  globalSetup: './global.setup.ts',
  // Each has a demo and stand-ins of its own.
  workers: 2,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  // Real windows on a busy machine sometimes lose a click. `.setup/test.mjs` names each second try with its reason.
  retries: 1,
  use: { launchOptions, trace: 'on-first-retry' },
  projects: [
    { name: 'chromium', testIgnore: ['vault.spec.ts', ofPostgres, ...ofStorybook], use: { custody: 'browser' } },
    inVault('sqlite', process.env.TEST_ALL ? `@vault|${ofStore}` : '@vault(?!.*@store)'),
    inVault('postgres', ofStore, ofPostgres),
  ],
})
