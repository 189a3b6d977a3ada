// What is tested in the built Storybook alone, without the demo and its servers.
import { defineConfig } from '@playwright/test'
import { launchOptions } from '../.setup/browser.mjs'

/** The files of these tests. */
export const ofStorybook = ['docs.spec.ts', 'looks.spec.ts', 'themes.spec.ts']

export default defineConfig({
  testDir: '.',
  testMatch: ofStorybook,
  outputDir: '.results',
  workers: 2,
  fullyParallel: true,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  // One run of several hundred pages should not fail by one of them. `.setup/test.mjs` names each second try with its
  // reason.
  retries: 1,
  use: { launchOptions },
})
